/* y = value, for elements of SIZE bytes; any strides. Both device classes; an element a step. */
#include "common.clh"

#ifndef SIZE
#define SIZE 4
#endif
#if SIZE == 1
typedef uchar ELEMENT;
#elif SIZE == 4
typedef uint ELEMENT;
#else
typedef ulong ELEMENT;
#endif

__kernel void fill(long n, ulong bits, __global ELEMENT *restrict y, long yo)
{
    y += yo;
    ELEMENT value = (ELEMENT)bits;
    HG_FOR(i, n) y[i] = value;
}

__kernel void fill_strided(long n, int ndim, long8 size, ulong bits, __global ELEMENT *restrict y, long yo, long8 ys)
{
    y += yo;
    ELEMENT value = (ELEMENT)bits;
    HG_FOR(i, n) y[hg_walk(i, ndim, size, ys, 0, 0, 0).x] = value;
}
