/* What losses share: the check of class indices and the sum over elements; and the losses without a softmax.
 * Both device classes. */
#include "common.clh"

/* One team looks through all `n` targets. If one is neither `ignore` nor a class, the first such one goes to the
 * device's fault word, unless that holds an earlier finding. Local memory: one long a lane. */
__kernel void target_check(long n, long classes, long ignore, __global const long *restrict target, long to,
                           __global int *restrict fault)
{
    target += to;
    int lane = (int)get_local_id(0);
    long found = n;
    for (long i = lane; i < n && found == n; i += HG_LANES) {
        long t = target[i];
        if (t != ignore && (t < 0 || t >= classes)) found = i;
    }
#if HG_LANES > 1
    __local long first[HG_LANES];
    first[lane] = found;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = HG_LANES / 2; half_ > 0; half_ /= 2) {
        if (lane < half_) first[lane] = min(first[lane], first[lane + half_]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    found = first[0];
#endif
    if (lane == 0 && found < n && fault[0] == 0) {
        fault[1] = (int)clamp(target[found], (long)INT_MIN, (long)INT_MAX);
        fault[2] = (int)min(classes, (long)INT_MAX);
        fault[3] = (int)min(found, (long)INT_MAX);
        fault[0] = 1;
    }
}

/* Team k sums elements k * chunk up to (k + 1) * chunk of `a`, and of `b` if `pair`. The last stage, one team, divides
 * if `mean`: sums[k] = sum(a) / sum(b), or sum(a) / count; totals[k] is the divisor. */
__kernel void loss_sum(long n, long chunk, int pair, int mean, REAL count, __global const REAL *restrict a, long ao,
                       __global const REAL *restrict b, long bo, __global REAL *restrict sums, long so,
                       __global REAL *restrict totals, long totalo)
{
#if HG_LANES > 1
    __local REAL scratch[HG_LANES];
#else
    __local REAL *scratch = 0;
#endif
    long team = (long)get_group_id(0), begin = team * chunk, end = min(n, begin + chunk), i;
    int lane = (int)get_local_id(0);
    a += ao;
    b += bo;
    REALV va = 0, vb = 0;
    REAL sa = 0, sb = 0;
    for (i = begin + (long)lane * HG_V; i + HG_V <= end; i += HG_LANES * HG_V) {
        va += HG_LOADV(a + i);
        if (pair) vb += HG_LOADV(b + i);
    }
    for (i = end - (end - begin) % HG_V; i < end; i++) {
        sa += a[i];
        if (pair) sb += b[i];
    }
    sa = hg_team_sum(sa + hg_addv(va), scratch);
    sb = hg_team_sum(sb + hg_addv(vb), scratch);
    if (!pair) sb = count;
    if (lane == 0) {
        sums[so + team] = mean ? sa / sb : sa;
        totals[totalo + team] = sb;
    }
}

/* ---- negative log likelihood: element c of row p is x[(p / inner * n + c) inner + p % inner] ---------------------- */

__kernel void nll_fwd(long rows, long n, long inner, long ignore, int weighted, __global const REAL *restrict x, long xo,
                      __global const long *restrict target, long to, __global const REAL *restrict weight, long wo,
                      __global REAL *restrict loss, long lo, __global REAL *restrict used, long uo)
{
    x += xo;
    target += to;
    loss += lo;
    used += uo;
    HG_FOR(p, rows)
    {
        long t = target[p];
        REAL w = 0, value = 0;
        if (t != ignore && t >= 0 && t < n) {
            w = weighted ? weight[wo + t] : 1;
            value = -w * x[(p / inner * n + t) * inner + p % inner];
        } else if (t != ignore) {
            value = (REAL)NAN;
        }
        loss[p] = value;
        used[p] = w;
    }
}

/* Writes dx at each row's target; the rest of dx is zero already. A row whose target is no class has no gradient. */
__kernel void nll_bwd(long rows, long n, long inner, long ignore, int weighted, __global const long *restrict target,
                      long to, __global const REAL *restrict weight, long wo, __global const REAL *restrict dy, long gro,
                      int dy_step, __global const REAL *restrict total, long totalo, __global REAL *restrict dx, long dxo)
{
    target += to;
    dx += dxo;
    HG_FOR(p, rows)
    {
        long t = target[p];
        if (t != ignore && t >= 0 && t < n)
            dx[(p / inner * n + t) * inner + p % inner] =
                -(weighted ? weight[wo + t] : 1) * (dy[gro + (long)p * dy_step] / total[totalo]);
    }
}

/* ---- squared difference ------------------------------------------------------------------------------------------- */

__kernel void mse_fwd(long n, __global const REAL *restrict a, long ao, __global const REAL *restrict b, long bo,
                      __global REAL *restrict y, long yo)
{
    a += ao;
    b += bo;
    y += yo;
    HG_FOR(i, n)
    {
        REAL d = a[i] - b[i];
        y[i] = d * d;
    }
}

/* da = scale (a - b) dy; db is the same with the operands exchanged. dy[i * dy_step] */
__kernel void mse_bwd(long n, REAL scale, __global const REAL *restrict a, long ao, __global const REAL *restrict b,
                      long bo, __global const REAL *restrict dy, long gro, int dy_step, __global REAL *restrict da,
                      long dao)
{
    a += ao;
    b += bo;
    dy += gro;
    da += dao;
    HG_FOR(i, n) da[i] = scale * (a[i] - b[i]) * dy[(long)i * dy_step];
}
