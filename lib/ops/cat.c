/* Tensors behind one another along a dimension. Backward cuts the gradient up again. */
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
