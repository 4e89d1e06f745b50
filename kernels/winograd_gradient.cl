/* The gradient of the weight by Winograd's algorithm, CPU class; winograd.clh, winograd_cpu.clh. It has three forms.
 *
 * With many sums and many tiles it goes through rows of tiles in chunks of R, T tiles, whose transforms stay in the
 * caches:
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
 * winograd_gradient dw of some pairs of a panel and 16 channels. */
#include "winograd_cpu.clh"

#if HG_CPU
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

#if WINOGRAD_CUTS
/* The same of a tile of rh x rw pixels; beyond them are zeros. */
PART void gradient_tile_some(__global const REAL *restrict band, INDEX pitch, __global REAL *restrict d, INDEX step,
                             int rh, int rw)
{
    REALV t[POINTS];
#pragma unroll
    for (int i = 0; i < TILE_H * TILE_W; i++)
        t[i / TILE_W * PATCH_W + i % TILE_W] = vload16(i % TILE_W, band + i / TILE_W * pitch * 16);
    if (TILE_H > 1) {
        for (int i = 0; i < TILE_W; i++) {
            if (rh < TILE_H)
                winograd_a_some(t + i, PATCH_W, rh);
            else
                winograd_a(t + i, t + i, PATCH_W);
        }
    }
    for (int i = 0; i < PATCH_H; i++) {
        REALV *line = t + i * PATCH_W;
        if (!needed(i, rh, TILE_H)) continue;
        if (rw < TILE_W)
            winograd_a_some(line, 1, rw);
        else
            winograd_a(line, line, 1);
        for (int k = 0; k < PATCH_W; k++)
            if (needed(k, rw, TILE_W)) HG_STOREV(line[k], d + (i * PATCH_W + k) * step);
    }
}
#endif

/* Row r of tiles. */
static inline void gradient_tiles(TILING g, INDEX row0, INDEX r, INDEX TY, __global const REAL *restrict band,
                                  INDEX pitch, __global REAL *restrict d, INDEX step)
{
    const INDEX place = place_of(g, row0, r, TY, false), last = place_of(g, row0, r, TY, true);
    const INDEX rh = rows_of(g, row0, r, TY);
    for (INDEX tx = 0; tx < g.TILING_TX; tx++, band += TILE_W * 16) {
        bool whole = tx < g.TILING_COLUMNS;
        __global REAL *to = d + (whole ? place + tx : last) * NB;
#if WINOGRAD_CUTS
        if (rh < TILE_H || !whole) {
            gradient_tile_some(band, pitch, to, step, (int)rh, (int)(whole ? TILE_W : g.TILING_LW));
            continue;
        }
#endif
        gradient_tile(band, pitch, to, step);
    }
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
    const TILING tiling = tiling_of(row0, rows, TX, TY, OH, OW);
    __global REAL *after = bands + PATCH_H * pitch * 16;
    for (INDEX i = first; i < rows * (CB + OB); i += step) {
        INDEX r = i / (CB + OB), b = i - r * (CB + OB), n = (row0 + r) / TY, ty = row0 + r - n * TY;
        if (b < CB) {
            stage_band(x, (n * C + b * 16) * plane, plane, N * C * plane, C - b * 16, H, W, ty * TILE_H - PH, PATCH_H,
                       0, count, bands + PW * 16, pitch);
            input_tiles(tiling, row0, r, TY, bands, pitch, v + b * T * 16, vstep);
        } else {
            b -= CB;
            stage_band(dy, (n * O + b * 16) * area, area, N * O * area, O - b * 16, OH, OW, ty * TILE_H, TILE_H, 0, OW,
                       after, pitch);
            gradient_tiles(tiling, row0, r, TY, after, pitch, d + b / NV * T * NB + b % NV * 16, dstep);
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
    CONV_GEOMETRY(ga, gb, gc)
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

/* A point and a panel: of CB x 16 channels. */
static inline void multiply_channels(TILING tiling, int p, __global const REAL *restrict v,
                                     __global const REAL *restrict d, INDEX T, INDEX CB, bool first,
                                     __global REAL *restrict sums)
{
    const INDEX begin = first_tile(tiling, p), tiles = end_of_tiles(tiling, p) - begin;
    for (INDEX c = 0; c < CB * 16; c += MR)
        multiply_taps(v + (c / 16 * T + begin) * 16 + c % 16, d + begin * NB, tiles, first, sums + c * NB);
}

/* Of rows row0 .. row0 + rows - 1, as winograd_chunk wrote them. global: (POINTS, panels) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_taps(long8 ga, long8 gb, long8 gc, long8 gt,
    long row0, long rows, __global const REAL *restrict chunk, long vo, long dof, __global REAL *restrict sums)
{
    CONV_GEOMETRY(ga, gb, gc)
    WINOGRAD_GEOMETRY(gt)
    const INDEX CB = (C + 15) / 16, p = (INDEX)get_global_id(0);
    const INDEX panel = (INDEX)get_global_id(1), panels = (INDEX)get_global_size(1);
    multiply_channels(tiling_of((INDEX)row0, (INDEX)rows, TX, TY, OH, OW), (int)p,
                      chunk + (INDEX)vo + p * (T * CB * 16 + 16),
                      chunk + (INDEX)dof + p * (T * panels * NB + 16) + panel * T * NB, T, CB, row0 == 0,
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
        const INDEX here = min(R, rows - block * R);
        const TILING tiling = tiling_of(block * R, here, TX, TY, OH, OW);
        transform_rows(ga, gb, gc, gt, block * R, here, 0, 1, x + xo, dy + yo, v, d, bands);
        for (INDEX i = 0; i < POINTS * panels; i++) {
            INDEX p = i / panels, panel = i - p * panels;
            multiply_channels(tiling, (int)p, v + p * vstep, d + p * dstep + panel * T * NB, T, CB,
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

/* Of all rows, as winograd_chunk wrote them. global: (slices). A slice: sums[POINTS][16][NB]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void winograd_gradient(long8 ga, long8 gb, long8 gc, long8 gt,
    __global const REAL *restrict chunk, long vo, long dof, __global REAL *restrict slices, __global REAL *restrict dw,
    long wo)
{
    CONV_GEOMETRY(ga, gb, gc)
    WINOGRAD_GEOMETRY(gt)
    const INDEX CB = (C + 15) / 16, panels = (O + NB - 1) / NB;
    const INDEX vstep = T * CB * 16 + 16, dstep = T * panels * NB + 16, step = 16 * NB + 16;
    const TILING tiling = tiling_of(0, N * TY, TX, TY, OH, OW);
    __global REAL *sums = slices + AT + (INDEX)get_global_id(0) * SLICE;
    chunk += (INDEX)vo;
    dw += wo;
    const INDEX share = (panels * CB + (INDEX)get_global_size(0) - 1) / (INDEX)get_global_size(0);
    const INDEX begin = (INDEX)get_global_id(0) * share, end = min(begin + share, panels * CB);
    for (INDEX i = begin; i < end; i++) {
        INDEX panel = i / CB, cb = i - panel * CB;
        for (int p = 0; p < POINTS; p++)
            multiply_channels(tiling, p, chunk + p * vstep + cb * T * 16,
                              chunk + (INDEX)(dof - vo) + p * dstep + panel * T * NB, T, 1, true, sums + p * step);
        for (INDEX o = panel * NB; o < min(panel * NB + NB, O); o += 16)
            gradient_block(sums + o % NB, step, 1, 0, O - o, C - cb * 16, dw + (o * C + cb * 16) * TAPS, C * TAPS);
    }
}
#endif
