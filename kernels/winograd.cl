/* Winograd's convolutions: 3 x 3 of stride 1 with a quarter of the multiplications (tiles of 4 x 4) or four ninths (2 x
 * 2), 5 x 5 with 36 for 100, of one dimension 3 with a half or two thirds, 5 with six tenths; winograd.clh,
 * winograd_cpu.clh. CPU class. The last tiles of rows and columns of F(4 x 4) have only the outputs that there are, and only their points. Of stride 2 by tiles of 4 x 4
 * with nine sixteenths: a patch has 81 planes, which are added up to 25 sums; else both are as many as POINTS. So does
 * its backward-data (SPREAD), by pairs of pixels, where each plane has its own sum.
 *
 * Of three dimensions, each slice of the output is an image, whose channels are those of the input in the slices that it
 * is made of: KD times C16 instead of C16 below.
 *
 * winograd_weights  u[panel][POINTS][C16][NB] = G g G^T, NB = 16 NV outputs a panel, C16 channels in whole vectors, zero
 *                   beyond C. A work-item: a panel by 16 channels. Outputs beyond O repeat the last one; a panel of 16 outputs
 *                   or fewer is narrow, without its second half.
 * winograd_fwd      a work-item takes blocks of R rows of tiles, one after the other, and a share of the panels:
 *                   v[PLANES][C16/16][T][16] of all channels, then m[panel][SUMS][T][NB] = v u of TURN panels at a
 *                   time, and from it the outputs. T is the places of a block's tiles. v, m and a band of rows before
 *                   and after lie in the work-item's slice of workspace. With TURN 1 a panel's m is still at hand when it
 *                   becomes outputs, and v is read once a panel; with many channels v is too large to stay in the cache
 *                   and is better read once for several panels. Without u it transforms the weight itself, of a panel by
 *                   K x 16 channels at a time, in its slice: many weights for few tiles are then read once, and their
 *                   points, four times as many, never leave the cache. */
#include "winograd_cpu.clh"

#if HG_CPU
enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* 16 outputs by 16 channels to u[channel][NB], points `step` apart. w[o][c] begins at o * so + c * sc; outputs beyond
 * `outputs` repeat the last one, channels beyond `channels` are 0. mirrored: taps in reverse. */
PART void weight_block(__global const REAL *restrict w, INDEX so, INDEX sc, INDEX outputs, INDEX channels, int mirrored,
                       __global REAL *restrict u, INDEX step)
{
    REALV taps[16 * TAPS];
    if (!mirrored && sc == TAPS && outputs >= 16 && channels >= 16) {
        for (int b = 0; b < TAPS; b++) {
            HG_TRANSPOSE16_FROM(v, w + b * 16, so, 16, 16);
#pragma unroll
            for (int i = 0; i < 16; i++) taps[b * 16 + i] = v[i];
        }
    } else if (outputs >= 16 && channels >= 16) {
        for (int c = 0; c < 16; c++) {
#pragma unroll
            for (int k = 0; k < TAPS; k++) {
                __global const REAL *p = w + c * sc + (mirrored ? TAPS - 1 - k : k);
                taps[c * TAPS + k] =
                    (REALV)(p[0], p[so], p[2 * so], p[3 * so], p[4 * so], p[5 * so], p[6 * so], p[7 * so], p[8 * so],
                            p[9 * so], p[10 * so], p[11 * so], p[12 * so], p[13 * so], p[14 * so], p[15 * so]);
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
        for (int k = 0; k < TAPS; k++) t[k / KERNEL * POINTS_W + k % KERNEL] = taps[c * TAPS + k];
        WINOGRAD_BOTH(winograd_g, t, KERNEL, POINTS_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) HG_STOREV(t[p], u + p * step);
    }
}

/* A panel by 16 channels, those of block `b`, of which each of `depth` places of the kernel has as many. */
static inline void weight_panel(__global const REAL *restrict w, INDEX so, INDEX sc, INDEX O, INDEX C, INDEX depth,
                                INDEX panel, INDEX b, int mirrored, __global REAL *restrict u, INDEX step)
{
    const INDEX place = b / ((C + 15) / 16), c0 = (b - place * ((C + 15) / 16)) * 16;
    w += (mirrored ? depth - 1 - place : place) * TAPS;
    for (INDEX j = 0, o = panel * NB; j < NV && o < O; j++, o += 16)
        weight_block(w + o * so + c0 * sc, so, sc, O - o, C - c0, mirrored, u + j * 16, step);
}

/* global: (panels, depth times C in vectors) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_weights(long outputs, long channels, long depth,
    long so, long sc, int mirrored, __global const REAL *restrict w, long wo, __global REAL *restrict u)
{
    const INDEX panel = (INDEX)get_global_id(0), b = (INDEX)get_global_id(1);
    const INDEX step = (INDEX)get_global_size(1) * 16 * NB + 16;
    weight_panel(w + wo, (INDEX)so, (INDEX)sc, (INDEX)outputs, (INDEX)channels, (INDEX)depth, panel, b, mirrored,
                 u + panel * POINTS * step + b * 16 * NB, step);
}

/* Whether sums have terms that lie apart. */
#define TERMS (STRIDE == 2 && !SPREAD)

/* Terms of a sum that lie apart: of v and u, elements from one to the next down and across, and how many there are. */
typedef struct terms {
    INDEX v_down, v_across, u_down, u_across;
    int down, across;
} terms;

/* m[tile][NB] (+)= sum over all terms and `blocks` of 16 channels of v[block][tile][16] u[channel][NB], of so many
 * tiles. Meanwhile `lines` lines of memory for each block are fetched from `next` on. */
static inline __attribute__((always_inline)) void multiply_tiles(const int tiles, const int vectors, const terms *s,
    __global const REAL *restrict v0, INDEX step, __global const REAL *restrict u0, INDEX blocks,
    __global REAL *restrict m, bool first, __global const REAL *next, INDEX lines)
{
    REALV acc[MR][NV];
#pragma unroll
    for (int i = 0; i < tiles; i++)
#pragma unroll
        for (int j = 0; j < vectors; j++) acc[i][j] = first ? (REALV)(0) : vload16(i * NV + j, m);
    for (int term = 0; term < (TERMS ? s->down * s->across : 1); term++) {
        const int a = TERMS ? term / s->across : 0, b = TERMS ? term - a * s->across : 0;
        __global const REAL *v = v0 + (TERMS ? a * s->v_down + b * s->v_across : 0);
        __global const REAL *u = u0 + (TERMS ? a * s->u_down + b * s->u_across : 0);
        for (INDEX k16 = 0; k16 < blocks; k16++, v += step, u += 16 * NB) {
            for (INDEX i = 0; i < lines; i++, next += 16) HG_PREFETCH(next, 0);
#pragma unroll 4
            for (int k = 0; k < 16; k++) {
                REALV w[NV];
#pragma unroll
                for (int j = 0; j < vectors; j++) w[j] = vload16(j, u + k * NB);
#pragma unroll
                for (int i = 0; i < tiles; i++)
#pragma unroll
                    for (int j = 0; j < vectors; j++) acc[i][j] = fma((REALV)(v[i * 16 + k]), w[j], acc[i][j]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < tiles; i++)
#pragma unroll
        for (int j = 0; j < vectors; j++) HG_STOREV(acc[i][j], m + (i * NV + j) * 16);
}

PART void multiply(const terms *s, __global const REAL *restrict v, INDEX step, __global const REAL *restrict u,
                   INDEX blocks, __global REAL *restrict m, bool first, __global const REAL *next, INDEX lines)
{
    multiply_tiles(MR, NV, s, v, step, u, blocks, m, first, next, lines);
}

PART void multiply_half(const terms *s, __global const REAL *restrict v, INDEX step, __global const REAL *restrict u,
                        INDEX blocks, __global REAL *restrict m, bool first, __global const REAL *next, INDEX lines)
{
    multiply_tiles(MR / 2, NV, s, v, step, u, blocks, m, first, next, lines);
}

/* The same of the first half of a panel: MR tiles, or half as many. */
PART void multiply_narrow(const terms *s, __global const REAL *restrict v, INDEX step, __global const REAL *restrict u,
                          INDEX blocks, __global REAL *restrict m, bool first, __global const REAL *next, INDEX lines,
                          bool whole)
{
    if (whole)
        multiply_tiles(MR, NV / 2, s, v, step, u, blocks, m, first, next, lines);
    else
        multiply_tiles(MR / 2, NV / 2, s, v, step, u, blocks, m, first, next, lines);
}

/* Points, `step` apart, to the outputs of a tile, of which the first `columns` of each row are kept. */
PART void output_tile(__global const REAL *restrict m, INDEX step, __global REAL *restrict band, INDEX pitch,
                      INDEX columns)
{
    REALV t[SUMS];
#if SPREAD /* too many for registers: by columns, then rows */
    for (int j = 0; j < SUMS_W; j++) {
        REALV line[SUMS_H];
#pragma unroll
        for (int i = 0; i < SUMS_H; i++) line[i] = vload16(0, m + (i * SUMS_W + j) * step);
        winograd_at(line, line, 1);
#pragma unroll
        for (int i = 0; i < PIXELS_H; i++) t[i * SUMS_W + j] = line[i];
    }
    for (int a = 0; a < PIXELS_H; a++, band += pitch * 16) {
        REALV line[SUMS_W];
#pragma unroll
        for (int j = 0; j < SUMS_W; j++) line[j] = t[a * SUMS_W + j];
        winograd_at(line, line, 1);
#pragma unroll
        for (int b = 0; b < PIXELS_W; b++)
            if (b < columns) HG_STOREV(line[b], band + b * 16);
    }
#else
#pragma unroll
    for (int i = 0; i < SUMS; i++) t[i] = vload16(0, m + i * step);
    WINOGRAD_ROWS(winograd_at, t, SUMS_W, SUMS_W, TILE_H);
#pragma unroll
    for (int a = 0; a < TILE_H; a++) {
#pragma unroll
        for (int b = 0; b < TILE_W; b++)
            if (b < columns) HG_STOREV(t[a * SUMS_W + b], band + (a * pitch + b) * 16);
    }
#endif
}

#if WINOGRAD_CUTS
/* The same of a tile of rh x rw outputs. */
PART void output_tile_some(__global const REAL *restrict m, INDEX step, __global REAL *restrict band, INDEX pitch,
                           int rh, int rw, INDEX columns)
{
    REALV t[SUMS];
    for (int i = 0; i < SUMS; i++) {
        bool have = needed(i / SUMS_W, rh, TILE_H) && needed(i % SUMS_W, rw, TILE_W);
        t[i] = have ? vload16(0, m + i * step) : (REALV)(0);
    }
    if (TILE_H > 1) {
        for (int i = 0; i < SUMS_W; i++) {
            if (rh < TILE_H)
                winograd_at_some(t + i, SUMS_W, rh);
            else
                winograd_at(t + i, t + i, SUMS_W);
        }
    }
    for (int a = 0; a < rh * (SPREAD + 1); a++) {
        REALV *line = t + a * SUMS_W;
        if (rw < TILE_W)
            winograd_at_some(line, 1, rw);
        else
            winograd_at(line, line, 1);
        for (int b = 0; b < min((INDEX)(rw * (SPREAD + 1)), columns); b++)
            HG_STOREV(line[b], band + (a * pitch + b) * 16);
    }
}
#endif

/* Row r of tiles. */
static inline void output_tiles(TILING g, INDEX row0, INDEX r, INDEX TY, __global const REAL *restrict m, INDEX step,
                                __global REAL *restrict band, INDEX width)
{
    const INDEX place = place_of(g, row0, r, TY, false), last = place_of(g, row0, r, TY, true);
    const INDEX rh = rows_of(g, row0, r, TY);
    for (INDEX tx = 0; tx < g.TILING_TX; tx++, band += PIXELS_W * 16) {
        bool whole = tx < g.TILING_COLUMNS;
        __global const REAL *from = m + (whole ? place + tx : last) * NB;
#if WINOGRAD_CUTS
        if (rh < TILE_H || !whole) {
            output_tile_some(from, step, band, width, (int)rh, (int)(whole ? TILE_W : g.TILING_LW),
                             width - tx * PIXELS_W);
            continue;
        }
#endif
        output_tile(from, step, band, width, width - tx * PIXELS_W);
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

/* m (+)= v u of some blocks of channels, `tiles` tiles: a point of a panel, or of its first half if it is narrow.
 * Meanwhile what comes next of u, or of v, is fetched from `next` on. */
static inline void multiply_point(const terms *s, __global const REAL *restrict v, INDEX T,
                                  __global const REAL *restrict u, INDEX blocks, __global REAL *restrict m, INDEX tiles,
                                  bool first, bool narrow, __global const REAL *next, bool v_next)
{
    const INDEX whole = (tiles + MR / 2 - 1) / MR, groups = whole + (tiles > whole * MR);
    const INDEX all = TERMS ? s->down * s->across : 1;
    const INDEX lines = v_next ? MR : 16 * NV / (max(groups, (INDEX)1) * all);
    if (!v_next && groups == 1) next = u + min((INDEX)1024, blocks * 16 * NB);
    for (INDEX g = 0; g < groups; g++, next += all * blocks * lines * 16) {
        __global const REAL *vg = v + g * MR * 16;
        if (narrow)
            multiply_narrow(s, vg, T * 16, u, blocks, m + g * MR * NB, first, next, lines, g < whole);
        else if (g < whole)
            multiply(s, vg, T * 16, u, blocks, m + g * MR * NB, first, next, lines);
        else
            multiply_half(s, vg, T * 16, u, blocks, m + g * MR * NB, first, next, lines);
    }
}

#if TERMS
/* From the plane of the even pixels at a point to that of the odd ones; 0 where there is none. */
static inline int to_odd(int point)
{
    return point < 3 ? 5 : point == 4 ? 4 : 0;
}
#else
/* The weight's point of a plane. */
static inline int point_of(int plane)
{
    if (!SPREAD) return plane;
    return min(plane / PLANES_W, POINTS_H - 1) * POINTS_W + min(plane % PLANES_W, POINTS_W - 1);
}
#endif

/* All points of `panels` panels in turn, whose u and m follow each other; the last of them may be narrow. */
static inline void multiply_panels(TILING tiling, __global const REAL *restrict v, INDEX vstep, INDEX T,
                                   __global const REAL *restrict u, INDEX ustep, INDEX blocks,
                                   __global REAL *restrict m, INDEX mstep, INDEX panels, bool last_narrow, bool first,
                                   bool v_next)
{
#if TERMS
    for (int p = 0; p < SUMS; p++) {
        const int i = p / SUMS_W, j = p % SUMS_W, down = to_odd(i), across = to_odd(j), plane = i * PLANES_W + j;
        const terms all = {down * PLANES_W * vstep, across * vstep, (5 - i) * POINTS_W * ustep, (5 - j) * ustep,
                           down ? 2 : 1, across ? 2 : 1};
        const terms one = {0, 0, 0, 0, 1, 1};
        const int deepest = plane + down * PLANES_W + across, point = i * POINTS_W + j;
        const int after = p + 1 < SUMS ? (p + 1) / SUMS_W * POINTS_W + (p + 1) % SUMS_W : 0;
        const INDEX begin = first_tile(tiling, plane), tiles = end_of_tiles(tiling, plane) - begin;
        const bool whole = first_tile(tiling, deepest) == begin && end_of_tiles(tiling, deepest) == begin + tiles;
        for (INDEX k = 0; k < panels; k++) {
            const bool narrow = last_narrow && k + 1 == panels;
            __global const REAL *from = u + (k * POINTS + point) * ustep;
            __global const REAL *turn = k + 1 < panels ? from + POINTS * ustep : u + after * ustep;
            __global REAL *to = m + (k * SUMS + p) * mstep;
            if (whole) {
                multiply_point(&all, v + plane * vstep + begin * 16, T, from, blocks, to + begin * NB, tiles, first,
                               narrow, v_next ? v + (plane + 1) * vstep : turn, v_next);
                continue;
            }
            for (int a = 0; a < all.down; a++) {
                for (int b = 0; b < all.across; b++) {
                    const int at = plane + a * down * PLANES_W + b * across;
                    const INDEX t0 = first_tile(tiling, at);
                    multiply_point(&one, v + at * vstep + t0 * 16, T, from + a * all.u_down + b * all.u_across, blocks,
                                   to + t0 * NB, end_of_tiles(tiling, at) - t0, first && !a && !b, narrow, turn, v_next);
                }
            }
        }
    }
#else
    const terms one = {0, 0, 0, 0, 1, 1};
    for (int p = 0; p < SUMS; p++, v += vstep) {
        const INDEX begin = first_tile(tiling, p), tiles = end_of_tiles(tiling, p) - begin;
        for (INDEX k = 0; k < panels; k++) {
            const bool narrow = last_narrow && k + 1 == panels;
            __global const REAL *from = u + (k * POINTS + point_of(p)) * ustep;
            __global const REAL *turn = k + 1 < panels ? from + POINTS * ustep : u + point_of(p + 1) * ustep;
            multiply_point(&one, v + begin * 16, T, from, blocks, m + (k * SUMS + p) * mstep + begin * NB, tiles,
                           first, narrow, v_next ? v + vstep : turn, v_next);
        }
    }
#endif
}

/* Zeros in v, of 16 channels, where register tiles go beyond the tiles. */
static inline void clear_spare(TILING tiling, __global REAL *restrict v, INDEX vstep)
{
    for (int p = 0; p < PLANES; p++, v += vstep) {
        const INDEX end = end_of_tiles(tiling, p), tiles = end - first_tile(tiling, p);
        for (INDEX t = tiles; t % (MR / 2); t++) HG_STOREV((REALV)(0), v + (end + t - tiles) * 16);
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
    const INDEX CV = (C + 15) / 16, CB = KD * CV, rows = N * OD * TY, pitch = STEP * TILE_W * (TX - 1) + PATCH_W;
    const INDEX height = OH * (SPREAD + 1) - ODD / 2, width = OW * (SPREAD + 1) - ODD % 2;
    const INDEX plane = H * W, area = height * width;
    const INDEX vstep = T * CB * 16 + 16, mstep = T * NB + 16, ustep = (K ? K : CB) * 16 * NB + 16;
    const INDEX first = max((INDEX)0, -PW), count = min(W, pitch - PW) - first;
    const INDEX panel0 = (INDEX)get_global_id(1) * SHARE, panel1 = min(panel0 + SHARE, (O + NB - 1) / NB);
    const INDEX item = (INDEX)get_global_id(0) * (INDEX)get_global_size(1) + (INDEX)get_global_id(1);
    __global REAL *v = slices + AT + item * SLICE, *m = v + PLANES * vstep, *own = m + TURN * SUMS * mstep;
    __global REAL *band = own + (K ? POINTS * ustep : 0), *done = band + PATCH_H * pitch * 16;
    x += xo;
    w += wo;
    bias += bo;
    residual += ro;
    y += yo;
    for (INDEX i = 0; i < PATCH_H * pitch; i++) HG_STOREV((REALV)(0), band + i * 16); /* the padding stays so */
    for (INDEX row0 = (INDEX)get_global_id(0) * R; row0 < rows; row0 += R * (INDEX)get_global_size(0)) {
        const INDEX here = min(R, rows - row0);
        const TILING tiling = tiling_of(row0, here, TX, TY, OH, OW);
        for (INDEX cb = 0; cb < CB; cb++) {
            for (INDEX r = 0; r < here; r++) {
                const INDEX image = (row0 + r) / TY, ty = row0 + r - image * TY, n = image / OD, k = cb / CV;
                const INDEX c = (cb - k * CV) * 16, z = image - n * OD - PD + k;
                stage_band(x, ((n * C + c) * D + z) * plane, D * plane, N * C * D * plane, C - c,
                           z >= 0 && z < D ? H : 0, W, ty * STEP * TILE_H - PH, PATCH_H, first, count,
                           band + (first + PW) * 16, pitch);
                input_tiles(tiling, row0, r, TY, band, pitch, v + cb * T * 16, vstep);
            }
            clear_spare(tiling, v + cb * T * 16, vstep);
        }
        for (INDEX panel = panel0; panel < panel1; panel += TURN) {
            const INDEX panels = min(TURN, panel1 - panel);
            const bool narrow = O - (panel + panels - 1) * NB <= NB / 2;
            if (!K)
                multiply_panels(tiling, v, vstep, T, u + panel * POINTS * ustep, ustep, CB, m, mstep, panels, narrow,
                                true, false);
            for (INDEX cb = 0; cb < (K ? CB : 0); cb += K) {
                INDEX blocks = min(K, CB - cb);
                for (INDEX k = 0; k < blocks; k++)
                    weight_panel(w, (INDEX)so, (INDEX)sc, O, C, KD, panel, cb + k, mirrored, own + k * 16 * NB, ustep);
                multiply_panels(tiling, v + cb * T * 16, vstep, T, own, ustep, blocks, m, mstep, 1, narrow, cb == 0,
                                true);
            }
            for (INDEX i = 0; i < panels * here; i++) {
                INDEX r = i % here, image = (row0 + r) / TY, oh = (row0 + r - image * TY) * PIXELS_H;
                INDEX n = image / OD, z = image - n * OD, k = panel + i / here;
                for (INDEX o = k * NB; o < min(k * NB + NB, O); o += 16) {
                    INDEX to = ((n * O + o) * OD + z) * area + oh * width;
                    output_tiles(tiling, row0, r, TY, m + (k - panel) * SUMS * mstep + o % NB, mstep, done, width);
                    store_band(done, min((INDEX)PIXELS_H, height - oh) * width, OD * area, O - o,
                               bias + (epilogue & CONV_BIAS ? o : 0), residual + (epilogue & CONV_RESIDUAL ? to : 0),
                               y + to, epilogue);
                }
            }
        }
    }
}
#endif
