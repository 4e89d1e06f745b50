/* Open files of weights: what is in them, renaming, checking and loading. */
#include <stdlib.h>
#include <string.h>

#include "test_state.h"
#include "weights/write.h"

/* A .pth of these names, each a float32 of `size`, with PyTorch's versions of the modules "" and `module`. */
static const char *write_names(const char *const *names, const hg_shape *shapes, int count, const char *module)
{
    static float data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    hg_value *v = hg_value_ordered_dict(), *metadata = hg_value_ordered_dict(), *version;
    for (int i = 0; i < count; i++) {
        hg_array a = {HG_ARRAY_F32, shapes[i], data + i, true};
        ck_assert_hg(hg_value_set(v, names[i], hg_value_array(&a)));
    }
    const char *modules[] = {"", module};
    for (int i = 0; i < 2; i++) {
        version = hg_value_dict();
        ck_assert_hg(hg_value_set(version, "version", hg_value_int(1 + i)));
        ck_assert_hg(hg_value_set(metadata, modules[i], version));
    }
    ck_assert_hg(hg_value_set_metadata(v, metadata));
    ck_assert_hg(hg_weights_write(scratch("names.pth"), v));
    hg_value_free(v);
    return scratch("names.pth");
}

#define RULES(...)                                                                                                    \
    .renames = (hg_rename[]){__VA_ARGS__}, .rename_count = sizeof((hg_rename[]){__VA_ARGS__}) / sizeof(hg_rename)

START_TEST(names_become_others)
{
    const struct {
        const char *name;
        hg_weights_options o;
        const char *expected;
    } cases[] = {
        {"module.fc.weight", {.strip = "module."}, "fc.weight"},
        {"fc.module.weight", {.strip = "module."}, "fc.module.weight"},
        {"module.module.w", {.strip = "module."}, "module.w"},
        {"fc.weight", {RULES({"fc", "head"})}, "head.weight"},
        {"fc", {RULES({"fc", "head"})}, "head"},
        {"fc1.weight", {RULES({"fc", "head"})}, "fc1.weight"},
        {"net.fc.weight", {RULES({"fc", "head"})}, "net.fc.weight"},
        {"backbone.fc.weight", {RULES({"backbone.", ""})}, "fc.weight"},
        {"backbone.fc.weight", {RULES({"backbone", ""})}, "fc.weight"},
        {"fc.weight", {RULES({"fc.", "net.fc."})}, "net.fc.weight"},
        {"bn.gamma", {RULES({"*.gamma", "*.weight"})}, "bn.weight"},
        {"bn.gamma.x", {RULES({"*.gamma", "*.weight"})}, "bn.gamma.x"},
        {"layer1.0.conv2.weight", {RULES({"layer*.*.conv*.*", "blocks.*.*.c*.*"})}, "blocks.1.0.c2.weight"},
        {"a.b.c.d", {RULES({"*.*", "*/*"})}, "a/b.c.d"},
        {"abc", {RULES({"*", "x.*"})}, "x.abc"},
        {"a.w", {RULES({"a", "b"}, {"b", "c"})}, "c.w"},
        {"a.w", {.strip = "a.", RULES({"w", "v"})}, "v"},
    };
    hg_shape one = HG_SHAPE(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hg_weights *w = hg_weights_open(write_names(&cases[i].name, &one, 1, "m"), &cases[i].o);
        ck_assert_msg(w != NULL, "%s", hg_last_error());
        ck_assert_str_eq(hg_weights_at(w, 0).name, cases[i].expected);
        hg_weights_close(w);
    }
}
END_TEST

START_TEST(rules_that_are_none_are_refused)
{
    static const char *const names[] = {"a.w", "b.w"};
    hg_shape ones[] = {HG_SHAPE(1), HG_SHAPE(1)};
    const char *path = write_names(names, ones, 2, "m");
    ck_assert_ptr_null(hg_weights_open(path, &(hg_weights_options){RULES({"a", "b"})}));
    test_error(HG_E_FORMAT, "two names become 'b.w'");
    ck_assert_ptr_null(hg_weights_open(path, &(hg_weights_options){RULES({"", "b"})}));
    test_error(HG_E_ARG, "a rule needs the name");
    ck_assert_ptr_null(hg_weights_open(path, &(hg_weights_options){RULES({"a", NULL})}));
    test_error(HG_E_ARG, "a rule needs the name");
    ck_assert_ptr_null(hg_weights_open(path, &(hg_weights_options){RULES({"*", "**"})}));
    test_error(HG_E_ARG, "'**' has more '*' than '*'");
    ck_assert_ptr_null(hg_weights_open(path, &(hg_weights_options){RULES({"*********", "a"})}));
    test_error(HG_E_ARG, "more than 8 '*'");
    ck_assert_ptr_null(hg_weights_open(path, &(hg_weights_options){.key = "a.w/x"}));
    test_error(HG_E_FORMAT, "key 'x' is missing");
    ck_assert_ptr_null(hg_weights_open(NULL, NULL));
    test_error(HG_E_ARG, "the path is NULL");
    ck_assert_int_eq(hg_weights_save(NULL, path), HG_E_ARG);
    test_error(HG_E_ARG, "the file to write is NULL");
    ck_assert_int_eq(hg_weights_load(NULL, NULL, true), HG_E_ARG);
    test_error(HG_E_ARG, "the file to load from is NULL");
    ck_assert_ptr_null(hg_weights_check(NULL, NULL));
    test_error(HG_E_ARG, "the file to check is NULL");
    hg_weights_close(NULL);
    hg_weights_report_free(NULL);
}
END_TEST

/* As nn.DataParallel saves: PyTorch's versions of modules are renamed too, or batch normalisation would miss its. */
START_TEST(what_data_parallel_saved_is_loaded_and_saved_without_its_prefix)
{
    static const char *const names[] = {"module.weight", "module.bias"};
    hg_shape shapes[] = {HG_SHAPE(2, 3), HG_SHAPE(2)};
    hg_module *net = make_pair(20), *again = make_pair(30);
    hg_weights *w = hg_weights_open(write_names(names, shapes, 2, "module"), NULL);
    ck_assert_ptr_nonnull(w);
    ck_assert_int_eq(hg_weights_load(w, net, true), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "Missing key(s) in state_dict: \"weight\", \"bias\". ");
    hg_weights_close(w);
    w = hg_weights_open(scratch("names.pth"), &(hg_weights_options){.strip = "module."});
    ck_assert_hg(hg_weights_load(w, net, true));
    test_equal(hg_parameter(net, "weight"), HG_SHAPE(2, 3), ((double[]){1, 2, 3, 4, 5, 6}));
    test_equal(hg_parameter(net, "bias"), HG_SHAPE(2), ((double[]){2, 3}));
    ck_assert_hg(hg_weights_save(w, scratch("plain.pth")));
    hg_weights_close(w);
    ck_assert_hg(hg_load_state(again, scratch("plain.pth"), true));
    ck_assert(same_state(net, again));
    hg_value *v;
    ck_assert_hg(hg_pth_read(scratch("plain.pth"), &v));
    ck_assert_uint_eq(v->dict.metadata->dict.count, 1);
    int64_t version;
    ck_assert_hg(hg_value_get_int("t", hg_value_find(v->dict.metadata, ""), "version", &version));
    ck_assert_int_eq(version, 2);
    hg_value_free(v);
    hg_module_free(net);
    hg_module_free(again);
}
END_TEST

START_TEST(a_part_of_a_checkpoint_is_opened)
{
    hg_module *net = make_pair(5), *again = make_pair(9);
    hg_checkpoint *c = hg_checkpoint_new();
    ck_assert_hg(hg_checkpoint_put_module(c, "run/model", net));
    ck_assert_hg(hg_checkpoint_put_int(c, "run/epoch", 3));
    ck_assert_hg(hg_checkpoint_write(c, scratch("c.pth")));
    hg_checkpoint_free(c);
    hg_weights *w = hg_weights_open(scratch("c.pth"), &(hg_weights_options){.key = "run"});
    ck_assert_int_eq(hg_weights_count(w), 2);
    ck_assert_str_eq(hg_weights_at(w, 1).name, "model/bias");
    ck_assert_int_eq(hg_weights_load(w, again, true), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "a checkpoint, its state dict is a part of it; choose that by its key: model");
    hg_weights_close(w);
    w = hg_weights_open(scratch("c.pth"), &(hg_weights_options){.key = "run/model"});
    ck_assert_hg(hg_weights_load(w, again, true));
    hg_weights_close(w);
    ck_assert(same_state(net, again));
    hg_module_free(net);
    hg_module_free(again);
}
END_TEST

START_TEST(a_module_is_saved_in_the_format_of_the_extension)
{
    static const char *const files[][2] = {
        {"m.safetensors", "safetensors"}, {"m.npz", "npz"}, {"m.pth", "pth"}, {"m", "pth"}, {"m.ckpt", "pth"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        hg_module *net = make_pair(5), *again = make_pair(9);
        ck_assert_hg(hg_save_state(net, scratch(files[i][0])));
        hg_weights *w = hg_weights_open(scratch(files[i][0]), NULL);
        ck_assert_msg(w != NULL, "%s", hg_last_error());
        ck_assert_str_eq(hg_weights_format(w), files[i][1]);
        ck_assert_hg(hg_weights_load(w, again, true));
        ck_assert(same_state(net, again));
        hg_weights_close(w);
        hg_module_free(net);
        hg_module_free(again);
    }
}
END_TEST

START_TEST(elements_are_read_in_parts)
{
    static const char *const names[] = {"a"};
    hg_shape shape = HG_SHAPE(2, 3);
    float f[2];
    int32_t n[3];
    hg_weights *w = hg_weights_open(write_names(names, &shape, 1, "m"), NULL);
    hg_weights_tensor t = hg_weights_at(w, 0);
    ck_assert_str_eq(hg_weights_format(w), "pth");
    ck_assert_str_eq(t.dtype, "float32");
    ck_assert_uint_eq(t.element_size, 4);
    ck_assert_int_eq(t.count, 6);
    ck_assert_int_eq(t.shape.size[1], 3);
    ck_assert_ptr_null(hg_weights_at(w, 1).name);
    ck_assert_hg(hg_weights_read(w, 0, 4, 2, f));
    ck_assert(f[0] == 5 && f[1] == 6);
    ck_assert_hg(hg_weights_read_as(w, 0, 0, 3, HG_I32, n));
    ck_assert_int_eq(n[2], 3);
    ck_assert_hg(hg_weights_read(w, 0, 6, 0, NULL));
    ck_assert_int_eq(hg_weights_read(w, 0, 5, 2, f), HG_E_ARG);
    test_error(HG_E_ARG, "'a' has 6 elements; 2 from 5 on are not there");
    ck_assert_int_eq(hg_weights_read_as(w, 0, -1, 1, HG_F32, f), HG_E_ARG);
    test_error(HG_E_ARG, "1 from -1 on");
    ck_assert_int_eq(hg_weights_read(w, 1, 0, 1, f), HG_E_ARG);
    test_error(HG_E_ARG, "there are 1 tensors, none at 1");
    hg_weights_close(w);
}
END_TEST

START_TEST(a_report_has_every_offender)
{
    static const char *const names[] = {"weight", "extra"};
    hg_shape shapes[] = {HG_SHAPE(3, 2), HG_SHAPE(1)};
    hg_module *net = make_pair(20);
    hg_weights *w = hg_weights_open(write_names(names, shapes, 2, "m"), NULL);
    hg_weights_report *r = hg_weights_check(w, net);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(r->missing_count, 1);
    ck_assert_str_eq(r->missing[0], "bias");
    ck_assert_int_eq(r->unexpected_count, 1);
    ck_assert_str_eq(r->unexpected[0], "extra");
    ck_assert_int_eq(r->mismatched_count, 1);
    ck_assert_str_eq(r->mismatched[0], "weight");
    ck_assert_str_eq(r->text, "Error(s) in loading state_dict for Pair:\n"
                              "\tMissing key(s) in state_dict: \"bias\". \n"
                              "\tUnexpected key(s) in state_dict: \"extra\". \n"
                              "\tsize mismatch for weight: copying a param with shape torch.Size([3, 2]) from "
                              "checkpoint, the shape in current model is torch.Size([2, 3]).");
    hg_weights_report_free(r);
    hg_weights_close(w);
    ck_assert_hg(hg_save_state(net, scratch("fits.pth")));
    w = hg_weights_open(scratch("fits.pth"), NULL);
    r = hg_weights_check(w, net);
    ck_assert_str_eq(r->text, "<All keys matched successfully>");
    ck_assert_int_eq(r->missing_count + r->unexpected_count + r->mismatched_count, 0);
    hg_weights_report_free(r);
    hg_weights_close(w);
    hg_module_free(net);
}
END_TEST

static hg_tensor *same(hg_module *m, hg_tensor *x)
{
    (void)m;
    return x;
}

/* Larger than a chunk, in every type, converted on the way. */
START_TEST(every_type_is_loaded_chunk_by_chunk)
{
    enum { COUNT = 3 * HG_ARRAY_CHUNK / 2 };
    static const hg_module_class class = {.name = "Long", .forward = same};
    hg_scope *s = hg_scope_begin(test_device());
    double *values = malloc(COUNT * sizeof *values);
    hg_module *m = hg_module_new(test_device(), &class);
    ck_assert_hg(hg_add_parameter(m, "w", hg_zeros(test_device(), HG_F32, HG_SHAPE(COUNT))));
    for (int t = 0; t < HG_ARRAY_DTYPES; t++) {
        bool byte = t == HG_ARRAY_U8 || t == HG_ARRAY_BOOL;
        hg_array a;
        ck_assert_hg(hg_array_alloc(&a, t, HG_SHAPE(COUNT)));
        for (int64_t i = 0; i < COUNT; i++) {
            double v = t == HG_ARRAY_BOOL ? i % 2 : byte ? i % 200 : i % 100 - 50;
            float f = (float)v;
            uint32_t bits;
            memcpy(&bits, &f, sizeof bits);
            values[i] = v;
            switch (t) {
            case HG_ARRAY_F32: ((float *)a.data)[i] = f; break;
            case HG_ARRAY_F64: ((double *)a.data)[i] = v; break;
            case HG_ARRAY_I32: ((int32_t *)a.data)[i] = (int32_t)v; break;
            case HG_ARRAY_I64: ((int64_t *)a.data)[i] = (int64_t)v; break;
            case HG_ARRAY_I16: ((int16_t *)a.data)[i] = (int16_t)v; break;
            case HG_ARRAY_BF16: ((uint16_t *)a.data)[i] = bits >> 16; break;
            case HG_ARRAY_F16:      /* exact: integers below 2048 */
                ((uint16_t *)a.data)[i] =
                    (uint16_t)(!bits ? 0 : bits >> 31 << 15 | ((bits >> 23 & 255) - 112) << 10 | (bits >> 13 & 1023));
                break;
            default: ((int8_t *)a.data)[i] = (int8_t)(int64_t)v; break;
            }
        }
        hg_value *v = hg_value_dict();
        ck_assert_hg(hg_value_set(v, "w", hg_value_array(&a)));
        ck_assert_hg(hg_weights_write(scratch("t.safetensors"), v));
        hg_value_free(v);
        ck_assert_hg(hg_load_state(m, scratch("t.safetensors"), true));
        test_equal(hg_parameter(m, "w"), HG_SHAPE(COUNT), values);
    }
    free(values);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

Suite *open_suite(void)
{
    return TEST_SUITE("open", names_become_others, rules_that_are_none_are_refused,
                      what_data_parallel_saved_is_loaded_and_saved_without_its_prefix, a_part_of_a_checkpoint_is_opened,
                      a_module_is_saved_in_the_format_of_the_extension,
                      elements_are_read_in_parts, a_report_has_every_offender, every_type_is_loaded_chunk_by_chunk);
}
