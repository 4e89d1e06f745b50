/* Running sums along the middle of a contiguous x[outer][length][inner], from its end if `backwards`. A line is cut
 * into segments of `step`, so that a long one has work for many work-items; sums go in an order that the sizes alone
 *decide. 
 * FROM, ACC         types of elements and sums: REAL both, or with -DFROM=int -DSUM_INT=1 (long, uchar) longs
 * segment_sums      sums[outer][segments][inner]: a work-item a segment
 * segment_starts    the sums before each segment, in place: a work-item a line
 * cumsum            a work-item a segment, from its start (0 if `segments` is 1)
 *
 * Both device classes. */
#include "common.clh"

#ifndef FROM
#define FROM REAL
#define SUM_INT 0
#endif
#if SUM_INT
typedef long ACC;
#else
typedef REAL ACC;
#endif

/* Element k of a line, and segment g, counted from the line's end if `backwards`. */
#define PLACE                                                                                                          \
    const INDEX row = t / (INDEX)inner, i = t - row * (INDEX)inner, o = row / (INDEX)segments,                         \
                g = row - o * (INDEX)segments;                                                                         \
    const long begin = (long)g * step, end = min(length, begin + step)
#define ELEMENT(k) (((long)o * length + (backwards ? length - 1 - (k) : (k))) * inner + i)

__kernel void segment_sums(long outer, long length, long inner, long segments, long step, int backwards,
                           __global const FROM *restrict x, long xo, __global ACC *restrict sums, long so)
{
    x += xo;
    HG_FOR(t, outer * segments * inner)
    {
        PLACE;
        ACC sum = 0;
        for (long k = begin; k < end; k++) sum += x[ELEMENT(k)];
        sums[so + t] = sum;
    }
}

__kernel void segment_starts(long outer, long inner, long segments, __global ACC *restrict sums, long so)
{
    sums += so;
    HG_FOR(t, outer * inner)
    {
        const INDEX o = t / (INDEX)inner, i = t - o * (INDEX)inner;
        ACC sum = 0;
        for (long g = 0; g < segments; g++) {
            const long at = ((long)o * segments + g) * inner + i;
            const ACC own = sums[at];
            sums[at] = sum;
            sum += own;
        }
    }
}

__kernel void cumsum(long outer, long length, long inner, long segments, long step, int backwards,
                     __global const FROM *restrict x, long xo, __global const ACC *restrict starts, long so,
                     __global ACC *restrict y, long yo)
{
    x += xo;
    y += yo;
    HG_FOR(t, outer * segments * inner)
    {
        PLACE;
        ACC sum = segments > 1 ? starts[so + t] : (ACC)0;
        for (long k = begin; k < end; k++) {
            sum += x[ELEMENT(k)];
            y[ELEMENT(k)] = sum;
        }
    }
}
