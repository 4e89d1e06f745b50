/* add, sub, mul, div, minimum, maximum: values in every layout and dtype, broadcasting, gradients, errors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

typedef struct binary_case {
    const char *name;
    hg_tensor *(*op)(hg_tensor *, hg_tensor *);
    double (*of)(double, double);
} binary_case;

static double plus(double a, double b) { return a + b; }
static double minus(double a, double b) { return a - b; }
static double times(double a, double b) { return a * b; }
static double over(double a, double b) { return a / b; }
static double smaller(double a, double b) { return a < b || isnan(a) ? a : b; }
static double larger(double a, double b) { return a > b || isnan(a) ? a : b; }

static const binary_case cases[] = {
    {"add", hg_add, plus},
    {"sub", hg_sub, minus},
    {"mul", hg_mul, times},
    {"div", hg_div, over},
    {"minimum", hg_minimum, smaller},
    {"maximum", hg_maximum, larger},
};
enum { CASES = sizeof cases / sizeof *cases };

static hg_shape broadcast(hg_shape a, hg_shape b)
{
    hg_shape y = {.ndim = a.ndim > b.ndim ? a.ndim : b.ndim};
    for (int d = 0; d < y.ndim; d++) {
        int da = d - (y.ndim - a.ndim), db = d - (y.ndim - b.ndim);
        int64_t sa = da < 0 ? 1 : a.size[da], sb = db < 0 ? 1 : b.size[db];
        y.size[d] = sa == 1 ? sb : sa;
    }
    return y;
}

/* Where element i of `y` lies in an operand of shape `a`. */
static int64_t source_index(hg_shape y, hg_shape a, int64_t i)
{
    int64_t index = 0, step = 1;
    for (int d = y.ndim - 1; d >= 0; d--) {
        int64_t at = i % y.size[d];
        int da = d - (y.ndim - a.ndim);
        i /= y.size[d];
        if (da < 0) continue;
        if (a.size[da] != 1) index += at * step;
        step *= a.size[da];
    }
    return index;
}

static double *expected_of(const binary_case *c, hg_shape sa, const double *a, hg_shape sb, const double *b, hg_shape *shape)
{
    *shape = broadcast(sa, sb);
    int64_t n = test_numel(*shape);
    double *y = malloc(sizeof *y * (size_t)(n + 1));
    ck_assert_ptr_nonnull(y);
    for (int64_t i = 0; i < n; i++) y[i] = c->of(a[source_index(*shape, sa, i)], b[source_index(*shape, sb, i)]);
    return y;
}

/* Small integers: every operation is exact in every dtype, but for one rounding of a quotient. */
static void check_values(const binary_case *c, hg_dtype dtype, hg_shape sa, int la, hg_shape sb, int lb)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_shape shape;
    double *a = test_integers(test_numel(sa), 9), *b = test_integers(test_numel(sb), 9);
    for (int64_t i = 0; dtype == HG_U8 && i < test_numel(sa); i++) a[i] = fabs(a[i]) + 9;
    for (int64_t i = 0; dtype == HG_U8 && i < test_numel(sb); i++) b[i] = fabs(b[i]);
    double *y = expected_of(c, sa, a, sb, b, &shape);
    hg_tensor *got = c->op(test_layout(la, dtype, sa, a), test_layout(lb, dtype, sb, b));
    ck_assert_msg(hg_ok(got), "%s: %s", c->name, hg_last_error());
    bool divides = c->of == over;
    ck_assert_int_eq(hg_tensor_dtype(got), divides && dtype != HG_F64 ? HG_F32 : dtype);
    ck_assert(hg_is_contiguous(got));
    test_close(got, shape, y, 0, divides ? 1e-7 : 0);
    free(a);
    free(b);
    free(y);
    hg_scope_end(s);
}

static const hg_dtype dtypes[] = {HG_F32, HG_F64, HG_I32, HG_I64, HG_U8};

static hg_dtype some_dtype(void)
{
    hg_dtype dtype = dtypes[test_between(0, 4)];
    return dtype == HG_F64 && !test_has_f64() ? HG_F32 : dtype;
}

START_TEST(same_shapes_in_every_layout_and_dtype)
{
    for (int c = 0; c < CASES; c++)
        for (int la = 0; la < TEST_LAYOUTS; la++)
            for (int lb = 0; lb < TEST_LAYOUTS; lb++) {
                hg_shape shape = HG_SHAPE(test_between(1, 5), test_between(1, 9), test_between(1, 20));
                check_values(&cases[c], some_dtype(), shape, la, shape, lb);
            }
}
END_TEST

START_TEST(broadcasting_repeats_any_dimension_of_either_operand)
{
    for (int c = 0; c < CASES; c++) {
        check_values(&cases[c], HG_F32, HG_SHAPE(7, 33), 0, HG_SHAPE(33), 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(3, 4, 5, 6), 0, HG_SHAPE(4, 1, 1), 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(4, 1, 1), 0, HG_SHAPE(3, 4, 5, 6), 0);
        check_values(&cases[c], HG_I32, HG_SHAPE(5, 1), 0, HG_SHAPE(1, 6), 0);
        check_values(&cases[c], HG_I64, HG_SCALAR, 0, HG_SHAPE(2, 3), 2);
        check_values(&cases[c], HG_F32, HG_SCALAR, 0, HG_SCALAR, 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(2, 0, 3), 0, HG_SHAPE(3), 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(2, 1, 2, 1, 2, 1, 2, 3), 0, HG_SHAPE(1, 2, 1, 2, 1, 2, 1, 3), 0);
        hg_shape a = HG_SHAPE(test_between(1, 4), test_between(1, 40), test_between(1, 70)), b = a;
        for (int d = 0; d < 3; d++) {
            if (test_between(0, 2) == 0) a.size[d] = 1;
            if (test_between(0, 2) == 0) b.size[d] = 1;
        }
        check_values(&cases[c], some_dtype(), a, (int)test_between(0, 3), b, (int)test_between(0, 3));
    }
}
END_TEST

START_TEST(long_rows_are_cut_between_work_items)
{
    for (int c = 0; c < CASES; c++) {
        check_values(&cases[c], HG_F32, HG_SHAPE(3, 7001), 0, HG_SHAPE(3, 1), 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(20001), 0, HG_SHAPE(20001), 1);
    }
}
END_TEST

START_TEST(expanded_operands_work)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_expand(test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){1, 2}), HG_SHAPE(2, 3));
    test_equal(hg_add(x, x), HG_SHAPE(2, 3), ((double[]){2, 2, 2, 4, 4, 4}));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *apply(hg_tensor **in, int n, void *user)
{
    (void)n;
    return ((const binary_case *)user)->op(in[0], in[1]);
}

START_TEST(gradients_agree_with_differences)
{
    static const hg_shape shapes[][2] = {
        {{2, {3, 4}}, {2, {3, 4}}}, {{2, {3, 4}}, {1, {4}}}, {{3, {2, 3, 2}}, {2, {3, 1}}},
        {{1, {4}}, {2, {3, 1}}},    {{0, {0}}, {1, {3}}},    {{2, {1, 1}}, {0, {0}}},
    };
    for (int c = 0; c < CASES; c++)
        for (size_t k = 0; test_has_f64() && k < sizeof shapes / sizeof *shapes; k++) {
            hg_scope *s = hg_scope_begin(test_device());
            double *a = test_values(test_numel(shapes[k][0])), *b = test_values(test_numel(shapes[k][1]));
            for (int64_t i = 0; i < test_numel(shapes[k][1]); i++) b[i] += b[i] < 0 ? -0.5 : 0.5;
            hg_tensor *in[2] = {test_tensor(HG_F64, shapes[k][0], a), test_tensor(HG_F64, shapes[k][1], b)};
            test_gradient(apply, in, 2, (void *)(uintptr_t)&cases[c]);
            free(a);
            free(b);
            hg_scope_end(s);
        }
}
END_TEST

START_TEST(ties_share_the_gradient_and_nan_wins)
{
    hg_scope *s = hg_scope_begin(test_device());
    double a[] = {1, 2, 3, NAN, 1}, b[] = {2, 2, 2, 1, NAN};
    hg_tensor *(*const ops[])(hg_tensor *, hg_tensor *) = {hg_minimum, hg_maximum};
    double values[][5] = {{1, 2, 2, NAN, NAN}, {2, 2, 3, NAN, NAN}};
    double ga[][5] = {{1, 0.5, 0, 1, 1}, {0, 0.5, 1, 1, 1}}, gb[][5] = {{0, 0.5, 1, 1, 1}, {1, 0.5, 0, 1, 1}};
    for (int k = 0; k < 2; k++) {
        hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(5), a), *z = test_tensor(HG_F32, HG_SHAPE(5), b);
        ck_assert_hg(hg_set_requires_grad(x, true));
        ck_assert_hg(hg_set_requires_grad(z, true));
        hg_tensor *y = ops[k](x, z);
        test_equal(y, HG_SHAPE(5), values[k]);
        ck_assert_hg(hg_backward_with(y, hg_full(test_device(), HG_F32, HG_SHAPE(5), 1), false));
        test_equal(hg_grad(x), HG_SHAPE(5), ga[k]);
        test_equal(hg_grad(z), HG_SHAPE(5), gb[k]);
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(division_by_zero_is_infinity_or_nan)
{
    hg_scope *s = hg_scope_begin(test_device());
    double a[] = {1, -1, 0, 7}, b[] = {0, 0, 0, 2}, y[] = {INFINITY, -INFINITY, NAN, 3.5};
    test_equal(hg_div(test_tensor(HG_F32, HG_SHAPE(4), a), test_tensor(HG_F32, HG_SHAPE(4), b)), HG_SHAPE(4), y);
    test_equal(hg_div(test_tensor(HG_I64, HG_SHAPE(4), a), test_tensor(HG_I64, HG_SHAPE(4), b)), HG_SHAPE(4), y);
    hg_scope_end(s);
}
END_TEST

START_TEST(gradient_of_one_operand_alone)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(2, 2), (double[]){1, 2, 3, 4}), *b = test_tensor(HG_F32, HG_SHAPE(2), (double[]){5, 6});
    ck_assert_hg(hg_set_requires_grad(b, true));
    ck_assert_hg(hg_backward(hg_sum(hg_mul(a, b), HG_ALL, false)));
    ck_assert_ptr_null(hg_grad(a));
    test_equal(hg_grad(b), HG_SHAPE(2), ((double[]){4, 6}));
    hg_scope_end(s);
}
END_TEST

START_TEST(operands_that_do_not_fit_say_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 3)), *b = hg_zeros(test_device(), HG_F32, HG_SHAPE(4));
    ck_assert(!hg_ok(hg_add(a, b)));
    test_error(HG_E_SHAPE, "add: The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1");
    ck_assert(!hg_ok(hg_mul(a, hg_cast(a, HG_I32))));
    test_error(HG_E_DTYPE, "mul: operands are float32 and int32");
    ck_assert(!hg_ok(hg_sub(hg_cast(a, HG_BOOL), hg_cast(a, HG_BOOL))));
    test_error(HG_E_DTYPE, "sub: not for bool");
    ck_assert(!hg_ok(hg_add(a, NULL)));
    test_error(HG_E_ARG, "add: operand 1 is NULL");
    ck_assert(!hg_ok(hg_add(a, hg_add(a, b))));
    test_error(HG_E_SHAPE, "must match the size");
    hg_scope_end(s);
}
END_TEST

Suite *binary_suite(void)
{
    return TEST_SUITE("binary", same_shapes_in_every_layout_and_dtype, broadcasting_repeats_any_dimension_of_either_operand,
                      long_rows_are_cut_between_work_items, expanded_operands_work, gradients_agree_with_differences,
                      ties_share_the_gradient_and_nan_wins, division_by_zero_is_infinity_or_nan,
                      gradient_of_one_operand_alone, operands_that_do_not_fit_say_why);
}
