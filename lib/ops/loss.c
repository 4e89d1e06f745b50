/* Negative log likelihood, loss_p = -w[t_p] x[p, t_p], dx[p, t_p] = -w[t_p] dy; mean squared error, (a - b)^2,
 * da = 2 (a - b) dy; and what losses share. Mean divides by the sum of w[t_p] over what is not ignored (by the number
 * of elements for squared errors). */
#include "ops/loss.h"

#include <string.h>

#include "autograd/autograd.h"
#include "base/log.h"
#include "cl/fault.h"
#include "ops/softmax.h"
#include "tensor/iterate.h"

/* ---- shared ---- */

enum { CHUNK = 4096 };  /* elements that one team sums */

const char *hg_scalar_type(hg_dtype dtype)
{
    return (const char *[]){"Float", "Double", "Int", "Long", "Byte", "Bool"}[dtype];
}

hg_status hg_loss_check_weight(const char *op, const hg_tensor *input, int64_t classes, hg_tensor *weight)
{
    if (!weight) return HG_OK;
    if (weight->ndim != 1 || weight->size[0] != classes)
        return hg_error(HG_E_SHAPE,
                        "%s: weight tensor should be defined either for all %lld classes or no classes but got weight "
                        "tensor of shape: %s",
                        op, (long long)classes, HG_SHAPE_TEXT(weight));
    if (weight->dtype != input->dtype)
        return hg_error(HG_E_DTYPE, "%s: expected scalar type %s but found %s", op, hg_scalar_type(input->dtype),
                        hg_scalar_type(weight->dtype));
    if (hg_grad_enabled() && hg_requires_grad(weight))
        return hg_error(HG_E_UNSUPPORTED, "%s: the derivative for 'weight' is not implemented; detach it", op);
    return HG_OK;
}

static hg_status check_sizes(const char *op, const hg_tensor *x, const hg_tensor *t)
{
    if (x->ndim < 1) return hg_error(HG_E_SHAPE, "%s: Expected 1 or more dimensions (got 0)", op);
    bool same = t->ndim == x->ndim - 1;
    if (x->ndim > 1 && t->ndim > 0 && x->size[0] != t->size[0])
        return hg_error(HG_E_SHAPE, "%s: Expected input batch_size (%lld) to match target batch_size (%lld).", op,
                        (long long)x->size[0], (long long)t->size[0]);
    for (int d = 1; same && d < t->ndim; d++) same = t->size[d] == x->size[d + 1];
    if (!same)
        return hg_error(HG_E_SHAPE, "%s: size mismatch (got input: %s, target: %s); the target has the input's sizes "
                                    "without the classes", op, HG_SHAPE_TEXT(x), HG_SHAPE_TEXT(t));
    return HG_OK;
}

static hg_status look_for_bad_targets(const hg_loss_problem *p)
{
    hg_device *dev = p->target->dev;
    return hg_launch(dev, &hg_source_loss, hg_real_options(p->input->dtype), "target_check", hg_range_teams(dev, 1, 1),
                     HG_ARGS(HG_ARG_I64(p->target->numel), HG_ARG_I64(p->input->size[p->dim]),
                             HG_ARG_I64(p->options.ignore_index), HG_ARG_TENSOR(p->target), HG_ARG_MEM(hg_fault_watch(dev))));
}

hg_status hg_loss_check(const char *op, hg_tensor *input, hg_tensor *target, const hg_loss_options *o,
                        hg_loss_problem *p)
{
    *p = (hg_loss_problem){.dim = input->ndim > 1, .options = *o};
    HG_TRY(check_sizes(op, input, target));
    if (target->dtype != HG_I64)
        return hg_error(HG_E_DTYPE, "%s: expected scalar type Long but found %s", op, hg_scalar_type(target->dtype));
    HG_TRY(hg_loss_check_weight(op, input, input->size[p->dim], o->weight));
    p->input = hg_raw_contiguous(input);
    p->target = hg_raw_contiguous(target);
    p->weight = o->weight ? hg_raw_contiguous(o->weight) : NULL;
    if (!hg_ok(p->input) || !hg_ok(p->target) || (p->weight && !hg_ok(p->weight))) return hg_last_status();
    return look_for_bad_targets(p);
}

hg_tensor *hg_loss_reduce(hg_tensor *loss, hg_tensor *used, hg_reduction reduction, hg_tensor **total)
{
    hg_device *dev = loss->dev;
    hg_tensor *divisor = NULL, *sum = loss;
    bool mean = reduction == HG_REDUCE_MEAN, pair = used != NULL && mean, f64 = loss->dtype == HG_F64;
    double count = mean ? (double)loss->numel : 1;
    if (reduction == HG_REDUCE_NONE) {
        divisor = total ? hg_new_tensor(dev, loss->dtype, 0, NULL) : NULL;
        if (total && (!hg_ok(divisor) || hg_raw_fill(divisor, 1) != HG_OK)) return hg_failed();
    }
    for (int64_t n = loss->numel, left = 0; reduction != HG_REDUCE_NONE && left != 1; n = left) {
        left = hg_max_i64(1, hg_ceil_div(n, CHUNK));
        hg_tensor *a = sum, *b = pair ? used : sum;
        sum = hg_new_tensor(dev, loss->dtype, left > 1, &left);
        divisor = hg_new_tensor(dev, loss->dtype, left > 1, &left);
        if (!hg_ok(sum) || !hg_ok(divisor) ||
            hg_launch(dev, &hg_source_loss, hg_real_options(loss->dtype), "loss_sum", hg_range_teams(dev, left, 1),
                      HG_ARGS(HG_ARG_I64(n), HG_ARG_I64(CHUNK), HG_ARG_I32(pair), HG_ARG_I32(mean && left == 1),
                              hg_arg_real(f64, count), HG_ARG_TENSOR(a), HG_ARG_TENSOR(b), HG_ARG_TENSOR(sum),
                              HG_ARG_TENSOR(divisor))) != HG_OK)
            return hg_failed();
        used = divisor;
    }
    if (total) *total = divisor;
    return sum;
}

/* ---- negative log likelihood ---- */

typedef struct nll_context {
    int dim;
    int64_t ignore_index;
    bool reduced;
} nll_context;

static hg_status nll_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const nll_context *c = hg_node_context(n);
    hg_tensor *target = hg_node_saved(n, 0), *weight = hg_node_saved(n, 1), *total = hg_node_saved(n, 2);
    if (!hg_ok(target) || !hg_ok(total) || (weight && !hg_ok(weight))) return hg_last_status();
    dy = hg_raw_contiguous(dy);
    dx[0] = hg_new_tensor(dy->dev, dy->dtype, hg_node_input_ndim(n, 0), hg_node_input_size(n, 0));
    if (!hg_ok(dy) || !hg_ok(dx[0]) || hg_raw_fill(dx[0], 0) != HG_OK) return hg_last_status();
    hg_rows r = hg_rows_of(dx[0], c->dim);
    return hg_launch(dy->dev, &hg_source_loss, hg_real_options(dy->dtype), "nll_bwd", hg_range_elements(dy->dev, r.rows),
                     HG_ARGS(HG_ARG_ROWS(r), HG_ARG_I64(c->ignore_index), HG_ARG_I32(weight != NULL), HG_ARG_TENSOR(target),
                             HG_ARG_TENSOR(weight ? weight : dy), HG_ARG_TENSOR(dy), HG_ARG_I32(!c->reduced),
                             HG_ARG_TENSOR(total), HG_ARG_TENSOR(dx[0])));
}
static const hg_op nll_op = {"NllLossBackward0", nll_backward};

static hg_tensor *nll(hg_tensor *log_probs, hg_tensor *target, const hg_loss_options *o)
{
    hg_loss_problem p;
    if (hg_loss_check("nll_loss", log_probs, target, o, &p) != HG_OK) return hg_failed();
    hg_device *dev = log_probs->dev;
    hg_tensor *loss = hg_new_tensor(dev, log_probs->dtype, target->ndim, target->size), *total;
    hg_tensor *used = hg_new_tensor(dev, log_probs->dtype, target->ndim, target->size);
    hg_rows r = hg_rows_of(p.input, p.dim);
    if (!hg_ok(loss) || !hg_ok(used) ||
        hg_launch(dev, &hg_source_loss, hg_real_options(loss->dtype), "nll_fwd", hg_range_elements(dev, r.rows),
                  HG_ARGS(HG_ARG_ROWS(r), HG_ARG_I64(o->ignore_index), HG_ARG_I32(p.weight != NULL), HG_ARG_TENSOR(p.input),
                          HG_ARG_TENSOR(p.target), HG_ARG_TENSOR(p.weight ? p.weight : p.input), HG_ARG_TENSOR(loss),
                          HG_ARG_TENSOR(used))) != HG_OK)
        return hg_failed();
    hg_tensor *y = hg_loss_reduce(loss, used, o->reduction, &total);
    if (!hg_ok(y)) return y;
    nll_context c = {p.dim, o->ignore_index, o->reduction != HG_REDUCE_NONE};
    return hg_record(y, &nll_op, HG_LIST(log_probs), HG_LIST(p.target, p.weight, total), &c, sizeof c);
}

hg_tensor *hg_nll_loss(hg_tensor *log_probs, hg_tensor *target, const hg_loss_options *o)
{
    hg_loss_options options = o ? *o : HG_LOSS_DEFAULTS;
    if (!HG_CHECK_OPERANDS("nll_loss", log_probs, target) ||
        !hg_check_operands("nll_loss", (hg_tensor *[]){log_probs, options.weight}, 2, true) ||
        !hg_check_float("nll_loss", log_probs))
        return hg_failed();
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, nll(log_probs, target, &options));
}

/* ---- mean squared error ---- */

static hg_status mse_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const double *scale = hg_node_context(n);
    hg_tensor *in[2] = {hg_node_saved(n, 0), hg_node_saved(n, 1)};
    if (!hg_ok(in[0]) || !hg_ok(in[1])) return hg_last_status();
    bool reduced = hg_node_input_ndim(n, 0) != dy->ndim || dy->numel != in[0]->numel;
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(dy)) return hg_last_status();
    for (int i = 0; i < 2; i++) {
        if (!hg_node_wants(n, i)) continue;
        dx[i] = hg_new_tensor(dy->dev, dy->dtype, in[i]->ndim, in[i]->size);
        if (!hg_ok(dx[i])) return hg_last_status();
        HG_TRY(hg_launch(dy->dev, &hg_source_loss, hg_real_options(dy->dtype), "mse_bwd",
                         hg_range_elements(dy->dev, dx[i]->numel),
                         HG_ARGS(HG_ARG_I64(dx[i]->numel), hg_arg_real(dy->dtype == HG_F64, *scale), HG_ARG_TENSOR(in[i]),
                                 HG_ARG_TENSOR(in[!i]), HG_ARG_TENSOR(dy), HG_ARG_I32(!reduced), HG_ARG_TENSOR(dx[i]))));
    }
    return HG_OK;
}
static const hg_op mse_op = {"MseLossBackward0", mse_backward};

static hg_tensor *mse(hg_tensor *input, hg_tensor *target, hg_reduction reduction)
{
    hg_device *dev = input->dev;
    hg_tensor *a = hg_raw_contiguous(input), *b = hg_raw_contiguous(target);
    hg_tensor *d = hg_new_tensor(dev, input->dtype, input->ndim, input->size);
    if (!hg_ok(a) || !hg_ok(b) || !hg_ok(d) ||
        hg_launch(dev, &hg_source_loss, hg_real_options(d->dtype), "mse_fwd", hg_range_elements(dev, d->numel),
                  HG_ARGS(HG_ARG_I64(d->numel), HG_ARG_TENSOR(a), HG_ARG_TENSOR(b), HG_ARG_TENSOR(d))) != HG_OK)
        return hg_failed();
    hg_tensor *y = hg_loss_reduce(d, NULL, reduction, NULL);
    if (!hg_ok(y)) return y;
    double scale = reduction == HG_REDUCE_MEAN ? 2.0 / (double)d->numel : 2.0;
    return hg_record(y, &mse_op, HG_LIST(input, target), HG_LIST(a, b), &scale, sizeof scale);
}

hg_tensor *hg_mse_loss(hg_tensor *input, hg_tensor *target, hg_reduction reduction)
{
    if (!HG_CHECK_OPERANDS("mse_loss", input, target) || !hg_check_float("mse_loss", input)) return hg_failed();
    if (target->dtype != input->dtype)
        return hg_fail(HG_E_DTYPE, "mse_loss: Found dtype %s but expected %s", hg_scalar_type(target->dtype),
                       hg_scalar_type(input->dtype));
    hg_scope *s = hg_scope_inner();
    if (!hg_same_shape(input, target)) {
        static int said;
        hg_shape shape;
        hg_warn_once(&said, "mse_loss: using a target size (%s) that is different to the input size (%s): they are "
                            "broadcast, which is seldom what was meant", HG_SHAPE_TEXT(target), HG_SHAPE_TEXT(input));
        if (hg_broadcast_shape("mse_loss", input, target, &shape.ndim, shape.size) != HG_OK)
            return hg_scope_return(s, hg_failed());
        input = hg_expand(input, shape);
        target = hg_expand(target, shape);
        if (!hg_ok(input) || !hg_ok(target)) return hg_scope_return(s, hg_failed());
    }
    return hg_scope_return(s, mse(input, target, reduction));
}
