/* Operations element by element. */
#include <math.h>
#include <stdlib.h>

#include "smoke.h"

typedef struct unary {
    hg_tensor *(*fn)(hg_tensor *x);
    double (*f)(double x), (*slope)(double x);
    bool positive;      /* for arguments above 0 only */
    double ulps;        /* of the function; 0 if it is exact on quarters */
} unary;

static hg_tensor *add_scalar(hg_tensor *x) { return hg_add_scalar(x, 1.5); }
static hg_tensor *mul_scalar(hg_tensor *x) { return hg_mul_scalar(x, -2); }
static hg_tensor *cube(hg_tensor *x) { return hg_pow(x, 3); }
static hg_tensor *clamp(hg_tensor *x) { return hg_clamp(x, -1, 2); }
static hg_tensor *leaky_relu(hg_tensor *x) { return hg_leaky_relu(x, 0.25); }
static hg_tensor *gelu(hg_tensor *x) { return hg_gelu(x, false); }
static hg_tensor *softplus(hg_tensor *x) { return hg_softplus(x, 1, 20); }
static hg_tensor *relu_in_place(hg_tensor *x) { return hg_relu_(hg_mul_scalar(x, 1)); }

static double f_add(double x) { return x + 1.5; }
static double f_mul(double x) { return -2 * x; }
static double f_neg(double x) { return -x; }
static double f_abs(double x) { return fabs(x); }
static double f_relu(double x) { return x > 0 ? x : 0; }
static double f_clamp(double x) { return fmin(fmax(x, -1), 2); }
static double f_cube(double x) { return x * x * x; }
static double f_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double f_leaky(double x) { return x > 0 ? x : x / 4; }
static double f_gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }
static double f_silu(double x) { return x / (1 + exp(-x)); }
static double f_softplus(double x) { return log1p(exp(x)); }
static double f_hardsigmoid(double x) { return fmin(fmax(x + 3, 0), 6) / 6; }
static double f_hardswish(double x) { return x * f_hardsigmoid(x); }
static double one(double x) { return x * 0 + 1; }
static double minus_one(double x) { return x * 0 - 1; }
static double minus_two(double x) { return x * 0 - 2; }
static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
static double step(double x) { return x > 0; }
static double in_range(double x) { return x >= -1 && x <= 2; }
static double three_squares(double x) { return 3 * x * x; }
static double reciprocal(double x) { return 1 / x; }
static double d_sqrt(double x) { return 0.5 / sqrt(x); }
static double d_sigmoid(double x) { return f_sigmoid(x) * (1 - f_sigmoid(x)); }
static double d_tanh(double x) { return 1 - tanh(x) * tanh(x); }
static double d_leaky(double x) { return x > 0 ? 1 : 0.25; }
static double d_gelu(double x) { return (1 + erf(x / sqrt(2))) / 2 + x * exp(-x * x / 2) / sqrt(2 * acos(-1)); }
static double d_silu(double x) { return f_sigmoid(x) * (1 + x * (1 - f_sigmoid(x))); }
static double d_hardsigmoid(double x) { return x > -3 && x < 3 ? 1.0 / 6 : 0; }
static double d_hardswish(double x) { return x < -3 ? 0 : x <= 3 ? x / 3 + 0.5 : 1; }

/* Errors allowed: OpenCL 1.2, section 7.4, and a few more steps for what is computed from it. */
static const unary functions[] = {
    {add_scalar, f_add, one, false, 0},
    {mul_scalar, f_mul, minus_two, false, 0},
    {hg_neg, f_neg, minus_one, false, 0},
    {hg_abs, f_abs, sign, false, 0},
    {hg_relu, f_relu, step, false, 0},
    {relu_in_place, f_relu, step, false, 0},
    {clamp, f_clamp, in_range, false, 0},
    {cube, f_cube, three_squares, false, 20},
    {hg_exp, exp, exp, false, 4},
    {hg_log, log, reciprocal, true, 4},
    {hg_sqrt, sqrt, d_sqrt, true, 8},
    {hg_sigmoid, f_sigmoid, d_sigmoid, false, 16},
    {hg_tanh, tanh, d_tanh, false, 64},     /* 1 - y^2 near 1 */
    {leaky_relu, f_leaky, d_leaky, false, 1},
    {gelu, f_gelu, d_gelu, false, 64},
    {hg_silu, f_silu, d_silu, false, 32},
    {softplus, f_softplus, f_sigmoid, false, 32},
    {hg_hardsigmoid, f_hardsigmoid, d_hardsigmoid, false, 4},
    {hg_hardswish, f_hardswish, d_hardswish, false, 8},
};

static void check_unary(const unary *u, hg_dtype dtype, int layout)
{
    double *x = smoke_values(SMOKE_N, 1), *g = smoke_values(SMOKE_N, 2), *y = smoke_values(SMOKE_N, 0);
    hg_scope *s = hg_scope_begin(test_device());
    for (int i = 0; i < SMOKE_N && u->positive; i++) x[i] = fabs(x[i]) + 0.25;
    hg_tensor *leaf = test_layout(layout, dtype, SMOKE_SHAPE, x);
    ck_assert_hg(hg_set_requires_grad(leaf, true));
    hg_tensor *result = u->fn(leaf);
    smoke_backward(result, 2);
    for (int i = 0; i < SMOKE_N; i++) y[i] = u->f(x[i]);
    test_close(result, SMOKE_SHAPE, y, u->ulps * 1e-9, smoke_ulps(dtype, u->ulps));
    for (int i = 0; i < SMOKE_N; i++) y[i] = g[i] * u->slope(x[i]);
    test_close(hg_grad(leaf), SMOKE_SHAPE, y, u->ulps * 1e-7, smoke_ulps(dtype, 2 * u->ulps));
    hg_scope_end(s);
    free(x);
    free(g);
    free(y);
}

START_TEST(functions_of_one)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        check_unary(&functions[i], HG_F32, i == 0 ? 2 : 0);
}
END_TEST

typedef struct binary {
    hg_tensor *(*fn)(hg_tensor *a, hg_tensor *b);
    double (*f)(double a, double b);
    double (*da)(double a, double b), (*db)(double a, double b);
    bool divides;
} binary;

static double f_plus(double a, double b) { return a + b; }
static double f_minus(double a, double b) { return a - b; }
static double f_times(double a, double b) { return a * b; }
static double f_over(double a, double b) { return a / b; }
static double first(double a, double b) { return a * 0 + b; }
static double second(double a, double b) { return a + b * 0; }
static double one2(double a, double b) { return (a + b) * 0 + 1; }
static double minus_one2(double a, double b) { return (a + b) * 0 - 1; }
static double one_over(double a, double b) { return a * 0 + 1 / b; }
static double minus_over(double a, double b) { return -a / (b * b); }
static double less(double a, double b) { return a < b ? 1 : a == b ? 0.5 : 0; }
static double more(double a, double b) { return a > b ? 1 : a == b ? 0.5 : 0; }

static const binary pairs[] = {
    {hg_add, f_plus, one2, one2, false},
    {hg_sub, f_minus, one2, minus_one2, false},
    {hg_mul, f_times, first, second, false},
    {hg_div, f_over, one_over, minus_over, true},
    {hg_minimum, fmin, less, more, false},
    {hg_maximum, fmax, more, less, false},
};

/* a 2 x 3 x 8 x 8; b the same, or 3 x 1 x 1, broadcast. */
static void check_binary(const binary *p, hg_dtype dtype, bool broadcast)
{
    hg_shape bs = broadcast ? HG_SHAPE(3, 1, 1) : SMOKE_SHAPE;
    int nb = (int)test_numel(bs);
    double *a = smoke_values(SMOKE_N, 1), *b = smoke_values(nb, 3), *g = smoke_values(SMOKE_N, 2);
    double *y = smoke_values(SMOKE_N, 0), *da = smoke_values(SMOKE_N, 0), *db = calloc((size_t)nb, sizeof *db);
    double divided = smoke_division(dtype), tolerance = p->divides ? divided : 0;
    hg_scope *s = hg_scope_begin(test_device());
    for (int i = 0; i < nb && p->divides; i++) b[i] = fabs(b[i]) + 0.5;
    for (int i = 0; i < SMOKE_N; i++) {
        int j = broadcast ? i / 64 % 3 : i;
        y[i] = p->f(a[i], b[j]);
        da[i] = g[i] * p->da(a[i], b[j]);
        db[j] += g[i] * p->db(a[i], b[j]);
    }
    hg_tensor *ta = test_tensor(dtype, SMOKE_SHAPE, a), *tb = test_tensor(dtype, bs, b);
    ck_assert_hg(hg_set_requires_grad(ta, true));
    ck_assert_hg(hg_set_requires_grad(tb, true));
    hg_tensor *result = p->fn(ta, tb);
    smoke_backward(result, 2);
    test_close(result, SMOKE_SHAPE, y, 0, tolerance);
    test_close(hg_grad(ta), SMOKE_SHAPE, da, 0, 2 * tolerance + (p->divides ? smoke_ulps(dtype, 1) : 0));
    test_close(hg_grad(tb), bs, db, p->divides ? 1e-4 : 0, p->divides ? smoke_ulps(dtype, 16) : 0);
    hg_scope_end(s);
    free(a);
    free(b);
    free(g);
    free(y);
    free(da);
    free(db);
}

START_TEST(functions_of_two)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) check_binary(&pairs[i], HG_F32, i % 2);
}
END_TEST

START_TEST(doubles)
{
    if (!test_has_f64()) {
        smoke_skipped("double precision: the device has no fp64");
        return;
    }
    check_unary(&functions[8], HG_F64, 0);
    check_binary(&pairs[3], HG_F64, true);
}
END_TEST

START_TEST(integers)
{
    hg_scope *s = hg_scope_begin(test_device());
    double a[6] = {7, -3, 2, 0, 5, -8}, b[6] = {2, 3, -2, 4, 0, -8}, sum[6], product[6], cube[6];
    for (int i = 0; i < 6; i++) sum[i] = a[i] + b[i], product[i] = a[i] * b[i], cube[i] = a[i] * a[i] * a[i];
    for (int k = 0; k < 2; k++) {
        hg_dtype dtype = k ? HG_I64 : HG_I32;
        hg_tensor *x = test_tensor(dtype, HG_SHAPE(2, 3), a), *y = test_tensor(dtype, HG_SHAPE(2, 3), b);
        test_equal(hg_add(x, y), HG_SHAPE(2, 3), sum);
        test_equal(hg_mul(x, y), HG_SHAPE(2, 3), product);
        test_equal(hg_pow(x, 3), HG_SHAPE(2, 3), cube);
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(comparisons)
{
    hg_tensor *(*const relation[])(hg_tensor *, hg_tensor *) = {hg_eq, hg_ne, hg_lt, hg_le, hg_gt, hg_ge};
    double a[6] = {0, 1, 2, -1, NAN, 5}, b[6] = {0, 2, 1, -1, 0, NAN};
    const double expected[6][6] = {
        {1, 0, 0, 1, 0, 0}, {0, 1, 1, 0, 1, 1}, {0, 1, 0, 0, 0, 0},
        {1, 1, 0, 1, 0, 0}, {0, 0, 1, 0, 0, 0}, {1, 0, 1, 1, 0, 0},
    };
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(6), a), *y = test_tensor(HG_F32, HG_SHAPE(6), b);
    for (int i = 0; i < 6; i++) test_equal(relation[i](x, y), HG_SHAPE(6), expected[i]);
    test_equal(hg_ge_scalar(x, 1), HG_SHAPE(6), ((double[]){0, 1, 1, 0, 0, 1}));
    test_equal(hg_lt_scalar(x, 1), HG_SHAPE(6), ((double[]){1, 0, 0, 1, 0, 0}));
    hg_scope_end(s);
}
END_TEST

START_TEST(choices)
{
    double a[6] = {1, 2, 3, 4, 5, 6}, mask[6] = {1, 0, 0, 1, 1, 0}, g[6];
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *c = test_tensor(HG_BOOL, HG_SHAPE(2, 3), mask), *x = test_tensor(HG_F32, HG_SHAPE(2, 3), a);
    hg_tensor *y = test_tensor(HG_F32, HG_SHAPE(3), (double[]){-1, -2, -3});
    ck_assert_hg(hg_set_requires_grad(x, true));
    ck_assert_hg(hg_set_requires_grad(y, true));
    hg_tensor *chosen = hg_where(c, x, y);
    ck_assert_hg(hg_backward_with(chosen, test_tensor(HG_F32, HG_SHAPE(2, 3), a), false));
    test_equal(chosen, HG_SHAPE(2, 3), ((double[]){1, -2, -3, 4, 5, -3}));
    for (int i = 0; i < 6; i++) g[i] = mask[i] * a[i];
    test_equal(hg_grad(x), HG_SHAPE(2, 3), g);
    test_equal(hg_grad(y), HG_SHAPE(3), ((double[]){0, 2, 9}));
    test_equal(hg_masked_fill(hg_detach(x), c, 9), HG_SHAPE(2, 3), ((double[]){9, 2, 3, 9, 9, 6}));
    test_equal(hg_masked_fill_(hg_clone(hg_detach(x)), c, 9), HG_SHAPE(2, 3), ((double[]){9, 2, 3, 9, 9, 6}));
    hg_scope_end(s);
}
END_TEST

Suite *elements_suite(void)
{
    return TEST_SUITE("elements", functions_of_one, functions_of_two, doubles, integers, comparisons, choices);
}
