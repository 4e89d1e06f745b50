/* Batch normalisation: PyTorch's three steps and evaluation, large means and sizes against double arithmetic, gradients,
 * running statistics while something is wrong, errors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"

static hg_tensor *golden(const char *data, const char *what, int step, int layout)
{
    char name[64];
    hg_shape shape;
    snprintf(name, sizeof name, step < 0 ? "batch_norm/%s_%s" : "batch_norm/%s_%s_%d", data, what, step);
    double *v = test_golden_values(name, &shape);
    hg_tensor *t = test_layout(layout, HG_F32, shape, v);
    free(v);
    return t;
}

static void agrees(hg_tensor *t, const char *data, const char *what, int step)
{
    char name[64];
    hg_shape shape;
    snprintf(name, sizeof name, "batch_norm/%s_%s_%d", data, what, step);
    double *v = test_golden_values(name, &shape);
    test_close(t, shape, v, 4e-6, 1e-5);
    free(v);
}

START_TEST(three_training_steps_and_evaluation_are_pytorchs)
{
    for (int k = 0; k < 2; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        const char *data = k ? "rows" : "maps";
        hg_tensor *weight = golden(data, "weight", -1, 3), *bias = golden(data, "bias", -1, 1);
        ck_assert_hg(hg_set_requires_grad(weight, true));
        ck_assert_hg(hg_set_requires_grad(bias, true));
        hg_tensor *mean = hg_zeros(test_device(), HG_F32, HG_SHAPE(hg_numel(weight)));
        hg_tensor *var = hg_full(test_device(), HG_F32, HG_SHAPE(hg_numel(weight)), 1);
        for (int step = 0; step < 4; step++) {
            hg_tensor *x = golden(data, "x", step, step);
            ck_assert_hg(hg_set_requires_grad(x, true));
            ck_assert_hg(hg_set_grad(weight, NULL));
            ck_assert_hg(hg_set_grad(bias, NULL));
            hg_tensor *y = hg_batch_norm(x, mean, var, weight, bias, step < 3, .1, 1e-5);
            agrees(y, data, "y", step);
            ck_assert_hg(hg_backward_with(y, golden(data, "dy", step, 3 - step), false));
            agrees(hg_grad(x), data, "dx", step);
            agrees(hg_grad(weight), data, "dweight", step);
            agrees(hg_grad(bias), data, "dbias", step);
            agrees(mean, data, "mean", step);
            agrees(var, data, "var", step);
        }
        hg_scope_end(s);
    }
}
END_TEST

typedef struct reference {
    hg_shape shape;
    double *x, *dy, *y, *dx, *dweight, *dbias;
} reference;

/* Normalises without weight and bias, in double. */
static reference reference_of(int64_t n, int64_t c, int64_t h, double mean)
{
    reference r = {.shape = HG_SHAPE(n, c, h)};
    int64_t all = n * c * h, m = n * h;
    r.x = test_values(all);
    r.dy = test_values(all);
    r.y = test_values(all);
    r.dx = test_values(all);
    r.dweight = test_values(c);
    r.dbias = test_values(c);
    for (int64_t i = 0; i < all; i++) r.x[i] = (float)(r.x[i] * 1.7 + mean);
    for (int64_t ch = 0; ch < c; ch++) {
        double sum = 0, squares = 0, g = 0, gx = 0;
#define EACH(body) for (int64_t k = 0; k < m; k++) { int64_t i = (k / h * c + ch) * h + k % h; body; }
        EACH(sum += r.x[i])
        EACH(squares += (r.x[i] - sum / (double)m) * (r.x[i] - sum / (double)m))
        double inv = 1 / sqrt(squares / (double)m + 1e-5);
        EACH(r.y[i] = (r.x[i] - sum / (double)m) * inv)
        EACH(g += r.dy[i]; gx += r.dy[i] * r.y[i])
        EACH(r.dx[i] = inv * (r.dy[i] - g / (double)m - r.y[i] * gx / (double)m))
#undef EACH
        r.dweight[ch] = gx;
        r.dbias[ch] = g;
    }
    return r;
}

static void reference_free(reference *r)
{
    free(r->x);
    free(r->dy);
    free(r->y);
    free(r->dx);
    free(r->dweight);
    free(r->dbias);
}

START_TEST(large_means_and_many_values_lose_no_digits)
{
    const struct { int64_t n, c, h; double mean; } sizes[] = {
        {100, 2, 784, 0}, {7, 3, test_between(500, 3000), 1e4}, {test_between(50, 99), 5, 1, -1e4}, {9, 1, 1, 3},
        {test_between(1, 4), test_between(1, 40), test_between(17, 60), -300}, {3, 2, 5000, 1e6},
    };
    for (int k = 0; k < 6; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        reference r = reference_of(sizes[k].n, sizes[k].c, sizes[k].h, sizes[k].mean);
        hg_tensor *x = test_layout(k % TEST_LAYOUTS, HG_F32, r.shape, r.x);
        hg_shape c = HG_SHAPE(sizes[k].c);
        hg_tensor *weight = hg_full(test_device(), HG_F32, c, 1), *bias = hg_zeros(test_device(), HG_F32, c);
        ck_assert_hg(hg_set_requires_grad(x, true));
        ck_assert_hg(hg_set_requires_grad(weight, true));
        ck_assert_hg(hg_set_requires_grad(bias, true));
        hg_tensor *y = hg_batch_norm(x, NULL, NULL, weight, bias, false, .1, 1e-5);
        test_close(y, r.shape, r.y, 1e-6, 2e-6);
        ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, r.shape, r.dy), false));
        test_close(hg_grad(x), r.shape, r.dx, 4e-6, 1e-5);
        double rounding = 1e-4 + 5e-9 * (double)(sizes[k].n * sizes[k].h);      /* of sums whose terms cancel */
        test_close(hg_grad(bias), c, r.dbias, rounding, 2e-6);
        test_close(hg_grad(weight), c, r.dweight, rounding, 2e-6);
        reference_free(&r);
        hg_scope_end(s);
    }
}
END_TEST

static hg_tensor *normalised(hg_tensor **in, int n, void *user)
{
    (void)n;
    hg_tensor **running = user;
    return hg_batch_norm(in[0], running[0], running[1], in[1], in[2], false, .1, 1e-3);
}

START_TEST(gradients_agree_with_differences_in_training_and_evaluation)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(2 * 3 * 18 + 6);
    hg_tensor *in[] = {test_tensor(HG_F64, HG_SHAPE(2, 3, 18), v), test_tensor(HG_F64, HG_SHAPE(3), v + 108),
                       test_tensor(HG_F64, HG_SHAPE(3), v + 111)};
    hg_tensor *running[] = {NULL, NULL};
    test_gradient(normalised, in, 3, running);
    running[0] = test_tensor(HG_F64, HG_SHAPE(3), (double[]){.1, -.2, .3});
    running[1] = test_tensor(HG_F64, HG_SHAPE(3), (double[]){1, 2, .5});
    test_gradient(normalised, in, 3, running);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(without_weight_and_bias_only_the_wanted_gradients_come)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){1, 3}), *one = hg_full(test_device(), HG_F32, HG_SHAPE(1), 1);
    hg_tensor *var = hg_full(test_device(), HG_F32, HG_SHAPE(1), 4);
    ck_assert_hg(hg_set_requires_grad(x, true));
    hg_tensor *y = hg_batch_norm(x, one, var, NULL, NULL, false, .1, 0);
    test_equal(y, HG_SHAPE(2, 1), ((double[]){0, 1}));
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){2, 4}), false));
    test_equal(hg_grad(x), HG_SHAPE(2, 1), ((double[]){1, 2}));
    hg_tensor *bias = hg_full(test_device(), HG_F32, HG_SHAPE(1), 5);
    ck_assert_hg(hg_set_requires_grad(bias, true));
    y = hg_batch_norm(hg_detach(x), one, var, NULL, bias, false, .1, 0);
    test_equal(y, HG_SHAPE(2, 1), ((double[]){5, 6}));
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){2, 4}), false));
    test_equal(hg_grad(bias), HG_SHAPE(1), ((double[]){6}));
    hg_scope_end(s);
}
END_TEST

START_TEST(running_statistics_stand_still_while_a_target_is_out_of_range)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){1, 3}), *mean = hg_zeros(test_device(), HG_F32, HG_SHAPE(1));
    hg_tensor *var = hg_full(test_device(), HG_F32, HG_SHAPE(1), 1);
    ck_assert_hg_ok(hg_nll_loss(x, test_tensor(HG_I64, HG_SHAPE(2), (double[]){0, 7}), NULL));
    hg_tensor *y = hg_batch_norm(x, mean, var, NULL, NULL, true, .5, 0);
    ck_assert_int_lt(hg_sync(test_device()), 0);
    test_error(HG_E_ARG, "Target 7 is out of bounds");
    test_equal(y, HG_SHAPE(2, 1), ((double[]){-1, 1}));
    test_equal(mean, HG_SHAPE(1), ((double[]){0}));
    test_equal(var, HG_SHAPE(1), ((double[]){1}));
    ck_assert_hg_ok(hg_batch_norm(x, mean, var, NULL, NULL, true, .5, 0));
    test_equal(mean, HG_SHAPE(1), ((double[]){1}));
    test_equal(var, HG_SHAPE(1), ((double[]){1.5}));
    hg_scope_end(s);
}
END_TEST

START_TEST(updating_running_statistics_counts_as_a_change_in_place)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){1, 3}), *mean = hg_zeros(test_device(), HG_F32, HG_SHAPE(1));
    hg_tensor *var = hg_full(test_device(), HG_F32, HG_SHAPE(1), 1);
    hg_tensor *w = hg_full(test_device(), HG_F32, HG_SHAPE(1), 1);
    ck_assert_hg(hg_set_requires_grad(w, true));
    hg_tensor *y = hg_mul(w, mean);
    ck_assert_hg_ok(hg_batch_norm(x, mean, var, NULL, NULL, true, .5, 0));
    ck_assert_int_lt(hg_backward(y), 0);
    test_error(HG_E_STATE, "modified by an inplace operation");
    hg_scope_end(s);
}
END_TEST

START_TEST(what_does_not_fit_is_named_and_empty_batches_pass)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *one = hg_zeros(dev, HG_F32, HG_SHAPE(1, 3, 1, 1)), *x = hg_zeros(dev, HG_F32, HG_SHAPE(2, 3, 4));
    hg_tensor *four = hg_zeros(dev, HG_F32, HG_SHAPE(4)), *three = hg_zeros(dev, HG_F32, HG_SHAPE(3));
    const struct { hg_tensor *x, *mean, *var, *weight, *bias; hg_status code; const char *text; } bad[] = {
        {one, NULL, NULL, NULL, NULL, HG_E_SHAPE,
         "Expected more than 1 value per channel when training, got input size torch.Size([1, 3, 1, 1])"},
        {three, NULL, NULL, NULL, NULL, HG_E_SHAPE, "expected at least 2D input (got 1D input)"},
        {x, four, three, NULL, NULL, HG_E_SHAPE, "running_mean should contain 3 elements not 4"},
        {x, three, four, NULL, NULL, HG_E_SHAPE, "running_var should contain 3 elements not 4"},
        {x, NULL, NULL, four, NULL, HG_E_SHAPE, "weight should contain 3 elements not 4"},
        {x, NULL, NULL, NULL, four, HG_E_SHAPE, "bias should contain 3 elements not 4"},
        {x, three, NULL, NULL, NULL, HG_E_ARG, "give both or neither"},
        {x, NULL, NULL, hg_zeros(dev, HG_I64, HG_SHAPE(3)), NULL, HG_E_DTYPE, "weight is int64, the input is float32"},
        {hg_zeros(dev, HG_I64, HG_SHAPE(2, 3)), NULL, NULL, NULL, NULL, HG_E_DTYPE, "got int64"},
        {x, hg_slice(hg_zeros(dev, HG_F32, HG_SHAPE(6)), 0, 0, 6, 2), three, NULL, NULL, HG_E_ARG, "must be contiguous"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(!hg_ok(hg_batch_norm(bad[i].x, bad[i].mean, bad[i].var, bad[i].weight, bad[i].bias, true, .1, 1e-5)));
        test_error(bad[i].code, bad[i].text);
    }
    hg_tensor *none = hg_empty(dev, HG_F32, HG_SHAPE(0, 3, 4));
    ck_assert_hg(hg_set_requires_grad(none, true));
    hg_tensor *y = hg_batch_norm(none, three, three, NULL, NULL, true, .1, 1e-5);
    test_equal(y, HG_SHAPE(0, 3, 4), (NULL));
    test_equal(three, HG_SHAPE(3), ((double[]){0, 0, 0}));
    ck_assert_hg(hg_backward_with(y, hg_empty(dev, HG_F32, HG_SHAPE(0, 3, 4)), false));
    hg_scope_end(s);
}
END_TEST

Suite *batch_norm_suite(void)
{
    return TEST_SUITE("batch_norm", three_training_steps_and_evaluation_are_pytorchs,
                      large_means_and_many_values_lose_no_digits,
                      gradients_agree_with_differences_in_training_and_evaluation,
                      without_weight_and_bias_only_the_wanted_gradients_come,
                      running_statistics_stand_still_while_a_target_is_out_of_range,
                      updating_running_statistics_counts_as_a_change_in_place,
                      what_does_not_fit_is_named_and_empty_batches_pass);
}
