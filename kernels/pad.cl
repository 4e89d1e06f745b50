/* Padding along the middle of a contiguous x[outer][length][inner]: `low` elements before it, and more behind it, up to
 * y[outer][padded][inner], taken from x. T is the type of the elements. MODE:
 *   0  reflect     mirrored at the edge element, which is not repeated
 *   1  replicate   the edge element
 *   2  circular    from the other end
 * A work-item owns its share of the results; the gradient of an element is a sum over its copies in the order of y.
 * Both device classes. */
#include "line.clh"

#ifndef MODE
#define MODE 0
#endif

static inline long source_of(long j, long length)
{
#if MODE == 0
    j = max(j, -j);
    return j >= length ? 2 * (length - 1) - j : j;
#elif MODE == 1
    return clamp(j, 0L, length - 1);
#else
    return j < 0 ? j + length : j >= length ? j - length : j;
#endif
}

__kernel void pad_fwd(long outer, long length, long inner, long low, long padded, __global const T *restrict x, long xo,
                      __global T *restrict y, long yo)
{
    x += xo;
    y += yo;
    LINE_FOR(padded, y[t] = x[((long)o * length + source_of(k - low, length)) * inner + i])
}

#if !T_INT
/* dy from j = `from` up to j = `to` of a line, both inside of it */
#define ADD(from, to)                                                                                                  \
    for (long j = max(0L, (long)(from)); j <= min(padded - 1, (long)(to)); j++) sum += g[j * inner]

/* The gradient of element k of a line, whose dy is g. k is no long: Mesa 22.3's llvmpipe takes a long 0 > 0 as true. */
static inline T line_bwd(__global const T *g, INDEX k, long length, long inner, long low, long padded)
{
    T sum = 0;
#if MODE == 0
    if (k > 0) ADD(low - k, low - k);
    ADD(low + k, low + k);
    if (k < length - 1) ADD(low + 2 * (length - 1) - k, low + 2 * (length - 1) - k);
#elif MODE == 1
    ADD(k == 0 ? 0 : low + k, k == length - 1 ? padded - 1 : low + k);
#else
    ADD(low + k - length, low + k - length);
    ADD(low + k, low + k);
    ADD(low + k + length, low + k + length);
#endif
    return sum;
}

__kernel void pad_bwd(long outer, long length, long inner, long low, long padded, __global const T *restrict dy,
                      long gro, __global T *restrict dx, long dxo)
{
    dy += gro;
    dx += dxo;
    LINE_FOR(length, dx[t] = line_bwd(dy + (long)o * padded * inner + i, k, length, inner, low, padded))
}
#endif
