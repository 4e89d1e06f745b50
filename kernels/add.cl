/* y = a + b, contiguous: the sum of two gradients. Both device classes. y may be a. */
#include "common.clh"

__kernel void add(long n, __global const REAL *a, long ao, __global const REAL *b, long bo, __global REAL *y, long yo)
{
    a += ao;
    b += bo;
    y += yo;
    HG_FOR(i, n) y[i] = a[i] + b[i];
}
