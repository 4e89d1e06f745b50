/* Activation functions: values in every layout, PyTorch's results at edges, gradients, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static hg_tensor *leaky(hg_tensor *x) { return hg_leaky_relu(x, 0.25); }
static hg_tensor *gelu(hg_tensor *x) { return hg_gelu(x, false); }
static hg_tensor *gelu_tanh(hg_tensor *x) { return hg_gelu(x, true); }
static hg_tensor *softplus(hg_tensor *x) { return hg_softplus(x, 2, 20); }
static double leaky_of(double x) { return x > 0 ? x : 0.25 * x; }
static double gelu_of(double x) { return x / 2 * erfc(-x / sqrt(2)); }
static double gelu_tanh_of(double x) { return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x))); }
static double silu_of(double x) { return x / (1 + exp(-x)); }
static double softplus_of(double x) { return 2 * x > 20 ? x : log1p(exp(2 * x)) / 2; }
static double hardsigmoid_of(double x) { return fmin(fmax(x + 3, 0), 6) / 6; }
static double hardswish_of(double x) { return x * hardsigmoid_of(x); }

typedef struct activation_case {
    const char *name;
    hg_tensor *(*op)(hg_tensor *);
    double (*of)(double);
} activation_case;

static const activation_case cases[] = {
    {"leaky_relu", leaky, leaky_of}, {"gelu", gelu, gelu_of}, {"gelu tanh", gelu_tanh, gelu_tanh_of},
    {"silu", hg_silu, silu_of}, {"softplus", softplus, softplus_of}, {"hardsigmoid", hg_hardsigmoid, hardsigmoid_of},
    {"hardswish", hg_hardswish, hardswish_of},
};
enum { CASES = sizeof cases / sizeof *cases };

static void check_values(const activation_case *c, hg_dtype dtype, hg_shape shape, int layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    int64_t n = test_numel(shape);
    double *x = test_values(n), *y = test_values(n);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)(x[i] * 12);
        y[i] = c->of(x[i]);
    }
    hg_tensor *got = c->op(test_layout(layout, dtype, shape, x));
    ck_assert_msg(hg_ok(got), "%s: %s", c->name, hg_last_error());
    test_close(got, shape, y, dtype == HG_F64 ? 1e-14 : 5e-7, dtype == HG_F64 ? 1e-13 : 1e-6);
    free(x);
    free(y);
    hg_scope_end(s);
}

START_TEST(activations_in_every_layout)
{
    for (int c = 0; c < CASES; c++) {
        for (int layout = 0; layout < TEST_LAYOUTS; layout++)
            check_values(&cases[c], HG_F32, HG_SHAPE(test_between(1, 5), test_between(1, 40), 3), layout);
        if (test_has_f64()) check_values(&cases[c], HG_F64, HG_SHAPE(3, test_between(1, 40)), 2);
        check_values(&cases[c], HG_F32, HG_SCALAR, 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(4, 0), 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(3001), 1);
    }
}
END_TEST

static hg_tensor *apply(hg_tensor **in, int n, void *user)
{
    (void)n;
    return ((const activation_case *)user)->op(in[0]);
}

START_TEST(activation_gradients_agree_with_differences)
{
    for (int c = 0; test_has_f64() && c < CASES; c++) {
        hg_scope *s = hg_scope_begin(test_device());
        double *v = test_values(37);
        for (int i = 0; i < 37; i++) v[i] *= 12;
        hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(37), v);
        test_gradient(apply, &x, 1, (void *)(uintptr_t)&cases[c]);
        free(v);
        hg_scope_end(s);
    }
}
END_TEST

/* What torch 1.13 gives for NaN, infinities and kinks, and for a gradient of 2. */
START_TEST(activations_at_edges_are_pytorchs)
{
    static const double x[] = {NAN, -INFINITY, -4, -3, 0, 3, 4, INFINITY, 25};
    static const struct { hg_tensor *(*op)(hg_tensor *); double y[9], dx[9]; } edges[] = {
        {leaky, {NAN, -INFINITY, -1, -0.75, 0, 3, 4, INFINITY, 25},
         {0.5, 0.5, 0.5, 0.5, 0.5, 2, 2, 2, 2}},
        {gelu, {NAN, NAN, -0.0001267195, -0.004049867, 0, 2.99595, 3.999873, INFINITY, 25},
         {NAN, NAN, -0.001007259, -0.02389121, 1, 2.023891, 2.001007, NAN, 2}},
        {gelu_tanh, {NAN, NAN, -7.021427e-05, -0.003637433, 0, 2.996363, 3.99993, INFINITY, 25},
         {NAN, NAN, -0.0006699442, -0.02316859, 1, 2.023169, 2.00067, NAN, 2}},
        {hg_silu, {NAN, NAN, -0.07194484, -0.1422776, 0, 2.857723, 3.928055, INFINITY, 25},
         {NAN, NAN, -0.1053292, -0.1762082, 1, 2.176208, 2.105329, NAN, 2}},
        {softplus, {NAN, 0, 0.0001677032, 0.001237843, 0.3465736, 3.001238, 4.000168, INFINITY, 25},
         {NAN, 0, 0.0006707003, 0.004945247, 1, 1.995055, 1.999329, 2, 2}},
        {hg_hardsigmoid, {NAN, 0, 0, 0, 0.5, 1, 1, 1, 1},
         {0, 0, 0, 0, 0.3333333, 0, 0, 0, 0}},
        {hg_hardswish, {NAN, NAN, -0, -0, 0, 3, 4, INFINITY, 25},
         {2, 0, 0, -1, 1, 3, 2, 2, 2}},
    };
    for (size_t k = 0; k < sizeof edges / sizeof *edges; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(9), x);
        ck_assert_hg(hg_set_requires_grad(t, true));
        hg_tensor *y = edges[k].op(t);
        test_close(y, HG_SHAPE(9), edges[k].y, 1e-6, 1e-6);
        ck_assert_hg(hg_backward_with(y, hg_full(test_device(), HG_F32, HG_SHAPE(9), 2), false));
        test_close(hg_grad(t), HG_SHAPE(9), edges[k].dx, 1e-6, 1e-6);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(activations_say_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    for (int c = 0; c < CASES; c++) {
        ck_assert(!hg_ok(cases[c].op(hg_zeros(test_device(), HG_I32, HG_SHAPE(2)))));
        test_error(HG_E_DTYPE, "expected float32 or float64, got int32; cast it");
        ck_assert(!hg_ok(cases[c].op(NULL)));
        test_error(HG_E_ARG, "operand 0 is NULL");
    }
    ck_assert(!hg_ok(hg_softplus(hg_zeros(test_device(), HG_F32, HG_SHAPE(2)), 0, 20)));
    test_error(HG_E_ARG, "softplus: beta must be a number other than 0, got 0");
    hg_scope_end(s);
}
END_TEST

Suite *activation_suite(void)
{
    return TEST_SUITE("activation", activations_in_every_layout, activation_gradients_agree_with_differences,
                      activations_at_edges_are_pytorchs, activations_say_what_is_wrong);
}
