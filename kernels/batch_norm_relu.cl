/* Batch normalisation, ReLU and 2 x 2 max pooling side by side at once: x is n x c x h x w, y n x c x h/2 x w/2 (rounded
 * down), y = max over its window of max(0, (x - mean) scale + shift), as the three operations one after the other give
 * it to the bit. Statistics: see batch_norm.clh. Where the maximum came from is kept in a byte a window: 0 to 3 in reading
 * order, or CLIPPED if it is not above 0 and no gradient passes. NaN wins, the last one, and passes its gradient.
 *
 * CPU class: a work-item a channel, or a plane in evaluation. Windows go 16 at a time, as two groups of up to 8 that lie
 *            side by side in a row. Backward adds up, then spreads; a gradient that reaches nothing adds nothing,
 *            whatever x is there.
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
    const HG_CAT_REAL(2) top = vload2(0, x), bottom = vload2(0, x + w);
    for (int k = 0; k < 4; k++) {
        REAL v = TRANSFORMED(k == 0 ? top.x : k == 1 ? top.y : k == 2 ? bottom.x : bottom.y, t);
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

typedef HG_CAT_REAL(8) REAL8;

/* Up to 8 windows side by side. Two groups make a vector of 16 lanes; the lanes behind `count` are not used. */
typedef struct group {
    INDEX in, out;      /* the first window's place in a plane of x and of y */
    int count;
} group;

/* The group of row `row` whose first window is `k`; without windows behind the last row. */
static inline group group_at(INDEX row, INDEX k, INDEX h, INDEX w)
{
    const int count = row < h / 2 ? (int)min((INDEX)8, w / 2 - k) : 0;
    group g = {count ? 2 * (row * w + k) : 0, count ? row * (w / 2) + k : 0, count};
    return g;
}

/* DO for all windows of a plane, as pairs of groups `a` and `b`. Groups are made anew each time: one that is carried from
 * turn to turn is lost on Mesa 22.3's llvmpipe. */
#define NEXT_GROUP_                                                                                                    \
    k_ += 8;                                                                                                           \
    row_ += k_ >= w_ / 2;                                                                                              \
    k_ = k_ >= w_ / 2 ? 0 : k_;
#define OVER_GROUPS(h, w, a, b, DO)                                                                                    \
    do {                                                                                                               \
        const INDEX h_ = (INDEX)(h), w_ = (INDEX)(w);                                                                  \
        INDEX row_ = 0, k_ = 0;                                                                                        \
        for (INDEX left_ = (h_ / 2) * ((w_ / 2 + 7) / 8); left_ > 0; left_ -= 2) {                                     \
            const group a = group_at(row_, k_, h_, w_);                                                                \
            NEXT_GROUP_                                                                                                \
            const group b = group_at(row_, k_, h_, w_);                                                                \
            NEXT_GROUP_                                                                                                \
            DO;                                                                                                        \
        }                                                                                                              \
    } while (0)

/* Elements at p; what lies at or behind `end`, the end of the tensor, reads as 0. */
#define LOAD_BEFORE(name, type, element, n)                                                                            \
    static inline type name(__global const element *p, __global const element *end)                                    \
    {                                                                                                                  \
        element some[n];                                                                                               \
        if (p + n <= end) return vload##n(0, p);                                                                       \
        for (int k = 0; k < n; k++) some[k] = p + k < end ? p[k] : 0;                                                  \
        return vload##n(0, some);                                                                                      \
    }
LOAD_BEFORE(load_row, REALV, REAL, 16)
LOAD_BEFORE(load_values, REAL8, REAL, 8)
LOAD_BEFORE(load_places, uchar8, uchar, 8)

/* The first n elements of v, 8 at most. */
#define STORE_FIRST(name, type, element)                                                                               \
    static inline void name(type v, int n, __global element *p)                                                        \
    {                                                                                                                  \
        if (n >= 8) {                                                                                                  \
            vstore8(v, 0, p);                                                                                          \
        } else {                                                                                                       \
            if (n & 4) vstore4(v.lo, 0, p);                                                                            \
            if (n & 2) vstore2(n & 4 ? v.s45 : v.s01, 0, p + (n & 4));                                                 \
            if (n & 1) p[n & 6] = n & 4 ? n & 2 ? v.s6 : v.s4 : n & 2 ? v.s2 : v.s0;                                   \
        }                                                                                                              \
    }
STORE_FIRST(store_values, REAL8, REAL)
STORE_FIRST(store_places, uchar8, uchar)

/* 2 n elements of a row of x. */
static inline void store_row(REALV v, int n, __global REAL *p)
{
    if (n == 8) {
        vstore16(v, 0, p);
    } else {
        store_values(v.lo, 2 * n, p);
        if (n > 4) store_values(v.hi, 2 * n - 8, p + 8);
    }
}

/* Two groups as one vector. */
#define EVEN(a, b) (REALV)((a).even, (b).even)
#define ODD(a, b) (REALV)((a).odd, (b).odd)

/* ---- forward ---- */

static inline REALV rectified_row(__global const REAL *x, __global const REAL *end, transform t)
{
    REALV v = TRANSFORMED(load_row(x, end), t);
    return RECTIFIED(REALV, v);
}

static inline void pair_fwd(group a, group b, long w, __global const REAL *restrict x, __global const REAL *end,
                            transform t, __global REAL *restrict y, int keep, __global uchar *restrict winner)
{
    REALV top = rectified_row(x + a.in, end, t), top_b = rectified_row(x + b.in, end, t);
    REALV bottom = rectified_row(x + a.in + w, end, t), bottom_b = rectified_row(x + b.in + w, end, t);
    REALV best = EVEN(top, top_b);
    BITS(16) at = 0, wins;
    MEET(16, ODD(top, top_b), 1);
    MEET(16, EVEN(bottom, bottom_b), 2);
    MEET(16, ODD(bottom, bottom_b), 3);
    store_values(best.lo, a.count, y + a.out);
    store_values(best.hi, b.count, y + b.out);
    if (!keep) return;
    at = select(at, (BITS(16))(CLIPPED), best <= (REALV)(0));
    uchar16 places = convert_uchar16(at);
    store_places(places.lo, a.count, winner + a.out);
    store_places(places.hi, b.count, winner + b.out);
}

static inline void plane_fwd(long h, long w, __global const REAL *restrict x, __global const REAL *end, transform t,
                             __global REAL *restrict y, int keep, __global uchar *restrict winner)
{
    OVER_GROUPS(h, w, a, b, pair_fwd(a, b, w, x, end, t, y, keep, winner));
}

__kernel void bn_relu_pool_train(long n, long c, long h, long w, REAL eps, REAL momentum, int running,
                                 __global REAL *restrict mean, long mo, __global REAL *restrict var, long vo,
                                 __global const int *restrict fault, __global const REAL *restrict x, long xo, int affine,
                                 __global const REAL *restrict weight, long wo, __global const REAL *restrict bias,
                                 long bo, __global REAL *restrict stats, long so, __global REAL *restrict y, long yo,
                                 int keep, __global uchar *restrict winner, long ao)
{
    long ch = (long)get_group_id(0), in = h * w, out = (h / 2) * (w / 2);
    __global const REAL *end = x + xo + n * c * in;
    x += xo + ch * in;
    y += yo + ch * out;
    winner += ao + ch * out;
    stats += so;
    finish(channel_moments(x, n, c, in), c, ch, eps, momentum, running, mean + mo, var + vo, fault, stats);
    transform t = transform_of(c, ch, affine, weight + wo, bias + bo, stats);
    for (long i = 0; i < n; i++) plane_fwd(h, w, x + i * c * in, end, t, y + i * c * out, keep, winner + i * c * out);
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
        plane_fwd(h, w, x + xo + q * in, x + xo + n * c * in, t, y + yo + q * out, keep, winner + ao + q * out);
    }
}

/* ---- backward ---- */

/* Sums of dy and of dy (x - mean - rest). */
typedef struct sums {
    REALV total, product;
} sums;

/* The gradients of two groups and where they go: CLIPPED for the lanes that have none. */
typedef struct gradients {
    REALV value;
    BITS(16) at;
} gradients;

static inline gradients gradients_of(group a, group b, __global const REAL *restrict dy, __global const REAL *dy_end,
                                     __global const uchar *restrict winner, __global const uchar *winner_end)
{
    const BITS(16) lane = (BITS(16))(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
    const BITS(16) count = (BITS(16))((BITS(8))(a.count), (BITS(8))(b.count));
    gradients g;
    g.value = (REALV)(load_values(dy + a.out, dy_end), load_values(dy + b.out, dy_end));
    g.at = TO_BITS(16)((uchar16)(load_places(winner + a.out, winner_end), load_places(winner + b.out, winner_end)));
    g.at = select((BITS(16))(CLIPPED), g.at, lane < count);
    return g;
}

static inline void pair_sums(group a, group b, long w, __global const REAL *restrict x, __global const REAL *end,
                             REAL mean, REAL rest, gradients g, sums *s)
{
    REALV top = load_row(x + a.in, end), top_b = load_row(x + b.in, end);
    REALV bottom = load_row(x + a.in + w, end), bottom_b = load_row(x + b.in + w, end);
    REALV value = ODD(bottom, bottom_b), zero = 0;
    BITS(16) counts = g.at < (BITS(16))(CLIPPED);
    value = select(value, EVEN(bottom, bottom_b), g.at == (BITS(16))(2));
    value = select(value, ODD(top, top_b), g.at == (BITS(16))(1));
    value = select(value, EVEN(top, top_b), g.at == (BITS(16))(0));
    s->total += select(zero, g.value, counts);
    s->product += select(zero, g.value * (value - mean - rest), counts);
}

/* A row of x of one group: `even` and `odd` are its gradients at the windows' columns. */
static inline void spread_row(REAL8 even, REAL8 odd, int n, __global const REAL *restrict x, __global const REAL *end,
                              int train, descent to, __global REAL *restrict dx)
{
    REALV g;
    g.even = even;
    g.odd = odd;
    REALV d = train ? DESCENDED(g, load_row(x, end), to) : g * to.scale;
    store_row(d, n, dx);
}

static inline void pair_spread(group a, group b, long w, gradients g, __global const REAL *restrict x,
                               __global const REAL *end, int train, descent to, __global REAL *restrict dx)
{
    REALV zero = 0, d[4];
#pragma unroll
    for (int k = 0; k < 4; k++) d[k] = select(zero, g.value, g.at == (BITS(16))(k));
    spread_row(d[0].lo, d[1].lo, a.count, x + a.in, end, train, to, dx + a.in);
    spread_row(d[0].hi, d[1].hi, b.count, x + b.in, end, train, to, dx + b.in);
    spread_row(d[2].lo, d[3].lo, a.count, x + a.in + w, end, train, to, dx + a.in + w);
    spread_row(d[2].hi, d[3].hi, b.count, x + b.in + w, end, train, to, dx + b.in + w);
}

/* Elements in no window. */
static inline void spread_nothing(long n, __global const REAL *restrict x, int train, descent to,
                                  __global REAL *restrict dx)
{
    for (long k = 0; k < n; k++) dx[k] = train ? DESCENDED((REAL)0, x[k], to) : 0;
}

static inline void spread_rest(long h, long w, __global const REAL *restrict x, int train, descent to,
                               __global REAL *restrict dx)
{
    for (long i = w - 1; w % 2 && i < h * w; i += w) spread_nothing(1, x + i, train, to, dx + i);
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
    __global const REAL *end = x + xo + n * c * in, *dy_end = dy + gro + n * c * out;
    __global const uchar *winner_end = winner + ao + n * c * out;
    x += xo + ch * in;
    dx += dxo + ch * in;
    dy += gro + ch * out;
    winner += ao + ch * out;
    stats += so;
    REAL total = 0, product = 0, mean = stats[ch], rest = stats[c + ch];
    for (long begin = 0; begin < n && wanted; begin += planes) {
        sums s = {0, 0};
        for (long i = begin; i < min(n, begin + planes); i++) {
            __global const REAL *from = x + i * c * in, *g = dy + i * c * out;
            __global const uchar *at = winner + i * c * out;
            OVER_GROUPS(h, w, a, b,
                        pair_sums(a, b, w, from, end, mean, rest, gradients_of(a, b, g, dy_end, at, winner_end), &s));
        }
        total += hg_addv(s.total);
        product += hg_addv(s.product);
    }
    product *= stats[2 * c + ch];
    dweight[dwo + ch] = product;
    dbias[dbo + ch] = total;
    descent to = descent_of(c, ch, (REAL)(n * in), total, product, affine, weight + wo, stats);
    for (long i = 0; i < n && to_input; i++) {
        __global const REAL *from = x + i * c * in, *g = dy + i * c * out;
        __global const uchar *at = winner + i * c * out;
        __global REAL *q = dx + i * c * in;
        OVER_GROUPS(h, w, a, b,
                    pair_spread(a, b, w, gradients_of(a, b, g, dy_end, at, winner_end), from, end, train, to, q));
        spread_rest(h, w, from, train, to, q);
    }
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

/* parts[PART(0, 1 ...)]: sum(dy), sum(dy xh) of a part; `chunk` windows a part */
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
        /* All lanes take the whole window: neighbours share what is fetched. */
        INDEX k = (INDEX)i % (INDEX)s, from = (INDEX)i / (INDEX)s * (INDEX)c + (INDEX)ch;
        int at = winner[ao + AT(i)];
        REAL g = dy[gro + AT(i)];
        __global const REAL *window = x + xo + (from * h + k / (INDEX)ow * 2) * w + k % (INDEX)ow * 2;
        const HG_CAT_REAL(2) top = vload2(0, window), bottom = vload2(0, window + w);
        REAL v = at == 0 ? top.x : at == 1 ? top.y : at == 2 ? bottom.x : bottom.y;
        if (at != CLIPPED) {
            total += g;
            product += g * (v - mean - rest);
        }
    }
    total = hg_team_sum(total, scratch);
    product = hg_team_sum(product, scratch);
    if (lane == 0) {
        parts[po + PART(0, part, (long)get_num_groups(0))] = total;
        parts[po + PART(1, part, (long)get_num_groups(0))] = product * stats[2 * c + ch];
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
        REAL d = inside ? dy[gro + k] : 0, g = inside && winner[ao + k] == row % 2 * 2 + column % 2 ? d : 0;
        descent to = descent_of(c, ch, (REAL)(n * h * w), dbias[dbo + ch], dweight[dwo + ch], affine, weight + wo, stats + so);
        dx[dxo + e] = train ? DESCENDED(g, x[xo + e], to) : g * to.scale;
    }
}

#endif
