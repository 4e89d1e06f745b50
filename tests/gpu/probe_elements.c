/* Functions of one, two and three tensors: the same shape, a channel's value for all, another order in memory. */
#include "probe.h"

static hg_tensor *clamp(hg_tensor *x) { return hg_clamp(x, -0.5, 0.5); }
static hg_tensor *relu_in_place(hg_tensor *x) { return hg_relu_(hg_clone(x)); }
static hg_tensor *plus_number(hg_tensor *x) { return hg_add_scalar(x, 2); }
static hg_tensor *times_number(hg_tensor *x) { return hg_mul_scalar(x, 3); }
static hg_tensor *squared(hg_tensor *x) { return hg_pow(x, 2); }
static hg_tensor *cubed(hg_tensor *x) { return hg_pow(x, 3); }
static hg_tensor *leaky(hg_tensor *x) { return hg_leaky_relu(x, 0.01); }
static hg_tensor *gelu(hg_tensor *x) { return hg_gelu(x, false); }
static hg_tensor *gelu_tanh(hg_tensor *x) { return hg_gelu(x, true); }
static hg_tensor *softplus(hg_tensor *x) { return hg_softplus(x, 1, 20); }

/* Of x + 2, which all of them take. */
START_TEST(functions_of_one)
{
    hg_tensor *(*const functions[])(hg_tensor *) = {
        hg_neg, hg_abs, hg_exp, hg_log, hg_sqrt, hg_sigmoid, hg_tanh, hg_relu, relu_in_place, clamp, plus_number,
        times_number, squared, cubed, leaky, gelu, gelu_tanh, hg_silu, softplus, hg_hardsigmoid, hg_hardswish,
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *x = hg_add_scalar(probe_tensor(PROBE_SHAPE), 2);
        ck_assert_hg(hg_set_requires_grad(x, true));
        hg_tensor *y = functions[i](x);
        probe_backward(y);
        probe_result(y, 1e-6);
        probe_result(hg_grad(x), 2e-6);
        hg_scope_end(s);
    }
}
END_TEST

/* b: the same shape; one value a channel; the same shape, rows and columns exchanged in memory */
START_TEST(functions_of_two)
{
    hg_tensor *(*const functions[])(hg_tensor *, hg_tensor *) = {hg_add, hg_sub, hg_mul, hg_div, hg_minimum, hg_maximum};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        for (int kind = 0; kind < 3; kind++) {
            hg_scope *s = hg_scope_begin(test_device());
            hg_tensor *a = probe_leaf(PROBE_SHAPE),
                      *b = hg_add_scalar(probe_tensor(kind == 1 ? HG_SHAPE(4, 1, 1) : PROBE_SHAPE), 2);
            ck_assert_hg(hg_set_requires_grad(b, true));
            hg_tensor *y = functions[i](a, kind == 2 ? hg_transpose(b, 2, 3) : b);
            probe_backward(y);
            probe_result(y, 1e-6);
            probe_result(hg_grad(a), 1e-6);
            probe_result(hg_grad(b), 2e-6);
            hg_scope_end(s);
        }
    }
}
END_TEST

START_TEST(comparisons)
{
    hg_tensor *(*const relations[])(hg_tensor *, hg_tensor *) = {hg_eq, hg_ne, hg_lt, hg_le, hg_gt, hg_ge};
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = probe_tensor(PROBE_SHAPE), *b = probe_tensor(PROBE_SHAPE), *c = probe_tensor(HG_SHAPE(4, 1, 1));
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
        probe_result(relations[i](a, b), 0);
        probe_result(relations[i](a, c), 0);
    }
    probe_result(hg_ge_scalar(a, 0.25), 0);
    probe_result(hg_lt_scalar(a, 0.25), 0);
    hg_scope_end(s);
}
END_TEST

START_TEST(choices)
{
    for (int broadcast = 0; broadcast < 2; broadcast++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *a = probe_leaf(PROBE_SHAPE), *b = probe_leaf(broadcast ? HG_SHAPE(4, 1, 1) : PROBE_SHAPE);
        hg_tensor *mask = hg_ge_scalar(probe_tensor(PROBE_SHAPE), 0), *y = hg_where(mask, a, b);
        probe_backward(y);
        probe_result(y, 0);
        probe_result(hg_grad(a), 0);
        probe_result(hg_grad(b), 2e-6);
        probe_result(hg_masked_fill(hg_detach(a), mask, 9), 0);
        hg_scope_end(s);
    }
}
END_TEST

Suite *probe_elements_suite(void)
{
    return TEST_SUITE("elements", functions_of_one, functions_of_two, comparisons, choices);
}
