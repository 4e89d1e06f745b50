/* Along one dim: softmax y_i = exp(x_i - max) / sum_j exp(x_j - max), dx = y (dy - sum(dy y));
 * its logarithm y_i = x_i - max - log(sum), dx = dy - exp(y) sum(dy). */
#include "ops/softmax.h"

#include <stdio.h>

#include "autograd/autograd.h"
#include "base/checked.h"
#include "hapgop/ops.h"

enum { SHORT_ROW = 64 };    /* below this a GPU's team would be mostly idle */

bool hg_check_float(const char *op, const hg_tensor *t)
{
    if (hg_is_float(t->dtype)) return true;
    hg_error(HG_E_DTYPE, "%s: expected float32 or float64, got %s; cast it", op, hg_dtype_name(t->dtype));
    return false;
}

hg_rows hg_rows_of(const hg_tensor *x, int dim)
{
    hg_rows r = {.rows = 1, .n = x->ndim ? x->size[dim] : 1, .inner = 1};
    for (int d = 0; d < x->ndim; d++) {
        if (d != dim) r.rows *= x->size[d];
        if (d > dim) r.inner *= x->size[d];
    }
    bool cpu = hg_is_cpu(x->dev), team = r.inner == 1 && (cpu || r.n >= SHORT_ROW), few = r.inner == 1 && !team;
    snprintf(r.options, sizeof r.options, "%s%s%s", team ? "" : few ? "-DTEAM=2" : "-DTEAM=0", x->dtype == HG_F64 ? " -DHG_F64=1" : "",
             r.rows > INT32_MAX ? " -DHG_WIDE=1" : "");
    if (cpu)
        r.range = team ? hg_range_teams(x->dev, hg_min_i64(r.rows, (int64_t)x->dev->info.units * 16), 1)
                       : hg_range_elements(x->dev, r.rows * r.n);
    else
        r.range = hg_range_teams(x->dev, hg_ceil_div(r.rows, team ? 1 : hg_max_i64(1, hg_lanes(x->dev) / (few ? 16 : 8))), 1);
    return r;
}

static hg_status backward(hg_node *n, hg_tensor *dy, hg_tensor **dx, int logs)
{
    hg_tensor *y = hg_node_saved(n, 0);
    if (!hg_ok(y)) return hg_last_status();
    dy = hg_raw_contiguous(dy);
    dx[0] = hg_new_tensor(y->dev, y->dtype, y->ndim, y->size);
    if (!hg_ok(dy) || !hg_ok(dx[0])) return hg_last_status();
    hg_rows r = hg_rows_of(y, *(const int *)hg_node_context(n));
    return hg_launch(y->dev, &hg_source_softmax, r.options, "softmax_bwd", r.range,
                     HG_ARGS(HG_ARG_ROWS(r), HG_ARG_I32(logs), HG_ARG_TENSOR(y), HG_ARG_TENSOR(dy), HG_ARG_TENSOR(dx[0])));
}

static hg_status softmax_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    return backward(n, dy, dx, 0);
}
static hg_status log_softmax_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    return backward(n, dy, dx, 1);
}
static const hg_op softmax_op = {"SoftmaxBackward0", softmax_backward};
static const hg_op log_softmax_op = {"LogSoftmaxBackward0", log_softmax_backward};

static hg_tensor *forward(const char *name, const hg_op *op, hg_tensor *x, int dim, int logs)
{
    if (!HG_CHECK_OPERANDS(name, x) || !hg_check_float(name, x)) return hg_failed();
    int d = hg_check_dim(name, x, dim);
    if (d < 0) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *in = hg_raw_contiguous(x), *y = hg_new_tensor(x->dev, x->dtype, x->ndim, x->size);
    if (!hg_ok(in) || !hg_ok(y)) return hg_scope_return(s, hg_failed());
    hg_rows r = hg_rows_of(y, d);
    if (hg_launch(x->dev, &hg_source_softmax, r.options, "softmax_fwd", r.range,
                  HG_ARGS(HG_ARG_ROWS(r), HG_ARG_I32(logs), HG_ARG_TENSOR(in), HG_ARG_TENSOR(y))) != HG_OK)
        return hg_scope_return(s, hg_failed());
    return hg_scope_return(s, hg_record(y, op, HG_LIST(x), HG_LIST(y), &d, sizeof d));
}

hg_tensor *hg_softmax(hg_tensor *x, int dim)
{
    return forward("softmax", &softmax_op, x, dim, 0);
}

hg_tensor *hg_log_softmax(hg_tensor *x, int dim)
{
    return forward("log_softmax", &log_softmax_op, x, dim, 1);
}
