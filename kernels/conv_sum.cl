/* y[i] = the sum over k of x[k][i], k = 0 .. parts - 1, in order: what several work-items or products have of one
 * gradient. The range is hg_range_elements() of n. CPU: 16 elements at a time. */
#include "conv.clh"

__kernel void conv_sum(long n, long parts, __global const REAL *restrict x, long xo, __global REAL *restrict y, long yo)
{
    x += xo;
    y += yo;
#if HG_CPU
    HG_FOR(v, ((INDEX)n + 15) / 16)
    {
        const INDEX i = v * 16, count = min((INDEX)n - i, (INDEX)16);
        REALV sum = 0;
        for (INDEX k = 0; k < (INDEX)parts; k++) sum += conv_row(x, k * (INDEX)n + i, 0, 1, count, count, (INDEX)(n * parts));
        conv_store(sum, y + i, count);
    }
#else
    HG_FOR(i, (INDEX)n)
    {
        REAL sum = 0;
        for (INDEX k = 0; k < (INDEX)parts; k++) sum += x[k * (INDEX)n + i];
        y[i] = sum;
    }
#endif
}
