/* Sorting, running sums, elements by index, borders, sizes. */
#include <math.h>
#include <stdlib.h>

#include "smoke.h"

/* Twenty different numbers in a mixed order: the k-th of them. */
static double mixed(int64_t k)
{
    return (double)(k * 7 % 20);
}

START_TEST(sorting)
{
    enum { ROWS = 2, N = 20 };
    double x[ROWS * N], y[ROWS * N], at[ROWS * N], dx[ROWS * N];
    for (int i = 0; i < ROWS * N; i++) {
        int64_t row = i / N * N, place = i % N, from = place * 3 % N;   /* 7 * 3 = 21 = 1 modulo 20 */
        x[i] = mixed(i % N);
        y[i] = (double)place;
        at[i] = (double)from;
        dx[row + from] = (double)(i + 1);
    }
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(ROWS, N), x), *indices, *largest;
    ck_assert_hg(hg_set_requires_grad(t, true));
    hg_tensor *sorted = hg_sort(t, 1, false, &indices);
    ck_assert_hg(hg_backward_with(
        sorted, hg_reshape(hg_arange(test_device(), HG_F32, 1, ROWS * N + 1, 1), HG_SHAPE(ROWS, N)), false));
    test_equal(sorted, HG_SHAPE(ROWS, N), y);
    test_equal(indices, HG_SHAPE(ROWS, N), at);
    test_equal(hg_grad(t), HG_SHAPE(ROWS, N), dx);
    test_equal(hg_topk(hg_detach(t), 3, 1, true, &largest), HG_SHAPE(ROWS, 3), ((double[]){19, 18, 17, 19, 18, 17}));
    hg_scope_end(s);
}
END_TEST

START_TEST(running_sums)
{
    double *x = smoke_values(2 * 300, 1), *g = smoke_values(2 * 300, 2), dx[600];
    for (int i = 599; i >= 0; i--) dx[i] = g[i] + (i % 300 == 299 ? 0 : dx[i + 1]);
    for (int i = 0; i < 600; i++) x[i] += i % 300 ? x[i - 1] : 0;
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = smoke_leaf(HG_F32, HG_SHAPE(2, 300), 1), *y = hg_cumsum(t, 1);
    smoke_backward(y, 2);
    test_equal(y, HG_SHAPE(2, 300), x);
    test_equal(hg_grad(t), HG_SHAPE(2, 300), dx);
    hg_scope_end(s);
    free(x);
    free(g);
}
END_TEST

START_TEST(elements_by_index)
{
    const double x[6] = {1, 2, 3, 4, 5, 6};
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(2, 3), x), *at = test_tensor(HG_I64, HG_SHAPE(3), (double[]){2, 0, 2});
    ck_assert_hg(hg_set_requires_grad(t, true));
    hg_tensor *y = hg_index_select(t, 1, at);
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, HG_SHAPE(2, 3), x), false));
    test_equal(y, HG_SHAPE(2, 3), ((double[]){3, 1, 3, 6, 4, 6}));
    test_equal(hg_grad(t), HG_SHAPE(2, 3), ((double[]){2, 0, 4, 5, 0, 10}));
    hg_tensor *places = test_tensor(HG_I64, HG_SHAPE(1, 3), (double[]){1, 0, 1});
    test_equal(hg_gather(hg_detach(t), 0, places), HG_SHAPE(1, 3), ((double[]){4, 2, 6}));
    hg_scope_end(s);
}
END_TEST

START_TEST(borders)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(1, 1, 3), (double[]){1, 2, 3});
    const double expected[4][7] = {
        {9, 9, 1, 2, 3, 9, 9}, {3, 2, 1, 2, 3, 2, 1}, {1, 1, 1, 2, 3, 3, 3}, {2, 3, 1, 2, 3, 1, 2}};
    for (int mode = HG_PAD_CONSTANT; mode <= HG_PAD_CIRCULAR; mode++) {
        hg_tensor *x = hg_clone(t);
        ck_assert_hg(hg_set_requires_grad(x, true));
        hg_tensor *y = hg_pad(x, HG_PADS(2, 2), (hg_pad_mode)mode, 9);
        ck_assert_hg(hg_backward_with(y, hg_full(test_device(), HG_F32, HG_SHAPE(1, 1, 7), 1), false));
        test_equal(y, HG_SHAPE(1, 1, 7), expected[mode]);
        test_equal(hg_sum(hg_grad(x), HG_ALL, false), HG_SCALAR, ((double[]){mode == HG_PAD_CONSTANT ? 3 : 7}));
    }
    hg_scope_end(s);
}
END_TEST

/* Twice the size: nearest doubles each element; the mean of bilinear weights is one. */
START_TEST(sizes)
{
    double *x = smoke_values(SMOKE_N, 1), y[SMOKE_N * 4];
    for (int i = 0; i < SMOKE_N * 4; i++) y[i] = x[i / 256 * 64 + i / 32 % 8 * 8 + i % 16 / 2];
    for (int bilinear = 0; bilinear < 2; bilinear++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_interpolate_options o = HG_INTERPOLATE_DEFAULTS;
        o.size[0] = 16;
        o.mode = bilinear ? HG_INTERPOLATE_BILINEAR : HG_INTERPOLATE_NEAREST;
        hg_tensor *t = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *z = hg_interpolate(t, &o);
        ck_assert_hg(hg_backward_with(z, hg_full(test_device(), HG_F32, HG_SHAPE(2, 3, 16, 16), 1), false));
        if (!bilinear) test_equal(z, HG_SHAPE(2, 3, 16, 16), y);
        if (bilinear) {     /* an inner element: 9 : 3 : 3 : 1 of four */
            double *v = test_read(z);
            ck_assert(fabs(v[17] - (9 * x[0] + 3 * x[1] + 3 * x[8] + x[9]) / 16) < 1e-6);
            free(v);
        }
        test_close(hg_sum(hg_grad(t), HG_ALL, false), HG_SCALAR, ((double[]){SMOKE_N * 4}), 1e-3, 0);
        hg_scope_end(s);
    }
    free(x);
}
END_TEST

Suite *order_suite(void)
{
    return TEST_SUITE("order", sorting, running_sums, elements_by_index, borders, sizes);
}
