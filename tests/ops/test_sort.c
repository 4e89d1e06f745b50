/* sort, argsort, topk: against a stable sort in C, in every layout and dtype; NaN, gradients, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static bool before(double a, double b, bool descending)
{
    if (isnan(a) || isnan(b)) return descending ? isnan(a) && !isnan(b) : !isnan(a) && isnan(b);
    return descending ? a > b : a < b;
}

/* The first k of each line along dim, by insertion. */
static void reference(hg_shape shape, int dim, int64_t k, bool descending, const double *x, double *values,
                      double *places)
{
    int64_t n = shape.ndim ? shape.size[dim] : 1, inner = 1, lines;
    for (int d = dim + 1; d < shape.ndim; d++) inner *= shape.size[d];
    lines = n ? test_numel(shape) / n : 0;
    int64_t *at = malloc(sizeof *at * (size_t)(n + 1));
    for (int64_t l = 0; l < lines; l++) {
        int64_t base = l / inner * n * inner + l % inner, out = l / inner * k * inner + l % inner;
        for (int64_t i = 0, j; i < n; i++) {
            for (j = i; j > 0 && before(x[base + i * inner], x[base + at[j - 1] * inner], descending); j--)
                at[j] = at[j - 1];
            at[j] = i;
        }
        for (int64_t i = 0; i < k; i++) {
            values[out + i * inner] = x[base + at[i] * inner];
            places[out + i * inner] = (double)at[i];
        }
    }
    free(at);
}

/* Sort, argsort and topk of values with many equals. */
static void check(hg_dtype dtype, hg_shape shape, int dim, int layout, bool descending)
{
    hg_scope *s = hg_scope_begin(test_device());
    int64_t n = test_numel(shape), length = shape.ndim ? shape.size[dim] : 1;
    double *x = test_integers(n, 20), *values = test_values(n), *places = test_values(n);
    for (int64_t i = 0; i < n; i++) {
        if (dtype == HG_U8) x[i] = fabs(x[i]);
        if (dtype == HG_BOOL) x[i] = x[i] > 0;
        if (dtype <= HG_F64 && x[i] == 7) x[i] = NAN;
        if (dtype <= HG_F64 && x[i] == -9) x[i] = test_between(0, 1) ? INFINITY : -INFINITY;
    }
    hg_tensor *t = test_layout(layout, dtype, shape, x), *indices;
    reference(shape, dim, length, descending, x, values, places);
    hg_tensor *y = hg_sort(t, dim, descending, &indices);
    test_equal(y, shape, values);
    test_equal(indices, shape, places);
    ck_assert_int_eq(hg_tensor_dtype(y), dtype);
    ck_assert_int_eq(hg_tensor_dtype(indices), HG_I64);
    test_equal(hg_argsort(t, dim - shape.ndim, descending), shape, places);
    int64_t k = test_between(0, length);
    hg_shape top = shape;
    if (shape.ndim)
        top.size[dim] = k;
    else
        k = length;
    reference(shape, dim, k, descending, x, values, places);
    test_equal(hg_topk(t, k, dim, descending, &indices), top, values);
    test_equal(indices, top, places);
    free(x);
    free(values);
    free(places);
    hg_scope_end(s);
}

START_TEST(sorting_is_stable_along_every_dim_and_layout)
{
    for (int k = 0; k < 12; k++)
        check(HG_F32, HG_SHAPE(test_between(1, 6), test_between(1, 50), test_between(1, 20)), k % 3, k % TEST_LAYOUTS,
              k % 2);
    check(HG_F32, HG_SHAPE(16), 0, 0, false);
    check(HG_F32, HG_SHAPE(17), 0, 1, true);
    check(HG_F32, HG_SHAPE(test_between(1500, 3000)), 0, 3, false);
    check(HG_F32, HG_SHAPE(3, test_between(500, 1300)), 1, 0, true);
    check(HG_F32, HG_SCALAR, 0, 0, false);
    check(HG_F32, HG_SHAPE(0, 3), 1, 0, false);
    check(HG_F32, HG_SHAPE(3, 0), 1, 0, true);
}
END_TEST

START_TEST(sorting_takes_every_dtype)
{
    static const hg_dtype dtypes[] = {HG_I32, HG_I64, HG_U8, HG_BOOL, HG_F64};
    for (int k = 0; k < 4 + test_has_f64(); k++) check(dtypes[k], HG_SHAPE(4, 70), 1, k % TEST_LAYOUTS, k % 2);
}
END_TEST

/* Numbers from torch 1.13. */
START_TEST(nan_is_the_largest)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(7), (double[]){3, NAN, 1, 3, -INFINITY, NAN, INFINITY}), *indices;
    test_equal(hg_sort(x, 0, false, &indices), HG_SHAPE(7), ((double[]){-INFINITY, 1, 3, 3, INFINITY, NAN, NAN}));
    test_equal(indices, HG_SHAPE(7), ((double[]){4, 2, 0, 3, 6, 1, 5}));
    test_equal(hg_topk(x, 4, 0, true, &indices), HG_SHAPE(4), ((double[]){NAN, NAN, INFINITY, 3}));
    test_equal(indices, HG_SHAPE(4), ((double[]){1, 5, 6, 0}));
    test_equal(hg_topk(x, 2, 0, false, NULL), HG_SHAPE(2), ((double[]){-INFINITY, 1}));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *sorted(hg_tensor **in, int n, void *user)
{
    (void)n;
    int k = *(int *)user;
    return k < 2 ? hg_sort(in[0], k, k, NULL) : hg_topk(in[0], 2, k - 2, k == 2, NULL);
}

START_TEST(sorting_gradients_go_back_where_values_came_from)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(4 * 25);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(4, 25), v);
    for (int k = 0; k < 4; k++) test_gradient(sorted, &x, 1, &k);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(sorting_says_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 3)), *indices;
    ck_assert(!hg_ok(hg_topk(x, 4, 1, true, &indices)));
    ck_assert(!hg_ok(indices));
    test_error(HG_E_ARG, "topk: selected index k out of range: k is 4, dimension 1 has size 3");
    ck_assert(!hg_ok(hg_topk(x, -1, 1, true, NULL)));
    test_error(HG_E_ARG, "topk: selected index k out of range: k is -1");
    ck_assert(!hg_ok(hg_sort(x, 2, true, NULL)));
    test_error(HG_E_ARG, "sort: Dimension out of range (expected to be in range of [-2, 1], but got 2)");
    ck_assert(!hg_ok(hg_argsort(NULL, 0, true)));
    test_error(HG_E_ARG, "argsort: operand 0 is NULL");
    hg_scope_end(s);
}
END_TEST

Suite *sort_suite(void)
{
    return TEST_SUITE("sort", sorting_is_stable_along_every_dim_and_layout, sorting_takes_every_dtype,
                      nan_is_the_largest, sorting_gradients_go_back_where_values_came_from, sorting_says_what_is_wrong);
}
