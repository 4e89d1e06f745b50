/* Winograd's convolutions: 3 x 3 of stride 1 with a quarter of the multiplications (tiles of 4 x 4) or four ninths (2 x
 * 2), of one dimension 3 with a half or two thirds; winograd.clh. CPU class: every vector is 16 channels of one pixel,
 * tile or tap, so that tiles at the edge waste nothing and transforms shuffle nothing; NCHW is met by transposes of
 * 16 x 16.
 *
 * winograd_weights  u[panel][POINTS][C16][NB] = G g G^T, NB = 16 NV outputs a panel, C16 channels in whole vectors, zero
 *                   beyond C. A work-item: a panel by 16 channels. Outputs beyond O repeat the last one.
 * winograd_fwd      a work-item takes blocks of R rows of tiles, one after the other, and a share of the panels:
 *                   v[POINTS][C16/16][T][16] of all channels, then a panel at a time m[POINTS][T][NB] = v u, and from
 *                   it the outputs. T is the tiles of a block in whole register tiles. v, m and a band of rows before
 *                   and after lie in the work-item's slice of workspace and stay in its cache. Without u it transforms
 *                   the weight itself, of a panel by K x 16 channels at a time, in its slice: many weights for few
 *                   tiles are then read once, and their points, four times as many, never leave the cache.
 *
 * The gradient of the weight has three forms. With many sums and many tiles it goes through rows of tiles in chunks of
 * R, T tiles, whose transforms stay in the caches:
 *
 * winograd_chunk    v[POINTS][C16/16][T][16] of the input and d[POINTS][panel][T][NB] of the output's gradient. A
 *                   work-item: some pairs of a row of tiles and 16 channels or outputs.
 * winograd_taps     sums[panel][POINTS][C16][NB] += d v^T, or = in the first chunk. A work-item: a point and a panel.
 *
 * With few sums, each work-item has its own:
 *
 * winograd_sums     sums[item][panel][POINTS][C16][NB] of blocks of R rows of tiles, whose v and d are in its slice.
 *
 * winograd_dw       dw = G^T (sums of all items, in order) G. A work-item: 16 outputs by 16 channels.
 *
 * With few tiles, all in one chunk, sums need not leave the cache:
 *
 * winograd_gradient dw of some pairs of a panel and 16 channels.
 *
 * The register tile is MR tiles x NV vectors of outputs. Parts are functions of their own: inlined into one kernel they
 * take four times as long to compile and run no faster. Points lie a vector further apart than they need: at powers of
 * two all of them would share a cache set. */
#include "conv.clh"
#include "transpose.clh"
#include "winograd.clh"

#if HG_CPU
#define MR 8
#define NV 2
#define NB (NV * 16)
#define PART __attribute__((noinline)) static

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* 16 outputs by 16 channels to u[channel][NB], points `step` apart. w[o][c] begins at o * so + c * sc; outputs beyond
 * `outputs` repeat the last one, channels beyond `channels` are 0. mirrored: taps in reverse. */
PART void weight_block(__global const REAL *restrict w, INDEX so, INDEX sc, INDEX outputs, INDEX channels, int mirrored,
                       __global REAL *restrict u, INDEX step)
{
    REALV taps[16 * TAPS];
    if (!mirrored && outputs >= 16 && channels >= 16) {
        for (int b = 0; b < TAPS; b++) {
            HG_TRANSPOSE16_FROM(v, w + b * 16, so, 16, 16);
#pragma unroll
            for (int i = 0; i < 16; i++) taps[b * 16 + i] = v[i];
        }
    } else if (mirrored && outputs >= 16 && channels >= 16) { /* so is TAPS */
        for (int c = 0; c < 16; c++) {
#pragma unroll
            for (int k = 0; k < TAPS; k++) {
                __global const REAL *p = w + c * sc + TAPS - 1 - k;
                taps[c * TAPS + k] =
                    (REALV)(p[0], p[TAPS], p[2 * TAPS], p[3 * TAPS], p[4 * TAPS], p[5 * TAPS], p[6 * TAPS], p[7 * TAPS],
                            p[8 * TAPS], p[9 * TAPS], p[10 * TAPS], p[11 * TAPS], p[12 * TAPS], p[13 * TAPS],
                            p[14 * TAPS], p[15 * TAPS]);
            }
        }
    } else {
        for (int c = 0; c < 16; c++) {
            for (int k = 0; k < TAPS; k++) {
                REAL lane[16];
                for (int i = 0; i < 16; i++)
                    lane[i] = c < channels
                                  ? w[min((INDEX)i, outputs - 1) * so + c * sc + (mirrored ? TAPS - 1 - k : k)]
                                  : 0;
                taps[c * TAPS + k] = vload16(0, lane);
            }
        }
    }
    for (int c = 0; c < 16; c++, u += NB) {
        REALV t[POINTS];
#pragma unroll
        for (int k = 0; k < TAPS; k++) t[k / 3 * PATCH_W + k % 3] = taps[c * TAPS + k];
        WINOGRAD_BOTH(winograd_g, t, 3, PATCH_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) HG_STOREV(t[p], u + p * step);
    }
}

/* A panel by 16 channels from c0 on. */
static inline void weight_panel(__global const REAL *restrict w, INDEX so, INDEX sc, INDEX O, INDEX C, INDEX panel,
                                INDEX c0, int mirrored, __global REAL *restrict u, INDEX step)
{
    for (INDEX j = 0; j < NV; j++) {
        INDEX o = min(panel * NB + j * 16, O - 1);
        weight_block(w + o * so + c0 * sc, so, sc, O - o, C - c0, mirrored, u + j * 16, step);
    }
}

/* global: (panels, C in vectors) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_weights(long outputs, long channels, long so,
    long sc, int mirrored, __global const REAL *restrict w, long wo, __global REAL *restrict u)
{
    const INDEX panel = (INDEX)get_global_id(0), c0 = (INDEX)get_global_id(1) * 16;
    const INDEX step = (INDEX)get_global_size(1) * 16 * NB + 16;
    weight_panel(w + wo, (INDEX)so, (INDEX)sc, (INDEX)outputs, (INDEX)channels, panel, c0, mirrored,
                 u + panel * POINTS * step + c0 * NB, step);
}

/* Rows y0 .. y0 + rows - 1 of 16 channels, from plane `at` on, to band[row][column][16], zeros outside the image.
 * Columns x0 .. x0 + count - 1 go to `column` and behind; of the channels, `channels` exist. */
PART void stage_band(__global const REAL *restrict x, INDEX at, INDEX plane, INDEX total, INDEX channels, INDEX H,
                     INDEX W, INDEX y0, int rows, INDEX x0, INDEX count, __global REAL *restrict band, INDEX pitch)
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

/* A patch of pixels to its points, `step` apart. */
PART void input_tile(__global const REAL *restrict band, INDEX pitch, __global REAL *restrict v, INDEX step)
{
    REALV t[POINTS];
#pragma unroll
    for (int i = 0; i < POINTS; i++) t[i] = vload16(i % PATCH_W, band + i / PATCH_W * pitch * 16);
    WINOGRAD_BOTH(winograd_bt, t, PATCH_W, PATCH_H);
#pragma unroll
    for (int i = 0; i < POINTS; i++) HG_STOREV(t[i], v + i * step);
}

/* m[tile][NB] (+)= sum over `blocks` of 16 channels of v[block][tile][16] u[channel][NB], of so many tiles. Meanwhile
 * `lines` lines of memory for each block are fetched from `next` on. */
static inline __attribute__((always_inline)) void multiply_tiles(const int tiles, __global const REAL *restrict v,
    INDEX step, __global const REAL *restrict u, INDEX blocks, __global REAL *restrict m, bool first,
    __global const REAL *next, INDEX lines)
{
    REALV acc[MR][NV];
#pragma unroll
    for (int i = 0; i < tiles; i++)
#pragma unroll
        for (int j = 0; j < NV; j++) acc[i][j] = first ? (REALV)(0) : vload16(i * NV + j, m);
    for (INDEX b = 0; b < blocks; b++, v += step, u += 16 * NB) {
        for (INDEX i = 0; i < lines; i++, next += 16) HG_PREFETCH(next, 0);
#pragma unroll 4
        for (int k = 0; k < 16; k++) {
            REALV w[NV];
#pragma unroll
            for (int j = 0; j < NV; j++) w[j] = vload16(j, u + k * NB);
#pragma unroll
            for (int i = 0; i < tiles; i++)
#pragma unroll
                for (int j = 0; j < NV; j++) acc[i][j] = fma((REALV)(v[i * 16 + k]), w[j], acc[i][j]);
        }
    }
#pragma unroll
    for (int i = 0; i < tiles; i++)
#pragma unroll
        for (int j = 0; j < NV; j++) HG_STOREV(acc[i][j], m + (i * NV + j) * 16);
}

PART void multiply(__global const REAL *restrict v, INDEX step, __global const REAL *restrict u, INDEX blocks,
                   __global REAL *restrict m, bool first, __global const REAL *next, INDEX lines)
{
    multiply_tiles(MR, v, step, u, blocks, m, first, next, lines);
}

PART void multiply_half(__global const REAL *restrict v, INDEX step, __global const REAL *restrict u, INDEX blocks,
                        __global REAL *restrict m, bool first, __global const REAL *next, INDEX lines)
{
    multiply_tiles(MR / 2, v, step, u, blocks, m, first, next, lines);
}

/* Points, `step` apart, to the outputs of a tile, of which the first `columns` of each row are kept. */
PART void output_tile(__global const REAL *restrict m, INDEX step, __global REAL *restrict band, INDEX pitch,
                      INDEX columns)
{
    REALV t[POINTS];
#pragma unroll
    for (int i = 0; i < POINTS; i++) t[i] = vload16(0, m + i * step);
    WINOGRAD_BOTH(winograd_at, t, PATCH_W, TILE_H);
#pragma unroll
    for (int a = 0; a < TILE_H; a++) {
#pragma unroll
        for (int b = 0; b < TILE_W; b++)
            if (b < columns) HG_STOREV(t[a * PATCH_W + b], band + (a * pitch + b) * 16);
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
 *   SHARE       panels of a work-item
 *   K           16 channels of the weight that a work-item transforms at a time; 0: the weight is transformed */
#define WINOGRAD_GEOMETRY(gt)                                                                                         \
    const INDEX TX = (INDEX)gt.s0, TY = (INDEX)gt.s1, R = (INDEX)gt.s2, T = (INDEX)gt.s3, SLICE = (INDEX)gt.s4,      \
                AT = (INDEX)gt.s5, SHARE = (INDEX)gt.s6, K = (INDEX)gt.s7;                                            \
    (void)(TX + TY + R + T + SLICE + AT + SHARE + K);

/* All points of a panel, `used` tiles: m (+)= v u of some blocks of channels. v's and u's points lie `vstep` and `ustep`
 * apart. What comes next of u, or of v, is fetched meanwhile. */
static inline void multiply_points(__global const REAL *restrict v, INDEX vstep, INDEX T, __global const REAL *restrict u,
                                   INDEX ustep, INDEX blocks, __global REAL *restrict m, INDEX mstep, INDEX used,
                                   bool first, bool v_next)
{
    const INDEX whole = (used + MR / 2 - 1) / MR, groups = whole + (used > whole * MR);
    const INDEX lines = v_next ? MR : 16 * NV / groups;
    for (int p = 0; p < POINTS; p++, v += vstep, u += ustep, m += mstep) {
        __global const REAL *next = v_next ? v + vstep : u + (groups == 1 ? min((INDEX)1024, ustep) : ustep);
        for (INDEX g = 0; g < groups; g++) {
            __global const REAL *vg = v + g * MR * 16, *ng = next + g * blocks * lines * 16;
            if (g < whole)
                multiply(vg, T * 16, u, blocks, m + g * MR * NB, first, ng, lines);
            else
                multiply_half(vg, T * 16, u, blocks, m + g * MR * NB, first, ng, lines);
        }
    }
}

/* w[o][c] begins at o * so + c * sc; it is read if K, else u. global: (slices, shares of the panels) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_fwd(long8 ga, long8 gb, long8 gc, long8 gt,
    long so, long sc, int mirrored, __global const REAL *restrict x, long xo, __global const REAL *restrict w, long wo,
    __global const REAL *restrict u, __global REAL *restrict slices, __global const REAL *restrict bias, long bo,
    __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo, int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    WINOGRAD_GEOMETRY(gt)
    const INDEX CB = (C + 15) / 16, rows = N * TY, pitch = TILE_W * TX + 2, plane = H * W, area = OH * OW;
    const INDEX vstep = T * CB * 16 + 16, mstep = T * NB + 16, ustep = (K ? K : CB) * 16 * NB + 16;
    const INDEX first = max((INDEX)0, -PW), count = min(W, pitch - PW) - first;
    const INDEX panel0 = (INDEX)get_global_id(1) * SHARE, panel1 = min(panel0 + SHARE, (O + NB - 1) / NB);
    const INDEX item = (INDEX)get_global_id(0) * (INDEX)get_global_size(1) + (INDEX)get_global_id(1);
    __global REAL *v = slices + AT + item * SLICE, *m = v + POINTS * vstep, *own = m + POINTS * mstep;
    __global REAL *band = own + (K ? POINTS * ustep : 0), *done = band + PATCH_H * pitch * 16;
    x += xo;
    w += wo;
    bias += bo;
    residual += ro;
    y += yo;
    for (INDEX i = 0; i < PATCH_H * pitch; i++) HG_STOREV((REALV)(0), band + i * 16); /* the padding stays so */
    for (INDEX row0 = (INDEX)get_global_id(0) * R; row0 < rows; row0 += R * (INDEX)get_global_size(0)) {
        INDEX here = min(R, rows - row0), used = here * TX;
        for (INDEX cb = 0; cb < CB; cb++) {
            for (INDEX r = 0; r < here; r++) {
                INDEX n = (row0 + r) / TY, ty = row0 + r - n * TY;
                stage_band(x, (n * C + cb * 16) * plane, plane, N * C * plane, C - cb * 16, H, W, ty * TILE_H - PH,
                           PATCH_H, first, count, band + (first + PW) * 16, pitch);
                for (INDEX tx = 0; tx < TX; tx++)
                    input_tile(band + tx * TILE_W * 16, pitch, v + (cb * T + r * TX + tx) * 16, vstep);
            }
            for (INDEX t = used; t < (used + MR / 2 - 1) / (MR / 2) * (MR / 2); t++)
                for (int p = 0; p < POINTS; p++) HG_STOREV((REALV)(0), v + p * vstep + (cb * T + t) * 16);
        }
        for (INDEX panel = panel0; panel < panel1; panel++) {
            if (!K) multiply_points(v, vstep, T, u + panel * POINTS * ustep, ustep, CB, m, mstep, used, true, false);
            for (INDEX cb = 0; cb < (K ? CB : 0); cb += K) {
                INDEX blocks = min(K, CB - cb);
                for (INDEX k = 0; k < blocks; k++)
                    weight_panel(w, (INDEX)so, (INDEX)sc, O, C, panel, (cb + k) * 16, mirrored, own + k * 16 * NB,
                                 ustep);
                multiply_points(v + cb * T * 16, vstep, T, own, ustep, blocks, m, mstep, used, cb == 0, true);
            }
            for (INDEX r = 0; r < here; r++) {
                INDEX n = (row0 + r) / TY, oh = (row0 + r - n * TY) * TILE_H;
                for (INDEX o = panel * NB; o < min(panel * NB + NB, O); o += 16) {
                    INDEX to = (n * O + o) * area + oh * OW;
                    for (INDEX tx = 0; tx < TX; tx++)
                        output_tile(m + (r * TX + tx) * NB + o % NB, mstep, done + tx * TILE_W * 16, OW,
                                    OW - tx * TILE_W);
                    store_band(done, min((INDEX)TILE_H, OH - oh) * OW, area, O - o,
                               bias + (epilogue & CONV_BIAS ? o : 0), residual + (epilogue & CONV_RESIDUAL ? to : 0),
                               y + to, epilogue);
                }
            }
        }
    }
}

/* Pixels of the output's gradient to the points of a tile, `step` apart. */
PART void gradient_tile(__global const REAL *restrict band, INDEX pitch, __global REAL *restrict d, INDEX step)
{
    REALV t[POINTS];
#pragma unroll
    for (int i = 0; i < TILE_H * TILE_W; i++)
        t[i / TILE_W * PATCH_W + i % TILE_W] = vload16(i % TILE_W, band + i / TILE_W * pitch * 16);
    WINOGRAD_BOTH(winograd_a, t, TILE_W, PATCH_H);
#pragma unroll
    for (int i = 0; i < POINTS; i++) HG_STOREV(t[i], d + i * step);
}

/* Of rows row0 .. row0 + rows - 1, pairs of a row and 16 channels or outputs: the `first`, and every `step`-th from
 * there. `bands` has zeros where the padding is. */
PART void transform_rows(long8 ga, long8 gb, long8 gc, long8 gt, INDEX row0, INDEX rows, INDEX first, INDEX step,
                         __global const REAL *restrict x, __global const REAL *restrict dy, __global REAL *restrict v,
                         __global REAL *restrict d, __global REAL *restrict bands)
{
    CONV_GEOMETRY(ga, gb, gc)
    WINOGRAD_GEOMETRY(gt)
    const INDEX CB = (C + 15) / 16, OB = (O + NB - 1) / NB * NV, plane = H * W, area = OH * OW, pitch = TILE_W * TX + 2;
    const INDEX vstep = T * CB * 16 + 16, dstep = T * OB * 16 + 16, count = min(W, pitch - PW);
    __global REAL *after = bands + PATCH_H * pitch * 16;
    for (INDEX i = first; i < rows * (CB + OB); i += step) {
        INDEX r = i / (CB + OB), b = i - r * (CB + OB), n = (row0 + r) / TY, ty = row0 + r - n * TY;
        if (b < CB) {
            __global REAL *to = v + (b * T + r * TX) * 16;
            stage_band(x, (n * C + b * 16) * plane, plane, N * C * plane, C - b * 16, H, W, ty * TILE_H - PH, PATCH_H,
                       0, count, bands + PW * 16, pitch);
            for (INDEX tx = 0; tx < TX; tx++) input_tile(bands + tx * TILE_W * 16, pitch, to + tx * 16, vstep);
        } else {
            b -= CB;
            __global REAL *to = d + (b / NV * T + r * TX) * NB + b % NV * 16;
            stage_band(dy, (n * O + b * 16) * area, area, N * O * area, O - b * 16, OH, OW, ty * TILE_H, TILE_H, 0, OW,
                       after, pitch);
            for (INDEX tx = 0; tx < TX; tx++) gradient_tile(after + tx * TILE_W * 16, pitch, to + tx * NB, dstep);
        }
    }
}

/* Zeros in a work-item's bands: the padding stays so. */
static inline void clear_bands(__global REAL *restrict bands, INDEX pitch)
{
    for (INDEX i = 0; i < (PATCH_H + TILE_H) * pitch; i++) HG_STOREV((REALV)(0), bands + i * 16);
}

/* global: (slices). Rows row0 .. row0 + rows - 1; v and d begin at elements `vo` and `dof` of `chunk`. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_chunk(long8 ga, long8 gb, long8 gc, long8 gt,
    long row0, long rows, __global const REAL *restrict x, long xo, __global const REAL *restrict dy, long yo,
    __global REAL *restrict chunk, long vo, long dof)
{
    WINOGRAD_GEOMETRY(gt)
    __global REAL *bands = chunk + AT + (INDEX)get_global_id(0) * SLICE;
    clear_bands(bands, TILE_W * TX + 2);
    transform_rows(ga, gb, gc, gt, (INDEX)row0, (INDEX)rows, (INDEX)get_global_id(0), (INDEX)get_global_size(0), x + xo,
                   dy + yo, chunk + (INDEX)vo, chunk + (INDEX)dof, bands);
}

/* sums[channel][NB] (+)= sum over tiles of v[tile][channel] d[tile][NB], MR channels. */
PART void multiply_taps(__global const REAL *restrict v, __global const REAL *restrict d, INDEX tiles, bool first,
                        __global REAL *restrict sums)
{
    REALV acc[MR][NV];
#pragma unroll
    for (int i = 0; i < MR; i++)
#pragma unroll
        for (int j = 0; j < NV; j++) acc[i][j] = first ? (REALV)(0) : vload16(i * NV + j, sums);
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
    for (int i = 0; i < MR; i++)
#pragma unroll
        for (int j = 0; j < NV; j++) HG_STOREV(acc[i][j], sums + (i * NV + j) * 16);
}

/* A point and a panel: of all channels. */
static inline void multiply_channels(__global const REAL *restrict v, __global const REAL *restrict d, INDEX T,
                                     INDEX CB, INDEX tiles, bool first, __global REAL *restrict sums)
{
    for (INDEX c = 0; c < CB * 16; c += MR)
        multiply_taps(v + c / 16 * T * 16 + c % 16, d, tiles, first, sums + c * NB);
}

/* `tiles` of the chunk's T are used. global: (POINTS, panels) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_taps(long channels, long chunk_tiles, long tiles,
    int first, __global const REAL *restrict chunk, long vo, long dof, __global REAL *restrict sums)
{
    const INDEX CB = ((INDEX)channels + 15) / 16, T = (INDEX)chunk_tiles, p = (INDEX)get_global_id(0);
    const INDEX panel = (INDEX)get_global_id(1), panels = (INDEX)get_global_size(1);
    multiply_channels(chunk + (INDEX)vo + p * (T * CB * 16 + 16),
                      chunk + (INDEX)dof + p * (T * panels * NB + 16) + panel * T * NB, T, CB, (INDEX)tiles, first,
                      sums + (panel * POINTS + p) * (CB * 16 * NB + 16));
}

/* global: (slices), as many as there are blocks at most. A slice: its sums, v, d, bands. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_sums(long8 ga, long8 gb, long8 gc, long8 gt,
    __global const REAL *restrict x, long xo, __global const REAL *restrict dy, long yo, __global REAL *restrict slices)
{
    CONV_GEOMETRY(ga, gb, gc)
    WINOGRAD_GEOMETRY(gt)
    const INDEX CB = (C + 15) / 16, panels = (O + NB - 1) / NB, rows = N * TY;
    const INDEX vstep = T * CB * 16 + 16, dstep = T * panels * NB + 16, step = CB * 16 * NB + 16;
    __global REAL *sums = slices + AT + (INDEX)get_global_id(0) * SLICE, *v = sums + panels * POINTS * step;
    __global REAL *d = v + POINTS * vstep, *bands = d + POINTS * dstep;
    clear_bands(bands, TILE_W * TX + 2);
    for (INDEX block = (INDEX)get_global_id(0); block * R < rows; block += (INDEX)get_global_size(0)) {
        INDEX here = min(R, rows - block * R);
        transform_rows(ga, gb, gc, gt, block * R, here, 0, 1, x + xo, dy + yo, v, d, bands);
        for (INDEX i = 0; i < POINTS * panels; i++) {
            INDEX p = i / panels, panel = i - p * panels;
            multiply_channels(v + p * vstep, d + p * dstep + panel * T * NB, T, CB, here * TX,
                              block == (INDEX)get_global_id(0), sums + (panel * POINTS + p) * step);
        }
    }
}

/* 16 outputs by 16 channels of the gradient of the weight: of the first `outputs` and `channels`, from the sum over
 * `items`, `apart` elements, of sums[channel][NB], points `step` apart. */
PART void gradient_block(__global const REAL *restrict sums, INDEX step, INDEX items, INDEX apart, INDEX outputs,
                         INDEX channels, __global REAL *restrict dw, INDEX pitch)
{
    const INDEX count = min((INDEX)16, channels) * TAPS;
    REALV taps[16 * TAPS];
    for (int c = 0; c < 16; c++, sums += NB) {
        REALV t[POINTS];
#pragma unroll
        for (int p = 0; p < POINTS; p++) t[p] = vload16(0, sums + p * step);
        for (INDEX i = 1; i < items; i++) {
#pragma unroll
            for (int p = 0; p < POINTS; p++) t[p] += vload16(0, sums + i * apart + p * step);
        }
        WINOGRAD_BOTH(winograd_gt, t, PATCH_W, TAPS_H);
#pragma unroll
        for (int k = 0; k < TAPS; k++) taps[c * TAPS + k] = t[k / 3 * PATCH_W + k % 3];
    }
    for (INDEX k = 0; k < count; k += 16) {
        REALV v[16], lines[16];
#pragma unroll
        for (int t = 0; t < 16; t++) v[t] = taps[k + t];
        HG_TRANSPOSE16(v);
#pragma unroll
        for (int t = 0; t < 16; t++) lines[t] = v[t];
        for (INDEX t = 0; t < min((INDEX)16, outputs); t++)
            conv_store(lines[t], dw + t * pitch + k, min(count - k, (INDEX)16));
    }
}

/* Of `items` sums, `apart` elements. global: (O in vectors, C in vectors) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_dw(long outputs, long channels, long items,
    long apart, __global const REAL *restrict sums, __global REAL *restrict dw, long wo)
{
    const INDEX O = (INDEX)outputs, C = (INDEX)channels, step = (C + 15) / 16 * 16 * NB + 16;
    const INDEX o = (INDEX)get_global_id(0), c = (INDEX)get_global_id(1) * 16;
    gradient_block(sums + o / NV * POINTS * step + c * NB + o % NV * 16, step, (INDEX)items, (INDEX)apart, O - o * 16,
                   C - c, dw + wo + (o * 16 * C + c) * TAPS, C * TAPS);
}

/* global: (slices). A slice: sums[POINTS][16][NB]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_gradient(long outputs, long channels, long tiles,
    __global const REAL *restrict chunk, long vo, long dof, __global REAL *restrict slices, long at,
    __global REAL *restrict dw, long wo)
{
    const INDEX O = (INDEX)outputs, C = (INDEX)channels, T = (INDEX)tiles, CB = (C + 15) / 16;
    const INDEX panels = (O + NB - 1) / NB, vstep = T * CB * 16 + 16, dstep = T * panels * NB + 16, step = 16 * NB + 16;
    __global REAL *sums = slices + (INDEX)at + (INDEX)get_global_id(0) * POINTS * step;
    chunk += (INDEX)vo;
    dw += wo;
    const INDEX share = (panels * CB + (INDEX)get_global_size(0) - 1) / (INDEX)get_global_size(0);
    const INDEX begin = (INDEX)get_global_id(0) * share, end = min(begin + share, panels * CB);
    for (INDEX i = begin; i < end; i++) {
        INDEX panel = i / CB, cb = i - panel * CB;
        for (int p = 0; p < POINTS; p++)
            multiply_channels(chunk + p * vstep + cb * T * 16, chunk + (INDEX)(dof - vo) + p * dstep + panel * T * NB,
                              T, 1, T, true, sums + p * step);
        for (INDEX o = panel * NB; o < min(panel * NB + NB, O); o += 16)
            gradient_block(sums + o % NB, step, 1, 0, O - o, C - cb * 16, dw + (o * C + cb * 16) * TAPS, C * TAPS);
    }
}
#endif
