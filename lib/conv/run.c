/* Running a convolution: the plan, its workspace, sums of nothing, and the bias's gradient. */
#include "base/error.h"
#include "conv/candidates.h"

/* Whether every sum of the problem is empty, or there is none. */
static bool is_empty(const hg_conv_problem *p)
{
    return !p->batch || !p->channels || !p->outputs;
}

/* The result of a problem whose sums are empty: 0, or the epilogue alone. */
static hg_status run_empty(hg_device *dev, const hg_conv_problem *p, const hg_conv_buffers *b)
{
    if (p->direction == HG_CONV_BACKWARD_DATA) return hg_raw_fill((hg_tensor *)b->input, 0);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) return hg_raw_fill((hg_tensor *)b->weight, 0);
    /* The definition does without channels; the other solvers need not. */
    return hg_conv_direct.run(dev, &(hg_conv_plan){.problem = *p}, b);
}

hg_status hg_conv_run_plan(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    hg_conv_buffers with = *b;
    hg_block *workspace = NULL, *packed = NULL;
    hg_status status = plan->packed ? hg_conv_pack(dev, plan, &with, &packed) : HG_OK;
    if (status == HG_OK && plan->workspace) {
        workspace = hg_pool_take(dev, plan->workspace);
        if (workspace) with.workspace = workspace->mem;
        else status = hg_last_status();
    }
    if (status == HG_OK) status = plan->solver->run(dev, plan, &with);
    hg_pool_give(dev, packed); /* whoever takes it next is queued behind */
    hg_pool_give(dev, workspace);
    return status;
}

hg_status hg_conv_run(const hg_conv_problem *p, const hg_conv_buffers *b)
{
    hg_device *dev = b->input->dev;
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status;
    if (is_empty(p)) {
        status = hg_conv_check(p);
        if (status == HG_OK) status = run_empty(dev, p, b);
    } else {
        const hg_conv_plan *plan;
        status = hg_conv_choose(dev, p, &plan);
        if (status == HG_OK) status = hg_conv_run_plan(dev, plan, b);
    }
    hg_device_leave(dev, outermost);
    return status;
}

hg_status hg_conv_bias_gradient(const hg_conv_problem *p, const hg_tensor *output, const hg_tensor *bias)
{
    hg_device *dev = output->dev;
    const char *options = p->dtype == HG_F64 ? hg_conv_wide(p) ? "-DHG_F64=1 -DHG_WIDE=1" : "-DHG_F64=1"
                          : hg_conv_wide(p)  ? "-DHG_WIDE=1"
                                             : "";
    return hg_launch(dev, &hg_source_conv_bias, options, "conv_bias_bwd", hg_range_teams(dev, p->outputs, 1),
                     HG_ARGS(HG_ARG_I64(p->batch), HG_ARG_I64(p->outputs), HG_ARG_I64(hg_conv_output_area(p)),
                             HG_ARG_TENSOR(output), HG_ARG_TENSOR(bias)));
}
