/* What modules own, how they are found, visited, frozen and freed. */
#include <stdlib.h>
#include <string.h>

#include "suites.h"

/* net (Unit) with "a" (Sequential of two Units) and "b" (Unit). */
static hg_module *make_tree(void)
{
    hg_module *net = test_unit(), *a = hg_sequential(test_device());
    ck_assert_hg(hg_append(a, test_unit()));
    ck_assert_hg(hg_append(a, test_unit()));
    ck_assert_hg(hg_add_child(net, "a", a));
    ck_assert_hg(hg_add_child(net, "b", test_unit()));
    return net;
}

typedef struct text {
    char bytes[1024];
    int left;
} text;

static bool note_tensor(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    text *out = user;
    ck_assert_hg_ok(t);
    strcat(out->bytes, name);
    strcat(out->bytes, is_buffer ? "! " : " ");
    return --out->left > 0;
}

static bool note_module(const char *name, hg_module *m, void *user)
{
    text *out = user;
    strcat(out->bytes, *name ? name : "<root>");
    strcat(out->bytes, "=");
    strcat(out->bytes, hg_module_get_class(m)->name);
    strcat(out->bytes, " ");
    return --out->left > 0;
}

START_TEST(visits_go_depth_first_parameters_before_buffers)
{
    hg_module *net = make_tree();
    text all = {"", 99}, parameters = {"", 99}, three = {"", 3}, modules = {"", 99}, two = {"", 2};
    hg_each_state(net, note_tensor, &all);
    ck_assert_str_eq(all.bytes,
                     "weight bias seen! a.0.weight a.0.bias a.0.seen! a.1.weight a.1.bias a.1.seen! b.weight b.bias "
                     "b.seen! ");
    hg_each_parameter(net, note_tensor, &parameters);
    ck_assert_str_eq(parameters.bytes, "weight bias a.0.weight a.0.bias a.1.weight a.1.bias b.weight b.bias ");
    hg_each_state(net, note_tensor, &three);
    ck_assert_str_eq(three.bytes, "weight bias seen! ");
    hg_each_module(net, note_module, &modules);
    ck_assert_str_eq(modules.bytes, "<root>=Unit a=Sequential a.0=Unit a.1=Unit b=Unit ");
    hg_each_module(net, note_module, &two);
    ck_assert_str_eq(two.bytes, "<root>=Unit a=Sequential ");
    hg_module_free(net);
}
END_TEST

START_TEST(a_shared_tensor_is_visited_and_counted_once)
{
    hg_module *net = make_tree();
    ck_assert_int_eq(hg_count_parameters(net, false), 16);
    ck_assert_hg(hg_add_parameter(hg_child(net, "b"), "tied", hg_retain(hg_parameter(net, "weight"))));
    text all = {"", 99};
    hg_each_parameter(net, note_tensor, &all);
    ck_assert_ptr_null(strstr(all.bytes, "tied"));
    ck_assert_int_eq(hg_count_parameters(net, false), 16);
    ck_assert_ptr_eq(hg_parameter(net, "b.tied"), hg_parameter(net, "weight"));
    hg_module_free(net);
}
END_TEST

START_TEST(lookup_follows_dots_and_says_what_there_is)
{
    hg_module *net = make_tree();
    ck_assert_ptr_eq(hg_child(net, "a.1"), hg_at(hg_child(net, "a"), -1));
    ck_assert_ptr_eq(hg_parameter(net, "a.0.bias"), hg_parameter(hg_child(net, "a.0"), "bias"));
    ck_assert_int_eq(hg_item_i64(hg_buffer(net, "b.seen")), 5);
    ck_assert_ptr_null(hg_child(net, "c"));
    test_error(HG_E_ARG, "Unit has no child 'c'; it has a, b");
    ck_assert_ptr_null(hg_child(net, "a.7.weight"));
    test_error(HG_E_ARG, "Sequential has no child '7'; it has 0, 1");
    ck_assert_ptr_null(hg_parameter(net, "b.seen"));
    test_error(HG_E_ARG, "Unit has no parameter 'seen'; it has weight, bias");
    ck_assert_ptr_null(hg_buffer(net, "a.seen"));
    test_error(HG_E_ARG, "Sequential has no buffer 'seen'; it has none");
    ck_assert_ptr_null(hg_child(net, ""));
    test_error(HG_E_ARG, "name is empty");
    ck_assert_ptr_null(hg_parameter(NULL, "x"));
    test_error(HG_E_ARG, "module is NULL");
    ck_assert_ptr_null(hg_at(hg_child(net, "a"), 2));
    test_error(HG_E_ARG, "index 2 is out of range");
    ck_assert_ptr_null(hg_at(hg_child(net, "a"), -3));
    test_error(HG_E_ARG, "index -3 is out of range");
    ck_assert_ptr_null(hg_at(net, 0));
    test_error(HG_E_ARG, "not a Sequential");
    hg_module_free(net);
}
END_TEST

START_TEST(names_are_checked_in_pytorchs_words)
{
    hg_device *dev = test_device();
    hg_module *m = test_unit();
    ck_assert_int_eq(hg_add_child(m, "", test_unit()), HG_E_ARG);
    test_error(HG_E_ARG, "module name can't be empty string \"\"");
    ck_assert_int_eq(hg_add_child(m, "a.b", test_unit()), HG_E_ARG);
    test_error(HG_E_ARG, "module name can't contain \".\", got: a.b");
    ck_assert_int_eq(hg_add_parameter(m, "a.b", hg_zeros(dev, HG_F32, HG_SHAPE(1))), HG_E_ARG);
    test_error(HG_E_ARG, "parameter name can't contain \".\"");
    ck_assert_int_eq(hg_add_buffer(m, "weight", hg_zeros(dev, HG_F32, HG_SHAPE(1))), HG_E_ARG);
    test_error(HG_E_ARG, "attribute 'weight' already exists");
    ck_assert_int_eq(hg_add_child(m, "seen", test_unit()), HG_E_ARG);
    test_error(HG_E_ARG, "attribute 'seen' already exists");
    hg_module_free(m);
}
END_TEST

START_TEST(what_cannot_be_registered_says_why)
{
    hg_device *dev = test_device();
    hg_module *m = test_unit();
    ck_assert_int_eq(hg_add_parameter(m, "x", NULL), HG_E_ARG);
    test_error(HG_E_ARG, "parameter 'x' is NULL");
    ck_assert_int_eq(hg_add_buffer(m, "x", hg_zeros(dev, HG_F32, HG_SHAPE(-1))), HG_E_ARG);
    hg_clear_error();
    ck_assert_int_eq(hg_add_parameter(m, "x", hg_zeros(dev, HG_I64, HG_SHAPE(1))), HG_E_DTYPE);
    test_error(HG_E_DTYPE, "floating point");
    ck_assert_int_eq(hg_add_child(m, "x", NULL), HG_E_ARG);
    test_error(HG_E_ARG, "the child 'x' is NULL");
    ck_assert_int_eq(hg_add_child(NULL, "x", test_unit()), HG_E_ARG);
    test_error(HG_E_ARG, "the module is NULL");
    ck_assert_int_eq(hg_append(m, test_unit()), HG_E_ARG);
    test_error(HG_E_ARG, "not a Sequential");
    ck_assert_int_eq(hg_add_child(m, "x", m), HG_E_ARG);
    test_error(HG_E_ARG, "would contain itself");
    hg_module *child = test_unit();
    ck_assert_hg(hg_add_child(m, "x", child));
    ck_assert_int_eq(hg_add_child(child, "up", m), HG_E_ARG);
    test_error(HG_E_ARG, "would contain itself");
    ck_assert_int_eq(hg_add_child(m, "again", child), HG_E_ARG);
    test_error(HG_E_ARG, "already belongs to a Unit");
    ck_assert_ptr_null(hg_module_new(NULL, hg_module_get_class(m)));
    test_error(HG_E_ARG, "a device and a class");
    ck_assert_ptr_null(hg_module_new(dev, &(hg_module_class){.name = "X"}));
    test_error(HG_E_ARG, "a device and a class");
    hg_module_free(m);
}
END_TEST

START_TEST(children_can_be_replaced_and_taken_out)
{
    uint64_t before = test_memory();
    hg_module *net = make_tree(), *other = test_unit();
    ck_assert_hg(hg_replace_child(net, "a.0", other));
    ck_assert_ptr_eq(hg_at(hg_child(net, "a"), 0), other);
    text modules = {"", 99};
    hg_each_module(net, note_module, &modules);
    ck_assert_str_eq(modules.bytes, "<root>=Unit a=Sequential a.0=Unit a.1=Unit b=Unit ");
    ck_assert_int_eq(hg_replace_child(net, "c", test_unit()), HG_E_ARG);
    test_error(HG_E_ARG, "no child 'c'");
    ck_assert_int_eq(hg_replace_child(other, "x", net), HG_E_ARG);
    test_error(HG_E_ARG, "would contain itself");
    hg_module_free(hg_child(net, "a.0"));
    text less = {"", 99};
    hg_each_module(net, note_module, &less);
    ck_assert_str_eq(less.bytes, "<root>=Unit a=Sequential a.1=Unit b=Unit ");
    hg_module_free(net);
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

START_TEST(requires_grad_goes_by_pattern)
{
    hg_module *net = make_tree();
    ck_assert_int_eq(hg_module_requires_grad(net, "*", false), 8);
    ck_assert_int_eq(hg_count_parameters(net, true), 0);
    ck_assert_int_eq(hg_module_requires_grad(net, "a.*", true), 4);
    ck_assert_int_eq(hg_count_parameters(net, true), 8);
    ck_assert_int_eq(hg_module_requires_grad(net, "*.[01].bias", false), 2);
    ck_assert_int_eq(hg_count_parameters(net, true), 6);
    ck_assert(!hg_requires_grad(hg_parameter(net, "b.weight")));
    ck_assert(hg_requires_grad(hg_parameter(net, "a.1.weight")));
    ck_assert_int_eq(hg_module_requires_grad(net, "nothing", true), 0);
    hg_module_free(net);
}
END_TEST

START_TEST(train_and_eval_reach_every_child)
{
    hg_module *net = make_tree();
    ck_assert(hg_is_training(net) && hg_is_training(hg_child(net, "a.1")));
    hg_eval(net);
    ck_assert(!hg_is_training(net) && !hg_is_training(hg_child(net, "a.1")) && !hg_is_training(hg_child(net, "b")));
    hg_train(hg_child(net, "a"), true);
    ck_assert(!hg_is_training(net) && hg_is_training(hg_child(net, "a.0")));
    hg_module_free(net);
}
END_TEST

START_TEST(freeing_gives_everything_back)
{
    uint64_t before = test_memory();
    hg_module_free(make_tree());
    ck_assert_uint_eq(test_memory(), before);
    hg_module_free(NULL);
}
END_TEST

START_TEST(parameters_outlive_the_scope_they_were_made_in)
{
    uint64_t before = test_memory();
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *net = make_tree();
    hg_scope_end(s);
    ck_assert_double_eq(hg_item(hg_parameter(net, "b.bias")), 2);
    hg_module_free(net);
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

static int destroyed;
static void count_destroyed(hg_module *m)
{
    destroyed++;
    free(*(void **)hg_module_state(m));
}
static hg_tensor *same(hg_module *m, hg_tensor *x)
{
    (void)m;
    return x;
}

START_TEST(a_class_may_hold_more_than_its_state)
{
    static const hg_module_class holder = {
        .name = "Holder", .state_size = sizeof(void *), .forward = same, .destroy = count_destroyed};
    hg_module *m = hg_module_new(test_device(), &holder);
    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_null(*(void **)hg_module_state(m));   /* zeroed */
    *(void **)hg_module_state(m) = malloc(8);
    destroyed = 0;
    hg_module_free(m);
    ck_assert_int_eq(destroyed, 1);
}
END_TEST

START_TEST(a_module_keeps_its_device_open)
{
    hg_device *dev = hg_device_open(NULL);
    hg_module *m = hg_sequential(dev);
    ck_assert_ptr_eq(hg_module_device(m), dev);
    hg_device_close(dev);
    ck_assert_hg(hg_add_buffer(m, "x", hg_full(hg_module_device(m), HG_F32, HG_SHAPE(1), 3)));
    ck_assert_double_eq(hg_item(hg_buffer(m, "x")), 3);
    ck_assert_int_eq(hg_add_buffer(m, "y", hg_zeros(test_device(), HG_F32, HG_SHAPE(1))), HG_E_DEVICE);
    test_error(HG_E_DEVICE, "the buffer 'y' is on");
    ck_assert_int_eq(hg_append(m, test_unit()), HG_E_DEVICE);
    test_error(HG_E_DEVICE, "the child '0' is on");
    hg_module_free(m);
}
END_TEST

START_TEST(text_of_a_tree_with_lines_of_its_own)
{
    hg_module *net = test_unit(), *a = hg_sequential(test_device());
    ck_assert_hg(hg_append(a, test_unit()));
    ck_assert_hg(hg_append(a, hg_sequential(test_device())));
    ck_assert_hg(hg_add_child(net, "a", a));
    char *all = hg_module_to_text(net);
    ck_assert_str_eq(all, "Unit(\n  one\n  two\n  (a): Sequential(\n    (0): Unit(\n      one\n      two\n    )\n"
                          "    (1): Sequential()\n  )\n)");
    free(all);
    hg_module_free(net);
    ck_assert_ptr_null(hg_module_to_text(NULL));
    test_error(HG_E_ARG, "NULL");
}
END_TEST

Suite *module_suite(void)
{
    return TEST_SUITE(
        "module", visits_go_depth_first_parameters_before_buffers, a_shared_tensor_is_visited_and_counted_once,
        lookup_follows_dots_and_says_what_there_is, names_are_checked_in_pytorchs_words,
        what_cannot_be_registered_says_why, children_can_be_replaced_and_taken_out, requires_grad_goes_by_pattern,
        train_and_eval_reach_every_child, freeing_gives_everything_back, parameters_outlive_the_scope_they_were_made_in,
        a_class_may_hold_more_than_its_state, a_module_keeps_its_device_open, text_of_a_tree_with_lines_of_its_own);
}
