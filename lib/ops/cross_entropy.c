/* Cross entropy: -sum_c q_c log softmax(x)_c, weighted, q the class of a target (smoothed) or its probabilities.
 * One kernel forward (kernels/softmax.cl keeps the largest x and the log of the sum of a row), one backward:
 * dx_c = (softmax(x)_c sum_k w_k q_k - w_c q_c) dy. Mean divides by the sum of w[t] over what is not ignored, or by the
 * number of rows for probabilities. */
#include "autograd/autograd.h"
#include "ops/loss.h"
#include "ops/softmax.h"

typedef struct ce_context {
    int dim;
    int64_t ignore_index;
    double smoothing, total;    /* total: for probabilities */
    bool reduced;
} ce_context;

enum { SAVED_X, SAVED_TARGET, SAVED_WEIGHT, SAVED_STATS, SAVED_TOTAL, SAVED_COUNT };

/* The saved tensors; false if one was changed since. Only weight and total may be NULL. */
static bool saved(hg_node *n, int count, hg_tensor **out)
{
    for (int i = 0; i < count; i++) {
        out[i] = hg_node_saved(n, i);
        if (out[i] && !hg_ok(out[i])) return false;
    }
    return true;
}

static hg_status ce_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const ce_context *c = hg_node_context(n);
    hg_tensor *s[SAVED_COUNT];
    if (!saved(n, SAVED_COUNT, s)) return hg_last_status();
    hg_tensor *x = s[SAVED_X], *weight = s[SAVED_WEIGHT];
    dy = hg_raw_contiguous(dy);
    dx[0] = hg_new_tensor(x->dev, x->dtype, x->ndim, x->size);
    if (!hg_ok(dy) || !hg_ok(dx[0])) return hg_last_status();
    hg_rows r = hg_rows_of(x, c->dim);
    return hg_launch(x->dev, &hg_source_softmax, r.options, "ce_bwd", r.range,
                     HG_ARGS(HG_ARG_ROWS(r), HG_ARG_I64(c->ignore_index), hg_arg_real(x->dtype == HG_F64, c->smoothing),
                             HG_ARG_I32(weight != NULL), HG_ARG_TENSOR(x), HG_ARG_TENSOR(s[SAVED_TARGET]),
                             HG_ARG_TENSOR(weight ? weight : x), HG_ARG_TENSOR(s[SAVED_STATS]), HG_ARG_TENSOR(dy),
                             HG_ARG_I32(!c->reduced), HG_ARG_TENSOR(s[SAVED_TOTAL]), HG_ARG_TENSOR(dx[0])));
}
static const hg_op ce_op = {"NllLossBackward0", ce_backward};

/* Row statistics, and one loss a row. */
static bool new_results(const hg_loss_problem *p, const hg_rows *r, int ndim, const int64_t *size, hg_tensor **stats,
                        hg_tensor **loss)
{
    *stats = hg_new_tensor(p->input->dev, p->input->dtype, 2, (int64_t[]){3, r->rows});
    *loss = hg_new_tensor(p->input->dev, p->input->dtype, ndim, size);
    return hg_ok(*stats) && hg_ok(*loss);
}

static hg_tensor *with_indices(hg_tensor *input, hg_tensor *target, const hg_loss_options *o)
{
    hg_loss_problem p;
    hg_tensor *stats, *loss, *total;
    if (hg_loss_check("cross_entropy", input, target, o, &p) != HG_OK) return hg_failed();
    hg_tensor *x = p.input, *used = hg_new_tensor(x->dev, x->dtype, target->ndim, target->size);
    hg_rows r = hg_rows_of(x, p.dim);
    if (!new_results(&p, &r, target->ndim, target->size, &stats, &loss) || !hg_ok(used) ||
        hg_launch(x->dev, &hg_source_softmax, r.options, "ce_fwd", r.range,
                  HG_ARGS(HG_ARG_ROWS(r), HG_ARG_I64(o->ignore_index), hg_arg_real(x->dtype == HG_F64, o->label_smoothing),
                          HG_ARG_I32(p.weight != NULL), HG_ARG_TENSOR(x), HG_ARG_TENSOR(p.target),
                          HG_ARG_TENSOR(p.weight ? p.weight : x), HG_ARG_TENSOR(stats), HG_ARG_TENSOR(loss),
                          HG_ARG_TENSOR(used))) != HG_OK)
        return hg_failed();
    hg_tensor *y = hg_loss_reduce(loss, used, o->reduction, &total);
    if (!hg_ok(y)) return y;
    ce_context c = {p.dim, o->ignore_index, o->label_smoothing, 0, o->reduction != HG_REDUCE_NONE};
    return hg_record(y, &ce_op, HG_LIST(input), HG_LIST(x, p.target, p.weight, stats, total), &c, sizeof c);
}

/* ---- class probabilities ---- */

static hg_status ce_prob_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const ce_context *c = hg_node_context(n);
    hg_tensor *s[SAVED_TOTAL];
    if (!saved(n, SAVED_TOTAL, s)) return hg_last_status();
    hg_tensor *x = s[SAVED_X], *weight = s[SAVED_WEIGHT];
    bool f64 = x->dtype == HG_F64;
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(dy)) return hg_last_status();
    hg_rows r = hg_rows_of(x, c->dim);
    for (int i = 0; i < 2; i++) {
        if (!hg_node_wants(n, i)) continue;
        dx[i] = hg_new_tensor(x->dev, x->dtype, x->ndim, x->size);
        if (!hg_ok(dx[i])) return hg_last_status();
        HG_TRY(hg_launch(x->dev, &hg_source_softmax, r.options, "ce_prob_bwd", r.range,
                         HG_ARGS(HG_ARG_ROWS(r), hg_arg_real(f64, c->smoothing), HG_ARG_I32(weight != NULL), HG_ARG_I32(i == 1),
                                 HG_ARG_TENSOR(x), HG_ARG_TENSOR(s[SAVED_TARGET]), HG_ARG_TENSOR(weight ? weight : x),
                                 HG_ARG_TENSOR(s[SAVED_STATS]), HG_ARG_TENSOR(dy), HG_ARG_I32(!c->reduced),
                                 hg_arg_real(f64, c->total), HG_ARG_TENSOR(dx[i]))));
    }
    return HG_OK;
}
static const hg_op ce_prob_op = {"DivBackward1", ce_prob_backward};

static hg_tensor *with_probabilities(hg_tensor *input, hg_tensor *target, const hg_loss_options *o)
{
    hg_loss_problem p = {.dim = input->ndim > 1, .options = *o};
    hg_tensor *stats, *loss;
    if (!input->ndim) return hg_fail(HG_E_SHAPE, "cross_entropy: Expected 1 or more dimensions (got 0)");
    if (target->dtype != input->dtype)
        return hg_fail(HG_E_DTYPE, "cross_entropy: expected scalar type %s but found %s", hg_scalar_type(input->dtype),
                       hg_scalar_type(target->dtype));
    if (o->ignore_index >= 0)
        return hg_fail(HG_E_ARG, "cross_entropy: ignore_index is not supported for floating point target");
    if (hg_loss_check_weight("cross_entropy", input, input->size[p.dim], o->weight) != HG_OK) return hg_failed();
    hg_tensor *x = p.input = hg_raw_contiguous(input), *t = hg_raw_contiguous(target);
    hg_tensor *weight = o->weight ? hg_raw_contiguous(o->weight) : NULL;
    if (!hg_ok(x) || !hg_ok(t) || (weight && !hg_ok(weight))) return hg_failed();
    hg_rows r = hg_rows_of(x, p.dim);
    int64_t size[HG_MAX_DIMS];
    for (int d = 0, to = 0; d < x->ndim; d++)
        if (d != p.dim) size[to++] = x->size[d];
    if (!new_results(&p, &r, x->ndim - 1, size, &stats, &loss) ||
        hg_launch(x->dev, &hg_source_softmax, r.options, "ce_prob_fwd", r.range,
                  HG_ARGS(HG_ARG_ROWS(r), hg_arg_real(x->dtype == HG_F64, o->label_smoothing), HG_ARG_I32(weight != NULL),
                          HG_ARG_TENSOR(x), HG_ARG_TENSOR(t), HG_ARG_TENSOR(weight ? weight : x), HG_ARG_TENSOR(stats),
                          HG_ARG_TENSOR(loss))) != HG_OK)
        return hg_failed();
    hg_tensor *y = hg_loss_reduce(loss, NULL, o->reduction, NULL);
    if (!hg_ok(y)) return y;
    ce_context c = {p.dim, 0, o->label_smoothing, o->reduction == HG_REDUCE_MEAN ? (double)r.rows : 1,
                    o->reduction != HG_REDUCE_NONE};
    return hg_record(y, &ce_prob_op, HG_LIST(input, target), HG_LIST(x, t, weight, stats), &c, sizeof c);
}

hg_tensor *hg_cross_entropy(hg_tensor *input, hg_tensor *target, const hg_loss_options *o)
{
    hg_loss_options options = o ? *o : HG_LOSS_DEFAULTS;
    if (!HG_CHECK_OPERANDS("cross_entropy", input, target) ||
        !hg_check_operands("cross_entropy", (hg_tensor *[]){input, options.weight}, 2, true) ||
        !hg_check_float("cross_entropy", input))
        return hg_failed();
    if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
        return hg_fail(HG_E_ARG, "cross_entropy: label_smoothing must be between 0.0 and 1.0. Got: %g",
                       options.label_smoothing);
    hg_scope *s = hg_scope_inner();
    bool probabilities = hg_is_float(target->dtype) && hg_same_shape(input, target);
    return hg_scope_return(s, probabilities ? with_probabilities(input, target, &options)
                                            : with_indices(input, target, &options));
}
