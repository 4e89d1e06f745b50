/* A batch normalisation that follows a convolution, as part of that convolution: w'[o] = w[o] s and
 * b'[o] = (b[o] - mean[o]) s + beta[o] with s = gamma[o] / sqrt(var[o] + eps). Both device classes: a team an output,
 * whose weights are `row` elements side by side. */
#include "common.clh"

__kernel void conv_fold(long row, int biased, int affine, REAL eps, __global const REAL *restrict w, long wo,
                        __global const REAL *restrict b, long bo, __global const REAL *restrict gamma, long go,
                        __global const REAL *restrict beta, long beo, __global const REAL *restrict mean, long mo,
                        __global const REAL *restrict var, long vo, __global REAL *restrict to_w, long two,
                        __global REAL *restrict to_b, long tbo)
{
    const long lane = (long)get_local_id(0), o = (long)get_group_id(0);
    const REAL s = (affine ? gamma[go + o] : (REAL)1) / sqrt(var[vo + o] + eps);
    w += wo + o * row;
    to_w += two + o * row;
    for (long i = lane; i < row; i += HG_LANES) to_w[i] = w[i] * s;
    if (lane == 0)
        to_b[tbo + o] = ((biased ? b[bo + o] : (REAL)0) - mean[mo + o]) * s + (affine ? beta[beo + o] : (REAL)0);
}
