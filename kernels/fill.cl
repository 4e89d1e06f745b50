/* y = value, for elements of SIZE bytes. Both device classes. */
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

__kernel void fill(int n, __global ELEMENT *restrict y, INDEX yo, ulong bits)
{
    y += yo;
    ELEMENT value = (ELEMENT)bits;
    HG_FOR(i, n) y[i] = value;
}
