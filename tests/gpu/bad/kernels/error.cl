/* Does not compile. */
__kernel void error(__global float *restrict x)
{
    x[get_global_id(0)] = y;
}
