/* What the simulation has to find. Each computes what it should. */

/* Columns of local memory: 32 lanes in one bank. */
__kernel void one_bank(__global float *restrict x, long xo)
{
    __local float tile[32 * 32];
    int lane = (int)get_local_id(0);
    tile[lane * 32] = (float)lane;
    barrier(CLK_LOCAL_MEM_FENCE);
    x[xo + get_global_id(0)] = tile[lane * 32];
}

/* A row of 64 a lane: each access of a warp touches as many sectors as there are lanes. */
__kernel void row_a_lane(__global float *restrict x, long xo)
{
    for (int i = 0; i < 64; i++) x[xo + (long)get_global_id(0) * 64 + i] = (float)i;
}

/* Every value is read by each of 16 groups from another one's. */
__kernel void read_again(__global const float *restrict x, long xo, __global float *restrict y, long yo)
{
    float sum = 0;
    for (int i = 0; i < 16; i++) sum += x[xo + (get_global_id(0) + (size_t)i * 256) % get_global_size(0)];
    y[yo + get_global_id(0)] = sum;
}

/* None of this. */
__kernel void good(__global float *restrict x, long xo)
{
    x[xo + get_global_id(0)] = 1;
}
