/* Batch normalisation, ReLU and 2 x 2 max pooling side by side at once: x is n x c x h x w, y n x c x h/2 x w/2 (rounded
 * down), y = max over its window of max(0, (x - mean) scale + shift), as the three operations one after the other give
 * it to the bit. Statistics: see batch_norm.clh. Where the maximum came from is kept in a byte a window: 0 to 3 in reading
 * order, or CLIPPED if it is not above 0 and no gradient passes. NaN wins, the last one, and passes its gradient.
 *
 * CPU class: a work-item a channel, or a plane in evaluation. A row of windows goes 8 or 4 at a time, two whole rows of x
 *            each; the last block reaches back over the one before. Backward adds up, then spreads; a gradient that
 *            reaches nothing adds nothing, whatever x is there.
 * GPU class: forward a work-item a window; sums of backward by teams for a part of a channel's windows (local memory: one
 *            REAL a lane), their results a work-item an element of x. */
#include "common.clh"
#include "batch_norm.clh"
#include "pool.clh"

enum { CLIPPED = 4 };

/* One window, its first element at x. */
static inline REAL window_max(__global const REAL *x, long w, transform t, int *at)
{
    REAL best = 0;
    for (int k = 0; k < 4; k++) {
        REAL v = TRANSFORMED(x[k / 2 * w + k % 2], t);
        v = RECTIFIED(REAL, v);
        if (k == 0 || v > best || isnan(v)) {
            best = v;
            *at = k;
        }
    }
    if (best <= 0) *at = CLIPPED;
    return best;
}

#if HG_CPU

/* EIGHT or FOUR windows of a row of `ow` at each k that is needed, then ONE for each that is left. `fresh` lanes of a
 * block are the first not seen before. */
#define OVER_ROW(k, ow, EIGHT, FOUR, ONE)                                                                              \
    do {                                                                                                               \
        long next_ = 0, k;                                                                                             \
        int fresh;                                                                                                     \
        if (ow >= 8)                                                                                                   \
            for (; next_ < ow; next_ += 8) {                                                                           \
                k = min(next_, ow - 8);                                                                                \
                fresh = (int)(next_ - k);                                                                              \
                EIGHT;                                                                                                 \
            }                                                                                                          \
        else if (ow >= 4)                                                                                              \
            for (; next_ < ow; next_ += 4) {                                                                           \
                k = min(next_, ow - 4);                                                                                \
                fresh = (int)(next_ - k);                                                                              \
                FOUR;                                                                                                  \
            }                                                                                                          \
        fresh = 0;                                                                                                     \
        for (k = next_; k < ow; k++) ONE;                                                                              \
        (void)fresh;                                                                                                   \
    } while (0)

/* ---- forward ---- */

#define BLOCK(n, twice)                                                                                                \
    static inline void block##n(__global const REAL *restrict x, long w, transform t, __global REAL *restrict y,       \
                                int keep, __global uchar *restrict winner)                                             \
    {                                                                                                                  \
        typedef HG_CAT_REAL(twice) rows;                                                                               \
        rows top = TRANSFORMED(vload##twice(0, x), t), bottom = TRANSFORMED(vload##twice(0, x + w), t);                \
        top = RECTIFIED(rows, top);                                                                                    \
        bottom = RECTIFIED(rows, bottom);                                                                              \
        HG_CAT_REAL(n) best = top.even;                                                                                \
        BITS(n) at = 0, wins;                                                                                          \
        MEET(n, top.odd, 1);                                                                                           \
        MEET(n, bottom.even, 2);                                                                                       \
        MEET(n, bottom.odd, 3);                                                                                        \
        at = select(at, (BITS(n))(CLIPPED), best <= (HG_CAT_REAL(n))(0));                                              \
        vstore##n(best, 0, y);                                                                                         \
        if (keep) vstore##n(convert_uchar##n(at), 0, winner);                                                          \
    }
BLOCK(8, 16)
BLOCK(4, 8)

static inline void single(__global const REAL *restrict x, long w, transform t, __global REAL *restrict y, int keep,
                          __global uchar *restrict winner)
{
    int at;
    *y = window_max(x, w, t, &at);
    if (keep) *winner = (uchar)at;
}

static inline void plane_fwd(long h, long w, __global const REAL *restrict x, transform t, __global REAL *restrict y,
                             int keep, __global uchar *restrict winner)
{
    long ow = w / 2;
    for (long i = 0; i < h / 2; i++) {
        __global const REAL *p = x + 2 * i * w;
        __global REAL *q = y + i * ow;
        __global uchar *at = winner + i * ow;
        OVER_ROW(k, ow, block8(p + 2 * k, w, t, q + k, keep, at + k), block4(p + 2 * k, w, t, q + k, keep, at + k),
                 single(p + 2 * k, w, t, q + k, keep, at + k));
    }
}

__kernel void bn_relu_pool_train(long n, long c, long h, long w, REAL eps, REAL momentum, int running,
                                 __global REAL *restrict mean, long mo, __global REAL *restrict var, long vo,
                                 __global const int *restrict fault, __global const REAL *restrict x, long xo, int affine,
                                 __global const REAL *restrict weight, long wo, __global const REAL *restrict bias,
                                 long bo, __global REAL *restrict stats, long so, __global REAL *restrict y, long yo,
                                 int keep, __global uchar *restrict winner, long ao)
{
    long ch = (long)get_group_id(0), in = h * w, out = (h / 2) * (w / 2);
    x += xo + ch * in;
    y += yo + ch * out;
    winner += ao + ch * out;
    stats += so;
    finish(channel_moments(x, n, c, in), c, ch, eps, momentum, running, mean + mo, var + vo, fault, stats);
    transform t = transform_of(c, ch, affine, weight + wo, bias + bo, stats);
    for (long i = 0; i < n; i++) plane_fwd(h, w, x + i * c * in, t, y + i * c * out, keep, winner + i * c * out);
}

__kernel void bn_relu_pool_apply(long n, long c, long h, long w, __global const REAL *restrict x, long xo, int affine,
                                 __global const REAL *restrict weight, long wo, __global const REAL *restrict bias,
                                 long bo, __global const REAL *restrict stats, long so, __global REAL *restrict y, long yo,
                                 int keep, __global uchar *restrict winner, long ao)
{
    long in = h * w, out = (h / 2) * (w / 2);
    FOR_PLANES(q, n * c)
    {
        transform t = transform_of(c, q % c, affine, weight + wo, bias + bo, stats + so);
        plane_fwd(h, w, x + xo + q * in, t, y + yo + q * out, keep, winner + ao + q * out);
    }
}

/* ---- backward: sums ---- */

/* Sums of dy and of dy (x - mean - rest); blocks of 4 and single windows use the first lanes. */
typedef struct sums {
    HG_CAT_REAL(8) total, product;
} sums;

/* Lanes from `fresh` on are added to `lanes` of the sums. */
#define ADD(n, twice, lanes, ...)                                                                                      \
    static inline void add##n(__global const REAL *restrict x, long w, REAL mean, REAL rest,                           \
                              __global const REAL *restrict dy, __global const uchar *restrict winner, int fresh,      \
                              sums *s)                                                                                 \
    {                                                                                                                  \
        HG_CAT_REAL(twice) top = vload##twice(0, x), bottom = vload##twice(0, x + w);                                  \
        HG_CAT_REAL(n) value = bottom.odd, g = vload##n(0, dy), zero = 0;                                              \
        BITS(n) at = TO_BITS(n)(vload##n(0, winner));                                                                  \
        BITS(n) counts = (at < (BITS(n))(CLIPPED)) & ((BITS(n))(__VA_ARGS__) >= (BITS(n))(fresh));                     \
        value = select(value, bottom.even, at == (BITS(n))(2));                                                        \
        value = select(value, top.odd, at == (BITS(n))(1));                                                            \
        value = select(value, top.even, at == (BITS(n))(0));                                                           \
        s->total lanes += select(zero, g, counts);                                                                     \
        s->product lanes += select(zero, g * (value - mean - rest), counts);                                           \
    }
ADD(8, 16, , 0, 1, 2, 3, 4, 5, 6, 7)
ADD(4, 8, .lo, 0, 1, 2, 3)

static inline void add1(__global const REAL *restrict x, long w, REAL mean, REAL rest, REAL g, int at, sums *s)
{
    if (at == CLIPPED) return;
    s->total.s0 += g;
    s->product.s0 += g * (x[at / 2 * w + at % 2] - mean - rest);
}

static inline void plane_sums(long h, long w, __global const REAL *restrict x, REAL mean, REAL rest,
                              __global const REAL *restrict dy, __global const uchar *restrict winner, sums *s)
{
    long ow = w / 2;
    for (long i = 0; i < h / 2; i++) {
        __global const REAL *p = x + 2 * i * w, *g = dy + i * ow;
        __global const uchar *at = winner + i * ow;
        OVER_ROW(k, ow, add8(p + 2 * k, w, mean, rest, g + k, at + k, fresh, s),
                 add4(p + 2 * k, w, mean, rest, g + k, at + k, fresh, s), add1(p + 2 * k, w, mean, rest, g[k], at[k], s));
    }
}

static inline REAL sum8(HG_CAT_REAL(8) v)
{
    HG_CAT_REAL(4) a = v.lo + v.hi;
    HG_CAT_REAL(2) b = a.lo + a.hi;
    return b.x + b.y;
}

/* ---- backward: dx ---- */

#define SPREAD(n, twice)                                                                                               \
    static inline void spread##n(__global const REAL *restrict dy, __global const uchar *restrict winner,              \
                                 __global const REAL *restrict x, long w, int train, descent to,                       \
                                 __global REAL *restrict dx)                                                           \
    {                                                                                                                  \
        HG_CAT_REAL(n) d = vload##n(0, dy), zero = 0;                                                                  \
        BITS(n) at = TO_BITS(n)(vload##n(0, winner));                                                                  \
        HG_CAT_REAL(twice) top, bottom;                                                                                \
        top.even = select(zero, d, at == (BITS(n))(0));                                                                \
        top.odd = select(zero, d, at == (BITS(n))(1));                                                                 \
        bottom.even = select(zero, d, at == (BITS(n))(2));                                                             \
        bottom.odd = select(zero, d, at == (BITS(n))(3));                                                              \
        vstore##twice(train ? DESCENDED(top, vload##twice(0, x), to) : top * to.scale, 0, dx);                         \
        vstore##twice(train ? DESCENDED(bottom, vload##twice(0, x + w), to) : bottom * to.scale, 0, dx + w);           \
    }
SPREAD(8, 16)
SPREAD(4, 8)

static inline void spread1(REAL g, int at, __global const REAL *restrict x, long w, int train, descent to,
                           __global REAL *restrict dx)
{
    for (int k = 0; k < 4; k++) {
        long o = k / 2 * w + k % 2;
        REAL d = at == k ? g : 0;
        dx[o] = train ? DESCENDED(d, x[o], to) : d * to.scale;
    }
}

/* Elements in no window. */
static inline void spread_nothing(long n, __global const REAL *restrict x, int train, descent to,
                                  __global REAL *restrict dx)
{
    for (long k = 0; k < n; k++) dx[k] = train ? DESCENDED((REAL)0, x[k], to) : 0;
}

static inline void plane_bwd(long h, long w, __global const REAL *restrict x, int train, descent to,
                             __global const uchar *restrict winner, __global const REAL *restrict dy,
                             __global REAL *restrict dx)
{
    long oh = h / 2, ow = w / 2;
    for (long i = 0; i < oh; i++) {
        __global const REAL *p = x + 2 * i * w, *g = dy + i * ow;
        __global const uchar *at = winner + i * ow;
        __global REAL *q = dx + 2 * i * w;
        OVER_ROW(k, ow, spread8(g + k, at + k, p + 2 * k, w, train, to, q + 2 * k),
                 spread4(g + k, at + k, p + 2 * k, w, train, to, q + 2 * k),
                 spread1(g[k], at[k], p + 2 * k, w, train, to, q + 2 * k));
        if (w % 2) {
            spread_nothing(1, p + w - 1, train, to, q + w - 1);
            spread_nothing(1, p + 2 * w - 1, train, to, q + 2 * w - 1);
        }
    }
    if (h % 2) spread_nothing(w, x + (h - 1) * w, train, to, dx + (h - 1) * w);
}

/* dbias, dweight and dx as bn_bwd of batch_norm.cl */
__kernel void bn_relu_pool_bwd(long n, long c, long h, long w, int train, int wanted, int to_input,
                               __global const REAL *restrict x, long xo, int affine, __global const REAL *restrict weight,
                               long wo, __global const REAL *restrict stats, long so, __global const uchar *restrict winner,
                               long ao, __global const REAL *restrict dy, long gro, __global REAL *restrict dweight,
                               long dwo, __global REAL *restrict dbias, long dbo, __global REAL *restrict dx, long dxo)
{
    long ch = (long)get_group_id(0), in = h * w, out = (h / 2) * (w / 2), planes = max(1L, CHUNK / in);
    x += xo + ch * in;
    dx += dxo + ch * in;
    dy += gro + ch * out;
    winner += ao + ch * out;
    stats += so;
    REAL total = 0, product = 0;
    for (long begin = 0; begin < n && wanted; begin += planes) {
        sums s = {0, 0};
        for (long i = begin; i < min(n, begin + planes); i++)
            plane_sums(h, w, x + i * c * in, stats[ch], stats[c + ch], dy + i * c * out, winner + i * c * out, &s);
        total += sum8(s.total);
        product += sum8(s.product);
    }
    product *= stats[2 * c + ch];
    dweight[dwo + ch] = product;
    dbias[dbo + ch] = total;
    descent to = descent_of(c, ch, (REAL)(n * in), total, product, affine, weight + wo, stats);
    for (long i = 0; i < n && to_input; i++)
        plane_bwd(h, w, x + i * c * in, train, to, winner + i * c * out, dy + i * c * out, dx + i * c * in);
}

#else

__kernel void bn_relu_pool_apply(long n, long c, long h, long w, __global const REAL *restrict x, long xo, int affine,
                                 __global const REAL *restrict weight, long wo, __global const REAL *restrict bias,
                                 long bo, __global const REAL *restrict stats, long so, __global REAL *restrict y, long yo,
                                 int keep, __global uchar *restrict winner, long ao)
{
    INDEX oh = (INDEX)h / 2, ow = (INDEX)w / 2;
    HG_FOR(o, n * c * oh * ow)
    {
        INDEX r = o / ow, q = r / oh;
        transform t = transform_of(c, q % (INDEX)c, affine, weight + wo, bias + bo, stats + so);
        int at;
        y[yo + o] = window_max(x + xo + (q * h + 2 * (r % oh)) * w + 2 * (o % ow), w, t, &at);
        if (keep) winner[ao + o] = (uchar)at;
    }
}

/* parts[(ch * parts + part) * 2 ...]: sum(dy), sum(dy xh) of a part; `chunk` windows a part */
__kernel void bn_relu_pool_bwd_sums(long n, long c, long h, long w, long chunk, __global const REAL *restrict x, long xo,
                                    __global const REAL *restrict stats, long so, __global const uchar *restrict winner,
                                    long ao, __global const REAL *restrict dy, long gro, __global REAL *restrict parts,
                                    long po)
{
    __local REAL scratch[HG_LANES];
    long part = (long)get_group_id(0), ch = (long)get_group_id(1), ow = w / 2, s = (h / 2) * ow;
    long begin = part * chunk, end = min(n * s, begin + chunk);
    int lane = (int)get_local_id(0);
    stats += so;
    REAL mean = stats[ch], rest = stats[c + ch], total = 0, product = 0;
    for (long i = begin + lane; i < end; i += HG_LANES) {
        int at = winner[ao + AT(i)];
        if (at == CLIPPED) continue;
        long row = i % s / ow * 2 + at / 2, column = i % s % ow * 2 + at % 2;
        REAL g = dy[gro + AT(i)];
        total += g;
        product += g * (x[xo + ((i / s * c + ch) * h + row) * w + column] - mean - rest);
    }
    total = hg_team_sum(total, scratch);
    product = hg_team_sum(product, scratch);
    if (lane == 0) {
        __global REAL *out = parts + po + (ch * (long)get_num_groups(0) + part) * 2;
        out[0] = total;
        out[1] = product * stats[2 * c + ch];
    }
}

__kernel void bn_relu_pool_bwd_apply(long n, long c, long h, long w, int train, __global const REAL *restrict x, long xo,
                                     int affine, __global const REAL *restrict weight, long wo,
                                     __global const REAL *restrict stats, long so, __global const uchar *restrict winner,
                                     long ao, __global const REAL *restrict dy, long gro,
                                     __global const REAL *restrict dweight, long dwo,
                                     __global const REAL *restrict dbias, long dbo, __global REAL *restrict dx, long dxo)
{
    INDEX oh = (INDEX)h / 2, ow = (INDEX)w / 2;
    HG_FOR(e, n * c * h * w)
    {
        INDEX r = e / (INDEX)w, column = e % (INDEX)w, row = r % (INDEX)h, q = r / (INDEX)h, ch = q % (INDEX)c;
        INDEX k = (q * oh + row / 2) * ow + column / 2;
        bool inside = row / 2 < oh && column / 2 < ow;
        REAL g = inside && winner[ao + k] == row % 2 * 2 + column % 2 ? dy[gro + k] : 0;
        descent to = descent_of(c, ch, (REAL)(n * h * w), dbias[dbo + ch], dweight[dwo + ch], affine, weight + wo, stats + so);
        dx[dxo + e] = train ? DESCENDED(g, x[xo + e], to) : g * to.scale;
    }
}

#endif
