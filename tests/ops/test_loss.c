/* Losses: PyTorch's values and gradients for every option, long rows against double arithmetic, errors, bad targets. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"

typedef enum loss_kind { INDEX, PROBABILITY, NLL, MSE } loss_kind;

/* As in tests/oracle/loss.py. */
static const struct {
    loss_kind kind;
    const char *data;
    int weighted;
    int64_t ignore;
    double smoothing;
    hg_reduction reduction;
} cases[] = {
    {INDEX, "rows", 0, -100, 0, HG_REDUCE_MEAN},       {INDEX, "rows", 0, -100, 0, HG_REDUCE_SUM},
    {INDEX, "rows", 0, -100, 0, HG_REDUCE_NONE},       {INDEX, "rows", 1, -100, 0, HG_REDUCE_MEAN},
    {INDEX, "rows", 0, 1, 0, HG_REDUCE_MEAN},          {INDEX, "rows", 0, -100, .1, HG_REDUCE_MEAN},
    {INDEX, "rows", 1, 1, .2, HG_REDUCE_MEAN},         {INDEX, "rows", 1, 1, .2, HG_REDUCE_SUM},
    {INDEX, "rows", 1, 1, .2, HG_REDUCE_NONE},         {INDEX, "maps", 0, -100, 0, HG_REDUCE_MEAN},
    {INDEX, "maps", 1, 1, .3, HG_REDUCE_MEAN},         {INDEX, "maps", 1, 1, .3, HG_REDUCE_NONE},
    {INDEX, "one", 0, -100, 0, HG_REDUCE_MEAN},        {INDEX, "one", 1, -100, .1, HG_REDUCE_NONE},
    {PROBABILITY, "rows", 0, -100, 0, HG_REDUCE_MEAN}, {PROBABILITY, "rows", 1, -100, .2, HG_REDUCE_MEAN},
    {PROBABILITY, "rows", 1, -100, 0, HG_REDUCE_NONE}, {PROBABILITY, "maps", 1, -100, .1, HG_REDUCE_SUM},
    {PROBABILITY, "maps", 0, -100, .1, HG_REDUCE_MEAN}, {PROBABILITY, "one", 0, -100, 0, HG_REDUCE_MEAN},
    {NLL, "rows", 0, -100, 0, HG_REDUCE_MEAN},         {NLL, "rows", 1, 1, 0, HG_REDUCE_MEAN},
    {NLL, "rows", 1, 1, 0, HG_REDUCE_NONE},            {NLL, "maps", 1, 1, 0, HG_REDUCE_MEAN},
    {NLL, "maps", 0, -100, 0, HG_REDUCE_SUM},          {NLL, "one", 0, -100, 0, HG_REDUCE_MEAN},
    {MSE, "maps", 0, 0, 0, HG_REDUCE_MEAN},            {MSE, "maps", 0, 0, 0, HG_REDUCE_SUM},
    {MSE, "maps", 0, 0, 0, HG_REDUCE_NONE},
};

static hg_tensor *loss(loss_kind kind, hg_tensor *x, hg_tensor *target, const hg_loss_options *o)
{
    if (kind == MSE) return hg_mse_loss(x, target, o->reduction);
    return kind == NLL ? hg_nll_loss(x, target, o) : hg_cross_entropy(x, target, o);
}

static void check_golden(hg_tensor *t, const char *what, int number)
{
    char name[64];
    hg_shape shape;
    snprintf(name, sizeof name, "loss/%s_%d", what, number);
    double *expected = test_golden_values(name, &shape);
    test_close(t, shape, expected, 1e-6, 2e-6);
    free(expected);
}

START_TEST(losses_and_gradients_are_pytorchs_for_every_option)
{
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        hg_scope *s = hg_scope_begin(test_device());
        char name[64];
        hg_shape shape, target_shape;
        bool indices = cases[i].kind == INDEX || cases[i].kind == NLL;
        snprintf(name, sizeof name, "loss/x_%s", cases[i].data);
        double *v = test_golden_values(name, &shape);
        hg_tensor *x = test_layout((int)test_between(0, TEST_LAYOUTS - 1), HG_F32, shape, v);
        free(v);
        snprintf(name, sizeof name, "loss/%s_%s", indices ? "target" : "probabilities", cases[i].data);
        v = test_golden_values(name, &target_shape);
        hg_tensor *target = test_layout((int)test_between(0, TEST_LAYOUTS - 1), indices ? HG_I64 : HG_F32, target_shape, v);
        free(v);
        hg_loss_options o = {cases[i].weighted ? test_golden("loss/weight") : NULL, cases[i].ignore, cases[i].reduction,
                             cases[i].smoothing};
        ck_assert_hg(hg_set_requires_grad(x, true));
        if (!indices) ck_assert_hg(hg_set_requires_grad(target, true));
        hg_tensor *y = loss(cases[i].kind, x, target, &o);
        check_golden(y, "y", i);
        int64_t n = hg_numel(y);
        double *g = test_values(n);
        for (int64_t k = 0; k < n; k++) g[k] = 1 + .5 * (double)k;
        ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, hg_tensor_shape(y), g), false));
        free(g);
        check_golden(hg_grad(x), "dx", i);
        if (!indices) check_golden(hg_grad(target), "dq", i);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(cross_entropy_of_many_classes_and_rows_agrees_with_double_arithmetic)
{
    hg_shape shapes[] = {HG_SHAPE(3, test_between(600, 1100)), HG_SHAPE(test_between(5000, 9000), 3)};
    for (int k = 0; k < 2; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        int64_t rows = shapes[k].size[0], n = shapes[k].size[1];
        double *x = test_values(rows * n), *t = test_values(rows), *dx = test_values(rows * n), sum = 0;
        for (int64_t i = 0; i < rows * n; i++) x[i] *= 20;
        for (int64_t r = 0; r < rows; r++) {
            double exps = 0, *row = x + r * n;
            t[r] = (double)test_between(0, n - 1);
            for (int64_t c = 0; c < n; c++) exps += exp(row[c]);
            for (int64_t c = 0; c < n; c++) dx[r * n + c] = (exp(row[c]) / exps - (c == t[r])) / (double)rows;
            sum += log(exps) - row[(int64_t)t[r]];
        }
        hg_tensor *input = test_tensor(HG_F32, shapes[k], x);
        ck_assert_hg(hg_set_requires_grad(input, true));
        hg_tensor *y = hg_cross_entropy(input, test_tensor(HG_I64, HG_SHAPE(rows), t), NULL);
        test_close(y, HG_SCALAR, (double[]){sum / (double)rows}, 0, 2e-6);
        ck_assert_hg(hg_backward(y));
        test_close(hg_grad(input), shapes[k], dx, 1e-6 / (double)rows, 2e-6);
        free(x);
        free(t);
        free(dx);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(huge_logits_stay_finite_and_all_ignored_is_nan)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 3), (double[]){1000, 0, -1000, 1000, 0, -1000});
    hg_tensor *t = test_tensor(HG_I64, HG_SHAPE(2), (double[]){0, 2});
    hg_loss_options o = HG_LOSS_DEFAULTS;
    o.reduction = HG_REDUCE_NONE;
    test_equal(hg_cross_entropy(x, t, &o), HG_SHAPE(2), ((double[]){0, 2000}));
    hg_tensor *ignored = test_tensor(HG_I64, HG_SHAPE(2), (double[]){-100, -100});
    test_equal(hg_cross_entropy(x, ignored, NULL), HG_SCALAR, ((double[]){NAN}));
    test_equal(hg_nll_loss(x, ignored, NULL), HG_SCALAR, ((double[]){NAN}));
    o.reduction = HG_REDUCE_SUM;
    test_equal(hg_cross_entropy(x, ignored, &o), HG_SCALAR, ((double[]){0}));
    test_equal(hg_cross_entropy(hg_empty(test_device(), HG_F32, HG_SHAPE(0, 3)),
                                hg_empty(test_device(), HG_I64, HG_SHAPE(0)), &o), HG_SCALAR, ((double[]){0}));
    test_equal(hg_mse_loss(hg_empty(test_device(), HG_F32, HG_SHAPE(0)), hg_empty(test_device(), HG_F32, HG_SHAPE(0)),
                           HG_REDUCE_MEAN), HG_SCALAR, ((double[]){NAN}));
    hg_scope_end(s);
}
END_TEST

START_TEST(a_target_out_of_range_gives_nan_rows_and_an_error_at_the_next_wait)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(4, 3), (double[]){1, 2, 3, 1, 2, 3, 1, 2, 3, 0, 0, 0});
    hg_tensor *t = test_tensor(HG_I64, HG_SHAPE(4), (double[]){0, 3, -1, 1});
    hg_loss_options o = HG_LOSS_DEFAULTS;
    o.reduction = HG_REDUCE_NONE;
    ck_assert_hg(hg_set_requires_grad(x, true));
    for (int kind = 0; kind < 2; kind++) {
        hg_tensor *y = kind ? hg_nll_loss(x, t, &o) : hg_cross_entropy(x, t, &o);
        ck_assert_hg_ok(y);
        ck_assert_int_lt(hg_sync(test_device()), 0);
        test_error(HG_E_ARG, "Target 3 is out of bounds. (element 1; there are 3 classes)");
        test_close(y, HG_SHAPE(4), kind ? (double[]){-1, NAN, NAN, 0} : (double[]){2.4076059644, NAN, NAN, 1.0986122887},
                   1e-6, 0);
        ck_assert_hg(hg_set_grad(x, NULL));
        ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, HG_SHAPE(4), (double[]){1, 1, 1, 1}), false));
        double *dx = test_read(hg_grad(x));
        ck_assert(kind ? dx[3] == 0 : isnan(dx[3]));
        ck_assert_double_eq_tol(dx[0], kind ? -1 : 0.0900305732 - 1, 1e-6);
        free(dx);
    }
    hg_tensor *far = test_tensor(HG_I64, HG_SHAPE(1), (double[]){-9e15});
    ck_assert_hg_ok(hg_cross_entropy(hg_slice(x, 0, 0, 1, 1), far, NULL));
    ck_assert_int_lt(hg_sync(test_device()), 0);
    test_error(HG_E_ARG, "Target -2147483648 is out of bounds. (element 0");
    ck_assert_hg(hg_sync(test_device()));
    hg_scope_end(s);
}
END_TEST

static void expect(hg_tensor *t, hg_status code, const char *text)
{
    ck_assert(!hg_ok(t));
    test_error(code, text);
}

START_TEST(wrong_targets_and_options_are_named_in_pytorchs_words)
{
    hg_scope *s = hg_scope_begin(test_device());
    double zero[12] = {0};
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 3), zero), *maps = test_tensor(HG_F32, HG_SHAPE(2, 3, 2), zero);
    hg_tensor *t = test_tensor(HG_I64, HG_SHAPE(2), zero);
    hg_loss_options o = HG_LOSS_DEFAULTS;
    expect(hg_cross_entropy(x, test_tensor(HG_I64, HG_SHAPE(1), zero), NULL), HG_E_SHAPE,
           "Expected input batch_size (2) to match target batch_size (1).");
    expect(hg_cross_entropy(x, test_tensor(HG_I32, HG_SHAPE(2), zero), NULL), HG_E_DTYPE,
           "expected scalar type Long but found Int");
    expect(hg_nll_loss(x, test_tensor(HG_F32, HG_SHAPE(2), zero), NULL), HG_E_DTYPE,
           "expected scalar type Long but found Float");
    expect(hg_cross_entropy(x, test_tensor(HG_U8, HG_SHAPE(2), zero), NULL), HG_E_DTYPE, "but found Byte");
    expect(hg_cross_entropy(maps, test_tensor(HG_I64, HG_SHAPE(2, 3), zero), NULL), HG_E_SHAPE,
           "size mismatch (got input: [2, 3, 2], target: [2, 3])");
    expect(hg_nll_loss(x, test_tensor(HG_I64, HG_SHAPE(2, 3), zero), NULL), HG_E_SHAPE, "size mismatch");
    expect(hg_cross_entropy(test_tensor(HG_F32, HG_SCALAR, zero), test_tensor(HG_I64, HG_SCALAR, zero), NULL), HG_E_SHAPE,
           "Expected 1 or more dimensions (got 0)");
    expect(hg_cross_entropy(test_tensor(HG_I64, HG_SHAPE(2, 3), zero), t, NULL), HG_E_DTYPE, "got int64");
    o.label_smoothing = 1.5;
    expect(hg_cross_entropy(x, t, &o), HG_E_ARG, "label_smoothing must be between 0.0 and 1.0. Got: 1.5");
    o = HG_LOSS_DEFAULTS;
    o.ignore_index = 1;
    expect(hg_cross_entropy(x, x, &o), HG_E_ARG, "ignore_index is not supported for floating point target");
    o = HG_LOSS_DEFAULTS;
    o.weight = test_tensor(HG_F32, HG_SHAPE(2), zero);
    expect(hg_cross_entropy(x, t, &o), HG_E_SHAPE, "either for all 3 classes or no classes but got weight tensor of shape: [2]");
    o.weight = test_tensor(HG_I64, HG_SHAPE(3), zero);
    expect(hg_nll_loss(x, t, &o), HG_E_DTYPE, "expected scalar type Float but found Long");
    o.weight = test_tensor(HG_F32, HG_SHAPE(3), zero);
    ck_assert_hg(hg_set_requires_grad(o.weight, true));
    expect(hg_cross_entropy(x, t, &o), HG_E_UNSUPPORTED, "the derivative for 'weight' is not implemented");
    expect(hg_mse_loss(x, maps, HG_REDUCE_MEAN), HG_E_SHAPE, "mse_loss: The size of tensor a (2) must match");
    expect(hg_mse_loss(x, test_tensor(HG_I64, HG_SHAPE(2, 3), zero), HG_REDUCE_MEAN), HG_E_DTYPE,
           "Found dtype Long but expected Float");
    hg_scope_end(s);
}
END_TEST

START_TEST(squared_error_broadcasts_with_a_warning)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(2, 2), (double[]){1, 2, 3, 4});
    hg_tensor *b = test_tensor(HG_F32, HG_SHAPE(2), (double[]){1, 1});
    ck_assert_hg(hg_set_requires_grad(b, true));
    hg_tensor *y = hg_mse_loss(a, b, HG_REDUCE_SUM);
    test_equal(y, HG_SCALAR, ((double[]){14}));
    ck_assert_hg(hg_backward(y));
    test_equal(hg_grad(b), HG_SHAPE(2), ((double[]){-4, -8}));
    hg_scope_end(s);
}
END_TEST

typedef struct gradient_case {
    loss_kind kind;
    hg_tensor *target;
    hg_loss_options o;
} gradient_case;

static hg_tensor *of_inputs(hg_tensor **in, int n, void *user)
{
    gradient_case *c = user;
    return loss(c->kind, in[0], n > 1 ? in[1] : c->target, &c->o);
}

START_TEST(loss_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(24), *q = test_values(24), *w = test_values(3), t[8];
    for (int i = 0; i < 8; i++) t[i] = (double)test_between(0, 2);
    for (int i = 0; i < 3; i++) w[i] = fabs(w[i]) + .1;
    hg_tensor *in[] = {test_tensor(HG_F64, HG_SHAPE(2, 3, 4), v), test_tensor(HG_F64, HG_SHAPE(2, 3, 4), q)};
    hg_tensor *weight = test_tensor(HG_F64, HG_SHAPE(3), w);
    for (int kind = INDEX; kind <= MSE; kind++) {
        for (int reduction = HG_REDUCE_MEAN; reduction <= HG_REDUCE_NONE; reduction++) {
            gradient_case c = {kind, test_tensor(HG_I64, HG_SHAPE(2, 4), t),
                               {weight, kind == PROBABILITY ? -100 : 1, reduction, .1}};
            c.o.weight = kind == MSE ? NULL : weight;
            test_gradient(of_inputs, in, kind == PROBABILITY || kind == MSE ? 2 : 1, &c);
        }
    }
    free(v);
    free(q);
    free(w);
    hg_scope_end(s);
}
END_TEST

Suite *loss_suite(void)
{
    return TEST_SUITE("loss", losses_and_gradients_are_pytorchs_for_every_option,
                      cross_entropy_of_many_classes_and_rows_agrees_with_double_arithmetic,
                      huge_logits_stay_finite_and_all_ignored_is_nan,
                      a_target_out_of_range_gives_nan_rows_and_an_error_at_the_next_wait,
                      wrong_targets_and_options_are_named_in_pytorchs_words, squared_error_broadcasts_with_a_warning,
                      loss_gradients_agree_with_differences);
}
