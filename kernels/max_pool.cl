/* 2-D max pooling of contiguous planes, and its gradient. The winner of a window is kept as its place in the window,
 * u KW + v, in a byte (WINNER int for windows of more than 256 places). NaN wins, the last one; otherwise the first
 * maximum.
 *
 * CPU class: a work-item a plane. A row of outputs goes 8 or 4 at a time; the last block reaches back over the one
 *            before. Backward is done by the plane's owner alone, window after window: the order of sums is fixed.
 * GPU class: a work-item an element of the result; backward each element of dx looks at the windows that cover it. */
#include "common.clh"
#include "pool.clh"

#ifndef ROW
#define ROW 2048
#endif

#ifndef WINNER
#define WINNER uchar
#define WINNER_VECTOR(n) uchar##n
#define TO_WINNER(n) convert_uchar##n
#else
#define WINNER_VECTOR(n) int##n
#define TO_WINNER(n) convert_int##n
#endif

/* The maximum of window (i, j), clipped to the plane. */
static inline REAL window_max(__global const REAL *restrict x, pool p, int i, int j, int *at)
{
    int top = i * p.sh - p.ph, left = j * p.sw - p.pw;
    int u0 = top < 0 ? ceil_div(-top, p.dh) : 0, u1 = min(p.kh, ceil_div(p.h - top, p.dh));
    int v0 = left < 0 ? ceil_div(-left, p.dw) : 0, v1 = min(p.kw, ceil_div(p.w - left, p.dw));
    REAL best = (REAL)-INFINITY;
    *at = u0 * p.kw + v0;
#if !HG_CPU
    if (p.dw == 1) {
        for (int u = u0; u < u1; u++) {
            for (int v = -(left & 1); v < p.kw; v += 2) {
                HG_CAT_REAL(2) pair = pair_of(x + (top + u * p.dh) * p.w, left + v, p.w, (REAL)-INFINITY);
                if (v >= 0 && (pair.x > best || isnan(pair.x))) {
                    best = pair.x;
                    *at = u * p.kw + v;
                }
                if (v + 1 < p.kw && (pair.y > best || isnan(pair.y))) {
                    best = pair.y;
                    *at = u * p.kw + v + 1;
                }
            }
        }
        return best;
    }
#endif
    for (int u = u0; u < u1; u++) {
        for (int v = v0; v < v1; v++) {
            REAL value = x[(top + u * p.dh) * p.w + left + v * p.dw];
            if (value > best || isnan(value)) {
                best = value;
                *at = u * p.kw + v;
            }
        }
    }
    return best;
}

/* The plane's index of place `at` of window (i, j). */
static inline long place(pool p, int i, int j, int at)
{
    int u = at / p.kw, v = at % p.kw;
    return (long)(i * p.sh - p.ph + u * p.dh) * p.w + j * p.sw - p.pw + v * p.dw;
}

#if HG_CPU

#if K2S2
/* n windows of row i from j: two whole rows of x are read. */
#define BLOCK(n, twice)                                                                                                \
    static inline void block##n(__global const REAL *restrict x, pool p, int i, int j, __global const REAL *end,       \
                                __global REAL *restrict y, int winners, __global WINNER *restrict winner)              \
    {                                                                                                                  \
        HG_CAT_REAL(twice) top = vload##twice(0, x + 2 * i * p.w + 2 * j);                                             \
        HG_CAT_REAL(twice) bottom = vload##twice(0, x + (2 * i + 1) * p.w + 2 * j);                                    \
        HG_CAT_REAL(n) best = top.even;                                                                                \
        BITS(n) at = 0, wins;                                                                                          \
        MEET(n, top.odd, 1);                                                                                           \
        MEET(n, bottom.even, 2);                                                                                       \
        MEET(n, bottom.odd, 3);                                                                                        \
        vstore##n(best, 0, y + j);                                                                                     \
        if (winners) vstore##n(TO_WINNER(n)(at), 0, winner + j);                                                       \
        (void)end;                                                                                                     \
    }
BLOCK(8, 16)
BLOCK(4, 8)
#else
/* Elements s apart. Reading every second one of a whole vector goes one too far, so only where that exists. */
static inline HG_CAT_REAL(8) load8(__global const REAL *p, int s, __global const REAL *end)
{
    if (s == 1) return vload8(0, p);
    if (s == 2 && p + 16 <= end) return vload16(0, p).even;
    return (HG_CAT_REAL(8))(p[0], p[s], p[2 * s], p[3 * s], p[4 * s], p[5 * s], p[6 * s], p[7 * s]);
}
static inline HG_CAT_REAL(4) load4(__global const REAL *p, int s, __global const REAL *end)
{
    if (s == 1) return vload4(0, p);
    if (s == 2 && p + 8 <= end) return vload8(0, p).even;
    return (HG_CAT_REAL(4))(p[0], p[s], p[2 * s], p[3 * s]);
}

/* n windows of row i from j, all inside of the plane from left to right. */
#define BLOCK(n)                                                                                                       \
    static inline void block##n(__global const REAL *restrict x, pool p, int i, int j, __global const REAL *end,       \
                                __global REAL *restrict y, int winners, __global WINNER *restrict winner)              \
    {                                                                                                                  \
        int top = i * p.sh - p.ph, left = j * p.sw - p.pw;                                                             \
        int u0 = top < 0 ? ceil_div(-top, p.dh) : 0, u1 = min(p.kh, ceil_div(p.h - top, p.dh));                        \
        HG_CAT_REAL(n) best = (REAL)-INFINITY;                                                                         \
        BITS(n) at = u0 * p.kw;                                                                                        \
        for (int u = u0; u < u1; u++) {                                                                                \
            for (int v = 0; v < p.kw; v++) {                                                                           \
                HG_CAT_REAL(n) value = load##n(x + (top + u * p.dh) * p.w + left + v * p.dw, p.sw, end);               \
                BITS(n) wins = (value > best) | isnan(value);                                                          \
                best = select(best, value, wins);                                                                      \
                at = select(at, (BITS(n))(u * p.kw + v), wins);                                                        \
            }                                                                                                          \
        }                                                                                                              \
        vstore##n(best, 0, y + j);                                                                                     \
        if (winners) vstore##n(TO_WINNER(n)(at), 0, winner + j);                                                       \
    }
BLOCK(8)
BLOCK(4)
#endif

static inline void single(__global const REAL *restrict x, pool p, int i, int j, __global REAL *restrict y, int winners,
                          __global WINNER *restrict winner)
{
    int at;
    y[j] = window_max(x, p, i, j, &at);
    if (winners) winner[j] = (WINNER)at;
}

__kernel void max_pool_fwd(long planes, long8 size, long8 more, __global const REAL *restrict x, long xo,
                           __global REAL *restrict y, long yo, int winners, __global WINNER *restrict winner, long wo,
                           int wanted, __global long *restrict indices, long io)
{
    pool p = pool_of(size, more);
    long in = (long)p.h * p.w, out = (long)p.oh * p.ow;
    int reach = p.w - 1 + p.pw - (p.kw - 1) * p.dw;     /* the last window inside starts at most here, less padding */
    int first = min(p.ow, ceil_div(p.pw, p.sw)), last = reach < 0 ? first : max(first, min(p.ow, reach / p.sw + 1));
    __global const REAL *end = x + xo + planes * in;
    FOR_PLANES(q, planes)
    {
        __global const REAL *xq = x + xo + q * in;
        for (int i = 0; i < p.oh; i++) {
            long row = q * out + (long)i * p.ow;
            __global REAL *yr = y + yo + row;
            __global WINNER *wr = winner + wo + row;
            int j = 0;
            for (; j < first; j++) single(xq, p, i, j, yr, winners, wr);
            if (last - first >= 8)
                for (; j < last; j += 8) block8(xq, p, i, min(j, last - 8), end, yr, winners, wr);
            else if (last - first >= 4)
                for (; j < last; j += 4) block4(xq, p, i, min(j, last - 4), end, yr, winners, wr);
            for (j = min(j, last); j < p.ow; j++) single(xq, p, i, j, yr, winners, wr);
            for (j = 0; j < p.ow && wanted; j++) indices[io + row + j] = place(p, i, j, wr[j]);
        }
    }
}

#if !K2S2
static inline REALV larger(REALV a, REALV b)
{
    return select(a, b, (b > a) | isnan(b));
}

/* 16 elements, what lies behind `end` left out. */
static inline REALV load_before(__global const REAL *p, __global const REAL *end)
{
    REAL v[16];
    if (p + 16 <= end) return HG_LOADV(p);
    for (int k = 0; k < 16; k++) v[k] = p + k < end ? p[k] : (REAL)0;
    return vload16(0, v);
}

/* 16 elements s apart. */
static inline REALV load_apart(const REAL *p, int s)
{
    if (s == 1) return vload16(0, p);
    if (s == 2) return (REALV)(vload16(0, p).even, vload16(1, p).even);
    return (REALV)(p[0], p[s], p[2 * s], p[3 * s], p[4 * s], p[5 * s], p[6 * s], p[7 * s], p[8 * s], p[9 * s],
                   p[10 * s], p[11 * s], p[12 * s], p[13 * s], p[14 * s], p[15 * s]);
}

/* Values alone, for rows that take up to ROW elements with their padding: down the window's rows first, then across.
 * Vectors may reach behind the end of a row of x or y: what is read there is covered, what is written there comes
 * later, or is not written at the end of the plane. */
__kernel void max_pool_values(long planes, long8 size, long8 more, __global const REAL *restrict x, long xo,
                              __global REAL *restrict y, long yo)
{
    pool p = pool_of(size, more);
    REAL row[ROW];
    const REALV none = (REAL)-INFINITY;
    __global const REAL *end = x + xo + planes * p.h * p.w;
    for (int w = 0; w < ROW; w += 16) vstore16(none, 0, row + w);
    FOR_PLANES(q, planes)
    {
        __global REAL *yr = y + yo + q * p.oh * p.ow, *plane_end = yr + p.oh * p.ow;
        for (int i = 0; i < p.oh; i++, yr += p.ow) {
            int top = i * p.sh - p.ph;
            int u0 = top < 0 ? ceil_div(-top, p.dh) : 0, u1 = min(p.kh, ceil_div(p.h - top, p.dh));
            __global const REAL *xr = x + xo + (q * p.h + top + u0 * p.dh) * p.w;
            for (int w = 0; w < p.w; w += 16) {
                REALV v = load_before(xr + w, end);
                for (int u = 1; u < u1 - u0; u++) v = larger(v, load_before(xr + u * p.dh * p.w + w, end));
                vstore16(v, 0, row + p.pw + w);
            }
            vstore16(none, 0, row + p.pw + p.w);
            for (int j = 0; j < p.ow; j += 16) {
                REALV v = load_apart(row + j * p.sw, p.sw);
                for (int k = 1; k < p.kw; k++) v = larger(v, load_apart(row + j * p.sw + k * p.dw, p.sw));
                if (yr + j + 16 <= plane_end) {
                    HG_STOREV(v, yr + j);
                } else {
                    REAL last[16];
                    vstore16(v, 0, last);
                    for (int k = 0; j + k < p.ow; k++) yr[j + k] = last[k];
                }
            }
        }
    }
}
#endif

#if K2S2
/* Two rows of dx from a row of dy. */
#define SPREAD(n, twice)                                                                                               \
    static inline void spread##n(__global const REAL *restrict dy, __global const WINNER *restrict winner, int w,      \
                                 __global REAL *restrict dx)                                                           \
    {                                                                                                                  \
        HG_CAT_REAL(n) d = vload##n(0, dy), zero = 0;                                                                  \
        BITS(n) at = TO_BITS(n)(vload##n(0, winner));                                                                  \
        HG_CAT_REAL(twice) r;                                                                                          \
        r.even = select(zero, d, at == (BITS(n))(0));                                                                  \
        r.odd = select(zero, d, at == (BITS(n))(1));                                                                   \
        vstore##twice(r, 0, dx);                                                                                       \
        r.even = select(zero, d, at == (BITS(n))(2));                                                                  \
        r.odd = select(zero, d, at == (BITS(n))(3));                                                                   \
        vstore##twice(r, 0, dx + w);                                                                                   \
    }
SPREAD(8, 16)
SPREAD(4, 8)

static inline void plane_bwd(pool p, __global const REAL *restrict dy, __global const WINNER *restrict winner,
                             __global REAL *restrict dx)
{
    for (int i = 0; i < p.oh; i++) {
        __global const REAL *g = dy + i * p.ow;
        __global const WINNER *at = winner + i * p.ow;
        __global REAL *top = dx + 2 * i * p.w;
        int j = 0, k;
        if (p.ow >= 8)
            for (; j < p.ow; j += 8) k = min(j, p.ow - 8), spread8(g + k, at + k, p.w, top + 2 * k);
        else if (p.ow >= 4)
            for (; j < p.ow; j += 4) k = min(j, p.ow - 4), spread4(g + k, at + k, p.w, top + 2 * k);
        for (; j < p.ow; j++)
            for (k = 0; k < 4; k++) top[k / 2 * p.w + 2 * j + k % 2] = at[j] == k ? g[j] : 0;
        for (j = 2 * p.ow; j < p.w; j++) top[j] = top[p.w + j] = 0;
    }
    for (int k = 2 * p.oh * p.w; k < p.h * p.w; k++) dx[k] = 0;
}
#else
static inline void plane_bwd(pool p, __global const REAL *restrict dy, __global const WINNER *restrict winner,
                             __global REAL *restrict dx)
{
    for (int k = 0; k < p.h * p.w; k++) dx[k] = 0;
    for (int i = 0, k = 0; i < p.oh; i++)
        for (int j = 0; j < p.ow; j++, k++) dx[place(p, i, j, winner[k])] += dy[k];
}
#endif

__kernel void max_pool_bwd(long planes, long8 size, long8 more, __global const WINNER *restrict winner, long wo,
                           __global const REAL *restrict dy, long gro, __global REAL *restrict dx, long dxo)
{
    pool p = pool_of(size, more);
    long in = (long)p.h * p.w, out = (long)p.oh * p.ow;
    FOR_PLANES(q, planes) plane_bwd(p, dy + gro + q * out, winner + wo + q * out, dx + dxo + q * in);
}

#else

__kernel void max_pool_fwd(long planes, long8 size, long8 more, __global const REAL *restrict x, long xo,
                           __global REAL *restrict y, long yo, int winners, __global WINNER *restrict winner, long wo,
                           int wanted, __global long *restrict indices, long io)
{
    pool p = pool_of(size, more);
    HG_FOR(o, planes * p.oh * p.ow)
    {
        int j = (int)(o % p.ow), i = (int)(o / p.ow % p.oh), at;
        long q = o / p.ow / p.oh;
        y[yo + o] = window_max(x + xo + q * p.h * p.w, p, i, j, &at);
        if (winners) winner[wo + o] = (WINNER)at;
        if (wanted) indices[io + o] = place(p, i, j, at);
    }
}

__kernel void max_pool_bwd(long planes, long8 size, long8 more, __global const WINNER *restrict winner, long wo,
                           __global const REAL *restrict dy, long gro, __global REAL *restrict dx, long dxo)
{
    pool p = pool_of(size, more);
    HG_FOR(e, planes * p.h * p.w)
    {
        int w = (int)(e % p.w), h = (int)(e / p.w % p.h);
        long base = (long)(e / p.w / p.h) * p.oh * p.ow;
        int i0 = max(0, ceil_div(max(0, h + p.ph - (p.kh - 1) * p.dh), p.sh)), i1 = min(p.oh - 1, (h + p.ph) / p.sh);
        int j0 = max(0, ceil_div(max(0, w + p.pw - (p.kw - 1) * p.dw), p.sw)), j1 = min(p.ow - 1, (w + p.pw) / p.sw);
        REAL sum = 0;
        for (int i = i0; i <= i1; i++) {
            for (int j = j0; j <= j1; j++) {
                int u = h + p.ph - i * p.sh, v = w + p.pw - j * p.sw;
                long k = base + i * p.ow + j;
                bool covered = u % p.dh == 0 && v % p.dw == 0;
                REAL d = dy[gro + k];       /* by all lanes: neighbours share what is fetched */
                sum += covered && winner[wo + k] == u / p.dh * p.kw + v / p.dw ? d : 0;
            }
        }
        dx[dxo + e] = sum;
    }
}

#endif
