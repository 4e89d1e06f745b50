/* Padding, after torch.nn.functional.pad. A constant one is a filled tensor with the input copied into it, whose
 * gradient is a view; the others go dim by dim (kernels/pad.cl), back in the opposite order. Negative pads cut off. */
#include <stdio.h>
#include <string.h>

#include "ops/elementwise.h"
#include "ops/line.h"

typedef struct pad_context {
    hg_pad_mode mode;
    int64_t low[HG_MAX_DIMS], high[HG_MAX_DIMS];    /* of each dim */
} pad_context;

/* The part of y, larger by the context's pads, where the input lies, and the part of the input that lies there. */
static hg_tensor *part_of(const pad_context *c, const hg_tensor *t, bool inner)
{
    int64_t size[HG_MAX_DIMS], offset = t->offset;
    for (int d = 0; d < t->ndim; d++) {
        int64_t low = inner ? -c->low[d] : c->low[d], high = inner ? -c->high[d] : c->high[d];
        size[d] = t->size[d] - hg_max_i64(low, 0) - hg_max_i64(high, 0);
        offset += t->numel ? hg_max_i64(low, 0) * t->stride[d] : 0;
    }
    return hg_new_view(t, t->ndim, size, t->stride, offset);
}

/* Copies the input's part into y, or back. */
static hg_status copy_part(const pad_context *c, const hg_tensor *padded, const hg_tensor *input, bool back)
{
    hg_tensor *a = part_of(c, padded, false), *b = part_of(c, input, true);
    if (!hg_ok(a) || !hg_ok(b)) return hg_last_status();
    return back ? hg_raw_copy(b, a) : hg_raw_copy(a, b);
}

/* One dim, forward or back: a new contiguous tensor. */
static hg_tensor *pad_dim(const pad_context *c, hg_tensor *x, int dim, bool back)
{
    int64_t size[HG_MAX_DIMS], more = c->low[dim] + c->high[dim];
    memcpy(size, x->size, sizeof size);
    size[dim] += back ? -more : more;
    hg_tensor *y = hg_new_tensor(x->dev, x->dtype, x->ndim, size), *in = hg_raw_contiguous(x);
    if (!hg_ok(y) || !hg_ok(in)) return hg_failed();
    hg_line l = hg_line_of(x->ndim, back ? size : x->size, dim);
    char options[96];
    hg_element_options(x->dtype, hg_max_i64(x->numel, y->numel) > INT32_MAX / 2, options);
    snprintf(options + strlen(options), 32, " -DMODE=%d", (int)c->mode - (int)HG_PAD_REFLECT);
    if (hg_launch(x->dev, &hg_source_pad, options, back ? "pad_bwd" : "pad_fwd", hg_range_elements(x->dev, y->numel),
                  HG_ARGS(HG_ARG_LINE(l), HG_ARG_I64(c->low[dim]), HG_ARG_I64(l.length + more), HG_ARG_TENSOR(in),
                          HG_ARG_TENSOR(y))) != HG_OK)
        return hg_failed();
    return y;
}

static hg_status pad_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const pad_context *c = hg_node_context(n);
    int ndim = hg_node_input_ndim(n, 0);
    if (c->mode == HG_PAD_CONSTANT) {
        bool cuts = false;
        for (int d = 0; d < ndim; d++) cuts = cuts || c->low[d] < 0 || c->high[d] < 0;
        dx[0] = cuts ? hg_new_tensor(dy->dev, dy->dtype, ndim, hg_node_input_size(n, 0)) : part_of(c, dy, false);
        if (!hg_ok(dx[0]) || !cuts) return hg_ok(dx[0]) ? HG_OK : hg_last_status();
        HG_TRY(hg_raw_fill(dx[0], 0));
        return copy_part(c, dy, dx[0], true);
    }
    for (int d = 0; d < ndim && hg_ok(dy); d++)
        if (c->low[d] || c->high[d]) dy = pad_dim(c, dy, d, true);
    dx[0] = dy;
    return hg_ok(dy) ? HG_OK : hg_last_status();
}

static const char *const mode_names[] = {"constant", "reflect", "replicate", "circular"};
static const hg_op constant_op = {"ConstantPadNdBackward0", pad_backward};
static const hg_op taken_ops[3][3] = {      /* by mode, and by the number of dims */
    {{"ReflectionPad1DBackward0", pad_backward}, {"ReflectionPad2DBackward0", pad_backward},
     {"ReflectionPad3DBackward0", pad_backward}},
    {{"ReplicationPad1DBackward0", pad_backward}, {"ReplicationPad2DBackward0", pad_backward},
     {"ReplicationPad3DBackward0", pad_backward}},
    {{"CopySlices", pad_backward}, {"CopySlices", pad_backward}, {"CopySlices", pad_backward}},
};

/* The rules of the modes that take elements from the input, for the last `count` dims. */
static hg_status check_taken(const pad_context *c, const hg_tensor *x, int count)
{
    const char *mode = mode_names[c->mode];
    if (count < 1 || count > 3 || (x->ndim != count + 1 && x->ndim != count + 2))
        return hg_error(HG_E_SHAPE,
                        "pad: mode %s pads the last 1, 2 or 3 dims of a tensor with one or two dims more, got %d of "
                        "a tensor of shape %s",
                        mode, count, HG_SHAPE_TEXT(x));
    for (int d = x->ndim - count; d < x->ndim; d++) {
        int64_t low = c->low[d], high = c->high[d], size = x->size[d];
        if (low < 0 || high < 0)
            return hg_error(HG_E_ARG, "pad: mode %s takes no negative padding, got (%lld, %lld); hg_slice cuts off",
                            mode, (long long)low, (long long)high);
        if (!size)
            return hg_error(HG_E_SHAPE, "pad: mode %s needs an element to take, got input %s", mode, HG_SHAPE_TEXT(x));
        if (c->mode == HG_PAD_REFLECT && (low >= size || high >= size))
            return hg_error(HG_E_ARG,
                            "pad: Padding size should be less than the corresponding input dimension, but got: padding "
                            "(%lld, %lld) at dimension %d of input %s",
                            (long long)low, (long long)high, d, HG_SHAPE_TEXT(x));
        if (c->mode == HG_PAD_CIRCULAR && (low > size || high > size))
            return hg_error(HG_E_ARG,
                            "pad: Padding value causes wrapping around more than once: padding (%lld, %lld) at "
                            "dimension %d of input %s",
                            (long long)low, (long long)high, d, HG_SHAPE_TEXT(x));
    }
    return HG_OK;
}

/* Pads by dim, and the result's sizes. */
static hg_status resolve(const hg_tensor *x, const hg_pads *pads, hg_pad_mode mode, double value, pad_context *c,
                         int64_t *size)
{
    *c = (pad_context){.mode = mode};
    if ((unsigned)mode > HG_PAD_CIRCULAR) return hg_error(HG_E_ARG, "pad: there is no mode %d", (int)mode);
    if (pads->count < 0 || pads->count % 2) return hg_error(HG_E_ARG, "pad: Padding length must be divisible by 2");
    if (pads->count > 2 * x->ndim)
        return hg_error(HG_E_ARG, "pad: Padding length too large: %d for %d dims", pads->count, x->ndim);
    for (int d = 0; d < x->ndim; d++) {
        int pair = x->ndim - 1 - d;
        if (2 * pair < pads->count) {
            c->low[d] = pads->pad[2 * pair];
            c->high[d] = pads->pad[2 * pair + 1];
        }
        int64_t left = x->size[d] + hg_min_i64(c->low[d], 0);       /* what cutting off leaves */
        if (left < 0 || left + hg_min_i64(c->high[d], 0) < 0 || !hg_add_i64(x->size[d], c->low[d], &size[d]) ||
            !hg_add_i64(size[d], c->high[d], &size[d]) || size[d] < 0)
            return hg_error(HG_E_ARG, "pad: padding (%lld, %lld) does not fit size %lld of dimension %d",
                            (long long)c->low[d], (long long)c->high[d], (long long)x->size[d], d);
    }
    if (hg_checked_numel("pad", x->ndim, size) < 0) return hg_last_status();
    if (mode != HG_PAD_CONSTANT) return check_taken(c, x, pads->count / 2);
    return hg_check_number("pad", x->dtype, value) ? HG_OK : hg_last_status();
}

hg_tensor *hg_pad(hg_tensor *x, hg_pads pads, hg_pad_mode mode, double value)
{
    pad_context c;
    int64_t size[HG_MAX_DIMS];
    if (!HG_CHECK_OPERANDS("pad", x) || resolve(x, &pads, mode, value, &c, size) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = x;
    if (mode == HG_PAD_CONSTANT) {
        y = hg_new_tensor(x->dev, x->dtype, x->ndim, size);
        if (hg_ok(y) && (hg_raw_fill(y, value) != HG_OK || copy_part(&c, y, x, false) != HG_OK)) y = hg_failed();
    } else {
        for (int d = x->ndim - 1; d >= 0 && hg_ok(y); d--)
            if (c.low[d] || c.high[d]) y = pad_dim(&c, y, d, false);
        if (y == x) y = hg_raw_clone(x);
    }
    const hg_op *op = mode == HG_PAD_CONSTANT ? &constant_op : &taken_ops[mode - HG_PAD_REFLECT][pads.count / 2 - 1];
    return hg_scope_return(s, hg_record(y, op, HG_LIST(x), HG_NO_LIST, &c, sizeof c));
}
