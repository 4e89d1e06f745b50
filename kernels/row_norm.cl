/* Normalisation of rows (layer norm, group norm): y = (x - mean) inv w + b with inv = 1 / sqrt(var + eps), a mean and a
 * biased variance a row. A row is `channels` runs of `run` neighbours.
 *
 * PER_ELEMENT 1   w and b belong to elements: a row is one run (channels is 1), element k has w[k]
 *             0   w and b belong to channels: run c of row r has w[r % groups * channels + c]
 *
 * Statistics: stats[r] + stats[rows + r] is the mean, the second part what one REAL cannot hold of it; stats[2 rows +
 * r] is inv. A team a row, HG_V elements at once on a CPU, where a work-item takes several rows; local memory: one
 * REAL a lane. Sums go in a fixed order. Both device classes. */
#include "common.clh"

#ifndef PER_ELEMENT
#define PER_ELEMENT 1
#endif

#if HG_LANES > 1
#define SCRATCH __local REAL scratch[HG_LANES]
#define FOR_ROWS(r) const long r = (long)get_group_id(0);
#else
#define SCRATCH __local REAL *scratch = 0
#define FOR_ROWS(r) for (long r = (long)get_group_id(0); r < rows; r += (long)get_num_groups(0))
#endif
#define LANE ((int)get_local_id(0))

/* WIDE for HG_V elements at k of a row, SINGLE for each of what is left of a run. `c` is the channel, `e` the place of
 * the first element's weight. */
#if HG_CPU
#define OVER_ROW(WIDE, SINGLE)                                                                                         \
    for (long c = 0; c < channels; c++) {                                                                              \
        const long begin = c * run, end = begin + run, e = r % groups * channels + c;                                  \
        (void)e;                                                                                                       \
        long k = begin;                                                                                                \
        for (; k + HG_V <= end; k += HG_V) WIDE;                                                                       \
        for (; k < end; k++) SINGLE;                                                                                   \
    }
#else
#define OVER_ROW(WIDE, SINGLE)                                                                                         \
    for (long k = LANE; k < channels * run; k += HG_LANES) {                                                           \
        const long e = PER_ELEMENT ? 0 : r % groups * channels + k / run;                                              \
        (void)e;                                                                                                       \
        SINGLE;                                                                                                        \
    }
#endif

/* A weight beside HG_V elements, or one. */
#if PER_ELEMENT
#define W_WIDE(w) HG_LOADV((w) + k)
#define W_ONE(w) (w)[k]
#else
#define W_WIDE(w) ((REALV)((w)[e]))
#define W_ONE(w) (w)[e]
#endif

__kernel void row_norm_fwd(long rows, long groups, long channels, long run, REAL eps, __global const REAL *restrict x,
                           long xo, int affine, __global const REAL *restrict weight, long wo,
                           __global const REAL *restrict bias, long bo, __global REAL *restrict stats, long so,
                           __global REAL *restrict y, long yo)
{
    SCRATCH;
    const REAL m = (REAL)(channels * run);
    weight += wo;
    bias += bo;
    stats += so;
    FOR_ROWS(r)
    {
        __global const REAL *p = x + xo + r * channels * run;
        __global REAL *out = y + yo + r * channels * run;
        REALV v = 0, w = 0;
        REAL s = 0, q = 0;
        OVER_ROW(v += HG_LOADV(p + k), s += p[k])
        const REAL mean = hg_team_sum(s + hg_addv(v), scratch) / m;
        v = 0;
        s = 0;
        OVER_ROW(
            {
                REALV d = HG_LOADV(p + k) - mean;
                v += d;
                w += d * d;
            },
            {
                REAL d = p[k] - mean;
                s += d;
                q += d * d;
            })
        const REAL apart = hg_team_sum(s + hg_addv(v), scratch), squares = hg_team_sum(q + hg_addv(w), scratch);
        const REAL rest = apart / m, inv = 1 / sqrt((squares - apart * rest) / m + eps);
        OVER_ROW(
            {
                REALV h = (HG_LOADV(p + k) - mean - rest) * inv;
                if (affine & 1) h *= W_WIDE(weight);
                if (affine & 2) h += W_WIDE(bias);
                HG_STOREV(h, out + k);
            },
            {
                REAL h = (p[k] - mean - rest) * inv;
                if (affine & 1) h *= W_ONE(weight);
                if (affine & 2) h += W_ONE(bias);
                out[k] = h;
            })
        if (LANE == 0) {
            stats[r] = mean;
            stats[rows + r] = rest;
            stats[2 * rows + r] = inv;
        }
    }
}

/* With xh the normalised x and g = dy w: dx = inv (g - mean(g) - xh mean(g xh)) if `to_input`, and product = dy xh,
 * whose sum is dw, if `to_weight`. */
__kernel void row_norm_bwd(long rows, long groups, long channels, long run, __global const REAL *restrict x, long xo,
                           int affine, __global const REAL *restrict weight, long wo,
                           __global const REAL *restrict stats, long so, __global const REAL *restrict dy, long gro,
                           int to_input, __global REAL *restrict dx, long dxo, int to_weight,
                           __global REAL *restrict product, long po)
{
    SCRATCH;
    const REAL m = (REAL)(channels * run);
    weight += wo;
    stats += so;
    FOR_ROWS(r)
    {
        const long at = r * channels * run;
        __global const REAL *p = x + xo + at, *g = dy + gro + at;
        __global REAL *out = dx + dxo + at, *prod = product + po + at;
        const REAL mean = stats[r], rest = stats[rows + r], inv = stats[2 * rows + r];
        REALV v = 0, w = 0;
        REAL s = 0, q = 0;
        OVER_ROW(
            {
                REALV h = (HG_LOADV(p + k) - mean - rest) * inv;
                REALV d = HG_LOADV(g + k);
                if (to_weight) HG_STOREV(d * h, prod + k);
                if (affine & 1) d *= W_WIDE(weight);
                v += d;
                w += d * h;
            },
            {
                REAL h = (p[k] - mean - rest) * inv;
                REAL d = g[k];
                if (to_weight) prod[k] = d * h;
                if (affine & 1) d *= W_ONE(weight);
                s += d;
                q += d * h;
            })
        const REAL shift = hg_team_sum(s + hg_addv(v), scratch) / m, slope = hg_team_sum(q + hg_addv(w), scratch) / m;
        if (to_input) {
            OVER_ROW(
                {
                    REALV h = (HG_LOADV(p + k) - mean - rest) * inv;
                    REALV d = HG_LOADV(g + k);
                    if (affine & 1) d *= W_WIDE(weight);
                    HG_STOREV((d - shift - h * slope) * inv, out + k);
                },
                {
                    REAL h = (p[k] - mean - rest) * inv;
                    REAL d = g[k];
                    if (affine & 1) d *= W_ONE(weight);
                    out[k] = (d - shift - h * slope) * inv;
                })
        }
    }
}
