/* The largest or smallest of a contiguous x[outer][length][inner] over `length`, and its index: the first one, and NaN
 * before all others.
 *
 * largest_of_segments   values of `segments` parts of a flat x, a work-item each. CPU: `step` neighbours, 16 lanes of
 *                       candidates. GPU: every segments-th element, so that neighbours read neighbours.
 * largest               y and index[outer][inner]: a work-item a result.
 * index_bwd             dx[outer][length][inner] is dy where the index is this one, else 0. */
#include "elementwise.clh"

/* Bitwise, not logical, operators: they leave no branches. */
#define BEATS(v, over, best) ((v over best) | (v != v))

#if HG_CPU
#define ROW(name, over)                                                                                               \
    static inline T name##_of_row(__global const T *x, long count)                                                    \
    {                                                                                                                 \
        T best = *x;                                                                                                  \
        long k = 1;                                                                                                   \
        if (count >= 32) {                                                                                            \
            TV lanes = vload16(0, x);                                                                                 \
            for (k = 16; k + 16 <= count; k += 16) {                                                                  \
                const TV v = vload16(0, x + k);                                                                       \
                lanes = BEATS(v, over, lanes) ? v : lanes;                                                            \
            }                                                                                                         \
            T lane[16];                                                                                               \
            vstore16(lanes, 0, lane);                                                                                 \
            for (int j = 0; j < 16; j++) best = BEATS(lane[j], over, best) ? lane[j] : best;                          \
        }                                                                                                             \
        for (; k < count; k++) best = BEATS(x[k], over, best) ? x[k] : best;                                          \
        return best;                                                                                                  \
    }                                                                                                                 \
    __kernel void name##_of_segments(long n, long step, long segments, __global const T *restrict x, long xo,         \
                                     __global T *restrict y, long yo)                                                 \
    {                                                                                                                 \
        const long t = (long)get_global_id(0);                                                                        \
        if (t < segments) y[yo + t] = name##_of_row(x + xo + t * step, min(step, n - t * step));                      \
    }
#else
#define ROW(name, over)                                                                                               \
    __kernel void name##_of_segments(long n, long step, long segments, __global const T *restrict x, long xo,         \
                                     __global T *restrict y, long yo)                                                 \
    {                                                                                                                 \
        const long t = (long)get_global_id(0);                                                                        \
        if (t < segments) {                                                                                           \
            T best = x[xo + t];                                                                                       \
            for (long k = t + segments; k < n; k += segments) best = BEATS(x[xo + k], over, best) ? x[xo + k] : best; \
            y[yo + t] = best;                                                                                         \
        }                                                                                                             \
    }
#endif

#define EXTREME(name, over)                                                                                           \
    ROW(name, over)                                                                                                   \
    __kernel void name(long outer, long length, long inner, __global const T *restrict x, long xo,                    \
                       __global T *restrict y, long yo, __global long *restrict index, long io)                       \
    {                                                                                                                 \
        x += xo;                                                                                                      \
        y += yo;                                                                                                      \
        index += io;                                                                                                  \
        HG_FOR(t, outer * inner)                                                                                      \
        {                                                                                                             \
            const INDEX o = inner == 1 ? t : t / (INDEX)inner, i = t - o * (INDEX)inner;                              \
            __global const T *p = x + o * length * inner + i;                                                         \
            T best = *p;                                                                                              \
            INDEX at = 0;                                                                                             \
            ALONG(name, over)                                                                                         \
            y[t] = best;                                                                                              \
            index[t] = at;                                                                                            \
        }                                                                                                             \
    }

#define SCAN(over)                                                                                                    \
    for (INDEX k = 1; k < (INDEX)length; k++) {                                                                       \
        const T v = p[k * inner];                                                                                     \
        const int better = (v over best) | ((v != v) & (best == best));                                               \
        best = better ? v : best;                                                                                     \
        at = better ? k : at;                                                                                         \
    }
#if HG_CPU
/* A long row in two passes: the value, then where it is first. */
#define ALONG(name, over)                                                                                             \
    if (inner == 1 && length >= 32) {                                                                                 \
        const T most = name##_of_row(p, length);                                                                      \
        while ((p[at] != most) & ((most == most) | (p[at] == p[at]))) at++;                                           \
        best = p[at];                                                                                                 \
    } else                                                                                                            \
        SCAN(over)
#else
#define ALONG(name, over) SCAN(over)
#endif

EXTREME(largest, >)
EXTREME(smallest, <)

__kernel void index_bwd(long n, long length, long inner, __global const T *restrict dy, long go,
                        __global const long *restrict index, long io, __global T *restrict dx, long xo)
{
    dy += go;
    index += io;
    dx += xo;
    HG_FOR(t, n)
    {
        const INDEX row = t / (INDEX)inner, i = t - row * (INDEX)inner;
        const INDEX o = row / (INDEX)length, k = row - o * (INDEX)length;
        const INDEX result = o * (INDEX)inner + i;
        dx[t] = index[result] == k ? dy[result] : (T)0;
    }
}
