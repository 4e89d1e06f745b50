/* Sums and means over any dimensions. The input is made contiguous; dimensions that are all summed, or all kept, join;
 * then one run of summed dimensions after another goes, the innermost first, each as x[outer][length][inner]. Long
 * runs go in segments whose partial sums are summed again: rounding errors stay small, and the order is fixed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/elementwise.h"

enum { LONG_ROW = 32768, ROW_STEP = 16384, LONG_COLUMN = 512, COLUMN_STEP = 256, SHORT_ROW = 64 };

typedef struct cube {
    int64_t outer, length, inner;
} cube;

static hg_range group_range(const hg_device *dev, int64_t units)
{
    size_t lanes = (size_t)hg_lanes(dev);
    return (hg_range){1, {(size_t)hg_min_i64(units, (int64_t)dev->info.units * 32) * lanes}, {lanes}};
}

/* One launch: `segments` partial sums of each of outer * inner sums. */
static hg_status launch_sum(const hg_tensor *x, const cube *c, int64_t segments, int64_t step, double divisor, hg_tensor *y)
{
    hg_device *dev = x->dev;
    char options[64];
    bool wide = c->outer * c->length * c->inner > INT32_MAX / 2;
    if (hg_is_float(x->dtype))
        snprintf(options, sizeof options, "%s%s", hg_real_options(x->dtype), wide ? " -DHG_WIDE=1" : "");
    else
        snprintf(options, sizeof options, "-DFROM=%s -DSUM_INT=1%s", hg_dtype_cl(x->dtype), wide ? " -DHG_WIDE=1" : "");
    hg_arg by = hg_arg_real(x->dtype == HG_F64, divisor);
    int64_t results = c->outer * segments;
    if (c->inner > 1)
        return hg_launch(dev, &hg_source_sum, options, "sum_columns",
                         hg_is_cpu(dev) ? group_range(dev, results * hg_ceil_div(c->inner, 64))
                                        : hg_range_elements(dev, results * c->inner),
                         HG_ARGS(HG_ARG_I64(c->outer), HG_ARG_I64(segments), HG_ARG_I64(c->length), HG_ARG_I64(step),
                                 HG_ARG_I64(c->inner), HG_ARG_TENSOR(x), HG_ARG_TENSOR(y), by));
    if (!hg_is_cpu(dev) && c->length <= SHORT_ROW)
        return hg_launch(dev, &hg_source_sum, options, "sum_short",
                         hg_range_teams(dev, hg_ceil_div(results, hg_max_i64(1, hg_lanes(dev) / 16)), 1),   /* SHORT_LANES */
                         HG_ARGS(HG_ARG_I64(results), HG_ARG_I64(c->length), HG_ARG_TENSOR(x), HG_ARG_TENSOR(y), by));
    return hg_launch(dev, &hg_source_sum, options, "sum_rows", group_range(dev, results),
                     HG_ARGS(HG_ARG_I64(results), HG_ARG_I64(segments), HG_ARG_I64(c->length), HG_ARG_I64(step),
                             HG_ARG_TENSOR(x), HG_ARG_TENSOR(y), by));
}

/* Sums a contiguous x[outer][length][inner] over length; a new flat tensor, or the error tensor. */
static hg_tensor *sum_cube(hg_tensor *x, cube c, double divisor)
{
    int64_t limit = c.inner > 1 ? LONG_COLUMN : LONG_ROW, step = c.inner > 1 ? COLUMN_STEP : ROW_STEP;
    for (;;) {
        int64_t segments = c.length > limit ? hg_ceil_div(c.length, step) : 1;
        int64_t n = c.outer * segments * c.inner;
        hg_tensor *y = hg_new_tensor(x->dev, hg_is_float(x->dtype) ? x->dtype : HG_I64, 1, &n);
        if (!hg_ok(y) ||
            launch_sum(x, &c, segments, segments > 1 ? step : c.length, segments > 1 ? 1 : divisor, y) != HG_OK)
            return hg_failed();
        if (segments == 1) return y;
        x = y;
        c.length = segments;
    }
}

/* The runs of dimensions that are alternately kept and summed, outermost first; sizes of 1 do not count. */
typedef struct runs {
    int count;
    int64_t size[HG_MAX_DIMS];
    bool summed[HG_MAX_DIMS];
} runs;

static runs runs_of(const hg_tensor *x, unsigned mask)
{
    runs r = {0};
    for (int d = 0; d < x->ndim; d++) {
        bool summed = mask >> d & 1;
        if (x->size[d] == 1) continue;
        if (r.count && r.summed[r.count - 1] == summed) {
            r.size[r.count - 1] *= x->size[d];
        } else {
            r.size[r.count] = x->size[d];
            r.summed[r.count++] = summed;
        }
    }
    return r;
}

/* Takes out the innermost summed run; false if there is none. `last` says that no other is left. */
static bool take_run(runs *r, cube *c, bool *last)
{
    int at = r->count - 1;
    while (at >= 0 && !r->summed[at]) at--;
    if (at < 0) return false;
    *c = (cube){1, r->size[at], 1};
    *last = true;
    for (int i = 0; i < at; i++) {
        c->outer *= r->size[i];
        if (r->summed[i]) *last = false;
    }
    for (int i = at + 1; i < r->count; i++) c->inner *= r->size[i];
    if (at + 1 < r->count && at > 0) r->size[at - 1] *= r->size[at + 1];    /* two kept runs become one */
    int gone = at + 1 < r->count && at > 0 ? 2 : 1;
    for (int i = at; i + gone < r->count; i++) {
        r->size[i] = r->size[i + gone];
        r->summed[i] = r->summed[i + gone];
    }
    r->count -= gone;
    return true;
}

static hg_tensor *reduce(hg_tensor *x, unsigned mask, double divisor, int ndim, const int64_t *size)
{
    hg_dtype dtype = hg_is_float(x->dtype) ? x->dtype : HG_I64;
    hg_scope *s = hg_scope_inner();
    hg_tensor *y;
    runs r = runs_of(x, mask);
    cube c;
    bool last;
    if (!x->numel) {
        y = hg_new_tensor(x->dev, dtype, ndim, size);
        if (hg_ok(y) && hg_raw_fill(y, divisor == 0 ? NAN : 0) != HG_OK) y = hg_failed();
        return hg_scope_return(s, y);
    }
    if (!take_run(&r, &c, &last)) {    /* sums of one element each */
        int64_t stride[HG_MAX_DIMS];
        y = hg_new_tensor(x->dev, dtype, x->ndim, x->size);
        if (hg_ok(y) && hg_raw_copy(y, x) != HG_OK) y = hg_failed();
        hg_contiguous_strides(ndim, size, stride);
        return hg_scope_return(s, hg_ok(y) ? hg_new_view(y, ndim, size, stride, 0) : y);
    }
    y = hg_raw_contiguous(x);
    do {
        if (hg_ok(y)) y = sum_cube(y, c, last ? divisor : 1);
    } while (take_run(&r, &c, &last));
    int64_t stride[HG_MAX_DIMS];
    hg_contiguous_strides(ndim, size, stride);
    return hg_scope_return(s, hg_ok(y) ? hg_new_view(y, ndim, size, stride, 0) : y);
}

/* ---- sum, mean ---- */

typedef struct reduction {
    hg_shape kept;      /* the result's shape with keepdim */
    double divisor;
} reduction;

/* The set of dims as bits, or false. */
static bool dims_mask(const char *op, const hg_tensor *x, hg_dims dims, unsigned *mask)
{
    *mask = dims.count ? 0 : (1u << x->ndim) - 1;
    if (dims.count < 0 || dims.count > HG_MAX_DIMS) {
        hg_error(HG_E_ARG, "%s: %d dims; 0 to %d are possible", op, dims.count, HG_MAX_DIMS);
        return false;
    }
    for (int i = 0; i < dims.count; i++) {
        int d = hg_check_dim(op, x, dims.dim[i]);
        if (d < 0) return false;
        if (*mask & 1u << d) {
            hg_error(HG_E_ARG, "%s: dim %d appears multiple times in the list of dims", op, d);
            return false;
        }
        *mask |= 1u << d;
    }
    return true;
}

static hg_status reduce_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const reduction *r = hg_node_context(n);
    hg_shape full = {.ndim = hg_node_input_ndim(n, 0)};
    memcpy(full.size, hg_node_input_size(n, 0), sizeof full.size);
    if (r->divisor != 1) dy = hg_map("divide_by", dy, r->divisor, 0);
    dx[0] = hg_expand(hg_reshape(dy, r->kept), full);
    return HG_OK;
}
static const hg_op sum_ops[2] = {{"SumBackward0", reduce_backward}, {"SumBackward1", reduce_backward}};
static const hg_op mean_ops[2] = {{"MeanBackward0", reduce_backward}, {"MeanBackward1", reduce_backward}};

static hg_tensor *reduced(const char *name, const hg_op ops[2], hg_tensor *x, hg_dims dims, bool keepdim, bool mean)
{
    unsigned mask;
    if (!dims_mask(name, x, dims, &mask)) return hg_failed();
    reduction r = {{.ndim = x->ndim}, 1};
    hg_shape shape = {0};
    for (int d = 0; d < x->ndim; d++) {
        bool summed = mask >> d & 1;
        r.kept.size[d] = summed ? 1 : x->size[d];
        if (mean && summed) r.divisor *= (double)x->size[d];
        if (!summed) shape.size[shape.ndim++] = x->size[d];
    }
    if (keepdim) shape = r.kept;
    hg_tensor *y = reduce(x, mask, r.divisor, shape.ndim, shape.size);
    return hg_record(y, &ops[dims.count > 0], HG_LIST(x), HG_NO_LIST, &r, sizeof r);
}

hg_tensor *hg_sum(hg_tensor *x, hg_dims dims, bool keepdim)
{
    if (!HG_CHECK_OPERANDS("sum", x)) return hg_failed();
    return reduced("sum", sum_ops, x, dims, keepdim, false);
}

hg_tensor *hg_mean(hg_tensor *x, hg_dims dims, bool keepdim)
{
    if (!HG_CHECK_OPERANDS("mean", x)) return hg_failed();
    if (!hg_is_float(x->dtype))
        return hg_fail(HG_E_DTYPE, "mean: the dtype must be a floating point one, got %s; hg_cast it to float32 first",
                       hg_dtype_name(x->dtype));
    return reduced("mean", mean_ops, x, dims, keepdim, true);
}

/* ---- back through broadcasting ---- */

hg_tensor *hg_sum_to(hg_tensor *t, int ndim, const int64_t *size)
{
    if (!hg_ok(t)) return t;
    int lead = t->ndim - ndim;
    unsigned mask = 0;
    for (int d = 0; d < t->ndim; d++)
        if (d < lead || size[d - lead] != t->size[d]) mask |= 1u << d;
    return mask ? reduce(t, mask, 1, ndim, size) : t;
}

hg_tensor *hg_sum_to_input(hg_node *node, int input, hg_tensor *t)
{
    return hg_sum_to(t, hg_node_input_ndim(node, input), hg_node_input_size(node, input));
}
