/* winograd-f4x4: tiles of 4 x 4 outputs, with 36 products where the definition has 144. In one dimension 6 for 12. On
 * CPUs 3 x 3 of stride 2 too, forward and, if the padding is odd, backward-data, with 81 products for 144,
 * and kernels of 5 x 5 of stride 1, forward and backward-data, by F(2x2, 5x5), which has the same points: 36 products for
 * 100, in one dimension 6 for 10; and slices of three dimensions, forward and backward-data. */
#include "conv/winograd.h"

static bool is_five(const hg_conv_problem *p)
{
    return p->kernel[p->rank - 1] == 5 && (p->rank == 1 || p->kernel[p->rank - 2] == 5);
}

/* What CPUs do more, as a problem of two dimensions, stride 1 and kernel 3 that is done if it is. */
static hg_conv_problem plain(const hg_conv_problem *p)
{
    const bool gradient = p->direction == HG_CONV_BACKWARD_WEIGHTS;
    bool odd = p->begin[0] % 2 && p->begin[1] % 2;
    hg_conv_problem q = *p;
    if (p->rank == 3 && !gradient && p->stride[0] == 1 && p->dilation[0] == 1) {
        q.rank = 2;
        for (int d = 0; d < 2; d++) {
            q.kernel[d] = p->kernel[d + 1];
            q.stride[d] = p->stride[d + 1];
            q.dilation[d] = p->dilation[d + 1];
        }
    } else if (p->rank == 2 && p->stride[0] == 2 && p->stride[1] == 2 && p->kernel[0] == 3 &&
               (p->direction == HG_CONV_FORWARD || (p->direction == HG_CONV_BACKWARD_DATA && odd))) {
        q.stride[0] = q.stride[1] = 1;
        return q;
    }
    if (!gradient && is_five(p))
        for (int d = 0; d < q.rank; d++) q.kernel[d] = 3;
    return q;
}

static bool f4x4_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    hg_conv_problem q = hg_is_cpu(dev) ? plain(p) : *p;
    return hg_winograd_applicable(&q, dev, why);
}

static int f4x4_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    return hg_winograd_configs(p, dev, is_five(p) ? 2 : 4, configs, max);
}

const hg_conv_solver hg_conv_winograd_f4x4 = {
    .name = "winograd-f4x4",
    .applicable = f4x4_applicable,
    .configs = f4x4_configs,
    .workspace = hg_winograd_workspace,
    .packed = hg_winograd_packed,
    .in_flight = hg_winograd_in_flight,
    .prepare = hg_winograd_prepare,
    .cost = hg_winograd_cost,
    .run = hg_winograd_run,
};
