/* Losses that compare an input with a target element by element: smooth L1, Huber, Kullback-Leibler, binary cross
 * entropy of logits. Formulas and gradients are in kernels/pair_loss.cl. */
#include "autograd/autograd.h"
#include "base/log.h"
#include "ops/loss.h"
#include "ops/softmax.h"
#include "tensor/iterate.h"

typedef struct pair_context {
    const char *backward;
    double p, scale;
    bool reduced;
} pair_context;

static double scale_of(const hg_tensor *x, hg_reduction reduction)
{
    return reduction == HG_REDUCE_MEAN ? 1.0 / (double)x->numel : 1;
}

static hg_status pair_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const pair_context *c = hg_node_context(n);
    hg_tensor *x = hg_node_saved(n, 0), *t = hg_node_saved(n, 1);
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(x) || !hg_ok(t) || !hg_ok(dy)) return hg_last_status();
    bool f64 = x->dtype == HG_F64;
    for (int i = 0; i < 2; i++) {
        if (!hg_node_wants(n, i)) continue;
        dx[i] = hg_new_tensor(x->dev, x->dtype, x->ndim, x->size);
        if (!hg_ok(dx[i])) return hg_last_status();
        HG_TRY(hg_launch(x->dev, &hg_source_pair_loss, hg_real_options(x->dtype), c->backward,
                         hg_range_elements(x->dev, x->numel),
                         HG_ARGS(HG_ARG_I64(x->numel), hg_arg_real(f64, c->p), hg_arg_real(f64, c->scale),
                                 HG_ARG_I32(i), HG_ARG_TENSOR(x), HG_ARG_TENSOR(t), HG_ARG_TENSOR(dy),
                                 HG_ARG_I32(!c->reduced), HG_ARG_TENSOR(dx[i]))));
    }
    return HG_OK;
}

/* Operands that are broadcast already. */
static hg_tensor *computed(const char *forward, const char *backward, const char *node, hg_tensor *input,
                           hg_tensor *target, double p, hg_reduction reduction)
{
    hg_device *dev = input->dev;
    hg_tensor *x = hg_raw_contiguous(input), *t = hg_raw_contiguous(target);
    hg_tensor *loss = hg_new_tensor(dev, input->dtype, input->ndim, input->size);
    if (!hg_ok(x) || !hg_ok(t) || !hg_ok(loss) ||
        hg_launch(dev, &hg_source_pair_loss, hg_real_options(x->dtype), forward, hg_range_elements(dev, x->numel),
                  HG_ARGS(HG_ARG_I64(x->numel), hg_arg_real(x->dtype == HG_F64, p), HG_ARG_TENSOR(x), HG_ARG_TENSOR(t),
                          HG_ARG_TENSOR(loss))) != HG_OK)
        return hg_failed();
    hg_tensor *y = hg_loss_reduce(loss, NULL, reduction, NULL);
    if (!hg_ok(y)) return y;
    pair_context c = {backward, p, scale_of(x, reduction), reduction != HG_REDUCE_NONE};
    return hg_record(y, &(hg_op){node, pair_backward}, HG_LIST(input, target), HG_LIST(x, t), &c, sizeof c);
}

static bool check_pair(const char *name, hg_tensor *input, hg_tensor *target)
{
    if (!HG_CHECK_OPERANDS(name, input, target) || !hg_check_float(name, input)) return false;
    if (target->dtype == input->dtype) return true;
    hg_error(HG_E_DTYPE, "%s: Found dtype %s but expected %s", name, hg_scalar_type(target->dtype),
             hg_scalar_type(input->dtype));
    return false;
}

static hg_tensor *pair_loss(const char *name, const char *forward, const char *backward, const char *node,
                            hg_tensor *input, hg_tensor *target, double p, hg_reduction reduction)
{
    hg_shape shape;
    if (!check_pair(name, input, target)) return hg_failed();
    if (hg_broadcast_shape(name, input, target, &shape.ndim, shape.size) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    if (!hg_same_shape(input, target)) {
        static int said;
        hg_warn_once(&said,
                     "%s: using a target size (%s) that is different to the input size (%s): they are broadcast, "
                     "which is seldom what was meant",
                     name, HG_SHAPE_TEXT(target), HG_SHAPE_TEXT(input));
        input = hg_expand(input, shape);
        target = hg_expand(target, shape);
        if (!hg_ok(input) || !hg_ok(target)) return hg_scope_return(s, hg_failed());
    }
    return hg_scope_return(s, computed(forward, backward, node, input, target, p, reduction));
}

hg_tensor *hg_smooth_l1_loss(hg_tensor *input, hg_tensor *target, double beta, hg_reduction reduction)
{
    if (!(beta >= 0))
        return hg_fail(HG_E_ARG, "smooth_l1_loss: does not support negative values for beta, got %g", beta);
    return pair_loss("smooth_l1_loss", "smooth_l1_fwd", "smooth_l1_bwd", "SmoothL1LossBackward0", input, target, beta,
                     reduction);
}

hg_tensor *hg_huber_loss(hg_tensor *input, hg_tensor *target, double delta, hg_reduction reduction)
{
    if (!(delta > 0))
        return hg_fail(HG_E_ARG, "huber_loss: does not support non-positive values for delta, got %g", delta);
    return pair_loss("huber_loss", "huber_fwd", "huber_bwd", "HuberLossBackward0", input, target, delta, reduction);
}

hg_tensor *hg_kl_div(hg_tensor *input, hg_tensor *target, bool log_target, hg_reduction reduction)
{
    return pair_loss("kl_div", log_target ? "kl_div_log_fwd" : "kl_div_fwd",
                     log_target ? "kl_div_log_bwd" : "kl_div_bwd", "KlDivBackward0", input, target, 0, reduction);
}

/* ---- binary cross entropy of logits ---- */

enum { SAVED_X, SAVED_T, SAVED_WEIGHT, SAVED_POSITIVE, SAVED_COUNT };

typedef struct bce_context {
    double scale;
    bool reduced;
} bce_context;

/* An absent weight goes to the kernel as the input, which it then does not read. */
#define ARG_WEIGHTS(s)                                                                                                 \
    HG_ARG_TENSOR((s)[SAVED_X]), HG_ARG_TENSOR((s)[SAVED_T]),                                                          \
        HG_ARG_TENSOR((s)[(s)[SAVED_WEIGHT] ? SAVED_WEIGHT : SAVED_X]),                                                \
        HG_ARG_TENSOR((s)[(s)[SAVED_POSITIVE] ? SAVED_POSITIVE : SAVED_X])
#define ARG_WHICH(s) HG_ARG_I32(((s)[SAVED_WEIGHT] ? 1 : 0) | ((s)[SAVED_POSITIVE] ? 2 : 0))

static hg_status bce_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const bce_context *c = hg_node_context(n);
    hg_tensor *s[SAVED_COUNT];
    for (int i = 0; i < SAVED_COUNT; i++) {
        s[i] = hg_node_saved(n, i);
        if (s[i] && !hg_ok(s[i])) return hg_last_status();
    }
    const hg_tensor *x = s[SAVED_X];
    bool f64 = x->dtype == HG_F64;
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(dy)) return hg_last_status();
    for (int i = 0; i < 2; i++) {
        if (!hg_node_wants(n, i)) continue;
        dx[i] = hg_new_tensor(x->dev, x->dtype, x->ndim, x->size);
        if (!hg_ok(dx[i])) return hg_last_status();
        HG_TRY(hg_launch(x->dev, &hg_source_pair_loss, hg_real_options(x->dtype), "bce_bwd",
                         hg_range_elements(x->dev, x->numel),
                         HG_ARGS(HG_ARG_I64(x->numel), hg_arg_real(f64, c->scale), HG_ARG_I32(i), ARG_WHICH(s),
                                 ARG_WEIGHTS(s), HG_ARG_TENSOR(dy), HG_ARG_I32(!c->reduced), HG_ARG_TENSOR(dx[i]))));
    }
    return HG_OK;
}
static const hg_op bce_op = {"BinaryCrossEntropyWithLogitsBackward0", bce_backward};

/* A weight as large as the input; NULL stays NULL. False with an error if it does not fit. */
static bool weight_like(const char *what, hg_tensor *x, hg_tensor *weight, hg_tensor **out)
{
    *out = NULL;
    if (!weight) return true;
    hg_shape shape = hg_tensor_shape(x), both;
    if (weight->dtype != x->dtype) {
        hg_error(HG_E_DTYPE, "binary_cross_entropy_with_logits: %s is %s, the input is %s; hg_cast one of them", what,
                 hg_dtype_name(weight->dtype), hg_dtype_name(x->dtype));
        return false;
    }
    if (hg_grad_enabled() && hg_requires_grad(weight)) {
        hg_error(HG_E_UNSUPPORTED,
                 "binary_cross_entropy_with_logits: not differentiable with respect to '%s'; detach it", what);
        return false;
    }
    if (hg_broadcast_shape("binary_cross_entropy_with_logits", weight, x, &both.ndim, both.size) != HG_OK) return false;
    weight = hg_expand(weight, shape);
    *out = hg_ok(weight) ? hg_raw_contiguous(weight) : weight;
    return hg_ok(*out);
}

static hg_tensor *bce(hg_tensor *input, hg_tensor *target, const hg_bce_options *o)
{
    hg_device *dev = input->dev;
    hg_tensor *s[SAVED_COUNT] = {hg_raw_contiguous(input), hg_raw_contiguous(target)}, *x = s[SAVED_X];
    hg_tensor *loss = hg_new_tensor(dev, input->dtype, input->ndim, input->size);
    if (!hg_ok(x) || !hg_ok(s[SAVED_T]) || !hg_ok(loss) || !weight_like("weight", x, o->weight, &s[SAVED_WEIGHT]) ||
        !weight_like("pos_weight", x, o->pos_weight, &s[SAVED_POSITIVE]) ||
        hg_launch(dev, &hg_source_pair_loss, hg_real_options(x->dtype), "bce_fwd", hg_range_elements(dev, x->numel),
                  HG_ARGS(HG_ARG_I64(x->numel), ARG_WHICH(s), ARG_WEIGHTS(s), HG_ARG_TENSOR(loss))) != HG_OK)
        return hg_failed();
    hg_tensor *y = hg_loss_reduce(loss, NULL, o->reduction, NULL);
    if (!hg_ok(y)) return y;
    bce_context c = {scale_of(x, o->reduction), o->reduction != HG_REDUCE_NONE};
    return hg_record(y, &bce_op, HG_LIST(input, target), s, SAVED_COUNT, &c, sizeof c);
}

hg_tensor *hg_binary_cross_entropy_with_logits(hg_tensor *input, hg_tensor *target, const hg_bce_options *o)
{
    static const char name[] = "binary_cross_entropy_with_logits";
    hg_bce_options options = o ? *o : HG_BCE_DEFAULTS;
    if (!check_pair(name, input, target) ||
        !hg_check_operands(name, (hg_tensor *[]){input, options.weight, options.pos_weight}, 3, true))
        return hg_failed();
    if (!hg_same_shape(input, target))
        return hg_fail(HG_E_SHAPE, "%s: Target size (torch.Size(%s)) must be the same as input size (torch.Size(%s))",
                       name, HG_SHAPE_TEXT(target), HG_SHAPE_TEXT(input));
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, bce(input, target, &options));
}
