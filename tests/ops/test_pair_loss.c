/* Losses of an input and a target: double arithmetic, reductions, layouts, PyTorch's edges, gradients, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static double softplus_of(double x) { return log1p(exp(-fabs(x))) + fmax(x, 0); }
static double smooth_l1_of(double x, double t) { double z = fabs(x - t); return z < 0.5 ? z * z : z - 0.25; }
static double huber_of(double x, double t) { double z = fabs(x - t); return z <= 0.5 ? z * z / 2 : 0.5 * (z - 0.25); }
static double kl_of(double x, double t) { return t * (log(t) - x); }
static double kl_log_of(double x, double t) { return exp(t) * (t - x); }
static double bce_of(double x, double t) { return t * softplus_of(-x) + (1 - t) * softplus_of(x); }
static hg_tensor *smooth_l1(hg_tensor *x, hg_tensor *t, hg_reduction r) { return hg_smooth_l1_loss(x, t, 0.5, r); }
static hg_tensor *huber(hg_tensor *x, hg_tensor *t, hg_reduction r) { return hg_huber_loss(x, t, 0.5, r); }
static hg_tensor *kl(hg_tensor *x, hg_tensor *t, hg_reduction r) { return hg_kl_div(x, t, false, r); }
static hg_tensor *kl_log(hg_tensor *x, hg_tensor *t, hg_reduction r) { return hg_kl_div(x, t, true, r); }

static hg_tensor *bce(hg_tensor *x, hg_tensor *t, hg_reduction r)
{
    hg_bce_options o = HG_BCE_DEFAULTS;
    o.reduction = r;
    return hg_binary_cross_entropy_with_logits(x, t, &o);
}

typedef struct loss_case {
    const char *name;
    hg_tensor *(*op)(hg_tensor *, hg_tensor *, hg_reduction);
    double (*of)(double, double);
    bool broadcasts;
} loss_case;
static const loss_case cases[] = {{"smooth_l1", smooth_l1, smooth_l1_of, true}, {"huber", huber, huber_of, true},
                                  {"kl_div", kl, kl_of, true}, {"kl_div log", kl_log, kl_log_of, true},
                                  {"bce", bce, bce_of, false}};
enum { CASES = sizeof cases / sizeof *cases };

/* Inputs in [-3, 3], targets in (0, 1]. */
static void make(int64_t n, double **x, double **t)
{
    *x = test_values(n);
    *t = test_values(n);
    for (int64_t i = 0; i < n; i++) {
        (*x)[i] = (float)(3 * (*x)[i]);
        (*t)[i] = (float)(((*t)[i] + 1.01) / 2.01);
    }
}

static void check_reductions(const loss_case *c, hg_shape shape, int layout)
{
    int64_t n = test_numel(shape);
    double *x, *t, *each = test_values(n), sum = 0;
    make(n, &x, &t);
    for (int64_t i = 0; i < n; i++) sum += each[i] = c->of(x[i], t[i]);
    double mean = sum / (double)n;
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = test_layout(layout, HG_F32, shape, x), *b = test_layout(3 - layout, HG_F32, shape, t);
    test_close(c->op(a, b, HG_REDUCE_NONE), shape, each, 1e-6, 1e-5);
    test_close(c->op(a, b, HG_REDUCE_SUM), HG_SCALAR, &sum, 1e-6 * (double)n, 1e-5);
    test_close(c->op(a, b, HG_REDUCE_MEAN), HG_SCALAR, &mean, 1e-6, 1e-5);
    hg_scope_end(s);
    free(x);
    free(t);
    free(each);
}

START_TEST(pair_losses_agree_with_double_arithmetic)
{
    for (int c = 0; c < CASES; c++) {
        for (int layout = 0; layout < TEST_LAYOUTS; layout++)
            check_reductions(&cases[c], HG_SHAPE(test_between(1, 5), test_between(1, 40), 3), layout);
        check_reductions(&cases[c], HG_SCALAR, 0);
        check_reductions(&cases[c], HG_SHAPE(9001), 1);
        check_reductions(&cases[c], HG_SHAPE(0, 3), 0);
    }
}
END_TEST

static hg_tensor *through(hg_tensor **in, int n, void *user)
{
    const loss_case *c = *(const loss_case **)user;
    hg_reduction *r = (hg_reduction *)((void **)user)[1];
    (void)n;
    return c->op(in[0], in[1], *r);
}

START_TEST(pair_loss_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    for (int c = 0; c < CASES; c++)
        for (int r = 0; r < 3; r++) {
            hg_scope *s = hg_scope_begin(test_device());
            hg_reduction reductions[] = {HG_REDUCE_MEAN, HG_REDUCE_SUM, HG_REDUCE_NONE};
            const void *user[] = {&cases[c], &reductions[r]};
            double *x, *t;
            make(6, &x, &t);
            hg_tensor *in[] = {test_tensor(HG_F64, HG_SHAPE(2, 3), x),
                               test_tensor(HG_F64, cases[c].broadcasts ? HG_SHAPE(3) : HG_SHAPE(2, 3), t)};
            test_gradient(through, in, 2, user);
            free(x);
            free(t);
            hg_scope_end(s);
        }
}
END_TEST

typedef struct weighted {
    hg_tensor *weight, *positive;
} weighted;

static hg_tensor *with_weights(hg_tensor **in, int n, void *user)
{
    const weighted *w = user;
    (void)n;
    return hg_binary_cross_entropy_with_logits(in[0], in[1], &(hg_bce_options){w->weight, w->positive, HG_REDUCE_SUM});
}

START_TEST(bce_weights_broadcast)
{
    double *x, *t, weight[] = {.5, 2}, positive[] = {3, .25, 1}, each[6];
    make(6, &x, &t);
    for (int i = 0; i < 6; i++)
        each[i] = weight[i / 3] * (positive[i % 3] * t[i] * softplus_of(-x[i]) + (1 - t[i]) * softplus_of(x[i]));
    hg_scope *s = hg_scope_begin(test_device());
    hg_bce_options o = {test_tensor(HG_F32, HG_SHAPE(2, 1), weight), test_tensor(HG_F32, HG_SHAPE(3), positive),
                        HG_REDUCE_NONE};
    hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(2, 3), x), *b = test_tensor(HG_F32, HG_SHAPE(2, 3), t);
    test_close(hg_binary_cross_entropy_with_logits(a, b, &o), HG_SHAPE(2, 3), each, 1e-6, 1e-6);
    for (int k = 0; test_has_f64() && k < 4; k++) {
        weighted w = {k & 1 ? test_tensor(HG_F64, HG_SHAPE(2, 1), weight) : NULL,
                      k & 2 ? test_tensor(HG_F64, HG_SHAPE(3), positive) : NULL};
        hg_tensor *in[] = {test_tensor(HG_F64, HG_SHAPE(2, 3), x), test_tensor(HG_F64, HG_SHAPE(2, 3), t)};
        test_gradient(with_weights, in, 2, &w);
    }
    hg_scope_end(s);
    free(x);
    free(t);
}
END_TEST

static void check_gradients(hg_tensor *(*op)(hg_tensor *, hg_tensor *, hg_reduction), const double *x, const double *t,
                            const double *y, const double *dx, const double *dt)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(3), x), *b = test_tensor(HG_F32, HG_SHAPE(3), t);
    ck_assert_hg(hg_set_requires_grad(a, true));
    ck_assert_hg(hg_set_requires_grad(b, true));
    hg_tensor *loss = op(a, b, HG_REDUCE_NONE);
    test_close(loss, HG_SHAPE(3), y, 1e-4, 1e-4);
    ck_assert_hg(hg_backward_with(loss, hg_full(test_device(), HG_F32, HG_SHAPE(3), 1), false));
    test_close(hg_grad(a), HG_SHAPE(3), dx, 1e-4, 1e-4);
    test_close(hg_grad(b), HG_SHAPE(3), dt, 1e-4, 1e-4);
    hg_scope_end(s);
}

static hg_tensor *absolute(hg_tensor *x, hg_tensor *t, hg_reduction r) { return hg_smooth_l1_loss(x, t, 0, r); }

/* Numbers from torch 1.13. */
START_TEST(pair_losses_at_edges_are_pytorchs)
{
    check_gradients(kl, (double[]){-1, -2, .5}, (double[]){0, .5, 2}, (double[]){0, 0.6534, 0.3863},
                    (double[]){0, -.5, -2}, (double[]){NAN, 2.3069, 1.1931});
    check_gradients(absolute, (double[]){1, 1, 3}, (double[]){1, 2, 1}, (double[]){0, 1, 2}, (double[]){-1, -1, 1},
                    (double[]){1, 1, -1});
    check_gradients(bce, (double[]){-200, 200, 1e30}, (double[]){1, 1, 0}, (double[]){200, 0, 1e30},
                    (double[]){-1, 0, 1}, (double[]){200, -200, -1e30});
}
END_TEST

START_TEST(pair_losses_say_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(2, 3)), *three = hg_zeros(dev, HG_F32, HG_SHAPE(3));
    hg_tensor *two = hg_zeros(dev, HG_F32, HG_SHAPE(2)), *ints = hg_zeros(dev, HG_I64, HG_SHAPE(2, 3));
    hg_tensor *learned = hg_zeros(dev, HG_F32, HG_SHAPE(3));
    ck_assert_hg(hg_set_requires_grad(learned, true));
    for (int c = 0; c < CASES; c++) {
        ck_assert(!hg_ok(cases[c].op(x, ints, HG_REDUCE_MEAN)));
        test_error(HG_E_DTYPE, "Found dtype Long but expected Float");
        ck_assert(!hg_ok(cases[c].op(ints, x, HG_REDUCE_MEAN)));
        test_error(HG_E_DTYPE, "got int64");
        ck_assert(!hg_ok(cases[c].op(x, two, HG_REDUCE_MEAN)));
        test_error(HG_E_SHAPE, cases[c].broadcasts ? "The size of tensor a (3) must match the size of tensor b (2)"
                                                   : "Target size (torch.Size([2])) must be the same as input size "
                                                     "(torch.Size([2, 3]))");
    }
    const struct { hg_tensor *weight, *positive; hg_status code; const char *text; } bad[] = {
        {two, NULL, HG_E_SHAPE, "must match the size of tensor b (3)"},
        {NULL, hg_zeros(dev, HG_F32, HG_SHAPE(2, 2, 3)), HG_E_SHAPE, "expand"},
        {NULL, hg_cast(three, HG_I32), HG_E_DTYPE, "pos_weight is int32, the input is float32"},
        {learned, NULL, HG_E_UNSUPPORTED, "not differentiable with respect to 'weight'"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        hg_bce_options o = {bad[k].weight, bad[k].positive, HG_REDUCE_MEAN};
        ck_assert(!hg_ok(hg_binary_cross_entropy_with_logits(x, x, &o)));
        test_error(bad[k].code, bad[k].text);
    }
    ck_assert(!hg_ok(hg_smooth_l1_loss(x, x, -1, HG_REDUCE_MEAN)));
    test_error(HG_E_ARG, "smooth_l1_loss: does not support negative values for beta, got -1");
    ck_assert(!hg_ok(hg_huber_loss(x, x, 0, HG_REDUCE_MEAN)));
    test_error(HG_E_ARG, "huber_loss: does not support non-positive values for delta, got 0");
    hg_scope_end(s);
}
END_TEST

Suite *pair_loss_suite(void)
{
    return TEST_SUITE("pair_loss", pair_losses_agree_with_double_arithmetic, pair_loss_gradients_agree_with_differences,
                      bce_weights_broadcast, pair_losses_at_edges_are_pytorchs, pair_losses_say_what_is_wrong);
}
