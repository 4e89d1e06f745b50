/* Batch normalisation of n x c x s: y = (x - mean) / sqrt(var + eps) * weight + bias, a mean and variance a channel.
 *
 * Statistics of a channel are stats[ch] + stats[c + ch], the mean in two parts, and stats[2 c + ch], 1 / sqrt(var +
 * eps). The second part keeps what one REAL cannot hold when the mean is large beside the deviation. Moments are taken
 * over chunks in two passes, the second on values less the first one's mean, and merged by Chan's formula.
 *
 * CPU class: a work-item a channel does everything, chunk by chunk, so that the second pass and, for most layers, the
 *            normalisation find their data in the cache.
 * GPU class: bn_moments and bn_bwd_sums, a team for a part of a channel (local memory: one REAL a lane); bn_merge and
 *            bn_bwd_merge, a work-item a channel; bn_apply and bn_bwd_apply, element by element.
 * Nothing changes the running statistics while the device's fault word is set. */
#include "common.clh"

typedef struct moments {
    REAL count, mean, rest, m2;     /* of `count` elements: mean + rest, sum((x - mean - rest)^2) */
} moments;

/* `k` elements with sums `sum` and `squares` of x - mean. */
static inline moments moments_of(REAL k, REAL mean, REAL sum, REAL squares)
{
    moments m = {k, mean, sum / k, squares - sum * (sum / k)};
    return m;
}

static inline moments merge(moments a, moments b)
{
    REAL total = a.count + b.count, apart = (b.mean - a.mean) + (b.rest - a.rest), share = b.count / total;
    moments m = {total, a.mean, a.rest + apart * share, a.m2 + b.m2 + apart * apart * a.count * share};
    if (a.count == 0) m = b;
    return m;
}

/* Running statistics (if `running`) and what the other kernels need of channel `ch`. */
static inline void finish(moments m, long c, long ch, REAL eps, REAL momentum, int running, __global REAL *mean,
                          __global REAL *var, __global const int *fault, __global REAL *stats)
{
    stats[ch] = m.mean;
    stats[c + ch] = m.rest;
    stats[2 * c + ch] = 1 / sqrt(m.m2 / m.count + eps);
    if (running && fault[0] == 0 && m.count > 1) {
        mean[ch] = (1 - momentum) * mean[ch] + momentum * (m.mean + m.rest);
        var[ch] = (1 - momentum) * var[ch] + momentum * (m.m2 / (m.count - 1));
    }
}

/* Statistics from running ones: for evaluation. */
__kernel void bn_from_running(long c, REAL eps, __global const REAL *restrict mean, long mo,
                              __global const REAL *restrict var, long vo, __global REAL *restrict stats, long so)
{
    stats += so;
    HG_FOR(ch, c)
    {
        stats[ch] = mean[mo + ch];
        stats[c + ch] = 0;
        stats[2 * c + ch] = 1 / sqrt(var[vo + ch] + eps);
    }
}

#define HAS_WEIGHT (affine & 1)
#define HAS_BIAS (affine & 2)

#if HG_CPU

enum { CHUNK = 4096 };

/* WIDE for HG_V elements at p + k, SINGLE for each of what is left of a plane. */
#define OVER_PLANE(k, WIDE, SINGLE)                                                                                    \
    for (long k = 0; k + HG_V <= s; k += HG_V) WIDE;                                                                   \
    for (long k = s - s % HG_V; k < s; k++) SINGLE

static inline moments channel_moments(__global const REAL *restrict x, long n, long c, long s)
{
    moments all = {0, 0, 0, 0};
    long planes = max(1L, CHUNK / max(s, 1L));
    for (long begin = 0; begin < n && s > 0; begin += planes) {
        long end = min(n, begin + planes);
        REAL count = (REAL)((end - begin) * s);
        REALV v = 0, w = 0;
        REAL r = 0, q = 0;
        for (long i = begin; i < end; i++) {
            __global const REAL *p = x + i * c * s;
            OVER_PLANE(k, v += HG_LOADV(p + k), r += p[k]);
        }
        REAL mean = (r + hg_addv(v)) / count;
        v = 0;
        r = 0;
        for (long i = begin; i < end; i++) {
            __global const REAL *p = x + i * c * s;
            for (long k = 0; k + HG_V <= s; k += HG_V) {
                REALV d = HG_LOADV(p + k) - mean;
                v += d;
                w += d * d;
            }
            for (long k = s - s % HG_V; k < s; k++) {
                REAL d = p[k] - mean;
                r += d;
                q += d * d;
            }
        }
        all = merge(all, moments_of(count, mean, r + hg_addv(v), q + hg_addv(w)));
    }
    return all;
}

/* Plane `i` of n c planes: (x - mean - rest) scale + shift, with rest inside of shift. */
static inline void normalise_plane(long s, __global const REAL *restrict x, __global REAL *restrict y, REAL mean,
                                   REAL scale, REAL shift)
{
    OVER_PLANE(k, HG_STOREV((HG_LOADV(x + k) - mean) * scale + shift, y + k), y[k] = (x[k] - mean) * scale + shift);
}

__kernel void bn_train(long n, long c, long s, REAL eps, REAL momentum, int running, __global REAL *restrict mean,
                       long mo, __global REAL *restrict var, long vo, __global const int *restrict fault,
                       __global const REAL *restrict x, long xo, int affine, __global const REAL *restrict weight, long wo,
                       __global const REAL *restrict bias, long bo, __global REAL *restrict stats, long so,
                       __global REAL *restrict y, long yo)
{
    long ch = (long)get_group_id(0);
    x += xo + ch * s;
    y += yo + ch * s;
    stats += so;
    finish(channel_moments(x, n, c, s), c, ch, eps, momentum, running, mean + mo, var + vo, fault, stats);
    REAL scale = stats[2 * c + ch] * (HAS_WEIGHT ? weight[wo + ch] : 1);
    REAL shift = (HAS_BIAS ? bias[bo + ch] : 0) - stats[c + ch] * scale;
    for (long i = 0; i < n; i++) normalise_plane(s, x + i * c * s, y + i * c * s, stats[ch], scale, shift);
}

__kernel void bn_apply(long n, long c, long s, __global const REAL *restrict x, long xo, int affine,
                       __global const REAL *restrict weight, long wo, __global const REAL *restrict bias, long bo,
                       __global const REAL *restrict stats, long so, __global REAL *restrict y, long yo)
{
    x += xo;
    y += yo;
    stats += so;
    HG_FOR(i, n * c)
    {
        long ch = i % c;
        REAL scale = stats[2 * c + ch] * (HAS_WEIGHT ? weight[wo + ch] : 1);
        REAL shift = (HAS_BIAS ? bias[bo + ch] : 0) - stats[c + ch] * scale;
        normalise_plane(s, x + i * s, y + i * s, stats[ch], scale, shift);
    }
}

/* dbias = sum(dy), dweight = sum(dy xh), if `sums`; dx = weight inv (dy - dbias / m - xh dweight / m), or weight inv dy
 * if not `train`, if `to_input`. xh is the normalised x, m = n s. */
__kernel void bn_bwd(long n, long c, long s, int train, int sums, int to_input, __global const REAL *restrict x, long xo,
                     int affine, __global const REAL *restrict weight, long wo, __global const REAL *restrict stats,
                     long so, __global const REAL *restrict dy, long gro, __global REAL *restrict dweight, long dwo,
                     __global REAL *restrict dbias, long dbo, __global REAL *restrict dx, long dxo)
{
    long ch = (long)get_group_id(0), planes = max(1L, CHUNK / max(s, 1L));
    x += xo + ch * s;
    dy += gro + ch * s;
    dx += dxo + ch * s;
    stats += so;
    REAL mean = stats[ch], rest = stats[c + ch], inv = stats[2 * c + ch];
    REAL total = 0, product = 0;
    for (long begin = 0; begin < n && sums; begin += planes) {
        REALV v = 0, w = 0;
        REAL r = 0, q = 0;
        for (long i = begin; i < min(n, begin + planes); i++) {
            __global const REAL *p = x + i * c * s, *g = dy + i * c * s;
            for (long k = 0; k + HG_V <= s; k += HG_V) {
                REALV d = HG_LOADV(g + k);
                v += d;
                w += d * (HG_LOADV(p + k) - mean - rest);
            }
            for (long k = s - s % HG_V; k < s; k++) {
                r += g[k];
                q += g[k] * (p[k] - mean - rest);
            }
        }
        total += r + hg_addv(v);
        product += q + hg_addv(w);
    }
    product *= inv;
    dweight[dwo + ch] = product;
    dbias[dbo + ch] = total;
    REAL scale = inv * (HAS_WEIGHT ? weight[wo + ch] : 1), m = (REAL)(n * s);
    REAL slope = product / m * inv, shift = total / m - rest * slope;
    for (long i = 0; i < n && to_input; i++) {
        __global const REAL *p = x + i * c * s, *g = dy + i * c * s;
        __global REAL *out = dx + i * c * s;
        if (train) {
            OVER_PLANE(k, HG_STOREV((HG_LOADV(g + k) - (HG_LOADV(p + k) - mean) * slope - shift) * scale, out + k),
                       out[k] = (g[k] - (p[k] - mean) * slope - shift) * scale);
        } else {
            OVER_PLANE(k, HG_STOREV(HG_LOADV(g + k) * scale, out + k), out[k] = g[k] * scale);
        }
    }
}

#else

/* Element `i` of a channel's m = n s elements. */
#define AT(i) ((i) / s * c * s + ch * s + (i) % s)

/* parts[(ch * parts + part) * 3 ...]: mean, rest, m2 of elements part * chunk up to (part + 1) * chunk */
__kernel void bn_moments(long n, long c, long s, long chunk, __global const REAL *restrict x, long xo,
                         __global REAL *restrict parts, long po)
{
    __local REAL scratch[HG_LANES];
    long part = (long)get_group_id(0), ch = (long)get_group_id(1);
    long begin = part * chunk, end = min(n * s, begin + chunk);
    int lane = (int)get_local_id(0);
    x += xo;
    REAL sum = 0, squares = 0, count = (REAL)(end - begin);
    for (long i = begin + lane; i < end; i += HG_LANES) sum += x[AT(i)];
    REAL mean = hg_team_sum(sum, scratch) / count;
    sum = 0;
    for (long i = begin + lane; i < end; i += HG_LANES) {
        REAL d = x[AT(i)] - mean;
        sum += d;
        squares += d * d;
    }
    sum = hg_team_sum(sum, scratch);
    squares = hg_team_sum(squares, scratch);
    if (lane == 0) {
        moments m = moments_of(count, mean, sum, squares);
        __global REAL *out = parts + po + (ch * (long)get_num_groups(0) + part) * 3;
        out[0] = m.mean;
        out[1] = m.rest;
        out[2] = m.m2;
    }
}

__kernel void bn_merge(long n, long c, long s, long chunk, long nparts, __global const REAL *restrict parts, long po,
                       REAL eps, REAL momentum, int running, __global REAL *restrict mean, long mo,
                       __global REAL *restrict var, long vo, __global const int *restrict fault,
                       __global REAL *restrict stats, long so)
{
    HG_FOR(ch, c)
    {
        moments all = {0, 0, 0, 0};
        for (long part = 0; part < nparts; part++) {
            __global const REAL *in = parts + po + ((long)ch * nparts + part) * 3;
            moments m = {(REAL)(min(n * s, (part + 1) * chunk) - part * chunk), in[0], in[1], in[2]};
            all = merge(all, m);
        }
        finish(all, c, ch, eps, momentum, running, mean + mo, var + vo, fault, stats + so);
    }
}

__kernel void bn_apply(long n, long c, long s, __global const REAL *restrict x, long xo, int affine,
                       __global const REAL *restrict weight, long wo, __global const REAL *restrict bias, long bo,
                       __global const REAL *restrict stats, long so, __global REAL *restrict y, long yo)
{
    x += xo;
    y += yo;
    stats += so;
    HG_FOR(i, n * c * s)
    {
        INDEX ch = i / (INDEX)s % (INDEX)c;
        REAL scale = stats[2 * c + ch] * (HAS_WEIGHT ? weight[wo + ch] : 1);
        REAL shift = (HAS_BIAS ? bias[bo + ch] : 0) - stats[c + ch] * scale;
        y[i] = (x[i] - stats[ch]) * scale + shift;
    }
}

/* parts[(ch * parts + part) * 2 ...]: sum(dy), sum(dy xh) of a part */
__kernel void bn_bwd_sums(long n, long c, long s, long chunk, __global const REAL *restrict x, long xo,
                          __global const REAL *restrict stats, long so, __global const REAL *restrict dy, long gro,
                          __global REAL *restrict parts, long po)
{
    __local REAL scratch[HG_LANES];
    long part = (long)get_group_id(0), ch = (long)get_group_id(1);
    long begin = part * chunk, end = min(n * s, begin + chunk);
    int lane = (int)get_local_id(0);
    x += xo;
    dy += gro;
    stats += so;
    REAL mean = stats[ch], rest = stats[c + ch], total = 0, product = 0;
    for (long i = begin + lane; i < end; i += HG_LANES) {
        REAL g = dy[AT(i)];
        total += g;
        product += g * (x[AT(i)] - mean - rest);
    }
    total = hg_team_sum(total, scratch);
    product = hg_team_sum(product, scratch);
    if (lane == 0) {
        __global REAL *out = parts + po + (ch * (long)get_num_groups(0) + part) * 2;
        out[0] = total;
        out[1] = product * stats[2 * c + ch];
    }
}

__kernel void bn_bwd_merge(long c, long nparts, __global const REAL *restrict parts, long po,
                           __global REAL *restrict dweight, long dwo, __global REAL *restrict dbias, long dbo)
{
    HG_FOR(ch, c)
    {
        REAL total = 0, product = 0;
        for (long part = 0; part < nparts; part++) {
            __global const REAL *in = parts + po + ((long)ch * nparts + part) * 2;
            total += in[0];
            product += in[1];
        }
        dweight[dwo + ch] = product;
        dbias[dbo + ch] = total;
    }
}

/* dx as in bn_bwd above */
__kernel void bn_bwd_apply(long n, long c, long s, int train, __global const REAL *restrict x, long xo, int affine,
                           __global const REAL *restrict weight, long wo, __global const REAL *restrict stats, long so,
                           __global const REAL *restrict dy, long gro, __global const REAL *restrict dweight, long dwo,
                           __global const REAL *restrict dbias, long dbo, __global REAL *restrict dx, long dxo)
{
    x += xo;
    dy += gro;
    dx += dxo;
    stats += so;
    HG_FOR(i, n * c * s)
    {
        INDEX ch = i / (INDEX)s % (INDEX)c;
        REAL inv = stats[2 * c + ch], m = (REAL)(n * s), g = dy[i];
        if (train)
            g -= dbias[dbo + ch] / m + (x[i] - stats[ch] - stats[c + ch]) * inv * (dweight[dwo + ch] / m);
        dx[i] = g * inv * (HAS_WEIGHT ? weight[wo + ch] : 1);
    }
}

#endif
