/* winograd-f4x4: 3 x 3 convolutions of stride 1 in tiles of 4 x 4 outputs, with 36 products where the definition has
 * 144; kernels/winograd.cl. Backward-data is the forward convolution of the output's gradient by the mirrored weight.
 *
 * Not a number, or an infinity, in a tile's patch spreads over the tile.
 *
 * The packed weight is its transform. Workspace of forward and backward-data: a slice for each work-item. Of
 * backward-weights: the gradient's points, a chunk of the transformed input and output's gradient, then a slice for
 * each work-item.
 *
 * On GPUs (kernels/winograd_gpu.cl) the products are a batch of 36, a chunk of rows of tiles at a time; workspace: the
 * chunk's input and output in points, after the gradient's points in backward-weights. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "blas/gemm.h"
#include "conv/solver.h"

enum { TILE = 4, POINTS = 36, PANEL = 32, REGISTER_TILE = 8, MOST_TILES = 128, LEAST_CHANNELS = 8 };
/* Of a configuration: rows of tiles in a block or chunk, slices (0: the form for GPUs), shares of the panels. */
enum { ROWS, SLICES, SHARES };

/* Bytes of a chunk that stay in the caches of a CPU. */
static const int64_t CHUNK = 16 << 20;

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
    if (hg_is_cpu(dev) && dev->quirks & HG_QUIRK_SLOW_LONG_KERNELS)
        snprintf(why, HG_WHY, "%.40s would compile it for minutes", dev->info.name);
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

/* Of a chunk of backward-weights: transforms of the input and of the output's gradient, in order; a work-item's bands.
 */
static int64_t input_elements(const hg_conv_problem *p, int64_t rows)
{
    return POINTS * (rows * tiles_along(p, 1) * hg_round_up(p->channels, 16) + 16);
}

static int64_t gradient_elements(const hg_conv_problem *p, int64_t rows)
{
    return POINTS * (rows * tiles_along(p, 1) * hg_round_up(p->outputs, PANEL) + 16);
}

static int64_t bands_elements(const hg_conv_problem *p)
{
    return 10 * 16 * (4 * tiles_along(p, 1) + 2);
}

/* The weight's points are panels of outputs on CPUs, a plain matrix each on GPUs. */
static size_t winograd_packed(const hg_conv_problem *p, const hg_conv_config *c)
{
    hg_conv_problem f = as_forward(p);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) return 0;
    return 4 * (size_t)(c->value[SLICES] ? weights_elements(&f) : POINTS * f.outputs * f.channels);
}

static size_t winograd_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    hg_conv_problem f = as_forward(p);
    if (!c->value[SLICES]) {
        int64_t tiles = c->value[ROWS] * tiles_along(&f, 1);
        int64_t gradient = p->direction == HG_CONV_BACKWARD_WEIGHTS ? f.outputs * f.channels : 0;
        return 4 * (size_t)(POINTS * (gradient + (f.outputs + f.channels) * tiles));
    }
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS)
        return 4 * (size_t)(weights_elements(p) + input_elements(p, c->value[ROWS]) +
                            gradient_elements(p, c->value[ROWS]) + bands_elements(p) * c->value[SLICES]);
    return 4 * (size_t)(slice_elements(&f, c) * c->value[SLICES] * c->value[SHARES]);
}

static bool fits(const hg_conv_problem *p, const hg_conv_config *c)
{
    return winograd_workspace(p, c) + winograd_packed(p, c) <= (uint64_t)p->workspace_limit;
}

static double weights_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    double peak = hg_conv_peak(dev, false), deep = (double)hg_round_up(p->channels, 16);
    double wide = (double)hg_round_up(p->outputs, PANEL), tiles = (double)(rows_of(p) * tiles_along(p, 1));
    double chunks = (double)hg_ceil_div(rows_of(p), c->value[ROWS]);
    double far = 4 * (POINTS * tiles * (deep + wide) + (2 * chunks + 1) * (double)weights_elements(p));
    return (tiles * (POINTS * 2 * deep * wide / 0.8 + 28e3 * (deep + wide) / 16) + 25 * deep * wide * 9) / peak +
           far / (3 * hg_conv_bandwidth(dev)) + 4e-5 * chunks + 2e-5;
}

/* As im2col-gemm's: what the product leaves of the peak, and points that go through memory twice. */
static double gpu_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    hg_conv_problem f = as_forward(p);
    double tiles = (double)(rows_of(&f) * tiles_along(&f, 1)), deep = (double)f.channels, wide = (double)f.outputs;
    double chunks = (double)hg_ceil_div(rows_of(&f), c->value[ROWS]);
    return POINTS * 2 * tiles * deep * wide / (0.5 * hg_conv_peak(dev, false)) +
           4 * POINTS * (2 * tiles * (deep + wide) + deep * wide) / hg_conv_bandwidth(dev) + 6e-5 * (chunks + 1);
}

/* Seconds. Products run at the peak if their operands are near; transforms cost, for 16 channels of a tile, as much as
 * so many operations. */
static double winograd_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    if (!c->value[SLICES]) return gpu_cost(p, c, dev);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) return weights_cost(p, c, dev);
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
    double weights = (double)weights_elements(&f) * (3 / hg_conv_bandwidth(dev) + 25 / core / units);
    return turns * block + weights + 3e-5;
}

/* Chunks of one size, as far as possible, that stay in the caches and keep to the workspace. */
static hg_conv_config weights_config(const hg_conv_problem *p, const hg_device *dev)
{
    int64_t rows = rows_of(p), one = 4 * (input_elements(p, 1) + gradient_elements(p, 1));
    int64_t slices = 8 * (int64_t)(dev->info.units ? dev->info.units : 1), most = hg_max_i64(1, CHUNK / one);
    hg_conv_config c = {{1, (int32_t)slices, 1}};
    for (int64_t chunks = hg_ceil_div(rows, most); c.value[ROWS] == 1 && chunks < rows; chunks *= 2) {
        hg_conv_config larger = {{(int32_t)hg_ceil_div(rows, chunks), (int32_t)slices, 1}};
        if (fits(p, &larger)) c = larger;
    }
    if (!fits(p, &c)) c.value[SLICES] = 1;
    return c;
}

/* The fewest chunks that keep to the workspace. */
static hg_conv_config gpu_config(const hg_conv_problem *p)
{
    hg_conv_problem f = as_forward(p);
    int64_t rows = rows_of(&f), most = hg_max_i64(1, INT_MAX / 64 / tiles_along(&f, 1));
    hg_conv_config c = {{1, 0, 1}};
    for (int64_t chunks = hg_ceil_div(rows, most); c.value[ROWS] == 1 && chunks < rows; chunks *= 2) {
        hg_conv_config larger = {{(int32_t)hg_ceil_div(rows, chunks), 0, 1}};
        if (fits(p, &larger)) c = larger;
    }
    return c;
}

/* The best cut into blocks that keeps to the workspace; if none does, the smallest. */
static int winograd_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    hg_conv_problem f = as_forward(p);
    int64_t rows = rows_of(&f), units = dev->info.units ? dev->info.units : 1, across = tiles_along(&f, 1);
    double least = 0;
    (void)max;
    configs[0] = (hg_conv_config){{1, 1, 1}};
    if (!hg_is_cpu(dev) || p->direction == HG_CONV_BACKWARD_WEIGHTS) {
        configs[0] = hg_is_cpu(dev) ? weights_config(p, dev) : gpu_config(p);
        return 1;
    }
    for (int64_t r = 1; r <= rows && (r == 1 || r * across <= MOST_TILES); r++) {
        for (int64_t shares = 1; shares <= panels_of(&f) && shares <= 8 * units; shares *= 2) {
            int64_t blocks = hg_ceil_div(rows, r), slices = hg_min_i64(blocks, hg_ceil_div(8 * units, shares));
            slices = hg_ceil_div(blocks, hg_ceil_div(blocks, slices));
            hg_conv_config c = {{(int32_t)r, (int32_t)slices, (int32_t)shares}};
            double seconds = winograd_cost(p, &c, dev);
            if (!fits(p, &c) || (least > 0 && seconds >= least)) continue;
            configs[0] = c;
            least = seconds;
        }
    }
    return 1;
}

/* ---- running ---- */

/* What all launches of a run share. */
typedef struct job {
    hg_device *dev;
    const hg_conv_problem *p; /* as_forward() */
    const hg_conv_config *c;
    const hg_conv_buffers *b;
    const char *options;
} job;

/* WINOGRAD_GEOMETRY of the kernels. */
static hg_arg cut_of(const job *j, int64_t tiles, int64_t slice, int64_t at)
{
    const hg_conv_problem *p = j->p;
    return (hg_arg){.size = sizeof(cl_long8),
                    .value.i64x8 = {{tiles_along(p, 1), tiles_along(p, 0), j->c->value[ROWS], tiles, slice, at,
                                     hg_ceil_div(panels_of(p), j->c->value[SHARES]), 0}}};
}

/* The weight's transform; `mirrored`: of the weight of the backward-data problem that it stands for. */
static hg_status transform_weight(const job *j, bool mirrored)
{
    const int64_t o = j->p->outputs, c = j->p->channels;
    const bool cpu = j->c->value[SLICES];
    hg_range range =
        cpu ? hg_range_items(j->dev, panels_of(j->p) * 2, hg_ceil_div(c, 16), 1, 1) : hg_range_elements(j->dev, o * c);
    return hg_launch(j->dev, cpu ? &hg_source_winograd : &hg_source_winograd_gpu, j->options,
                     cpu ? "winograd_weights" : "gpu_weights", range,
                     HG_ARGS(HG_ARG_I64(o), HG_ARG_I64(c), HG_ARG_I64(mirrored ? 9 : c * 9),
                             HG_ARG_I64(mirrored ? o * 9 : 9), HG_ARG_I32(mirrored), HG_ARG_TENSOR(j->b->weight),
                             HG_ARG_MEM(j->b->packed)));
}

/* The forward convolution of x. */
static hg_status run_forward(const job *j, const hg_tensor *x, const hg_tensor *y)
{
    const hg_conv_problem *p = j->p;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? j->b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? j->b->residual : x;
    hg_arg g[3], cut = cut_of(j, tiles_of_block(p, j->c), slice_elements(p, j->c), 0);
    hg_conv_geometry(p, g);
    return hg_launch(j->dev, &hg_source_winograd, j->options, "winograd_fwd",
                     hg_range_items(j->dev, j->c->value[SLICES], j->c->value[SHARES], 1, 1),
                     HG_ARGS(g[0], g[1], g[2], cut, HG_ARG_TENSOR(x), HG_ARG_MEM(j->b->packed),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual),
                             HG_ARG_TENSOR(y), HG_ARG_I32(p->epilogue)));
}

static hg_status run_weights(const job *j)
{
    const hg_conv_problem *p = j->p;
    const int64_t most = j->c->value[ROWS], across = tiles_along(p, 1), rows = rows_of(p);
    const int64_t v = weights_elements(p), d = v + input_elements(p, most), at = d + gradient_elements(p, most);
    const cl_mem w = j->b->workspace;
    hg_arg g[3], cut = cut_of(j, most * across, bands_elements(p), at);
    hg_conv_geometry(p, g);
    for (int64_t row = 0; row < rows; row += most) {
        int64_t here = hg_min_i64(most, rows - row);
        HG_TRY(hg_launch(j->dev, &hg_source_winograd, j->options, "winograd_chunk",
                         hg_range_items(j->dev, j->c->value[SLICES], 1, 1, 1),
                         HG_ARGS(g[0], g[1], g[2], cut, HG_ARG_I64(row), HG_ARG_I64(here), HG_ARG_TENSOR(j->b->input),
                                 HG_ARG_TENSOR(j->b->output), HG_ARG_MEM(w), HG_ARG_I64(v), HG_ARG_I64(d))));
        HG_TRY(hg_launch(j->dev, &hg_source_winograd, j->options, "winograd_taps",
                         hg_range_items(j->dev, POINTS, panels_of(p), 1, 1),
                         HG_ARGS(HG_ARG_I64(p->channels), HG_ARG_I64(most * across), HG_ARG_I64(here * across),
                                 HG_ARG_I32(row == 0), HG_ARG_MEM(w), HG_ARG_I64(v), HG_ARG_I64(d), HG_ARG_MEM(w))));
    }
    return hg_launch(
        j->dev, &hg_source_winograd, j->options, "winograd_dw",
        hg_range_items(j->dev, hg_ceil_div(p->outputs, 16), hg_ceil_div(p->channels, 16), 1, 1),
        HG_ARGS(HG_ARG_I64(p->outputs), HG_ARG_I64(p->channels), HG_ARG_MEM(w), HG_ARG_TENSOR(j->b->weight)));
}

/* One kernel of a chunk: the transform of x, by the tiles of so many planes. */
static hg_status gpu_transform(const job *j, const char *name, int64_t planes, int64_t t0, int64_t tiles,
                               const hg_tensor *x, int64_t at)
{
    hg_arg g[3];
    hg_conv_geometry(j->p, g);
    return hg_launch(j->dev, &hg_source_winograd_gpu, j->options, name, hg_range_elements(j->dev, planes * tiles),
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(t0), HG_ARG_I64(tiles), HG_ARG_TENSOR(x),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_I64(at)));
}

static hg_status gpu_forward(const job *j, const hg_tensor *x, const hg_tensor *y)
{
    const hg_conv_problem *p = j->p;
    const int64_t o = p->outputs, c = p->channels, all = rows_of(p) * tiles_along(p, 1),
                  most = j->c->value[ROWS] * tiles_along(p, 1), m = POINTS * c * most;
    const cl_mem w = j->b->workspace;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? j->b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? j->b->residual : x;
    hg_arg g[3];
    hg_conv_geometry(p, g);
    for (int64_t t = 0, tiles; t < all; t += tiles) {
        tiles = hg_min_i64(most, all - t);
        HG_TRY(gpu_transform(j, "gpu_input", c, t, tiles, x, 0));
        hg_gemm_problem q = {.m = o, .n = tiles, .k = c, .batch = POINTS, .alpha = 1};
        q.a = (hg_matrix){j->b->packed, 0, c, o * c};
        q.b = (hg_matrix){w, 0, tiles, c * tiles};
        q.c = (hg_matrix){w, m, tiles, o * tiles};
        HG_TRY(hg_gemm(j->dev, &q));
        HG_TRY(hg_launch(
            j->dev, &hg_source_winograd_gpu, j->options, "gpu_output", hg_range_elements(j->dev, o * tiles),
            HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(t), HG_ARG_I64(tiles), HG_ARG_MEM(w), HG_ARG_I64(m),
                    HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y), HG_ARG_I32(p->epilogue))));
    }
    return HG_OK;
}

static hg_status gpu_weights(const job *j)
{
    const hg_conv_problem *p = j->p;
    const int64_t o = p->outputs, c = p->channels, all = rows_of(p) * tiles_along(p, 1),
                  most = j->c->value[ROWS] * tiles_along(p, 1), v = POINTS * o * c, d = v + POINTS * c * most;
    const cl_mem w = j->b->workspace;
    for (int64_t t = 0, tiles; t < all; t += tiles) {
        tiles = hg_min_i64(most, all - t);
        HG_TRY(gpu_transform(j, "gpu_input", c, t, tiles, j->b->input, v));
        HG_TRY(gpu_transform(j, "gpu_gradient", o, t, tiles, j->b->output, d));
        hg_gemm_problem q = {.trans_b = true, .m = o, .n = c, .k = tiles, .batch = POINTS, .alpha = 1, .beta = t > 0};
        q.a = (hg_matrix){w, d, tiles, o * tiles};
        q.b = (hg_matrix){w, v, tiles, c * tiles};
        q.c = (hg_matrix){w, 0, c, o * c};
        HG_TRY(hg_gemm(j->dev, &q));
    }
    return hg_launch(j->dev, &hg_source_winograd_gpu, j->options, "gpu_dw", hg_range_elements(j->dev, o * c),
                     HG_ARGS(HG_ARG_I64(o * c), HG_ARG_MEM(w), HG_ARG_TENSOR(j->b->weight)));
}

static job job_of(hg_device *dev, const hg_conv_plan *plan, const hg_conv_problem *f, const hg_conv_buffers *b)
{
    bool wide = hg_conv_wide(f) || (plan->workspace + plan->packed) / 4 > INT_MAX / 2;
    return (job){dev, f, &plan->config, b, wide ? "-DHG_WIDE=1" : ""};
}

static hg_status winograd_prepare(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem f = as_forward(&plan->problem);
    job j = job_of(dev, plan, &f, b);
    return transform_weight(&j, plan->problem.direction == HG_CONV_BACKWARD_DATA);
}

static hg_status winograd_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem f = as_forward(&plan->problem);
    job j = job_of(dev, plan, &f, b);
    const bool cpu = plan->config.value[SLICES];
    hg_status (*run)(const job *, const hg_tensor *, const hg_tensor *) = cpu ? run_forward : gpu_forward;
    switch (plan->problem.direction) {
    case HG_CONV_FORWARD:
        return run(&j, b->input, b->output);
    case HG_CONV_BACKWARD_DATA:
        return run(&j, b->output, b->input);
    default:
        return cpu ? run_weights(&j) : gpu_weights(&j);
    }
}

const hg_conv_solver hg_conv_winograd = {
    .name = "winograd-f4x4",
    .applicable = winograd_applicable,
    .configs = winograd_configs,
    .workspace = winograd_workspace,
    .packed = winograd_packed,
    .prepare = winograd_prepare,
    .cost = winograd_cost,
    .run = winograd_run,
};
