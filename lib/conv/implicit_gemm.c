/* implicit-gemm: the matrix product of im2col-gemm without the columns in memory, on CPUs; kernels/implicit_gemm.cl.
 *
 * Workspace of forward and backward-data: the packed weight, and in backward-data the mirrored one before it is packed.
 * Of backward-weights: the packed gradient, and the weight's gradient by each of `value[0]` slices of the batch. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "blas/gemm.h"
#include "conv/solver.h"

enum { TILE = 8 }; /* MR of the kernels */

static int panel_width(const hg_conv_problem *p)
{
    return p->dtype == HG_F64 ? 16 : 32;
}

static int64_t rows_of(const hg_conv_problem *p)
{
    return p->channels / p->groups * hg_conv_kernel_area(p);
}

/* Backward-data of stride 1 as the forward convolution of the output's gradient with the mirrored weight. */
static hg_conv_problem mirrored(const hg_conv_problem *p)
{
    hg_conv_problem m = *p;
    m.direction = HG_CONV_FORWARD;
    m.channels = p->outputs;
    m.outputs = p->channels;
    for (int d = 0; d < p->rank; d++) {
        int64_t reach = p->dilation[d] * (p->kernel[d] - 1);
        m.size[d] = hg_conv_output(p, d);
        m.begin[d] = reach - p->begin[d];
        m.end[d] = reach - p->end[d];
    }
    return m;
}

static bool implicit_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    if (!hg_is_cpu(dev)) {
        snprintf(why, HG_WHY, "only for CPUs");
        return false;
    }
    for (int d = 0; d < p->rank && p->direction == HG_CONV_BACKWARD_DATA; d++) {
        if (p->stride[d] == 1) continue;
        snprintf(why, HG_WHY, "stride %lld", (long long)p->stride[d]);
        return false;
    }
    int64_t rows = hg_max_i64(p->channels, p->outputs) * hg_conv_kernel_area(p);
    if (rows < INT_MAX / 4 && hg_conv_output_area(p) < INT_MAX / 4) return true;
    snprintf(why, HG_WHY, "%lld rows of %lld pixels are too large for the matrix product", (long long)rows,
             (long long)hg_conv_output_area(p));
    return false;
}

static int implicit_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    (void)max;
    int64_t slices = 1, tasks = hg_ceil_div(rows_of(p), panel_width(p)) * p->groups;
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) /* enough work-items for every unit to be busy to the end */
        slices = hg_min_i64(p->batch, hg_ceil_div(8 * (int64_t)dev->info.units, tasks));
    slices = hg_ceil_div(p->batch, hg_ceil_div(p->batch, slices));
    configs[0] = (hg_conv_config){{(int32_t)slices}};
    return 1;
}

/* Elements of the packed operand, and where what follows it begins. */
static int64_t packed_elements(const hg_conv_problem *p)
{
    int64_t rows = rows_of(p), og = p->outputs / p->groups, cg = p->channels / p->groups, n = p->groups;
    if (p->direction == HG_CONV_BACKWARD_DATA) return n * hg_round_up(cg, TILE) * og * hg_conv_kernel_area(p);
    if (p->direction == HG_CONV_FORWARD) return n * hg_round_up(og, TILE) * rows;
    return p->batch * n * hg_round_up(og, TILE) * hg_conv_output_area(p);
}

static int64_t second_offset(const hg_conv_problem *p)
{
    return hg_round_up(packed_elements(p), 16);
}

static size_t implicit_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    int64_t second = 0;
    if (p->direction == HG_CONV_BACKWARD_DATA) second = hg_conv_weight_numel(p);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS)
        second = c->value[0] * p->groups * hg_round_up(p->outputs / p->groups, TILE) *
                 hg_round_up(rows_of(p), panel_width(p));
    return (size_t)(second_offset(p) + second) * (p->dtype == HG_F64 ? 8 : 4);
}

static double implicit_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    int64_t m = p->outputs / p->groups, n = hg_conv_output_area(p), width = panel_width(p),
            run = hg_conv_output(p, p->rank - 1);
    if (p->direction == HG_CONV_BACKWARD_DATA) {
        m = p->channels / p->groups;
        n = hg_conv_input_area(p);
        run = p->size[p->rank - 1];
    }
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) n = rows_of(p);
    /* Tiles are computed whole; to gather a panel costs as much as 32 outputs, more if rows are short. */
    double used = (double)(m * n) / (double)(hg_round_up(m, TILE) * hg_round_up(n, width));
    double gather = 32.0 / (double)hg_round_up(m, TILE) * (run < 16 ? 16.0 / (double)run : 1);
    double flops = hg_conv_flops(p);
    if (p->direction == HG_CONV_BACKWARD_DATA) { /* more pixels, and most runs touch the padding */
        flops *= (double)hg_conv_input_area(p) / (double)hg_conv_output_area(p);
        gather *= 1.5;
    }
    return flops * (1 + gather) / (hg_conv_peak(dev, p->dtype == HG_F64) * 0.9 * used) +
           (double)implicit_workspace(p, c) / hg_conv_bandwidth(dev) + 2e-5;
}

/* ---- running ---- */

/* What all launches of a run share. */
typedef struct job {
    hg_device *dev;
    const hg_conv_problem *p;
    const hg_conv_buffers *b;
    bool f64;
    char options[40];
} job;

/* The forward convolution `p` of x by the packed operand. */
static hg_status launch_rows(const job *j, const hg_conv_problem *p, const hg_tensor *x, const hg_tensor *y)
{
    hg_arg g[3];
    hg_conv_geometry(p, g);
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? j->b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? j->b->residual : x;
    hg_range range =
        hg_range_items(j->dev, hg_ceil_div(hg_conv_output_area(p), panel_width(p)), p->groups, p->batch, 1);
    return hg_launch(j->dev, &hg_source_implicit_gemm, j->options, "conv_rows", range,
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_TENSOR(x), HG_ARG_MEM(j->b->workspace), HG_ARG_TENSOR(bias),
                             HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y), HG_ARG_I32(p->epilogue)));
}

static hg_status forward(const job *j)
{
    const hg_tensor *w = j->b->weight;
    int64_t og = j->p->outputs / j->p->groups, rows = rows_of(j->p);
    hg_matrix a = {w->storage->mem, w->offset, rows, og * rows};
    HG_TRY(hg_gemm_pack(j->dev, j->f64, &a, true, og, rows, TILE, j->p->groups, j->b->workspace, 0));
    return launch_rows(j, j->p, j->b->input, j->b->output);
}

static hg_status backward_data(const job *j)
{
    const hg_conv_problem *p = j->p, m = mirrored(p);
    int64_t og = p->outputs / p->groups, cg = p->channels / p->groups, area = hg_conv_kernel_area(p),
            to = second_offset(p);
    HG_TRY(hg_launch(j->dev, &hg_source_implicit_gemm, j->options, "mirror",
                     hg_range_elements(j->dev, p->groups * og * cg),
                     HG_ARGS(HG_ARG_I64(p->groups), HG_ARG_I64(og), HG_ARG_I64(cg), HG_ARG_I64(area),
                             HG_ARG_TENSOR(j->b->weight), HG_ARG_MEM(j->b->workspace), HG_ARG_I64(to))));
    hg_matrix a = {j->b->workspace, to, og * area, cg * og * area};
    HG_TRY(hg_gemm_pack(j->dev, j->f64, &a, true, cg, og * area, TILE, p->groups, j->b->workspace, 0));
    return launch_rows(j, &m, j->b->output, j->b->input);
}

static hg_status backward_weights(const job *j, int64_t slices)
{
    const hg_conv_problem *p = j->p;
    const hg_tensor *dy = j->b->output;
    int64_t og = p->outputs / p->groups, rows = rows_of(p), area = hg_conv_output_area(p), to = second_offset(p);
    hg_matrix a = {dy->storage->mem, dy->offset, area, og * area};
    HG_TRY(hg_gemm_pack(j->dev, j->f64, &a, true, og, area, TILE, p->batch * p->groups, j->b->workspace, 0));
    hg_arg g[3];
    hg_conv_geometry(p, g);
    HG_TRY(hg_launch(j->dev, &hg_source_implicit_gemm, j->options, "conv_taps",
                     hg_range_items(j->dev, hg_ceil_div(rows, panel_width(p)), p->groups, slices, 1),
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(hg_ceil_div(p->batch, slices)), HG_ARG_TENSOR(j->b->input),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_MEM(j->b->workspace), HG_ARG_I64(to))));
    return hg_launch(j->dev, &hg_source_implicit_gemm, j->options, "sum_slices",
                     hg_range_items(j->dev, og, p->groups, 1, 1),
                     HG_ARGS(HG_ARG_I64(og), HG_ARG_I64(rows), HG_ARG_I64(p->groups), HG_ARG_I64(slices),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_I64(to), HG_ARG_TENSOR(j->b->weight)));
}

static hg_status implicit_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    job j = {.dev = dev, .p = p, .b = b, .f64 = p->dtype == HG_F64};
    bool wide = hg_conv_wide(p) || plan->workspace > INT_MAX;
    snprintf(j.options, sizeof j.options, "%s%s", hg_real_options((hg_dtype)p->dtype), wide ? " -DHG_WIDE=1" : "");
    switch (p->direction) {
    case HG_CONV_FORWARD:
        return forward(&j);
    case HG_CONV_BACKWARD_DATA:
        return backward_data(&j);
    default:
        return backward_weights(&j, plan->config.value[0]);
    }
}

const hg_conv_solver hg_conv_implicit_gemm = {
    .name = "implicit-gemm",
    .applicable = implicit_applicable,
    .configs = implicit_configs,
    .workspace = implicit_workspace,
    .cost = implicit_cost,
    .run = implicit_run,
};
