/* depthwise: groups of one input channel, each with one or several outputs; kernels/depthwise.cl. No columns, no
 * products: on a CPU a plane is staged with its padding, and a tap is one offset for all of its pixels; on a GPU a
 * work-item computes an element.
 *
 * Workspace on a CPU: for each work-item what it stages and the line that is computed. In backward-weights, behind it,
 * the gradient by each of the slices of the batch, unless there is but one. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "conv/solver.h"

enum { MOST_TAPS = 128, BLOCK = 64 }; /* of the kernels */
/* Of a configuration: rows of a band and work-items (CPU), images of a slice (backward-weights). */
enum { BAND, ITEMS, IMAGES };

/* Bytes of a band that stay in a core's caches. */
static const int64_t STAGED = 128 << 10;

static int64_t element_of(const hg_conv_problem *p)
{
    return p->dtype == HG_F64 ? 8 : 4;
}

static bool depthwise_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    (void)dev;
    why[0] = 0;
    if (p->groups != p->channels)
        snprintf(why, HG_WHY, "%lld channels in %lld groups, not one in each", (long long)p->channels,
                 (long long)p->groups);
    else if (hg_conv_kernel_area(p) > MOST_TAPS)
        snprintf(why, HG_WHY, "%lld taps, more than %d", (long long)hg_conv_kernel_area(p), MOST_TAPS);
    return !why[0];
}

/* ---- what a work-item stages on a CPU; elements ---- */

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Where a work-item's parts begin: scratch has what is staged, then the line or lines; `line_step` from a line to the
 * next; for backward-weights then the mask and the sums. */
typedef struct layout {
    int64_t line, line_step, mask, sums, share;
} layout;

/* Bands are along the second dimension from the end; a line of one dimension has none. */
static int band_dimension(const hg_conv_problem *p)
{
    return p->rank - 2;
}

static int64_t rows_of(const hg_conv_problem *p)
{
    int d = band_dimension(p);
    if (d < 0) return 1;
    return p->direction == HG_CONV_BACKWARD_DATA ? p->size[d] : hg_conv_output(p, d);
}

static layout layout_of(const hg_conv_problem *p, int64_t band)
{
    bool data = p->direction == HG_CONV_BACKWARD_DATA;
    int64_t staged = 1, lines = 1, phases = 1;
    for (int d = 0; d < p->rank; d++) {
        int64_t n = data ? p->size[d] : hg_conv_output(p, d), s = p->stride[d];
        if (d == band_dimension(p)) n = band;
        int64_t reach = (p->kernel[d] - 1) * p->dilation[d] / s;
        phases *= hg_min_i64(p->kernel[d], s / common_divisor(s, p->dilation[d]));
        lines *= hg_min_i64(s, n);
        staged *= data ? (n - 1) / s + reach + 3 : n + reach;
    }
    layout l = {.line_step = hg_round_up(staged + BLOCK + 16, 16)};
    l.line = data ? l.line_step : hg_round_up(staged * phases + BLOCK + 16, 16);
    l.mask = l.line + (data ? lines : 1) * l.line_step;
    l.sums = l.mask;
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) l.sums += l.line_step;
    l.share = l.sums;
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) l.share += p->outputs / p->groups * hg_conv_kernel_area(p) * 16;
    return l;
}

/* Elements of the gradients by slices, and where they begin. */
static int64_t slices_of(const hg_conv_problem *p, const hg_conv_config *c)
{
    return p->direction == HG_CONV_BACKWARD_WEIGHTS ? hg_ceil_div(p->batch, c->value[IMAGES]) : 1;
}

static int64_t scratch_of(const hg_conv_problem *p, const hg_conv_config *c)
{
    return c->value[ITEMS] ? c->value[ITEMS] * layout_of(p, c->value[BAND]).share : 0;
}

static size_t depthwise_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    int64_t slices = slices_of(p, c), parts = slices > 1 ? slices * hg_conv_weight_numel(p) : 0;
    return (size_t)((scratch_of(p, c) + parts) * element_of(p));
}

/* Slices of the batch that make enough teams or tasks of `wanted`. */
static int32_t images_of(const hg_conv_problem *p, int64_t wanted, int64_t tasks)
{
    if (p->direction != HG_CONV_BACKWARD_WEIGHTS) return (int32_t)hg_min_i64(p->batch, INT_MAX);
    int64_t slices = hg_min_i64(p->batch, hg_ceil_div(wanted, tasks));
    return (int32_t)hg_min_i64(hg_ceil_div(p->batch, slices), INT_MAX);
}

static int depthwise_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    int64_t units = dev->info.units ? dev->info.units : 1, band = hg_min_i64(rows_of(p), INT_MAX);
    hg_conv_config c = {{0}};
    (void)max;
    if (!hg_is_cpu(dev)) {
        c.value[IMAGES] = images_of(p, 8 * units, p->outputs);
        configs[0] = c;
        return 1;
    }
    while (band > 8 && layout_of(p, band).share * element_of(p) > STAGED) band = hg_ceil_div(band, 2);
    int64_t bands = hg_ceil_div(rows_of(p), band), tasks = p->batch * p->channels * bands;
    c.value[BAND] = (int32_t)hg_ceil_div(rows_of(p), bands);
    c.value[IMAGES] = images_of(p, 8 * units, p->channels);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) tasks = p->channels * slices_of(p, &c);
    c.value[ITEMS] = (int32_t)hg_min_i64(tasks, 8 * units);
    while (c.value[ITEMS] > 1 && depthwise_workspace(p, &c) > (uint64_t)p->workspace_limit) c.value[ITEMS] /= 2;
    configs[0] = c;
    return 1;
}

/* Seconds on a CPU: lines of whole blocks run at 0.4 of the peak; a row that is staged or stored costs, for each vector
 * of it, as much as 700 operations at the peak. */
static double cpu_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    int last = p->rank - 1;
    int64_t s = p->stride[last], reach = (p->kernel[last] - 1) * p->dilation[last] / s, ow = hg_conv_output(p, last);
    layout l = layout_of(p, c->value[BAND]);
    double outputs = (double)(p->outputs / p->groups), taps = (double)hg_conv_kernel_area(p);
    double pitch = (double)(p->direction == HG_CONV_BACKWARD_DATA ? (p->size[last] - 1) / s + reach + 3 : ow + reach);
    double vectors = (double)hg_ceil_div((int64_t)pitch, 16) / pitch * (double)l.line;
    double computed = (double)hg_conv_output_area(p) / (double)ow * (double)hg_ceil_div(ow, 16);
    double planes = (double)(p->batch * p->channels), bands = (double)hg_ceil_div(rows_of(p), c->value[BAND]);
    if (p->direction == HG_CONV_BACKWARD_DATA) {
        computed = (double)hg_conv_input_area(p) / (double)p->size[last] * (double)hg_ceil_div(p->size[last], 16);
        if (s > 2) computed *= 8;
        vectors = vectors * bands * outputs + computed;
    } else {
        vectors = vectors * bands + computed * outputs;
    }
    double lanes = bands * outputs * taps * (double)(l.line_step - BLOCK / 2);
    return planes * (lanes * 2 / 0.4 + vectors * 700) / hg_conv_peak(dev, p->dtype == HG_F64) + 8e-6;
}

static double depthwise_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    if (hg_is_cpu(dev)) return cpu_cost(p, c, dev);
    double bytes = (double)((hg_conv_input_numel(p) + hg_conv_output_numel(p)) * element_of(p));
    return hg_conv_flops(p) / (0.12 * hg_conv_peak(dev, p->dtype == HG_F64)) + bytes / hg_conv_bandwidth(dev) + 5e-6;
}

/* ---- running ---- */

/* What all launches of a run share. */
typedef struct job {
    hg_device *dev;
    const hg_conv_problem *p;
    const hg_conv_config *c;
    const hg_conv_buffers *b;
    hg_arg g[3];
    layout l;
    char options[40];
} job;

static hg_range range_of(const job *j, int64_t elements)
{
    return hg_is_cpu(j->dev) ? hg_range_items(j->dev, j->c->value[ITEMS], 1, 1, 1)
                             : hg_range_elements(j->dev, elements);
}

static hg_status run_forward(const job *j)
{
    const hg_conv_buffers *b = j->b;
    const hg_tensor *bias = j->p->epilogue & HG_CONV_BIAS ? b->bias : b->weight; /* unread */
    const hg_tensor *residual = j->p->epilogue & HG_CONV_RESIDUAL ? b->residual : b->weight;
    hg_range range = range_of(j, hg_conv_output_numel(j->p));
    if (hg_is_cpu(j->dev))
        return hg_launch(j->dev, &hg_source_depthwise, j->options, "dw_fwd", range,
                         HG_ARGS(HG_CONV_GEOMETRY(j->g), HG_ARG_I64(j->c->value[BAND]), HG_ARG_I64(j->l.share),
                                 HG_ARG_I64(j->l.line), HG_ARG_TENSOR(b->input), HG_ARG_TENSOR(b->weight),
                                 HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(b->output),
                                 HG_ARG_MEM(b->workspace), HG_ARG_I32(j->p->epilogue)));
    return hg_launch(j->dev, &hg_source_depthwise, j->options, "dw_fwd", range,
                     HG_ARGS(HG_CONV_GEOMETRY(j->g), HG_ARG_TENSOR(b->input), HG_ARG_TENSOR(b->weight),
                             HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(b->output),
                             HG_ARG_I32(j->p->epilogue)));
}

static hg_status run_data(const job *j)
{
    const hg_conv_buffers *b = j->b;
    hg_range range = range_of(j, hg_conv_input_numel(j->p));
    if (hg_is_cpu(j->dev))
        return hg_launch(j->dev, &hg_source_depthwise, j->options, "dw_data", range,
                         HG_ARGS(HG_CONV_GEOMETRY(j->g), HG_ARG_I64(j->c->value[BAND]), HG_ARG_I64(j->l.share),
                                 HG_ARG_I64(j->l.line), HG_ARG_I64(j->l.line_step), HG_ARG_TENSOR(b->output),
                                 HG_ARG_TENSOR(b->weight), HG_ARG_TENSOR(b->input), HG_ARG_MEM(b->workspace)));
    return hg_launch(
        j->dev, &hg_source_depthwise, j->options, "dw_data", range,
        HG_ARGS(HG_CONV_GEOMETRY(j->g), HG_ARG_TENSOR(b->output), HG_ARG_TENSOR(b->weight), HG_ARG_TENSOR(b->input)));
}

static hg_status run_weights(const job *j)
{
    const hg_conv_problem *p = j->p;
    const hg_conv_buffers *b = j->b;
    int64_t slices = slices_of(p, j->c), n = hg_conv_weight_numel(p), to = scratch_of(p, j->c);
    hg_arg x[] = {HG_ARG_TENSOR(b->input)}, dy[] = {HG_ARG_TENSOR(b->output)}, part[] = {HG_ARG_TENSOR(b->weight)};
    if (slices > 1) {
        part[0] = HG_ARG_MEM(b->workspace);
        part[1] = HG_ARG_I64(to);
    }
    if (hg_is_cpu(j->dev))
        HG_TRY(hg_launch(j->dev, &hg_source_depthwise, j->options, "dw_weights", range_of(j, 0),
                         HG_ARGS(HG_CONV_GEOMETRY(j->g), HG_ARG_I64(j->c->value[BAND]), HG_ARG_I64(j->l.share),
                                 HG_ARG_I64(j->l.line), HG_ARG_I64(j->l.mask), HG_ARG_I64(j->l.sums),
                                 HG_ARG_I64(j->c->value[IMAGES]), x[0], x[1], dy[0], dy[1], part[0], part[1],
                                 HG_ARG_MEM(b->workspace))));
    else
        HG_TRY(hg_launch(j->dev, &hg_source_depthwise, j->options, "dw_weights",
                         hg_range_teams(j->dev, p->outputs, slices),
                         HG_ARGS(HG_CONV_GEOMETRY(j->g), HG_ARG_I64(j->c->value[IMAGES]), x[0], x[1], dy[0], dy[1],
                                 part[0], part[1])));
    if (slices == 1) return HG_OK;
    return hg_launch(j->dev, &hg_source_conv_sum, j->options, "conv_sum", hg_range_elements(j->dev, n),
                     HG_ARGS(HG_ARG_I64(n), HG_ARG_I64(slices), HG_ARG_MEM(b->workspace), HG_ARG_I64(to),
                             HG_ARG_TENSOR(b->weight)));
}

static hg_status depthwise_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    job j = {.dev = dev, .p = p, .c = &plan->config, .b = b, .l = layout_of(p, hg_max_i64(1, plan->config.value[BAND]))};
    bool wide = hg_conv_wide(p) || (int64_t)plan->workspace / element_of(p) > INT_MAX / 2;
    snprintf(j.options, sizeof j.options, "%s%s", hg_real_options((hg_dtype)p->dtype), wide ? " -DHG_WIDE=1" : "");
    hg_conv_geometry(p, j.g);
    switch (p->direction) {
    case HG_CONV_FORWARD:
        return run_forward(&j);
    case HG_CONV_BACKWARD_DATA:
        return run_data(&j);
    default:
        return run_weights(&j);
    }
}

const hg_conv_solver hg_conv_depthwise = {
    .name = "depthwise",
    .applicable = depthwise_applicable,
    .configs = depthwise_configs,
    .workspace = depthwise_workspace,
    .cost = depthwise_cost,
    .run = depthwise_run,
};
