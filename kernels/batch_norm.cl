/* Batch normalisation of n x c x s: y = (x - mean) / sqrt(var + eps) * weight + bias, a mean and variance a channel.
 * Statistics: see batch_norm.clh. With RELU 1, y = relu(that), and gradients pass where y > 0 (or y is NaN).
 *
 * CPU class: a work-item a channel does everything, chunk by chunk, so that the second pass and, for most layers, the
 *            normalisation find their data in the cache.
 * GPU class: bn_moments and bn_bwd_sums, a team for a part of a channel (local memory: one REAL a lane); bn_merge and
 *            bn_bwd_merge, a work-item a channel; bn_apply and bn_bwd_apply, element by element.
 * Nothing changes the running statistics while the device's fault word is set. */
#include "common.clh"
#include "batch_norm.clh"

/* What of a value is the result, and what of a gradient `g` at a result `y` goes on. */
#ifndef RELU
#define RELU 0
#endif
#if RELU
#define RESULT(type, x) RECTIFIED(type, x)
#define PASSED(type, g, y) ((y) <= (type)(0) ? (type)(0) : (g))
#else
#define RESULT(type, x) (x)
#define PASSED(type, g, y) (g)
#endif

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

#if HG_CPU

static inline void normalise_plane(long s, __global const REAL *restrict x, __global REAL *restrict y, transform t)
{
    OVER_PLANE(
        k, {
            REALV v = TRANSFORMED(HG_LOADV(x + k), t);
            HG_STOREV(RESULT(REALV, v), y + k);
        },
        {
            REAL v = TRANSFORMED(x[k], t);
            y[k] = RESULT(REAL, v);
        });
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
    transform t = transform_of(c, ch, affine, weight + wo, bias + bo, stats);
    for (long i = 0; i < n; i++) normalise_plane(s, x + i * c * s, y + i * c * s, t);
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
        transform t = transform_of(c, i % c, affine, weight + wo, bias + bo, stats);
        normalise_plane(s, x + i * s, y + i * s, t);
    }
}

/* dbias = sum(dy), dweight = sum(dy xh), if `sums`; dx = weight inv (dy - dbias / m - xh dweight / m), or weight inv dy
 * if not `train`, if `to_input`. xh is the normalised x, m = n s. y is read with RELU only. */
__kernel void bn_bwd(long n, long c, long s, int train, int sums, int to_input, __global const REAL *restrict x, long xo,
                     int affine, __global const REAL *restrict weight, long wo, __global const REAL *restrict stats,
                     long so, __global const REAL *restrict y, long yo, __global const REAL *restrict dy, long gro,
                     __global REAL *restrict dweight, long dwo, __global REAL *restrict dbias, long dbo,
                     __global REAL *restrict dx, long dxo)
{
    long ch = (long)get_group_id(0), planes = max(1L, CHUNK / max(s, 1L));
    x += xo + ch * s;
    y += yo + ch * s;
    dy += gro + ch * s;
    dx += dxo + ch * s;
    stats += so;
    REAL mean = stats[ch], rest = stats[c + ch];
    REAL total = 0, product = 0;
    for (long begin = 0; begin < n && sums; begin += planes) {
        REALV v = 0, w = 0;
        REAL r = 0, q = 0;
        for (long i = begin; i < min(n, begin + planes); i++) {
            __global const REAL *p = x + i * c * s, *g = dy + i * c * s, *z = y + i * c * s;
            for (long k = 0; k + HG_V <= s; k += HG_V) {
                REALV d = PASSED(REALV, HG_LOADV(g + k), HG_LOADV(z + k));
                v += d;
                w += d * (HG_LOADV(p + k) - mean - rest);
            }
            for (long k = s - s % HG_V; k < s; k++) {
                REAL d = PASSED(REAL, g[k], z[k]);
                r += d;
                q += d * (p[k] - mean - rest);
            }
        }
        total += r + hg_addv(v);
        product += q + hg_addv(w);
    }
    product *= stats[2 * c + ch];
    dweight[dwo + ch] = product;
    dbias[dbo + ch] = total;
    descent to = descent_of(c, ch, (REAL)(n * s), total, product, affine, weight + wo, stats);
    for (long i = 0; i < n && to_input; i++) {
        __global const REAL *p = x + i * c * s, *g = dy + i * c * s, *z = y + i * c * s;
        __global REAL *out = dx + i * c * s;
        if (train) {
            OVER_PLANE(k, HG_STOREV(DESCENDED(PASSED(REALV, HG_LOADV(g + k), HG_LOADV(z + k)), HG_LOADV(p + k), to), out + k),
                       out[k] = DESCENDED(PASSED(REAL, g[k], z[k]), p[k], to));
        } else {
            OVER_PLANE(k, HG_STOREV(PASSED(REALV, HG_LOADV(g + k), HG_LOADV(z + k)) * to.scale, out + k),
                       out[k] = PASSED(REAL, g[k], z[k]) * to.scale);
        }
    }
}

#else

/* parts[PART(0, 1, 2 ...)]: mean, rest, m2 of elements part * chunk up to (part + 1) * chunk */
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
        long nparts = (long)get_num_groups(0);
        parts[po + PART(0, part, nparts)] = m.mean;
        parts[po + PART(1, part, nparts)] = m.rest;
        parts[po + PART(2, part, nparts)] = m.m2;
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
            moments m = {(REAL)(min(n * s, (part + 1) * chunk) - part * chunk), parts[po + PART(0, part, nparts)],
                         parts[po + PART(1, part, nparts)], parts[po + PART(2, part, nparts)]};
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
        transform t = transform_of(c, ch, affine, weight + wo, bias + bo, stats);
        REAL v = TRANSFORMED(x[i], t);
        y[i] = RESULT(REAL, v);
    }
}

/* parts[PART(0, 1 ...)]: sum(dy), sum(dy xh) of a part */
__kernel void bn_bwd_sums(long n, long c, long s, long chunk, __global const REAL *restrict x, long xo,
                          __global const REAL *restrict stats, long so, __global const REAL *restrict y, long yo,
                          __global const REAL *restrict dy, long gro, __global REAL *restrict parts, long po)
{
    __local REAL scratch[HG_LANES];
    long part = (long)get_group_id(0), ch = (long)get_group_id(1);
    long begin = part * chunk, end = min(n * s, begin + chunk);
    int lane = (int)get_local_id(0);
    x += xo;
    y += yo;
    dy += gro;
    stats += so;
    REAL mean = stats[ch], rest = stats[c + ch], total = 0, product = 0;
    for (long i = begin + lane; i < end; i += HG_LANES) {
        REAL d = dy[AT(i)], g = PASSED(REAL, d, y[AT(i)]);      /* d by all lanes, whatever passes */
        total += g;
        product += g * (x[AT(i)] - mean - rest);
    }
    total = hg_team_sum(total, scratch);
    product = hg_team_sum(product, scratch);
    if (lane == 0) {
        parts[po + PART(0, part, (long)get_num_groups(0))] = total;
        parts[po + PART(1, part, (long)get_num_groups(0))] = product * stats[2 * c + ch];
    }
}

__kernel void bn_bwd_merge(long c, long nparts, __global const REAL *restrict parts, long po,
                           __global REAL *restrict dweight, long dwo, __global REAL *restrict dbias, long dbo)
{
    HG_FOR(ch, c)
    {
        REAL total = 0, product = 0;
        for (long part = 0; part < nparts; part++) {
            total += parts[po + PART(0, part, nparts)];
            product += parts[po + PART(1, part, nparts)];
        }
        dweight[dwo + ch] = product;
        dbias[dbo + ch] = total;
    }
}

/* dx as in bn_bwd above */
__kernel void bn_bwd_apply(long n, long c, long s, int train, __global const REAL *restrict x, long xo, int affine,
                           __global const REAL *restrict weight, long wo, __global const REAL *restrict stats, long so,
                           __global const REAL *restrict y, long yo, __global const REAL *restrict dy, long gro,
                           __global const REAL *restrict dweight, long dwo, __global const REAL *restrict dbias, long dbo,
                           __global REAL *restrict dx, long dxo)
{
    x += xo;
    y += yo;
    dy += gro;
    dx += dxo;
    stats += so;
    HG_FOR(i, n * c * s)
    {
        INDEX ch = i / (INDEX)s % (INDEX)c;
        REAL d = dy[i], g = PASSED(REAL, d, y[i]);
        descent to = descent_of(c, ch, (REAL)(n * s), dbias[dbo + ch], dweight[dwo + ch], affine, weight + wo, stats);
        dx[i] = train ? DESCENDED(g, x[i], to) : g * to.scale;
    }
}

#endif
