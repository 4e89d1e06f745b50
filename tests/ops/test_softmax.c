/* Softmax and its logarithm against double arithmetic, over every dim, layout and row form. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

typedef hg_tensor *(*softmax_fn)(hg_tensor *x, int dim);

/* y and, for the gradient dy, dx. */
static void reference(hg_shape shape, int dim, bool logs, const double *x, const double *dy, double *y, double *dx)
{
    int64_t n = shape.size[dim], inner = 1, outer;
    for (int d = dim + 1; d < shape.ndim; d++) inner *= shape.size[d];
    outer = test_numel(shape) / (n * inner);
    for (int64_t p = 0; p < outer * inner; p++) {
        int64_t base = p / inner * n * inner + p % inner;
        double high = -INFINITY, sum = 0, product = 0;
        for (int64_t c = 0; c < n; c++) high = fmax(high, x[base + c * inner]);
        for (int64_t c = 0; c < n; c++) sum += exp(x[base + c * inner] - high);
        for (int64_t c = 0; c < n; c++) {
            int64_t i = base + c * inner;
            y[i] = logs ? x[i] - high - log(sum) : exp(x[i] - high) / sum;
            product += logs ? dy[i] : dy[i] * y[i];
        }
        for (int64_t c = 0; c < n; c++) {
            int64_t i = base + c * inner;
            dx[i] = logs ? dy[i] - exp(y[i]) * product : y[i] * (dy[i] - product);
        }
    }
}

static void check(softmax_fn fn, bool logs, hg_shape shape, int dim, int layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    int64_t n = test_numel(shape);
    double *x = test_values(n), *dy = test_values(n), *y = test_values(n), *dx = test_values(n);
    for (int64_t i = 0; i < n; i++) x[i] *= 8;
    reference(shape, dim, logs, x, dy, y, dx);
    hg_tensor *t = test_layout(layout, HG_F32, shape, x);
    ck_assert_hg(hg_set_requires_grad(t, true));
    hg_tensor *r = fn(t, dim);
    test_close(r, shape, y, logs ? 1e-6 : 1e-7, 2e-6);
    ck_assert_hg(hg_backward_with(r, test_layout(3 - layout, HG_F32, shape, dy), false));
    test_close(hg_grad(t), shape, dx, 2e-6, 2e-6);
    free(x);
    free(dy);
    free(y);
    free(dx);
    hg_scope_end(s);
}

START_TEST(softmax_agrees_with_double_arithmetic_over_every_dim)
{
    hg_shape random = HG_SHAPE(test_between(1, 5), test_between(1, 40), test_between(1, 90));
    for (int dim = 0; dim < 3; dim++) {
        check(hg_softmax, false, random, dim, dim);
        check(hg_log_softmax, true, random, dim, 3 - dim);
    }
    check(hg_softmax, false, HG_SHAPE(3, 1000), 1, 0);
    check(hg_log_softmax, true, HG_SHAPE(5, test_between(250, 600)), 1, 2);
    check(hg_log_softmax, true, HG_SHAPE(100, 10), 1, 0);
    check(hg_softmax, false, HG_SHAPE(16), 0, 0);
    check(hg_softmax, false, HG_SHAPE(1), 0, 0);
    check(hg_softmax, false, HG_SHAPE(2, 3500), 1, 0);      /* more than a GPU keeps at hand, in both forms */
    check(hg_log_softmax, true, HG_SHAPE(2, 130, 5), 1, 0);
}
END_TEST

/* Whatever is found where in a row that a GPU goes through once for its maximum and its sum. */
START_TEST(softmax_of_a_long_row_takes_infinities_and_nan)
{
    enum { N = 4000 };
    hg_scope *s = hg_scope_begin(test_device());
    double x[N], y[N];
    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < N; i++) {
            x[i] = kind == 0 && i % 2 == 0 ? 1 : -INFINITY;
            y[i] = kind ? NAN : i % 2 ? 0 : 1.0 / (N / 2);
        }
        if (kind == 1) x[N - 1] = INFINITY;
        if (kind == 2) x[700] = NAN;
        test_close(hg_softmax(test_tensor(HG_F32, HG_SHAPE(N), x), 0), HG_SHAPE(N), y, 1e-9, 1e-6);
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(softmax_of_huge_and_infinite_values_is_what_pytorch_gives)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(3), (double[]){1000, 0, -1000});
    ck_assert_hg(hg_set_requires_grad(x, true));
    test_equal(hg_softmax(x, 0), HG_SHAPE(3), ((double[]){1, 0, 0}));
    hg_tensor *logs = hg_log_softmax(x, -1);
    test_equal(logs, HG_SHAPE(3), ((double[]){0, -1000, -2000}));
    ck_assert_hg(hg_backward(hg_select(logs, 0, 1)));
    test_equal(hg_grad(x), HG_SHAPE(3), ((double[]){-1, 1, 0}));
    test_equal(hg_softmax(test_tensor(HG_F32, HG_SHAPE(3), (double[]){0, -INFINITY, 0}), 0), HG_SHAPE(3),
               ((double[]){.5, 0, .5}));
    double nan3[] = {NAN, NAN, NAN};
    test_equal(hg_softmax(test_tensor(HG_F32, HG_SHAPE(3), (double[]){0, NAN, 1}), 0), HG_SHAPE(3), nan3);
    test_equal(hg_softmax(test_tensor(HG_F32, HG_SHAPE(3), (double[]){0, INFINITY, 1}), 0), HG_SHAPE(3),
               nan3);
    test_equal(hg_softmax(test_tensor(HG_F32, HG_SHAPE(3), (double[]){-INFINITY, -INFINITY, -INFINITY}), 0), HG_SHAPE(3),
               nan3);
    hg_scope_end(s);
}
END_TEST

START_TEST(softmax_takes_scalars_empty_and_expanded_tensors)
{
    hg_scope *s = hg_scope_begin(test_device());
    test_equal(hg_softmax(test_tensor(HG_F32, HG_SCALAR, (double[]){3}), -1), HG_SCALAR, ((double[]){1}));
    test_equal(hg_softmax(hg_empty(test_device(), HG_F32, HG_SHAPE(0, 3)), 1), HG_SHAPE(0, 3), (NULL));
    test_equal(hg_log_softmax(hg_empty(test_device(), HG_F32, HG_SHAPE(2, 0)), 1), HG_SHAPE(2, 0), (NULL));
    hg_scope_end(s);
}
END_TEST

START_TEST(softmax_says_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2), (double[]){1, 2});
    ck_assert(!hg_ok(hg_softmax(x, 1)));
    test_error(HG_E_ARG, "softmax: Dimension out of range (expected to be in range of [-1, 0], but got 1)");
    ck_assert(!hg_ok(hg_log_softmax(test_tensor(HG_I64, HG_SHAPE(2), (double[]){1, 2}), 0)));
    test_error(HG_E_DTYPE, "log_softmax: expected float32 or float64, got int64");
    hg_scope_end(s);
}
END_TEST

static hg_tensor *weighted(hg_tensor **in, int n, void *user)
{
    (void)n;
    int dim = *(int *)user;
    return hg_softmax(hg_log_softmax(in[0], dim), 1 - dim);
}

START_TEST(softmax_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(5 * 19);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(5, 19), v);
    for (int dim = 0; dim < 2; dim++) test_gradient(weighted, &x, 1, &dim);
    free(v);
    hg_scope_end(s);
}
END_TEST

Suite *softmax_suite(void)
{
    return TEST_SUITE("softmax", softmax_agrees_with_double_arithmetic_over_every_dim,
                      softmax_of_a_long_row_takes_infinities_and_nan,
                      softmax_of_huge_and_infinite_values_is_what_pytorch_gives,
                      softmax_takes_scalars_empty_and_expanded_tensors, softmax_says_what_is_wrong,
                      softmax_gradients_agree_with_differences);
}
