/* y = x, cast from FROM to TO, broadcast, any strides. Both device classes; an element a step.
 * TO_BOOL: y is 0 or 1. Floats go to integers by truncation, as in C. */
#include "common.clh"

#ifndef FROM
#define FROM float
#endif
#ifndef TO
#define TO float
#endif
#if TO_BOOL
#define CONVERT(v) ((uchar)((v) != 0))
#else
#define CONVERT(v) ((TO)(v))
#endif

__kernel void copy(long n, __global const FROM *restrict x, long xo, __global TO *restrict y, long yo)
{
    x += xo;
    y += yo;
    HG_FOR(i, n) y[i] = CONVERT(x[i]);
}

__kernel void copy_strided(long n, int ndim, long8 size, __global const FROM *restrict x, long xo, long8 xs,
                           __global TO *restrict y, long yo, long8 ys)
{
    x += xo;
    y += yo;
    HG_FOR(i, n)
    {
        INDEX4 o = hg_walk(i, ndim, size, xs, ys, 0, 0);
        y[o.y] = CONVERT(x[o.x]);
    }
}
