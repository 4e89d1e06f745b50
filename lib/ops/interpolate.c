/* Resampling of images, after torch.nn.functional.interpolate: which element a result takes is in
 * kernels/interpolate.cl; here are the sizes and, in the arithmetic of the dtype as PyTorch has it, the scales. */
#include <math.h>
#include <stdio.h>

#include "ops/elementwise.h"
#include "ops/softmax.h"

enum { MAX_SIDE = 1 << 20 };    /* of a plane: keeps the kernel's bounds exact in f32 */

typedef struct resampling {
    bool bilinear, align;
    int64_t in[2], out[2];
    double scale[2], inverse[2];    /* input elements a result; 1 / scale, 0 for none */
} resampling;

/* Rounded as the dtype rounds. */
static double rounded(hg_dtype dtype, double v)
{
    return dtype == HG_F64 ? v : (double)(float)v;
}

static void find_scale(resampling *r, int axis, hg_dtype dtype, double factor)
{
    double in = (double)r->in[axis], out = (double)r->out[axis];
    if (r->bilinear && r->align)
        r->scale[axis] = out > 1 ? rounded(dtype, (in - 1) / (out - 1)) : 0;
    else if (r->bilinear && in == out)
        r->scale[axis] = 1;
    else
        r->scale[axis] = rounded(dtype, factor > 0 ? 1 / factor : in / out);
    r->inverse[axis] = r->scale[axis] > 0 ? 1 / r->scale[axis] : 0;
}

static hg_status launch(const resampling *r, bool back, hg_tensor *from, hg_tensor *to)
{
    hg_device *dev = to->dev;
    char options[96];
    bool f64 = to->dtype == HG_F64;
    int64_t planes = to->size[0] * to->size[1], most = (int64_t)dev->info.units * 16;
    snprintf(options, sizeof options, "-DBILINEAR=%d %s%s", r->bilinear, hg_real_options(to->dtype),
             hg_max_i64(from->numel, to->numel) > INT32_MAX / 2 ? " -DHG_WIDE=1" : "");
    hg_range range = !hg_is_cpu(dev) ? hg_range_elements(dev, to->numel)
                     : back          ? hg_range_teams(dev, hg_min_i64(planes, most), 1)
                                     : hg_range_lines(dev, planes * to->size[2]);
    return hg_launch(dev, &hg_source_interpolate, options, back ? "interpolate_bwd" : "interpolate_fwd", range,
                     HG_ARGS(HG_ARG_I64(planes), HG_ARG_I64(r->in[0]), HG_ARG_I64(r->in[1]),
                             HG_ARG_I64(r->out[0]), HG_ARG_I64(r->out[1]), HG_ARG_I32(r->align),
                             hg_arg_real(f64, r->scale[0]), hg_arg_real(f64, r->inverse[0]),
                             hg_arg_real(f64, r->scale[1]), hg_arg_real(f64, r->inverse[1]), HG_ARG_TENSOR(from),
                             HG_ARG_TENSOR(to)));
}

static hg_status interpolate_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    dx[0] = hg_new_tensor(dy->dev, dy->dtype, 4, hg_node_input_size(n, 0));
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(dx[0]) || !hg_ok(dy)) return hg_last_status();
    return launch(hg_node_context(n), true, dy, dx[0]);
}
static const hg_op nearest_op = {"UpsampleNearest2DBackward1", interpolate_backward};
static const hg_op bilinear_op = {"UpsampleBilinear2DBackward1", interpolate_backward};

static hg_status find_sizes(const hg_tensor *x, const hg_interpolate_options *o, resampling *r)
{
    bool sized = o->size[0] || o->size[1], scaled = o->scale[0] != 0 || o->scale[1] != 0;
    if (sized == scaled)
        return hg_error(HG_E_ARG, sized ? "interpolate: only one of size or scale should be defined"
                                        : "interpolate: either size or scale should be defined");
    if (o->align_corners && !r->bilinear)
        return hg_error(HG_E_ARG, "interpolate: align_corners can only be set with the bilinear mode");
    for (int i = 0; i < 2; i++) {
        double factor = o->scale[i] != 0 ? o->scale[i] : o->scale[0], side = floor((double)x->size[2 + i] * factor);
        if (scaled && !(factor > 0 && side <= MAX_SIDE))
            return hg_error(HG_E_ARG,
                            "interpolate: scale %g does not fit size %lld; it must be above 0 and give at most %d",
                            factor, (long long)x->size[2 + i], MAX_SIDE);
        r->in[i] = x->size[2 + i];
        r->out[i] = scaled ? (int64_t)side : o->size[i] ? o->size[i] : o->size[0];
        if (r->in[i] > MAX_SIDE || r->out[i] > MAX_SIDE)
            return hg_error(HG_E_UNSUPPORTED, "interpolate: sides of at most %d, got %lld to %lld", MAX_SIDE,
                            (long long)r->in[i], (long long)r->out[i]);
        find_scale(r, i, x->dtype, scaled ? factor : 0);
    }
    if (r->in[0] < 1 || r->in[1] < 1 || r->out[0] < 1 || r->out[1] < 1)
        return hg_error(HG_E_SHAPE,
                        "interpolate: Input and output sizes should be greater than 0, but got input (H: %lld, W: "
                        "%lld) output (H: %lld, W: %lld)",
                        (long long)r->in[0], (long long)r->in[1], (long long)r->out[0], (long long)r->out[1]);
    return HG_OK;
}

hg_tensor *hg_interpolate(hg_tensor *x, const hg_interpolate_options *o)
{
    hg_interpolate_options options = o ? *o : HG_INTERPOLATE_DEFAULTS;
    if (!HG_CHECK_OPERANDS("interpolate", x) || !hg_check_float("interpolate", x)) return hg_failed();
    if (x->ndim != 4)
        return hg_fail(HG_E_SHAPE, "interpolate: Got %dD input, but needs 4D input, N x C x H x W", x->ndim);
    resampling r = {.bilinear = options.mode == HG_INTERPOLATE_BILINEAR, .align = options.align_corners};
    if (find_sizes(x, &options, &r) != HG_OK) return hg_failed();
    int64_t size[4] = {x->size[0], x->size[1], r.out[0], r.out[1]};
    if (hg_checked_numel("interpolate", 4, size) < 0) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(x->dev, x->dtype, 4, size), *c = hg_raw_contiguous(x);
    if (!hg_ok(y) || !hg_ok(c) || launch(&r, false, c, y) != HG_OK) return hg_scope_return(s, hg_failed());
    return hg_scope_return(s,
                           hg_record(y, r.bilinear ? &bilinear_op : &nearest_op, HG_LIST(x), HG_NO_LIST, &r, sizeof r));
}
