/* The largest and smallest, of all elements or along a dimension, and where they are. NaN wins; the first of equals
 * wins, but for the gradient of hg_max and hg_min: there equals share. */
#include <string.h>

#include "ops/elementwise.h"
#include "ops/line.h"

static bool check(const char *op, hg_tensor *x)
{
    if (!HG_CHECK_OPERANDS(op, x)) return false;
    if (x->dtype != HG_BOOL) return true;
    hg_error(HG_E_DTYPE, "%s: not for bool tensors; hg_cast it to a number first", op);
    return false;
}

/* ---- of all elements ---- */

static hg_status whole_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *x = hg_node_saved(n, 0), *y = hg_node_saved(n, 1);
    hg_tensor *zero = hg_zeros_like(y);
    if (!hg_ok(x) || !hg_ok(y) || !hg_ok(zero)) return hg_last_status();
    hg_tensor *mask = HG_ZIP("max", compare, "same", HG_BOOL, x, y);
    hg_tensor *share = hg_div(dy, hg_cast(hg_sum(mask, HG_ALL, false), dy->dtype));
    dx[0] = HG_ZIP("max", ternary, "choose", dy->dtype, mask, share, zero);
    return HG_OK;
}
static const hg_op max_op = {"MaxBackward1", whole_backward}, min_op = {"MinBackward1", whole_backward};

/* One result from a flat, contiguous tensor: segments of it first, then of what they gave. */
static hg_tensor *of_all(hg_tensor *x, const char *kernel)
{
    const int64_t step = hg_is_cpu(x->dev) ? 16384 : 256;
    char options[64];
    for (;;) {
        int64_t n = x->numel, segments = hg_ceil_div(n, step);
        hg_tensor *y = hg_new_tensor(x->dev, x->dtype, segments > 1, &segments);
        hg_element_options(x->dtype, false, options);
        if (!hg_ok(y) || hg_launch(x->dev, &hg_source_extreme, options, kernel,
                                   hg_range_items(x->dev, segments, 1, 1, 256),
                                   HG_ARGS(HG_ARG_I64(n), HG_ARG_I64(step), HG_ARG_I64(segments), HG_ARG_TENSOR(x),
                                           HG_ARG_TENSOR(y))) != HG_OK)
            return hg_failed();
        if (segments == 1) return y;
        x = y;
    }
}

static hg_tensor *whole(const char *op, const char *kernel, const hg_op *node, hg_tensor *x)
{
    if (!check(op, x)) return hg_failed();
    if (!x->numel)
        return hg_fail(HG_E_SHAPE, "%s: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                                   "dim with hg_%s_dim.", op, op);
    hg_scope *s = hg_scope_inner();
    hg_tensor *c = hg_raw_contiguous(x), *y = hg_ok(c) ? of_all(c, kernel) : c;
    return hg_scope_return(s, hg_record(y, node, HG_LIST(x), HG_LIST(x, y), NULL, 0));
}

hg_tensor *hg_max(hg_tensor *x)
{
    return whole("max", "largest_of_segments", &max_op, x);
}

hg_tensor *hg_min(hg_tensor *x)
{
    return whole("min", "smallest_of_segments", &min_op, x);
}

/* ---- along a dimension ---- */

static hg_status along_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    int ndim = hg_node_input_ndim(n, 0);
    const int64_t *size = hg_node_input_size(n, 0);
    hg_line l = hg_line_of(ndim, size, *(const int *)hg_node_context(n));
    hg_tensor *index = hg_node_saved(n, 0), *g = hg_raw_contiguous(dy);
    hg_tensor *y = hg_new_tensor(dy->dev, dy->dtype, ndim, size);
    if (!hg_ok(index) || !hg_ok(g) || !hg_ok(y)) return hg_last_status();
    char options[64];
    hg_element_options(dy->dtype, y->numel > INT32_MAX / 2, options);
    dx[0] = y;
    return hg_launch(y->dev, &hg_source_extreme, options, "index_bwd", hg_range_elements(y->dev, y->numel),
                     HG_ARGS(HG_ARG_I64(y->numel), HG_ARG_I64(l.length), HG_ARG_I64(l.inner), HG_ARG_TENSOR(g),
                             HG_ARG_TENSOR(index), HG_ARG_TENSOR(y)));
}
static const hg_op max_dim_op = {"MaxBackward0", along_backward}, min_dim_op = {"MinBackward0", along_backward};

/* Values and indices as new tensors of the open scope; indices always, since the gradient needs them. */
static hg_status along(const char *op, const char *kernel, hg_tensor *x, int dim, bool keepdim, hg_tensor **values,
                       hg_tensor **indices)
{
    hg_shape shape = {0};
    for (int d = 0; d < x->ndim; d++)
        if (d != dim || keepdim) shape.size[shape.ndim++] = d == dim ? 1 : x->size[d];
    hg_line l = hg_line_of(x->ndim, x->size, dim);
    if (!l.length) return hg_error(HG_E_SHAPE, "%s: Expected reduction dim %d to have non-zero size.", op, dim);
    hg_tensor *c = hg_raw_contiguous(x);
    *values = hg_new_tensor(x->dev, x->dtype, shape.ndim, shape.size);
    *indices = hg_new_tensor(x->dev, HG_I64, shape.ndim, shape.size);
    if (!hg_ok(c) || !hg_ok(*values) || !hg_ok(*indices)) return hg_last_status();
    char options[64];
    hg_element_options(x->dtype, x->numel > INT32_MAX / 2, options);
    return hg_launch(x->dev, &hg_source_extreme, options, kernel, hg_range_lines(x->dev, l.outer * l.inner),
                     HG_ARGS(HG_ARG_I64(l.outer), HG_ARG_I64(l.length), HG_ARG_I64(l.inner), HG_ARG_TENSOR(c),
                             HG_ARG_TENSOR(*values), HG_ARG_TENSOR(*indices)));
}

static hg_tensor *extreme_dim(const char *op, const char *kernel, const hg_op *node, hg_tensor *x, int dim, bool keepdim,
                              hg_tensor **indices)
{
    if (indices) *indices = hg_failed();
    if (!check(op, x)) return hg_failed();
    int d = hg_check_dim(op, x, dim);
    if (d < 0) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y, *index;
    if (along(op, kernel, x, d, keepdim, &y, &index) != HG_OK) return hg_scope_return(s, hg_failed());
    y = hg_record(y, node, HG_LIST(x), HG_LIST(index), &d, sizeof d);
    bool both = indices && hg_ok(y);
    if (both) hg_retain(index);
    y = hg_scope_return(s, y);
    if (both) *indices = hg_to_scope(index);
    return y;
}

hg_tensor *hg_max_dim(hg_tensor *x, int dim, bool keepdim, hg_tensor **indices)
{
    return extreme_dim("max", "largest", &max_dim_op, x, dim, keepdim, indices);
}

hg_tensor *hg_min_dim(hg_tensor *x, int dim, bool keepdim, hg_tensor **indices)
{
    return extreme_dim("min", "smallest", &min_dim_op, x, dim, keepdim, indices);
}

hg_tensor *hg_argmax(hg_tensor *x, int dim, bool keepdim)
{
    if (!check("argmax", x)) return hg_failed();
    int d = hg_check_dim("argmax", x, dim);
    if (d < 0) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y, *index;
    if (along("argmax", "largest", x, d, keepdim, &y, &index) != HG_OK) index = hg_failed();
    return hg_scope_return(s, index);
}
