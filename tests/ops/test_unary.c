/* Functions of one tensor: values in every layout, NaN and infinity, gradients, integers, in place, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static hg_tensor *clamped(hg_tensor *x) { return hg_clamp(x, -1, 1.5); }
static hg_tensor *power_0(hg_tensor *x) { return hg_pow(x, 0); }
static hg_tensor *power_1(hg_tensor *x) { return hg_pow(x, 1); }
static hg_tensor *power_2(hg_tensor *x) { return hg_pow(x, 2); }
static hg_tensor *power_3(hg_tensor *x) { return hg_pow(x, 3); }
static hg_tensor *power_half(hg_tensor *x) { return hg_pow(x, 0.5); }
static hg_tensor *power_minus_1_7(hg_tensor *x) { return hg_pow(x, -1.7); }
static double clamped_of(double x) { return x < -1 ? -1 : x > 1.5 ? 1.5 : x; }
static double power_0_of(double x) { return (void)x, 1; }
static double power_1_of(double x) { return x; }
static double power_2_of(double x) { return x * x; }
static double power_3_of(double x) { return x * x * x; }
static double power_minus_1_7_of(double x) { return pow(x, -1.7); }
static double neg_of(double x) { return -x; }
static double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }
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
    {"neg", hg_neg, neg_of, -2, 2, true},
    {"abs", hg_abs, fabs, -2, 2, true},
    {"exp", hg_exp, exp, -3, 3, false},
    {"log", hg_log, log, 0.1, 5, false},
    {"sqrt", hg_sqrt, sqrt, 0.1, 5, false},
    {"sigmoid", hg_sigmoid, sigmoid_of, -6, 6, false},
    {"tanh", hg_tanh, tanh, -4, 4, false},
    {"clamp", clamped, clamped_of, -2, 2, false},
    {"pow 0", power_0, power_0_of, -2, 2, true},
    {"pow 1", power_1, power_1_of, -2, 2, true},
    {"pow 2", power_2, power_2_of, -2, 2, true},
    {"pow 3", power_3, power_3_of, -2, 2, true},
    {"pow 0.5", power_half, sqrt, 0.1, 3, false},
    {"pow -1.7", power_minus_1_7, power_minus_1_7_of, 0.3, 3, false},
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
            if (cases[c].op == clamped || cases[c].op == power_half || cases[c].op == power_minus_1_7) {
                hg_clear_error();   /* their numbers are fractions: tested below */
            } else if (cases[c].integers) {
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

START_TEST(functions_at_nan_infinity_and_zero)
{
    hg_scope *s = hg_scope_begin(test_device());
    double x[] = {NAN, -INFINITY, -1, 0, 1, INFINITY};
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(6), x);
    test_close(hg_exp(t), HG_SHAPE(6), (double[]){NAN, 0, exp(-1), 1, exp(1), INFINITY}, 0, 1e-6);
    test_close(hg_log(t), HG_SHAPE(6), (double[]){NAN, NAN, NAN, -INFINITY, 0, INFINITY}, 0, 1e-6);
    test_close(hg_sqrt(t), HG_SHAPE(6), (double[]){NAN, NAN, NAN, 0, 1, INFINITY}, 0, 1e-6);
    test_close(hg_sigmoid(t), HG_SHAPE(6), (double[]){NAN, 0, sigmoid_of(-1), 0.5, sigmoid_of(1), 1}, 0, 1e-6);
    test_close(hg_tanh(t), HG_SHAPE(6), (double[]){NAN, -1, tanh(-1), 0, tanh(1), 1}, 0, 1e-6);
    test_equal(hg_abs(t), HG_SHAPE(6), ((double[]){NAN, INFINITY, 1, 0, 1, INFINITY}));
    test_equal(hg_clamp(t, -0.5, 2), HG_SHAPE(6), ((double[]){NAN, -0.5, -0.5, 0, 1, 2}));
    test_equal(hg_pow(t, 0), HG_SHAPE(6), ((double[]){1, 1, 1, 1, 1, 1}));
    test_equal(hg_pow(t, -1), HG_SHAPE(6), ((double[]){NAN, 0, -1, INFINITY, 1, 0}));
    test_equal(hg_pow(t, 3), HG_SHAPE(6), ((double[]){NAN, -INFINITY, -1, 0, 1, INFINITY}));
    hg_tensor *far = test_tensor(HG_F32, HG_SHAPE(4), (double[]){-1000, 1000, -50, 50});
    test_close(hg_sigmoid(far), HG_SHAPE(4), (double[]){0, 1, exp(-50), 1}, 0, 1e-5);
    test_close(hg_tanh(far), HG_SHAPE(4), (double[]){-1, 1, -1, 1}, 1e-7, 0);
    hg_scope_end(s);
}
END_TEST

START_TEST(a_zero_leaves_the_powers_beside_it_alone)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *x = test_values(1000), *y = test_values(1000);
    for (int i = 0; i < 1000; i++) {
        x[i] = i % 7 ? fabs(x[i]) + 0.1 : 0;
        y[i] = pow(x[i], 2.5);
    }
    test_close(hg_pow(test_tensor(HG_F64, HG_SHAPE(1000), x), 2.5), HG_SHAPE(1000), y, 0, 1e-14);
    free(x);
    free(y);
    hg_scope_end(s);
}
END_TEST

START_TEST(gradients_at_kinks_and_edges)
{
    check_gradient_at(hg_abs, 4, (double[]){-3, 0, 3, NAN}, (double[]){-2, 0, 2, 0});
    check_gradient_at(clamped, 6, (double[]){-2, -1, 0, 1.5, 1.6, NAN}, (double[]){0, 2, 2, 2, 0, 0});
    check_gradient_at(power_0, 3, (double[]){0, 1, NAN}, (double[]){0, 0, 0});
    check_gradient_at(power_1, 3, (double[]){0, 1, -2}, (double[]){2, 2, 2});
    check_gradient_at(power_2, 3, (double[]){0, 1, -2}, (double[]){0, 4, -8});
    check_gradient_at(power_3, 3, (double[]){0, 1, -2}, (double[]){0, 6, 24});
    check_gradient_at(hg_sqrt, 2, (double[]){0, 4}, (double[]){INFINITY, 0.5});
    check_gradient_at(hg_log, 2, (double[]){0, 4}, (double[]){INFINITY, 0.5});
}
END_TEST

START_TEST(clamp_of_integers_rounds_its_bounds_inwards)
{
    hg_scope *s = hg_scope_begin(test_device());
    double x[] = {0, 1, 2, 3, 200};
    test_equal(hg_clamp(test_tensor(HG_I32, HG_SHAPE(5), x), 0.5, 2.5), HG_SHAPE(5), ((double[]){1, 1, 2, 2, 2}));
    test_equal(hg_clamp(test_tensor(HG_U8, HG_SHAPE(5), x), -INFINITY, 2), HG_SHAPE(5), ((double[]){0, 1, 2, 2, 2}));
    test_equal(hg_clamp(test_tensor(HG_I64, HG_SHAPE(5), x), 2, INFINITY), HG_SHAPE(5), ((double[]){2, 2, 2, 3, 200}));
    test_equal(hg_clamp(test_tensor(HG_F32, HG_SHAPE(5), x), 5, 2), HG_SHAPE(5), ((double[]){2, 2, 2, 2, 2}));
    ck_assert(!hg_ok(hg_clamp(test_tensor(HG_F32, HG_SHAPE(5), x), NAN, 2)));
    test_error(HG_E_ARG, "clamp: a bound is NaN");
    hg_scope_end(s);
}
END_TEST

START_TEST(integer_powers_are_exact)
{
    hg_scope *s = hg_scope_begin(test_device());
    double x[] = {-3, 0, 1, 3};
    test_equal(hg_pow(test_tensor(HG_I64, HG_SHAPE(4), x), 31), HG_SHAPE(4), ((double[]){-617673396283947, 0, 1, 617673396283947}));
    ck_assert(!hg_ok(hg_pow(test_tensor(HG_I64, HG_SHAPE(4), x), -1)));
    test_error(HG_E_ARG, "pow: Integers to negative integer powers are not allowed.");
    ck_assert(!hg_ok(hg_pow(test_tensor(HG_I64, HG_SHAPE(4), x), 0.5)));
    test_error(HG_E_ARG, "pow: 0.5 is not an integer of int64");
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
                      relu_in_place_has_a_gradient, functions_at_nan_infinity_and_zero,
                      a_zero_leaves_the_powers_beside_it_alone, gradients_at_kinks_and_edges,
                      clamp_of_integers_rounds_its_bounds_inwards, integer_powers_are_exact,
                      a_fraction_does_not_go_into_an_integer_tensor);
}
