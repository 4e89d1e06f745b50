/* 36 KiB of local memory. */
__kernel void local_memory(__global float *restrict x)
{
    __local float tile[9216];
    tile[get_local_id(0)] = x[get_global_id(0)];
    barrier(CLK_LOCAL_MEM_FENCE);
    x[get_global_id(0)] = tile[9215 - get_local_id(0)];
}
