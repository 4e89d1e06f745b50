/* Elements by index along a dimension: index_select with one list for all lines, y[.., k, ..] = x[.., index[k], ..],
 * and gather with an index for each result, y[.., k, ..] = x[.., index[.., k, ..], ..]. Backward sums for each element
 * of x what was taken from it, in the order of k: on a GPU the indices are sorted first, so that each finds its own. */
#include <string.h>

#include "cl/fault.h"
#include "ops/elementwise.h"
#include "ops/line.h"

enum { STRIP = 64 };    /* as in kernels/index.cl */

typedef struct index_context {
    hg_line line;           /* of the part of x that was looked at */
    int64_t count;
    int shared;
    int ndim;
    int64_t part[HG_MAX_DIMS];
} index_context;

static void options_of(hg_dtype dtype, int64_t numel, char out[64])
{
    hg_element_options(dtype, numel > INT32_MAX / 2, out);
}

/* The indices in rows, one for each line. */
static hg_tensor *index_rows(const index_context *c, hg_tensor *index)
{
    if (c->shared || c->line.inner == 1) return index;
    int64_t size[3] = {c->line.outer, c->line.inner, c->count},
            stride[3] = {c->count * c->line.inner, 1, c->line.inner};
    hg_tensor *view = hg_new_view(index, 3, size, stride, index->offset);
    return hg_ok(view) ? hg_raw_contiguous(view) : view;
}

/* The gradient of the part of x that was looked at, into the contiguous `part`. */
static hg_status part_backward(const index_context *c, hg_tensor *index, hg_tensor *dy, hg_tensor *part)
{
    hg_device *dev = dy->dev;
    hg_tensor *sorted, *order;
    char options[64];
    options_of(dy->dtype, hg_max_i64(part->numel, dy->numel), options);
    int64_t strips = c->line.outer * hg_ceil_div(c->line.inner, STRIP), most = (int64_t)dev->info.units * 16;
    if (hg_is_cpu(dev))
        return hg_launch(dev, &hg_source_index, options, "take_bwd", hg_range_teams(dev, hg_min_i64(strips, most), 1),
                         HG_ARGS(HG_ARG_LINE(c->line), HG_ARG_I64(c->count), HG_ARG_I32(c->shared),
                                 HG_ARG_TENSOR(index), HG_ARG_TENSOR(dy), HG_ARG_TENSOR(part)));
    hg_tensor *rows = index_rows(c, index);
    if (!hg_ok(rows)) return hg_last_status();
    HG_TRY(hg_raw_sort_rows(rows, c->shared ? 1 : c->line.outer * c->line.inner, c->count, false, &sorted, &order));
    return hg_launch(dev, &hg_source_index, options, "take_bwd", hg_range_elements(dev, part->numel),
                     HG_ARGS(HG_ARG_LINE(c->line), HG_ARG_I64(c->count), HG_ARG_I32(c->shared), HG_ARG_TENSOR(sorted),
                             HG_ARG_TENSOR(order), HG_ARG_TENSOR(dy), HG_ARG_TENSOR(part)));
}

static hg_status index_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const index_context *c = hg_node_context(n);
    hg_tensor *index = hg_node_saved(n, 0), *part = hg_new_tensor(dy->dev, dy->dtype, c->ndim, c->part);
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(index) || !hg_ok(part) || !hg_ok(dy)) return hg_last_status();
    HG_TRY(part_backward(c, index, dy, part));
    dx[0] = part;
    const int64_t *size = hg_node_input_size(n, 0);
    if (!memcmp(size, c->part, (size_t)c->ndim * sizeof *size)) return HG_OK;
    dx[0] = hg_new_tensor(dy->dev, dy->dtype, c->ndim, size);
    if (!hg_ok(dx[0]) || hg_raw_fill(dx[0], 0) != HG_OK) return hg_last_status();
    hg_tensor *where = hg_new_view(dx[0], c->ndim, c->part, dx[0]->stride, dx[0]->offset);
    return hg_ok(where) ? hg_raw_copy(where, part) : hg_last_status();
}
static const hg_op index_select_op = {"IndexSelectBackward0", index_backward};
static const hg_op gather_op = {"GatherBackward0", index_backward};

/* `x` is the input, of which the part c->part is looked at. */
static hg_tensor *taken(const hg_op *op, const index_context *c, hg_tensor *x, hg_tensor *index, int ndim,
                        const int64_t *size)
{
    hg_device *dev = x->dev;
    hg_tensor *part = hg_new_view(x, c->ndim, c->part, x->stride, x->offset);
    hg_tensor *y = hg_new_tensor(dev, x->dtype, ndim, size);
    if (!hg_ok(part) || !hg_ok(y)) return hg_failed();
    part = hg_raw_contiguous(part);
    index = hg_raw_contiguous(index);
    if (!hg_ok(part) || !hg_ok(index)) return hg_failed();
    char options[64];
    options_of(x->dtype, hg_max_i64(part->numel, y->numel), options);
    if (hg_launch(dev, &hg_source_index, options, "index_check", hg_range_teams(dev, 1, 1),
                  HG_ARGS(HG_ARG_I64(index->numel), HG_ARG_I64(c->line.length), HG_ARG_TENSOR(index),
                          HG_ARG_MEM(hg_fault_watch(dev)))) != HG_OK ||
        hg_launch(dev, &hg_source_index, options, "take_fwd", hg_range_elements(dev, y->numel),
                  HG_ARGS(HG_ARG_LINE(c->line), HG_ARG_I64(c->count), HG_ARG_I32(c->shared), HG_ARG_TENSOR(part),
                          HG_ARG_TENSOR(index), HG_ARG_TENSOR(y))) != HG_OK)
        return hg_failed();
    return hg_record(y, op, HG_LIST(x), HG_LIST(index), c, sizeof *c);
}

/* The dim, or -1. */
static int check(const char *op, hg_tensor *x, int dim, hg_tensor *index)
{
    if (!HG_CHECK_OPERANDS(op, x, index)) return -1;
    if (index->dtype != HG_I64) {
        hg_error(HG_E_DTYPE, "%s: Expected dtype int64 for index, got %s; hg_cast it", op, hg_dtype_name(index->dtype));
        return -1;
    }
    if (!x->ndim) {
        hg_error(HG_E_SHAPE, "%s: cannot be applied to a 0-dim tensor", op);
        return -1;
    }
    return hg_check_dim(op, x, dim);
}

hg_tensor *hg_index_select(hg_tensor *x, int dim, hg_tensor *index)
{
    int d = check("index_select", x, dim, index);
    if (d < 0) return hg_failed();
    if (index->ndim != 1)
        return hg_fail(HG_E_SHAPE, "index_select: Index is supposed to be a vector, got shape %s",
                       HG_SHAPE_TEXT(index));
    index_context c = {hg_line_of(x->ndim, x->size, d), index->numel, true, x->ndim, {0}};
    int64_t size[HG_MAX_DIMS];
    for (int i = 0; i < x->ndim; i++) {
        c.part[i] = x->size[i];
        size[i] = i == d ? index->numel : x->size[i];
    }
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, taken(&index_select_op, &c, x, index, x->ndim, size));
}

hg_tensor *hg_gather(hg_tensor *x, int dim, hg_tensor *index)
{
    int d = check("gather", x, dim, index);
    if (d < 0) return hg_failed();
    if (index->ndim != x->ndim)
        return hg_fail(HG_E_SHAPE,
                       "gather: Index tensor must have the same number of dimensions as input tensor: index %s, "
                       "input %s",
                       HG_SHAPE_TEXT(index), HG_SHAPE_TEXT(x));
    index_context c = {.count = index->size[d], .ndim = x->ndim};
    for (int i = 0; i < x->ndim; i++) {
        if (i != d && index->size[i] > x->size[i])
            return hg_fail(HG_E_SHAPE,
                           "gather: Size does not match at dimension %d expected index %s to be smaller than "
                           "self %s apart from dimension %d",
                           i, HG_SHAPE_TEXT(index), HG_SHAPE_TEXT(x), d);
        c.part[i] = i == d ? x->size[i] : index->size[i];
    }
    c.line = hg_line_of(x->ndim, c.part, d);
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, taken(&gather_op, &c, x, index, x->ndim, index->size));
}
