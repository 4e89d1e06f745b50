/* Winograd's algorithm: which convolutions, and how they are cut into tiles; kernels/winograd.clh.
 *
 * Not a number, or an infinity, in a tile's patch spreads over the tile. */
#include "conv/winograd.h"

#include <limits.h>
#include <stdio.h>

#include "base/error.h"

enum { LEAST_CHANNELS = 8 };

/* The rest of a cut of stride 2. Backward-data is, by pairs of pixels along each dimension, a convolution of kernel 2. */
static void strided_cut(const hg_conv_problem *p, hg_winograd_cut *w)
{
    w->planes = w->line * w->line;
    w->sums = (w->side + 1) * (w->side + 1);
    w->options = "-DTILE_W=4 -DSTRIDE=2";
    w->wide = "-DTILE_W=4 -DSTRIDE=2 -DHG_WIDE=1";
    if (p->direction != HG_CONV_BACKWARD_DATA) return;
    w->patch = w->side + 1;
    w->sums = w->planes;
    w->pixels = 2;
    w->options = "-DTILE_W=4 -DSTRIDE=2 -DSPREAD=1";
    w->wide = "-DTILE_W=4 -DSTRIDE=2 -DSPREAD=1 -DHG_WIDE=1";
    w->f.direction = HG_CONV_FORWARD;
    w->f.channels = p->outputs;
    w->f.outputs = p->channels;
    for (int d = 0; d < p->rank; d++) {
        w->f.size[d] = hg_conv_output(p, d);
        w->f.begin[d] = -(p->begin[d] / 2);
        w->f.stride[d] = 1;
        w->f.kernel[d] = 2;
        w->f.end[d] = hg_ceil_div(p->size[d], 2) + 1 - w->f.size[d] - w->f.begin[d];
        if (p->size[d] % 2) w->odd += d + 1 == p->rank ? 1 : 2;
    }
}

hg_winograd_cut hg_winograd_cut_of(const hg_conv_problem *p, int side)
{
    static const char *const options[2][2] = {{"-DTILE_W=2 -DTILE_H=1", "-DTILE_W=4 -DTILE_H=1"},
                                              {"-DTILE_W=2", "-DTILE_W=4"}};
    static const char *const wide[2][2] = {{"-DTILE_W=2 -DTILE_H=1 -DHG_WIDE=1", "-DTILE_W=4 -DTILE_H=1 -DHG_WIDE=1"},
                                           {"-DTILE_W=2 -DHG_WIDE=1", "-DTILE_W=4 -DHG_WIDE=1"}};
    static const char *const five[2][2] = {
        {"-DTILE_W=2 -DTILE_H=1 -DKERNEL=5", "-DTILE_W=2 -DTILE_H=1 -DKERNEL=5 -DHG_WIDE=1"},
        {"-DTILE_W=2 -DKERNEL=5", "-DTILE_W=2 -DKERNEL=5 -DHG_WIDE=1"}};
    const bool plane = p->rank >= 2;
    const int64_t kernel = p->kernel[p->rank - 1], points = side + kernel - 1;
    hg_winograd_cut w = {.f = *p, .down = plane ? side : 1, .side = side, .taps = plane ? kernel * kernel : kernel};
    w.stride = p->stride[p->rank - 1];
    w.depth = p->rank == 3 ? p->kernel[0] : 1;
    w.points = points * (plane ? points : 1);
    w.line = w.patch = (side - 1) * w.stride + kernel;
    w.planes = w.sums = w.points;
    w.pixels = 1;
    w.options = kernel == 5 ? five[plane][0] : options[plane][side == 4];
    w.wide = kernel == 5 ? five[plane][1] : wide[plane][side == 4];
    if (w.stride == 2) {
        strided_cut(p, &w);
    } else if (p->direction == HG_CONV_BACKWARD_DATA) {
        w.f.direction = HG_CONV_FORWARD;
        w.f.channels = p->outputs;
        w.f.outputs = p->channels;
        for (int d = 0; d < p->rank; d++) {
            w.f.size[d] = hg_conv_output(p, d);
            w.f.begin[d] = p->kernel[d] - 1 - p->begin[d];
            w.f.end[d] = p->kernel[d] - 1 - p->end[d];
        }
    }
    w.across = hg_ceil_div(hg_conv_output(&w.f, w.f.rank - 1), side);
    w.rows = w.f.batch * (plane ? hg_ceil_div(hg_conv_output(&w.f, w.f.rank - 2), side) : 1);
    if (p->rank == 3) w.rows *= hg_conv_output(&w.f, 0);
    return w;
}

/* Whether the first `rank` values are all as expected; else `why` names them: "stride 2x1", or "stride 2" if all are 2.
 */
static bool are(const int64_t *v, int rank, int64_t expected, const char *name, char why[HG_WHY])
{
    if (v[0] == expected && v[rank - 1] == expected) return true;
    if (v[0] == v[rank - 1])
        snprintf(why, HG_WHY, "%s %lld", name, (long long)v[0]);
    else
        snprintf(why, HG_WHY, "%s %lldx%lld", name, (long long)v[0], (long long)v[1]);
    return false;
}

bool hg_winograd_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    why[0] = 0;
    if (hg_is_cpu(dev) && dev->quirks & HG_QUIRK_SLOW_LONG_KERNELS)
        snprintf(why, HG_WHY, "%.40s would compile it for minutes", dev->info.name);
    else if (p->rank > 2)
        snprintf(why, HG_WHY, "%d dimensions", (int)p->rank);
    else if (p->dtype != HG_F32)
        snprintf(why, HG_WHY, "only for float32");
    else if (p->groups != 1)
        snprintf(why, HG_WHY, "%lld groups", (long long)p->groups);
    else if (!are(p->kernel, p->rank, 3, "kernel", why) || !are(p->stride, p->rank, 1, "stride", why) ||
             !are(p->dilation, p->rank, 1, "dilation", why))
        return false;
    else if (p->channels < LEAST_CHANNELS || p->outputs < LEAST_CHANNELS)
        snprintf(why, HG_WHY, "%lld channels and %lld outputs, fewer than %d", (long long)p->channels,
                 (long long)p->outputs, LEAST_CHANNELS);
    return !why[0];
}

static size_t workspace_of(const hg_winograd_cut *w, const hg_conv_config *c)
{
    return 4 * (size_t)(hg_winograd_is_cpu(c) ? hg_winograd_cpu_workspace(w, c) : hg_winograd_gpu_workspace(w, c));
}

static size_t packed_of(const hg_winograd_cut *w, const hg_conv_config *c)
{
    if (w->f.direction == HG_CONV_BACKWARD_WEIGHTS) return 0;
    return 4 * (size_t)(hg_winograd_is_cpu(c) ? hg_winograd_cpu_packed(w) : hg_winograd_gpu_packed(w));
}

size_t hg_winograd_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    hg_winograd_cut w = hg_winograd_cut_of(p, c->layout);
    return workspace_of(&w, c);
}

size_t hg_winograd_packed(const hg_conv_problem *p, const hg_conv_config *c)
{
    hg_winograd_cut w = hg_winograd_cut_of(p, c->layout);
    return packed_of(&w, c);
}

bool hg_winograd_fits(const hg_winograd_cut *w, const hg_conv_config *c)
{
    return workspace_of(w, c) + packed_of(w, c) <= (uint64_t)w->f.workspace_limit;
}

double hg_winograd_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    hg_winograd_cut w = hg_winograd_cut_of(p, c->layout);
    return hg_winograd_is_cpu(c) ? hg_winograd_cpu_cost(&w, c, dev) : hg_winograd_gpu_cost(&w, c, dev);
}

int hg_winograd_configs(const hg_conv_problem *p, const hg_device *dev, int side, hg_conv_config *configs, int max)
{
    hg_winograd_cut w = hg_winograd_cut_of(p, side);
    int n = hg_is_cpu(dev) ? hg_winograd_cpu_configs(&w, dev, configs, max)
                           : hg_winograd_gpu_configs(&w, dev, configs, max);
    return n;
}

static hg_winograd_job job_of(hg_device *dev, const hg_conv_plan *plan, const hg_winograd_cut *w,
                              const hg_conv_buffers *b)
{
    bool wide = hg_conv_wide(&plan->problem) || (plan->workspace + plan->packed) / 4 > INT_MAX / 2;
    return (hg_winograd_job){dev, w, &plan->config, b, wide ? w->wide : w->options,
                             plan->problem.direction == HG_CONV_BACKWARD_DATA};
}

hg_status hg_winograd_prepare(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    hg_winograd_cut w = hg_winograd_cut_of(&plan->problem, plan->config.layout);
    hg_winograd_job j = job_of(dev, plan, &w, b);
    return hg_winograd_is_cpu(&plan->config) ? hg_winograd_cpu_weight(&j) : hg_winograd_gpu_weight(&j);
}

hg_status hg_winograd_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    hg_winograd_cut w = hg_winograd_cut_of(&plan->problem, plan->config.layout);
    hg_winograd_job j = job_of(dev, plan, &w, b);
    const bool cpu = hg_winograd_is_cpu(&plan->config);
    hg_status (*forward)(const hg_winograd_job *, const hg_tensor *, const hg_tensor *) =
        cpu ? hg_winograd_cpu_forward : hg_winograd_gpu_forward;
    switch (plan->problem.direction) {
    case HG_CONV_FORWARD:
        return forward(&j, b->input, b->output);
    case HG_CONV_BACKWARD_DATA:
        return forward(&j, b->output, b->input);
    default:
        return cpu ? hg_winograd_cpu_gradient(&j) : hg_winograd_gpu_gradient(&j);
    }
}
