/* Stable sorting of contiguous rows x[rows][n] with the places their elements come from. NaN is the largest of all.
 *
 * sort_blocks   an insertion sort of each block of BLOCK neighbours of a row: a work-item a block
 * sort_merge    merges runs of `width` neighbours two by two into runs of 2 width: a work-item finds where its SPAN
 *               results begin in both runs by bisection, then merges on
 *
 * No local memory, no barriers; the result depends on the data alone. T is the type of the elements, DESCENDING 1 puts
 * the largest first. Both device classes. */
#include "elementwise.clh"

#ifndef DESCENDING
#define DESCENDING 0
#endif
#define BLOCK 16
#if HG_CPU
#define SPAN 512
#else
#define SPAN 8
#endif

/* a before b. Without && and ||: Intel's compiler (22.43) crashes on them here. */
static inline int before(T a, T b)
{
#if T_INT
    return DESCENDING ? a > b : a < b;
#else
    const int a_nan = isnan(a), b_nan = isnan(b), less = a < b, more = a > b;
    return DESCENDING ? more | (a_nan & ~b_nan) : less | (~a_nan & b_nan);
#endif
}

__kernel void sort_blocks(long rows, long n, __global const T *restrict x, long xo, __global T *restrict y, long yo,
                          __global long *restrict place, long po)
{
    const long blocks = (n + BLOCK - 1) / BLOCK;
    HG_FOR(t, rows * blocks)
    {
        const long row = t / blocks, begin = (t - row * blocks) * BLOCK, count = min((long)BLOCK, n - begin);
        __global const T *in = x + xo + row * n + begin;
        __global T *out = y + yo + row * n + begin;
        __global long *at = place + po + row * n + begin;
        for (long i = 0; i < count; i++) {
            const T v = in[i];
            long j = i;
            /* Not j > 0, which Mesa 22.3's llvmpipe takes as true of a long 0. */
            for (; j != 0 && before(v, out[j - 1]); j--) {
                out[j] = out[j - 1];
                at[j] = at[j - 1];
            }
            out[j] = v;
            at[j] = begin + i;
        }
    }
}

__kernel void sort_merge(long rows, long n, long width, __global const T *restrict x, long xo,
                         __global const long *restrict from, long fo, __global T *restrict y, long yo,
                         __global long *restrict place, long po)
{
    const long spans = (n + SPAN - 1) / SPAN;
    HG_FOR(t, rows * spans)
    {
        const long row = t / spans, base = row * n, stop = min(n, (t - row * spans + 1) * SPAN);
        for (long k = (t - row * spans) * SPAN, end; k < stop; k = end) {
            const long begin = k / (2 * width) * (2 * width), middle = min(n, begin + width);
            const long last = min(n, begin + 2 * width);
            __global const T *a = x + xo + base + begin, *b = x + xo + base + middle;
            const long na = middle - begin, nb = last - middle, done = k - begin;
            long low = max(0L, done - nb), high = min(done, na);
            end = min(stop, last);
            while (low < high) {
                const long i = (low + high) / 2;
                if (before(b[done - 1 - i], a[i]))
                    high = i;
                else
                    low = i + 1;
            }
            for (long i = low, j = done - low; k < end; k++) {
                const int right = i == na || (j < nb && before(b[j], a[i]));
                const long source = right ? middle + j : begin + i;
                y[yo + base + k] = x[xo + base + source];
                place[po + base + k] = from[fo + base + source];
                i += !right;
                j += right;
            }
        }
    }
}
