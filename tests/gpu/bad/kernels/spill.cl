/* 512 values that live at the same time. */
__kernel __attribute__((reqd_work_group_size(1024, 1, 1))) void spill(__global float16 *restrict x)
{
    float16 v[32];
#pragma unroll
    for (int i = 0; i < 32; i++) v[i] = x[i * 1024 + get_global_id(0)];
    for (int k = 0; k < 3; k++) {
#pragma unroll
        for (int i = 0; i < 32; i++) v[i] = v[i] * v[(i + 1) % 32] + v[(i + 7) % 32];
    }
#pragma unroll
    for (int i = 0; i < 32; i++) x[i * 1024 + get_global_id(0)] = v[i];
}
