/* Pooling: PyTorch's values, indices and gradients, random shapes against plain loops, NaN and padding, errors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"

/* As in tests/oracle/pool.py. */
static const hg_pool_options maxima[] = {
    {{2, 2}, {2, 2}, {0, 0}, {1, 1}, false, true, 0}, {{2, 2}, {0, 0}, {0, 0}, {1, 1}, true, true, 0},
    {{3, 3}, {2, 2}, {1, 1}, {1, 1}, false, true, 0}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, true, true, 0},
    {{3, 2}, {1, 2}, {1, 1}, {1, 1}, false, true, 0}, {{3, 3}, {1, 1}, {1, 1}, {2, 2}, false, true, 0},
    {{2, 3}, {3, 2}, {0, 1}, {3, 1}, true, true, 0},  {{5, 5}, {5, 4}, {2, 2}, {1, 1}, true, true, 0},
    {{17, 17}, {1, 1}, {8, 8}, {1, 1}, false, true, 0}, {{1, 1}, {3, 3}, {0, 0}, {1, 1}, false, true, 0},
    {{2, 2}, {3, 5}, {0, 0}, {1, 1}, true, true, 0},
};
static const hg_pool_options averages[] = {
    {{2, 2}, {2, 2}, {0, 0}, {1, 1}, false, true, 0}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, false, true, 0},
    {{3, 3}, {2, 2}, {1, 1}, {1, 1}, true, false, 0}, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, true, true, 0},
    {{5, 4}, {3, 4}, {2, 1}, {1, 1}, true, true, 0},  {{3, 2}, {1, 3}, {1, 1}, {1, 1}, true, true, 7},
    {{4, 4}, {6, 6}, {0, 0}, {1, 1}, true, false, 0},
};
static const int64_t adaptive[][2] = {{1, 1}, {7, 7}, {0, 22}, {2, 3}, {30, 5}};
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static void agrees(hg_tensor *t, const char *kind, const char *what, int i, double tolerance)
{
    char name[64];
    hg_shape shape;
    snprintf(name, sizeof name, "pool/%s_%s_%d", kind, what, i);
    double *v = test_golden_values(name, &shape);
    test_close(t, shape, v, tolerance, tolerance);
    free(v);
}

/* 1, 1.5, 2, ... as the gradient that comes in. */
static void go_back(hg_tensor *y, int layout)
{
    int64_t n = hg_numel(y);
    double *g = test_values(n);
    for (int64_t k = 0; k < n; k++) g[k] = 1 + .5 * (double)k;
    ck_assert_hg(hg_backward_with(y, test_layout(layout, HG_F32, hg_tensor_shape(y), g), false));
    free(g);
}

START_TEST(max_pooling_gives_pytorchs_values_indices_and_gradients)
{
    hg_shape shape;
    double *x = test_golden_values("pool/x", &shape);
    for (int i = 0; i < COUNT(maxima); i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *t = test_layout(i % TEST_LAYOUTS, HG_F32, shape, x), *indices;
        ck_assert_hg(hg_set_requires_grad(t, true));
        hg_tensor *y = hg_max_pool2d(t, &maxima[i], i % 2 ? NULL : &indices);
        agrees(y, "max", "y", i, 0);
        if (i % 2 == 0) {
            ck_assert_int_eq(hg_tensor_dtype(indices), HG_I64);
            agrees(indices, "max", "indices", i, 0);
        }
        go_back(y, (i + 1) % TEST_LAYOUTS);
        agrees(hg_grad(t), "max", "dx", i, 0);
        hg_no_grad_begin();
        y = hg_max_pool2d(t, &maxima[i], &indices);
        hg_no_grad_end();
        agrees(indices, "max", "indices", i, 0);
        hg_scope_end(s);
    }
    free(x);
}
END_TEST

START_TEST(average_pooling_gives_pytorchs_values_and_gradients)
{
    hg_shape shape;
    double *x = test_golden_values("pool/x", &shape);
    for (int i = 0; i < COUNT(averages) + COUNT(adaptive); i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *t = test_layout(i % TEST_LAYOUTS, HG_F32, shape, x);
        ck_assert_hg(hg_set_requires_grad(t, true));
        int k = i - COUNT(averages);
        hg_tensor *y = k < 0 ? hg_avg_pool2d(t, &averages[i]) : hg_adaptive_avg_pool2d(t, adaptive[k][0], adaptive[k][1]);
        agrees(y, k < 0 ? "avg" : "adaptive", "y", k < 0 ? i : k, 1e-6);
        go_back(y, (i + 1) % TEST_LAYOUTS);
        agrees(hg_grad(t), k < 0 ? "avg" : "adaptive", "dx", k < 0 ? i : k, 1e-6);
        hg_scope_end(s);
    }
    free(x);
}
END_TEST

/* 2 x 2 side by side, by plain loops: the path of its own that most networks use. */
START_TEST(two_by_two_windows_of_any_width_agree_with_plain_loops)
{
    for (int round = 0; round < 12; round++) {
        hg_scope *s = hg_scope_begin(test_device());
        int64_t planes = test_between(1, 40), h = test_between(2, 9), w = round ? test_between(2, 41) : 28, oh = h / 2, ow = w / 2;
        hg_shape in = HG_SHAPE(planes, h, w), out = HG_SHAPE(planes, oh, ow);
        double *x = test_integers(planes * h * w, 3), *dy = test_integers(planes * oh * ow, 9);
        double *y = test_values(planes * oh * ow), *dx = test_values(planes * h * w);
        for (int64_t k = 0; k < planes * h * w; k++) dx[k] = 0;
        for (int64_t k = 0; k < planes * oh * ow; k++) {
            int64_t top = (k / ow / oh * h + k / ow % oh * 2) * w + k % ow * 2, best = top;
            const int64_t rest[] = {top + 1, top + w, top + w + 1};
            for (int r = 0; r < 3; r++)
                if (x[rest[r]] > x[best]) best = rest[r];
            y[k] = x[best];
            dx[best] += dy[k];
        }
        hg_tensor *t = test_tensor(HG_F32, in, x);
        ck_assert_hg(hg_set_requires_grad(t, true));
        hg_tensor *r = hg_max_pool2d(t, NULL, NULL);
        test_equal(r, out, y);
        ck_assert_hg(hg_backward_with(r, test_tensor(HG_F32, out, dy), false));
        test_equal(hg_grad(t), in, dx);
        free(x);
        free(dy);
        free(y);
        free(dx);
        hg_scope_end(s);
    }
}
END_TEST

/* Without a gradient and indices values go another way on CPUs. */
START_TEST(values_alone_are_those_with_indices)
{
    for (int round = 0; round < 30; round++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_pool_options o = HG_POOL_DEFAULTS;
        int64_t size[2];
        for (int d = 0; d < 2; d++) {
            o.kernel[d] = test_between(1, 5);
            o.stride[d] = test_between(1, 4);
            o.padding[d] = test_between(0, o.kernel[d] / 2);
            o.dilation[d] = test_between(1, 2);
            size[d] = test_between(o.dilation[d] * (o.kernel[d] - 1) + 1, 45);
        }
        o.ceil_mode = test_between(0, 1);
        hg_shape in = HG_SHAPE(test_between(1, 40), size[0], size[1]);
        double *x = test_values(test_numel(in));
        if (round % 3 == 0) x[test_between(0, test_numel(in) - 1)] = NAN;
        hg_tensor *t = test_layout(round % TEST_LAYOUTS, HG_F32, in, x), *indices, *y = hg_max_pool2d(t, &o, &indices);
        double *expected = test_read(y);
        test_equal(hg_max_pool2d(t, &o, NULL), hg_tensor_shape(y), expected);
        free(expected);
        free(x);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(nan_wins_and_padding_never_does)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *indices;
    double x[2 * 20];
    for (int i = 0; i < 40; i++) x[i] = i % 2 ? -INFINITY : -5 - i;
    x[4] = x[23] = NAN;     /* window 2: one NaN and smaller numbers after it */
    x[6] = x[7] = x[26] = NAN;
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(1, 2, 20), x);
    hg_tensor *y = hg_max_pool2d(t, NULL, &indices);
    test_equal(hg_slice(y, 2, 0, 4, 1), HG_SHAPE(1, 1, 4), ((double[]){-5, NAN, NAN, NAN}));
    test_equal(hg_slice(indices, 2, 0, 4, 1), HG_SHAPE(1, 1, 4), ((double[]){0, 23, 4, 26}));
    hg_pool_options o = HG_POOL_DEFAULTS;
    o.padding[0] = o.padding[1] = 1;
    y = hg_max_pool2d(test_tensor(HG_F32, HG_SHAPE(1, 1, 1), (double[]){-INFINITY}), &o, &indices);
    test_equal(y, HG_SHAPE(1, 1, 1), ((double[]){-INFINITY}));
    test_equal(indices, HG_SHAPE(1, 1, 1), ((double[]){0}));
    hg_tensor *ones = hg_full(test_device(), HG_F32, HG_SHAPE(1, 3, 3), 1);
    test_equal(hg_avg_pool2d(ones, &o), HG_SHAPE(1, 2, 2), ((double[]){.25, .5, .5, 1}));
    hg_scope_end(s);
}
END_TEST

START_TEST(ceil_mode_counts_windows_as_pytorch_does)
{
    hg_scope *s = hg_scope_begin(test_device());
    static const int64_t expected[][4] = {{2, 2, 3, 3}, {2, 3, 3, 4}, {3, 3, 4, 4}};    /* p0 floor, ceil, p1 floor, ceil */
    for (int64_t w = 5; w <= 7; w++) {
        for (int k = 0; k < 4; k++) {
            hg_pool_options o = {{3, 3}, {2, 2}, {k / 2, k / 2}, {1, 1}, k % 2, true, 0};
            hg_tensor *y = hg_max_pool2d(hg_zeros(test_device(), HG_F32, HG_SHAPE(1, w, w)), &o, NULL);
            ck_assert_int_eq(hg_size(y, 1), expected[w - 5][k]);
            ck_assert_int_eq(hg_size(y, 2), expected[w - 5][k]);
        }
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(empty_batches_pass_and_impossible_windows_are_named)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *none = hg_empty(dev, HG_F32, HG_SHAPE(0, 2, 4, 4)), *one = hg_zeros(dev, HG_F32, HG_SHAPE(1, 1, 1, 1));
    hg_tensor *indices, *x = hg_zeros(dev, HG_F32, HG_SHAPE(1, 4, 4));
    test_equal(hg_max_pool2d(none, NULL, &indices), HG_SHAPE(0, 2, 2, 2), (NULL));
    test_equal(hg_adaptive_avg_pool2d(none, 1, 1), HG_SHAPE(0, 2, 1, 1), (NULL));
    ck_assert(!hg_ok(hg_max_pool2d(one, NULL, &indices)) && !hg_ok(indices));
    test_error(HG_E_SHAPE, "Given input size: (1x1x1). Calculated output size: (1x0x0). Output size is too small");
    hg_pool_options o = HG_POOL_DEFAULTS;
    o.padding[0] = o.padding[1] = 2;
    ck_assert(!hg_ok(hg_max_pool2d(x, &o, NULL)));
    test_error(HG_E_ARG, "pad should be at most half of kernel size, but got pad=2 and kernel_size=2");
    o = HG_POOL_DEFAULTS;
    o.dilation[1] = 2;
    ck_assert(!hg_ok(hg_avg_pool2d(x, &o)));
    test_error(HG_E_ARG, "dilation is for max_pool2d only");
    o.dilation[1] = 0;
    ck_assert(!hg_ok(hg_max_pool2d(x, &o, NULL)));
    test_error(HG_E_ARG, "dilation should be greater than zero, but got 0");
    o = HG_POOL_DEFAULTS;
    o.kernel[0] = 0;
    ck_assert(!hg_ok(hg_avg_pool2d(x, &o)));
    test_error(HG_E_ARG, "kernel size should be greater than zero, but got 0");
    o = HG_POOL_DEFAULTS;
    o.stride[0] = -1;
    ck_assert(!hg_ok(hg_max_pool2d(x, &o, NULL)));
    test_error(HG_E_ARG, "stride should be greater than zero, but got -1");
    ck_assert(!hg_ok(hg_max_pool2d(hg_zeros(dev, HG_F32, HG_SHAPE(4, 4)), NULL, NULL)));
    test_error(HG_E_SHAPE, "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:[4, 4]");
    ck_assert(!hg_ok(hg_max_pool2d(hg_zeros(dev, HG_I64, HG_SHAPE(1, 4, 4)), NULL, NULL)));
    test_error(HG_E_DTYPE, "max_pool2d: expected float32 or float64, got int64");
    ck_assert(!hg_ok(hg_adaptive_avg_pool2d(x, -1, 1)));
    test_error(HG_E_ARG, "output size -1 x 1 is out of range");
    hg_scope_end(s);
}
END_TEST

static hg_tensor *pooled(hg_tensor **in, int n, void *user)
{
    (void)n;
    int kind = *(int *)user;
    static const hg_pool_options o = {{3, 2}, {2, 1}, {1, 1}, {1, 1}, true, false, 0};
    return kind == 0 ? hg_max_pool2d(in[0], &o, NULL) : kind == 1 ? hg_avg_pool2d(in[0], &o)
         : kind == 2 ? hg_adaptive_avg_pool2d(in[0], 3, 4) : hg_max_pool2d(in[0], NULL, NULL);
}

START_TEST(pooling_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(2 * 5 * 18);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(2, 5, 18), v);
    for (int kind = 0; kind < 4; kind++) test_gradient(pooled, &x, 1, &kind);
    free(v);
    hg_scope_end(s);
}
END_TEST

Suite *pool_suite(void)
{
    return TEST_SUITE("pool", max_pooling_gives_pytorchs_values_indices_and_gradients,
                      average_pooling_gives_pytorchs_values_and_gradients,
                      two_by_two_windows_of_any_width_agree_with_plain_loops,
                      values_alone_are_those_with_indices, nan_wins_and_padding_never_does,
                      ceil_mode_counts_windows_as_pytorch_does, empty_batches_pass_and_impossible_windows_are_named,
                      pooling_gradients_agree_with_differences);
}
