/* Softmax, its logarithm, and cross entropy on top of it, along one dimension of `n` elements. Element c of row p =
 * (outer, inner index i) is x[(outer n + c) inner + i].
 *
 * CPU, TEAM 1  inner is 1: a work-item takes several rows, HG_V elements at once.
 * CPU, TEAM 0  any inner: a work-item a row.
 * GPU          LANES work-items share each of the ROWS rows of a work-group. What a row is read for again lies in local
 *              memory, as far as there is room: 48 bytes a lane, or 24 for each of two operands, so that four groups
 *              fit into 64 KiB; a lane reads what it wrote itself. One REAL a lane besides.
 * GPU, TEAM 1  inner is 1: a row a work-group.
 * GPU, TEAM 2  rows of less than 64, inner is 1: 16 lanes a row. All rows of a group come and go through local memory,
 *              where they lie as in global memory: warps read and write without gaps.
 * GPU, TEAM 0  any inner: 8 lanes a row, neighbours on neighbouring rows.
 * Every barrier is outside of loops and conditions: PoCL 3.1 miscompiles the loops behind a barrier that only a uniform
 * condition leads to.
 *
 * Row statistics for cross entropy's gradient: stats[p] the largest x, stats[rows + p] the logarithm of the sum of
 * exp(x - largest), stats[2 rows + p] the factor of the softmax in dx. */
#include "common.clh"

#ifndef TEAM
#define TEAM 1
#endif

#define ROW_BASE(p) ((p) / inner * n * inner + (p) % inner)
#define LOAD_ONE(p) (*(p))
#define STORE_ONE(v, p) (*(p) = (v))

#if HG_CPU

#define LANE 0
#define SCRATCH
#define KEEP(kept, operands)
#define KEEP_SHORT(kept)
#define ROW_SUM(x) (x)
#define ROW_MAX(x) (x)
#if TEAM
typedef REALV VEC;
#define WIDTH HG_V
#define LOAD HG_LOADV
#define STORE HG_STOREV
#define ADD hg_addv
#define STEP 1
#define FOR_ROWS(p) for (long p = (long)get_group_id(0); p < rows; p += (long)get_num_groups(0))
#else
typedef REAL VEC;
#define WIDTH 1
#define LOAD LOAD_ONE
#define STORE STORE_ONE
#define ADD(v) (v)
#define STEP inner
#define FOR_ROWS(p) HG_FOR(p, rows)
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
/* The row p of x as xr; elements of it that are read again, too; the row of results. */
#define ROW_OF(xr, x, kept) __global const REAL *xr = (x) + ROW_BASE(p)
#define OUT_ROW(out, y, kept) __global REAL *out = (y) + ROW_BASE(p)
#define FIRST(L, xr, kept) L(xr + c * STEP)
#define AGAIN(L, xr, kept) L(xr + c * STEP)
#define ONCE(L, xr) L(xr + c * STEP)
#define WRITE_OUT(y, kept)
/* What a row leaves besides elements: q is its number, PICK an element of it. */
#define HAND_OVER(v)
#define FOR_RESULT(q) for (long q = p, once_ = 1; once_; once_ = 0)
#define PICK(xr, kept, c) xr[(c) * STEP]

/* c runs over a row: WIDE for WIDTH elements at once, then SINGLE for what is left of it. */
#define OVER_ROW(WIDE, SINGLE)                                                                                         \
    for (long c = 0; c + WIDTH <= n; c += WIDTH) WIDE;                                                                 \
    for (long c = n - n % WIDTH; c < n; c++) SINGLE

#else

#define LID ((int)get_local_id(0))
#if TEAM == 1
#define LANES HG_LANES
#elif TEAM == 2
#define LANES (HG_LANES < 16 ? HG_LANES : 16)
#else
#define LANES (HG_LANES < 8 ? HG_LANES : 8)
#endif
#define ROWS (HG_LANES / LANES)
#if TEAM == 0
#define LANE (LID / ROWS)
#define ROW (LID % ROWS)
#define APART ROWS
#define HOME ROW
#define STEP inner
#define SLOT(c) ((c) * ROWS + ROW)
#else
#define LANE (LID % LANES)
#define ROW (LID / LANES)
#define APART 1
#define HOME (LID - LANE)
#define STEP 1
#define SLOT(c) (c)
#endif
typedef REAL VEC;
#define WIDTH 1
#define LOAD LOAD_ONE
#define STORE STORE_ONE
#define ADD(v) (v)
#define maxv(v) (v)

/* A row too many has no elements, and leaves nothing. */
#define FOR_ROWS(p)                                                                                                    \
    const long first_ = (long)get_group_id(0) * ROWS, row_ = first_ + ROW, p = min(row_, rows - 1);                    \
    const long many_ = row_ < rows ? n : 0;                                                                            \
    (void)p;
#define OVER_ROW(WIDE, SINGLE)                                                                                         \
    for (long c = LANE; c < many_; c += LANES) SINGLE

#define SCRATCH __local REAL scratch[HG_LANES]
#define ROW_TREE(name, TOGETHER)                                                                                       \
    static inline REAL name(REAL x, __local REAL *scratch)                                                             \
    {                                                                                                                  \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        scratch[LID] = x;                                                                                              \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                  \
        for (int half_ = LANES / 2; half_ > 0; half_ /= 2) {                                                           \
            REAL other = LANE < half_ ? scratch[LID + half_ * APART] : x;                                              \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                              \
            if (LANE < half_) scratch[LID] = TOGETHER(scratch[LID], other);                                            \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                              \
        }                                                                                                              \
        return scratch[HOME];                                                                                          \
    }
#define PLUS(a, b) ((a) + (b))
ROW_TREE(row_sum, PLUS)
ROW_TREE(row_max, fmax)
#define ROW_SUM(x) row_sum(x, scratch)
#define ROW_MAX(x) row_max(x, scratch)

#if TEAM == 2
#define KEEP_SHORT(kept) __local REAL kept[4 * HG_LANES]
#define KEEP(kept, operands) KEEP_SHORT(kept)
#define ROW_OF(xr, x, kept)                                                                                            \
    for (long e = LID; e < min((long)ROWS, rows - first_) * n; e += HG_LANES) kept[e] = (x)[first_ * n + e];           \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                      \
    __local REAL *xr = kept + ROW * n
#define OUT_ROW(out, y, kept) __local REAL *out = kept + ROW * n
#define FIRST(L, xr, kept) xr[c]
#define AGAIN(L, xr, kept) xr[c]
#define ONCE(L, xr) xr[c]
#define WRITE_OUT(y, kept)                                                                                             \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                                      \
    for (long e = LID; e < min((long)ROWS, rows - first_) * n; e += HG_LANES) (y)[first_ * n + e] = kept[e]
/* Lane k < ROWS of the group writes what row k leaves, so that one warp writes all of it. */
static inline REAL hand_over(REAL v, __local REAL *scratch)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    if (LANE == 0) scratch[ROW] = v;
    barrier(CLK_LOCAL_MEM_FENCE);
    return scratch[LID < ROWS ? LID : 0];
}
#define HAND_OVER(v) v = hand_over(v, scratch)
#define FOR_RESULT(q) for (long q = first_ + LID; LID < ROWS && q < min(first_ + ROWS, rows); q += ROWS)
#define PICK(xr, kept, c) kept[LID * n + (c)]
#else
#define KEEP_SHORT(kept)
#define KEEP(kept, operands) __local REAL kept[(HG_F64 ? 6 : 12) / (operands) * HG_LANES]
#define ROOM(kept) ((long)(sizeof(kept) / sizeof(REAL) / ROWS))
static inline REAL keep(REAL v, __local REAL *kept, long slot, bool fits)
{
    if (fits) kept[slot] = v;
    return v;
}
#define ROW_OF(xr, x, kept) __global const REAL *xr = (x) + ROW_BASE(p)
#define OUT_ROW(out, y, kept) __global REAL *out = (y) + ROW_BASE(p)
#define FIRST(L, xr, kept) keep(xr[c * STEP], kept, SLOT(c), c < ROOM(kept))
#define AGAIN(L, xr, kept) (c < ROOM(kept) ? kept[SLOT(c)] : xr[c * STEP])
#define ONCE(L, xr) xr[c * STEP]
#define WRITE_OUT(y, kept)
#define HAND_OVER(v)
#define FOR_RESULT(q) for (long q = p; LANE == 0 && row_ < rows && q == p; q++)
#define PICK(xr, kept, c) ((c) < ROOM(kept) ? kept[SLOT(c)] : xr[(c) * STEP])
#endif
#endif

/* `out` is the sum (maximum) over the row of TERM(L), an expression in c that loads through L. ADD_UP is a lane's part
 * of the sum. */
#define ADD_UP(out, TERM)                                                                                              \
    do {                                                                                                               \
        VEC v_ = 0;                                                                                                    \
        REAL r_ = 0;                                                                                                   \
        OVER_ROW(v_ += TERM(LOAD), r_ += TERM(LOAD_ONE));                                                              \
        out = r_ + ADD(v_);                                                                                            \
    } while (0)
#define SUM_OF(out, TERM)                                                                                              \
    ADD_UP(out, TERM);                                                                                                 \
    out = ROW_SUM(out)
#define MAX_OF(out, TERM)                                                                                              \
    do {                                                                                                               \
        VEC v_ = (REAL)-INFINITY;                                                                                      \
        REAL r_ = (REAL)-INFINITY;                                                                                     \
        OVER_ROW(v_ = fmax(v_, TERM(LOAD)), r_ = fmax(r_, TERM(LOAD_ONE)));                                            \
        out = fmax(r_, maxv(v_));                                                                                      \
    } while (0);                                                                                                       \
    out = ROW_MAX(out)
#define STORE_EACH(out, TERM)                                                                                          \
    do {                                                                                                               \
        OVER_ROW(STORE((VEC)(TERM(LOAD)), (out) + c * STEP), STORE_ONE(TERM(LOAD_ONE), (out) + c * STEP));             \
    } while (0)

/* `high` is the largest x of the row, `sum` that of exp(x - high). */
#if HG_CPU || TEAM == 2
#define EXPONENTIALS(high, sum)                                                                                        \
    MAX_OF(high, X_FIRST);                                                                                             \
    SUM_OF(sum, EXPONENTIAL)
#else
/* A row too long to be kept is read once for both: a lane's sum is scaled down when its largest x grows. */
#define EXPONENTIALS(high, sum)                                                                                        \
    REAL own_ = (REAL)-INFINITY, part_ = 0;                                                                            \
    if (n > ROOM(kx)) {                                                                                                \
        for (long c = LANE; c < many_; c += LANES) {                                                                   \
            const REAL v_ = X_FIRST(LOAD_ONE);                                                                         \
            if (v_ > own_) {                                                                                           \
                part_ = part_ * exp(own_ - v_) + exp(v_ - v_);                                                         \
                own_ = v_;                                                                                             \
            } else {                                                                                                   \
                part_ += v_ == own_ ? (REAL)1 : exp(v_ - own_);                                                        \
            }                                                                                                          \
        }                                                                                                              \
    } else {                                                                                                           \
        for (long c = LANE; c < many_; c += LANES) own_ = fmax(own_, X_FIRST(LOAD_ONE));                               \
    }                                                                                                                  \
    high = ROW_MAX(own_);                                                                                              \
    if (n > ROOM(kx))                                                                                                  \
        part_ = part_ == 0 ? part_ : part_ * exp(own_ - high);                                                         \
    else                                                                                                               \
        ADD_UP(part_, EXPONENTIAL);                                                                                    \
    sum = ROW_SUM(part_)
#endif

#define X_FIRST(L) FIRST(L, xr, kx)
#define X(L) AGAIN(L, xr, kx)
#define X_ONCE(L) ONCE(L, xr)
#define WEIGHT(L) L(weight + c)
#define EXPONENTIAL(L) exp(X(L) - high)
#define LOGARITHM(L) (X(L) - high - log_sum)
#define LOGARITHM_ONCE(L) (X_ONCE(L) - high - log_sum)

/* ---- y = exp(x - high) / sum, or x - high - log(sum) if `logs` ------------------------------------------------ */

__kernel void softmax_fwd(long rows, long n, long inner, int logs, __global const REAL *restrict x, long xo,
                          __global REAL *restrict y, long yo)
{
    SCRATCH;
    KEEP(kx, 1);
    x += xo;
    y += yo;
    FOR_ROWS(p)
    {
        ROW_OF(xr, x, kx);
        OUT_ROW(out, y, kx);
        REAL high, sum;
        EXPONENTIALS(high, sum);
        REAL log_sum = log(sum);
#define PROBABILITY(L) (EXPONENTIAL(L) / sum)
        if (logs)
            STORE_EACH(out, LOGARITHM);
        else
            STORE_EACH(out, PROBABILITY);
        WRITE_OUT(y, kx);
    }
}

/* dx = y (dy - sum(dy y)), or dy - exp(y) sum(dy) if `logs` */
__kernel void softmax_bwd(long rows, long n, long inner, int logs, __global const REAL *restrict y, long yo,
                          __global const REAL *restrict dy, long gro, __global REAL *restrict dx, long dxo)
{
    SCRATCH;
    KEEP(ky, 2);
    KEEP(kg, 2);
    y += yo;
    dy += gro;
    dx += dxo;
    FOR_ROWS(p)
    {
        ROW_OF(yr, y, ky);
        ROW_OF(gr, dy, kg);
        OUT_ROW(out, dx, kg);
        REAL sum;
#define Y(L) AGAIN(L, yr, ky)
#define Y_ONCE(L) ONCE(L, yr)
#define DY_FIRST(L) FIRST(L, gr, kg)
#define DY(L) AGAIN(L, gr, kg)
#define PRODUCT(L) (DY_FIRST(L) * FIRST(L, yr, ky))
#define D_LOGARITHM(L) (DY(L) - exp(Y_ONCE(L)) * sum)
#define D_PROBABILITY(L) (Y(L) * (DY(L) - sum))
        if (logs)
            ADD_UP(sum, DY_FIRST);
        else
            ADD_UP(sum, PRODUCT);
        sum = ROW_SUM(sum);
        if (logs)
            STORE_EACH(out, D_LOGARITHM);
        else
            STORE_EACH(out, D_PROBABILITY);
        WRITE_OUT(dx, kg);
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
    KEEP(kx, 1);
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    FOR_ROWS(p)
    {
        ROW_OF(xr, x, kx);
        REAL high, sum, smooth = 0, weights = 0;
        EXPONENTIALS(high, sum);
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
        HAND_OVER(high);
        HAND_OVER(log_sum);
        HAND_OVER(smooth);
        HAND_OVER(weights);
        FOR_RESULT(q)
        {
            long t = target[q];
            bool ignored = t == ignore, valid = t >= 0 && t < n;
            REAL w = 0, value = 0, factor = 0, share = smoothing / (REAL)n;
            if (!ignored && valid) {
                w = weighted ? weight[t] : 1;
                value = w * (log_sum - (PICK(xr, kx, t) - high));
                factor = w;
                if (smoothing > 0) {
                    value = (1 - smoothing) * value + share * smooth;
                    factor = (1 - smoothing) * w + (weighted ? share * weights : smoothing);
                }
            } else if (!ignored) {
                value = factor = (REAL)NAN;
            }
            stats[q] = high;
            stats[rows + q] = log_sum;
            stats[2 * rows + q] = factor;
            loss[lo + q] = value;
            used[uo + q] = w;
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
    KEEP_SHORT(kx);
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    dx += dxo;
    FOR_ROWS(p)
    {
        ROW_OF(xr, x, kx);
        OUT_ROW(out, dx, kx);
        REAL high = stats[p], log_sum = stats[rows + p], factor = stats[2 * rows + p];
        REAL g = dy[gro + p * dy_step] / total[totalo];
        long t = target[p];
        REAL share = t == ignore ? 0 : smoothing / (REAL)n;
        bool hit = t != ignore && t >= 0 && t < n;
#if HG_CPU
#define MINUS_TAKEN
#else
        REAL taken = hit ? (1 - smoothing) * (weighted ? weight[t] : 1) * g : 0;
#define MINUS_TAKEN - (c == t ? taken : 0)
#endif
        if (weighted && share > 0) {
#define D_WEIGHTED(L) ((exp(LOGARITHM_ONCE(L)) * factor - WEIGHT(L) * share) * g MINUS_TAKEN)
            STORE_EACH(out, D_WEIGHTED);
        } else {
#define D_PLAIN(L) ((exp(LOGARITHM_ONCE(L)) * factor - share) * g MINUS_TAKEN)
            STORE_EACH(out, D_PLAIN);
        }
#if HG_CPU
        if (hit) out[t * STEP] -= (1 - smoothing) * (weighted ? weight[t] : 1) * g;
#endif
        WRITE_OUT(dx, kx);
    }
}

/* ---- cross entropy with class probabilities -------------------------------------------------------------------------
 * loss = -sum_c w[c] q[c] log p[c], q = (1 - smoothing) target + smoothing / n */
#define Q_FIRST(L) (FIRST(L, tr, kt) * kept + share)
#define Q(L) (AGAIN(L, tr, kt) * kept + share)
#define Q_ONCE(L) (ONCE(L, tr) * kept + share)

__kernel void ce_prob_fwd(long rows, long n, long inner, REAL smoothing, int weighted, __global const REAL *restrict x,
                          long xo, __global const REAL *restrict target, long to, __global const REAL *restrict weight,
                          long wo, __global REAL *restrict stats, long so, __global REAL *restrict loss, long lo)
{
    SCRATCH;
    KEEP(kx, 2);
    KEEP(kt, 2);
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    REAL kept = 1 - smoothing, share = smoothing / (REAL)n;
    FOR_ROWS(p)
    {
        ROW_OF(xr, x, kx);
        ROW_OF(tr, target, kt);
        REAL high, sum, value, factor;
        EXPONENTIALS(high, sum);
        REAL log_sum = log(sum);
#define WEIGHTED_Q(L) (WEIGHT(L) * Q_FIRST(L))
#define WEIGHTED_Q_LOSS(L) (WEIGHT(L) * Q(L) * -LOGARITHM(L))
#define Q_LOSS(L) (Q(L) * -LOGARITHM(L))
        if (weighted) {
            ADD_UP(factor, WEIGHTED_Q);
            ADD_UP(value, WEIGHTED_Q_LOSS);
        } else {
            ADD_UP(factor, Q_FIRST);
            ADD_UP(value, Q_LOSS);
        }
        factor = ROW_SUM(factor);
        value = ROW_SUM(value);
        HAND_OVER(high);
        HAND_OVER(log_sum);
        HAND_OVER(factor);
        HAND_OVER(value);
        FOR_RESULT(q)
        {
            stats[q] = high;
            stats[rows + q] = log_sum;
            stats[2 * rows + q] = factor;
            loss[lo + q] = value;
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
    KEEP_SHORT(kx);
    KEEP_SHORT(kt);
    x += xo;
    target += to;
    weight += wo;
    stats += so;
    dx += dxo;
    REAL kept = 1 - smoothing, share = smoothing / (REAL)n;
    FOR_ROWS(p)
    {
        ROW_OF(xr, x, kx);
        ROW_OF(tr, target, kt);
        OUT_ROW(out, dx, kx);
        REAL high = stats[p], log_sum = stats[rows + p], factor = stats[2 * rows + p];
        REAL g = dy[gro + p * dy_step] / total;
        if (to_target && weighted) {
#define D_TARGET_WEIGHTED(L) (WEIGHT(L) * -LOGARITHM_ONCE(L) * (kept * g))
            STORE_EACH(out, D_TARGET_WEIGHTED);
        } else if (to_target) {
#define D_TARGET(L) (-LOGARITHM_ONCE(L) * (kept * g))
            STORE_EACH(out, D_TARGET);
        } else if (weighted) {
#define D_WEIGHTED_Q(L) ((exp(LOGARITHM_ONCE(L)) * factor - WEIGHT(L) * Q_ONCE(L)) * g)
            STORE_EACH(out, D_WEIGHTED_Q);
        } else {
#define D_Q(L) ((exp(LOGARITHM_ONCE(L)) * factor - Q_ONCE(L)) * g)
            STORE_EACH(out, D_Q);
        }
        WRITE_OUT(dx, kx);
    }
}
