/* direct: the definition, on any problem. See kernels/conv_direct.cl. */
#include <stdio.h>

#include "conv/solver.h"

static bool direct_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    (void)p;
    (void)dev;
    why[0] = 0;
    return true;
}

static int direct_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    (void)p;
    (void)dev;
    (void)max;
    configs[0] = (hg_conv_config){{0}};
    return 1;
}

static size_t direct_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    (void)p;
    (void)c;
    return 0;
}

/* Channels a group of what the direction computes. */
static int64_t group_width(const hg_conv_problem *p)
{
    return (p->direction == HG_CONV_BACKWARD_DATA ? p->channels : p->outputs) / p->groups;
}

/* Whether blocks of channels would be mostly idle: the kernels' NARROW. */
static bool is_narrow(const hg_conv_problem *p)
{
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) return p->channels / p->groups * (p->outputs / p->groups) <= 2;
    return group_width(p) <= 2;
}

static int block_of(const hg_conv_problem *p)
{
    return is_narrow(p) ? 1 : p->direction == HG_CONV_BACKWARD_WEIGHTS ? 4 : 8;
}

/* Shares of the peak are what was measured on whole vectors and blocks; rows are cut into vectors of 16 and channels
 * into blocks, and what of them is not used is lost. */
static double direct_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    (void)c;
    double share = 0.1;
    if (hg_is_cpu(dev)) {
        bool weights = p->direction == HG_CONV_BACKWARD_WEIGHTS;
        int64_t across = p->direction == HG_CONV_BACKWARD_DATA ? p->size[p->rank - 1] : hg_conv_output(p, p->rank - 1);
        int64_t block = block_of(p), cg = p->channels / p->groups;
        share = is_narrow(p) ? weights ? 0.05 : 0.08 : weights ? 0.12 : p->direction == HG_CONV_FORWARD ? 0.2 : 0.16;
        share *= (double)across / (double)hg_round_up(across, 16);
        share *= (double)group_width(p) / (double)hg_round_up(group_width(p), block);
        if (weights) share *= (double)cg / (double)hg_round_up(cg, block);
        if (p->stride[p->rank - 1] > 1) share *= 0.6;
    }
    return hg_conv_flops(p) / (hg_conv_peak(dev, p->dtype == HG_F64) * share) + 5e-6;
}

static int64_t rows_of(const hg_conv_problem *p, bool output)
{
    int last = p->rank - 1;
    return output ? hg_conv_output_area(p) / hg_conv_output(p, last) : hg_conv_input_area(p) / p->size[last];
}

static void options_of(const hg_conv_problem *p, char out[64])
{
    snprintf(out, 64, "-DNARROW=%d%s%s", is_narrow(p), p->dtype == HG_F64 ? " -DHG_F64=1" : "",
             hg_conv_wide(p) ? " -DHG_WIDE=1" : "");
}

static hg_status run_forward(hg_device *dev, const hg_conv_problem *p, const hg_conv_buffers *b)
{
    char options[64];
    hg_arg g[3];
    int64_t blocks = hg_ceil_div(group_width(p), block_of(p)) * p->groups;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? b->bias : b->weight; /* unread */
    const hg_tensor *residual = p->epilogue & HG_CONV_RESIDUAL ? b->residual : b->weight;
    options_of(p, options);
    hg_conv_geometry(p, g);
    hg_range range = hg_is_cpu(dev) ? hg_range_items(dev, rows_of(p, true), blocks, p->batch, 1)
                                    : hg_range_elements(dev, hg_conv_output_numel(p));
    return hg_launch(dev, &hg_source_conv_direct, options, "conv_direct_fwd", range,
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_TENSOR(b->input), HG_ARG_TENSOR(b->weight), HG_ARG_TENSOR(bias),
                             HG_ARG_TENSOR(residual), HG_ARG_TENSOR(b->output), HG_ARG_I32(p->epilogue)));
}

static hg_status run_data(hg_device *dev, const hg_conv_problem *p, const hg_conv_buffers *b)
{
    char options[64];
    hg_arg g[3];
    int64_t blocks = hg_ceil_div(group_width(p), block_of(p)) * p->groups;
    options_of(p, options);
    hg_conv_geometry(p, g);
    hg_range range = hg_is_cpu(dev) ? hg_range_items(dev, rows_of(p, false), blocks, p->batch, 1)
                                    : hg_range_elements(dev, hg_conv_input_numel(p));
    return hg_launch(
        dev, &hg_source_conv_direct, options, "conv_direct_bwd_data", range,
        HG_ARGS(g[0], g[1], g[2], HG_ARG_TENSOR(b->output), HG_ARG_TENSOR(b->weight), HG_ARG_TENSOR(b->input)));
}

static hg_status run_weights(hg_device *dev, const hg_conv_problem *p, const hg_conv_buffers *b)
{
    char options[64];
    hg_arg g[3];
    int tile = block_of(p);
    options_of(p, options);
    hg_conv_geometry(p, g);
    int64_t pairs = hg_ceil_div(p->channels / p->groups, tile) * hg_ceil_div(p->outputs / p->groups, tile);
    hg_range range = hg_is_cpu(dev) ? hg_range_items(dev, hg_conv_kernel_area(p), pairs, p->groups, 1)
                                    : hg_range_teams(dev, hg_conv_weight_numel(p), 1);
    return hg_launch(
        dev, &hg_source_conv_direct, options, "conv_direct_bwd_weights", range,
        HG_ARGS(g[0], g[1], g[2], HG_ARG_TENSOR(b->input), HG_ARG_TENSOR(b->output), HG_ARG_TENSOR(b->weight)));
}

static hg_status direct_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    switch (plan->problem.direction) {
    case HG_CONV_FORWARD:
        return run_forward(dev, &plan->problem, b);
    case HG_CONV_BACKWARD_DATA:
        return run_data(dev, &plan->problem, b);
    default:
        return run_weights(dev, &plan->problem, b);
    }
}

const hg_conv_solver hg_conv_direct = {
    .name = "direct",
    .applicable = direct_applicable,
    .configs = direct_configs,
    .workspace = direct_workspace,
    .cost = direct_cost,
    .run = direct_run,
};
