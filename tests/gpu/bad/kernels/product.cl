/* A product of 2 x 2 a lane through local memory: 4 bytes of it for each multiply-add. */
__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void product(__global const float *restrict a,
                                                                      __global float *restrict c, int steps)
{
    __local float tile[16 * 64];
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    int x = (int)get_local_id(0) % 8, y = (int)get_local_id(0) / 8;
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < 16; i++) tile[i * 64 + get_local_id(0)] = a[(step * 16 + i) * 64 + get_local_id(0)];
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int k = 0; k < 16; k++) {
            float p = tile[k * 64 + x], q = tile[k * 64 + x + 8], u = tile[k * 64 + 16 + y], v = tile[k * 64 + 24 + y];
            s0 = fma(p, u, s0);
            s1 = fma(p, v, s1);
            s2 = fma(q, u, s2);
            s3 = fma(q, v, s3);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    c[get_global_id(0)] = s0 + s1 + s2 + s3;
}
