/* y = x times `scale` where the mask is 1, times 0 elsewhere (NaN stays NaN); also the gradient. A byte of the mask
 * stands for one element, or for `group` neighbours. Both device classes. */
#include "common.clh"

__kernel void dropout(long n, REAL scale, __global const uchar *restrict mask, long mo, __global const REAL *restrict x,
                      long xo, __global REAL *restrict y, long yo)
{
    mask += mo;
    x += xo;
    y += yo;
    HG_FOR(i, n) y[i] = x[i] * (mask[i] ? scale : 0);
}

__kernel void dropout_groups(long n, long group, REAL scale, __global const uchar *restrict mask, long mo,
                             __global const REAL *restrict x, long xo, __global REAL *restrict y, long yo)
{
    mask += mo;
    x += xo;
    y += yo;
#if HG_CPU
    HG_FOR(q, n / group)
    {
        REAL factor = mask[q] ? scale : 0;
        for (long i = q * group; i < (q + 1) * group; i++) y[i] = x[i] * factor;
    }
#else
    HG_FOR(i, n) y[i] = x[i] * (mask[i / (INDEX)group] ? scale : 0);
#endif
}
