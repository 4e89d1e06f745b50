/* Softmax, its logarithm, and cross entropy on top of it, along one dimension of `n` elements.
 *
 * Element c of row p = (outer, inner index i) is x[(outer n + c) inner + i]. Two forms, chosen at compile time:
 * TEAM 1  inner is 1: a team of HG_LANES work-items shares a row (a CPU work-item takes several rows, HG_V elements at
 *         once). Local memory: one REAL a lane. Every barrier is outside of loops and conditions: PoCL 3.1 miscompiles
 *         the loops behind a barrier that only a uniform condition leads to.
 * TEAM 0  any inner: a work-item a row, neighbours on neighbouring rows.
 * TEAM 2  short rows on a GPU, inner is 1: 16 neighbours share a row, so that a warp reads rows that lie side by side.
 * Both device classes. Row statistics for cross entropy's gradient: stats[p] the largest x, stats[rows + p] the
 * logarithm of the sum of exp(x - largest), stats[2 rows + p] the factor of the softmax in dx. */
#include "common.clh"

#ifndef TEAM
#define TEAM 1
#endif

#if TEAM == 2
typedef REAL VEC;
#define WIDTH 1
#define LOAD(p) (*(p))
#define STORE(v, p) if (own_) *(p) = (v)
#define ADD(v) (v)
#define LANES (HG_LANES < 16 ? HG_LANES : 16)
/* A row too many has no first lane, and stores nothing. */
#define LANE (own_ ? (int)get_local_id(0) % LANES : LANES)
#define STEP 1
#define FOR_ROWS(p)                                                                                                    \
    const long row_ = (long)get_group_id(0) * (HG_LANES / LANES) + (int)get_local_id(0) / LANES, p = min(row_, rows - 1); \
    const bool own_ = row_ < rows;
#elif TEAM
typedef REALV VEC;
#define WIDTH HG_V
#define LOAD HG_LOADV
#define STORE HG_STOREV
#define ADD hg_addv
#define LANES HG_LANES
#define LANE ((int)get_local_id(0))
#define STEP 1
#if LANES > 1
#define FOR_ROWS(p) const long p = (long)get_group_id(0);
#else
#define FOR_ROWS(p) for (long p = (long)get_group_id(0); p < rows; p += (long)get_num_groups(0))
#endif
#else
typedef REAL VEC;
#define WIDTH 1
#define LOAD(p) (*(p))
#define STORE(v, p) (*(p) = (v))
#define ADD(v) (v)
#define LANES 1
#define LANE 0
#define STEP inner
#define FOR_ROWS(p) HG_FOR(p, rows)
#endif
#define LOAD_ONE(p) (*(p))
#define STORE_ONE(v, p) (*(p) = (v))

#if TEAM == 2
#define SCRATCH __local REAL scratch[HG_LANES]
#define SHORT_TREE(name, TOGETHER)                                                                                     \
    static inline REAL name(REAL x, __local REAL *scratch)                                                             \
    {                                                                                                                  \
        const int lane = (int)get_local_id(0), own = lane % LANES;                                                     \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        scratch[lane] = x;                                                                                             \
        for (int half_ = LANES / 2; half_ > 0; half_ /= 2) {                                                           \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                              \
            REAL other = own < half_ ? scratch[lane + half_] : x;                                                      \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                              \
            if (own < half_) scratch[lane] = TOGETHER(scratch[lane], other);                                           \
        }                                                                                                              \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        return scratch[lane - own];                                                                                    \
    }
#define PLUS(a, b) ((a) + (b))
SHORT_TREE(short_sum, PLUS)
SHORT_TREE(short_max, fmax)
#define ROW_SUM(x) short_sum(x, scratch)
#define ROW_MAX(x) short_max(x, scratch)
#elif LANES > 1
#define SCRATCH __local REAL scratch[HG_LANES]
#define ROW_SUM(x) hg_team_sum(x, scratch)
#define ROW_MAX(x) team_max(x, scratch)
static inline REAL team_max(REAL x, __local REAL *scratch)
{
    int lane = (int)get_local_id(0);
    barrier(CLK_LOCAL_MEM_FENCE);
    scratch[lane] = x;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = HG_LANES / 2; half_ > 0; half_ /= 2) {
        REAL other = lane < half_ ? scratch[lane + half_] : x;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_) scratch[lane] = fmax(scratch[lane], other);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    return scratch[0];
}
#else
#define SCRATCH
#define ROW_SUM(x) (x)
#define ROW_MAX(x) (x)
#endif

#if TEAM && HG_V == 16
static inline REAL maxv(VEC v)
{
    HG_CAT_REAL(8) a = fmax(v.lo, v.hi);
    HG_CAT_REAL(4) b = fmax(a.lo, a.hi);
    HG_CAT_REAL(2) c = fmax(b.lo, b.hi);
    return fmax(c.x, c.y);
}
#else
#define maxv(v) (v)
#endif

/* c runs over this lane's share of a row: WIDE for WIDTH elements at once, then SINGLE for what is left of the row. */
#define OVER_ROW(WIDE, SINGLE)                                                                                         \
    for (long c = (long)LANE * WIDTH; c + WIDTH <= n; c += (long)LANES * WIDTH) WIDE;                                  \
    for (long c = n - n % WIDTH; c < n; c++) SINGLE

/* `out` is the sum (maximum) over the row of TERM(L), an expression in c that loads through L. ADD_UP is a lane's part
 * of the sum. */
#define ADD_UP(out, TERM)                                                                                              \
    do {                                                                                                               \
        VEC v_ = 0;                                                                                                    \
        REAL r_ = 0;                                                                                                   \
        OVER_ROW(v_ += TERM(LOAD), r_ += TERM(LOAD_ONE));                                                                   \
        out = r_ + ADD(v_);                                                                                            \
    } while (0)
#define SUM_OF(out, TERM)                                                                                              \
    ADD_UP(out, TERM);                                                                                                 \
    out = ROW_SUM(out)
#define MAX_OF(out, TERM)                                                                                              \
    do {                                                                                                               \
        VEC v_ = (REAL)-INFINITY;                                                                                      \
        REAL r_ = (REAL)-INFINITY;                                                                                     \
        OVER_ROW(v_ = fmax(v_, TERM(LOAD)), r_ = fmax(r_, TERM(LOAD_ONE)));                                                 \
        out = fmax(r_, maxv(v_));                                                                                      \
    } while (0);                                                                                                       \
    out = ROW_MAX(out)
#define STORE_EACH(out, TERM)                                                                                          \
    do {                                                                                                               \
        OVER_ROW(STORE((VEC)(TERM(LOAD)), (out) + c * STEP), STORE_ONE(TERM(LOAD_ONE), (out) + c * STEP));                  \
    } while (0)

#define ROW_BASE(p) ((p) / inner * n * inner + (p) % inner)

#define X(L) L(xr + c * STEP)
#define Y(L) L(yr + c * STEP)
#define DY(L) L(gr + c * STEP)
#define WEIGHT(L) L(weight + c)
#define TARGET(L) L(tr + c * STEP)
#define EXPONENTIAL(L) exp(X(L) - high)
#define LOGARITHM(L) (X(L) - high - log_sum)

/* ---- y = exp(x - high) / sum, or x - high - log(sum) if `logs` ------------------------------------------------ */

__kernel void softmax_fwd(long rows, long n, long inner, int logs, __global const REAL *restrict x, long xo,
                          __global REAL *restrict y, long yo)
{
    SCRATCH;
    x += xo;
    y += yo;
    FOR_ROWS(p)
    {
        __global const REAL *xr = x + ROW_BASE(p);
        __global REAL *out = y + ROW_BASE(p);
        REAL high, sum;
        MAX_OF(high, X);
        SUM_OF(sum, EXPONENTIAL);
        REAL log_sum = log(sum);
#define PROBABILITY(L) (EXPONENTIAL(L) / sum)
        if (logs)
            STORE_EACH(out, LOGARITHM);
        else
            STORE_EACH(out, PROBABILITY);
    }
}

/* dx = y (dy - sum(dy y)), or dy - exp(y) sum(dy) if `logs` */
__kernel void softmax_bwd(long rows, long n, long inner, int logs, __global const REAL *restrict y, long yo,
                          __global const REAL *restrict dy, long gro, __global REAL *restrict dx, long dxo)
{
    SCRATCH;
    y += yo;
    dy += gro;
    dx += dxo;
    FOR_ROWS(p)
    {
        __global const REAL *yr = y + ROW_BASE(p), *gr = dy + ROW_BASE(p);
        __global REAL *out = dx + ROW_BASE(p);
        REAL sum;
#define PRODUCT(L) (DY(L) * Y(L))
#define D_LOGARITHM(L) (DY(L) - exp(Y(L)) * sum)
#define D_PROBABILITY(L) (Y(L) * (DY(L) - sum))
        if (logs)
            ADD_UP(sum, DY);
        else
            ADD_UP(sum, PRODUCT);
        sum = ROW_SUM(sum);
        if (logs)
            STORE_EACH(out, D_LOGARITHM);
        else
            STORE_EACH(out, D_PROBABILITY);
    }
}

/* ---- cross entropy with class indices -----------------------------------------------------------------------------
 * loss = (1 - smoothing) w[t] (-log p[t]) + smoothing / n sum_c w[c] (-log p[c]), 0 where t is `ignore`, NaN where t
 * is no class; used = w[t], 0 where ignored: what the mean divides by. */
__kernel void ce_fwd(long rows, long n, long inner, long ignore, REAL smoothing, int weighted,
                     __global const REAL *restrict x, long xo, __global const long *restrict target, long to,
                     __global const REAL *restrict weight, long wo, __global REAL *restrict stats, long so,
                     __global REAL *restrict loss, long lo, __global REAL *restrict used, long uo)
{
    SCRATCH;
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    FOR_ROWS(p)
    {
        __global const REAL *xr = x + ROW_BASE(p);
        REAL high, sum, smooth = 0, weights = 0;
        MAX_OF(high, X);
        SUM_OF(sum, EXPONENTIAL);
        REAL log_sum = log(sum);
#define WEIGHTED_LOSS(L) (WEIGHT(L) * -LOGARITHM(L))
#define PLAIN_LOSS(L) (-LOGARITHM(L))
        if (smoothing > 0 && weighted) {
            ADD_UP(smooth, WEIGHTED_LOSS);
            ADD_UP(weights, WEIGHT);
        } else if (smoothing > 0) {
            ADD_UP(smooth, PLAIN_LOSS);
        }
        smooth = ROW_SUM(smooth);
        weights = ROW_SUM(weights);
        if (LANE == 0) {
            long t = target[p];
            bool ignored = t == ignore, valid = t >= 0 && t < n;
            REAL w = 0, value = 0, factor = 0, share = smoothing / (REAL)n;
            if (!ignored && valid) {
                w = weighted ? weight[t] : 1;
                value = w * (log_sum - (xr[t * STEP] - high));
                factor = w;
                if (smoothing > 0) {
                    value = (1 - smoothing) * value + share * smooth;
                    factor = (1 - smoothing) * w + (weighted ? share * weights : smoothing);
                }
            } else if (!ignored) {
                value = factor = (REAL)NAN;
            }
            stats[p] = high;
            stats[rows + p] = log_sum;
            stats[2 * rows + p] = factor;
            loss[lo + p] = value;
            used[uo + p] = w;
        }
    }
}

/* dx = g (factor p - smoothing / n w - (1 - smoothing) w [c = t]), g = dy / total; dy[p * dy_step] */
__kernel void ce_bwd(long rows, long n, long inner, long ignore, REAL smoothing, int weighted,
                     __global const REAL *restrict x, long xo, __global const long *restrict target, long to,
                     __global const REAL *restrict weight, long wo, __global const REAL *restrict stats, long so,
                     __global const REAL *restrict dy, long gro, int dy_step, __global const REAL *restrict total,
                     long totalo, __global REAL *restrict dx, long dxo)
{
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    dx += dxo;
    FOR_ROWS(p)
    {
        __global const REAL *xr = x + ROW_BASE(p);
        __global REAL *out = dx + ROW_BASE(p);
        REAL high = stats[p], log_sum = stats[rows + p], factor = stats[2 * rows + p];
        REAL g = dy[gro + p * dy_step] / total[totalo];
        long t = target[p];
        REAL share = t == ignore ? 0 : smoothing / (REAL)n;
        if (weighted && share > 0) {
#define D_WEIGHTED(L) ((exp(LOGARITHM(L)) * factor - WEIGHT(L) * share) * g)
            STORE_EACH(out, D_WEIGHTED);
        } else {
#define D_PLAIN(L) ((exp(LOGARITHM(L)) * factor - share) * g)
            STORE_EACH(out, D_PLAIN);
        }
        /* The work-item that wrote element t corrects it. */
        if (t != ignore && t >= 0 && t < n && LANE == t % LANES)
            out[t * STEP] -= (1 - smoothing) * (weighted ? weight[t] : 1) * g;
    }
}

/* ---- cross entropy with class probabilities -------------------------------------------------------------------------
 * loss = -sum_c w[c] q[c] log p[c], q = (1 - smoothing) target + smoothing / n */
#define Q(L) (TARGET(L) * keep + share)

__kernel void ce_prob_fwd(long rows, long n, long inner, REAL smoothing, int weighted, __global const REAL *restrict x,
                          long xo, __global const REAL *restrict target, long to, __global const REAL *restrict weight,
                          long wo, __global REAL *restrict stats, long so, __global REAL *restrict loss, long lo)
{
    SCRATCH;
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    REAL keep = 1 - smoothing, share = smoothing / (REAL)n;
    FOR_ROWS(p)
    {
        __global const REAL *xr = x + ROW_BASE(p), *tr = target + ROW_BASE(p);
        REAL high, sum, value, factor;
        MAX_OF(high, X);
        SUM_OF(sum, EXPONENTIAL);
        REAL log_sum = log(sum);
#define WEIGHTED_Q(L) (WEIGHT(L) * Q(L))
#define WEIGHTED_Q_LOSS(L) (WEIGHTED_Q(L) * -LOGARITHM(L))
#define Q_LOSS(L) (Q(L) * -LOGARITHM(L))
        if (weighted) {
            ADD_UP(factor, WEIGHTED_Q);
            ADD_UP(value, WEIGHTED_Q_LOSS);
        } else {
            ADD_UP(factor, Q);
            ADD_UP(value, Q_LOSS);
        }
        factor = ROW_SUM(factor);
        value = ROW_SUM(value);
        if (LANE == 0) {
            stats[p] = high;
            stats[rows + p] = log_sum;
            stats[2 * rows + p] = factor;
            loss[lo + p] = value;
        }
    }
}

/* dx = g (factor p - w q), or, if `to_target`, the gradient of the target: g (1 - smoothing) w (-log p) */
__kernel void ce_prob_bwd(long rows, long n, long inner, REAL smoothing, int weighted, int to_target,
                          __global const REAL *restrict x, long xo, __global const REAL *restrict target, long to,
                          __global const REAL *restrict weight, long wo, __global const REAL *restrict stats, long so,
                          __global const REAL *restrict dy, long gro, int dy_step, REAL total,
                          __global REAL *restrict dx, long dxo)
{
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    dx += dxo;
    REAL keep = 1 - smoothing, share = smoothing / (REAL)n;
    FOR_ROWS(p)
    {
        __global const REAL *xr = x + ROW_BASE(p), *tr = target + ROW_BASE(p);
        __global REAL *out = dx + ROW_BASE(p);
        REAL high = stats[p], log_sum = stats[rows + p], factor = stats[2 * rows + p];
        REAL g = dy[gro + p * dy_step] / total;
        if (to_target && weighted) {
#define D_TARGET_WEIGHTED(L) (WEIGHT(L) * -LOGARITHM(L) * (keep * g))
            STORE_EACH(out, D_TARGET_WEIGHTED);
        } else if (to_target) {
#define D_TARGET(L) (-LOGARITHM(L) * (keep * g))
            STORE_EACH(out, D_TARGET);
        } else if (weighted) {
#define D_WEIGHTED_Q(L) ((exp(LOGARITHM(L)) * factor - WEIGHT(L) * Q(L)) * g)
            STORE_EACH(out, D_WEIGHTED_Q);
        } else {
#define D_Q(L) ((exp(LOGARITHM(L)) * factor - Q(L)) * g)
            STORE_EACH(out, D_Q);
        }
    }
}
