/* An array indexed at run time: no register holds it. */
__kernel void scratch(__global float *restrict x, __global const int *restrict at)
{
    float own[64];
    for (int i = 0; i < 64; i++) own[i] = x[i];
    for (int i = 0; i < 64; i++) own[at[i] & 63] += 1;
    x[get_global_id(0)] = own[at[get_global_id(0)] & 63];
}
