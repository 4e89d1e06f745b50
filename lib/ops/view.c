/* Views: the same memory under another shape. Backward is the view undone: a reshape of the gradient, or zeros with
 * the gradient copied into the part that was looked at. */
#include <string.h>

#include "autograd/autograd.h"

/* ---- strides for a new shape, if the memory allows it ---- */

/* Fills the -1 of a shape from the element count. PyTorch's words. */
static hg_status infer_size(const char *op, const hg_tensor *t, hg_shape *shape)
{
    int unknown = -1;
    int64_t known = 1;
    char text[160];
    if (shape->ndim < 0 || shape->ndim > HG_MAX_DIMS)
        return hg_error(HG_E_SHAPE, "%s: %d dimensions; 0 to %d are possible", op, shape->ndim, HG_MAX_DIMS);
    hg_shape_text(shape->ndim, shape->size, text, sizeof text);
    for (int d = 0; d < shape->ndim; d++) {
        if (shape->size[d] == -1) {
            if (unknown >= 0) return hg_error(HG_E_SHAPE, "%s: only one dimension can be inferred; shape is %s", op, text);
            unknown = d;
        } else if (shape->size[d] < 0 || !hg_mul_i64(known, shape->size[d], &known)) {
            return hg_error(HG_E_SHAPE, "%s: invalid shape dimension %lld in %s", op, (long long)shape->size[d], text);
        }
    }
    if (unknown >= 0) {
        if (!known)
            return hg_error(HG_E_SHAPE,
                            "%s: cannot reshape tensor of 0 elements into shape %s because the unspecified dimension size "
                            "-1 can be any value and is ambiguous",
                            op, text);
        shape->size[unknown] = t->numel / known;
        known *= shape->size[unknown];
    }
    if (known != t->numel)
        return hg_error(HG_E_SHAPE, "%s: shape '%s' is invalid for input of size %lld", op, text, (long long)t->numel);
    return HG_OK;
}

/* Strides under which the new shape sees the same elements in the same order; false if there are none. Runs of the
 * old dimensions that lie behind one another are cut anew. */
static bool restride(const hg_tensor *t, const hg_shape *shape, int64_t *stride)
{
    int view = shape->ndim - 1;
    int64_t run = 1, base;
    if (!t->numel) {
        hg_contiguous_strides(shape->ndim, shape->size, stride);
        return true;
    }
    if (t->ndim == 0) {
        for (int d = 0; d < shape->ndim; d++) stride[d] = 1;
        return true;
    }
    base = t->stride[t->ndim - 1];
    for (int d = t->ndim - 1; d >= 0; d--) {
        run *= t->size[d];
        bool ends = d == 0 || (t->size[d - 1] != 1 && t->stride[d - 1] != run * base);
        if (!ends) continue;
        int64_t covered = 1;
        while (view >= 0 && (covered < run || shape->size[view] == 1)) {
            stride[view] = covered * base;
            covered *= shape->size[view--];
        }
        if (covered != run) return false;
        if (d > 0) {
            base = t->stride[d - 1];
            run = 1;
        }
    }
    return view < 0;
}

/* ---- reshape ---- */

static hg_status reshape_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_shape shape = {.ndim = hg_node_input_ndim(n, 0)};
    memcpy(shape.size, hg_node_input_size(n, 0), sizeof shape.size);
    dx[0] = hg_reshape(dy, shape);
    return HG_OK;
}
static const hg_op view_op = {"ViewBackward0", reshape_backward};
static const hg_op reshape_op = {"ReshapeAliasBackward0", reshape_backward};

hg_tensor *hg_view(hg_tensor *t, hg_shape shape)
{
    int64_t stride[HG_MAX_DIMS];
    if (!HG_CHECK_OPERANDS("view", t) || infer_size("view", t, &shape) != HG_OK) return hg_failed();
    if (!restride(t, &shape, stride))
        return hg_fail(HG_E_SHAPE,
                       "view: view size is not compatible with input tensor's size and stride (at least one dimension "
                       "spans across two contiguous subspaces). Use hg_reshape(...) instead.");
    return hg_record(hg_new_view(t, shape.ndim, shape.size, stride, t->offset), &view_op, HG_LIST(t), HG_NO_LIST, NULL, 0);
}

hg_tensor *hg_reshape(hg_tensor *t, hg_shape shape)
{
    int64_t stride[HG_MAX_DIMS];
    if (!HG_CHECK_OPERANDS("reshape", t) || infer_size("reshape", t, &shape) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y;
    if (restride(t, &shape, stride)) {
        y = hg_new_view(t, shape.ndim, shape.size, stride, t->offset);
    } else {
        hg_tensor *copy = hg_raw_clone(t);
        hg_contiguous_strides(shape.ndim, shape.size, stride);
        y = hg_ok(copy) ? hg_new_view(copy, shape.ndim, shape.size, stride, copy->offset) : copy;
    }
    return hg_scope_return(s, hg_record(y, &reshape_op, HG_LIST(t), HG_NO_LIST, NULL, 0));
}

hg_tensor *hg_flatten(hg_tensor *t, int start_dim, int end_dim)
{
    if (!HG_CHECK_OPERANDS("flatten", t)) return hg_failed();
    if (!t->ndim) return hg_reshape(t, HG_SHAPE(1));
    int start = hg_check_dim("flatten", t, start_dim), end = hg_check_dim("flatten", t, end_dim);
    if (start < 0 || end < 0) return hg_failed();
    if (start > end) return hg_fail(HG_E_ARG, "flatten: flatten() has invalid args: start_dim cannot come after end_dim");
    hg_shape shape = {0};
    for (int d = 0; d < t->ndim; d++) {
        if (d > start && d <= end)
            shape.size[shape.ndim - 1] *= t->size[d];
        else
            shape.size[shape.ndim++] = t->size[d];
    }
    return hg_reshape(t, shape);
}

/* ---- permute, transpose ---- */

static hg_status permute_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const hg_dims *order = hg_node_context(n);
    hg_dims inverse = {.count = order->count};
    for (int d = 0; d < order->count; d++) inverse.dim[order->dim[d]] = d;
    dx[0] = hg_permute(dy, inverse);
    return HG_OK;
}
static const hg_op permute_op = {"PermuteBackward0", permute_backward};
static const hg_op transpose_op = {"TransposeBackward0", permute_backward};

static hg_tensor *permuted(const char *name, hg_tensor *t, hg_dims order, const hg_op *op)
{
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];
    unsigned seen = 0;
    if (order.count != t->ndim)
        return hg_fail(HG_E_ARG, "%s: %d dimensions given for a tensor of %d", name, order.count, t->ndim);
    for (int i = 0; i < order.count; i++) {
        int d = hg_check_dim(name, t, order.dim[i]);
        if (d < 0) return hg_failed();
        if (seen & 1u << d) return hg_fail(HG_E_ARG, "%s: repeated dim %d", name, d);
        seen |= 1u << d;
        order.dim[i] = d;
        size[i] = t->size[d];
        stride[i] = t->stride[d];
    }
    return hg_record(hg_new_view(t, t->ndim, size, stride, t->offset), op, HG_LIST(t), HG_NO_LIST, &order, sizeof order);
}

hg_tensor *hg_permute(hg_tensor *t, hg_dims order)
{
    if (!HG_CHECK_OPERANDS("permute", t)) return hg_failed();
    return permuted("permute", t, order, &permute_op);
}

hg_tensor *hg_transpose(hg_tensor *t, int dim0, int dim1)
{
    if (!HG_CHECK_OPERANDS("transpose", t)) return hg_failed();
    int a = hg_check_dim("transpose", t, dim0), b = hg_check_dim("transpose", t, dim1);
    if (a < 0 || b < 0) return hg_failed();
    hg_dims order = {.count = t->ndim};
    for (int d = 0; d < t->ndim; d++) order.dim[d] = d == a ? b : d == b ? a : d;
    return permuted("transpose", t, order, &transpose_op);
}

/* ---- select, slice ---- */

typedef struct cut {
    int dim;
    int64_t start, step, count;
    bool drop;
} cut;

static hg_tensor *cut_view(const hg_tensor *t, const cut *c)
{
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];
    int ndim = 0;
    for (int d = 0; d < t->ndim; d++) {
        if (d == c->dim && c->drop) continue;
        size[ndim] = d == c->dim ? c->count : t->size[d];
        stride[ndim++] = d == c->dim ? t->stride[d] * c->step : t->stride[d];
    }
    return hg_new_view(t, ndim, size, stride, t->offset + (c->count ? c->start * t->stride[c->dim] : 0));
}

static hg_status cut_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *whole = hg_new_tensor(dy->dev, dy->dtype, hg_node_input_ndim(n, 0), hg_node_input_size(n, 0));
    if (!hg_ok(whole) || hg_raw_fill(whole, 0) != HG_OK) return hg_last_status();
    hg_tensor *part = cut_view(whole, hg_node_context(n));
    if (!hg_ok(part)) return hg_last_status();
    dx[0] = whole;
    return hg_raw_copy(part, dy);
}
static const hg_op select_op = {"SelectBackward0", cut_backward};
static const hg_op slice_op = {"SliceBackward0", cut_backward};

hg_tensor *hg_select(hg_tensor *t, int dim, int64_t index)
{
    if (!HG_CHECK_OPERANDS("select", t)) return hg_failed();
    if (!t->ndim) return hg_fail(HG_E_SHAPE, "select: select() cannot be applied to a 0-dim tensor.");
    int d = hg_check_dim("select", t, dim);
    if (d < 0) return hg_failed();
    if (index < -t->size[d] || index >= t->size[d])
        return hg_fail(HG_E_ARG, "select: index %lld out of range for tensor of size %s at dimension %d", (long long)index,
                       HG_SHAPE_TEXT(t), d);
    cut c = {d, index < 0 ? index + t->size[d] : index, 1, 1, true};
    return hg_record(cut_view(t, &c), &select_op, HG_LIST(t), HG_NO_LIST, &c, sizeof c);
}

hg_tensor *hg_slice(hg_tensor *t, int dim, int64_t start, int64_t end, int64_t step)
{
    if (!HG_CHECK_OPERANDS("slice", t)) return hg_failed();
    if (!t->ndim) return hg_fail(HG_E_SHAPE, "slice: slice() cannot be applied to a 0-dim tensor.");
    int d = hg_check_dim("slice", t, dim);
    if (d < 0) return hg_failed();
    if (step <= 0) return hg_fail(HG_E_ARG, "slice: step must be positive, got %lld", (long long)step);
    int64_t n = t->size[d];
    if (start < 0) start += n;
    if (end < 0) end += n;
    start = hg_min_i64(hg_max_i64(start, 0), n);
    end = hg_min_i64(hg_max_i64(end, start), n);
    cut c = {d, start, step, (end - start) / step + ((end - start) % step != 0), false};
    return hg_record(cut_view(t, &c), &slice_op, HG_LIST(t), HG_NO_LIST, &c, sizeof c);
}

/* ---- squeeze, unsqueeze, detach ---- */

static const hg_op squeeze_op = {"SqueezeBackward1", reshape_backward};
static const hg_op unsqueeze_op = {"UnsqueezeBackward0", reshape_backward};

hg_tensor *hg_squeeze(hg_tensor *t, int dim)
{
    if (!HG_CHECK_OPERANDS("squeeze", t)) return hg_failed();
    int d = hg_check_dim("squeeze", t, dim), ndim = 0;
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];
    if (d < 0) return hg_failed();
    for (int i = 0; i < t->ndim; i++) {
        if (i == d && t->size[i] == 1) continue;
        size[ndim] = t->size[i];
        stride[ndim++] = t->stride[i];
    }
    return hg_record(hg_new_view(t, ndim, size, stride, t->offset), &squeeze_op, HG_LIST(t), HG_NO_LIST, NULL, 0);
}

hg_tensor *hg_unsqueeze(hg_tensor *t, int dim)
{
    if (!HG_CHECK_OPERANDS("unsqueeze", t)) return hg_failed();
    if (t->ndim == HG_MAX_DIMS) return hg_fail(HG_E_SHAPE, "unsqueeze: the tensor already has %d dimensions", t->ndim);
    if (dim < -t->ndim - 1 || dim > t->ndim)
        return hg_fail(HG_E_ARG, "unsqueeze: Dimension out of range (expected to be in range of [%d, %d], but got %d)",
                       -t->ndim - 1, t->ndim, dim);
    int at = dim < 0 ? dim + t->ndim + 1 : dim;
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];
    for (int i = 0, d = 0; i <= t->ndim; i++) {
        size[i] = i == at ? 1 : t->size[d];
        stride[i] = i == at ? (d < t->ndim ? t->size[d] * t->stride[d] : 1) : t->stride[d];
        d += i != at;
    }
    return hg_record(hg_new_view(t, t->ndim + 1, size, stride, t->offset), &unsqueeze_op, HG_LIST(t), HG_NO_LIST, NULL, 0);
}

hg_tensor *hg_detach(hg_tensor *t)
{
    if (!HG_CHECK_OPERANDS("detach", t)) return hg_failed();
    return hg_new_view(t, t->ndim, t->size, t->stride, t->offset);
}
