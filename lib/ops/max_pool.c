/* y = the maximum of each window; the gradient goes to the place that won. Saved is that place within its window, one
 * byte for windows of up to 256 places. */
#include <stdio.h>

#include "autograd/autograd.h"
#include "ops/pool.h"

enum { BYTE_PLACES = 256, ROW = 2048 }; /* ROW: of max_pool_values() */

/* 2 x 2 windows side by side. */
static bool is_k2s2(const hg_pool_problem *p)
{
    const hg_pool_options *o = &p->o;
    bool k2s2 = true;
    for (int d = 0; d < 2; d++)
        k2s2 = k2s2 && o->kernel[d] == 2 && o->stride[d] == 2 && o->padding[d] == 0 && o->dilation[d] == 1 &&
               2 * p->out[d] <= p->in[d];
    return k2s2;
}

/* The variant for a problem: element type, index width, winners' type, 2 x 2 windows side by side. */
static void options_of(const hg_pool_problem *p, hg_dtype dtype, char *out, size_t size)
{
    const hg_pool_options *o = &p->o;
    bool k2s2 = is_k2s2(p);
    snprintf(out, size, "%s%s%s%s", k2s2 ? "-DK2S2=1 " : "", o->kernel[0] * o->kernel[1] > BYTE_PLACES ? "-DWINNER=int " : "",
             dtype == HG_F64 ? "-DHG_F64=1 " : "", p->planes * p->in[0] * p->in[1] > INT32_MAX ? "-DHG_WIDE=1" : "");
}

static hg_status max_pool_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const hg_pool_problem *p = hg_node_context(n);
    char options[64];
    hg_tensor *winner = hg_node_saved(n, 0);
    if (!hg_ok(winner)) return hg_last_status();
    dy = hg_raw_contiguous(dy);
    dx[0] = hg_new_tensor(dy->dev, dy->dtype, hg_node_input_ndim(n, 0), hg_node_input_size(n, 0));
    if (!hg_ok(dy) || !hg_ok(dx[0])) return hg_last_status();
    options_of(p, dy->dtype, options, sizeof options);
    return hg_launch(dy->dev, &hg_source_max_pool, options, "max_pool_bwd", hg_pool_range(dy->dev, p, dx[0]->numel),
                     HG_ARGS(HG_ARG_POOL(p), HG_ARG_TENSOR(winner), HG_ARG_TENSOR(dy), HG_ARG_TENSOR(dx[0])));
}
static const hg_op max_pool_op = {"MaxPool2DWithIndicesBackward0", max_pool_backward};

/* Whether max_pool_values() does it: on a CPU, if its vectors stay inside of a row buffer. */
static bool by_values(const hg_device *dev, const hg_pool_problem *p)
{
    const hg_pool_options *o = &p->o;
    int64_t across = (hg_round_up(p->out[1], 16) + 16) * o->stride[1] + (o->kernel[1] - 1) * o->dilation[1];
    return hg_is_cpu(dev) && !is_k2s2(p) && hg_max_i64(across, p->in[1] + o->padding[1]) <= ROW - 32;
}

/* *indices is NULL or becomes a new tensor of the scope. */
static hg_tensor *max_pool(hg_tensor *input, const hg_pool_problem *p, hg_tensor **indices)
{
    hg_device *dev = input->dev;
    bool bytes = p->o.kernel[0] * p->o.kernel[1] <= BYTE_PLACES, keep = indices || hg_will_record(&input, 1);
    char options[64];
    hg_tensor *x = hg_raw_contiguous(input), *y = hg_new_tensor(dev, x->dtype, p->ndim, p->size);
    hg_tensor *winner = keep ? hg_new_tensor(dev, bytes ? HG_U8 : HG_I32, p->ndim, p->size) : y;
    hg_tensor *places = indices ? hg_new_tensor(dev, HG_I64, p->ndim, p->size) : y;
    if (!hg_ok(x) || !hg_ok(y) || !hg_ok(winner) || !hg_ok(places)) return hg_failed();
    options_of(p, x->dtype, options, sizeof options);
    if (!keep && by_values(dev, p))
        return hg_launch(dev, &hg_source_max_pool, options, "max_pool_values", hg_pool_range(dev, p, y->numel),
                         HG_ARGS(HG_ARG_POOL(p), HG_ARG_TENSOR(x), HG_ARG_TENSOR(y))) == HG_OK
                   ? y
                   : hg_failed();
    if (hg_launch(dev, &hg_source_max_pool, options, "max_pool_fwd", hg_pool_range(dev, p, y->numel),
                  HG_ARGS(HG_ARG_POOL(p), HG_ARG_TENSOR(x), HG_ARG_TENSOR(y), HG_ARG_I32(keep), HG_ARG_TENSOR(winner),
                          HG_ARG_I32(indices != NULL), HG_ARG_TENSOR(places))) != HG_OK)
        return hg_failed();
    if (indices) *indices = places;
    return hg_record(y, &max_pool_op, HG_LIST(input), HG_LIST(winner), p, sizeof *p);
}

hg_tensor *hg_max_pool2d(hg_tensor *input, const hg_pool_options *o, hg_tensor **indices)
{
    hg_pool_options options = o ? *o : HG_POOL_DEFAULTS;
    hg_pool_problem p = {0};
    hg_tensor *places = NULL;
    if (indices) *indices = hg_failed();
    if (!HG_CHECK_OPERANDS("max_pool2d", input) || hg_pool_plan("max_pool2d", input, &options, &p) != HG_OK)
        return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = max_pool(input, &p, indices ? &places : NULL);
    bool deliver = hg_ok(y) && places;
    if (deliver) hg_retain(places);     /* out of the inner scope, as the result */
    y = hg_scope_return(s, y);
    if (deliver) *indices = hg_to_scope(places);
    return y;
}
