/* index_select and gather: exact values and gradients in every layout, indices out of range, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

typedef struct lines {
    int64_t outer, length, inner;
} lines;

static lines lines_of(hg_shape shape, int dim)
{
    lines l = {1, shape.size[dim], 1};
    for (int d = 0; d < shape.ndim; d++)
        *(d < dim ? &l.outer : d > dim ? &l.inner : &l.length) *= d == dim ? 1 : shape.size[d];
    return l;
}

/* Values and gradient of small integers, exactly. `index` has `count` entries, or (gather) one for each result. */
static void check(hg_dtype dtype, hg_shape shape, int dim, int64_t count, bool select, int layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    lines l = lines_of(shape, dim);
    hg_shape out = shape;
    out.size[dim] = count;
    int64_t n = test_numel(shape), m = test_numel(out), indices = select ? count : m;
    double *x = test_integers(n, 50), *dy = test_integers(m, 50), *y = test_values(m), *dx = calloc((size_t)n + 1, 8);
    double *index = test_values(indices);
    for (int64_t i = 0; i < n; i++)
        if (dtype == HG_BOOL || dtype == HG_U8) x[i] = dtype == HG_BOOL ? x[i] > 0 : fabs(x[i]);
    for (int64_t i = 0; i < indices; i++) index[i] = (double)test_between(0, l.length - 1);
    for (int64_t i = 0; i < m; i++) {
        int64_t row = i / l.inner, o = row / count, k = row % count;
        int64_t from = (o * l.length + (int64_t)index[select ? k : i]) * l.inner + i % l.inner;
        y[i] = x[from];
        dx[from] += dy[i];
    }
    hg_tensor *t = test_layout(layout, dtype, shape, x);
    hg_tensor *where = test_layout(select ? layout % 2 : 3 - layout, HG_I64, select ? HG_SHAPE(count) : out, index);
    if (dtype == HG_F32) ck_assert_hg(hg_set_requires_grad(t, true));
    hg_tensor *got = select ? hg_index_select(t, dim, where) : hg_gather(t, dim - shape.ndim, where);
    test_equal(got, out, y);
    if (dtype == HG_F32) {
        ck_assert_hg(hg_backward_with(got, test_layout(3 - layout, HG_F32, out, dy), false));
        test_equal(hg_grad(t), shape, dx);
    }
    free(x);
    free(dy);
    free(y);
    free(dx);
    free(index);
    hg_scope_end(s);
}

START_TEST(elements_by_index_along_every_dim_and_layout)
{
    static const hg_dtype others[] = {HG_I32, HG_I64, HG_U8, HG_BOOL};
    for (int k = 0; k < 24; k++)
        check(HG_F32, HG_SHAPE(test_between(1, 6), test_between(1, 9), test_between(1, 20)), k % 3, test_between(1, 40),
              k % 2, k % TEST_LAYOUTS);
    for (int k = 0; k < 8; k++) check(others[k / 2], HG_SHAPE(3, 7), k / 4, 5, k % 2, k % TEST_LAYOUTS);
    check(HG_F32, HG_SHAPE(3), 0, 2000, true, 0);
    check(HG_F32, HG_SHAPE(100, 10), 1, 1, false, 0);
    check(HG_F32, HG_SHAPE(4, 5), 1, 0, true, 0);
    check(HG_F32, HG_SHAPE(4, 5), 0, 0, false, 0);
}
END_TEST

START_TEST(gather_may_look_at_a_part)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(3, 4), (double[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    ck_assert_hg(hg_set_requires_grad(x, true));
    hg_tensor *y = hg_gather(x, 0, test_tensor(HG_I64, HG_SHAPE(4, 2), (double[]){2, 0, 2, 1, 0, 0, 2, 2}));
    test_equal(y, HG_SHAPE(4, 2), ((double[]){8, 1, 8, 5, 0, 1, 8, 9}));
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, HG_SHAPE(4, 2), (double[]){1, 2, 3, 4, 5, 6, 7, 8}), false));
    test_equal(hg_grad(x), HG_SHAPE(3, 4), ((double[]){5, 8, 0, 0, 0, 4, 0, 0, 11, 8, 0, 0}));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *by_index(hg_tensor **in, int n, void *user)
{
    (void)n;
    return hg_mul(hg_index_select(in[0], 1, ((hg_tensor **)user)[0]), hg_gather(in[0], 1, ((hg_tensor **)user)[1]));
}

START_TEST(index_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(12);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(3, 4), v);
    hg_tensor *user[] = {test_tensor(HG_I64, HG_SHAPE(3), (double[]){3, 1, 3}),
                         test_tensor(HG_I64, HG_SHAPE(3, 3), (double[]){0, 0, 1, 3, 2, 3, 1, 1, 1})};
    test_gradient(by_index, &x, 1, user);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(an_index_out_of_range_is_found_and_touches_nothing)
{
    static const double wrong[] = {3, -1, 1e15};
    for (int k = 0; k < 6; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(3), (double[]){1, 2, 3});
        hg_tensor *index = test_tensor(HG_I64, HG_SHAPE(3), (double[]){2, wrong[k / 2], 0});
        ck_assert_hg(hg_set_requires_grad(x, true));
        hg_tensor *y = k % 2 ? hg_gather(x, 0, index) : hg_index_select(x, 0, index);
        ck_assert_hg(hg_backward(hg_sum(y, HG_ALL, false)));
        ck_assert_int_lt(hg_sync(test_device()), 0);
        test_error(HG_E_ARG, k / 2 == 0   ? "index 3 is out of bounds for dimension with size 3 (element 1)"
                             : k / 2 == 1 ? "index -1 is out of bounds"
                                          : "index 2147483647 is out of bounds");
        test_equal(y, HG_SHAPE(3), ((double[]){3, 0, 1}));
        test_equal(hg_grad(x), HG_SHAPE(3), ((double[]){1, 0, 1}));
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(indexing_says_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(2, 3)), *one = hg_zeros(dev, HG_I64, HG_SHAPE(1));
    hg_tensor *wide = hg_zeros(dev, HG_I64, HG_SHAPE(1, 4)), *scalar = hg_zeros(dev, HG_F32, HG_SCALAR);
    ck_assert(!hg_ok(hg_index_select(x, 1, wide)));
    test_error(HG_E_SHAPE, "index_select: Index is supposed to be a vector, got shape [1, 4]");
    ck_assert(!hg_ok(hg_index_select(x, 2, one)));
    test_error(HG_E_ARG, "index_select: Dimension out of range (expected to be in range of [-2, 1], but got 2)");
    ck_assert(!hg_ok(hg_index_select(scalar, 0, one)));
    test_error(HG_E_SHAPE, "index_select: cannot be applied to a 0-dim tensor");
    ck_assert(!hg_ok(hg_gather(x, 0, x)));
    test_error(HG_E_DTYPE, "gather: Expected dtype int64 for index, got float32; hg_cast it");
    ck_assert(!hg_ok(hg_gather(x, 0, one)));
    test_error(HG_E_SHAPE, "gather: Index tensor must have the same number of dimensions as input tensor");
    ck_assert(!hg_ok(hg_gather(x, 0, wide)));
    test_error(HG_E_SHAPE,
               "gather: Size does not match at dimension 1 expected index [1, 4] to be smaller than self [2, 3] "
               "apart from dimension 0");
    hg_scope_end(s);
}
END_TEST

Suite *index_suite(void)
{
    return TEST_SUITE("index", elements_by_index_along_every_dim_and_layout, gather_may_look_at_a_part,
                      index_gradients_agree_with_differences, an_index_out_of_range_is_found_and_touches_nothing,
                      indexing_says_what_is_wrong);
}
