/* Running sums: exact on integers in every dtype and layout, long lines, gradients, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static void check(hg_dtype dtype, hg_shape shape, int dim, int layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    int64_t n = test_numel(shape), inner = 1;
    for (int d = dim + 1; d < shape.ndim; d++) inner *= shape.size[d];
    double *x = test_integers(n, 9), *y = test_values(n), *dy = test_integers(n, 9), *dx = test_values(n);
    int64_t length = shape.ndim ? shape.size[dim] : 1;
    for (int64_t i = 0; i < n; i++) {
        if (dtype == HG_U8 || dtype == HG_BOOL) x[i] = dtype == HG_U8 ? fabs(x[i]) * 20 : x[i] > 0;
        y[i] = x[i] + (i / inner % length ? y[i - inner] : 0);
    }
    for (int64_t i = n - 1; i >= 0; i--) dx[i] = dy[i] + (i / inner % length < length - 1 ? dx[i + inner] : 0);
    hg_tensor *t = test_layout(layout, dtype, shape, x);
    if (dtype <= HG_F64) ck_assert_hg(hg_set_requires_grad(t, true));
    hg_tensor *got = hg_cumsum(t, dim - shape.ndim);
    ck_assert_int_eq(hg_tensor_dtype(got), dtype <= HG_F64 ? dtype : HG_I64);
    test_equal(got, shape, y);
    if (dtype <= HG_F64) {
        ck_assert_hg(hg_backward_with(got, test_layout(3 - layout, dtype, shape, dy), false));
        test_equal(hg_grad(t), shape, dx);
    }
    free(x);
    free(y);
    free(dy);
    free(dx);
    hg_scope_end(s);
}

START_TEST(running_sums_along_every_dim_and_layout)
{
    static const hg_dtype dtypes[] = {HG_I32, HG_I64, HG_U8, HG_BOOL, HG_F64};
    for (int k = 0; k < 12; k++)
        check(HG_F32, HG_SHAPE(test_between(1, 6), test_between(1, 50), test_between(1, 20)), k % 3, k % TEST_LAYOUTS);
    for (int k = 0; k < 4 + test_has_f64(); k++) check(dtypes[k], HG_SHAPE(3, 40), k % 2, k % TEST_LAYOUTS);
    check(HG_F32, HG_SHAPE(test_between(2049, 9000)), 0, 1);
    check(HG_F32, HG_SHAPE(2, test_between(2049, 5000), 3), 1, 0);
    check(HG_I32, HG_SHAPE(3, 2048), 1, 0);
    check(HG_I32, HG_SHAPE(3, 2049), 1, 0);
    check(HG_F32, HG_SHAPE(3, 0), 1, 0);
    check(HG_F32, HG_SCALAR, 0, 0);
}
END_TEST

static hg_tensor *sums(hg_tensor **in, int n, void *user)
{
    (void)n;
    return hg_mul(hg_cumsum(in[0], *(int *)user), in[0]);
}

START_TEST(running_sum_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(20);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(4, 5), v);
    for (int dim = 0; dim < 2; dim++) test_gradient(sums, &x, 1, &dim);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(nan_and_overflow_run_on)
{
    hg_scope *s = hg_scope_begin(test_device());
    test_equal(hg_cumsum(test_tensor(HG_F32, HG_SHAPE(4), (double[]){1, NAN, 2, INFINITY}), 0), HG_SHAPE(4),
               ((double[]){1, NAN, NAN, NAN}));
    test_equal(hg_cumsum(test_tensor(HG_I32, HG_SHAPE(2), (double[]){2147483647, 1}), 0), HG_SHAPE(2),
               ((double[]){2147483647, 2147483648}));
    ck_assert(!hg_ok(hg_cumsum(hg_zeros(test_device(), HG_F32, HG_SHAPE(2)), 1)));
    test_error(HG_E_ARG, "cumsum: Dimension out of range (expected to be in range of [-1, 0], but got 1)");
    hg_scope_end(s);
}
END_TEST

Suite *cumsum_suite(void)
{
    return TEST_SUITE("cumsum", running_sums_along_every_dim_and_layout, running_sum_gradients_agree_with_differences,
                      nan_and_overflow_run_on);
}
