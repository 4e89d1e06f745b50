/* Batch normalisation, ReLU and pooling at once against the three operations one after the other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

/* One problem; `pool` NULL: none. */
typedef struct problem {
    hg_shape shape;
    hg_dtype dtype;
    bool training, running, weight, bias, grad;
    const hg_pool_options *pool;
    double *x, *dy, *scale, *shift;     /* dy: enough for a result without pooling */
    int layout;
} problem;

/* What came of it, in the open scope. */
typedef struct outcome {
    hg_tensor *y, *dx, *dweight, *dbias, *mean, *var;
} outcome;

static problem problem_of(hg_shape shape, const hg_pool_options *pool)
{
    problem p = {.shape = shape, .dtype = HG_F32, .training = true, .running = true, .weight = true, .bias = true,
                 .grad = true, .pool = pool};
    int64_t n = test_numel(shape), c = shape.size[1];
    p.x = test_values(n);
    p.dy = test_values(n);
    p.scale = test_values(c);
    p.shift = test_values(c);
    for (int64_t i = 0; i < n; i++) p.x[i] = (float)(3 * p.x[i] + .5);
    return p;
}

static void problem_free(problem *p)
{
    free(p->x);
    free(p->dy);
    free(p->scale);
    free(p->shift);
}

static hg_tensor *leaf(const problem *p, int layout, hg_shape shape, const double *v)
{
    hg_tensor *t = test_layout(layout, p->dtype, shape, v);
    ck_assert_hg(hg_set_requires_grad(t, p->grad));
    return t;
}

static outcome outcome_of(const problem *p, bool fused)
{
    hg_device *dev = test_device();
    hg_shape c = HG_SHAPE(p->shape.size[1]);
    outcome o = {0};
    hg_tensor *x = leaf(p, p->layout, p->shape, p->x), *weight = p->weight ? leaf(p, 0, c, p->scale) : NULL;
    hg_tensor *bias = p->bias ? leaf(p, 3, c, p->shift) : NULL;
    if (p->running) {
        o.mean = hg_full(dev, p->dtype, c, .25);
        o.var = hg_full(dev, p->dtype, c, 2);
    }
    if (fused) {
        o.y = hg_batch_norm_relu(x, o.mean, o.var, weight, bias, p->training, .3, 1e-5, p->pool);
    } else {
        o.y = hg_relu(hg_batch_norm(x, o.mean, o.var, weight, bias, p->training, .3, 1e-5));
        if (p->pool) o.y = hg_max_pool2d(o.y, p->pool, NULL);
    }
    ck_assert_hg_ok(o.y);
    if (!p->grad) return o;
    ck_assert_hg(hg_backward_with(o.y, test_layout(2, p->dtype, hg_tensor_shape(o.y), p->dy), false));
    o.dx = hg_grad(x);
    if (weight) o.dweight = hg_grad(weight);
    if (bias) o.dbias = hg_grad(bias);
    return o;
}

static void same_bits(hg_tensor *t, hg_tensor *expected)
{
    if (!expected) return;
    hg_shape shape = hg_tensor_shape(expected);
    double *v = test_read(t), *e = test_read(expected);
    test_equal(t, shape, e);
    for (int64_t i = 0; i < test_numel(shape); i++)
        ck_assert_msg(isnan(v[i]) || !signbit(v[i]) == !signbit(e[i]), "the sign of 0 at %lld", (long long)i);
    free(v);
    free(e);
}

/* m: what was added up for a sum. */
static void same_sum(hg_tensor *t, hg_tensor *expected, double m)
{
    if (!expected) return;
    double *e = test_read(expected), f64 = hg_tensor_dtype(t) == HG_F64;
    test_close(t, hg_tensor_shape(expected), e, f64 ? 1e-12 * m : 3e-7 * m, 0);
    free(e);
}

static void agrees(const problem *p)
{
    hg_scope *s = hg_scope_begin(test_device());
    outcome fused = outcome_of(p, true), chain = outcome_of(p, false);
    same_bits(fused.y, chain.y);
    same_bits(fused.mean, chain.mean);
    same_bits(fused.var, chain.var);
    if (p->grad) {
        double *e = test_read(chain.dx), m = (double)test_numel(p->shape) / (double)p->shape.size[1];
        test_rms(fused.dx, p->shape, e, p->dtype == HG_F64 ? 1e-14 : 1e-6);
        same_sum(fused.dweight, chain.dweight, m);
        same_sum(fused.dbias, chain.dbias, m);
        free(e);
    }
    hg_scope_end(s);
}

static hg_shape random_shape(int64_t h, int64_t w)
{
    return HG_SHAPE(test_between(1, 6), test_between(1, 9), h, w);
}

START_TEST(values_and_gradients_are_those_of_the_chain)
{
    const int64_t sizes[][2] = {{2, 2}, {3, 2}, {2, 3}, {5, 5}, {7, 9}, {4, 8}, {8, 11}, {9, 15}, {12, 12}, {3, 16},
                                {28, 28}, {2, 45}, {test_between(2, 40), test_between(2, 70)}};
    for (size_t k = 0; k < 2 * (sizeof sizes / sizeof *sizes); k++) {
        problem p = problem_of(random_shape(sizes[k / 2][0], sizes[k / 2][1]), &HG_POOL_DEFAULTS);
        p.layout = (int)(k % TEST_LAYOUTS);
        p.training = k % 2;
        p.weight = k % 5;
        p.bias = k % 3;
        p.grad = k % 7;
        p.running = !p.training || k % 4 == 1;
        p.dtype = k % 4 > 1 && test_has_f64() ? HG_F64 : HG_F32;
        agrees(&p);
        problem_free(&p);
    }
}
END_TEST

START_TEST(many_planes_lose_no_digits_in_the_sums)
{
    problem p = problem_of(HG_SHAPE(64, 3, 13, 19), &HG_POOL_DEFAULTS);
    for (int k = 0; k < 2; k++, p.pool = NULL) agrees(&p);
    problem_free(&p);
}
END_TEST

START_TEST(without_pooling_and_with_other_pooling_it_is_the_chain_too)
{
    hg_pool_options large = HG_POOL_DEFAULTS, rounded = HG_POOL_DEFAULTS;
    large.kernel[0] = large.kernel[1] = 3;
    large.padding[0] = large.padding[1] = 1;
    large.stride[0] = 2;
    rounded.ceil_mode = true;
    const hg_pool_options *pools[] = {NULL, &large, &rounded};
    for (int k = 0; k < 9; k++) {
        hg_shape shape = random_shape(test_between(3, 20), test_between(3, 20));
        if (k % 3 == 1 && k > 3) shape = HG_SHAPE(5, 4, 6);     /* N x C x L to one, C x H x W to the other */
        problem p = problem_of(shape, pools[k % 3]);
        p.training = k % 2;
        p.weight = k != 4;
        p.layout = k % TEST_LAYOUTS;
        p.dtype = k / 3 == 1 && test_has_f64() ? HG_F64 : HG_F32;
        agrees(&p);
        problem_free(&p);
    }
    problem p = problem_of(HG_SHAPE(7, 5), NULL);
    agrees(&p);
    problem_free(&p);
}
END_TEST

START_TEST(ties_clipping_and_weights_of_any_sign_pick_the_chains_winner)
{
    for (int k = 0; k < 8; k++) {
        problem p = problem_of(HG_SHAPE(3, 4, 9, k < 4 ? 7 : 21), k % 4 == 3 ? NULL : &HG_POOL_DEFAULTS);
        p.training = k % 2;
        for (int64_t i = 0; i < test_numel(p.shape); i++) p.x[i] = round(p.x[i]);   /* with many equal neighbours */
        p.scale[0] = -2, p.scale[1] = 0, p.scale[2] = 1, p.scale[3] = 0;
        p.shift[0] = 0, p.shift[1] = 1, p.shift[2] = -9, p.shift[3] = 0;    /* channel 2 is clipped all over */
        agrees(&p);
        problem_free(&p);
    }
}
END_TEST

START_TEST(nan_wins_and_infinities_go_where_the_chain_sends_them)
{
    for (int k = 0; k < 6; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        problem p = problem_of(HG_SHAPE(2, 6, 8, k < 3 ? 18 : 10), k % 3 ? &HG_POOL_DEFAULTS : NULL);
        p.training = k % 2;
        int64_t plane = 8 * p.shape.size[3];
        const double odd[] = {NAN, INFINITY, -INFINITY};
        for (int i = 0; i < 60; i++) {
            int64_t at = test_between(0, 12 * plane - 1);
            if (at / plane % 2 == 0) p.x[at] = odd[i % 3];      /* channels 1, 3 and 5 stay finite */
        }
        p.x[0] = NAN;
        p.x[1] = NAN;
        outcome fused = outcome_of(&p, true), chain = outcome_of(&p, false);
        double *e = test_read(chain.dx);
        same_bits(fused.y, chain.y);
        test_close(fused.dx, p.shape, e, 1e-6, 1e-5);
        same_bits(fused.mean, chain.mean);
        free(e);
        problem_free(&p);
        hg_scope_end(s);
    }
}
END_TEST

/* Work-groups that run at the same time do not get in each other's way. */
START_TEST(the_same_bits_come_every_time)
{
    problem p = problem_of(HG_SHAPE(2, 2, 5, 9), &HG_POOL_DEFAULTS);
    if (test_has_f64()) p.dtype = HG_F64;
    double *first = NULL;
    for (int k = 0; k < 1000; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        outcome o = outcome_of(&p, true);
        double *v = test_read(hg_cat((hg_tensor *[]){o.dweight, o.dbias}, 2, 0));
        if (first) ck_assert_int_eq(memcmp(first, v, 4 * sizeof *v), 0);
        free(first);
        first = v;
        hg_scope_end(s);
    }
    free(first);
    problem_free(&p);
}
END_TEST

typedef struct checked {
    hg_tensor *mean, *var;
    const hg_pool_options *pool;
} checked;

static hg_tensor *fused_of(hg_tensor **in, int n, void *user)
{
    (void)n;
    checked *c = user;
    return hg_batch_norm_relu(in[0], c->mean, c->var, in[1], in[2], false, .1, 1e-3, c->pool);
}

START_TEST(gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    for (int k = 0; k < 4; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        double *v = test_values(2 * 2 * 5 * 9 + 4);
        hg_shape c = HG_SHAPE(2);
        hg_tensor *in[] = {test_tensor(HG_F64, HG_SHAPE(2, 2, 5, 9), v), test_tensor(HG_F64, c, v + 180),
                           test_tensor(HG_F64, c, v + 182)};
        checked user = {.pool = k < 2 ? &HG_POOL_DEFAULTS : NULL};
        if (k % 2) {
            user.mean = test_tensor(HG_F64, c, (double[]){.1, -.2});
            user.var = test_tensor(HG_F64, c, (double[]){1, .5});
        }
        test_gradient(fused_of, in, 3, &user);
        free(v);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(only_the_wanted_gradients_come)
{
    for (int k = 0; k < 4; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(1, 1, 2, 4), (double[]){1, 2, 3, 9, 4, -1, 7, 8});
        hg_tensor *mean = hg_full(test_device(), HG_F32, HG_SHAPE(1), 1), *var = hg_full(test_device(), HG_F32, HG_SHAPE(1), 4);
        hg_tensor *bias = hg_full(test_device(), HG_F32, HG_SHAPE(1), k % 2 ? -2 : 5);
        ck_assert_hg(hg_set_requires_grad(bias, true));
        hg_tensor *y = hg_batch_norm_relu(x, mean, var, NULL, bias, false, .1, 0, k < 2 ? &HG_POOL_DEFAULTS : NULL);
        if (k < 2) test_equal(y, HG_SHAPE(1, 1, 1, 2), (k ? (double[]){0, 2} : (double[]){6.5, 9}));
        ck_assert_hg(hg_backward_with(y, hg_full(test_device(), HG_F32, hg_tensor_shape(y), 3), false));
        test_equal(hg_grad(bias), HG_SHAPE(1), (&(double[]){6, 3, 24, 9}[k]));
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(running_statistics_stand_still_while_a_target_is_out_of_range)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(1, 1, 2, 2), (double[]){1, 3, 1, 3}), *mean = hg_zeros(dev, HG_F32, HG_SHAPE(1));
    hg_tensor *var = hg_full(dev, HG_F32, HG_SHAPE(1), 1), *scores = hg_zeros(dev, HG_F32, HG_SHAPE(2, 1));
    ck_assert_hg_ok(hg_nll_loss(scores, test_tensor(HG_I64, HG_SHAPE(2), (double[]){0, 7}), NULL));
    hg_tensor *y = hg_batch_norm_relu(x, mean, var, NULL, NULL, true, .5, 0, &HG_POOL_DEFAULTS);
    ck_assert_int_lt(hg_sync(dev), 0);
    test_error(HG_E_ARG, "Target 7 is out of bounds");
    test_equal(y, HG_SHAPE(1, 1, 1, 1), ((double[]){1}));
    test_equal(mean, HG_SHAPE(1), ((double[]){0}));
    test_equal(var, HG_SHAPE(1), ((double[]){1}));
    ck_assert_hg_ok(hg_batch_norm_relu(x, mean, var, NULL, NULL, true, .5, 0, &HG_POOL_DEFAULTS));
    test_equal(mean, HG_SHAPE(1), ((double[]){1}));
    hg_scope_end(s);
}
END_TEST

START_TEST(what_does_not_fit_is_named_before_anything_changes)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *three = hg_zeros(dev, HG_F32, HG_SHAPE(3)), *flat = hg_full(dev, HG_F32, HG_SHAPE(2, 3, 1, 5), 1);
    hg_pool_options none = HG_POOL_DEFAULTS;
    none.kernel[0] = 0;
    const struct { hg_tensor *x, *weight; const hg_pool_options *pool; hg_status code; const char *text; } bad[] = {
        {flat, NULL, &HG_POOL_DEFAULTS, HG_E_SHAPE,
         "max_pool2d: Given input size: (3x1x5). Calculated output size: (3x0x2). Output size is too small"},
        {hg_transpose(flat, 2, 3), NULL, &HG_POOL_DEFAULTS, HG_E_SHAPE, "Output size is too small"},
        {flat, NULL, &none, HG_E_ARG, "kernel size should be greater than zero, but got 0"},
        {hg_zeros(dev, HG_F32, HG_SHAPE(2, 3)), NULL, &HG_POOL_DEFAULTS, HG_E_SHAPE, "Expected 3D or 4D"},
        {flat, hg_zeros(dev, HG_F32, HG_SHAPE(2)), NULL, HG_E_SHAPE,
         "batch_norm_relu: weight should contain 3 elements not 2"},
        {hg_zeros(dev, HG_F32, HG_SHAPE(1, 3, 1, 1)), NULL, NULL, HG_E_SHAPE, "Expected more than 1 value per channel"},
        {NULL, NULL, NULL, HG_E_ARG, "batch_norm_relu: operand 0 is NULL"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(!hg_ok(hg_batch_norm_relu(bad[i].x, three, three, bad[i].weight, NULL, true, .1, 1e-5, bad[i].pool)));
        test_error(bad[i].code, bad[i].text);
    }
    test_equal(three, HG_SHAPE(3), ((double[]){0, 0, 0}));
    hg_tensor *empty = hg_empty(dev, HG_F32, HG_SHAPE(0, 3, 4, 4));
    ck_assert_hg(hg_set_requires_grad(empty, true));
    hg_tensor *y = hg_batch_norm_relu(empty, three, three, NULL, NULL, true, .1, 1e-5, &HG_POOL_DEFAULTS);
    test_equal(y, HG_SHAPE(0, 3, 2, 2), (NULL));
    ck_assert_hg(hg_backward_with(y, hg_empty(dev, HG_F32, HG_SHAPE(0, 3, 2, 2)), false));
    test_equal(three, HG_SHAPE(3), ((double[]){0, 0, 0}));
    hg_scope_end(s);
}
END_TEST

Suite *batch_norm_relu_suite(void)
{
    return TEST_SUITE("batch_norm_relu", values_and_gradients_are_those_of_the_chain,
                      many_planes_lose_no_digits_in_the_sums,
                      without_pooling_and_with_other_pooling_it_is_the_chain_too,
                      ties_clipping_and_weights_of_any_sign_pick_the_chains_winner,
                      nan_wins_and_infinities_go_where_the_chain_sends_them, gradients_agree_with_differences,
                      the_same_bits_come_every_time,
                      only_the_wanted_gradients_come, running_statistics_stand_still_while_a_target_is_out_of_range,
                      what_does_not_fit_is_named_before_anything_changes);
}
