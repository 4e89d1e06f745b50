/* implicit-gemm: the matrix product of im2col-gemm without the columns in memory, on CPUs; kernels/implicit_gemm.cl.
 *
 * The packed weight is panels of outputs (backward-data: of channels). Workspace: a slice for each work-item, as many
 * as there are cores where slices are large, since each stays in the cache of its core; in backward-weights then the
 * weight's gradient by each slice of the batch, if there are several. */
#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "conv/solver.h"

enum { MOST_PHASES = 15 }; /* a layout has four bits for each */
/* Of a configuration: rows and columns of a block, slices of the blocks, shares of the panels or channels. */
enum { ROWS, COLUMNS, SLICES, SHARES };

/* What stays in the cache of a CPU's core, bytes: the blocks of a slice, and of the images of a unit; and the most
 * pixels of a sum. */
static const int64_t NEAR = 768 << 10, MOST_PIXELS = 4096, UNIT = 1 << 20;

/* One dimension: kernels/implicit_gemm.cl's axis. */
typedef struct axis {
    int64_t out, in, block, staged, step, origin, advance, kernel, phases, scale, shift, reach;
    bool mirrored;
} axis;

/* How a problem is cut. */
typedef struct cut {
    axis axis[3];
    int64_t channels, outputs;     /* of a group: what sums run over, what panels hold */
    int64_t vectors, panels, rows; /* of a panel; R */
    int64_t plane, pixels, blocks; /* of a block: staged elements of a channel, outputs; blocks of an image */
    int64_t phases, tile, images;  /* tile: MR of the kernels; images: of a unit */
} cut;

/* ---- how it is cut ---- */

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static axis forward_axis(const hg_conv_problem *p, int d, int64_t block)
{
    bool narrow = p->kernel[d] == 1;
    int64_t step = narrow ? p->stride[d] : greatest_divisor(p->stride[d], p->dilation[d]);
    axis a = {.out = hg_conv_output(p, d), .in = p->size[d], .step = step, .kernel = p->kernel[d], .phases = 1};
    a.block = hg_min_i64(block, a.out);
    a.scale = p->stride[d] / step;
    a.reach = narrow ? 0 : p->dilation[d] / step;
    a.staged = (a.block - 1) * a.scale + (a.kernel - 1) * a.reach + 1;
    a.origin = -p->begin[d];
    a.advance = a.block * p->stride[d];
    return a;
}

static axis backward_axis(const hg_conv_problem *p, int d, int64_t block)
{
    int64_t stride = p->stride[d], begin = p->begin[d], reach = (p->kernel[d] - 1) * p->dilation[d] / stride;
    axis a = {.out = p->size[d], .in = hg_conv_output(p, d), .step = 1, .kernel = p->kernel[d], .phases = stride};
    a.block = hg_min_i64(hg_round_up(block, stride), hg_round_up(a.out, stride));
    a.scale = 1;
    a.shift = begin % stride;
    a.reach = p->dilation[d];
    a.mirrored = true;
    a.staged = (a.block - 1 + a.shift) / stride + reach + 1;
    a.origin = begin / stride - reach;
    a.advance = a.block / stride;
    return a;
}

/* Vectors of a panel. Panels of 64 outputs are the fastest, but compute 32 or 64 of the last one. */
static int64_t vectors_of(int64_t outputs)
{
    if (outputs <= 16) return 1;
    int64_t rest = outputs % 64, four = outputs - rest + (rest > 32 ? 64 : rest > 0 ? 32 : 0);
    return outputs > 32 && four * 9 <= hg_round_up(outputs, 16) * 10 ? 4 : 2;
}

/* Blocks are as deep as they must be: one output, or one of each phase. */
static cut cut_of(const hg_conv_problem *p, const hg_conv_config *c)
{
    const bool backward = p->direction == HG_CONV_BACKWARD_DATA;
    const axis none = {1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, false};
    cut k = {.axis = {none, none, none}, .blocks = 1, .plane = 1, .pixels = 1, .phases = 1};
    for (int d = 0; d < p->rank; d++) {
        int at = 3 - p->rank + d;
        int64_t block = at == 2 ? c->value[COLUMNS] : at == 1 ? c->value[ROWS] : 1;
        axis a = backward ? backward_axis(p, d, block) : forward_axis(p, d, block);
        k.axis[at] = a;
        k.blocks *= hg_ceil_div(a.out, a.block);
        k.plane *= a.staged;
        k.pixels *= hg_min_i64(a.block, a.out);
        k.phases *= a.phases;
    }
    k.plane = hg_round_up(k.plane, 16);
    if (k.plane % 64 == 0) k.plane += 16; /* planes a power of two apart share sets of the cache */
    k.channels = (backward ? p->outputs : p->channels) / p->groups;
    k.outputs = (backward ? p->channels : p->outputs) / p->groups;
    k.vectors = p->dtype == HG_F64 ? 1 : vectors_of(k.outputs);
    k.panels = hg_ceil_div(k.outputs, 16 * k.vectors);
    k.rows = k.channels * hg_conv_kernel_area(p);
    k.tile = k.vectors == 4 ? 6 : 8;
    k.images = 1;
    if (k.blocks == 1 && p->direction != HG_CONV_BACKWARD_WEIGHTS) { /* whole images: several read the weight once */
        int64_t most = hg_min_i64(UNIT / (4 * k.channels * k.plane), MOST_PIXELS / k.pixels);
        most = hg_max_i64(1, hg_min_i64(most, hg_ceil_div(p->batch, hg_ceil_div(c->value[SLICES], p->groups))));
        k.images = hg_ceil_div(p->batch, hg_ceil_div(p->batch, most));
    }
    return k;
}

/* Units of work, of forward and backward-data. */
static int64_t units_of(const hg_conv_problem *p, const cut *k)
{
    return hg_ceil_div(p->batch, k->images) * p->groups * k->blocks;
}

/* Of backward-weights: the most channels of a share; the blocks of a slice; how many of them are staged at once. */
static int64_t channels_of_share(const cut *k, const hg_conv_config *c)
{
    return hg_ceil_div(k->channels, c->value[SHARES]);
}

static int64_t blocks_of_slice(const hg_conv_problem *p, const cut *k, const hg_conv_config *c)
{
    return hg_ceil_div(p->batch * k->blocks, c->value[SLICES]);
}

static int64_t together(const hg_conv_problem *p, const cut *k, const hg_conv_config *c)
{
    int64_t most = hg_min_i64(NEAR / (4 * channels_of_share(k, c) * k->plane), MOST_PIXELS / k->pixels);
    return hg_max_i64(1, hg_min_i64(most, blocks_of_slice(p, k, c)));
}

/* The parts of a slice as the kernels take them, element offsets; the last is its size, which is returned. */
static int64_t parts_of(const hg_conv_problem *p, const hg_conv_config *c, const cut *k, cl_long8 *parts)
{
    const int64_t width = 16 * k->vectors;
    int64_t size[7], at = 0;
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) {
        int64_t many = together(p, k, c), channels = channels_of_share(k, c);
        int64_t rows = channels * hg_conv_kernel_area(p), sums = blocks_of_slice(p, k, c) > many ? k->panels : 1;
        const int64_t sizes[7] = {many * channels * k->plane + 16, (many * k->pixels + 16) * width,
                                  (sums * rows + 16) * width,      rows,
                                  many * k->pixels,                width,
                                  0};
        for (int i = 0; i < 7; i++) size[i] = sizes[i];
    } else {
        const int64_t pixels = k->images * k->pixels;
        const int64_t blocks = k->images * k->channels * k->plane;
        const int64_t sizes[7] = {blocks + 16, (pixels + 16) * width, width, k->rows, pixels, pixels, 2 * k->phases};
        for (int i = 0; i < 7; i++) size[i] = sizes[i];
    }
    for (int i = 0; i < 7; i++) {
        parts->s[i] = at;
        at += hg_round_up(size[i], 16);
    }
    parts->s[6] = p->direction == HG_CONV_BACKWARD_WEIGHTS ? at : parts->s[6];
    parts->s[7] = at;
    return at;
}

static int64_t slice_elements(const hg_conv_problem *p, const hg_conv_config *c)
{
    cut k = cut_of(p, c);
    cl_long8 parts;
    return parts_of(p, c, &k, &parts);
}

/* Of backward-weights: where the gradients by slices begin. */
static int64_t sums_offset(const hg_conv_problem *p, const hg_conv_config *c)
{
    return slice_elements(p, c) * c->value[SLICES] * c->value[SHARES] * p->groups;
}

static size_t element_of(const hg_conv_problem *p)
{
    return p->dtype == HG_F64 ? 8 : 4;
}

static size_t implicit_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    if (p->direction != HG_CONV_BACKWARD_WEIGHTS)
        return (size_t)(slice_elements(p, c) * c->value[SLICES] * c->value[SHARES]) * element_of(p);
    int64_t sums = c->value[SLICES] > 1 ? c->value[SLICES] * hg_conv_weight_numel(p) : 0;
    return (size_t)(sums_offset(p, c) + sums) * element_of(p);
}

static size_t implicit_packed(const hg_conv_problem *p, const hg_conv_config *c)
{
    cut k = cut_of(p, c);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) return 0;
    return (size_t)(p->groups * k.panels * k.rows * 16 * k.vectors) * element_of(p);
}

static bool implicit_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    if (!hg_is_cpu(dev)) {
        snprintf(why, HG_WHY, "only for CPUs");
        return false;
    }
    for (int d = 0; d < p->rank && p->direction == HG_CONV_BACKWARD_DATA; d++) {
        if (p->stride[d] <= MOST_PHASES) continue;
        snprintf(why, HG_WHY, "stride %lld", (long long)p->stride[d]);
        return false;
    }
    cut k = cut_of(p, &(hg_conv_config){{1, 1, 1, 1}});
    if (k.plane < INT_MAX / 4 / k.channels && k.rows < INT_MAX / 4) return true;
    snprintf(why, HG_WHY, "blocks of %lld channels, %lld elements each, are too large", (long long)k.channels,
             (long long)k.plane);
    return false;
}

/* ---- what it costs ---- */

/* Cycles of a core to stage the mean block's `channels`, and to transpose so many rows of a panel. */
static double stage_cycles(const cut *k, int64_t channels)
{
    const axis *h = &k->axis[1], *w = &k->axis[2];
    if (w->step == 1 && h->step == 1 && w->staged == w->in && w->origin == 0) /* rows are copied as one */
        return (double)(channels * k->axis[0].staged) * ((double)hg_ceil_div(h->staged * w->staged, 16) * 2 + 15);
    double vectors = (double)hg_ceil_div(w->staged, 16) * (w->step == 1 ? 2 : w->step == 2 ? 4 : 40);
    return (double)(channels * k->axis[0].staged * k->axis[1].staged) * (vectors + 10);
}

static double transpose_cycles(const cut *k, double rows)
{
    return (double)k->vectors * (rows / 16 + 0.5) * 75;
}

/* Of a pixel and a row of a panel. */
static double cycles_of(const cut *k)
{
    return k->vectors == 4 ? 1.47 : k->vectors == 2 ? 0.77 : 0.58;
}

/* Of a panel, for a unit of `pixels` in the mean: each phase has its share of them and of the rows. Tiles are cut from
 * whole blocks, of which the last ones of an image may lack some. */
static double product_cycles(const cut *k, double pixels)
{
    double whole = (double)(k->images * k->pixels) / (double)k->phases, tile = (double)k->tile;
    double tiles = ceil(whole / tile) * (0.5 + 0.5 * pixels / (double)(k->images * k->pixels)) * (double)k->phases;
    return tiles * ((double)k->rows / (double)k->phases * cycles_of(k) * tile + 45);
}

static double implicit_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    cut k = cut_of(p, c);
    const bool weights = p->direction == HG_CONV_BACKWARD_WEIGHTS;
    double units = dev->info.units ? dev->info.units : 1, core = hg_conv_peak(dev, p->dtype == HG_F64) / units;
    double clock = core / 64, area = 1, blocks = (double)k.blocks, item;
    for (int d = 0; d < 3; d++) area *= (double)k.axis[d].out;
    double pixels = area / blocks;
    int64_t items = c->value[SLICES] * c->value[SHARES];
    double bytes = (double)element_of(p) * (double)(hg_conv_input_numel(p) + hg_conv_output_numel(p));
    if (weights) {
        int64_t channels = channels_of_share(&k, c), many = together(p, &k, c), n = blocks_of_slice(p, &k, c);
        double rows = (double)(channels * hg_conv_kernel_area(p)), tiles = rows / (double)k.tile + 0.45;
        double product = tiles * pixels * cycles_of(&k) * (double)k.tile;
        double turn = (double)k.panels * (transpose_cycles(&k, pixels) + product);
        item = (double)n * (stage_cycles(&k, channels) + turn + 3 * pixels) +
               (double)(k.panels * hg_ceil_div(n, many)) * tiles * 120 +
               (double)k.panels * transpose_cycles(&k, rows);
        items *= p->groups;
        if (c->value[SLICES] > 1) bytes += (double)((c->value[SLICES] + 1) * hg_conv_weight_numel(p)) * 4;
    } else {
        double panels = (double)hg_ceil_div(k.panels, c->value[SHARES]), far = 0;
        double weight = (double)implicit_packed(p, c) / (double)p->groups;
        if (weight > 1 << 20) far = weight / (double)c->value[SHARES] * 0.06; /* cycles: each block reads it anew */
        double images = (double)k.images;
        double turn = panels * (product_cycles(&k, images * pixels) + transpose_cycles(&k, images * pixels));
        item = (double)hg_ceil_div(units_of(p, &k), c->value[SLICES]) *
                   (images * stage_cycles(&k, k.channels) + far + turn) +
               3 * (double)k.rows + 5 * (double)k.pixels;
        bytes += 3 * (double)implicit_packed(p, c);
    }
    int64_t slice = slice_elements(p, c) * (int64_t)element_of(p);
    item *= slice > 2 * NEAR ? 1.3 : slice > NEAR ? 1.05 : 1;
    return item * (double)hg_ceil_div(items, (int64_t)units) / clock + 0.5 * bytes / hg_conv_bandwidth(dev) + 3e-5;
}

/* ---- configurations ---- */

/* Keeps the cheaper one that keeps to the workspace; without any, the smaller one. */
static void prefer(const hg_conv_problem *p, const hg_device *dev, hg_conv_config c, hg_conv_config *best,
                   double *least)
{
    bool fits = implicit_workspace(p, &c) + implicit_packed(p, &c) <= (uint64_t)p->workspace_limit;
    double seconds = fits ? implicit_cost(p, &c, dev) : 0;
    if (!fits && (*least > 0 || implicit_workspace(p, &c) >= implicit_workspace(p, best))) return;
    if (fits && *least > 0 && seconds >= *least) return;
    *best = c;
    if (fits) *least = seconds;
}

/* All ways to share what blocks of a size give. */
static void prefer_shares(const hg_conv_problem *p, const hg_device *dev, hg_conv_config c, hg_conv_config *best,
                          double *least)
{
    const bool weights = p->direction == HG_CONV_BACKWARD_WEIGHTS;
    cut k = cut_of(p, &c);
    int64_t blocks = p->batch * k.blocks * (weights ? 1 : p->groups), units = dev->info.units ? dev->info.units : 1;
    int64_t most = 8 * units, parts = weights ? k.channels : k.panels;
    /* A slice for each core, or small ones for more work-items, which a core that is late can leave to the others. */
    for (; most > units; most /= 2) {
        c.value[SLICES] = (int32_t)hg_min_i64(blocks, most);
        if (slice_elements(p, &c) * (int64_t)element_of(p) * most <= UNIT * units) break;
    }
    c.value[SLICES] = (int32_t)hg_min_i64(blocks, units);
    if (cut_of(p, &c).images > 1) most = units;
    for (int64_t shares = 1; shares <= hg_min_i64(parts, most); shares *= 2) {
        for (int64_t slices = hg_min_i64(blocks, hg_ceil_div(most, shares)); slices > 0;
             slices = slices == 1 ? 0 : weights ? slices / 2 : 1) {
            c.value[SLICES] = (int32_t)hg_ceil_div(blocks, hg_ceil_div(blocks, slices));
            c.value[SHARES] = (int32_t)shares;
            prefer(p, dev, c, best, least);
        }
    }
}

static int implicit_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    (void)max;
    const cut k = cut_of(p, &(hg_conv_config){{1, 1, 1, 1}});
    const axis *h = &k.axis[1], *w = &k.axis[2];
    double least = 0;
    int32_t layout = 0; /* what the order of the packed weight depends on besides its shape */
    for (int d = 0; d < 3; d++)
        layout = layout << 8 | (int32_t)(k.axis[d].phases << 4 | k.axis[d].reach % k.axis[d].phases);
    configs[0] = (hg_conv_config){{1, 1, 1, 1}, layout};
    for (int64_t across = 1, columns = w->out; across == 1 || columns > w->phases; across *= 2) {
        columns = hg_round_up(hg_ceil_div(w->out, across), w->phases);
        for (int64_t down = 1, rows = 0, before = 0; down <= h->out; down++, before = rows) {
            rows = hg_round_up(hg_ceil_div(h->out, down), h->phases);
            if (rows == before) continue;
            hg_conv_config c = {{(int32_t)rows, (int32_t)columns, 1, 1}, layout};
            prefer_shares(p, dev, c, &configs[0], &least);
        }
    }
    return 1;
}

/* ---- running ---- */

/* What all launches of a run share. */
typedef struct job {
    hg_device *dev;
    const hg_conv_plan *plan;
    const hg_conv_buffers *b;
    cut k;
    hg_arg axes[6], shape, parts;
    char options[64];
} job;

#define JOB_AXES(j) (j)->axes[0], (j)->axes[1], (j)->axes[2], (j)->axes[3], (j)->axes[4], (j)->axes[5]

static hg_arg arg8(cl_long8 v)
{
    return (hg_arg){.size = sizeof v, .value.i64x8 = v};
}

static job job_of(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    job j = {.dev = dev, .plan = plan, .b = b, .k = cut_of(p, &plan->config)};
    for (int d = 0; d < 3; d++) {
        const axis *a = &j.k.axis[d];
        j.axes[2 * d] =
            arg8((cl_long8){{a->out, a->in, a->block, a->staged, a->step, a->origin, a->advance, a->kernel}});
        j.axes[2 * d + 1] = arg8((cl_long8){{a->phases, a->scale, a->shift, a->reach, a->mirrored}});
    }
    cl_long8 parts = {{0}};
    parts_of(p, &plan->config, &j.k, &parts);
    j.parts = arg8(parts);
    j.shape = arg8((cl_long8){{p->batch, p->groups, j.k.channels, j.k.outputs, j.k.plane, j.k.images}});
    bool wide = hg_conv_wide(p) || (plan->workspace + plan->packed) / element_of(p) > INT_MAX / 2;
    snprintf(j.options, sizeof j.options, "-DNV=%d -DMR=%d %s%s", (int)j.k.vectors, (int)j.k.tile,
             hg_real_options((hg_dtype)p->dtype), wide ? " -DHG_WIDE=1" : "");
    return j;
}

static hg_status implicit_prepare(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    job j = job_of(dev, plan, b);
    int64_t area = hg_conv_kernel_area(p), so = j.k.rows, sc = area;
    if (p->direction == HG_CONV_BACKWARD_DATA) {
        so = area;
        sc = j.k.outputs * area;
    }
    return hg_launch(dev, &hg_source_implicit_gemm, j.options, "pack_weight",
                     hg_range_items(dev, p->groups * j.k.panels, hg_ceil_div(j.k.channels, 16), 1, 1),
                     HG_ARGS(JOB_AXES(&j), j.shape, HG_ARG_I64(so), HG_ARG_I64(sc), HG_ARG_TENSOR(b->weight),
                             HG_ARG_MEM(b->packed)));
}

static hg_status run_blocks(const job *j, const hg_tensor *x, const hg_tensor *y)
{
    const hg_conv_problem *p = &j->plan->problem;
    const hg_conv_config *c = &j->plan->config;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? j->b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? j->b->residual : x;
    return hg_launch(j->dev, &hg_source_implicit_gemm, j->options, "conv_blocks",
                     hg_range_items(j->dev, c->value[SLICES], c->value[SHARES], 1, 1),
                     HG_ARGS(JOB_AXES(j), j->shape, j->parts, HG_ARG_TENSOR(x), HG_ARG_MEM(j->b->packed),
                             HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_I32(p->epilogue)));
}

static hg_status run_weights(const job *j)
{
    const hg_conv_problem *p = &j->plan->problem;
    const hg_conv_config *c = &j->plan->config;
    const hg_tensor *dw = j->b->weight;
    int64_t slices = c->value[SLICES], n = hg_conv_weight_numel(p), sums = sums_offset(p, c);
    HG_TRY(hg_launch(j->dev, &hg_source_implicit_gemm, j->options, "conv_weights",
                     hg_range_items(j->dev, slices, c->value[SHARES], p->groups, 1),
                     HG_ARGS(JOB_AXES(j), j->shape, j->parts, HG_ARG_I64(together(p, &j->k, c)),
                             HG_ARG_TENSOR(j->b->input), HG_ARG_TENSOR(j->b->output),
                             HG_ARG_MEM(slices > 1 ? j->b->workspace : dw->storage->mem),
                             HG_ARG_I64(slices > 1 ? sums : dw->offset), HG_ARG_I64(n), HG_ARG_MEM(j->b->workspace))));
    if (slices == 1) return HG_OK;
    return hg_launch(j->dev, &hg_source_implicit_gemm, j->options, "sum_slices", hg_range_elements(j->dev, n),
                     HG_ARGS(HG_ARG_I64(n), HG_ARG_I64(slices), HG_ARG_MEM(j->b->workspace), HG_ARG_I64(sums),
                             HG_ARG_TENSOR(dw)));
}

static hg_status implicit_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    job j = job_of(dev, plan, b);
    switch (plan->problem.direction) {
    case HG_CONV_FORWARD:
        return run_blocks(&j, b->input, b->output);
    case HG_CONV_BACKWARD_DATA:
        return run_blocks(&j, b->output, b->input);
    default:
        return run_weights(&j);
    }
}

const hg_conv_solver hg_conv_implicit_gemm = {
    .name = "implicit-gemm",
    .applicable = implicit_applicable,
    .configs = implicit_configs,
    .workspace = implicit_workspace,
    .packed = implicit_packed,
    .prepare = implicit_prepare,
    .cost = implicit_cost,
    .run = implicit_run,
};
