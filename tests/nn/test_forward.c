/* Running modules: hooks, what stays alive, names in profiles, errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static hg_module *make_chain(int n)
{
    hg_module *m = hg_sequential(test_device());
    for (int i = 0; i < n; i++) ck_assert_hg(hg_append(m, test_unit()));
    return m;
}

static hg_tensor *ones(int64_t n)
{
    return hg_full(test_device(), HG_F32, HG_SHAPE(n), 1);
}

START_TEST(a_sequential_runs_its_children_in_order)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = make_chain(3), *none = make_chain(0);
    test_equal(hg_forward(m, ones(2)), HG_SHAPE(2), ((double[]){8, 8}));
    hg_tensor *x = ones(1);
    ck_assert_ptr_eq(hg_forward(none, x), x);
    hg_scope_end(s);
    hg_module_free(m);
    hg_module_free(none);
}
END_TEST

START_TEST(the_result_alone_comes_back)
{
    hg_module *m = make_chain(5);
    hg_tensor *x = ones(1 << 18);
    uint64_t before = test_memory();
    hg_memory_reset_peak(test_device());
    hg_tensor *y = hg_forward(m, x);
    hg_memory_info info;
    ck_assert_hg(hg_memory_get_info(test_device(), &info));
    ck_assert_uint_eq(info.in_use - before, 1 << 20);
    ck_assert_uint_le(info.peak - before, 2 << 20);      /* two results at a time */
    hg_release(y);
    hg_module *none = make_chain(0);
    hg_tensor *again = hg_forward(none, x);     /* x itself, with a reference of its own */
    hg_release(x);
    ck_assert_int_eq(hg_size(again, 0), 1 << 18);
    hg_release(again);
    hg_module_free(none);
    ck_assert_uint_lt(test_memory(), before);
    hg_module_free(m);
}
END_TEST

/* ---- hooks ---- */

typedef struct seen {
    int calls;
    hg_module *m;
    double input, output;
    hg_tensor *instead;
    hg_module_hook *remove;
} seen;

static hg_tensor *look(hg_module *m, hg_tensor *input, hg_tensor *output, void *user)
{
    seen *s = user;
    s->calls++;
    s->m = m;
    double *v = test_read(input);
    s->input = v[0];
    free(v);
    if (output) {
        v = test_read(output);
        s->output = v[0];
        free(v);
    }
    hg_module_hook_remove(s->remove);
    s->remove = NULL;
    return s->instead;
}

START_TEST(hooks_see_and_replace_inputs_and_outputs)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = make_chain(2), *first = hg_at(m, 0);
    seen before = {.instead = hg_full(test_device(), HG_F32, HG_SHAPE(1), 10)}, after = {0};
    hg_module_hook *pre = hg_add_pre_forward_hook(first, look, &before),
                   *post = hg_add_forward_hook(first, look, &after);
    test_equal(hg_forward(m, ones(1)), HG_SHAPE(1), ((double[]){40}));
    ck_assert_int_eq(before.calls, 1);
    ck_assert_double_eq(before.input, 1);
    ck_assert_ptr_eq(after.m, first);
    ck_assert_double_eq(after.input, 10);
    ck_assert_double_eq(after.output, 20);
    hg_module_hook_remove(pre);
    after.instead = hg_full(test_device(), HG_F32, HG_SHAPE(1), 7);
    test_equal(hg_forward(m, ones(1)), HG_SHAPE(1), ((double[]){14}));
    ck_assert_int_eq(before.calls, 1);
    ck_assert_int_eq(after.calls, 2);
    hg_module_hook_remove(post);
    test_equal(hg_forward(m, ones(1)), HG_SHAPE(1), ((double[]){4}));
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(a_hook_may_remove_itself_while_others_follow)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = test_unit();
    seen first = {0}, second = {0};
    first.remove = hg_add_forward_hook(m, look, &first);
    ck_assert_ptr_nonnull(hg_add_forward_hook(m, look, &second));
    for (int i = 0; i < 2; i++) ck_assert_hg_ok(hg_forward(m, ones(1)));
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 2);
    hg_module_free(m);
    ck_assert_ptr_null(hg_add_forward_hook(NULL, look, NULL));
    test_error(HG_E_ARG, "module is NULL");
    hg_module_hook_remove(NULL);
    hg_scope_end(s);
}
END_TEST

static hg_tensor *look_back(hg_tensor *grad, void *user)
{
    seen *s = user;
    s->calls++;
    double *v = test_read(grad);
    s->output = v[0];
    free(v);
    return s->instead;
}

START_TEST(backward_hooks_see_the_gradient_of_the_output)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = make_chain(3), *idle = make_chain(0);
    hg_tensor *x = ones(1);
    ck_assert_hg(hg_set_requires_grad(x, true));
    seen first = {0}, identity = {0};
    ck_assert_ptr_nonnull(hg_add_backward_hook(hg_at(m, 0), look_back, &first));
    ck_assert_ptr_nonnull(hg_add_backward_hook(idle, look_back, &identity));
    ck_assert_hg(hg_backward(hg_forward(m, hg_forward(idle, x))));
    ck_assert_double_eq(first.output, 4);
    ck_assert_double_eq(identity.output, 8);
    test_equal(hg_grad(x), HG_SHAPE(1), ((double[]){8}));
    first.instead = hg_full(test_device(), HG_F32, HG_SHAPE(1), 3);
    hg_set_grad(x, NULL);
    ck_assert_hg(hg_backward(hg_forward(m, x)));
    test_equal(hg_grad(x), HG_SHAPE(1), ((double[]){6}));
    ck_assert_int_eq(identity.calls, 1);        /* its hook is not on x for good */
    hg_no_grad_begin();
    ck_assert_hg_ok(hg_forward(m, x));
    hg_no_grad_end();
    hg_module_free(m);
    hg_module_free(idle);
    hg_scope_end(s);
}
END_TEST

START_TEST(a_removed_backward_hook_is_not_called_by_older_graphs)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = test_unit();
    hg_tensor *x = ones(1);
    ck_assert_hg(hg_set_requires_grad(x, true));
    seen kept = {0}, gone = {0};
    hg_module_hook *hook = hg_add_backward_hook(m, look_back, &gone);
    ck_assert_ptr_nonnull(hg_add_backward_hook(m, look_back, &kept));
    hg_tensor *y = hg_forward(m, x), *z = hg_forward(m, x);
    hg_module_hook_remove(hook);
    ck_assert_hg(hg_backward(y));
    ck_assert_int_eq(gone.calls, 0);
    ck_assert_int_eq(kept.calls, 1);
    hg_module_free(m);                          /* its hooks go with it; the graph runs on */
    ck_assert_hg(hg_backward(z));
    ck_assert_int_eq(kept.calls, 1);
    test_equal(hg_grad(x), HG_SHAPE(1), ((double[]){4}));
    hg_scope_end(s);
}
END_TEST

/* ---- layers that run as one ---- */

static hg_module *make_block(bool inplace)
{
    hg_device *dev = test_device();
    hg_module *m = hg_sequential(dev);
    ck_assert_hg(hg_append(m, hg_batch_norm2d_module(dev, 3, NULL)));
    ck_assert_hg(hg_append(m, hg_relu_module(dev, inplace)));
    ck_assert_hg(hg_append(m, hg_max_pool2d_module(dev, NULL)));
    return m;
}

static hg_tensor *keep_output(hg_module *m, hg_tensor *input, hg_tensor *output, void *user)
{
    (void)m;
    (void)input;
    *(hg_tensor **)user = hg_retain(output);
    return NULL;
}

static void equal_tensors(hg_tensor *a, hg_tensor *b)
{
    double *v = test_read(b);
    test_equal(a, hg_tensor_shape(b), v);
    free(v);
}

/* Bytes that a forward pass leaves behind besides x. */
static uint64_t bytes_kept(hg_module *m, hg_tensor *x, hg_tensor **y)
{
    uint64_t before = test_memory();
    *y = hg_forward(m, x);
    ck_assert_hg_ok(*y);
    return test_memory() - before;
}

START_TEST(batch_norm_relu_and_pooling_run_as_one_unless_a_hook_watches)
{
    for (int hooked = -1; hooked < 3; hooked++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_module *m = make_block(hooked % 2), *loose = make_block(false);
        double *v = test_values(4 * 3 * 64 * 64);
        hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(4, 3, 64, 64), v), *looked = NULL, *y, *parts[4] = {x};
        uint64_t size = 4 * 4 * 3 * 64 * 64;
        hg_module_hook *hook = hooked < 0 ? NULL : hg_add_forward_hook(hg_at(m, hooked), keep_output, &looked);
        uint64_t kept = bytes_kept(m, x, &y);
        for (int i = 0; i < 3; i++) parts[i + 1] = hg_forward(hg_at(loose, i), parts[i]);
        equal_tensors(y, parts[3]);
        const char *buffers[] = {"0.running_mean", "0.running_var", "0.num_batches_tracked"};
        for (int i = 0; i < 3; i++) equal_tensors(hg_buffer(m, buffers[i]), hg_buffer(loose, buffers[i]));
        if (hooked < 0) ck_assert_uint_lt(kept, size / 2);      /* y and the winners: 1/4 and 1/16 of x */
        if (hooked >= 0) {
            ck_assert_uint_ge(kept, size);      /* what ReLU gave */
            equal_tensors(looked, parts[hooked + 1]);
            hg_release(looked);
            hg_module_hook_remove(hook);
            ck_assert_uint_lt(bytes_kept(m, x, &y), size / 2);
        }
        free(v);
        hg_module_free(m);
        hg_module_free(loose);
        hg_scope_end(s);
    }
}
END_TEST

/* ---- errors, profiles ---- */

static hg_tensor *nothing(hg_module *m, hg_tensor *x)
{
    (void)m;
    (void)x;
    return NULL;
}

START_TEST(bad_calls_say_what_is_wrong)
{
    static const hg_module_class empty = {.name = "Empty", .forward = nothing};
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = hg_module_new(test_device(), &empty);
    ck_assert(!hg_ok(hg_forward(m, ones(1))));
    test_error(HG_E_ARG, "Empty returned NULL");
    ck_assert(!hg_ok(hg_forward(NULL, ones(1))));
    test_error(HG_E_ARG, "module is NULL");
    ck_assert(!hg_ok(hg_forward(m, NULL)));
    test_error(HG_E_ARG, "operand 0 is NULL");
    ck_assert(!hg_ok(hg_forward(m, hg_view(ones(2), HG_SHAPE(3)))));
    test_error(HG_E_SHAPE, "invalid for input of size 2");      /* the first error stays */
    hg_device *other = hg_device_open(NULL);
    hg_tensor *x = hg_full(other, HG_F32, HG_SHAPE(1), 1);
    ck_assert(!hg_ok(hg_forward(m, x)));
    test_error(HG_E_DEVICE, "Empty: Expected all tensors to be on the same device");
    hg_module_free(m);
    hg_scope_end(s);
    hg_device_close(other);
}
END_TEST

static hg_tensor *filling(hg_module *m, hg_tensor *x)
{
    (void)m;
    return hg_clone(x);
}

START_TEST(profiles_name_layers_by_their_path)
{
    static const hg_module_class clone_class = {.name = "Clone", .forward = filling};
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *inner = hg_sequential(test_device()), *net = hg_module_new(test_device(), &clone_class);
    ck_assert_hg(hg_append(inner, hg_module_new(test_device(), &clone_class)));
    hg_tensor *x = hg_transpose(hg_zeros(test_device(), HG_F32, HG_SHAPE(4, 3)), 0, 1); /* a copy that is a kernel */
    ck_assert_hg_ok(hg_forward(inner, x));                       /* named "0" until it has a parent */
    ck_assert_hg(hg_add_child(net, "block", inner));
    char *table = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&table, &size);
    ck_assert_hg(hg_profile_begin(test_device()));
    ck_assert_hg_ok(hg_forward(net, x));
    ck_assert_hg_ok(hg_forward(inner, x));
    ck_assert_hg(hg_profile_write(test_device(), stream));
    ck_assert_hg(hg_profile_end(test_device()));
    fclose(stream);
    ck_assert_msg(strstr(table, "\nClone "), "%s", table);
    ck_assert_msg(strstr(table, "\nblock.0 "), "%s", table);
    free(table);
    hg_module_free(net);
    hg_scope_end(s);
}
END_TEST

Suite *forward_suite(void)
{
    return TEST_SUITE("forward", a_sequential_runs_its_children_in_order, the_result_alone_comes_back,
                      hooks_see_and_replace_inputs_and_outputs, a_hook_may_remove_itself_while_others_follow,
                      backward_hooks_see_the_gradient_of_the_output,
                      a_removed_backward_hook_is_not_called_by_older_graphs,
                      batch_norm_relu_and_pooling_run_as_one_unless_a_hook_watches, bad_calls_say_what_is_wrong,
                      profiles_name_layers_by_their_path);
}
