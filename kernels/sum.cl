/* Sums of a contiguous x[outer][length][inner] over `length`, cut into segments of `step` so that no chain of additions
 * is long and many work-groups have work: y[outer][segments][inner], divided by `divisor` (integers: not). The order
 * of additions depends on the sizes alone.
 *
 * FROM     type of the elements: REAL unless -DFROM=int -DSUM_INT=1 (or long, uchar) says otherwise
 * ACC      type of sums: REAL, or long for integers
 *
 * sum_rows     inner is 1. A team a result: one work-item with four vectors of partial sums on a CPU, a local-memory
 *              tree on a GPU. Each group owns a range of results.
 * sum_short    the same for short rows on a GPU: 16 neighbours a result, so that a warp reads rows that lie side by side.
 * sum_columns  inner > 1. CPU: a work-item owns blocks of 64 columns of a segment. GPU: a work-item a result, so that
 *              neighbours read neighbours. */
#include "common.clh"

#ifndef FROM
#define FROM REAL
#define SUM_INT 0
#endif
#if SUM_INT
typedef long ACC;
#define DIVIDED(v) (v)
#else
typedef REAL ACC;
#define DIVIDED(v) ((v) / divisor)
#endif

#if HG_CPU
#if SUM_INT
typedef long16 ACCV;
#define CONVERT(v) convert_long16(v)
#else
typedef REALV ACCV;
#define CONVERT(v) (v)
#endif
#define LOAD(p) CONVERT(vload16(0, p))

static inline ACC across(ACCV v)
{
    ACC s[16], sum[4];
    vstore16(v, 0, s);
    for (int k = 0; k < 4; k++) sum[k] = (s[k] + s[k + 8]) + (s[k + 4] + s[k + 12]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

static inline ACC run_sum(__global const FROM *p, long count)
{
    ACC tail = 0, body = 0;
    long k = 0;
    if (count >= 16) {
        ACCV a = 0, b = 0, c = 0, d = 0;
        for (; k + 64 <= count; k += 64) {
            a += LOAD(p + k);
            b += LOAD(p + k + 16);
            c += LOAD(p + k + 32);
            d += LOAD(p + k + 48);
        }
        for (; k + 16 <= count; k += 16) a += LOAD(p + k);
        body = across((a + b) + (c + d));
    }
    for (; k < count; k++) tail += p[k];
    return body + tail;
}
#endif

__kernel void sum_rows(long results, long segments, long length, long step, __global const FROM *restrict x, long xo,
                       __global ACC *restrict y, long yo, REAL divisor)
{
    const long share = (results + get_num_groups(0) - 1) / get_num_groups(0);
    const long first = (long)get_group_id(0) * share, end = min(results, first + share);
    x += xo;
    y += yo;
#if HG_LANES > 1
    __local ACC scratch[HG_LANES];
    const int lane = (int)get_local_id(0);
#endif
    for (long t = first; t < end; t++) {
        const long row = segments == 1 ? t : t / segments, begin = (t - row * segments) * step, count = min(step, length - begin);
        __global const FROM *p = x + row * length + begin;
#if HG_LANES > 1
        ACC sum = 0;
        for (long k = lane; k < count; k += HG_LANES) sum += p[k];
        scratch[lane] = sum;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int half_ = HG_LANES / 2; half_ > 0; half_ /= 2) {
            if (lane < half_) scratch[lane] += scratch[lane + half_];
            barrier(CLK_LOCAL_MEM_FENCE);
        }
        if (lane == 0) y[t] = DIVIDED(scratch[0]);
        barrier(CLK_LOCAL_MEM_FENCE);
#else
        y[t] = DIVIDED(run_sum(p, count));
#endif
    }
}

#if !HG_CPU
#define SHORT_LANES (HG_LANES < 16 ? HG_LANES : 16)
__kernel void sum_short(long results, long length, __global const FROM *restrict x, long xo, __global ACC *restrict y,
                        long yo, REAL divisor)
{
    __local ACC scratch[HG_LANES];
    const int lane = (int)get_local_id(0), own = lane % SHORT_LANES;
    const long t = (long)get_group_id(0) * (HG_LANES / SHORT_LANES) + lane / SHORT_LANES;
    ACC sum = 0;
    for (long k = own; k < length && t < results; k += SHORT_LANES) sum += x[xo + t * length + k];
    scratch[lane] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int half_ = SHORT_LANES / 2; half_ > 0; half_ /= 2) {
        ACC other = own < half_ ? scratch[lane + half_] : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (own < half_) scratch[lane] += other;
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    /* One warp writes the group's results. */
    const ACC total = scratch[lane - own];
    const long first = (long)get_group_id(0) * (HG_LANES / SHORT_LANES);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (own == 0) scratch[lane / SHORT_LANES] = total;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < HG_LANES / SHORT_LANES && first + lane < results) y[yo + first + lane] = DIVIDED(scratch[lane]);
}
#endif

#if HG_CPU
/* Up to 16 columns of one segment. Elements behind a row are read, never used, as long as they lie within x. */
static inline void narrow(long count, long inner, int columns, __global const FROM *p, long readable, __global ACC *y,
                          REAL divisor)
{
    ACCV sum = 0;
    for (long r = 0; r < count; r++) {
        if (r * inner + 16 <= readable) {
            sum += LOAD(p + r * inner);
        } else {
            FROM v[16];
            for (int k = 0; k < 16; k++) v[k] = k < columns ? p[r * inner + k] : (FROM)0;
            sum += LOAD(v);
        }
    }
    ACC s[16];
    vstore16(sum, 0, s);
    for (int k = 0; k < columns; k++) y[k] = DIVIDED(s[k]);
}

static inline void wide(long count, long inner, __global const FROM *p, __global ACC *y, REAL divisor)
{
    ACCV a = 0, b = 0, c = 0, d = 0;
    for (long r = 0; r < count; r++, p += inner) {
        a += LOAD(p);
        b += LOAD(p + 16);
        c += LOAD(p + 32);
        d += LOAD(p + 48);
    }
    vstore16(DIVIDED(a), 0, y);
    vstore16(DIVIDED(b), 0, y + 16);
    vstore16(DIVIDED(c), 0, y + 32);
    vstore16(DIVIDED(d), 0, y + 48);
}
#endif

__kernel void sum_columns(long outer, long segments, long length, long step, long inner,
                          __global const FROM *restrict x, long xo, __global ACC *restrict y, long yo, REAL divisor)
{
    x += xo;
    y += yo;
#if HG_CPU
    const long blocks = (inner + 63) / 64, units = outer * segments * blocks, total = outer * length * inner;
    const long share = (units + get_num_groups(0) - 1) / get_num_groups(0);
    const long first = (long)get_group_id(0) * share, end = min(units, first + share);
    for (long u = first; u < end; u++) {
        const long result = u / blocks, column = (u - result * blocks) * 64;
        const long o = result / segments, begin = (result - o * segments) * step, count = min(step, length - begin);
        const long at = (o * length + begin) * inner + column;
        __global ACC *out = y + result * inner + column;
        if (column + 64 <= inner) {
            wide(count, inner, x + at, out, divisor);
            continue;
        }
        for (long c = 0; column + c < inner; c += 16)
            narrow(count, inner, (int)min(16L, inner - column - c), x + at + c, total - at - c, out + c, divisor);
    }
#else
    HG_FOR(t, outer * segments * inner)
    {
        const INDEX result = t / (INDEX)inner, column = t - result * (INDEX)inner, o = result / (INDEX)segments;
        const long begin = (long)(result - o * (INDEX)segments) * step, count = min(step, length - begin);
        __global const FROM *p = x + ((long)o * length + begin) * inner + column;
        ACC sum = 0;
        for (long r = 0; r < count; r++) sum += p[r * inner];
        y[t] = DIVIDED(sum);
    }
#endif
}
