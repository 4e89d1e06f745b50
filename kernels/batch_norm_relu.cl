/* Batch normalisation, ReLU and 2 x 2 max pooling side by side at once: x is n x c x h x w, y n x c x h/2 x w/2 (rounded
 * down), y = max over its window of max(0, (x - mean) scale + shift), as the three operations one after the other give
 * it to the bit. Statistics: see batch_norm.clh. Where the maximum came from is kept in a byte a window: 0 to 3 in reading
 * order, or CLIPPED if it is not above 0 and no gradient passes. NaN wins, the last one, and passes its gradient.
 *
 * CPU class: a work-item a channel, or a plane in evaluation. Forward takes 16 windows at a time, 8 and 8 side by side or
 *            below each other; backward the 16 columns of 8 windows. Backward adds up, then spreads; a gradient that
 *            reaches nothing adds nothing, whatever x is there. The next plane's lines are asked for: each begins on a
 *            page of its own, where the hardware does not look ahead.
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

/* Planes go row of windows by row of windows, a vector of columns at a time, the last one of a row with whatever lies
 * behind it: lanes that are too many are loaded, and stored before what belongs there. Only in the last row, with `guard`,
 * loads end with the tensor and stores with the plane. Rows of fewer than LEAST elements are guarded all. */
enum { LEAST = 8 };
#define QUICK_ROWS(h, w) ((INDEX)(w) < LEAST ? 0 : (INDEX)(h) / 2 - 1)
#define INLINE static inline __attribute__((always_inline))

/* Elements at p; what lies at or behind `end`, the end of the tensor, reads as 0 with `guard`. */
#define LOAD_BEFORE(name, type, element, n)                                                                            \
    INLINE type name(const int guard, __global const element *p, __global const element *end)                          \
    {                                                                                                                  \
        element some[n];                                                                                               \
        if (!guard || p + n <= end) return vload##n(0, p);                                                             \
        for (int k = 0; k < n; k++) some[k] = p + k < end ? p[k] : 0;                                                  \
        return vload##n(0, some);                                                                                      \
    }
LOAD_BEFORE(load_row, REALV, REAL, 16)
LOAD_BEFORE(load_values, REAL8, REAL, 8)
LOAD_BEFORE(load_places, uchar8, uchar, 8)

/* PoCL makes eight stores of vstore8, one of this. */
#ifdef __clang__
typedef uchar8 UNALIGNED_PLACES __attribute__((aligned(1)));
#if HG_F64
typedef REAL8 UNALIGNED_VALUES __attribute__((aligned(8)));
#else
typedef REAL8 UNALIGNED_VALUES __attribute__((aligned(4)));
#endif
#define STORE_8(type, v, p) (*(__global type *)(p) = (v))
#else
#define STORE_8(type, v, p) vstore8(v, 0, p)
#endif

/* All of v; with `guard` the first `room` elements. */
#define STORE_INSIDE(name, type, element, unaligned)                                                                   \
    INLINE void name(const int guard, type v, INDEX room, __global element *p)                                         \
    {                                                                                                                  \
        if (!guard || room >= 8) {                                                                                     \
            STORE_8(unaligned, v, p);                                                                                  \
        } else if (room > 0) {                                                                                         \
            if (room & 4) vstore4(v.lo, 0, p);                                                                         \
            if (room & 2) vstore2(room & 4 ? v.s45 : v.s01, 0, p + (room & 4));                                        \
            if (room & 1) p[room & 6] = room & 4 ? room & 2 ? v.s6 : v.s4 : room & 2 ? v.s2 : v.s0;                    \
        }                                                                                                              \
    }
STORE_INSIDE(store_values, REAL8, REAL, UNALIGNED_VALUES)
STORE_INSIDE(store_places, uchar8, uchar, UNALIGNED_PLACES)

INLINE void store_row(const int guard, REALV v, INDEX room, __global REAL *p)
{
    if (!guard || room >= 16) {
        HG_STOREV(v, p);
    } else {
        store_values(1, v.lo, room, p);
        store_values(1, v.hi, room - 8, p + 8);
    }
}

/* ---- forward ---- */

/* Two groups as one vector. */
#define EVEN(a, b) (REALV)((a).even, (b).even)
#define ODD(a, b) (REALV)((a).odd, (b).odd)

INLINE REALV rectified_row(const int guard, __global const REAL *x, __global const REAL *end, transform t)
{
    REALV v = TRANSFORMED(load_row(guard, x, end), t);
    return RECTIFIED(REALV, v);
}

/* Eight windows at `from` in a plane of x, at `to` in one of y, and eight at `from_b`, `to_b`, which are stored later. */
INLINE void pair_fwd(const int guard, INDEX w, INDEX out, INDEX from, INDEX from_b, INDEX to, INDEX to_b,
                     __global const REAL *restrict x, __global const REAL *end, transform t, __global REAL *restrict y,
                     int keep, __global uchar *restrict winner)
{
    REALV top = rectified_row(guard, x + from, end, t), top_b = rectified_row(guard, x + from_b, end, t);
    REALV bottom = rectified_row(guard, x + from + w, end, t), bottom_b = rectified_row(guard, x + from_b + w, end, t);
    REALV best = EVEN(top, top_b);
    BITS(16) at = 0, wins;
    MEET(16, ODD(top, top_b), 1);
    MEET(16, EVEN(bottom, bottom_b), 2);
    MEET(16, ODD(bottom, bottom_b), 3);
    store_values(guard, best.lo, out - to, y + to);
    store_values(guard, best.hi, out - to_b, y + to_b);
    if (!keep) return;
    at = select(at, (BITS(16))(CLIPPED), best <= (REALV)(0));
    uchar16 places = convert_uchar16(at);
    store_places(guard, places.lo, out - to, winner + to);
    store_places(guard, places.hi, out - to_b, winner + to_b);
}

/* A row of windows, and the one below too if rows are short. `below`: elements to that row's windows in x, 0 if there is
 * none. */
INLINE void rows_fwd(const int guard, INDEX row, INDEX below, INDEX w, INDEX out, __global const REAL *restrict x,
                     __global const REAL *end, long ahead, transform t, __global REAL *restrict y, int keep,
                     __global uchar *restrict winner)
{
    const INDEX from = 2 * row * w, to = row * (w / 2);
    for (INDEX k = 0; k < w / 2; k += 16) {
        const INDEX next = k + 8 < w / 2 ? 8 : 0, in = from + 2 * k;
        HG_PREFETCH(x + ahead + in, 0);
        HG_PREFETCH(x + ahead + in + w, 0);
        HG_PREFETCH(x + ahead + in + 2 * next + below, 0);
        HG_PREFETCH(x + ahead + in + 2 * next + below + w, 0);
        pair_fwd(guard, w, out, in, in + 2 * next + below, to + k, to + k + next + (below ? w / 2 : 0), x, end, t, y, keep,
                 winner);
    }
}

/* One plane; `ahead` is how far the plane of the next turn is. */
static inline void plane_fwd(long h, long width, __global const REAL *restrict x, __global const REAL *end, long ahead,
                             transform t, __global REAL *restrict y, int keep, __global uchar *restrict winner)
{
    const INDEX w = (INDEX)width, rows = (INDEX)h / 2, out = rows * (w / 2), quick = QUICK_ROWS(h, w);
    const INDEX step = w / 2 <= 8 ? 2 : 1;
    INDEX row = 0;
    for (; row + step <= quick; row += step)
        rows_fwd(0, row, (step - 1) * 2 * w, w, out, x, end, ahead, t, y, keep, winner);
    for (; row < rows; row += step)
        rows_fwd(1, row, row + step <= rows ? (step - 1) * 2 * w : 0, w, out, x, end, ahead, t, y, keep, winner);
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
    for (long i = 0; i < n; i++)
        plane_fwd(h, w, x + i * c * in, end, i + 1 < n ? c * in : 0, t, y + i * c * out, keep, winner + i * c * out);
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
        plane_fwd(h, w, x + xo + q * in, x + xo + n * c * in, 0, t, y + yo + q * out, keep, winner + ao + q * out);
    }
}

/* ---- backward ---- */

/* Sums of dy and of dy (x - mean - rest), of windows whose winner is in their top and in their bottom row. */
typedef struct sums {
    REALV total_top, product_top, total_bottom, product_bottom;
} sums;

/* A window's value in both of its columns. */
#define TWICE(v) (v).s0011223344556677

/* What a column is in its window's top row; in the bottom row it is two more. */
#define SIDE (BITS(16))(0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1)

/* Planes of one image: x, dx, dy and winners, the ends of their tensors, and how many planes ahead the next one is. */
typedef struct image {
    __global const REAL *x, *end, *dy, *dy_end;
    __global const uchar *winner, *winner_end;
    __global REAL *dx;
    INDEX w, in;
    long ahead, ahead_out;
} image;

/* Where the winners of 16 columns are: CLIPPED for columns in no window. */
INLINE BITS(16) places_at(const int guard, __global const uchar *p, __global const uchar *end, INDEX columns)
{
    const BITS(16) column = (BITS(16))(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    BITS(16) at = TO_BITS(16)(TWICE(load_places(guard, p, end)));
    return select((BITS(16))(CLIPPED), at, column < (BITS(16))((int)columns));
}

INLINE void row_sums(const int guard, INDEX row, image m, REAL mean, REAL rest, sums *s)
{
    const REALV zero = 0;
    const INDEX windows = m.w / 2;
    for (INDEX k = 0; k < 2 * windows; k += 16) {
        const INDEX i = 2 * row * m.w + k, o = row * windows + k / 2;
        HG_PREFETCH(m.x + m.ahead + i, 0);
        HG_PREFETCH(m.x + m.ahead + i + m.w, 0);
        HG_PREFETCH(m.dy + m.ahead_out + o, 0);
        const REALV g = TWICE(load_values(guard, m.dy + o, m.dy_end));
        const BITS(16) at = places_at(guard, m.winner + o, m.winner_end, 2 * windows - k);
        const BITS(16) top = at == SIDE, bottom = at == SIDE + 2;
        s->total_top += select(zero, g, top);
        s->product_top += select(zero, g * (load_row(guard, m.x + i, m.end) - mean - rest), top);
        s->total_bottom += select(zero, g, bottom);
        s->product_bottom += select(zero, g * (load_row(guard, m.x + i + m.w, m.end) - mean - rest), bottom);
    }
}

INLINE REALV spread(REALV g, REALV x, const int train, descent to)
{
    return train ? DESCENDED(g, x, to) : g * to.scale;
}

/* A row of windows, from its end: what is stored too much lies behind. Columns in no window get no gradient. */
INLINE void row_spread(const int guard, const int train, INDEX row, image m, descent to)
{
    const REALV zero = 0;
    const INDEX windows = m.w / 2;
    for (INDEX k = (m.w - 1) / 16 * 16; k >= 0; k -= 16) {
        const INDEX i = 2 * row * m.w + k, o = row * windows + k / 2;
        HG_PREFETCH(m.dx + m.ahead + i, 1);
        HG_PREFETCH(m.dx + m.ahead + i + m.w, 1);
        const REALV g = TWICE(load_values(guard, m.dy + o, m.dy_end));
        const BITS(16) at = places_at(guard, m.winner + o, m.winner_end, 2 * windows - k);
        REALV top = spread(select(zero, g, at == SIDE), load_row(guard, m.x + i, m.end), train, to);
        store_row(guard, top, m.in - i, m.dx + i);
        REALV bottom = spread(select(zero, g, at == SIDE + 2), load_row(guard, m.x + i + m.w, m.end), train, to);
        store_row(guard, bottom, m.in - i - m.w, m.dx + i + m.w);
    }
}

static inline void plane_sums(long h, image m, REAL mean, REAL rest, sums *s)
{
    INDEX row = 0, quick = QUICK_ROWS(h, m.w);
    for (; row < quick; row++) row_sums(0, row, m, mean, rest, s);
    for (; row < (INDEX)h / 2; row++) row_sums(1, row, m, mean, rest, s);
}

static inline void plane_spread(long h, image m, int train, descent to)
{
    INDEX row = 0, quick = train ? QUICK_ROWS(h, m.w) : 0;
    for (; row < quick; row++) row_spread(0, 1, row, m, to);
    for (; row < (INDEX)h / 2; row++) row_spread(1, train, row, m, to);
    if (h % 2 == 0) return;
    for (INDEX k = m.in - m.w; k < m.in; k += 16)
        store_row(1, spread(0, load_row(1, m.x + k, m.end), train, to), m.in - k, m.dx + k);
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
    image m = {x, end, dy, dy_end, winner, winner_end, dx, (INDEX)w, (INDEX)in, c * in, c * out};
    for (long begin = 0; begin < n && wanted; begin += planes) {
        sums s = {0, 0, 0, 0};
        for (long i = begin; i < min(n, begin + planes); i++) {
            m.x = x + i * c * in;
            m.dy = dy + i * c * out;
            m.winner = winner + i * c * out;
            plane_sums(h, m, mean, rest, &s);
        }
        total += hg_addv(s.total_top + s.total_bottom);
        product += hg_addv(s.product_top + s.product_bottom);
    }
    product *= stats[2 * c + ch];
    dweight[dwo + ch] = product;
    dbias[dbo + ch] = total;
    descent to = descent_of(c, ch, (REAL)(n * in), total, product, affine, weight + wo, stats);
    for (long i = 0; i < n && to_input; i++) {
        m.x = x + i * c * in;
        m.dy = dy + i * c * out;
        m.winner = winner + i * c * out;
        m.dx = dx + i * c * in;
        plane_spread(h, m, train, to);
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
