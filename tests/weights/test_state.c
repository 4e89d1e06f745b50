/* State dicts of modules: PyTorch's names, rules and words. */
#include "test_state.h"

#include <stdlib.h>
#include <string.h>

#include "nn/module.h"
#include "optim/optim.h"
#include "weights/pth.h"

/* net (Pair) with "a" (Pair), and b.num_batches_tracked in "b", whose layout is version 2. */
static hg_module *make_net(int first)
{
    hg_module *net = make_pair(first), *b = hg_sequential(test_device());
    ck_assert_hg(hg_add_child(net, "a", make_pair(first + 100)));
    ck_assert_hg(hg_add_buffer(b, "num_batches_tracked", hg_full(test_device(), HG_I64, HG_SCALAR, first)));
    b->version = 2;
    ck_assert_hg(hg_add_child(net, "b", b));
    return net;
}

START_TEST(a_state_dict_has_pytorchs_layout)
{
    hg_module *net = make_net(1);
    ck_assert_hg(hg_add_parameter(hg_child(net, "a"), "tied", hg_retain(hg_parameter(net, "bias"))));
    hg_value *state;
    ck_assert_hg(hg_module_to_value(net, &state));
    ck_assert(state->dict.ordered);
    static const char *const keys[] = {"weight", "bias", "a.weight", "a.bias", "a.tied", "b.num_batches_tracked"};
    ck_assert_uint_eq(state->dict.count, 6);
    for (int i = 0; i < 6; i++) ck_assert_str_eq(state->dict.entries[i].key->string, keys[i]);
    static const char *const modules[] = {"", "a", "b"};
    const hg_value *metadata = state->dict.metadata;
    ck_assert_uint_eq(metadata->dict.count, 3);
    for (int i = 0; i < 3; i++) {
        int64_t version;
        ck_assert_str_eq(metadata->dict.entries[i].key->string, modules[i]);
        ck_assert_hg(hg_value_get_int("test", metadata->dict.entries[i].item, "version", &version));
        ck_assert_int_eq(version, i == 2 ? 2 : 1);
    }
    hg_value_free(state);
    hg_module_free(net);
}
END_TEST

START_TEST(a_file_brings_everything_back_in_place)
{
    hg_module *a = make_net(1), *b = make_net(50);
    hg_tensor *weight = hg_parameter(b, "a.weight");
    unsigned version = weight->storage->version;
    ck_assert_hg(hg_save_state(a, scratch("net.pth")));
    ck_assert(!same_state(a, b));
    ck_assert_hg(hg_load_state(b, scratch("net.pth"), true));
    ck_assert(same_state(a, b));
    ck_assert_ptr_eq(hg_parameter(b, "a.weight"), weight);
    ck_assert(hg_requires_grad(weight));
    ck_assert_uint_gt(weight->storage->version, version);
    hg_module_free(a);
    hg_module_free(b);
}
END_TEST

/* What load_state_dict() gets. */
static hg_value *state_of(hg_module *m)
{
    hg_value *state;
    ck_assert_hg(hg_module_to_value(m, &state));
    return state;
}

static hg_value *new_array(hg_array_dtype dtype, hg_shape shape, const void *data)
{
    hg_array a;
    ck_assert_hg(hg_array_alloc(&a, dtype, shape));
    memcpy(a.data, data, hg_array_bytes(&a));
    return hg_value_array(&a);
}

START_TEST(all_that_does_not_fit_is_in_one_message_and_nothing_changes)
{
    hg_module *net = make_net(1), *copy = make_net(1), *other = make_net(60);
    hg_value *state = state_of(other);
    hg_value_free(state->dict.entries[2].key);      /* a.weight goes, foo comes */
    state->dict.entries[2].key = hg_value_string("foo");
    ck_assert_hg(hg_value_set(state, "bar", hg_value_none()));
    ck_assert_hg(hg_value_set_at(state, 7, hg_value_none()));
    ck_assert_hg(hg_value_set(state, "weight", new_array(HG_ARRAY_F32, HG_SHAPE(2), (float[]){1, 2})));
    ck_assert_hg(hg_value_set(state, "bias", hg_value_string("x")));
    ck_assert_int_eq(hg_module_from_value(net, state, "net.pth"), HG_E_FORMAT);
    ck_assert_str_eq(
        hg_last_error(),
        "net.pth: Error(s) in loading state_dict for Pair:\n\tMissing key(s) in state_dict: \"a.weight\". "
        "\n\tUnexpected key(s) in state_dict: \"foo\", \"bar\", \"7\". "
        "\n\tsize mismatch for weight: copying a param with shape torch.Size([2]) from checkpoint, the shape in "
        "current model is torch.Size([2, 3])."
        "\n\tWhile copying the parameter named \"bias\", expected a tensor from checkpoint but received a string.");
    hg_clear_error();
    ck_assert(same_state(net, copy));
    hg_value_free(state);
    hg_module_free(net);
    hg_module_free(copy);
    hg_module_free(other);
}
END_TEST

static char logged[8192];
static void keep_log(const char *topic, const char *message, void *user)
{
    (void)user;
    if (!strcmp(topic, "warn")) strncat(logged, message, sizeof logged - strlen(logged) - 1);
}

START_TEST(a_list_too_long_for_an_error_is_in_the_log_whole)
{
    hg_module *net = hg_sequential(test_device()), *empty = hg_sequential(test_device());
    for (int i = 0; i < 60; i++) ck_assert_hg(hg_append(net, make_pair(i)));
    hg_value *state = state_of(empty);
    logged[0] = 0;
    hg_set_log(keep_log, NULL);
    ck_assert_int_eq(hg_module_from_value(net, state, "x"), HG_E_FORMAT);
    hg_set_log(NULL, NULL);
    test_error(HG_E_FORMAT,
               "Missing key(s) in state_dict: \"0.weight\", \"0.bias\", \"1.weight\", \"1.bias\" and 116 more. ");
    ck_assert_ptr_nonnull(strstr(logged, "\"0.weight\", \"0.bias\""));
    ck_assert_ptr_nonnull(strstr(logged, "\"59.weight\", \"59.bias\". "));
    hg_value_free(state);
    hg_module_free(net);
    hg_module_free(empty);
}
END_TEST

START_TEST(not_strict_takes_what_fits_and_warns)
{
    hg_module *net = make_net(1), *pair = make_pair(50);
    hg_tensor *extra = hg_full(test_device(), HG_F32, HG_SHAPE(1), 4);
    ck_assert_hg(hg_add_buffer(pair, "extra", extra));
    ck_assert_hg(hg_save_state(pair, scratch("pair.pth")));
    ck_assert_int_eq(hg_load_state(net, scratch("pair.pth"), true), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "Unexpected key(s) in state_dict: \"extra\". ");
    logged[0] = 0;
    hg_set_log(keep_log, NULL);
    ck_assert_hg(hg_load_state(net, scratch("pair.pth"), false));
    hg_set_log(NULL, NULL);
    ck_assert_ptr_nonnull(strstr(logged, "Missing key(s) in state_dict: \"a.weight\", \"a.bias\""));
    ck_assert_ptr_nonnull(strstr(logged, "\"extra\""));
    test_equal(hg_parameter(net, "weight"), HG_SHAPE(2, 3), ((double[]){50, 51, 52, 53, 54, 55}));
    test_equal(hg_parameter(net, "a.bias"), HG_SHAPE(2), ((double[]){107, 108}));
    hg_value *state = state_of(pair);
    ck_assert_hg(hg_value_set(state, "bias", new_array(HG_ARRAY_F32, HG_SHAPE(1), (float[]){1})));
    ck_assert_hg(hg_pth_write(scratch("pair.pth"), state));
    ck_assert_int_eq(hg_load_state(net, scratch("pair.pth"), false), HG_E_FORMAT);
    ck_assert_ptr_null(strstr(hg_last_error(), "extra"));       /* allowed; the shape is not */
    test_error(HG_E_FORMAT, "size mismatch for bias");
    hg_value_free(state);
    hg_module_free(net);
    hg_module_free(pair);
}
END_TEST

START_TEST(element_types_are_converted)
{
    const struct {
        hg_array_dtype dtype;
        const void *data;
        double expected[2];
    } cases[] = {
        {HG_ARRAY_F64, (double[]){0.1, -3}, {(float)0.1, -3}},
        {HG_ARRAY_F16, (uint16_t[]){0x3c01, 0x8001}, {1.0009765625, -5.9604644775390625e-08}},
        {HG_ARRAY_F16, (uint16_t[]){0x7bff, 0xfc00}, {65504, -1.0 / 0.0}},
        {HG_ARRAY_BF16, (uint16_t[]){0x3f81, 0xc000}, {1.0078125, -2}},
        {HG_ARRAY_I64, (int64_t[]){1 << 20, -5}, {1 << 20, -5}},
        {HG_ARRAY_I32, (int32_t[]){7, -7}, {7, -7}},
        {HG_ARRAY_I16, (int16_t[]){-300, 300}, {-300, 300}},
        {HG_ARRAY_I8, (int8_t[]){-128, 127}, {-128, 127}},
        {HG_ARRAY_U8, (uint8_t[]){255, 0}, {255, 0}},
        {HG_ARRAY_BOOL, (uint8_t[]){1, 0}, {1, 0}},
    };
    hg_module *net = make_net(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hg_value *state = state_of(net);
        ck_assert_hg(hg_value_set(state, "bias", new_array(cases[i].dtype, HG_SHAPE(2), cases[i].data)));
        ck_assert_hg(
            hg_value_set(state, "b.num_batches_tracked", new_array(HG_ARRAY_F32, HG_SHAPE(1), (float[]){3.9f})));
        ck_assert_hg(hg_module_from_value(net, state, "x"));
        test_equal(hg_parameter(net, "bias"), HG_SHAPE(2), cases[i].expected);
        hg_value_free(state);
    }
    ck_assert_int_eq(hg_item_i64(hg_buffer(net, "b.num_batches_tracked")), 3);
    hg_module_free(net);
}
END_TEST

/* The net's state without its counter; `version` of "b" in the metadata, 0: no metadata. */
static hg_value *without_count(hg_module *net, int version)
{
    hg_value *all = state_of(net), *state = hg_value_ordered_dict();
    for (size_t i = 0; i + 1 < all->dict.count; i++) {
        ck_assert_hg(hg_value_set(state, all->dict.entries[i].key->string, all->dict.entries[i].item));
        all->dict.entries[i].item = NULL;
    }
    if (version) {
        ck_assert_hg(hg_value_set(hg_value_find(all->dict.metadata, "b"), "version", hg_value_int(version)));
        ck_assert_hg(hg_value_set_metadata(state, all->dict.metadata));
        all->dict.metadata = NULL;
    }
    hg_value_free(all);
    return state;
}

START_TEST(old_files_may_lack_the_count_of_batches)
{
    hg_module *net = make_net(9);
    for (int version = 0; version <= 2; version++) {
        hg_value *state = without_count(net, version);
        ck_assert_hg(hg_fill_(hg_buffer(net, "b.num_batches_tracked"), 5));
        hg_status status = hg_module_from_value(net, state, "x");
        if (version == 2) {
            ck_assert_int_eq(status, HG_E_FORMAT);
            test_error(HG_E_FORMAT, "Missing key(s) in state_dict: \"b.num_batches_tracked\". ");
        } else {
            ck_assert_hg(status);
        }
        ck_assert_int_eq(hg_item_i64(hg_buffer(net, "b.num_batches_tracked")), version == 2 ? 5 : 0);
        hg_value_free(state);
    }
    hg_module_free(net);
}
END_TEST

/* tests/oracle/weights.py: Conv2d(1, 2, 3) and BatchNorm2d(2), whose i-th tensor counts up from 10 i; their Adam. */
static hg_module *oracle_network(void)
{
    hg_module *net = hg_sequential(test_device());
    ck_assert_hg(hg_add_child(net, "conv", hg_conv2d_module(test_device(), 1, 2, 3, 3, NULL, true)));
    ck_assert_hg(hg_add_child(net, "norm", hg_batch_norm2d_module(test_device(), 2, NULL)));
    return net;
}

static void check_network(hg_module *net)
{
    test_equal(hg_parameter(net, "conv.bias"), HG_SHAPE(2), ((double[]){10, 11}));
    test_equal(hg_parameter(net, "norm.weight"), HG_SHAPE(2), ((double[]){20, 21}));
    test_equal(hg_buffer(net, "norm.running_var"), HG_SHAPE(2), ((double[]){50, 51}));
    ck_assert_int_eq(hg_item_i64(hg_buffer(net, "norm.num_batches_tracked")), 60);
}

START_TEST(what_pytorch_saved_is_loaded)
{
    hg_module *net = oracle_network(), *again = oracle_network();
    ck_assert_hg(hg_load_state(net, TEST_DATA "/weights/state_dict.pth", true));
    check_network(net);
    hg_value *root;
    ck_assert_hg(hg_pth_read(TEST_DATA "/weights/checkpoint.pth", &root));
    ck_assert_hg(hg_module_from_value(again, hg_value_find(root, "model"), "checkpoint.pth"));
    check_network(again);
    hg_optimizer *opt = hg_adam(again, NULL);
    ck_assert_hg(hg_optimizer_from_value(opt, hg_value_find(root, "optimizer"), "checkpoint.pth"));
    ck_assert_double_eq(hg_learning_rate(opt), 0.5);
    ck_assert_int_eq(opt->params[1].step, 1);
    test_equal(opt->params[1].state[0], HG_SHAPE(2), ((double[]){0.125, 0.125}));
    test_close(opt->params[1].state[1], HG_SHAPE(2), ((double[]){0.001, 0.001}), 0, 1e-6);
    hg_value_free(root);
    hg_optimizer_free(opt);
    hg_module_free(net);
    hg_module_free(again);
}
END_TEST

/* tests/weights/test_safetensors.c shows what the reader takes; this, that hg_load_state() comes to it. */
START_TEST(a_safetensors_file_is_loaded_whatever_its_name)
{
    static const char header[] = "{\"bias\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[24,28]},"
                                 "\"weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}";
    uint64_t length = sizeof header - 1;
    float weight[6] = {1, 2, 3, 4, 5, 6};
    uint16_t bias[2] = {0x3f80, 0xc000};
    FILE *stream = fopen(scratch("pair.pth"), "wb");
    ck_assert_ptr_nonnull(stream);
    fwrite(&length, 1, sizeof length, stream);
    fwrite(header, 1, length, stream);
    fwrite(weight, 1, sizeof weight, stream);
    fwrite(bias, 1, sizeof bias, stream);
    ck_assert_int_eq(fclose(stream), 0);
    hg_module *net = make_pair(50);
    ck_assert_hg(hg_load_state(net, scratch("pair.pth"), true));
    test_equal(hg_parameter(net, "weight"), HG_SHAPE(2, 3), ((double[]){1, 2, 3, 4, 5, 6}));
    test_equal(hg_parameter(net, "bias"), HG_SHAPE(2), ((double[]){1, -2}));
    hg_module_free(net);
}
END_TEST

START_TEST(bad_calls_say_what_is_wrong)
{
    hg_module *net = make_pair(1);
    ck_assert_int_eq(hg_save_state(NULL, scratch("x.pth")), HG_E_ARG);
    test_error(HG_E_ARG, "module is NULL");
    ck_assert_int_eq(hg_save_state(net, NULL), HG_E_ARG);
    test_error(HG_E_ARG, "path is NULL");
    ck_assert_int_eq(hg_save_state(net, "/nonexistent/x.pth"), HG_E_IO);
    test_error(HG_E_IO, "/nonexistent/x.pth");
    ck_assert_int_eq(hg_load_state(net, NULL, true), HG_E_ARG);
    test_error(HG_E_ARG, "path is NULL");
    ck_assert_int_eq(hg_load_state(net, scratch("absent.pth"), true), HG_E_IO);
    test_error(HG_E_IO, "absent.pth");
    hg_value *list = hg_value_list();
    ck_assert_hg(hg_pth_write(scratch("list.pth"), list));
    ck_assert_int_eq(hg_load_state(net, scratch("list.pth"), true), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "a state dict is expected, this is a list");
    ck_assert_hg(hg_save_state(net, scratch("pair.pth")));
    ck_assert_int_eq(hg_load_state(NULL, scratch("pair.pth"), true), HG_E_ARG);
    test_error(HG_E_ARG, "NULL");
    hg_value_free(list);
    hg_module_free(net);
}
END_TEST

Suite *state_suite(void)
{
    return TEST_SUITE("state", a_state_dict_has_pytorchs_layout, a_file_brings_everything_back_in_place,
                      all_that_does_not_fit_is_in_one_message_and_nothing_changes,
                      a_list_too_long_for_an_error_is_in_the_log_whole, not_strict_takes_what_fits_and_warns,
                      element_types_are_converted, old_files_may_lack_the_count_of_batches,
                      what_pytorch_saved_is_loaded, a_safetensors_file_is_loaded_whatever_its_name,
                      bad_calls_say_what_is_wrong);
}
