/* x += 1, one element of i64: a count that the host need not wait for. One work-item on every class of device. */
#include "common.clh"

__kernel void count(__global long *x, long xo)
{
    x[xo]++;
}
