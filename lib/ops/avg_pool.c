/* y = the sum of each window / its divisor: the window's size, with or without the padding it touches, or a number of
 * the caller's. Backward: dy / divisor to every element of the window. Adaptive: windows that tile the plane. */
#include <string.h>

#include "autograd/autograd.h"
#include "base/checked.h"
#include "ops/pool.h"
#include "ops/softmax.h"

typedef struct avg_context {
    hg_pool_problem p;
    bool adaptive;
} avg_context;

/* GPUs: whole planes, the usual last pooling of a network. */
static hg_status launch_planes(const hg_pool_problem *p, const char *options, const hg_tensor *x, const hg_tensor *y)
{
    int64_t n = p->in[0] * p->in[1];
    int lanes = hg_lanes(x->dev), together = lanes < 32 ? lanes : 32;   /* PLANE_LANES */
    return hg_launch(x->dev, &hg_source_avg_pool, options, "avg_pool_planes",
                     hg_range_teams(x->dev, hg_ceil_div(p->planes, lanes / together), 1),
                     HG_ARGS(HG_ARG_I64(p->planes), HG_ARG_I64(n), hg_arg_real(x->dtype == HG_F64, (double)n),
                             HG_ARG_TENSOR(x), HG_ARG_TENSOR(y)));
}

static hg_status launch(const avg_context *c, const char *kernel, const hg_tensor *from, const hg_tensor *to)
{
    const hg_pool_problem *p = &c->p;
    bool wide = p->planes * p->in[0] * p->in[1] > INT32_MAX;
    const char *options = !wide ? hg_real_options(to->dtype)
                                : to->dtype == HG_F64 ? "-DHG_F64=1 -DHG_WIDE=1" : "-DHG_WIDE=1";
    bool forward = !strcmp(kernel, "avg_pool_fwd"), whole = c->adaptive && p->out[0] == 1 && p->out[1] == 1;
    if (forward && whole && !hg_is_cpu(to->dev)) return launch_planes(p, options, from, to);
    return hg_launch(to->dev, &hg_source_avg_pool, options, kernel, hg_pool_range(to->dev, p, to->numel),
                     HG_ARGS(HG_ARG_POOL(p), HG_ARG_I32(c->adaptive), HG_ARG_I32(p->o.count_include_pad),
                             HG_ARG_I32(p->o.divisor_override), HG_ARG_TENSOR(from), HG_ARG_TENSOR(to)));
}

static hg_status avg_pool_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    dy = hg_raw_contiguous(dy);
    dx[0] = hg_new_tensor(dy->dev, dy->dtype, hg_node_input_ndim(n, 0), hg_node_input_size(n, 0));
    if (!hg_ok(dy) || !hg_ok(dx[0])) return hg_last_status();
    return launch(hg_node_context(n), "avg_pool_bwd", dy, dx[0]);
}
static const hg_op avg_pool_op = {"AvgPool2DBackward0", avg_pool_backward};
static const hg_op adaptive_op = {"AdaptiveAvgPool2DBackward0", avg_pool_backward};

static hg_tensor *pool(hg_tensor *input, const avg_context *c, const hg_op *op)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *x = hg_raw_contiguous(input), *y = hg_new_tensor(input->dev, input->dtype, c->p.ndim, c->p.size);
    if (!hg_ok(x) || !hg_ok(y) || launch(c, "avg_pool_fwd", x, y) != HG_OK) return hg_scope_return(s, hg_failed());
    return hg_scope_return(s, hg_record(y, op, HG_LIST(input), HG_NO_LIST, c, sizeof *c));
}

hg_tensor *hg_avg_pool2d(hg_tensor *input, const hg_pool_options *o)
{
    hg_pool_options options = o ? *o : HG_POOL_DEFAULTS;
    avg_context c = {0};
    if (!HG_CHECK_OPERANDS("avg_pool2d", input)) return hg_failed();
    if ((options.dilation[0] > 1 || options.dilation[1] > 1))
        return hg_fail(HG_E_ARG, "avg_pool2d: dilation is for max_pool2d only; leave it at 1");
    options.dilation[0] = options.dilation[1] = 1;
    if (options.divisor_override > INT32_MAX || options.divisor_override < INT32_MIN)
        return hg_fail(HG_E_ARG, "avg_pool2d: divisor_override %lld is out of range", (long long)options.divisor_override);
    if (hg_pool_plan("avg_pool2d", input, &options, &c.p) != HG_OK) return hg_failed();
    return pool(input, &c, &avg_pool_op);
}

hg_tensor *hg_adaptive_avg_pool2d(hg_tensor *input, int64_t height, int64_t width)
{
    avg_context c = {.adaptive = true};
    if (!HG_CHECK_OPERANDS("adaptive_avg_pool2d", input) || hg_pool_input("adaptive_avg_pool2d", input, &c.p) != HG_OK)
        return hg_failed();
    int64_t out;
    if (height < 0 || width < 0 || !hg_mul_i64(height ? height : c.p.in[0], width ? width : c.p.in[1], &out) ||
        out > INT32_MAX / 2)
        return hg_fail(HG_E_ARG, "adaptive_avg_pool2d: output size %lld x %lld is out of range; 1 to 2^30 elements, 0 keeps "
                                 "the input's size", (long long)height, (long long)width);
    hg_pool_set_output(&c.p, input, height ? height : c.p.in[0], width ? width : c.p.in[1]);
    return pool(input, &c, &adaptive_op);
}
