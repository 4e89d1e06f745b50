/* Operations that make one number of many: reductions, softmax, losses. */
#include <math.h>
#include <stdlib.h>

#include "smoke.h"

/* Rows short and long: a GPU has a kernel for each. */
static void check_sum(int64_t rows, int64_t length, bool mean)
{
    double *x = smoke_values(rows * length, 1), *y = calloc((size_t)rows, sizeof *y), *g = smoke_values(rows, 2);
    hg_shape shape = HG_SHAPE(rows, length);
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *leaf = smoke_leaf(HG_F32, shape, 1),
              *t = mean ? hg_mean(leaf, HG_DIMS(1), false) : hg_sum(leaf, HG_DIMS(1), false);
    smoke_backward(t, 2);
    for (int64_t i = 0; i < rows * length; i++) {
        y[i / length] += x[i];
        x[i] = g[i / length] / (mean ? (double)length : 1);
    }
    for (int64_t i = 0; i < rows && mean; i++) y[i] /= (double)length;
    test_close(t, HG_SHAPE(rows), y, 0, mean ? smoke_division(HG_F32) : 0);
    test_close(hg_grad(leaf), shape, x, 0, mean ? smoke_division(HG_F32) : 0);
    hg_scope_end(s);
    free(x);
    free(y);
    free(g);
}

START_TEST(sums)
{
    check_sum(5, 9, false);
    check_sum(3, 300, false);
    check_sum(2, 70, true);
    hg_scope *s = hg_scope_begin(test_device());
    double *x = smoke_values(SMOKE_N, 1), all = 0, channel[3] = {0};
    for (int i = 0; i < SMOKE_N; i++) {
        all += x[i];
        channel[i / 64 % 3] += x[i];
    }
    free(x);
    hg_tensor *t = smoke_tensor(HG_F32, SMOKE_SHAPE, 1);
    test_equal(hg_sum(t, HG_ALL, false), HG_SCALAR, &all);
    test_equal(hg_sum(t, HG_DIMS(0, 2, 3), false), HG_SHAPE(3), channel);
    test_equal(hg_sum(test_tensor(HG_I32, HG_SHAPE(2, 2), (double[]){1, 2, 3, 4}), HG_DIMS(0), false), HG_SHAPE(2),
               ((double[]){4, 6}));
    hg_scope_end(s);
}
END_TEST

START_TEST(extremes)
{
    const double x[6] = {1, 5, 2, 7, 7, 3};
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *leaf = test_tensor(HG_F32, HG_SHAPE(2, 3), x), *at, *least;
    ck_assert_hg(hg_set_requires_grad(leaf, true));
    hg_tensor *most = hg_max_dim(leaf, 1, false, &at);
    ck_assert_hg(hg_backward_with(most, test_tensor(HG_F32, HG_SHAPE(2), (double[]){2, 3}), false));
    test_equal(most, HG_SHAPE(2), ((double[]){5, 7}));
    test_equal(at, HG_SHAPE(2), ((double[]){1, 0}));
    test_equal(hg_grad(leaf), HG_SHAPE(2, 3), ((double[]){0, 2, 0, 3, 0, 0}));
    test_equal(hg_min_dim(leaf, 0, true, &least), HG_SHAPE(1, 3), ((double[]){1, 5, 2}));
    test_equal(hg_argmax(leaf, 0, false), HG_SHAPE(3), ((double[]){1, 1, 1}));
    test_equal(hg_min(hg_detach(leaf)), HG_SCALAR, ((double[]){1}));
    ck_assert_hg(hg_set_grad(leaf, NULL));
    ck_assert_hg(hg_backward(hg_max(leaf)));
    test_equal(hg_grad(leaf), HG_SHAPE(2, 3), ((double[]){0, 0, 0, 0.5, 0.5, 0}));
    test_equal(hg_max(smoke_tensor(HG_F32, HG_SHAPE(700), 1)), HG_SCALAR, ((double[]){3}));
    hg_scope_end(s);
}
END_TEST

/* p[outer][n][inner] = softmax of x along the middle. */
static double *softmax(const double *x, int64_t outer, int64_t n, int64_t inner)
{
    double *p = smoke_values(outer * n * inner, 0);
    for (int64_t row = 0; row < outer * inner; row++) {
        int64_t at = row / inner * n * inner + row % inner;
        double sum = 0;
        for (int64_t c = 0; c < n; c++) sum += exp(x[at + c * inner]);
        for (int64_t c = 0; c < n; c++) p[at + c * inner] = exp(x[at + c * inner]) / sum;
    }
    return p;
}

static void check_softmax(hg_shape shape, int dim, int64_t outer, int64_t n, int64_t inner, bool logs)
{
    int64_t total = outer * n * inner;
    double *x = smoke_values(total, 1), *g = smoke_values(total, 2), *p = softmax(x, outer, n, inner);
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *leaf = smoke_leaf(HG_F32, shape, 1), *y = logs ? hg_log_softmax(leaf, dim) : hg_softmax(leaf, dim);
    smoke_backward(y, 2);
    for (int64_t i = 0; i < total; i++) {
        int64_t row = i / (n * inner) * n * inner + i % inner;
        double dot = 0;
        for (int64_t c = 0; c < n; c++) dot += g[row + c * inner] * (logs ? 1 : p[row + c * inner]);
        x[i] = logs ? g[i] - p[i] * dot : p[i] * (g[i] - dot);
    }
    test_close(hg_grad(leaf), shape, x, 1e-5, 1e-5);
    for (int64_t i = 0; i < total && logs; i++) p[i] = log(p[i]);
    test_close(y, shape, p, 2e-6, 2e-6);
    hg_scope_end(s);
    free(x);
    free(g);
    free(p);
}

START_TEST(softmaxes)
{
    check_softmax(HG_SHAPE(3, 5), 1, 3, 5, 1, false);
    check_softmax(HG_SHAPE(2, 70), 1, 2, 70, 1, true);
    check_softmax(HG_SHAPE(2, 4, 3), 1, 2, 4, 3, false);
}
END_TEST

/* Mean cross entropy of `rows` rows of `n` classes, targets i % n, the last row ignored. */
static void check_cross_entropy(int64_t rows, int64_t n, bool nll)
{
    double *x = smoke_values(rows * n, 1), *p = softmax(x, rows, n, 1), loss = 0, used = (double)(rows - 1);
    double *target = smoke_values(rows, 0);
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *leaf = smoke_leaf(HG_F32, HG_SHAPE(rows, n), 1);
    for (int64_t r = 0; r < rows; r++) {
        target[r] = r + 1 < rows ? (double)(r % n) : -100;
        for (int64_t c = 0; c < n; c++) {
            bool hit = r % n == c, ignored = r + 1 == rows;
            if (hit && !ignored) loss -= log(p[r * n + c]) / used;
            x[r * n + c] = ignored ? 0 : (p[r * n + c] - hit) / used;
        }
    }
    hg_tensor *t = test_tensor(HG_I64, HG_SHAPE(rows), target);
    hg_tensor *y = nll ? hg_nll_loss(hg_log_softmax(leaf, 1), t, NULL) : hg_cross_entropy(leaf, t, NULL);
    ck_assert_hg(hg_backward(y));
    test_close(y, HG_SCALAR, &loss, 0, 4e-6);
    test_close(hg_grad(leaf), HG_SHAPE(rows, n), x, 1e-6, 1e-5);
    hg_scope_end(s);
    free(x);
    free(p);
    free(target);
}

START_TEST(losses)
{
    check_cross_entropy(4, 5, false);
    check_cross_entropy(3, 70, false);
    check_cross_entropy(4, 5, true);
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(2, 2), (double[]){1, 2, 3, 4});
    hg_tensor *b = test_tensor(HG_F32, HG_SHAPE(2, 2), (double[]){1, 0, 0, 2});
    ck_assert_hg(hg_set_requires_grad(a, true));
    hg_tensor *y = hg_mse_loss(a, b, HG_REDUCE_MEAN);
    ck_assert_hg(hg_backward(y));
    test_equal(y, HG_SCALAR, ((double[]){4.25}));
    test_equal(hg_grad(a), HG_SHAPE(2, 2), ((double[]){0, 1, 1.5, 1}));
    hg_scope_end(s);
}
END_TEST

/* Class probabilities with smoothing: loss = -sum q log p / rows, q = 0.9 target + 0.1 / n. */
START_TEST(class_probabilities)
{
    double *x = smoke_values(12, 1), *p = softmax(x, 3, 4, 1), q[12], loss = 0;
    hg_scope *s = hg_scope_begin(test_device());
    for (int i = 0; i < 12; i++) {
        q[i] = i % 4 == i / 4 ? 0.75 : 0.25 / 3;
        loss -= (0.9 * q[i] + 0.025) * log(p[i]) / 3;
        x[i] = (p[i] - (0.9 * q[i] + 0.025)) / 3;
    }
    hg_tensor *leaf = smoke_leaf(HG_F32, HG_SHAPE(3, 4), 1);
    hg_loss_options o = HG_LOSS_DEFAULTS;
    o.label_smoothing = 0.1;
    hg_tensor *y = hg_cross_entropy(leaf, test_tensor(HG_F32, HG_SHAPE(3, 4), q), &o);
    ck_assert_hg(hg_backward(y));
    test_close(y, HG_SCALAR, &loss, 0, 4e-6);
    test_close(hg_grad(leaf), HG_SHAPE(3, 4), x, 1e-6, 1e-5);
    hg_scope_end(s);
    free(x);
    free(p);
}
END_TEST

/* Losses of pairs, by the value and gradient of one element each. */
START_TEST(pairs)
{
    const double x[3] = {0.5, -2, 3}, t[3] = {1, 0, 1};
    double expected[4] = {0}, slope[4];
    for (int i = 0; i < 3; i++) {
        double z = x[i] - t[i], small = fabs(z) < 1 ? z * z / 2 : fabs(z) - 0.5, p = 1 / (1 + exp(-x[i]));
        expected[0] += small / 3;
        expected[1] += small / 3;
        expected[2] += -(t[i] * log(p) + (1 - t[i]) * log(1 - p)) / 3;
        expected[3] += exp(t[i]) * (t[i] - x[i]) / 3;
    }
    slope[0] = slope[1] = -0.5 / 3;
    slope[2] = (1 / (1 + exp(-0.5)) - 1) / 3;
    slope[3] = -exp(1) / 3;
    for (int k = 0; k < 4; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(3), x), *b = test_tensor(HG_F32, HG_SHAPE(3), t);
        ck_assert_hg(hg_set_requires_grad(a, true));
        hg_tensor *y = k == 0   ? hg_smooth_l1_loss(a, b, 1, HG_REDUCE_MEAN)
                       : k == 1 ? hg_huber_loss(a, b, 1, HG_REDUCE_MEAN)
                       : k == 2 ? hg_binary_cross_entropy_with_logits(a, b, NULL)
                                : hg_kl_div(a, b, true, HG_REDUCE_MEAN);
        ck_assert_hg(hg_backward(y));
        test_close(y, HG_SCALAR, &expected[k], 1e-6, 4e-6);
        double *g = test_read(hg_grad(a));
        ck_assert_msg(fabs(g[0] - slope[k]) < 2e-6, "loss %d: gradient %g, expected %g", k, g[0], slope[k]);
        free(g);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(a_class_that_is_none)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = smoke_tensor(HG_F32, HG_SHAPE(2, 3), 1);
    hg_tensor *y = hg_cross_entropy(x, test_tensor(HG_I64, HG_SHAPE(2), (double[]){0, 3}), NULL);
    ck_assert(isnan(hg_item(y)));
    test_error(HG_E_ARG, "Target 3 is out of bounds");
    hg_scope_end(s);
}
END_TEST

Suite *rows_suite(void)
{
    return TEST_SUITE("rows", sums, extremes, softmaxes, losses, class_probabilities, pairs, a_class_that_is_none);
}
