/* Compiles with a warning. */
__kernel void warning(__global float *restrict x)
{
    int unused;
    x[get_global_id(0)] = 1;
}
