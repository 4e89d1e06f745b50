/* Convolution by each solver that needs no matrix product, pooling, normalisation, dropout. */
#include <math.h>
#include <stdlib.h>

#include "conv/solver.h"
#include "smoke.h"

static const char *const problems[] = {
    "fwd 2x3x8x8 4x3x3 p1x1 bias relu",
    "fwd 1x4x9x8 4x3x3 s2x2 p1x1 g2",
    "fwd 2x2x9 3x3 p1",
    "fwd 1x2x3x4x4 2x2x2x2",
};

START_TEST(direct_convolution)
{
    SMOKE_CONVOLUTIONS(hg_conv_direct, problems, 0);
}
END_TEST

START_TEST(implicit_gemm_convolution)
{
    SMOKE_CONVOLUTIONS(hg_conv_implicit_gemm, problems, 0);
}
END_TEST

START_TEST(convolution_in_lines)
{
    SMOKE_CONVOLUTIONS(hg_conv_lines, problems, 0);
}
END_TEST

START_TEST(depthwise_convolution)
{
    static const char *const depthwise[] = {"fwd 2x3x8x8 6x3x3 p1x1 g3 bias relu", "fwd 1x4x9x8 4x3x3 s2x2 p1x1 g4",
                                            "fwd 2x2x9 2x3 p1 d2 g2", "fwd 1x2x3x4x4 2x2x2x2 g2"};
    SMOKE_CONVOLUTIONS(hg_conv_depthwise, depthwise, 0);
}
END_TEST

/* y of each 2 x 2 window of planes of 8 x 8, side by side; which: the place of the maximum. */
static void windows(const double *x, int64_t planes, double *most, double *mean, int *which)
{
    for (int64_t i = 0; i < planes * 16; i++) {
        const double *p = x + i / 16 * 64 + i / 4 % 4 * 16 + i % 4 * 2, v[4] = {p[0], p[1], p[8], p[9]};
        which[i] = 0;
        for (int k = 1; k < 4; k++)
            if (v[k] > v[which[i]]) which[i] = k;
        most[i] = v[which[i]];
        mean[i] = (v[0] + v[1] + v[2] + v[3]) / 4;
    }
}

START_TEST(pooling)
{
    enum { OUT = SMOKE_N / 4 };
    double *x = smoke_values(SMOKE_N, 1), *g = smoke_values(OUT, 2), most[OUT], mean[OUT], dmost[SMOKE_N] = {0},
           dmean[SMOKE_N];
    double places[OUT];
    int which[OUT];
    hg_shape out = HG_SHAPE(2, 3, 4, 4);
    windows(x, 6, most, mean, which);
    for (int i = 0; i < OUT; i++) {
        int first = i / 16 * 64 + i / 4 % 4 * 16 + i % 4 * 2;
        for (int k = 0; k < 4; k++) dmean[first + k / 2 * 8 + k % 2] = g[i] / 4;
        dmost[first + which[i] / 2 * 8 + which[i] % 2] = g[i];
        places[i] = first % 64 + which[i] / 2 * 8 + which[i] % 2;
    }
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *b = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *at;
    hg_tensor *c = smoke_leaf(HG_F32, SMOKE_SHAPE, 1);
    hg_tensor *y = hg_max_pool2d(a, NULL, &at), *z = hg_avg_pool2d(b, NULL), *w = hg_adaptive_avg_pool2d(c, 4, 4);
    smoke_backward(y, 2);
    smoke_backward(z, 2);
    smoke_backward(w, 2);
    test_equal(y, out, most);
    test_equal(at, out, places);
    test_close(z, out, mean, 0, smoke_division(HG_F32));
    test_close(w, out, mean, 0, smoke_division(HG_F32));
    test_equal(hg_grad(a), SMOKE_SHAPE, dmost);
    test_close(hg_grad(b), SMOKE_SHAPE, dmean, 0, smoke_division(HG_F32));
    test_close(hg_grad(c), SMOKE_SHAPE, dmean, 0, smoke_division(HG_F32));
    hg_scope_end(s);
    free(x);
    free(g);
}
END_TEST

/* Windows that overlap, reach over the edge and leave gaps. */
START_TEST(max_pooling_of_any_window)
{
    double *x = smoke_values(SMOKE_N, 1), y[2 * 3 * 4 * 4];
    for (int i = 0; i < 96; i++) {
        y[i] = -INFINITY;
        for (int k = 0; k < 9; k++) {
            int u = i / 4 % 4 * 2 - 1 + k / 3, v = i % 4 * 2 - 1 + k % 3;
            if (u >= 0 && v >= 0 && u < 8 && v < 8) y[i] = fmax(y[i], x[i / 16 * 64 + u * 8 + v]);
        }
    }
    hg_scope *s = hg_scope_begin(test_device());
    hg_pool_options o = HG_POOL_DEFAULTS;
    for (int d = 0; d < 2; d++) o.kernel[d] = 3, o.stride[d] = 2, o.padding[d] = 1;
    hg_tensor *leaf = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *t = hg_max_pool2d(leaf, &o, NULL), *sum;
    ck_assert_hg(hg_backward_with(t, hg_full(test_device(), HG_F32, HG_SHAPE(2, 3, 4, 4), 1), false));
    test_equal(t, HG_SHAPE(2, 3, 4, 4), y);
    test_equal(hg_max_pool2d(hg_detach(leaf), &o, NULL), HG_SHAPE(2, 3, 4, 4), y);
    sum = hg_sum(hg_grad(leaf), HG_DIMS(0, 1, 2, 3), false);
    test_equal(sum, HG_SCALAR, ((double[]){96}));
    hg_scope_end(s);
    free(x);
}
END_TEST

/* Training: y = (x - mean) / sqrt(var + eps) weight + bias over 128 values a channel, and its gradients. */
START_TEST(batch_normalisation)
{
    enum { M = SMOKE_N / 3 };
    double *x = smoke_values(SMOKE_N, 1), *g = smoke_values(SMOKE_N, 2), y[SMOKE_N], dx[SMOKE_N], db[3] = {0},
           dw[3] = {0};
    double mean[3] = {0}, var[3] = {0}, w[3] = {1, 2, 0.5}, b[3] = {0, 1, -1}, rm[3], rv[3];
    for (int i = 0; i < SMOKE_N; i++) mean[i / 64 % 3] += x[i] / M;
    for (int i = 0; i < SMOKE_N; i++) var[i / 64 % 3] += (x[i] - mean[i / 64 % 3]) * (x[i] - mean[i / 64 % 3]) / M;
    for (int i = 0; i < SMOKE_N; i++) {
        int c = i / 64 % 3;
        double xh = (x[i] - mean[c]) / sqrt(var[c] + 1e-5);
        y[i] = xh * w[c] + b[c];
        db[c] += g[i];
        dw[c] += g[i] * xh;
    }
    for (int i = 0; i < SMOKE_N; i++) {
        int c = i / 64 % 3;
        double inv = 1 / sqrt(var[c] + 1e-5), xh = (x[i] - mean[c]) * inv;
        dx[i] = w[c] * inv * (g[i] - db[c] / M - xh * dw[c] / M);
    }
    for (int c = 0; c < 3; c++) rm[c] = 0.1 * mean[c], rv[c] = 0.9 + 0.1 * var[c] * M / (M - 1);
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *tw = test_tensor(HG_F32, HG_SHAPE(3), w);
    hg_tensor *tb = test_tensor(HG_F32, HG_SHAPE(3), b), *running = hg_zeros(test_device(), HG_F32, HG_SHAPE(3));
    hg_tensor *variance = hg_full(test_device(), HG_F32, HG_SHAPE(3), 1);
    ck_assert_hg(hg_set_requires_grad(tw, true));
    ck_assert_hg(hg_set_requires_grad(tb, true));
    hg_tensor *out = hg_batch_norm(t, running, variance, tw, tb, true, 0.1, 1e-5);
    smoke_backward(out, 2);
    test_close(out, SMOKE_SHAPE, y, 2e-6, 2e-6);
    test_close(hg_grad(t), SMOKE_SHAPE, dx, 1e-5, 1e-5);
    test_close(hg_grad(tw), HG_SHAPE(3), dw, 1e-4, 1e-5);
    test_close(hg_grad(tb), HG_SHAPE(3), db, 0, 0);
    test_close(running, HG_SHAPE(3), rm, 1e-6, 1e-6);
    test_close(variance, HG_SHAPE(3), rv, 0, 2e-6);
    hg_tensor *again = hg_batch_norm(t, running, variance, tw, tb, false, 0.1, 1e-5);
    for (int i = 0; i < SMOKE_N; i++)
        y[i] = (x[i] - rm[i / 64 % 3]) / sqrt(rv[i / 64 % 3] + 1e-5) * w[i / 64 % 3] + b[i / 64 % 3];
    smoke_backward(again, 2);
    test_close(again, SMOKE_SHAPE, y, 2e-6, 2e-6);
    hg_scope_end(s);
    free(x);
    free(g);
}
END_TEST

/* The three at once are the three one after the other. */
START_TEST(batch_norm_relu_pool)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *weight = test_tensor(HG_F32, HG_SHAPE(3), (double[]){1, 2, -0.5}),
              *bias = hg_zeros(dev, HG_F32, HG_SHAPE(3));
    hg_pool_options pool = HG_POOL_DEFAULTS;
    for (int training = 0; training < 2; training++) {
        hg_tensor *a = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *b = smoke_leaf(HG_F32, SMOKE_SHAPE, 1);
        hg_tensor *mean = hg_zeros(dev, HG_F32, HG_SHAPE(3)), *var = hg_full(dev, HG_F32, HG_SHAPE(3), 1);
        hg_tensor *y = hg_batch_norm_relu(a, mean, var, weight, bias, training, 0.1, 1e-5, &pool);
        ck_assert_hg(hg_fill_(mean, 0));
        ck_assert_hg(hg_fill_(var, 1));
        hg_tensor *z =
            hg_max_pool2d(hg_relu(hg_batch_norm(b, mean, var, weight, bias, training, 0.1, 1e-5)), &pool, NULL);
        smoke_backward(y, 2);
        smoke_backward(z, 2);
        double *v = test_read(z), *d = test_read(hg_grad(b));
        test_close(y, HG_SHAPE(2, 3, 4, 4), v, 1e-6, 1e-6);
        test_close(hg_grad(a), SMOKE_SHAPE, d, 1e-5, 1e-5);
        free(v);
        free(d);
    }
    hg_scope_end(s);
}
END_TEST

/* Each image's values by their own mean and variance: as layers of 192, and as one group of all channels. */
START_TEST(rows_normalised)
{
    enum { ROW = SMOKE_N / 2 };
    double *x = smoke_values(SMOKE_N, 1), *g = smoke_values(SMOKE_N, 2), y[SMOKE_N], dx[SMOKE_N];
    for (int r = 0; r < 2; r++) {
        double mean = 0, var = 0, sum = 0, dot = 0;
        for (int i = r * ROW; i < (r + 1) * ROW; i++) mean += x[i] / ROW;
        for (int i = r * ROW; i < (r + 1) * ROW; i++) var += (x[i] - mean) * (x[i] - mean) / ROW;
        for (int i = r * ROW; i < (r + 1) * ROW; i++) {
            y[i] = (x[i] - mean) / sqrt(var + 1e-5);
            sum += g[i] / ROW;
            dot += g[i] * y[i] / ROW;
        }
        for (int i = r * ROW; i < (r + 1) * ROW; i++) dx[i] = (g[i] - sum - y[i] * dot) / sqrt(var + 1e-5);
    }
    for (int groups = 0; groups < 2; groups++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *t = smoke_leaf(HG_F32, SMOKE_SHAPE, 1);
        hg_tensor *z =
            groups ? hg_group_norm(t, 1, NULL, NULL, 1e-5) : hg_layer_norm(t, HG_SHAPE(3, 8, 8), NULL, NULL, 1e-5);
        smoke_backward(z, 2);
        test_close(z, SMOKE_SHAPE, y, 2e-6, 2e-6);
        test_close(hg_grad(t), SMOKE_SHAPE, dx, 1e-5, 1e-5);
        hg_scope_end(s);
    }
    free(x);
    free(g);
}
END_TEST

/* Whole channels, or single elements, are 0 or doubled, and their gradients with them. */
START_TEST(dropping_out)
{
    for (int channels = 0; channels < 2; channels++) {
        hg_scope *s = hg_scope_begin(test_device());
        double *x = smoke_values(SMOKE_N, 1), *g = smoke_values(SMOKE_N, 2);
        hg_tensor *t = smoke_leaf(HG_F32, SMOKE_SHAPE, 1);
        hg_tensor *y = channels ? hg_dropout2d(t, 0.5, true) : hg_dropout(t, 0.5, true);
        smoke_backward(y, 2);
        double *v = test_read(y), *d = test_read(hg_grad(t));
        bool kept = false;
        for (int i = 0; i < SMOKE_N; i++) {
            if (!channels || i % 64 == 0) kept = d[i] != 0 || (g[i] == 0 && v[i] != 0) || (channels && d[i + 1] != 0);
            if (x[i] == 0 || g[i] == 0) continue;
            ck_assert(v[i] == (kept ? 2 * x[i] : 0) && d[i] == (kept ? 2 * g[i] : 0));
        }
        hg_scope_end(s);
        free(x);
        free(g);
        free(v);
        free(d);
    }
}
END_TEST

Suite *layers_suite(void)
{
    return TEST_SUITE("layers", direct_convolution, implicit_gemm_convolution, convolution_in_lines,
                      depthwise_convolution, pooling, max_pooling_of_any_window,
                      batch_normalisation, batch_norm_relu_pool, rows_normalised, dropping_out);
}
