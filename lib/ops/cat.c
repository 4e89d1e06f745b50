/* Tensors behind one another along a dimension, which stack makes first. Backward cuts the gradient up again. */
#include <string.h>

#include "autograd/autograd.h"
#include "hapgop/ops.h"

/* PyTorch's old rule: a tensor of shape [0] fits everywhere and adds nothing. */
static bool skipped(const hg_tensor *t)
{
    return t->ndim == 1 && !t->size[0];
}

static hg_status cat_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const int *context = hg_node_context(n);    /* dim, number of inputs */
    int64_t at = 0;
    for (int i = 0; i < context[1]; i++) {
        int ndim = hg_node_input_ndim(n, i);
        const int64_t *size = hg_node_input_size(n, i);
        int64_t count = ndim == dy->ndim ? size[context[0]] : 0;
        if (hg_node_wants(n, i))
            dx[i] = ndim == dy->ndim ? hg_slice(dy, context[0], at, at + count, 1)
                                     : hg_new_tensor(dy->dev, dy->dtype, ndim, size);
        at += count;
    }
    return HG_OK;
}
static const hg_op cat_op = {"CatBackward0", cat_backward};

/* The result's shape from the first tensor that counts and the rest. */
static hg_status shape_of(hg_tensor **t, int n, int dim, int *out_dim, hg_shape *shape)
{
    const hg_tensor *first = NULL;
    for (int i = 0; i < n; i++) {
        if (!t[i]->ndim)
            return hg_error(HG_E_SHAPE, "cat: zero-dimensional tensor (at position %d) cannot be concatenated", i);
        if (t[i]->dtype != t[0]->dtype)
            return hg_error(HG_E_DTYPE, "cat: tensors 0 and %d are %s and %s; hg_cast one of them", i,
                            hg_dtype_name(t[0]->dtype), hg_dtype_name(t[i]->dtype));
        if (!first && !skipped(t[i])) first = t[i];
    }
    if (!first) first = t[0];
    int d = hg_check_dim("cat", first, dim);
    if (d < 0) return HG_E_ARG;
    *shape = hg_tensor_shape((hg_tensor *)(uintptr_t)first);
    shape->size[d] = 0;
    for (int i = 0; i < n; i++) {
        if (skipped(t[i])) continue;
        if (t[i]->ndim != first->ndim)
            return hg_error(HG_E_SHAPE, "cat: Tensors must have same number of dimensions: got %d and %d", first->ndim,
                            t[i]->ndim);
        for (int k = 0; k < first->ndim; k++)
            if (k != d && t[i]->size[k] != first->size[k])
                return hg_error(HG_E_SHAPE,
                                "cat: Sizes of tensors must match except in dimension %d. Expected size %lld but got "
                                "size %lld for tensor number %d in the list.",
                                d, (long long)first->size[k], (long long)t[i]->size[k], i);
        if (!hg_add_i64(shape->size[d], t[i]->size[d], &shape->size[d]))
            return hg_error(HG_E_SHAPE, "cat: the result is too large");
    }
    *out_dim = d;
    return HG_OK;
}

static hg_status fill_parts(const hg_tensor *y, hg_tensor **t, int n, int dim)
{
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        if (skipped(t[i])) continue;
        int64_t offset = y->offset + (y->numel ? at * y->stride[dim] : 0);
        hg_tensor *part = hg_new_view(y, t[i]->ndim, t[i]->size, y->stride, offset);
        if (!hg_ok(part)) return hg_last_status();
        HG_TRY(hg_raw_copy(part, t[i]));
        at += t[i]->size[dim];
    }
    return HG_OK;
}

hg_tensor *hg_cat(hg_tensor **tensors, int n, int dim)
{
    if (n <= 0 || !tensors) return hg_fail(HG_E_ARG, "cat: expected a non-empty list of Tensors");
    if (!hg_check_operands("cat", tensors, n, false)) return hg_failed();
    hg_shape shape;
    int d = 0;
    if (shape_of(tensors, n, dim, &d, &shape) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(tensors[0]->dev, tensors[0]->dtype, shape.ndim, shape.size);
    if (hg_ok(y) && fill_parts(y, tensors, n, d) != HG_OK) y = hg_failed();
    int context[2] = {d, n};
    return hg_scope_return(s, hg_record(y, &cat_op, tensors, n, NULL, 0, context, sizeof context));
}

/* ---- stack ---- */

static hg_status stack_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const int *context = hg_node_context(n);    /* dim, number of inputs */
    for (int i = 0; i < context[1]; i++)
        if (hg_node_wants(n, i)) dx[i] = hg_select(dy, context[0], i);
    return HG_OK;
}
static const hg_op stack_op = {"StackBackward0", stack_backward};

hg_tensor *hg_stack(hg_tensor **tensors, int n, int dim)
{
    if (n <= 0 || !tensors) return hg_fail(HG_E_ARG, "stack: expects a non-empty list of Tensors");
    if (!hg_check_operands("stack", tensors, n, false)) return hg_failed();
    const hg_tensor *first = tensors[0];
    int ndim = first->ndim + 1, d = dim < 0 ? dim + ndim : dim;
    if (ndim > HG_MAX_DIMS) return hg_fail(HG_E_SHAPE, "stack: the tensors already have %d dimensions", first->ndim);
    if (d < 0 || d >= ndim)
        return hg_fail(HG_E_ARG, "stack: Dimension out of range (expected to be in range of [%d, %d], but got %d)",
                       -ndim, ndim - 1, dim);
    int64_t size[HG_MAX_DIMS];
    for (int i = 0; i < ndim; i++) size[i] = i == d ? n : first->size[i - (i > d)];
    for (int i = 1; i < n; i++) {
        if (!hg_same_shape(first, tensors[i]))
            return hg_fail(HG_E_SHAPE,
                           "stack: expects each tensor to be equal size, but got %s at entry 0 and %s at entry %d",
                           HG_SHAPE_TEXT(first), HG_SHAPE_TEXT(tensors[i]), i);
        if (tensors[i]->dtype != first->dtype)
            return hg_fail(HG_E_DTYPE, "stack: tensors 0 and %d are %s and %s; hg_cast one of them", i,
                           hg_dtype_name(first->dtype), hg_dtype_name(tensors[i]->dtype));
    }
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(first->dev, first->dtype, ndim, size);
    for (int i = 0; i < n && hg_ok(y); i++) {
        int64_t stride[HG_MAX_DIMS];
        for (int k = 0; k < first->ndim; k++) stride[k] = y->stride[k + (k >= d)];
        int64_t offset = y->offset + (y->numel ? i * y->stride[d] : 0);
        hg_tensor *part = hg_new_view(y, first->ndim, first->size, stride, offset);
        if (!hg_ok(part) || hg_raw_copy(part, tensors[i]) != HG_OK) y = hg_failed();
    }
    int context[2] = {d, n};
    return hg_scope_return(s, hg_record(y, &stack_op, tensors, n, NULL, 0, context, sizeof context));
}
