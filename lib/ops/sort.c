/* Sorting along a dimension, its places, and the first k of them. Stable; NaN is the largest. The gradient of an
 * element goes to the place that it came from. */
#include <stdio.h>
#include <string.h>

#include "ops/elementwise.h"
#include "ops/line.h"

enum { BLOCK = 16, SPAN_CPU = 512, SPAN_GPU = 8 };      /* as in kernels/sort.cl */

hg_status hg_raw_sort_rows(hg_tensor *x, int64_t rows, int64_t n, bool descending, hg_tensor **values,
                           hg_tensor **places)
{
    hg_device *dev = x->dev;
    char options[96];
    hg_tensor *v[2], *p[2];
    int now = 0, runs = n > BLOCK;
    for (int i = 0; i <= runs; i++) {
        v[i] = hg_new_tensor(dev, x->dtype, x->ndim, x->size);
        p[i] = hg_new_tensor(dev, HG_I64, x->ndim, x->size);
        if (!hg_ok(v[i]) || !hg_ok(p[i])) return hg_last_status();
    }
    hg_element_options(x->dtype, x->numel > INT32_MAX / 2, options);
    if (descending) snprintf(options + strlen(options), 32, " -DDESCENDING=1");
    HG_TRY(hg_launch(
        dev, &hg_source_sort, options, "sort_blocks", hg_range_lines(dev, rows * hg_ceil_div(n, BLOCK)),
        HG_ARGS(HG_ARG_I64(rows), HG_ARG_I64(n), HG_ARG_TENSOR(x), HG_ARG_TENSOR(v[0]), HG_ARG_TENSOR(p[0]))));
    hg_range range = hg_range_lines(dev, rows * hg_ceil_div(n, hg_is_cpu(dev) ? SPAN_CPU : SPAN_GPU));
    for (int64_t width = BLOCK; width < n; width *= 2, now = !now)
        HG_TRY(hg_launch(dev, &hg_source_sort, options, "sort_merge", range,
                         HG_ARGS(HG_ARG_I64(rows), HG_ARG_I64(n), HG_ARG_I64(width), HG_ARG_TENSOR(v[now]),
                                 HG_ARG_TENSOR(p[now]), HG_ARG_TENSOR(v[!now]), HG_ARG_TENSOR(p[!now]))));
    if (values) *values = v[now];
    if (places) *places = p[now];
    return HG_OK;
}

/* A view with `dim` and the last dim exchanged. */
static hg_tensor *exchanged(const hg_tensor *t, int dim)
{
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];
    for (int d = 0; d < t->ndim; d++) {
        int from = d == dim ? t->ndim - 1 : d == t->ndim - 1 ? dim : d;
        size[d] = t->size[from];
        stride[d] = t->stride[from];
    }
    return hg_new_view(t, t->ndim, size, stride, t->offset);
}

/* The first k of each line of what hg_raw_sort_rows gave, with the dims where they were; contiguous. */
static hg_tensor *first_of(hg_tensor *t, int dim, int64_t k)
{
    hg_tensor *back = exchanged(t, dim);
    if (!hg_ok(back) || !t->ndim) return back;
    int64_t size[HG_MAX_DIMS];
    for (int d = 0; d < t->ndim; d++) size[d] = d == dim ? k : back->size[d];
    hg_tensor *part = hg_new_view(back, t->ndim, size, back->stride, back->offset);
    return hg_ok(part) ? hg_raw_contiguous(part) : part;
}

static hg_status first_sorted(hg_tensor *x, int dim, int64_t k, bool descending, hg_tensor **values, hg_tensor **places)
{
    hg_tensor *rows = exchanged(x, dim), *v, *p;
    if (!hg_ok(rows)) return hg_last_status();
    rows = hg_raw_contiguous(rows);
    if (!hg_ok(rows)) return hg_last_status();
    int64_t n = x->ndim ? x->size[dim] : 1;
    HG_TRY(hg_raw_sort_rows(rows, n ? x->numel / n : 0, n, descending, &v, &p));
    *values = first_of(v, dim, k);
    *places = first_of(p, dim, k);
    return hg_ok(*values) && hg_ok(*places) ? HG_OK : hg_last_status();
}

/* ---- with gradients ---- */

static hg_status sort_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    int ndim = hg_node_input_ndim(n, 0), dim = *(const int *)hg_node_context(n);
    const int64_t *size = hg_node_input_size(n, 0);
    hg_line l = hg_line_of(ndim, size, dim);
    hg_tensor *places = hg_node_saved(n, 0), *y = hg_new_tensor(dy->dev, dy->dtype, ndim, size);
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(places) || !hg_ok(y) || !hg_ok(dy)) return hg_last_status();
    if (dy->numel < y->numel) HG_TRY(hg_raw_fill(y, 0));
    char options[64];
    hg_element_options(dy->dtype, y->numel > INT32_MAX / 2, options);
    dx[0] = y;
    return hg_launch(y->dev, &hg_source_index, options, "put", hg_range_elements(y->dev, dy->numel),
                     HG_ARGS(HG_ARG_LINE(l), HG_ARG_I64(ndim ? dy->size[dim] : 1), HG_ARG_TENSOR(places),
                             HG_ARG_TENSOR(dy), HG_ARG_TENSOR(y)));
}
static const hg_op sort_op = {"SortBackward0", sort_backward}, topk_op = {"TopkBackward0", sort_backward};

/* hg_sort takes all, whatever k is. */
static hg_tensor *sorted(const char *name, const hg_op *op, hg_tensor *x, int dim, int64_t k, bool descending,
                         hg_tensor **indices)
{
    if (indices) *indices = hg_failed();
    if (!HG_CHECK_OPERANDS(name, x)) return hg_failed();
    int d = hg_check_dim(name, x, dim);
    if (d < 0) return hg_failed();
    int64_t n = x->ndim ? x->size[d] : 1;
    if (op == &sort_op) k = n;
    if (k < 0 || k > n)
        return hg_fail(HG_E_ARG, "%s: selected index k out of range: k is %lld, dimension %d has size %lld", name,
                       (long long)k, d, (long long)n);
    hg_scope *s = hg_scope_inner();
    hg_tensor *y, *places;
    if (first_sorted(x, d, k, descending, &y, &places) != HG_OK) return hg_scope_return(s, hg_failed());
    y = hg_record(y, op, HG_LIST(x), HG_LIST(places), &d, sizeof d);
    bool both = indices && hg_ok(y);
    if (both) hg_retain(places);
    y = hg_scope_return(s, y);
    if (both) *indices = hg_to_scope(places);
    return y;
}

hg_tensor *hg_sort(hg_tensor *x, int dim, bool descending, hg_tensor **indices)
{
    return sorted("sort", &sort_op, x, dim, 0, descending, indices);
}

hg_tensor *hg_topk(hg_tensor *x, int64_t k, int dim, bool largest, hg_tensor **indices)
{
    return sorted("topk", &topk_op, x, dim, k, largest, indices);
}

hg_tensor *hg_argsort(hg_tensor *x, int dim, bool descending)
{
    if (!HG_CHECK_OPERANDS("argsort", x)) return hg_failed();
    int d = hg_check_dim("argsort", x, dim);
    if (d < 0) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *values, *places;
    if (first_sorted(x, d, x->ndim ? x->size[d] : 1, descending, &values, &places) != HG_OK) places = hg_failed();
    return hg_scope_return(s, places);
}
