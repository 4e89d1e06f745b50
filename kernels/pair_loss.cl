/* Losses of an input x and a target t, one result an element, and their gradients. Contiguous; a work-item owns its
 * share of the elements. Both device classes.
 *
 * NAME_fwd   y = f(x, t; p)
 * NAME_bwd   d = scale dy df/dx, or df/dt if `to_target`; dy[i dy_step]
 * bce_fwd, bce_bwd   the same with a weight and a positive weight, each only if `weights` has bit 1 (2). */
#include "common.clh"

#define PAIR_LOSS(name, expr, slope_x, slope_t)                                                                        \
    __kernel void name##_fwd(long n, REAL p, __global const REAL *restrict a, long ao, __global const REAL *restrict b,\
                             long bo, __global REAL *restrict y, long yo)                                              \
    {                                                                                                                  \
        a += ao;                                                                                                       \
        b += bo;                                                                                                       \
        y += yo;                                                                                                       \
        HG_FOR(i, n)                                                                                                   \
        {                                                                                                              \
            const REAL x = a[i], t = b[i], z = x - t;                                                                  \
            (void)x, (void)t, (void)z, (void)p;                                                                        \
            y[i] = (expr);                                                                                             \
        }                                                                                                              \
    }                                                                                                                  \
    __kernel void name##_bwd(long n, REAL p, REAL scale, int to_target, __global const REAL *restrict a, long ao,      \
                             __global const REAL *restrict b, long bo, __global const REAL *restrict dy, long gro,     \
                             int dy_step, __global REAL *restrict d, long d_at)                                        \
    {                                                                                                                  \
        a += ao;                                                                                                       \
        b += bo;                                                                                                       \
        dy += gro;                                                                                                     \
        d += d_at;                                                                                                     \
        HG_FOR(i, n)                                                                                                   \
        {                                                                                                              \
            const REAL x = a[i], t = b[i], z = x - t;                                                                  \
            (void)x, (void)t, (void)z, (void)p;                                                                        \
            const REAL slope = to_target ? (slope_t) : (slope_x);                                                      \
            d[i] = scale * slope * dy[(long)i * dy_step];                                                              \
        }                                                                                                              \
    }

static inline REAL smooth_slope(REAL z, REAL beta)
{
    return z <= -beta ? (REAL)-1 : z >= beta ? (REAL)1 : z / beta;
}

static inline REAL huber_slope(REAL z, REAL delta)
{
    return z <= -delta ? -delta : z >= delta ? delta : z;
}

PAIR_LOSS(smooth_l1, fabs(z) < p ? REAL_(0.5) * z * z / p : fabs(z) - REAL_(0.5) * p, smooth_slope(z, p),
          -smooth_slope(z, p))
PAIR_LOSS(huber, fabs(z) <= p ? REAL_(0.5) * z * z : p * (fabs(z) - REAL_(0.5) * p), huber_slope(z, p),
          -huber_slope(z, p))
/* 0 log 0 is 0; its gradient is NaN, as PyTorch's. */
PAIR_LOSS(kl_div, (t == 0 ? (REAL)0 : t * log(t)) - t * x, -t, log(t) + t / t - x)
PAIR_LOSS(kl_div_log, exp(t) * (t - x), -exp(t), exp(t) * (t - x + 1))

/* log(1 + exp(-x)) */
static inline REAL softplus_of_minus(REAL x)
{
    return log1p(exp(-fabs(x))) + fmax(-x, (REAL)0);
}

#define WEIGHT(bit, w, i) (weights & (bit) ? w[i] : (REAL)1)

/* y = weight ((1 - t) x + (1 + (positive - 1) t) log(1 + exp(-x))) */
__kernel void bce_fwd(long n, int weights, __global const REAL *restrict a, long ao, __global const REAL *restrict b,
                      long bo, __global const REAL *restrict weight, long wo, __global const REAL *restrict positive,
                      long po, __global REAL *restrict y, long yo)
{
    a += ao;
    b += bo;
    weight += wo;
    positive += po;
    y += yo;
    HG_FOR(i, n)
    {
        const REAL x = a[i], t = b[i], more = WEIGHT(2, positive, i) - 1;
        y[i] = WEIGHT(1, weight, i) * ((1 - t) * x + (1 + more * t) * softplus_of_minus(x));
    }
}

__kernel void bce_bwd(long n, REAL scale, int to_target, int weights, __global const REAL *restrict a, long ao,
                      __global const REAL *restrict b, long bo, __global const REAL *restrict weight, long wo,
                      __global const REAL *restrict positive, long po, __global const REAL *restrict dy, long gro,
                      int dy_step, __global REAL *restrict d, long d_at)
{
    a += ao;
    b += bo;
    weight += wo;
    positive += po;
    dy += gro;
    d += d_at;
    HG_FOR(i, n)
    {
        const REAL x = a[i], t = b[i], w = WEIGHT(2, positive, i);
        const REAL slope = to_target ? (w - 1) * softplus_of_minus(x) - x : (w * t + 1 - t) / (1 + exp(-x)) - w * t;
        d[i] = scale * WEIGHT(1, weight, i) * slope * dy[(long)i * dy_step];
    }
}
