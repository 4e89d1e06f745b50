/* What lies between the transforms of a convolution in tiles of TH x TW pixels, VH x VW of which
 * count; tile t of a chunk is tile t0 + t of all, row by row, image by image. A plane's tiles lie one behind
 * another. Both classes: a work-item an element, HG_FOR.
 *
 *   fft_tiles    tile[c tiles + t] = the pixels from (h VH + oh, w VW + ow) on, `height` x `width` of them, then 0
 *   fft_weights  tile[i] = the taps of weight first + i at multiples of the dilation, mirrored and with the other order
 *                of channels if `mirrored`, 0 between
 *   fft_matrix   a[frequency][part O + o][c] = the real (part 0) and imaginary parts of the weights' spectra
 *   fft_combine  conj(w) x of products [frequency][2 O][2 tiles] of the parts of w with the pairs of x
 *   fft_pairs    b[frequency][part C + c][2 tiles] = (re, im) for part 0, (im, -re) for part 1
 *   fft_gradient spectra of O C gradients from products [frequency][o][part C + c]
 *   fft_store    what counts of each tile to the output, with the epilogue
 *   fft_taps     the taps of each tile to the weight's gradient
 *
 * Spectra: [frequency][array], `pitch` pairs a row; see lib/blas/fft.h. Of `planes` or arrays, those that stand for
 * nothing become zeros. */
#include "conv.clh"

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* shape: TH, TW, VH, VW, tiles down and across an image, t0, tiles */
#define TILE_SHAPE(s)                                                                                                 \
    const INDEX TH = (INDEX)s.s0, TW = (INDEX)s.s1, VH = (INDEX)s.s2, VW = (INDEX)s.s3, AH = (INDEX)s.s4,             \
                AW = (INDEX)s.s5, T0 = (INDEX)s.s6, TILES = (INDEX)s.s7;                                              \
    (void)(TH + TW + VH + VW + AH + AW + T0 + TILES);

__kernel void fft_tiles(long8 shape, long planes, long channels, long rows, long columns, long oh, long ow, long height,
                        long width, __global const REAL *restrict x, long xo, __global REAL *restrict y, long yo)
{
    TILE_SHAPE(shape)
    const INDEX C = (INDEX)channels, H = (INDEX)rows, W = (INDEX)columns;
    x += xo;
    y += yo;
    HG_FOR(i, (INDEX)planes * TH * TW)
    {
        INDEX line = i / TW, j = i - line * TW, plane = line / TH, k = line - plane * TH;
        INDEX c = plane / TILES, t = T0 + plane - c * TILES, row = t / AW, w = t - row * AW, n = row / AH;
        INDEX ih = (row - n * AH) * VH + (INDEX)oh + k, iw = w * VW + (INDEX)ow + j;
        bool inside = c < C && k < (INDEX)height && j < (INDEX)width && ih >= 0 && ih < H && iw >= 0 && iw < W;
        REAL v = 0;
        if (inside) v = x[((n * C + c) * H + ih) * W + iw];
        y[i] = v;
    }
}

__kernel void fft_weights(long8 shape, long8 gb, long planes, long first, long count, long outputs, long channels,
                          int mirrored, __global const REAL *restrict w, long wo, __global REAL *restrict y, long yo)
{
    TILE_SHAPE(shape)
    const INDEX KH = (INDEX)gb.s4, KW = (INDEX)gb.s5, LH = (INDEX)gb.s6, LW = (INDEX)gb.s7;
    const INDEX O = (INDEX)outputs, C = (INDEX)channels;
    w += wo;
    y += yo;
    HG_FOR(i, (INDEX)planes * TH * TW)
    {
        INDEX line = i / TW, j = i - line * TW, plane = line / TH, k = line - plane * TH;
        INDEX pair = (INDEX)first + plane, o = pair / C, c = pair - o * C, kh = k / LH, kw = j / LW;
        REAL v = 0;
        if (plane < (INDEX)count && kh * LH == k && kw * LW == j && kh < KH && kw < KW)
            v = mirrored ? w[((c * O + o) * KH + KH - 1 - kh) * KW + KW - 1 - kw] : w[(pair * KH + kh) * KW + kw];
        y[i] = v;
    }
}

__kernel void fft_matrix(long frequencies, long pitch, long first, long count, long outputs, long channels,
                         __global const REAL *restrict s, long so, __global REAL *restrict a)
{
    const INDEX O = (INDEX)outputs, C = (INDEX)channels, N = (INDEX)count;
    s += so;
    HG_FOR(i, (INDEX)frequencies * N)
    {
        INDEX f = i / N, k = i - f * N, at = 2 * (f * (INDEX)pitch + k), to = 2 * f * O * C + (INDEX)first + k;
        a[to] = s[at];
        a[to + O * C] = s[at + 1];
    }
}

__kernel void fft_combine(long frequencies, long planes, long pitch, long outputs, long tiles,
                          __global const REAL *restrict p, long po, __global REAL *restrict s, long so)
{
    const INDEX N = (INDEX)planes, O = (INDEX)outputs, T = (INDEX)tiles;
    p += po;
    s += so;
    HG_FOR(i, (INDEX)frequencies * N)
    {
        INDEX f = i / N, k = i - f * N, a = 2 * (2 * f * O * T + k), b = a + 2 * O * T;
        INDEX to = 2 * (f * (INDEX)pitch + k);
        bool some = k < O * T;
        s[to] = some ? p[a] + p[b + 1] : 0;
        s[to + 1] = some ? p[a + 1] - p[b] : 0;
    }
}

__kernel void fft_pairs(long frequencies, long pitch, long channels, long tiles, __global const REAL *restrict s,
                        long so, __global REAL *restrict b, long bo)
{
    const INDEX C = (INDEX)channels, T = (INDEX)tiles;
    s += so;
    b += bo;
    HG_FOR(i, (INDEX)frequencies * C * T)
    {
        INDEX f = i / (C * T), k = i - f * C * T, at = 2 * (f * (INDEX)pitch + k), to = 2 * (2 * f * C * T + k);
        REAL re = s[at], im = s[at + 1];
        b[to] = re;
        b[to + 1] = im;
        b[to + 2 * C * T] = im;
        b[to + 2 * C * T + 1] = -re;
    }
}

__kernel void fft_gradient(long frequencies, long planes, long pitch, long first, long count, long outputs,
                           long channels, __global const REAL *restrict g, long go, __global REAL *restrict s, long so)
{
    const INDEX O = (INDEX)outputs, C = (INDEX)channels, N = (INDEX)planes;
    g += go;
    s += so;
    HG_FOR(i, (INDEX)frequencies * N)
    {
        INDEX f = i / N, k = i - f * N, pair = (INDEX)first + k, o = pair / C, c = pair - o * C;
        INDEX from = (f * O + o) * 2 * C + c, to = 2 * (f * (INDEX)pitch + k);
        bool some = k < (INDEX)count;
        s[to] = some ? g[from] : 0;
        s[to + 1] = some ? g[from + C] : 0;
    }
}

__kernel void fft_store(long8 shape, long outputs, long rows, long columns, __global const REAL *restrict r, long ro,
                        __global const REAL *restrict bias, long bo, __global const REAL *restrict residual, long eo,
                        __global REAL *restrict y, long yo, int epilogue)
{
    TILE_SHAPE(shape)
    const INDEX O = (INDEX)outputs, H = (INDEX)rows, W = (INDEX)columns;
    r += ro;
    HG_FOR(i, O * TILES * VH * VW)
    {
        INDEX line = i / VW, j = i - line * VW, plane = line / VH, k = line - plane * VH;
        INDEX o = plane / TILES, t = T0 + plane - o * TILES, row = t / AW, w = t - row * AW, n = row / AH;
        INDEX oh = (row - n * AH) * VH + k, ow = w * VW + j, to = ((n * O + o) * H + oh) * W + ow;
        if (oh >= H || ow >= W) continue;
        REAL v = r[(plane * TH + k) * TW + j];
        if (epilogue & CONV_BIAS) v += bias[bo + o];
        if (epilogue & CONV_RESIDUAL) v += residual[eo + to];
        if (epilogue & CONV_RELU) v = v < 0 ? 0 : v;
        y[yo + to] = v;
    }
}

__kernel void fft_taps(long8 shape, long8 gb, long first, long count, __global const REAL *restrict r, long ro,
                       __global REAL *restrict dw, long wo)
{
    TILE_SHAPE(shape)
    const INDEX KH = (INDEX)gb.s4, KW = (INDEX)gb.s5, LH = (INDEX)gb.s6, LW = (INDEX)gb.s7;
    r += ro;
    dw += wo + first * KH * KW;
    HG_FOR(i, (INDEX)count * KH * KW)
    {
        INDEX line = i / KW, kw = i - line * KW, plane = line / KH, kh = line - plane * KH;
        dw[i] = r[(plane * TH + kh * LH) * TW + kw * LW];
    }
}
