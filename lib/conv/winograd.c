/* winograd-f4x4: 3 x 3 convolutions of stride 1 in tiles of 4 x 4 outputs, with 36 products where the definition has
 * 144; kernels/winograd.cl. Backward-data is the forward convolution of the output's gradient by the mirrored weight.
 *
 * Not a number, or an infinity, in a tile's patch spreads over the tile. Workspace: the weight's transform, then a
 * slice for each work-item. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "conv/solver.h"

enum { TILE = 4, POINTS = 36, PANEL = 32, REGISTER_TILE = 8, MOST_TILES = 128, LEAST_CHANNELS = 8 };
enum { ROWS, SLICES, SHARES }; /* of a configuration: rows of tiles in a block, slices, shares of the panels */

/* Backward-data as the forward convolution that it is; forward as it stands. Its padding may be negative. */
static hg_conv_problem as_forward(const hg_conv_problem *p)
{
    hg_conv_problem f = *p;
    if (p->direction != HG_CONV_BACKWARD_DATA) return f;
    f.direction = HG_CONV_FORWARD;
    f.channels = p->outputs;
    f.outputs = p->channels;
    for (int d = 0; d < 2; d++) {
        f.size[d] = hg_conv_output(p, d);
        f.begin[d] = 2 - p->begin[d];
        f.end[d] = 2 - p->end[d];
    }
    return f;
}

static int64_t tiles_along(const hg_conv_problem *f, int d)
{
    return hg_ceil_div(hg_conv_output(f, d), TILE);
}

static int64_t rows_of(const hg_conv_problem *f)
{
    return f->batch * tiles_along(f, 0);
}

/* Whether two values are the same; else `why` names them: "stride 2x1", or "stride 2" if both are 2. */
static bool is_pair(const int64_t v[2], int64_t expected, const char *name, char why[HG_WHY])
{
    if (v[0] == expected && v[1] == expected) return true;
    if (v[0] == v[1])
        snprintf(why, HG_WHY, "%s %lld", name, (long long)v[0]);
    else
        snprintf(why, HG_WHY, "%s %lldx%lld", name, (long long)v[0], (long long)v[1]);
    return false;
}

static bool winograd_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    why[0] = 0;
    if (!hg_is_cpu(dev))
        snprintf(why, HG_WHY, "only for CPUs");
    else if (p->direction == HG_CONV_BACKWARD_WEIGHTS)
        snprintf(why, HG_WHY, "not for gradients of weights");
    else if (p->rank != 2)
        snprintf(why, HG_WHY, "%d dimensions", (int)p->rank);
    else if (p->dtype != HG_F32)
        snprintf(why, HG_WHY, "only for float32");
    else if (p->groups != 1)
        snprintf(why, HG_WHY, "%lld groups", (long long)p->groups);
    else if (!is_pair(p->kernel, 3, "kernel", why) || !is_pair(p->stride, 1, "stride", why) ||
             !is_pair(p->dilation, 1, "dilation", why))
        return false;
    else if (p->channels < LEAST_CHANNELS || p->outputs < LEAST_CHANNELS)
        snprintf(why, HG_WHY, "%lld channels and %lld outputs, fewer than %d", (long long)p->channels,
                 (long long)p->outputs, LEAST_CHANNELS);
    return !why[0];
}

/* ---- how it is cut ---- */

static int64_t panels_of(const hg_conv_problem *f)
{
    return hg_ceil_div(f->outputs, PANEL);
}

static int64_t weights_elements(const hg_conv_problem *f)
{
    return panels_of(f) * POINTS * hg_round_up(f->channels, 16) * PANEL;
}

static int64_t tiles_of_block(const hg_conv_problem *f, const hg_conv_config *c)
{
    return hg_round_up(c->value[ROWS] * tiles_along(f, 1), REGISTER_TILE);
}

/* Elements of a work-item: v, m, a band of 6 rows of pixels before and one of 4 rows after. */
static int64_t slice_elements(const hg_conv_problem *f, const hg_conv_config *c)
{
    int64_t tiles = tiles_of_block(f, c), across = tiles_along(f, 1);
    return POINTS * (tiles * hg_round_up(f->channels, 16) + 16 + tiles * PANEL + 16) + 6 * 16 * (4 * across + 2) +
           4 * 16 * 4 * across;
}

static size_t winograd_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    hg_conv_problem f = as_forward(p);
    return 4 * (size_t)(weights_elements(&f) + slice_elements(&f, c) * c->value[SLICES] * c->value[SHARES]);
}

/* Seconds. Products run at the peak if their operands are near; transforms cost, for 16 channels of a tile, as much as
 * so many operations. */
static double winograd_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    hg_conv_problem f = as_forward(p);
    double units = dev->info.units ? dev->info.units : 1, core = hg_conv_peak(dev, false) / units, far = 30e9;
    double deep = (double)hg_round_up(f.channels, 16), tiles = (double)tiles_of_block(&f, c);
    double used = (double)(c->value[ROWS] * tiles_along(&f, 1));
    double panels = (double)hg_ceil_div(panels_of(&f), c->value[SHARES]);
    double block =
        tiles * POINTS * 2 * deep * PANEL * panels / (0.9 * core) + used * (16e3 * deep / 16 + 20e3 * panels) / core;
    if (weights_elements(&f) > 256 << 10) block += 4 * POINTS * deep * PANEL * panels / far;
    if (slice_elements(&f, c) > 384 << 10) block += 4 * POINTS * deep * tiles * (panels + 1) / far;
    int64_t blocks = hg_ceil_div(rows_of(&f), c->value[ROWS]), items = c->value[SLICES] * c->value[SHARES];
    double turns = (double)(hg_ceil_div(items, (int64_t)units) * hg_ceil_div(blocks, c->value[SLICES]));
    double weights = (double)weights_elements(&f) * (4 / hg_conv_bandwidth(dev) + 50 / core / units);
    return turns * block + weights + 3e-5;
}

/* The best cut into blocks that keeps to the workspace; if none does, the smallest. */
static int winograd_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    hg_conv_problem f = as_forward(p);
    int64_t rows = rows_of(&f), units = dev->info.units ? dev->info.units : 1, across = tiles_along(&f, 1);
    double least = 0;
    (void)max;
    configs[0] = (hg_conv_config){{1, 1, 1}};
    for (int64_t r = 1; r <= rows && (r == 1 || r * across <= MOST_TILES); r++) {
        for (int64_t shares = 1; shares <= panels_of(&f) && shares <= 8 * units; shares *= 2) {
            int64_t blocks = hg_ceil_div(rows, r), slices = hg_min_i64(blocks, hg_ceil_div(8 * units, shares));
            slices = hg_ceil_div(blocks, hg_ceil_div(blocks, slices));
            hg_conv_config c = {{(int32_t)r, (int32_t)slices, (int32_t)shares}};
            double seconds = winograd_cost(p, &c, dev);
            if (winograd_workspace(p, &c) > (uint64_t)p->workspace_limit || (least > 0 && seconds >= least)) continue;
            configs[0] = c;
            least = seconds;
        }
    }
    return 1;
}

/* ---- running ---- */

static hg_status winograd_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    const hg_conv_config *c = &plan->config;
    const hg_conv_problem f = as_forward(p);
    bool data = p->direction == HG_CONV_BACKWARD_DATA, wide = hg_conv_wide(p) || plan->workspace / 4 > INT_MAX / 2;
    const hg_tensor *x = data ? b->output : b->input, *y = data ? b->input : b->output, *w = b->weight;
    const hg_tensor *bias = f.epilogue & HG_CONV_BIAS ? b->bias : x,
                    *residual = f.epilogue & HG_CONV_RESIDUAL ? b->residual : x;
    const char *options = wide ? "-DHG_WIDE=1" : "";
    hg_arg g[3], cut = {.size = sizeof(cl_long8)};
    HG_TRY(hg_launch(dev, &hg_source_winograd, options, "winograd_weights",
                     hg_range_items(dev, panels_of(&f) * 2, hg_ceil_div(f.channels, 16), 1, 1),
                     HG_ARGS(HG_ARG_I64(f.outputs), HG_ARG_I64(f.channels), HG_ARG_I64(data ? 9 : f.channels * 9),
                             HG_ARG_I64(data ? f.outputs * 9 : 9), HG_ARG_I32(data), HG_ARG_TENSOR(w),
                             HG_ARG_MEM(b->workspace))));
    hg_conv_geometry(&f, g);
    cut.value.i64x8 =
        (cl_long8){{tiles_along(&f, 1), tiles_along(&f, 0), c->value[ROWS], tiles_of_block(&f, c),
                    slice_elements(&f, c), weights_elements(&f), hg_ceil_div(panels_of(&f), c->value[SHARES]), 0}};
    return hg_launch(dev, &hg_source_winograd, options, "winograd_fwd",
                     hg_range_items(dev, c->value[SLICES], c->value[SHARES], 1, 1),
                     HG_ARGS(g[0], g[1], g[2], cut, HG_ARG_TENSOR(x), HG_ARG_MEM(b->workspace),
                             HG_ARG_MEM(b->workspace), HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y),
                             HG_ARG_I32(f.epilogue)));
}

const hg_conv_solver hg_conv_winograd = {
    .name = "winograd-f4x4",
    .applicable = winograd_applicable,
    .configs = winograd_configs,
    .workspace = winograd_workspace,
    .cost = winograd_cost,
    .run = winograd_run,
};
