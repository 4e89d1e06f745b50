/* max, min, max_dim, min_dim, argmax: values, indices, ties, NaN, gradients, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static void check_dim(hg_dtype dtype, int layout, hg_shape shape, int dim, int limit)
{
    hg_scope *s = hg_scope_begin(test_device());
    int64_t n = test_numel(shape), inner = 1, length = shape.size[dim];
    for (int d = dim + 1; d < shape.ndim; d++) inner *= shape.size[d];
    int64_t results = n / length;
    double *x = test_integers(n, limit), *most = test_values(results), *least = test_values(results);
    double *at_most = test_values(results), *at_least = test_values(results);
    for (int64_t i = 0; dtype == HG_U8 && i < n; i++) x[i] = fabs(x[i]);
    for (int64_t r = 0; r < results; r++) {
        const double *p = x + r / inner * length * inner + r % inner;
        at_most[r] = at_least[r] = 0;
        for (int64_t k = 1; k < length; k++) {
            if (p[k * inner] > p[(int64_t)at_most[r] * inner]) at_most[r] = (double)k;
            if (p[k * inner] < p[(int64_t)at_least[r] * inner]) at_least[r] = (double)k;
        }
        most[r] = p[(int64_t)at_most[r] * inner];
        least[r] = p[(int64_t)at_least[r] * inner];
    }
    hg_shape y = shape, kept = shape;
    kept.size[dim] = 1;
    y.ndim = 0;
    for (int d = 0; d < shape.ndim; d++)
        if (d != dim) y.size[y.ndim++] = shape.size[d];
    hg_tensor *t = test_layout(layout, dtype, shape, x), *index;
    test_equal(hg_max_dim(t, dim, false, &index), y, most);
    ck_assert_int_eq(hg_tensor_dtype(index), HG_I64);
    test_equal(index, y, at_most);
    test_equal(hg_min_dim(t, dim - shape.ndim, true, &index), kept, least);
    test_equal(index, kept, at_least);
    test_equal(hg_argmax(t, dim, true), kept, at_most);
    test_equal(hg_max_dim(t, dim, false, NULL), y, most);
    free(x);
    free(most);
    free(least);
    free(at_most);
    free(at_least);
    hg_scope_end(s);
}

START_TEST(along_any_dim_the_first_of_equals_wins)
{
    static const hg_dtype dtypes[] = {HG_F32, HG_F64, HG_I32, HG_I64, HG_U8};
    for (int k = 0; k < 5; k++) {
        if (dtypes[k] == HG_F64 && !test_has_f64()) continue;
        for (int dim = 0; dim < 3; dim++)
            check_dim(dtypes[k], (int)test_between(0, 3),
                      HG_SHAPE(test_between(1, 5), test_between(1, 12), test_between(1, 90)), dim, 3);
    }
    check_dim(HG_F32, 0, HG_SHAPE(3, 70000), 1, 1000);
    check_dim(HG_F32, 1, HG_SHAPE(3000, 10), 0, 1000);
    check_dim(HG_F32, 0, HG_SHAPE(3000, 10), 1, 1000);
    check_dim(HG_I64, 0, HG_SHAPE(1), 0, 3);
}
END_TEST

START_TEST(the_first_nan_wins)
{
    hg_scope *s = hg_scope_begin(test_device());
    double x[2][40];
    for (int i = 0; i < 40; i++) x[0][i] = x[1][i] = i;
    x[0][7] = x[0][30] = NAN;
    x[1][39] = NAN;
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(2, 40), x[0]), *index;
    test_equal(hg_max_dim(t, 1, false, &index), HG_SHAPE(2), ((double[]){NAN, NAN}));
    test_equal(index, HG_SHAPE(2), ((double[]){7, 39}));
    test_equal(hg_min_dim(hg_slice(t, 1, 5, 12, 1), 1, false, &index), HG_SHAPE(2), ((double[]){NAN, 5}));
    test_equal(index, HG_SHAPE(2), ((double[]){2, 0}));
    test_equal(hg_max(t), HG_SCALAR, ((double[]){NAN}));
    test_equal(hg_min(t), HG_SCALAR, ((double[]){NAN}));
    test_equal(hg_max(test_tensor(HG_F32, HG_SHAPE(2), (double[]){-INFINITY, -INFINITY})), HG_SCALAR, ((double[]){-INFINITY}));
    hg_scope_end(s);
}
END_TEST

START_TEST(of_all_elements)
{
    static const hg_dtype dtypes[] = {HG_F32, HG_I32, HG_I64, HG_U8};
    static const int64_t sizes[] = {1, 15, 33, 1000, 50001};
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 5; j++) {
            hg_scope *s = hg_scope_begin(test_device());
            double *x = test_integers(sizes[j], 100), most = -1000, least = 1000;
            for (int64_t i = 0; i < sizes[j]; i++) {
                if (dtypes[k] == HG_U8) x[i] = fabs(x[i]);
                most = fmax(most, x[i]);
                least = fmin(least, x[i]);
            }
            hg_tensor *t = test_layout((k + j) % 4, dtypes[k], HG_SHAPE(sizes[j]), x);
            test_equal(hg_max(t), HG_SCALAR, &most);
            test_equal(hg_min(t), HG_SCALAR, &least);
            free(x);
            hg_scope_end(s);
        }
}
END_TEST

static hg_tensor *mixed(hg_tensor **in, int n, void *user)
{
    (void)n;
    (void)user;
    hg_tensor *y = hg_mul(hg_max_dim(in[0], 1, true, NULL), hg_min_dim(in[0], 0, true, NULL));
    return hg_mul(y, hg_mul(hg_max(in[0]), hg_min(in[0])));
}

START_TEST(gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(60);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(3, 5, 4), v);
    test_gradient(mixed, &x, 1, NULL);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(ties_share_in_max_but_not_along_a_dim)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(5), (double[]){1, 3, 3, 0, 3});
    ck_assert_hg(hg_set_requires_grad(x, true));
    ck_assert_hg(hg_backward(hg_max(x)));
    test_close(hg_grad(x), HG_SHAPE(5), (double[]){0, 1. / 3, 1. / 3, 0, 1. / 3}, 0, 1e-6);
    ck_assert_hg(hg_set_grad(x, NULL));
    ck_assert_hg(hg_backward(hg_max_dim(x, 0, false, NULL)));
    test_equal(hg_grad(x), HG_SHAPE(5), ((double[]){0, 1, 0, 0, 0}));
    hg_tensor *z = test_tensor(HG_F32, HG_SHAPE(4), (double[]){1, NAN, 3, NAN});
    ck_assert_hg(hg_set_requires_grad(z, true));
    ck_assert_hg(hg_backward(hg_min(z)));
    test_equal(hg_grad(z), HG_SHAPE(4), ((double[]){0, 0.5, 0, 0.5}));
    hg_scope_end(s);
}
END_TEST

START_TEST(results_belong_to_the_caller_without_a_scope)
{
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 2), (double[]){1, 2, 4, 3}), *index;
    hg_tensor *y = hg_max_dim(x, 1, false, &index);
    test_equal(y, HG_SHAPE(2), ((double[]){2, 4}));
    test_equal(index, HG_SHAPE(2), ((double[]){1, 0}));
    hg_release(y);
    hg_release(index);
    hg_release(x);
}
END_TEST

START_TEST(impossible_ones_say_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 0)), *index;
    ck_assert(!hg_ok(hg_max(x)));
    test_error(HG_E_SHAPE, "max: Expected reduction dim to be specified for input.numel() == 0");
    ck_assert(!hg_ok(hg_max_dim(x, 1, false, &index)));
    ck_assert(!hg_ok(index));
    test_error(HG_E_SHAPE, "max: Expected reduction dim 1 to have non-zero size.");
    test_equal(hg_max_dim(x, 0, false, &index), HG_SHAPE(0), (NULL));
    ck_assert(!hg_ok(hg_argmax(x, 2, false)));
    test_error(HG_E_ARG, "argmax: Dimension out of range (expected to be in range of [-2, 1], but got 2)");
    ck_assert(!hg_ok(hg_max_dim(hg_cast(x, HG_BOOL), 0, false, NULL)));
    test_error(HG_E_DTYPE, "max: not for bool tensors");
    hg_scope_end(s);
}
END_TEST

Suite *extreme_suite(void)
{
    return TEST_SUITE("extreme", along_any_dim_the_first_of_equals_wins, the_first_nan_wins, of_all_elements,
                      gradients_agree_with_differences, ties_share_in_max_but_not_along_a_dim,
                      results_belong_to_the_caller_without_a_scope, impossible_ones_say_why);
}
