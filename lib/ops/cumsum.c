/* Running sums along a dimension: y_k = x_0 + ... + x_k; backward runs from the other end,
 * dx_k = dy_k + dy_(k+1) + ... */
#include <stdio.h>

#include "ops/elementwise.h"
#include "ops/line.h"

enum { LONG_LINE = 2048, STEP = 1024 };     /* longer lines go in segments */

/* A new contiguous tensor of the open scope. */
static hg_tensor *running_sums(hg_tensor *x, int dim, bool backwards)
{
    hg_device *dev = x->dev;
    hg_dtype dtype = hg_is_float(x->dtype) ? x->dtype : HG_I64;
    hg_line l = hg_line_of(x->ndim, x->size, dim);
    int64_t step = l.length > LONG_LINE ? STEP : hg_max_i64(l.length, 1), segments = hg_ceil_div(l.length, step);
    char options[96];
    const char *wide = x->numel > INT32_MAX / 2 ? " -DHG_WIDE=1" : "";
    if (hg_is_float(x->dtype))
        snprintf(options, sizeof options, "%s%s", hg_real_options(x->dtype), wide);
    else
        snprintf(options, sizeof options, "-DFROM=%s -DSUM_INT=1%s", hg_dtype_cl(x->dtype), wide);
    hg_tensor *c = hg_raw_contiguous(x), *y = hg_new_tensor(dev, dtype, x->ndim, x->size), *starts = y;
    if (!hg_ok(c) || !hg_ok(y)) return hg_failed();
    hg_range range = hg_range_lines(dev, l.outer * segments * l.inner);
    if (segments > 1) {
        starts = hg_new_tensor(dev, dtype, 3, (int64_t[]){l.outer, segments, l.inner});
        if (!hg_ok(starts) ||
            hg_launch(dev, &hg_source_cumsum, options, "segment_sums", range,
                      HG_ARGS(HG_ARG_LINE(l), HG_ARG_I64(segments), HG_ARG_I64(step), HG_ARG_I32(backwards),
                              HG_ARG_TENSOR(c), HG_ARG_TENSOR(starts))) != HG_OK ||
            hg_launch(dev, &hg_source_cumsum, options, "segment_starts", hg_range_lines(dev, l.outer * l.inner),
                      HG_ARGS(HG_ARG_I64(l.outer), HG_ARG_I64(l.inner), HG_ARG_I64(segments), HG_ARG_TENSOR(starts))) !=
                HG_OK)
            return hg_failed();
    }
    if (hg_launch(dev, &hg_source_cumsum, options, "cumsum", range,
                  HG_ARGS(HG_ARG_LINE(l), HG_ARG_I64(segments), HG_ARG_I64(step), HG_ARG_I32(backwards),
                          HG_ARG_TENSOR(c), HG_ARG_TENSOR(starts), HG_ARG_TENSOR(y))) != HG_OK)
        return hg_failed();
    return y;
}

static hg_status cumsum_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    dx[0] = running_sums(dy, *(const int *)hg_node_context(n), true);
    return HG_OK;
}
static const hg_op cumsum_op = {"CumsumBackward0", cumsum_backward};

hg_tensor *hg_cumsum(hg_tensor *x, int dim)
{
    if (!HG_CHECK_OPERANDS("cumsum", x)) return hg_failed();
    int d = hg_check_dim("cumsum", x, dim);
    if (d < 0) return hg_failed();
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, hg_record(running_sums(x, d, false), &cumsum_op, HG_LIST(x), HG_NO_LIST, &d, sizeof d));
}
