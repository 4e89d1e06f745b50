/* lines: pixels in vectors, for few outputs or short sums, on CPUs; kernels/conv_lines.cl.
 *
 * The packed weight is panels of four or six outputs (backward-data, of stride 1: of channels). Workspace: a slice for
 * each work-item. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "conv/solver.h"

/* Of a configuration: output rows of a block, slices of the blocks, shares of the panels. */
enum { ROWS, SLICES, SHARES };

/* Bytes of a slice that stay in the cache of a core. */
static const int64_t NEAR = 512 << 10;

/* How a problem is cut. */
typedef struct cut {
    hg_conv_problem f;        /* backward-data as the forward convolution that it is; its padding may be negative */
    int64_t outputs, depth;   /* of a group; of a sum */
    int64_t panel, panels;    /* MO of the kernels; panels of a group */
    int64_t strips;           /* blocks of a plane of the output */
    int64_t lines, pitch;     /* staged: of all channels, elements each */
    int64_t length, width;    /* of a block in the line; of an output row */
    int64_t units;            /* blocks of all images and groups */
} cut;

/* Remainders by the stride that a dimension's taps have; rows or columns that `n` outputs take of each. */
static int64_t remainders(const hg_conv_problem *f, int d)
{
    return f->kernel[d] == 1 ? 1 : f->stride[d];
}

static int64_t reach_of(const hg_conv_problem *f, int d, int64_t n)
{
    return n + (f->kernel[d] - 1) * f->dilation[d] / f->stride[d];
}

static cut cut_of(const hg_conv_problem *p, const hg_conv_config *c)
{
    cut k = {.f = hg_conv_as_forward(p)};
    const hg_conv_problem *f = &k.f;
    const int w = f->rank - 1, h = w - 1;
    const int64_t rows = f->rank > 1 ? c->value[ROWS] : 1, height = f->rank > 1 ? hg_conv_output(f, h) : 1;
    k.outputs = f->outputs / f->groups;
    k.depth = f->channels / f->groups * hg_conv_kernel_area(f);
    k.panel = hg_round_up(k.outputs, 4) < hg_round_up(k.outputs, 6) ? 4 : 6;
    k.panels = hg_ceil_div(k.outputs, k.panel);
    k.strips = hg_ceil_div(height, rows);
    k.width = hg_conv_output(f, w);
    k.pitch = reach_of(f, w, k.width);
    k.lines = f->channels / f->groups * remainders(f, w);
    if (f->rank > 1) k.lines *= remainders(f, h) * reach_of(f, h, rows);
    if (f->rank > 2) k.lines *= f->kernel[0];
    k.length = (rows - 1) * k.pitch + k.width;
    k.units = f->batch * f->groups * k.strips * (f->rank > 2 ? hg_conv_output(f, 0) : 1);
    return k;
}

/* The parts of a slice as the kernel takes them: element offsets, the slice's size, then the rows of a block and what
 * lies between the lines of two outputs. */
static cl_long8 parts_of(const cut *k, const hg_conv_config *c)
{
    const int64_t apart = hg_round_up(k->length, 16) + 16;
    const int64_t sizes[4] = {k->lines * k->pitch + 32, k->panel * apart, k->depth, k->panel};
    cl_long8 parts = {{0}};
    int64_t at = 0;
    for (int i = 0; i < 4; i++) {
        parts.s[i] = at;
        at += hg_round_up(sizes[i], 16);
    }
    parts.s[4] = at;
    parts.s[5] = c->value[ROWS];
    parts.s[6] = apart;
    return parts;
}

static int64_t slice_bytes(const cut *k, const hg_conv_config *c)
{
    return 4 * parts_of(k, c).s[4];
}

static size_t lines_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    cut k = cut_of(p, c);
    return (size_t)(slice_bytes(&k, c) * c->value[SLICES] * c->value[SHARES]);
}

static size_t lines_packed(const hg_conv_problem *p, const hg_conv_config *c)
{
    cut k = cut_of(p, c);
    return (size_t)(4 * p->groups * k.panels * k.depth * k.panel);
}

static bool lines_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    why[0] = 0;
    if (!hg_is_cpu(dev)) snprintf(why, HG_WHY, "only for CPUs");
    else if (p->dtype != HG_F32) snprintf(why, HG_WHY, "only for float32");
    else if (p->direction == HG_CONV_BACKWARD_WEIGHTS) snprintf(why, HG_WHY, "not for gradients of weights");
    for (int d = 0; d < p->rank && !why[0] && p->direction == HG_CONV_BACKWARD_DATA; d++)
        if (p->stride[d] != 1) snprintf(why, HG_WHY, "backward-data of stride %lld", (long long)p->stride[d]);
    if (why[0]) return false;
    cut k = cut_of(p, &(hg_conv_config){{1, 1, 1}});
    if (k.lines < INT_MAX / 4 / k.pitch && k.depth < INT_MAX / 4 / k.panel) return true;
    snprintf(why, HG_WHY, "blocks of %lld x %lld elements are too large", (long long)k.lines, (long long)k.pitch);
    return false;
}

/* ---- what it costs ---- */

/* Cycles of a core, nominal ones, for a block and some panels. */
static double block_cycles(const cut *k, double rows, double panels)
{
    const int64_t step = k->f.stride[k->f.rank - 1], vectors = hg_ceil_div(k->length, 16), tile = 24 / k->panel;
    const int64_t rest = vectors % tile, halves = rest / (tile / 2), ones = rest % (tile / 2);
    double line = (double)hg_ceil_div(k->pitch, 16) * (step == 1 ? 2 : step == 2 ? 4 : 40) + 12;
    /* A vector of pixels by an output and a product; a single one waits for its sums. */
    double each = (double)k->panel * (0.42 * (double)(vectors - ones) + 0.6 * (double)ones);
    double tiles = (double)(vectors / tile + halves + ones) * 45;
    double store = (double)k->panel * rows * ((double)hg_ceil_div(k->width, 16) * 3 + 8);
    return (double)k->lines * line + panels * (each * (double)k->depth + tiles + store);
}

static double lines_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    cut k = cut_of(p, c);
    double units = dev->info.units ? dev->info.units : 1, clock = hg_conv_peak(dev, false) / units / 64;
    double panels = (double)hg_ceil_div(k.panels, c->value[SHARES]);
    double bytes = 4 * (double)(hg_conv_input_numel(p) + hg_conv_output_numel(p)) + 3 * (double)lines_packed(p, c);
    double item = (double)hg_ceil_div(k.units, c->value[SLICES]) * block_cycles(&k, c->value[ROWS], panels) +
                  8 * (double)k.depth;
    int64_t slice = slice_bytes(&k, c);
    item *= slice > 2 * NEAR ? 1.5 : slice > NEAR ? 1.1 : 1;
    return item * (double)hg_ceil_div((int64_t)c->value[SLICES] * c->value[SHARES], (int64_t)units) / clock +
           0.5 * bytes / hg_conv_bandwidth(dev) + 3e-5;
}

/* ---- configurations ---- */

/* The rows and shares that cost least and keep to the workspace; if none does, the smallest. */
static int lines_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    const hg_conv_problem f = hg_conv_as_forward(p);
    const int64_t height = f.rank > 1 ? hg_conv_output(&f, f.rank - 2) : 1;
    const int64_t cores = dev->info.units ? dev->info.units : 1;
    double least = 0;
    (void)max;
    configs[0] = (hg_conv_config){{1, 1, 1}};
    for (int64_t down = 1, before = 0, rows; down <= height; down++, before = rows) {
        rows = hg_ceil_div(height, down);
        if (rows == before) continue;
        for (int64_t shares = 1; shares <= 8 * cores; shares *= 2) {
            hg_conv_config c = {{(int32_t)rows, 1, (int32_t)shares}};
            cut k = cut_of(p, &c);
            if (shares > k.panels) break;
            int64_t slices = hg_min_i64(k.units, hg_ceil_div(8 * cores, shares));
            c.value[SLICES] = (int32_t)hg_ceil_div(k.units, hg_ceil_div(k.units, slices));
            double seconds = lines_cost(p, &c, dev);
            if (lines_workspace(p, &c) + lines_packed(p, &c) > (uint64_t)p->workspace_limit) continue;
            if (least > 0 && seconds >= least) continue;
            configs[0] = c;
            least = seconds;
        }
    }
    return 1;
}

/* ---- running ---- */

static void options_of(const hg_conv_plan *plan, const cut *k, char out[32])
{
    bool wide = hg_conv_wide(&plan->problem) || (plan->workspace + plan->packed) / 4 > INT_MAX / 2;
    snprintf(out, 32, "-DMO=%d%s", (int)k->panel, wide ? " -DHG_WIDE=1" : "");
}

static hg_status lines_prepare(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    const bool mirrored = p->direction == HG_CONV_BACKWARD_DATA;
    const int64_t area = hg_conv_kernel_area(p), row = p->channels / p->groups * area;
    cut k = cut_of(p, &plan->config);
    char options[32];
    options_of(plan, &k, options);
    return hg_launch(dev, &hg_source_conv_lines, options, "lines_weight",
                     hg_range_items(dev, p->groups * k.panels, k.f.channels / p->groups, 1, 1),
                     HG_ARGS(HG_ARG_I64(k.outputs), HG_ARG_I64(area), HG_ARG_I64(mirrored ? area : row),
                             HG_ARG_I64(mirrored ? row : area), HG_ARG_I32(mirrored), HG_ARG_TENSOR(b->weight),
                             HG_ARG_MEM(b->packed)));
}

static hg_status lines_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    const hg_conv_config *c = &plan->config;
    const bool back = p->direction == HG_CONV_BACKWARD_DATA;
    const hg_tensor *x = back ? b->output : b->input, *y = back ? b->input : b->output;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? b->residual : x;
    cut k = cut_of(p, c);
    hg_arg g[3], parts = {.size = sizeof(cl_long8), .value.i64x8 = parts_of(&k, c)};
    char options[32];
    options_of(plan, &k, options);
    hg_conv_geometry(&k.f, g);
    return hg_launch(dev, &hg_source_conv_lines, options, "conv_lines",
                     hg_range_items(dev, c->value[SLICES], c->value[SHARES], 1, 1),
                     HG_ARGS(g[0], g[1], g[2], parts, HG_ARG_TENSOR(x), HG_ARG_MEM(b->packed), HG_ARG_TENSOR(bias),
                             HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y), HG_ARG_MEM(b->workspace),
                             HG_ARG_I32(p->epilogue)));
}

const hg_conv_solver hg_conv_lines = {
    .name = "lines",
    .applicable = lines_applicable,
    .configs = lines_configs,
    .workspace = lines_workspace,
    .packed = lines_packed,
    .prepare = lines_prepare,
    .cost = lines_cost,
    .run = lines_run,
};
