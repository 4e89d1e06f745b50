/* Winograd's F(4x4, 3x3): 3 x 3 convolutions of stride 1 with a quarter of the multiplications (winograd.clh). CPU
 * class: every vector is 16 channels of one pixel, tile or tap, so that tiles at the edge waste nothing and transforms
 * shuffle nothing; NCHW is met by transposes of 16 x 16.
 *
 * winograd_weights  u[panel][36][C16][NB] = G g G^T, NB = 16 NV outputs a panel, C16 channels in whole vectors, zero
 *                   beyond C. A work-item: 16 outputs by 16 channels. Outputs beyond O repeat the last one.
 * winograd_fwd      a work-item takes blocks of R rows of tiles, one after the other, and a share of the panels:
 *                   v[36][C16/16][T][16] of all channels, then a panel at a time m[36][T][NB] = v u, and from it
 *                   4 x 4 outputs a tile. T is the tiles of a block in whole register tiles. v, m and a band of rows
 *                   before and after lie in the work-item's slice of workspace and stay in its cache.
 *
 * The gradient of the weight goes through rows of tiles in chunks of R, T tiles, whose transforms stay in the caches:
 *
 * winograd_chunk    v[36][C16/16][T][16] of the input and d[36][panel][T][NB] of the output's gradient. A work-item:
 *                   some pairs of a row of tiles and 16 channels or outputs; its slice of workspace is for its bands.
 * winograd_taps     sums[panel][36][C16][NB] += d v^T, or = in the first chunk. A work-item: a point and a panel.
 * winograd_dw       dw = G^T sums G. A work-item: 16 outputs by 16 channels.
 *
 * The register tile is MR tiles x NV vectors of outputs. Parts are functions of their own: inlined into one kernel they
 * take four times as long to compile and run no faster. Points lie a vector further apart than they need: at powers of
 * two all 36 would share a cache set. */
#include "conv.clh"
#include "transpose.clh"
#include "winograd.clh"

#if HG_CPU
#define MR 8
#define NV 2
#define NB (NV * 16)
#define PART __attribute__((noinline)) static

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* w[o][c] begins at o * so + c * sc; mirrored: taps in reverse. global: (O in vectors, C in vectors) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_weights(long outputs, long channels, long so,
    long sc, int mirrored, __global const REAL *restrict w, long wo, __global REAL *restrict u)
{
    const INDEX O = (INDEX)outputs, C = (INDEX)channels, C16 = (INDEX)get_global_size(1) * 16;
    const INDEX o0 = (INDEX)get_global_id(0), c0 = (INDEX)get_global_id(1) * 16;
    INDEX row[16];
    for (INDEX i = 0; i < 16; i++) row[i] = min(o0 * 16 + i, O - 1) * (INDEX)so;
    w += wo;
    u += (o0 / NV * WINOGRAD_POINTS * C16 + c0) * NB + o0 % NV * 16;
    for (INDEX c = c0; c < c0 + 16; c++, u += NB) {
        REALV taps[9], t[36];
        for (int k = 0; k < 9; k++) {
            REAL lane[16];
            for (int i = 0; i < 16; i++) lane[i] = w[row[i] + min(c, C - 1) * (INDEX)sc + (mirrored ? 8 - k : k)];
            taps[k] = c < C ? vload16(0, lane) : (REALV)(0);
        }
#pragma unroll
        for (int k = 0; k < 9; k++) t[k / 3 * 6 + k % 3] = taps[k];
        WINOGRAD_BOTH(winograd_g, t, 3, 6);
#pragma unroll
        for (int p = 0; p < WINOGRAD_POINTS; p++) HG_STOREV(t[p], u + p * C16 * NB);
    }
}

/* Rows y0 .. y0 + rows - 1 of 16 channels, from plane `at` on, to band[row][column][16], zeros outside the image.
 * Columns x0 .. x0 + count - 1 go to `column` and behind; of the channels, `channels` exist. */
PART void stage_band(__global const REAL *restrict x, INDEX at, INDEX plane, INDEX total, INDEX channels,
                              INDEX H, INDEX W, INDEX y0, int rows, INDEX x0, INDEX count,
                              __global REAL *restrict band, INDEX pitch)
{
    for (int r = 0; r < rows; r++, band += pitch * 16) {
        INDEX y = y0 + r;
        if (y < 0 || y >= H) {
            for (INDEX q = 0; q < count; q++) HG_STOREV((REALV)(0), band + q * 16);
            continue;
        }
        for (INDEX done = 0; done < count;) {
            INDEX q = count >= 16 ? min(done, count - 16) : done, run = min(count - q, (INDEX)16);
            INDEX from = at + y * W + x0 + q;
            __global REAL *to = band + q * 16;
            REALV v[16];
            if (channels >= 16 && from + 15 * plane + 16 <= total) {
#pragma unroll
                for (int t = 0; t < 16; t++) v[t] = vload16(0, x + from + t * plane);
            } else {
                REALV lines[16];
                for (int t = 0; t < 16; t++) {
                    lines[t] = 0;
                    if (t < channels) lines[t] = hg_load_some(x + from + t * plane, (int)run);
                }
#pragma unroll
                for (int t = 0; t < 16; t++) v[t] = lines[t];
            }
            HG_TRANSPOSE16(v);
#pragma unroll
            for (int t = 0; t < 16; t++)
                if (t < run) HG_STOREV(v[t], to + t * 16);
            done = q + 16;
        }
    }
}

/* A patch of 6 x 6 pixels to 36 points, `step` apart. */
PART void input_tile(__global const REAL *restrict band, INDEX pitch, __global REAL *restrict v, INDEX step)
{
    REALV t[36];
#pragma unroll
    for (int i = 0; i < 36; i++) t[i] = vload16(i % 6, band + i / 6 * pitch * 16);
    WINOGRAD_BOTH(winograd_bt, t, 6, 6);
#pragma unroll
    for (int i = 0; i < 36; i++) HG_STOREV(t[i], v + i * step);
}

/* m[tile][NB] = sum over `blocks` of 16 channels of v[block][tile][16] u[channel][NB], MR tiles. Meanwhile `lines`
 * lines of memory for each block are fetched from `next` on. */
PART void multiply(__global const REAL *restrict v, INDEX step, __global const REAL *restrict u, INDEX blocks,
                   __global REAL *restrict m, __global const REAL *next, INDEX lines)
{
    REALV acc[MR][NV];
#pragma unroll
    for (int i = 0; i < MR; i++)
#pragma unroll
        for (int j = 0; j < NV; j++) acc[i][j] = 0;
    for (INDEX b = 0; b < blocks; b++, v += step, u += 16 * NB) {
        for (INDEX i = 0; i < lines; i++, next += 16) HG_PREFETCH(next, 0);
#pragma unroll 4
        for (int k = 0; k < 16; k++) {
            REALV w[NV];
#pragma unroll
            for (int j = 0; j < NV; j++) w[j] = vload16(j, u + k * NB);
#pragma unroll
            for (int i = 0; i < MR; i++)
#pragma unroll
                for (int j = 0; j < NV; j++) acc[i][j] = fma((REALV)(v[i * 16 + k]), w[j], acc[i][j]);
        }
    }
#pragma unroll
    for (int i = 0; i < MR; i++)
#pragma unroll
        for (int j = 0; j < NV; j++) HG_STOREV(acc[i][j], m + (i * NV + j) * 16);
}

/* 36 points, `step` apart, to the 4 x 4 outputs of a tile, of which the first `columns` of each row are kept. */
PART void output_tile(__global const REAL *restrict m, INDEX step, __global REAL *restrict band, INDEX pitch,
                               INDEX columns)
{
    REALV t[36];
#pragma unroll
    for (int i = 0; i < 36; i++) t[i] = vload16(0, m + i * step);
    WINOGRAD_BOTH(winograd_at, t, 6, 4);
#pragma unroll
    for (int a = 0; a < 4; a++) {
#pragma unroll
        for (int b = 0; b < 4; b++)
            if (b < columns) HG_STOREV(t[a * 6 + b], band + a * pitch * 16 + b * 16);
    }
}

/* band[pixel][16] to `count` pixels of 16 planes of y from element `at` on, outputs o .. o + outputs - 1, with the
 * epilogue. Pixels lie side by side in both. */
PART void store_band(__global const REAL *restrict band, INDEX count, INDEX plane, INDEX outputs,
                              __global const REAL *restrict bias, __global const REAL *restrict residual,
                              __global REAL *restrict y, int epilogue)
{
    for (INDEX done = 0; done < count;) {
        INDEX q = count >= 16 ? min(done, count - 16) : done, run = min(count - q, (INDEX)16);
        REALV v[16], lines[16];
#pragma unroll
        for (int t = 0; t < 16; t++) v[t] = vload16(q + t, band);
        HG_TRANSPOSE16(v);
#pragma unroll
        for (int t = 0; t < 16; t++) lines[t] = v[t];
        for (INDEX t = 0; t < min(outputs, (INDEX)16); t++) {
            REALV sum = lines[t];
            if (epilogue & CONV_RESIDUAL) sum += hg_load_some(residual + t * plane + q, (int)run);
            if (epilogue & CONV_BIAS) sum += (REALV)(bias[t]);
            if (epilogue & CONV_RELU) sum = sum < (REALV)(0) ? (REALV)(0) : sum;
            conv_store(sum, y + t * plane + q, run);
        }
        done = q + 16;
    }
}

/* How a convolution is cut: in `gt`, as INDEX.
 *   TX, TY      tiles of a row and of a column
 *   R, T        rows of tiles in a block; its tiles, in whole register tiles
 *   SLICE, AT   elements of a slice of workspace, and where the first begins
 *   SHARE       panels of a work-item */
#define WINOGRAD_GEOMETRY(gt)                                                                                         \
    const INDEX TX = (INDEX)gt.s0, TY = (INDEX)gt.s1, R = (INDEX)gt.s2, T = (INDEX)gt.s3, SLICE = (INDEX)gt.s4,      \
                AT = (INDEX)gt.s5, SHARE = (INDEX)gt.s6;

/* global: (slices, shares of the panels) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_fwd(long8 ga, long8 gb, long8 gc, long8 gt,
    __global const REAL *restrict x, long xo, __global const REAL *restrict u, __global REAL *restrict slices,
    __global const REAL *restrict bias, long bo, __global const REAL *restrict residual, long ro,
    __global REAL *restrict y, long yo, int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    WINOGRAD_GEOMETRY(gt)
    const INDEX CB = (C + 15) / 16, rows = N * TY, pitch = 4 * TX + 2, plane = H * W, area = OH * OW;
    const INDEX vstep = T * CB * 16 + 16, mstep = T * NB + 16;
    const INDEX first = max((INDEX)0, -PW), count = min(W, pitch - PW) - first;
    const INDEX panel0 = (INDEX)get_global_id(1) * SHARE, panel1 = min(panel0 + SHARE, (O + NB - 1) / NB);
    const INDEX item = (INDEX)get_global_id(0) * (INDEX)get_global_size(1) + (INDEX)get_global_id(1);
    __global REAL *v = slices + AT + item * SLICE;
    __global REAL *m = v + WINOGRAD_POINTS * vstep, *band = m + WINOGRAD_POINTS * mstep, *done = band + 6 * pitch * 16;
    x += xo;
    bias += bo;
    residual += ro;
    y += yo;
    for (INDEX i = 0; i < 6 * pitch; i++) HG_STOREV((REALV)(0), band + i * 16); /* the padding stays so */
    for (INDEX row0 = (INDEX)get_global_id(0) * R; row0 < rows; row0 += R * (INDEX)get_global_size(0)) {
        INDEX here = min(R, rows - row0), used = here * TX, groups = (used + MR - 1) / MR, lines = 16 * NV / groups;
        for (INDEX cb = 0; cb < CB; cb++) {
            for (INDEX r = 0; r < here; r++) {
                INDEX n = (row0 + r) / TY, ty = row0 + r - n * TY;
                stage_band(x, (n * C + cb * 16) * plane, plane, N * C * plane, C - cb * 16, H, W, ty * 4 - PH, 6, first,
                           count, band + (first + PW) * 16, pitch);
                for (INDEX tx = 0; tx < TX; tx++)
                    input_tile(band + tx * 64, pitch, v + (cb * T + r * TX + tx) * 16, vstep);
            }
            for (INDEX t = used; t < groups * MR; t++)
                for (int p = 0; p < WINOGRAD_POINTS; p++) HG_STOREV((REALV)(0), v + p * vstep + (cb * T + t) * 16);
        }
        for (INDEX panel = panel0; panel < panel1; panel++) {
            for (int p = 0; p < WINOGRAD_POINTS; p++) {
                __global const REAL *w = u + (panel * WINOGRAD_POINTS + p) * CB * 16 * NB;
                for (INDEX g = 0; g < groups; g++)
                    multiply(v + p * vstep + g * MR * 16, T * 16, w, CB, m + p * mstep + g * MR * NB,
                             w + CB * 16 * NB + g * CB * lines * 16, lines);
            }
            for (INDEX r = 0; r < here; r++) {
                INDEX n = (row0 + r) / TY, oh = (row0 + r - n * TY) * 4;
                for (INDEX o = panel * NB; o < min(panel * NB + NB, O); o += 16) {
                    INDEX to = (n * O + o) * area + oh * OW;
                    for (INDEX tx = 0; tx < TX; tx++)
                        output_tile(m + (r * TX + tx) * NB + o % NB, mstep, done + tx * 64, OW, OW - tx * 4);
                    store_band(done, min((INDEX)4, OH - oh) * OW, area, O - o, bias + (epilogue & CONV_BIAS ? o : 0),
                               residual + (epilogue & CONV_RESIDUAL ? to : 0), y + to, epilogue);
                }
            }
        }
    }
}

/* 4 x 4 pixels of the output's gradient to 36 points, `step` apart. */
PART void gradient_tile(__global const REAL *restrict band, INDEX pitch, __global REAL *restrict d, INDEX step)
{
    REALV t[36];
#pragma unroll
    for (int i = 0; i < 16; i++) t[i / 4 * 6 + i % 4] = vload16(i % 4, band + i / 4 * pitch * 16);
    WINOGRAD_BOTH(winograd_a, t, 4, 6);
#pragma unroll
    for (int i = 0; i < 36; i++) HG_STOREV(t[i], d + i * step);
}

/* global: (slices). Rows row0 .. row0 + rows - 1; v and d begin at elements `vo` and `dof` of `chunk`. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_chunk(long8 ga, long8 gb, long8 gc, long8 gt,
    long row0, long rows, __global const REAL *restrict x, long xo, __global const REAL *restrict dy, long yo,
    __global REAL *restrict chunk, long vo, long dof)
{
    CONV_GEOMETRY(ga, gb, gc)
    WINOGRAD_GEOMETRY(gt)
    const INDEX CB = (C + 15) / 16, OB = (O + NB - 1) / NB * NV, plane = H * W, area = OH * OW, pitch = 4 * TX + 2;
    const INDEX vstep = T * CB * 16 + 16, dstep = T * OB * 16 + 16, count = min(W, pitch - PW);
    __global REAL *before = chunk + AT + (INDEX)get_global_id(0) * SLICE, *after = before + 6 * pitch * 16;
    x += xo;
    dy += yo;
    for (INDEX i = 0; i < 10 * pitch; i++) HG_STOREV((REALV)(0), before + i * 16); /* the padding stays so */
    for (INDEX i = (INDEX)get_global_id(0); i < (INDEX)rows * (CB + OB); i += (INDEX)get_global_size(0)) {
        INDEX r = i / (CB + OB), b = i - r * (CB + OB), n = ((INDEX)row0 + r) / TY, ty = (INDEX)row0 + r - n * TY;
        if (b < CB) {
            __global REAL *v = chunk + (INDEX)vo + (b * T + r * TX) * 16;
            stage_band(x, (n * C + b * 16) * plane, plane, N * C * plane, C - b * 16, H, W, ty * 4 - PH, 6, 0, count,
                       before + PW * 16, pitch);
            for (INDEX tx = 0; tx < TX; tx++) input_tile(before + tx * 64, pitch, v + tx * 16, vstep);
        } else {
            b -= CB;
            __global REAL *d = chunk + (INDEX)dof + (b / NV * T + r * TX) * NB + b % NV * 16;
            stage_band(dy, (n * O + b * 16) * area, area, N * O * area, O - b * 16, OH, OW, ty * 4, 4, 0, OW, after,
                       pitch);
            for (INDEX tx = 0; tx < TX; tx++) gradient_tile(after + tx * 64, pitch, d + tx * NB, dstep);
        }
    }
}

/* sums[channel][NB] (+)= sum over tiles of v[tile][channel] d[tile][NB], MR channels. */
PART void multiply_taps(__global const REAL *restrict v, __global const REAL *restrict d, INDEX tiles, int first,
                        __global REAL *restrict sums)
{
    REALV acc[MR][NV];
#pragma unroll
    for (int i = 0; i < MR; i++)
#pragma unroll
        for (int j = 0; j < NV; j++) acc[i][j] = 0;
#pragma unroll 2
    for (INDEX t = 0; t < tiles; t++) {
        REALV w[NV];
#pragma unroll
        for (int j = 0; j < NV; j++) w[j] = vload16(t * NV + j, d);
#pragma unroll
        for (int i = 0; i < MR; i++)
#pragma unroll
            for (int j = 0; j < NV; j++) acc[i][j] = fma((REALV)(v[t * 16 + i]), w[j], acc[i][j]);
    }
#pragma unroll
    for (int i = 0; i < MR; i++) {
#pragma unroll
        for (int j = 0; j < NV; j++) {
            REALV old = first ? (REALV)(0) : vload16(i * NV + j, sums);
            HG_STOREV(old + acc[i][j], sums + (i * NV + j) * 16);
        }
    }
}

/* `tiles` of the chunk's T are used. global: (36, panels) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_taps(long channels, long T, long tiles, int first,
    __global const REAL *restrict chunk, long vo, long dof, __global REAL *restrict sums)
{
    const INDEX CB = ((INDEX)channels + 15) / 16, p = (INDEX)get_global_id(0), panel = (INDEX)get_global_id(1);
    __global const REAL *v = chunk + (INDEX)vo + p * ((INDEX)T * CB * 16 + 16);
    __global const REAL *d = chunk + (INDEX)dof + p * ((INDEX)T * (INDEX)get_global_size(1) * NB + 16);
    d += panel * (INDEX)T * NB;
    sums += (panel * WINOGRAD_POINTS + p) * CB * 16 * NB;
    for (INDEX c = 0; c < CB * 16; c += MR)
        multiply_taps(v + c / 16 * (INDEX)T * 16 + c % 16, d, (INDEX)tiles, first, sums + c * NB);
}

/* global: (O in vectors, C in vectors) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_dw(long outputs, long channels,
    __global const REAL *restrict sums, __global REAL *restrict dw, long wo)
{
    const INDEX O = (INDEX)outputs, C = (INDEX)channels, C16 = (C + 15) / 16 * 16;
    const INDEX o0 = (INDEX)get_global_id(0), c0 = (INDEX)get_global_id(1) * 16, count = min((INDEX)16, C - c0) * 9;
    REALV taps[144];
    sums += (o0 / NV * WINOGRAD_POINTS * C16 + c0) * NB + o0 % NV * 16;
    dw += wo + (o0 * 16 * C + c0) * 9;
    for (int c = 0; c < 16; c++, sums += NB) {
        REALV t[36];
#pragma unroll
        for (int p = 0; p < WINOGRAD_POINTS; p++) t[p] = vload16(0, sums + p * C16 * NB);
        WINOGRAD_BOTH(winograd_gt, t, 6, 3);
#pragma unroll
        for (int k = 0; k < 9; k++) taps[c * 9 + k] = t[k / 3 * 6 + k % 3];
    }
    for (INDEX k = 0; k < count; k += 16) {
        REALV v[16], lines[16];
#pragma unroll
        for (int t = 0; t < 16; t++) v[t] = taps[k + t];
        HG_TRANSPOSE16(v);
#pragma unroll
        for (int t = 0; t < 16; t++) lines[t] = v[t];
        for (INDEX t = 0; t < min((INDEX)16, O - o0 * 16); t++)
            conv_store(lines[t], dw + t * C * 9 + k, min(count - k, (INDEX)16));
    }
}
#endif
