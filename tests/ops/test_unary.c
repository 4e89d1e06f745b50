/* Functions of one tensor: values in every layout, NaN and infinity, gradients, integers, in place, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static hg_tensor *plus_two(hg_tensor *x) { return hg_add_scalar(x, 2); }
static hg_tensor *times_three(hg_tensor *x) { return hg_mul_scalar(x, -3); }
static double relu_of(double x) { return x > 0 || isnan(x) ? x : 0; }
static double plus_two_of(double x) { return x + 2; }
static double times_three_of(double x) { return x * -3; }

typedef struct unary_case {
    const char *name;
    hg_tensor *(*op)(hg_tensor *);
    double (*of)(double);
    double low, high;       /* of the inputs */
    bool integers;          /* works on them too */
} unary_case;

static const unary_case cases[] = {
    {"relu", hg_relu, relu_of, -2, 2, true},
    {"add_scalar", plus_two, plus_two_of, -2, 2, true},
    {"mul_scalar", times_three, times_three_of, -2, 2, true},
};
enum { CASES = sizeof cases / sizeof *cases };

static double *inputs_of(const unary_case *c, int64_t n)
{
    double *v = test_values(n);
    for (int64_t i = 0; i < n; i++) v[i] = (float)(c->low + (c->high - c->low) * (v[i] + 1) / 2);
    return v;
}

static void check_values(const unary_case *c, hg_dtype dtype, hg_shape shape, int layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    int64_t n = test_numel(shape);
    double *x = inputs_of(c, n), *y = malloc(sizeof *y * (size_t)(n + 1));
    ck_assert_ptr_nonnull(y);
    for (int64_t i = 0; i < n; i++) y[i] = c->of(x[i]);
    hg_tensor *got = c->op(test_layout(layout, dtype, shape, x));
    ck_assert_msg(hg_ok(got), "%s: %s", c->name, hg_last_error());
    test_close(got, shape, y, dtype == HG_F64 ? 1e-14 : 2e-7, dtype == HG_F64 ? 1e-14 : 4e-7);
    free(x);
    free(y);
    hg_scope_end(s);
}

START_TEST(values_in_every_layout)
{
    for (int c = 0; c < CASES; c++) {
        for (int layout = 0; layout < TEST_LAYOUTS; layout++)
            check_values(&cases[c], HG_F32, HG_SHAPE(test_between(1, 5), test_between(1, 40), 3), layout);
        if (test_has_f64()) check_values(&cases[c], HG_F64, HG_SHAPE(3, test_between(1, 40)), 2);
        check_values(&cases[c], HG_F32, HG_SCALAR, 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(4, 0), 0);
        check_values(&cases[c], HG_F32, HG_SHAPE(1), 1);
        check_values(&cases[c], HG_F32, HG_SHAPE(5003), 1);
    }
}
END_TEST

START_TEST(integers_where_they_make_sense)
{
    static const hg_dtype dtypes[] = {HG_I32, HG_I64, HG_U8};
    for (int c = 0; c < CASES; c++)
        for (int k = 0; k < 3; k++) {
            hg_scope *s = hg_scope_begin(test_device());
            double *x = test_integers(37, 9), y[37];
            for (int i = 0; i < 37; i++) {
                if (dtypes[k] == HG_U8) x[i] = fabs(x[i]);
                y[i] = cases[c].of(x[i]);
                if (dtypes[k] == HG_U8) y[i] = (uint8_t)(int)y[i];
            }
            hg_tensor *got = cases[c].op(test_layout(k, dtypes[k], HG_SHAPE(37), x));
            if (cases[c].integers) {
                ck_assert_hg_ok(got);
                ck_assert_int_eq(hg_tensor_dtype(got), dtypes[k]);
                test_equal(got, HG_SHAPE(37), y);
            } else {
                ck_assert(!hg_ok(got));
                test_error(HG_E_DTYPE, "float");
            }
            free(x);
            hg_scope_end(s);
        }
}
END_TEST

static hg_tensor *apply(hg_tensor **in, int n, void *user)
{
    (void)n;
    return ((const unary_case *)user)->op(in[0]);
}

START_TEST(gradients_agree_with_differences)
{
    for (int c = 0; test_has_f64() && c < CASES; c++) {
        hg_scope *s = hg_scope_begin(test_device());
        double *v = inputs_of(&cases[c], 21);
        hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(3, 7), v);
        test_gradient(apply, &x, 1, (void *)(uintptr_t)&cases[c]);
        free(v);
        hg_scope_end(s);
    }
}
END_TEST

static void check_gradient_at(hg_tensor *(*op)(hg_tensor *), int n, const double *x, const double *expected)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(n), x);
    ck_assert_hg(hg_set_requires_grad(t, true));
    ck_assert_hg(hg_backward_with(op(t), hg_full(test_device(), HG_F32, HG_SHAPE(n), 2), false));
    test_close(hg_grad(t), HG_SHAPE(n), expected, 0, 1e-6);
    hg_scope_end(s);
}

START_TEST(relu_keeps_nan_and_has_no_gradient_at_zero)
{
    hg_scope *s = hg_scope_begin(test_device());
    double x[] = {NAN, -INFINITY, -1, 0, 1, INFINITY};
    test_equal(hg_relu(test_tensor(HG_F32, HG_SHAPE(6), x)), HG_SHAPE(6), ((double[]){NAN, 0, 0, 0, 1, INFINITY}));
    hg_scope_end(s);
    check_gradient_at(hg_relu, 6, x, (double[]){2, 0, 0, 0, 2, 2});
}
END_TEST

START_TEST(relu_in_place_in_every_layout)
{
    for (int layout = 0; layout < TEST_LAYOUTS; layout++) {
        hg_scope *s = hg_scope_begin(test_device());
        double *v = test_values(35), y[35];
        for (int i = 0; i < 35; i++) y[i] = relu_of(v[i]);
        hg_tensor *x = test_layout(layout, HG_F32, HG_SHAPE(5, 7), v);
        ck_assert_ptr_eq(hg_relu_(x), x);
        test_equal(x, HG_SHAPE(5, 7), y);
        free(v);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(relu_in_place_has_a_gradient)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(4), (double[]){-1, 2, -3, 4});
    ck_assert_hg(hg_set_requires_grad(x, true));
    hg_tensor *y = hg_mul_scalar(x, 3);
    ck_assert_hg(hg_backward(hg_sum(hg_mul_scalar(hg_relu_(y), 5), HG_ALL, false)));
    test_equal(hg_grad(x), HG_SHAPE(4), ((double[]){0, 15, 0, 15}));
    ck_assert(!hg_ok(hg_relu_(x)));
    test_error(HG_E_STATE, "relu_: a leaf Variable that requires grad is being used in an in-place operation.");
    hg_scope_end(s);
}
END_TEST

START_TEST(a_fraction_does_not_go_into_an_integer_tensor)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_zeros(test_device(), HG_I32, HG_SHAPE(2));
    ck_assert(!hg_ok(hg_mul_scalar(x, 0.5)));
    test_error(HG_E_ARG, "mul_scalar: 0.5 is not an integer of int32; hg_cast the tensor to float32 first");
    ck_assert(!hg_ok(hg_add_scalar(hg_cast(x, HG_BOOL), 1)));
    test_error(HG_E_DTYPE, "add_scalar: not for bool tensors");
    ck_assert(!hg_ok(hg_relu(NULL)));
    test_error(HG_E_ARG, "relu: operand 0 is NULL");
    hg_scope_end(s);
}
END_TEST

Suite *unary_suite(void)
{
    return TEST_SUITE("unary", values_in_every_layout, integers_where_they_make_sense, gradients_agree_with_differences,
                      relu_keeps_nan_and_has_no_gradient_at_zero, relu_in_place_in_every_layout,
                      relu_in_place_has_a_gradient, a_fraction_does_not_go_into_an_integer_tensor);
}
