/* y = x noise, dx = dy noise, where noise is 0 with probability p and 1 / (1 - p) otherwise: one draw an element, or a
 * channel for dropout2d. p = 1 multiplies by 0 without a draw. */
#include "autograd/autograd.h"
#include "base/log.h"
#include "hapgop/ops.h"
#include "ops/softmax.h"
#include "tensor/random.h"

typedef struct noise {
    double scale;       /* of what is kept */
    int64_t group;      /* neighbours that share a draw */
} noise;

static hg_tensor *apply(const noise *c, hg_tensor *mask, hg_tensor *x)
{
    x = hg_raw_contiguous(x);
    hg_tensor *y = hg_ok(x) ? hg_new_tensor(x->dev, x->dtype, x->ndim, x->size) : x;
    if (!hg_ok(y)) return y;
    bool f64 = x->dtype == HG_F64, wide = x->numel > INT32_MAX;
    const char *options = !wide ? hg_real_options(x->dtype) : f64 ? "-DHG_F64=1 -DHG_WIDE=1" : "-DHG_WIDE=1";
    hg_range range = hg_range_elements(x->dev, x->numel);
    hg_status status = c->group == 1
        ? hg_launch(x->dev, &hg_source_dropout, options, "dropout", range,
                    HG_ARGS(HG_ARG_I64(x->numel), hg_arg_real(f64, c->scale), HG_ARG_TENSOR(mask), HG_ARG_TENSOR(x),
                            HG_ARG_TENSOR(y)))
        : hg_launch(x->dev, &hg_source_dropout, options, "dropout_groups", range,
                    HG_ARGS(HG_ARG_I64(x->numel), HG_ARG_I64(c->group), hg_arg_real(f64, c->scale), HG_ARG_TENSOR(mask),
                            HG_ARG_TENSOR(x), HG_ARG_TENSOR(y)));
    return status == HG_OK ? y : hg_failed();
}

static hg_status dropout_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *mask = hg_node_saved(n, 0);
    if (!hg_ok(mask)) return hg_last_status();
    dx[0] = apply(hg_node_context(n), mask, dy);
    return hg_ok(dx[0]) ? HG_OK : hg_last_status();
}
static const hg_op dropout_op = {"MulBackward0", dropout_backward};

/* `draws` draws for the elements of x. */
static hg_tensor *dropped(hg_tensor *x, double p, int64_t draws)
{
    hg_scope *s = hg_scope_inner();
    /* As PyTorch: 1 divided by 1 - p, both rounded to the tensor's type. */
    noise c = {x->dtype == HG_F64 ? 1 / (1 - p) : 1.0f / (float)(1 - p), x->numel / draws};
    hg_tensor *mask = hg_new_tensor(x->dev, HG_U8, 1, &draws);
    if (!hg_ok(mask) || (p == 1 ? hg_raw_fill(mask, 0) : hg_rng_bernoulli(mask, 1 - p)) != HG_OK)
        return hg_scope_return(s, hg_failed());
    hg_tensor *y = apply(&c, mask, x);
    return hg_scope_return(s, hg_record(y, &dropout_op, HG_LIST(x), HG_LIST(mask), &c, sizeof c));
}

static bool check(const char *op, hg_tensor *x, double p)
{
    if (!HG_CHECK_OPERANDS(op, x)) return false;
    if (p >= 0 && p <= 1) return true;
    hg_error(HG_E_ARG, "%s: dropout probability has to be between 0 and 1, but got %g", op, p);
    return false;
}

/* What comes back unchanged, with a reference of its own. */
static hg_tensor *same(hg_tensor *x)
{
    return hg_to_scope(hg_retain(x));
}

hg_tensor *hg_dropout(hg_tensor *x, double p, bool training)
{
    if (!check("dropout", x, p)) return hg_failed();
    if (!training || p == 0 || !x->numel) return same(x);
    if (!hg_check_float("dropout", x)) return hg_failed();
    return dropped(x, p, p == 1 ? 1 : x->numel);
}

hg_tensor *hg_dropout2d(hg_tensor *x, double p, bool training)
{
    if (!check("dropout2d", x, p)) return hg_failed();
    static int said_rank, said_channels;
    if (x->ndim == 3)
        hg_warn_once(&said_channels, "dropout2d: Received a 3-D input to dropout2d and assuming that channel-wise 1D dropout "
                                     "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
                                     "dim.");
    else if (x->ndim != 4)
        hg_warn_once(&said_rank, "dropout2d: Received a %d-D input to dropout2d, which is deprecated and will result in an "
                                 "error in a future release. It acts on single elements; use hg_dropout for that.", x->ndim);
    if (!training || p == 0 || !x->numel) return same(x);
    if (!hg_check_float("dropout2d", x)) return hg_failed();
    if (p < 1 && x->ndim < 2)
        return hg_fail(HG_E_SHAPE, "dropout2d: Feature dropout requires at least 2 dimensions in the input");
    return dropped(x, p, p == 1 ? 1 : x->size[0] * x->size[1]);
}
