/* The 2-norm of many gradients together, and their scaling, without the host.
 *
 * grad_squares   a team a segment of `step` elements: part[segment] = the sum of its squares
 * grad_factor    one team: result[0] = norm = sqrt(sum of parts), result[1] = min(1, max_norm / (norm + 1e-6))
 * grad_scale     g *= result[1]
 *
 * The order of additions depends on sizes and on the class of device alone. Local memory: HG_LANES elements. */
#include "common.clh"

__kernel void grad_squares(long n, long step, __global const REAL *restrict g, long go, __global REAL *restrict part,
                           long po)
{
    __local REAL scratch[HG_LANES];
    const long begin = (long)get_group_id(0) * step, end = min(n, begin + step);
    const int stride = HG_LANES * HG_V;
    REALV a = 0, b = 0;
    REAL tail = 0;
    long i = begin + (long)get_local_id(0) * HG_V;
    g += go;
    for (; i + stride + HG_V <= end; i += 2 * stride) {
        REALV v = HG_LOADV(g + i), w = HG_LOADV(g + i + stride);
        a = fma(v, v, a);
        b = fma(w, w, b);
    }
    for (; i + HG_V <= end; i += stride) {
        REALV v = HG_LOADV(g + i);
        a = fma(v, v, a);
    }
    for (; i < end; i++) tail = fma(g[i], g[i], tail);
    REAL sum = hg_team_sum(hg_addv(a + b) + tail, scratch);
    if (get_local_id(0) == 0) part[po + get_group_id(0)] = sum;
}

__kernel void grad_factor(long n, REAL max_norm, __global const REAL *restrict part, long po,
                          __global REAL *restrict result, long ro)
{
    __local REAL scratch[HG_LANES];
    REAL sum = 0, lost = 0;     /* Kahan's sum */
    part += po;
    for (long i = get_local_id(0); i < n; i += HG_LANES) {
        REAL y = part[i] - lost, t = sum + y;
        lost = (t - sum) - y;
        sum = t;
    }
    sum = hg_team_sum(sum, scratch);
    if (get_local_id(0) == 0) {
        REAL norm = sqrt(sum), factor = max_norm / (norm + REAL_(1e-6));
        result[ro] = norm;
        result[ro + 1] = factor > 1 ? 1 : factor;
    }
}

__kernel void grad_scale(long n, __global const REAL *restrict result, long ro, __global REAL *restrict g, long go)
{
    const REAL factor = result[ro + 1];
    g += go;
    HG_FOR(i, n) g[i] *= factor;
}
