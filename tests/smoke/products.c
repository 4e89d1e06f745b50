/* Matrix products, and what is made of them. On GPUs that CLBlast is tuned for they are its. */
#include <stdlib.h>
#include <string.h>

#include "conv/solver.h"
#include "conv_reference.h"
#include "smoke.h"

/* c (m x n) = a (m x k) b (k x n), any of them read as transposed. */
static void product(int m, int n, int k, const double *a, bool at, const double *b, bool bt, double *c)
{
    for (int i = 0; i < m * n; i++) {
        c[i] = 0;
        for (int j = 0; j < k; j++)
            c[i] += a[at ? j * m + i / n : i / n * k + j] * b[bt ? i % n * k + j : j * n + i % n];
    }
}

START_TEST(matrix_product)
{
    enum { M = 5, N = 6, K = 7 };
    double *a = smoke_values(M * K, 1), *b = smoke_values(K * N, 3), *g = smoke_values(M * N, 2), c[M * N], da[M * K],
           db[K * N];
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = smoke_leaf(HG_F32, HG_SHAPE(M, K), 1), *y = smoke_leaf(HG_F32, HG_SHAPE(K, N), 3),
              *z = hg_matmul(x, y);
    smoke_backward(z, 2);
    product(M, N, K, a, false, b, false, c);
    product(M, K, N, g, false, b, true, da);
    product(K, N, M, a, true, g, false, db);
    test_equal(z, HG_SHAPE(M, N), c);
    test_equal(hg_grad(x), HG_SHAPE(M, K), da);
    test_equal(hg_grad(y), HG_SHAPE(K, N), db);
    hg_scope_end(s);
    free(a);
    free(b);
    free(g);
}
END_TEST

START_TEST(linear)
{
    enum { M = 4, N = 3, K = 9 };
    double *a = smoke_values(M * K, 1), *w = smoke_values(N * K, 3), *b = smoke_values(N, 4),
           *g = smoke_values(M * N, 2), y[M * N];
    double dx[M * K], dw[N * K], db[N] = {0};
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = smoke_leaf(HG_F32, HG_SHAPE(M, K), 1), *tw = smoke_leaf(HG_F32, HG_SHAPE(N, K), 3);
    hg_tensor *tb = smoke_leaf(HG_F32, HG_SHAPE(N), 4), *t = hg_linear(x, tw, tb);
    smoke_backward(t, 2);
    product(M, N, K, a, false, w, true, y);
    product(M, K, N, g, false, w, false, dx);
    product(N, K, M, g, true, a, false, dw);
    for (int i = 0; i < M * N; i++) y[i] += b[i % N], db[i % N] += g[i];
    test_equal(t, HG_SHAPE(M, N), y);
    test_equal(hg_grad(x), HG_SHAPE(M, K), dx);
    test_equal(hg_grad(tw), HG_SHAPE(N, K), dw);
    test_equal(hg_grad(tb), HG_SHAPE(N), db);
    hg_scope_end(s);
    free(a);
    free(w);
    free(b);
    free(g);
}
END_TEST

/* conv2d with gradients of input, weight and bias, by columns and a product. */
START_TEST(convolution_by_columns)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 2x3x8x8 4x3x3 p1x1 bias", &p));
    double *x = smoke_values(SMOKE_N, 1), *w = smoke_values(108, 2), *b = smoke_values(4, 4), *y = smoke_values(512, 0);
    double *g = smoke_values(512, 3), *dx = smoke_values(SMOKE_N, 0), *dw = smoke_values(108, 0), db[4] = {0};
    test_conv_reference(&p, x, w, y);
    for (int i = 0; i < 512; i++) y[i] += b[i / 64 % 4], db[i / 64 % 4] += g[i];
    p.direction = HG_CONV_BACKWARD_DATA;
    test_conv_reference(&p, dx, w, g);
    p.direction = HG_CONV_BACKWARD_WEIGHTS;
    test_conv_reference(&p, x, dw, g);
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.padding[0] = 1;
    hg_tensor *tx = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *tw = smoke_leaf(HG_F32, HG_SHAPE(4, 3, 3, 3), 2);
    hg_tensor *tb = smoke_leaf(HG_F32, HG_SHAPE(4), 4);
    ck_assert_int_eq(setenv("HAPGOP_CONV", hg_conv_im2col.name, 1), 0);
    hg_tensor *t = hg_conv2d(tx, tw, tb, &o);
    smoke_backward(t, 3);
    unsetenv("HAPGOP_CONV");
    test_equal(t, HG_SHAPE(2, 4, 8, 8), y);
    test_equal(hg_grad(tx), SMOKE_SHAPE, dx);
    test_equal(hg_grad(tw), HG_SHAPE(4, 3, 3, 3), dw);
    test_equal(hg_grad(tb), HG_SHAPE(4), db);
    hg_scope_end(s);
    double *all[] = {x, w, b, y, g, dx, dw};
    for (int i = 0; i < 7; i++) free(all[i]);
}
END_TEST

/* Tiles of 4 x 4 and 2 x 2 outputs, and of 4 and 2, cut short at the edges. */
static const char *const tiled[] = {"fwd 2x8x9x8 9x3x3 p1x1 bias relu", "fwd 1x9x6x5 8x3x3", "fwd 2x8x11 9x3 p1 bias",
                                    "fwd 1x8x6x10 8x3x3 p1x1"};

START_TEST(winograd_convolution)
{
    SMOKE_CONVOLUTIONS(hg_conv_winograd_f4x4, tiled, 2e-6);
}
END_TEST

/* Stride 2, a kernel of 5, three dimensions. */
static const char *const more_tiled[] = {"fwd 1x8x6x5 9x3x3 s2x2 p1x1 bias", "fwd 1x9x4x3 8x5x5 p2x2",
                                         "fwd 1x8x2x4x3 8x2x3x3 p0x1x1 relu"};

START_TEST(winograd_convolution_that_only_cpus_do)
{
    SMOKE_CONVOLUTIONS(hg_conv_winograd_f4x4, more_tiled, 2e-6);
}
END_TEST

START_TEST(winograd_convolution_by_small_tiles)
{
    SMOKE_CONVOLUTIONS(hg_conv_winograd_f2x2, tiled, 0);
}
END_TEST

START_TEST(convolution_by_kernels_of_1)
{
    static const char *const problems[] = {"fwd 2x3x8x8 5x1x1 bias relu", "fwd 2x4x9x8 6x1x1 s2x2 p1x0 g2"};
    SMOKE_CONVOLUTIONS(hg_conv_gemm_1x1, problems, 0);
}
END_TEST

/* One dimension, and no workspace for large tiles: others take an interpreter minutes. */
START_TEST(convolution_by_transforms)
{
    static const char *const problems[] = {"fwd 2x3x20 4x5 p2 bias relu w30000"};
    SMOKE_CONVOLUTIONS(hg_conv_fft, problems, 1e-6);
}
END_TEST

Suite *products_suite(void)
{
    return TEST_SUITE("products", matrix_product, linear, convolution_by_columns, winograd_convolution,
                      winograd_convolution_that_only_cpus_do, winograd_convolution_by_small_tiles,
                      convolution_by_kernels_of_1, convolution_by_transforms);
}
