/* y = x, cast from FROM to TO, broadcast, any strides. Both device classes; a work-item owns its share of the elements,
 * on a CPU a row at a time.
 * TO_BOOL: y is 0 or 1. Floats go to integers by truncation, as in C. */
#include "elementwise.clh"

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

static inline void copy_row(INDEX run, __global const FROM *restrict x, INDEX xs, __global TO *restrict y, INDEX ys)
{
    if (xs == 1 && ys == 1)
        for (INDEX k = 0; k < run; k++) y[k] = CONVERT(x[k]);
    else
        for (INDEX k = 0; k < run; k++) y[k * ys] = CONVERT(x[k * xs]);
}

__kernel void copy_strided(long n, int ndim, long8 size, __global const FROM *restrict x, long xo, long8 xs,
                           __global TO *restrict y, long yo, long8 ys)
{
    x += xo;
    y += yo;
    HG_ROWS(n, ndim, size, xs, ys, (long8)0, copy_row(run, x + o.x, (INDEX)xs.s0, y + o.y, (INDEX)ys.s0))
}
