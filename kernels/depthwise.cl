/* Convolutions whose groups have one input channel: output c M + m is input channel c by a kernel of its own. Any rank,
 * stride and dilation, up to MOST_TAPS taps.
 *
 * CPU   A work-item takes planes, or bands of their rows, in turn. It stages the band in `scratch`, zeros around it, as
 *       columns and rows of one remainder modulo the stride together (phases): there, a tap is one offset, for every
 *       pixel of the band at once, the rows following each other in one line of vectors. What is computed in the gaps
 *       between rows is thrown away.
 *         dw_fwd     x is staged, `M` outputs are computed from it
 *         dw_data    dy is staged; inputs of one remainder modulo the stride have the same taps and are one line
 *         dw_weights x and dy are staged with one pitch; a vector of sums a tap, over the images of a slice of the batch
 * GPU   dw_fwd, dw_data: a work-item an element, neighbours along W. dw_weights: a team an output channel and slice.
 *
 * dw_weights writes part[slice][output][tap]; conv_sum.cl adds the slices. Every sum runs in a fixed order. */
#include "conv.clh"

#define MOST_TAPS 128

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

#if HG_CPU
#define VECTORS (HG_F64 ? 2 : 4)    /* of a line, in registers at once */
#define BLOCK (16 * VECTORS)
#define TAPS 8                      /* of dw_weights, in registers at once */

/* out[i] = sum of w[t] in[i + at[t]] for i < length, rounded up to blocks; added to what is there if `add`. */
static inline void line_of(__global const REAL *in, __global REAL *out, INDEX length, const INDEX *at, const REAL *w,
                           int taps, bool add)
{
    for (INDEX i = 0; i < length; i += BLOCK) {
        REALV acc[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; v++) acc[v] = add ? vload16(v, out + i) : (REALV)(0);
        for (int t = 0; t < taps; t++) {
            __global const REAL *p = in + i + at[t];
#pragma unroll
            for (int v = 0; v < VECTORS; v++) acc[v] = fma((REALV)(w[t]), vload16(v, p), acc[v]);
        }
#pragma unroll
        for (int v = 0; v < VECTORS; v++) vstore16(acc[v], v, out + i);
    }
}

/* `depth` x `rows` rows of `pitch` elements to s: element (d, h, w) is x[(d0 + d sd), (h0 + h sh), (w0 + w sw)] of a
 * plane of D x H x W, 0 outside. Up to 15 elements behind the last are written too. */
static inline void stage(__global const REAL *restrict x, INDEX plane, INDEX total, INDEX D, INDEX H, INDEX W, INDEX d0,
                         INDEX h0, INDEX w0, INDEX sd, INDEX sh, INDEX sw, INDEX depth, INDEX rows, INDEX pitch,
                         __global REAL *s)
{
    for (INDEX d = 0; d < depth; d++) {
        for (INDEX h = 0; h < rows; h++, s += pitch) {
            INDEX id = d0 + d * sd, ih = h0 + h * sh, row = plane + (id * H + ih) * W;
            bool inside = id >= 0 && id < D && ih >= 0 && ih < H;
            for (INDEX i = 0; i < pitch; i += 16) {
                REALV v = 0;
                if (inside) v = conv_row(x, row, w0 + i * sw, sw, W, pitch - i, total);
                vstore16(v, 0, s + i);
            }
        }
    }
}

/* What lies behind the staged elements is computed with too, for nothing; numbers that happen to be there may be
 * denormal, which costs hundreds of cycles each. */
static inline void clear(__global REAL *s, INDEX n)
{
    for (INDEX i = 0; i < n; i += 16) vstore16((REALV)(0), 0, s + i);
}

static inline INDEX common_divisor(INDEX a, INDEX b)
{
    while (b) {
        INDEX r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* Phases of a dimension: tap k is in phase k % phases_of, at (k dilation) / stride of it. */
static inline INDEX phases_of(INDEX kernel_, INDEX stride, INDEX dilation)
{
    return min(kernel_, stride / common_divisor(stride, dilation));
}

/* What is staged of x for the output rows h0 .. h0 + band - 1: declares phases, sizes and the offset of each tap. */
#define STAGED_INPUT(band)                                                                                            \
    const INDEX FD = phases_of(KD, SD, LD), FH = phases_of(KH, SH, LH), FW = phases_of(KW, SW, LW);                   \
    const INDEX depth = OD + (KD - 1) * LD / SD, rows = (band) + (KH - 1) * LH / SH, pitch = OW + (KW - 1) * LW / SW; \
    const INDEX phase = depth * rows * pitch, length = ((OD - 1) * rows + (band)-1) * pitch + OW;                     \
    INDEX at[MOST_TAPS];                                                                                              \
    for (INDEX k = 0; k < K; k++) {                                                                                   \
        INDEX kw = k % KW, kh = k / KW % KH, kd = k / (KW * KH);                                                      \
        at[k] = ((kd % FD * FH + kh % FH) * FW + kw % FW) * phase +                                                   \
                ((kd * LD / SD * rows) + kh * LH / SH) * pitch + kw * LW / SW;                                        \
    }
#define STAGE_INPUT(plane, total, h0, s)                                                                              \
    for (INDEX f = 0; f < FD * FH * FW; f++)                                                                          \
        stage(x, plane, total, D, H, W, f / (FW * FH) * LD % SD - PD, (h0)*SH + f / FW % FH * LH % SH - PH,           \
              f % FW * LW % SW - PW, SD, SH, SW, depth, rows, pitch, (s) + f * phase);

/* global: (work-items). `band` rows at a time; a work-item has `share` elements of scratch, of which the line begins at
 * `line`. */
__kernel void dw_fwd(long8 ga, long8 gb, long8 gc, long band, long share, long line, __global const REAL *restrict x,
                     long xo, __global const REAL *restrict w, long wo, __global const REAL *restrict bias, long bo,
                     __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo,
                     __global REAL *restrict scratch, int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW, bands = (OH + (INDEX)band - 1) / (INDEX)band, total = N * O * OD * OH * OW;
    __global REAL *s = scratch + get_global_id(0) * share, *out = s + line;
    x += xo;
    clear(s, (INDEX)line);
    STAGED_INPUT((INDEX)band)
    for (INDEX task = (INDEX)get_global_id(0); task < N * C * bands; task += (INDEX)get_global_size(0)) {
        const INDEX plane = task / bands, h0 = (task - plane * bands) * (INDEX)band, n = plane / C, c = plane - n * C;
        const INDEX here = min((INDEX)band, OH - h0);
        STAGE_INPUT(plane * D * H * W, N * C * D * H * W, h0, s)
        for (INDEX o = c * OG; o < (c + 1) * OG; o++) {
            REAL taps[MOST_TAPS];
            for (INDEX k = 0; k < K; k++) taps[k] = w[wo + o * K + k];
            line_of(s, out, length, at, taps, (int)K, false);
            for (INDEX r = 0; r < OD * here; r++) {
                INDEX od = r / here, oh = r - od * here, to = (((n * O + o) * OD + od) * OH + h0 + oh) * OW;
                for (INDEX ow = 0; ow < OW; ow += 16) {
                    REALV v = vload16(0, out + (od * rows + oh) * pitch + ow);
                    if (epilogue & CONV_BIAS) v += (REALV)(bias[bo + o]);
                    if (epilogue & CONV_RESIDUAL)
                        v += conv_row(residual + ro, to, ow, 1, OW, OW - ow, total);
                    if (epilogue & CONV_RELU) v = v < (REALV)(0) ? (REALV)(0) : v;
                    conv_store(v, y + yo + to + ow, OW - ow);
                }
            }
        }
    }
}

/* The least output index that an input from `start` on has a part in; the number of them for `n` inputs. */
static inline INDEX first_output(INDEX start, INDEX reach, INDEX stride)
{
    INDEX a = start - reach;
    return a >= 0 ? a / stride : -((stride - 1 - a) / stride);
}

/* global: (work-items). `band`: rows of the input. The lines, of `line_step` elements each, begin at `line`. */
__kernel void dw_data(long8 ga, long8 gb, long8 gc, long band, long share, long line, long line_step,
                      __global const REAL *restrict dy, long yo, __global const REAL *restrict w, long wo,
                      __global REAL *restrict dx, long xo, __global REAL *restrict scratch)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW, bands = (H + (INDEX)band - 1) / (INDEX)band, total = N * O * OD * OH * OW;
    const INDEX CD = min(SD, D), CH = min(SH, (INDEX)band), CW = min(SW, W), step = (INDEX)line_step;
    __global REAL *s = scratch + get_global_id(0) * share, *out = s + line;
    dy += yo;
    clear(s, (INDEX)line);
    for (INDEX task = (INDEX)get_global_id(0); task < N * C * bands; task += (INDEX)get_global_size(0)) {
        const INDEX plane = task / bands, h0 = (task - plane * bands) * (INDEX)band, n = plane / C, c = plane - n * C;
        const INDEX here = min((INDEX)band, H - h0);
        const INDEX d1 = first_output(PD, (KD - 1) * LD, SD), h1 = first_output(PH + h0, (KH - 1) * LH, SH),
                    w1 = first_output(PW, (KW - 1) * LW, SW);
        const INDEX depth = (D - 1 + PD) / SD - d1 + 1, rows = (here - 1 + PH + h0) / SH - h1 + 1,
                    pitch = (W - 1 + PW) / SW - w1 + 1;
        for (INDEX o = c * OG; o < (c + 1) * OG; o++) {
            stage(dy, (n * O + o) * OD * OH * OW, total, OD, OH, OW, d1, h1, w1, 1, 1, 1, depth, rows, pitch, s);
            for (INDEX f = 0; f < CD * CH * CW; f++) {
                const INDEX fw = f % CW, fh = f / CW % CH, fd = f / (CW * CH);
                INDEX at[MOST_TAPS];
                REAL taps[MOST_TAPS];
                int count = 0;
                for (INDEX k = 0; k < K; k++) {
                    INDEX od, oh, ow;
                    if (!conv_divides(fd + PD - k / (KW * KH) * LD, SD, &od) ||
                        !conv_divides(fh + PH + h0 - k / KW % KH * LH, SH, &oh) ||
                        !conv_divides(fw + PW - k % KW * LW, SW, &ow))
                        continue;
                    at[count] = ((od - d1) * rows + oh - h1) * pitch + ow - w1;
                    taps[count++] = w[wo + o * K + k];
                }
                const INDEX length = ((D - 1 - fd) / SD * rows + (here - 1 - fh) / SH) * pitch + (W - 1 - fw) / SW + 1;
                if (fh < here) line_of(s, out + f * step, length, at, taps, count, o > c * OG);
            }
        }
        for (INDEX r = 0; r < D * here; r++) {
            const INDEX id = r / here, ih = r - id * here;
            __global const REAL *from = out + (id % SD * CH + ih % SH) * CW * step + (id / SD * rows + ih / SH) * pitch;
            __global REAL *to = dx + xo + ((plane * D + id) * H + h0 + ih) * W;
            INDEX iw = 0;
            if (SW == 1) {
                for (; iw < W; iw += 16) conv_store(vload16(0, from + iw), to + iw, W - iw);
            } else if (SW == 2 && W > 1) {
                for (; iw < W; iw += 32) {
                    REALV a = vload16(0, from + iw / 2), b = vload16(0, from + step + iw / 2), v;
                    v.even = a.lo;
                    v.odd = b.lo;
                    conv_store(v, to + iw, W - iw);
                    v.even = a.hi;
                    v.odd = b.hi;
                    if (iw + 16 < W) conv_store(v, to + iw + 16, W - iw - 16);
                }
            }
            for (; iw < W; iw++) to[iw] = from[iw % SW * step + iw / SW];
        }
    }
}

/* 1 where the line has a pixel of `height` rows of `width`, 0 in the gaps. */
static inline void mark_pixels(__global REAL *inside, INDEX length, INDEX pitch, INDEX rows, INDEX height, INDEX width)
{
    for (INDEX i = 0; i < length; i += 16) {
        for (INDEX j = i; j < i + 16; j++) {
            INDEX row = j / pitch;
            inside[j] = j < length && j - row * pitch < width && row % rows < height;
        }
    }
}

/* global: (work-items). Slices of `images` images. Scratch: x, from `line` on dy, from `mask` on 1 where dy has a pixel
 * and 0 in gaps, from `sums` on the sums of M K vectors. */
__kernel void dw_weights(long8 ga, long8 gb, long8 gc, long band, long share, long line, long mask, long sums,
                         long images, __global const REAL *restrict x, long xo, __global const REAL *restrict dy,
                         long yo, __global REAL *restrict part, long po, __global REAL *restrict scratch)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW, slices = (N + (INDEX)images - 1) / (INDEX)images;
    __global REAL *s = scratch + get_global_id(0) * share, *out = s + line, *inside = s + mask, *sum = s + sums;
    x += xo;
    dy += yo;
    clear(s, (INDEX)line);
    STAGED_INPUT((INDEX)band)
    INDEX masked = 0;
    for (INDEX task = (INDEX)get_global_id(0); task < C * slices; task += (INDEX)get_global_size(0)) {
        const INDEX c = task / slices, slice = task - c * slices, last = min(N, (slice + 1) * (INDEX)images);
        for (INDEX k = 0; k < OG * K; k++) vstore16((REALV)(0), k, sum);
        for (INDEX n = slice * (INDEX)images; n < last; n++) {
            for (INDEX h0 = 0; h0 < OH; h0 += (INDEX)band) {
                const INDEX height = min((INDEX)band, OH - h0);
                if (height != masked) mark_pixels(inside, length, pitch, rows, height, OW);
                masked = height;
                STAGE_INPUT((n * C + c) * D * H * W, N * C * D * H * W, h0, s)
                for (INDEX m = 0; m < OG; m++) {
                    stage(dy, (n * O + c * OG + m) * OD * OH * OW, N * O * OD * OH * OW, OD, OH, OW, 0, h0, 0, 1, 1, 1,
                          OD, rows, pitch, out);
                    for (INDEX k0 = 0; k0 < K; k0 += TAPS) {
                        REALV acc[TAPS];
                        __global const REAL *from[TAPS];
#pragma unroll
                        for (int t = 0; t < TAPS; t++) {
                            INDEX k = min(k0 + t, K - 1);
                            acc[t] = vload16(m * K + k, sum);
                            from[t] = s + at[k];
                        }
                        for (INDEX i = 0; i < length; i += 16) {
                            REALV d = vload16(0, out + i);
                            MASKV here = vload16(0, inside + i) != (REALV)(0);
                            d = here ? d : (REALV)(0);
#pragma unroll
                            for (int t = 0; t < TAPS; t++)
                                acc[t] = fma(d, here ? vload16(0, from[t] + i) : (REALV)(0), acc[t]);
                        }
#pragma unroll
                        for (int t = 0; t < TAPS; t++)
                            if (k0 + t < K) vstore16(acc[t], m * K + k0 + t, sum);
                    }
                }
            }
        }
        for (INDEX k = 0; k < OG * K; k++)
            part[po + (slice * O + c * OG) * K + k] = hg_addv(vload16(k, sum));
    }
}

#else
__kernel void dw_fwd(long8 ga, long8 gb, long8 gc, __global const REAL *restrict x, long xo,
                     __global const REAL *restrict w, long wo, __global const REAL *restrict bias, long bo,
                     __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo, int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    x += xo;
    y += yo;
    HG_FOR(i, N * O * OD * OH * OW)
    {
        INDEX row = i / OW, ow = i - row * OW, plane = row / OH, oh = row - plane * OH;
        INDEX channel = plane / OD, od = plane - channel * OD, n = channel / O, o = channel - n * O;
        __global const REAL *tap = w + wo + o * KD * KH * KW, *in = x + (n * C + o / OG) * D * H * W;
        REAL acc = 0;
        for (INDEX kd = 0; kd < KD; kd++) {
            INDEX id = od * SD - PD + kd * LD;
            for (INDEX kh = 0; kh < KH; kh++, tap += KW) {
                INDEX ih = oh * SH - PH + kh * LH, at = (id * H + ih) * W;
                if (id < 0 || id >= D || ih < 0 || ih >= H) continue;
                for (INDEX kw = 0; kw < KW; kw++) {
                    INDEX iw = ow * SW - PW + kw * LW;
                    if (iw >= 0 && iw < W) acc = fma(tap[kw], in[at + iw], acc);
                }
            }
        }
        if (epilogue & CONV_BIAS) acc += bias[bo + o];
        if (epilogue & CONV_RESIDUAL) acc += residual[ro + i];
        if (epilogue & CONV_RELU) acc = acc < 0 ? 0 : acc;
        y[i] = acc;
    }
}

__kernel void dw_data(long8 ga, long8 gb, long8 gc, __global const REAL *restrict dy, long yo,
                      __global const REAL *restrict w, long wo, __global REAL *restrict dx, long xo)
{
    CONV_GEOMETRY(ga, gb, gc)
    HG_FOR(i, N * C * D * H * W)
    {
        INDEX row = i / W, iw = i - row * W, plane = row / H, ih = row - plane * H;
        INDEX channel = plane / D, id = plane - channel * D, n = channel / C, c = channel - n * C;
        REAL acc = 0;
        for (INDEX o = c * OG; o < (c + 1) * OG; o++) {
            __global const REAL *tap = w + wo + o * KD * KH * KW, *in = dy + yo + (n * O + o) * OD * OH * OW;
            for (INDEX kd = 0; kd < KD; kd++) {
                INDEX od;
                if (!conv_divides(id + PD - kd * LD, SD, &od) || od < 0 || od >= OD) continue;
                for (INDEX kh = 0; kh < KH; kh++) {
                    INDEX oh;
                    if (!conv_divides(ih + PH - kh * LH, SH, &oh) || oh < 0 || oh >= OH) continue;
                    for (INDEX kw = 0; kw < KW; kw++) {
                        INDEX ow;
                        if (!conv_divides(iw + PW - kw * LW, SW, &ow) || ow < 0 || ow >= OW) continue;
                        acc = fma(tap[(kd * KH + kh) * KW + kw], in[(od * OH + oh) * OW + ow], acc);
                    }
                }
            }
        }
        dx[xo + i] = acc;
    }
}

/* Taps in registers at once; few where Intel's registers would not hold the rest. */
#define TAPS (HG_F64 && HG_WIDE ? 2 : 9)
/* global: (outputs, slices), a team each; slices of `images` images. */
__kernel void dw_weights(long8 ga, long8 gb, long8 gc, long images, __global const REAL *restrict x, long xo,
                         __global const REAL *restrict dy, long yo, __global REAL *restrict part, long po)
{
    __local REAL scratch[HG_LANES];
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW, area = OD * OH * OW, o = (INDEX)get_group_id(0), slice = (INDEX)get_group_id(1);
    const INDEX first = slice * (INDEX)images, count = min(N - first, (INDEX)images) * area;
    x += xo;
    dy += yo;
    for (INDEX k0 = 0; k0 < K; k0 += TAPS) {
        REAL acc[TAPS];
#pragma unroll
        for (int t = 0; t < TAPS; t++) acc[t] = 0;
        for (INDEX i = (INDEX)get_local_id(0); i < count; i += HG_LANES) {
            INDEX row = i / OW, ow = i - row * OW, plane = row / OH, oh = row - plane * OH;
            INDEX image = plane / OD, od = plane - image * OD, n = first + image;
            REAL d = dy[(n * O + o) * area + (od * OH + oh) * OW + ow];
            __global const REAL *in = x + (n * C + o / OG) * D * H * W;
#pragma unroll
            for (int t = 0; t < TAPS; t++) {
                int k = (int)k0 + t, line = k / (int)KW, kd = line / (int)KH; /* up to MOST_TAPS */
                INDEX id = od * SD - PD + kd * LD, ih = oh * SH - PH + (line - kd * (int)KH) * LH,
                      iw = ow * SW - PW + (k - line * (int)KW) * LW;
                if (k < K && id >= 0 && id < D && ih >= 0 && ih < H && iw >= 0 && iw < W)
                    acc[t] = fma(d, in[(id * H + ih) * W + iw], acc[t]);
            }
        }
#pragma unroll
        for (int t = 0; t < TAPS; t++) {
            REAL sum = hg_team_sum(acc[t], scratch);
            if (get_local_id(0) == 0 && k0 + t < K) part[po + (slice * O + o) * K + k0 + t] = sum;
        }
    }
}
#endif
