/* Activation layers, layer and group normalisation as layers: PyTorch's text, values, parameters, rules. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static hg_tensor *random_tensor(hg_shape shape)
{
    double *v = test_values(test_numel(shape));
    hg_tensor *t = test_tensor(HG_F32, shape, v);
    free(v);
    return t;
}

/* The module prints this text and gives this result, bit by bit; then it is freed. */
static void check(hg_module *m, const char *text, hg_tensor *x, hg_tensor *expected)
{
    ck_assert_msg(m != NULL, "%s", hg_last_error());
    char *printed = hg_module_to_text(m);
    ck_assert_str_eq(printed, text);
    free(printed);
    double *v = test_read(expected);
    test_equal(hg_forward(m, x), hg_tensor_shape(expected), v);
    free(v);
    hg_module_free(m);
}

/* Texts are those of torch 1.13. */
START_TEST(activation_layers_print_and_compute)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *d = test_device();
    hg_tensor *x = hg_mul_scalar(random_tensor(HG_SHAPE(3, 40)), 8);
    check(hg_leaky_relu_module(d, 0.01), "LeakyReLU(negative_slope=0.01)", x, hg_leaky_relu(x, 0.01));
    check(hg_gelu_module(d, false), "GELU(approximate='none')", x, hg_gelu(x, false));
    check(hg_gelu_module(d, true), "GELU(approximate='tanh')", x, hg_gelu(x, true));
    check(hg_silu_module(d), "SiLU()", x, hg_silu(x));
    check(hg_softplus_module(d, 1, 20), "Softplus(beta=1, threshold=20)", x, hg_softplus(x, 1, 20));
    check(hg_softplus_module(d, 1.5, 10), "Softplus(beta=1.5, threshold=10)", x, hg_softplus(x, 1.5, 10));
    check(hg_hardswish_module(d), "Hardswish()", x, hg_hardswish(x));
    check(hg_hardsigmoid_module(d), "Hardsigmoid()", x, hg_hardsigmoid(x));
    hg_scope_end(s);
}
END_TEST

START_TEST(norm_layers_print_and_compute)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *d = test_device();
    hg_tensor *x = random_tensor(HG_SHAPE(2, 6, 3, 4));
    hg_tensor *one = hg_full(d, HG_F32, HG_SHAPE(4), 1), *zero = hg_zeros(d, HG_F32, HG_SHAPE(4));
    check(hg_layer_norm_module(d, HG_SHAPE(4), 1e-5, true), "LayerNorm((4,), eps=1e-05, elementwise_affine=True)", x,
          hg_layer_norm(x, HG_SHAPE(4), one, zero, 1e-5));
    check(hg_layer_norm_module(d, HG_SHAPE(3, 4), 1e-3, false),
          "LayerNorm((3, 4), eps=0.001, elementwise_affine=False)", x,
          hg_layer_norm(x, HG_SHAPE(3, 4), NULL, NULL, 1e-3));
    check(hg_group_norm_module(d, 2, 6, 1e-5, true), "GroupNorm(2, 6, eps=1e-05, affine=True)", x,
          hg_group_norm(x, 2, hg_full(d, HG_F32, HG_SHAPE(6), 1), hg_zeros(d, HG_F32, HG_SHAPE(6)), 1e-5));
    check(hg_group_norm_module(d, 3, 6, 1e-5, false), "GroupNorm(3, 6, eps=1e-05, affine=False)", x,
          hg_group_norm(x, 3, NULL, NULL, 1e-5));
    hg_module *m = hg_layer_norm_module(d, HG_SHAPE(1, 1, 1, 1, 1, 1, 1, INT64_C(1) << 50), 0, false);
    char *text = hg_module_to_text(m);
    ck_assert_str_eq(text, "LayerNorm((1, 1, 1, 1, 1, 1, 1, 1125899906842624), eps=0.0, elementwise_affine=False)");
    free(text);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(norm_layers_learn)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *layers[] = {hg_layer_norm_module(test_device(), HG_SHAPE(3, 2), 1e-5, true),
                           hg_group_norm_module(test_device(), 2, 4, 1e-5, true)};
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(hg_count_parameters(layers[k], true), k ? 8 : 12);
        hg_tensor *weight = hg_parameter(layers[k], "weight"), *bias = hg_parameter(layers[k], "bias");
        double ones[6] = {1, 1, 1, 1, 1, 1}, zeros[6] = {0}, sums[6] = {5, 5, 5, 5, 5, 5};
        hg_shape shape = k ? HG_SHAPE(4) : HG_SHAPE(3, 2);
        test_equal(weight, shape, ones);
        test_equal(bias, shape, zeros);
        ck_assert_hg(hg_backward(
            hg_sum(hg_forward(layers[k], random_tensor(k ? HG_SHAPE(5, 4) : HG_SHAPE(5, 3, 2))), HG_ALL, false)));
        test_equal(hg_grad(bias), shape, sums);
        ck_assert_ptr_nonnull(hg_grad(weight));
        hg_module_free(layers[k]);
    }
    hg_scope_end(s);
}
END_TEST

#define refused(call, text)                                                                                            \
    do {                                                                                                               \
        ck_assert_ptr_null(call);                                                                                      \
        test_error(HG_E_ARG, text);                                                                                    \
    } while (0)

START_TEST(norm_layers_refuse_what_makes_no_layer)
{
    hg_device *d = test_device();
    uint64_t before = test_memory();
    refused(hg_layer_norm_module(d, HG_SCALAR, 1e-5, true),
            "LayerNorm: normalized_shape must have 1 to 8 dimensions, got 0");
    refused(hg_layer_norm_module(d, HG_SHAPE(2, -1), 1e-5, true),
            "LayerNorm: normalized_shape must be at least 0, got -1");
    refused(hg_layer_norm_module(d, HG_SHAPE(2), NAN, true), "LayerNorm: eps must not be negative, got nan");
    refused(hg_group_norm_module(d, 4, 6, 1e-5, true),
            "GroupNorm: num_channels must be divisible by num_groups, got 6 and 4");
    refused(hg_group_norm_module(d, 0, 6, 1e-5, true), "GroupNorm: num_groups must be at least 1, got 0");
    refused(hg_group_norm_module(d, 2, -2, 1e-5, true), "GroupNorm: num_channels must be at least 0, got -2");
    refused(hg_softplus_module(d, 0, 20), "Softplus: beta must be a number other than 0, got 0");
    refused(hg_silu_module(NULL), "a device");
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

Suite *norms_suite(void)
{
    return TEST_SUITE("norms", activation_layers_print_and_compute, norm_layers_print_and_compute, norm_layers_learn,
                      norm_layers_refuse_what_makes_no_layer);
}
