/* Gradient of a convolution's bias: db[o] = the sum of dy[n, o, ...] over images and area. Both device classes: a team
 * a channel; each image is summed by itself, then added, so that errors do not grow with the batch. */
#include "common.clh"

__kernel void conv_bias_bwd(long batch, long outputs, long area, __global const REAL *restrict dy, long yo,
                            __global REAL *restrict db, long bo)
{
    __local REAL scratch[HG_LANES];
    const INDEX lane = (INDEX)get_local_id(0), o = (INDEX)get_group_id(0);
    REAL all = 0;
    dy += yo;
    for (INDEX n = 0; n < (INDEX)batch; n++) {
        __global const REAL *row = dy + (n * (INDEX)outputs + o) * (INDEX)area;
        REALV acc = 0;
        INDEX i = lane * HG_V;
        for (; i + HG_V <= (INDEX)area; i += HG_LANES * HG_V) acc += HG_LOADV(row + i);
        REAL sum = hg_addv(acc);
#if HG_V > 1
        for (; i < (INDEX)area; i++) sum += row[i];
#endif
        all += sum;
    }
    all = hg_team_sum(all, scratch);
    if (lane == 0) db[bo + o] = all;
}
