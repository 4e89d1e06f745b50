/* out = floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1; with ceil_mode rounded up, but the last
 * window must begin inside of the plane or the padding before it. */
#include "ops/pool.h"

#include "ops/softmax.h"

enum { LIMIT = 1 << 24 };   /* of kernel, stride, padding, dilation: keeps kernels' index arithmetic in an int */

hg_status hg_pool_input(const char *op, const hg_tensor *x, hg_pool_problem *p)
{
    if (!hg_check_float(op, x)) return hg_last_status();
    bool fits = x->ndim == 3 || x->ndim == 4;
    for (int d = x->ndim - 3; fits && d < x->ndim; d++) fits = x->size[d] > 0;
    if (!fits)
        return hg_error(HG_E_SHAPE, "%s: Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, "
                                    "but got:%s", op, HG_SHAPE_TEXT(x));
    p->in[0] = x->size[x->ndim - 2];
    p->in[1] = x->size[x->ndim - 1];
    p->planes = x->numel / (p->in[0] * p->in[1]);
    if (p->in[0] * p->in[1] > INT32_MAX / 2)
        return hg_error(HG_E_UNSUPPORTED, "%s: planes of %lld x %lld are too large; at most 2^30 elements", op,
                        (long long)p->in[0], (long long)p->in[1]);
    return HG_OK;
}

void hg_pool_set_output(hg_pool_problem *p, const hg_tensor *x, int64_t height, int64_t width)
{
    p->out[0] = height;
    p->out[1] = width;
    p->ndim = x->ndim;
    for (int d = 0; d < x->ndim - 2; d++) p->size[d] = x->size[d];
    p->size[x->ndim - 2] = height;
    p->size[x->ndim - 1] = width;
}

static hg_status check_options(const char *op, const hg_pool_options *o)
{
    for (int d = 0; d < 2; d++) {
        if (o->kernel[d] < 1 || o->kernel[d] > LIMIT)
            return hg_error(HG_E_ARG, "%s: kernel size should be greater than zero, but got %lld", op, (long long)o->kernel[d]);
        if (o->stride[d] < 1 || o->stride[d] > LIMIT)
            return hg_error(HG_E_ARG, "%s: stride should be greater than zero, but got %lld", op, (long long)o->stride[d]);
        if (o->dilation[d] < 1 || o->dilation[d] > LIMIT || o->dilation[d] * o->kernel[d] > LIMIT)
            return hg_error(HG_E_ARG, "%s: dilation should be greater than zero, but got %lld", op, (long long)o->dilation[d]);
        if (o->padding[d] < 0 || o->padding[d] > o->kernel[d] / 2)
            return hg_error(HG_E_ARG, "%s: pad should be at most half of kernel size, but got pad=%lld and kernel_size=%lld",
                            op, (long long)o->padding[d], (long long)o->kernel[d]);
    }
    return HG_OK;
}

static int64_t output_size(const hg_pool_options *o, int d, int64_t size)
{
    int64_t room = size + 2 * o->padding[d] - o->dilation[d] * (o->kernel[d] - 1) - 1, stride = o->stride[d];
    if (room < 0) return o->ceil_mode && room > -stride ? 1 : 0;
    int64_t out = (o->ceil_mode ? hg_ceil_div(room, stride) : room / stride) + 1;
    return out > 1 && (out - 1) * stride >= size + o->padding[d] ? out - 1 : out;
}

hg_status hg_pool_plan(const char *op, const hg_tensor *x, const hg_pool_options *o, hg_pool_problem *p)
{
    p->o = *o;
    for (int d = 0; d < 2; d++)
        if (!p->o.stride[d]) p->o.stride[d] = p->o.kernel[d];
    HG_TRY(check_options(op, &p->o));
    HG_TRY(hg_pool_input(op, x, p));
    int64_t h = output_size(&p->o, 0, p->in[0]), w = output_size(&p->o, 1, p->in[1]);
    long long channels = (long long)x->size[x->ndim - 3];
    if (h < 1 || w < 1)
        return hg_error(HG_E_SHAPE, "%s: Given input size: (%lldx%lldx%lld). Calculated output size: (%lldx%lldx%lld). Output "
                                    "size is too small", op, channels, (long long)p->in[0], (long long)p->in[1], channels,
                        (long long)h, (long long)w);
    hg_pool_set_output(p, x, h, w);
    return HG_OK;
}

hg_range hg_pool_range(const hg_device *dev, const hg_pool_problem *p, int64_t n)
{
    if (hg_is_cpu(dev)) return hg_range_teams(dev, hg_min_i64(p->planes, (int64_t)dev->info.units * 16), 1);
    return hg_range_elements(dev, n);
}
