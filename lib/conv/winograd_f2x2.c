/* winograd-f2x2: tiles of 2 x 2 outputs, with 16 products where the definition has 36, in one dimension 4 for 6. Less
 * than winograd-f4x4 saves, but less is wasted at the edges of small images, half as many points stand for the
 * weight, and results are as exact as the definition's: small integers stay integers. */
#include "conv/winograd.h"

static int f2x2_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    return hg_winograd_configs(p, dev, 2, configs, max);
}

const hg_conv_solver hg_conv_winograd_f2x2 = {
    .name = "winograd-f2x2",
    .applicable = hg_winograd_applicable,
    .configs = f2x2_configs,
    .workspace = hg_winograd_workspace,
    .packed = hg_winograd_packed,
    .in_flight = hg_winograd_in_flight,
    .prepare = hg_winograd_prepare,
    .cost = hg_winograd_cost,
    .run = hg_winograd_run,
};
