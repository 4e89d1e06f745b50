/* y = x, cast from FROM to TO, broadcast, any strides. Both device classes; a work-item owns its share of the elements,
 * on a CPU a row at a time. copy_turned is for GPUs, where neighbours in y are no neighbours in x: through local memory (a
 * tile of TURNED elements), so that a team reads runs of x and writes runs of y.
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

#if !HG_CPU

#define TURNED 1024

/* Where the tile has element p of row q, a elements of it: rows are turned so far that neither 32 neighbours along a row
 * nor 32 across it, of tiles whose sides are powers of two, meet in a bank. */
static inline int place(int p, int q, int a, int b)
{
    return q * a + (p + max(1, 32 / b) * (q / max(1, 32 / a))) % a;
}

/* y's elements of one dimension of n0 lie side by side, with x's xs0 apart; of another one of nk x's lie side by side,
 * with y's yk apart. A tile is a x b of them; `ndim`, size, xs, ys are the other dimensions. */
__kernel void copy_turned(long n0, long nk, int a, int b, long xs0, long yk, int ndim, long8 size,
                          __global const FROM *restrict x, long xo, long8 xs, __global TO *restrict y, long yo, long8 ys)
{
    __local TO tile[TURNED];
    const INDEX tiles0 = (INDEX)((n0 + a - 1) / a), tilesk = (INDEX)((nk + b - 1) / b);
    const INDEX t = (INDEX)get_group_id(0), rest = t / tiles0, i0 = t % tiles0 * a, ik = rest % tilesk * b;
    const INDEX4 o = hg_walk(rest / tilesk, ndim, size, xs, ys, (long8)0, (long8)0);
    const int lane = (int)get_local_id(0);
    x += xo + o.x;
    y += yo + o.y;
    for (int e = lane; e < a * b; e += HG_LANES) {
        const INDEX p = i0 + e / b, q = ik + e % b;
        if (p < n0 && q < nk) tile[place(e / b, e % b, a, b)] = CONVERT(x[p * (INDEX)xs0 + q]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = lane; e < a * b; e += HG_LANES) {
        const INDEX p = i0 + e % a, q = ik + e / a;
        if (p < n0 && q < nk) y[p + q * (INDEX)yk] = tile[place(e % a, e / a, a, b)];
    }
}

#endif
