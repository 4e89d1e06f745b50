/* Convolution as a matrix product whose second operand, the columns of im2col.cl, never lies in memory: it is read
 * where it stands. CPU class.
 *
 * A block of the image of all channels is staged once, with its padding as zeros and without what the stride skips, so
 * that the element that tap k (a channel and a place in the kernel) takes for pixel q stands at
 *
 *     place[q] + tap[k]
 *
 * of it, for any rank, stride and dilation. Both are tables. The product takes MR rows (pixels, or taps), broadcasts
 * their elements and multiplies each with NV vectors of outputs:
 *
 *     conv_blocks     y[pixel][output] = sum_k block[place[pixel] + tap[k]] w[k][output]
 *     conv_weights    dw[tap][output] = sum_q block[place[q] + tap] dy[q][output]
 *
 * Sums run in the order of k and q. Rows of NB outputs become planes of NCHW through transposes of 16 x 16.
 *
 * conv_blocks is forward, and backward-data, where y is the input's gradient, the block is of the output's gradient and
 * the channels are the outputs. There, pixels that leave the same remainder by the stride, a phase, take the same taps:
 * each phase is a product of its own with its part of the tables and of the packed weight, and a phase without taps is
 * zeros. Forward has one phase.
 *
 * Taps go by their place in depth, then by channel: those that lie in the padding of a block are left out.
 *
 * conv_blocks     a work-item takes some blocks, one after the other, each of a few images, and a share of the panels
 *                 of NB outputs. Its slice of workspace: the blocks [image][channel][plane], rows [image][pixel][NB] of
 *                 one panel, tables, NB starts of sums.
 * conv_weights    a work-item takes a slice of the blocks, a few at a time, and a share of a group's channels. Its
 *                 slice of workspace: the blocks [block][channel][plane], the gradient [pixel][NB] of one panel, sums
 *                 [panel][tap][NB], tables, NB zeros.
 * sum_slices      adds what the slices found, in order.
 * pack_weight     packed[group][panel][phase][place in depth][channel][tap of the phase][NB], zero beyond the outputs.
 *                 A work-item: a panel and some channels.
 *
 * The last panel, where half of it holds all outputs that are left, is multiplied by half its vectors. */
#include "conv.clh"
#include "stage.clh"
#include "transpose.clh"

#if HG_CPU
#ifndef NV
#define NV 2 /* vectors of outputs in a panel */
#endif
#ifndef MR
#define MR 8 /* pixels, or taps, of a register tile */
#endif
#define NB (NV * 16)
#define HALF_NV ((NV + 1) / 2) /* the tile of half a panel */
#define HALF_MR 8
#define PART __attribute__((noinline)) static

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* One dimension. `out` is the size of what is computed, `in` of what is staged; block b computes `block` outputs from
 * b * block on and stages `staged` inputs, `step` apart, from origin + b * advance on. Output i of a block stands at
 * (i * scale + shift) / phases, tap k at (k * reach) / phases, from the end of the kernel if it is mirrored; what these
 * divisions leave is the phase. */
typedef struct axis {
    INDEX out, in, block, staged, step, origin, advance, taps, phases, scale, shift, reach;
    int mirrored;
} axis;

static inline axis axis_of(long8 a, long8 b)
{
    axis r = {(INDEX)a.s0, (INDEX)a.s1, (INDEX)a.s2, (INDEX)a.s3, (INDEX)a.s4, (INDEX)a.s5, (INDEX)a.s6,
              (INDEX)a.s7, (INDEX)b.s0, (INDEX)b.s1, (INDEX)b.s2, (INDEX)b.s3, (int)b.s4};
    return r;
}

#define AXES                                                                                                          \
    const axis d = axis_of(da, db), h = axis_of(ha, hb), w = axis_of(wa, wb);                                         \
    const INDEX K = d.taps * h.taps * w.taps, phases = d.phases * h.phases * w.phases;                          \
    const INDEX blocks = ((d.out + d.block - 1) / d.block) * ((h.out + h.block - 1) / h.block) *                      \
                         ((w.out + w.block - 1) / w.block);                                                           \
    const INDEX in_plane = d.in * h.in * w.in, out_plane = d.out * h.out * w.out;                                     \
    (void)(K + phases + blocks + in_plane + out_plane);
#define AXES_ARGUMENTS long8 da, long8 db, long8 ha, long8 hb, long8 wa, long8 wb

/* The first output of a block whose phase is m; more follow at each `phases`. */
static inline INDEX first_of(const axis *a, INDEX m)
{
    return (m + a->phases - a->shift) % a->phases;
}

static inline INDEX place_of(const axis *a, INDEX i)
{
    return (i * a->scale + a->shift) / a->phases;
}

static inline INDEX tap_of(const axis *a, INDEX k)
{
    INDEX q = k * a->reach / a->phases;
    return a->mirrored ? (a->taps - 1) * a->reach / a->phases - q : q;
}

/* Writes where the taps of phase m stand, of places first .. last - 1 of the kernel in depth; returns how many there
 * are. */
static inline INDEX list_taps(const axis *d, const axis *h, const axis *w, INDEX m, INDEX first, INDEX last,
                              __global int *restrict tap)
{
    const INDEX mw = m % w->phases, mh = m / w->phases % h->phases, md = m / (w->phases * h->phases);
    INDEX n = 0;
    for (INDEX i = first; i < last; i++) {
        if (i * d->reach % d->phases != md) continue;
        for (INDEX j = 0; j < h->taps; j++) {
            if (j * h->reach % h->phases != mh) continue;
            for (INDEX k = 0; k < w->taps; k++) {
                if (k * w->reach % w->phases != mw) continue;
                tap[n++] = (int)((tap_of(d, i) * h->staged + tap_of(h, j)) * w->staged + tap_of(w, k));
            }
        }
    }
    return n;
}

/* The taps of all channels, `plane` apart. */
static inline INDEX list_channels(INDEX taps, INDEX channels, INDEX plane, __global int *tap)
{
    for (INDEX k = taps; k < taps * channels; k++) tap[k] = tap[k - taps] + (int)plane;
    return taps * channels;
}

/* Where the outputs of phase m stand in a block with nd x nh x nw outputs, from `base` on, and, where `pixel` is
 * wanted, which outputs they are, the block's being `number` and following; returns how many there are. */
static inline INDEX list_places(const axis *d, const axis *h, const axis *w, INDEX m, INDEX nd, INDEX nh, INDEX nw,
                                INDEX base, INDEX number, __global int *restrict place, __global int *restrict pixel)
{
    const INDEX mw = m % w->phases, mh = m / w->phases % h->phases, md = m / (w->phases * h->phases);
    const INDEX first = first_of(w, mw), across = first < nw ? (nw - 1 - first) / w->phases + 1 : 0;
    const INDEX start = place_of(w, first);
    INDEX n = 0;
    for (INDEX i = first_of(d, md); i < nd; i += d->phases) {
        for (INDEX j = first_of(h, mh); j < nh; j += h->phases) {
            INDEX at = base + (place_of(d, i) * h->staged + place_of(h, j)) * w->staged + start;
            for (INDEX k = 0; k < across; k++) place[n + k] = (int)(at + k * w->scale);
            for (INDEX k = 0; k < across && pixel; k++)
                pixel[n + k] = (int)(number + (i * nh + j) * nw + first + k * w->phases);
            n += across;
        }
    }
    return n;
}

/* The block whose first inputs are (id, ih, iw), of `channels` planes of x from x[at] on. Rows are written in order,
 * and up to 15 elements too far. Rows that are staged whole, without padding, are one row. */
PART void stage(const axis *d, const axis *h, const axis *w, INDEX id, INDEX ih, INDEX iw, INDEX channels, INDEX plane,
                __global const REAL *restrict x, INDEX at, INDEX total, __global REAL *restrict block)
{
    const INDEX in_plane = d->in * h->in * w->in, ahead = max(2 * in_plane, (INDEX)1024);
    const bool whole = iw == 0 && w->step == 1 && w->staged == w->in && h->step == 1;
    const INDEX wide = whole ? w->in * h->staged : w->staged, high = whole ? 1 : h->staged;
    const INDEX start = whole ? ih * w->in : iw, size = whole ? h->in * w->in : w->in;
    const INDEX left = min(ceil_steps(-start, w->step), wide);
    const INDEX end = max(left, min(ceil_steps(size - start, w->step), wide));
    for (INDEX c = 0; c < channels; c++, at += in_plane, block += plane) {
        __global REAL *to = block;
        for (INDEX i = 0; i < d->staged; i++) {
            INDEX z = id + i * d->step;
            for (INDEX j = 0; j < high; j++, to += wide) {
                INDEX y = whole ? 0 : ih + j * h->step;
                if (z < 0 || z >= d->in || y < 0 || y >= h->in) {
                    zero_row(to, 0, wide);
                    continue;
                }
                zero_row(to, 0, left);
                if (end > left)
                    stage_row(x, at + (z * h->in + y) * w->in + start + left * w->step, w->step, end - left, total,
                              ahead, to + left);
                zero_row(to, end, wide);
            }
        }
    }
}

/* out[pixel[i]][NB] = start + sum_k block[row[i] + column[k]] w[k][NB] for up to `tile` rows i: those from `rows` on
 * repeat the last one. Sums start at start[i * again]; row i is written to its place in `pixel`, or to i if that is
 * NULL. Of NB, so many vectors are computed. */
static inline __attribute__((always_inline)) void multiply_tile(const int tile, const int vectors,
    __global const REAL *restrict block, __global const int *restrict row, INDEX rows,
    __global const int *restrict column, INDEX depth, __global const REAL *restrict w, __global const REAL *start,
    INDEX again, __global REAL *out, __global const int *restrict pixel)
{
    REALV acc[8][NV];
    __global const REAL *from[8];
    INDEX to[8];
#pragma unroll
    for (int i = 0; i < 8; i++) {
        INDEX r = min((INDEX)i, rows - 1);
        from[i] = block + row[r];
        to[i] = (pixel ? pixel[r] : r) * NB;
#pragma unroll
        for (int j = 0; j < NV; j++)
            if (j < vectors) acc[i][j] = vload16(j, start + r * again);
    }
    for (INDEX k = 0; k < depth; k++) {
        const long at = column[k];
        REALV v[NV];
#pragma unroll
        for (int j = 0; j < NV; j++)
            if (j < vectors) v[j] = vload16(j, w + k * NB);
#pragma unroll
        for (int i = 0; i < 8; i++)
#pragma unroll
            for (int j = 0; j < NV; j++)
                if (i < tile && j < vectors) acc[i][j] = fma((REALV)(from[i][at]), v[j], acc[i][j]);
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < NV; j++)
            if (i < tile && j < vectors) HG_STOREV(acc[i][j], out + to[i] + j * 16);
}

PART void multiply_whole(__global const REAL *restrict block, __global const int *restrict row, INDEX rows,
                         __global const int *restrict column, INDEX depth, __global const REAL *restrict w,
                         __global const REAL *start, INDEX again, __global REAL *out,
                         __global const int *restrict pixel)
{
    multiply_tile(MR, NV, block, row, rows, column, depth, w, start, again, out, pixel);
}

PART void multiply_half(__global const REAL *restrict block, __global const int *restrict row, INDEX rows,
                        __global const int *restrict column, INDEX depth, __global const REAL *restrict w,
                        __global const REAL *start, INDEX again, __global REAL *out, __global const int *restrict pixel)
{
    multiply_tile(HALF_MR, HALF_NV, block, row, rows, column, depth, w, start, again, out, pixel);
}

/* All rows, of a panel with so many outputs. */
static inline void multiply(INDEX outputs, __global const REAL *restrict block, __global const int *restrict row,
                            INDEX rows, __global const int *restrict column, INDEX depth,
                            __global const REAL *restrict w, __global const REAL *start, INDEX again,
                            __global REAL *out, __global const int *restrict pixel)
{
    const INDEX tile = outputs <= HALF_NV * 16 ? HALF_MR : MR;
    for (INDEX i = 0; i < rows; i += tile) {
        if (outputs <= HALF_NV * 16)
            multiply_half(block, row + i, rows - i, column, depth, w, start + i * again, again,
                          out + (pixel ? 0 : i * NB), pixel ? pixel + i : 0);
        else
            multiply_whole(block, row + i, rows - i, column, depth, w, start + i * again, again,
                           out + (pixel ? 0 : i * NB), pixel ? pixel + i : 0);
    }
}

/* Lines of y: element q of line t, `step` apart, is rows[q][t] (+ residual), at least `least`, for q < count and
 * t < lines (at most 16). The last vector overlaps the one before. */
PART void transpose_out(__global const REAL *restrict rows, INDEX count, INDEX lines, INDEX step,
                        __global const REAL *restrict residual, REAL least, __global REAL *restrict y)
{
    for (INDEX done = 0; done < count; done += 16) {
        const INDEX q = count >= 16 ? min(done, count - 16) : 0;
        REALV v[16];
#pragma unroll
        for (int t = 0; t < 16; t++) v[t] = vload16(0, rows + (q + t) * NB);
        HG_TRANSPOSE16(v);
        if (count >= 16) {
#pragma unroll
            for (int t = 0; t < 16; t++) {
                if (t < lines) {
                    if (residual) v[t] += vload16(0, residual + t * step + q);
                    HG_STOREV(v[t] < (REALV)(least) ? (REALV)(least) : v[t], y + t * step + q);
                }
            }
        } else {
            REALV line[16];
#pragma unroll
            for (int t = 0; t < 16; t++) line[t] = v[t];
            for (INDEX t = 0; t < lines; t++) {
                if (residual) line[t] += hg_load_some(residual + t * step, (int)count);
                conv_store(line[t] < (REALV)(least) ? (REALV)(least) : line[t], y + t * step, count);
            }
        }
    }
}

/* rows[q][t] = element q of line t of x, `step` apart, from x[at] on, for q < count; zero for t from `lines` on. Up to
 * 15 rows too many are written. */
PART void transpose_in(__global const REAL *restrict x, INDEX at, INDEX count, INDEX lines, INDEX step, INDEX total,
                       __global REAL *restrict rows)
{
    for (INDEX q = 0; q < count; q += 16) {
        REALV v[16];
        if (lines >= 16 && at + 15 * step + q + 16 <= total) {
#pragma unroll
            for (int t = 0; t < 16; t++) v[t] = vload16(0, x + at + t * step + q);
        } else {
#pragma unroll
            for (int t = 0; t < 16; t++) {
                v[t] = 0;
                if (t < lines) v[t] = hg_load_some(x + at + t * step + q, (int)(count - q));
            }
        }
        HG_TRANSPOSE16(v);
#pragma unroll
        for (int t = 0; t < 16; t++) HG_STOREV(v[t], rows + (q + t) * NB);
    }
}

/* Block b of an image: its place, the number of its outputs along each dimension, and the runs of outputs that lie one
 * behind another in memory. */
typedef struct cut {
    INDEX d0, h0, w0, nd, nh, nw, run, runs;
} cut;

static inline cut cut_of(const axis *d, const axis *h, const axis *w, INDEX b)
{
    const INDEX blocks_h = (h->out + h->block - 1) / h->block, blocks_w = (w->out + w->block - 1) / w->block;
    const INDEX bw = b % blocks_w, bh = b / blocks_w % blocks_h, bd = b / (blocks_w * blocks_h);
    cut c = {bd * d->block, bh * h->block, bw * w->block, 0, 0, 0, 0, 0};
    c.nd = min(d->block, d->out - c.d0);
    c.nh = min(h->block, h->out - c.h0);
    c.nw = min(w->block, w->out - c.w0);
    c.run = c.nw == w->out ? c.nh * c.nw : c.nw;
    c.runs = c.nd * c.nh * c.nw / c.run;
    return c;
}

/* Where run r of the block begins in a plane of outputs. */
static inline INDEX run_of(const cut *c, const axis *h, const axis *w, INDEX r)
{
    const INDEX row = r * (c->run / c->nw), i = row / c->nh, j = row - i * c->nh;
    return ((c->d0 + i) * h->out + c->h0 + j) * w->out + c->w0;
}

static inline void stage_block(const axis *d, const axis *h, const axis *w, const cut *c, INDEX channels, INDEX plane,
                               __global const REAL *restrict x, INDEX at, INDEX total, __global REAL *restrict block)
{
    stage(d, h, w, d->origin + c->d0 / d->block * d->advance, h->origin + c->h0 / h->block * h->advance,
          w->origin + c->w0 / w->block * w->advance, channels, plane, x, at, total, block);
}

/* The taps of phase m, of all channels, by their place in depth; returns how many there are. */
static inline INDEX list_phase(const axis *d, const axis *h, const axis *w, INDEX m, INDEX channels, INDEX plane,
                               __global int *tap)
{
    INDEX n = 0;
    for (INDEX i = 0; i < d->taps; i++)
        n += list_channels(list_taps(d, h, w, m, i, i + 1, tap + n), channels, plane, tap + n);
    return n;
}

/* Of phase m's taps in depth, how many there are; those of a block whose first input is `id`, deep inside the image:
 * the first and the number. */
static inline INDEX3 taps_inside(const axis *d, INDEX m, INDEX id)
{
    INDEX3 r = (INDEX3)(0);
    for (INDEX i = 0; i < d->taps; i++) {
        if (i * d->reach % d->phases != m) continue;
        const INDEX z = id + (place_of(d, first_of(d, m)) + tap_of(d, i)) * d->step;
        r.s0++;
        if (z >= 0 && z < d->in) r.s2++;
        else if (!r.s2) r.s1++;
    }
    return r;
}

/* Places of the slice's parts, in elements, come in `parts`: blocks, rows, starts, taps, places, pixels, counts (of
 * taps and places by phase), size. shape.s5: images of a unit. global: (slices of the units, shares of the panels) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void conv_blocks(AXES_ARGUMENTS, long8 shape, long8 parts,
    __global const REAL *restrict x, long xo, __global const REAL *restrict packed, __global const REAL *restrict bias,
    long bo, __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo,
    __global REAL *restrict workspace, int epilogue)
{
    AXES
    const INDEX N = (INDEX)shape.s0, G = (INDEX)shape.s1, CG = (INDEX)shape.s2, OG = (INDEX)shape.s3;
    const INDEX plane = (INDEX)shape.s4, panels = (OG + NB - 1) / NB, R = CG * K, M = (INDEX)shape.s5;
    const INDEX units = (N + M - 1) / M * G * blocks;
    const INDEX items = (INDEX)get_global_size(0), item = (INDEX)get_global_id(0);
    const INDEX shares = (INDEX)get_global_size(1), share = (INDEX)get_global_id(1);
    const REAL least = epilogue & CONV_RELU ? (REAL)0 : (REAL)-INFINITY;
    __global REAL *slice = workspace + (share * items + item) * parts.s7;
    __global REAL *block = slice + parts.s0, *rows = slice + parts.s1, *start = slice + parts.s2;
    __global int *tap = (__global int *)(slice + parts.s3), *place = (__global int *)(slice + parts.s4);
    __global int *pixel = (__global int *)(slice + parts.s5), *taps = (__global int *)(slice + parts.s6);
    __global int *places = taps + phases;
    cut listed = {-1, -1, -1, -1, -1, -1, -1, -1};
    INDEX listed_images = 0;
    bool blank = true; /* whether rows lack the zeros of phases without taps */
    x += xo;
    y += yo;
    for (INDEX m = 0, at = 0; m < phases; at += taps[m++])
        taps[m] = (int)list_phase(&d, &h, &w, m, CG, plane, tap + at);
    const INDEX last = (INDEX)((long)units * (item + 1) / items);
    for (INDEX unit = (INDEX)((long)units * item / items); unit < last; unit++) {
        const INDEX group = unit / blocks, g = group % G, n0 = group / G * M, images = min(M, N - n0);
        const cut c = cut_of(&d, &h, &w, unit - group * blocks);
        const INDEX count = c.nd * c.nh * c.nw, id = d.origin + c.d0 / d.block * d.advance;
        for (INDEX i = 0; i < images; i++)
            stage_block(&d, &h, &w, &c, CG, plane, x, ((n0 + i) * G + g) * CG * in_plane, N * G * CG * in_plane,
                        block + i * CG * plane);
        if (c.nd != listed.nd || c.nh != listed.nh || c.nw != listed.nw || images != listed_images) {
            for (INDEX m = 0, at = 0; m < phases; at += places[m++]) {
                INDEX n = 0;
                for (INDEX i = 0; i < images; i++)
                    n += list_places(&d, &h, &w, m, c.nd, c.nh, c.nw, i * CG * plane, i * count, place + at + n,
                                     pixel + at + n);
                places[m] = (int)n;
            }
            listed = c;
            listed_images = images;
            blank = true;
        }
        for (INDEX panel = panels * share / shares; panel < panels * (share + 1) / shares; panel++) {
            const INDEX o = panel * NB, outputs = min((INDEX)NB, OG - o);
            __global const REAL *weight = packed + (long)(g * panels + panel) * R * NB;
            for (INDEX i = 0; i < NB; i++)
                start[i] = epilogue & CONV_BIAS && i < outputs ? bias[bo + g * OG + o + i] : 0;
            for (INDEX m = 0, q = 0, k = 0; m < phases; q += places[m], k += taps[m], m++) {
                if (!taps[m] && !blank) continue;
                const INDEX3 deep = taps_inside(&d, m / (w.phases * h.phases), id);
                const INDEX each = deep.s0 ? taps[m] / deep.s0 : 0, from = k + deep.s1 * each;
                multiply(outputs, block, place + q, places[m], tap + from, deep.s2 * each, weight + from * NB, start, 0,
                         rows, pixel + q);
            }
            blank = false;
            for (INDEX r = 0; r < images * c.runs; r++) {
                const INDEX i = r / c.runs, out = (((n0 + i) * G + g) * OG + o) * out_plane +
                                                  run_of(&c, &h, &w, r - i * c.runs);
                for (INDEX v = 0; v < outputs; v += 16)
                    transpose_out(rows + r * c.run * NB + v, c.run, min((INDEX)16, outputs - v), out_plane,
                                  epilogue & CONV_RESIDUAL ? residual + ro + out + v * out_plane : 0, least,
                                  y + out + v * out_plane);
            }
        }
    }
}

/* `together` blocks are staged at once. parts: blocks, rows, sums, taps, places, zeros, then the slice's size. Slice s
 * is written to dw + s * step. global: (slices of the N * blocks, shares of the channels, G) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void conv_weights(AXES_ARGUMENTS, long8 shape, long8 parts,
    long together, __global const REAL *restrict x, long xo, __global const REAL *restrict dy, long yo,
    __global REAL *dw, long wo, long step, __global REAL *workspace)
{
    AXES
    const INDEX N = (INDEX)shape.s0, G = (INDEX)shape.s1, CG = (INDEX)shape.s2, OG = (INDEX)shape.s3;
    const INDEX plane = (INDEX)shape.s4, panels = (OG + NB - 1) / NB, units = N * blocks;
    const INDEX items = (INDEX)get_global_size(0), item = (INDEX)get_global_id(0);
    const INDEX shares = (INDEX)get_global_size(1), share = (INDEX)get_global_id(1), g = (INDEX)get_global_id(2);
    const INDEX c0 = CG * share / shares, channels = CG * (share + 1) / shares - c0, R = channels * K;
    const INDEX first = (INDEX)((long)units * item / items), last = (INDEX)((long)units * (item + 1) / items);
    const INDEX xtotal = N * G * CG * in_plane, ytotal = N * G * OG * out_plane, M = (INDEX)together;
    __global REAL *slice = workspace + ((g * shares + share) * items + item) * parts.s6;
    __global REAL *block = slice + parts.s0, *rows = slice + parts.s1, *zeros = slice + parts.s5;
    __global int *tap = (__global int *)(slice + parts.s3), *place = (__global int *)(slice + parts.s4);
    x += xo;
    dy += yo;
    dw += wo + item * step;
    for (int j = 0; j < NV; j++) vstore16((REALV)(0), j, zeros);
    list_channels(list_taps(&d, &h, &w, 0, 0, d.taps, tap), channels, plane, tap);
    for (INDEX begin = first; begin < last; begin += M) {
        const INDEX end = min(begin + M, last);
        INDEX depth = 0;
        for (INDEX unit = begin; unit < end; unit++) {
            const INDEX n = unit / blocks, at = (unit - begin) * channels * plane;
            const cut c = cut_of(&d, &h, &w, unit - n * blocks);
            stage_block(&d, &h, &w, &c, channels, plane, x, ((n * G + g) * CG + c0) * in_plane, xtotal, block + at);
            depth += list_places(&d, &h, &w, 0, c.nd, c.nh, c.nw, at, 0, place + depth, 0);
        }
        for (INDEX panel = 0; panel < panels; panel++) {
            const INDEX o = panel * NB, vectors = OG - o <= HALF_NV * 16 ? HALF_NV : NV;
            __global REAL *sums = slice + parts.s2 + (last - first > M ? panel * R * NB : 0), *row = rows;
            for (INDEX unit = begin; unit < end; unit++) {
                const INDEX n = unit / blocks;
                const cut c = cut_of(&d, &h, &w, unit - n * blocks);
                for (INDEX r = 0; r < c.runs; r++, row += c.run * NB)
                    for (INDEX v = 0; v < vectors * 16; v += 16)
                        transpose_in(dy, ((n * G + g) * OG + o + v) * out_plane + run_of(&c, &h, &w, r), c.run,
                                     OG - o - v, out_plane, ytotal, row + v);
            }
            multiply(OG - o, block, tap, R, place, depth, rows, begin == first ? zeros : sums, begin == first ? 0 : NB,
                     sums, 0);
            for (INDEX v = 0; v < NB && o + v < OG && end == last; v += 16)
                transpose_out(sums + v, R, min((INDEX)16, OG - o - v), CG * K, 0, (REAL)-INFINITY,
                              dw + ((g * OG + o + v) * CG + c0) * K);
        }
    }
}

__kernel void sum_slices(long n, long slices, __global const REAL *restrict part, long po, __global REAL *restrict dw,
                         long wo)
{
    part += po;
    dw += wo;
    HG_FOR(i, n)
    {
        REAL sum = 0;
        for (INDEX s = 0; s < (INDEX)slices; s++) sum += part[s * (INDEX)n + i];
        dw[i] = sum;
    }
}

/* How many of the kernel's first n places along a dimension belong to phase m. */
static inline INDEX taps_before(const axis *a, INDEX n, INDEX m)
{
    INDEX count = 0;
    for (INDEX k = 0; k < n; k++) count += k * a->reach % a->phases == m;
    return count;
}

/* An element of each of `outputs` outputs, `so` apart, to a row of a panel; zeros beyond the outputs. */
static inline void pack_element(__global const REAL *restrict from, INDEX so, INDEX outputs, __global REAL *restrict to)
{
    for (INDEX v = 0; v < NB; v += 16, from += 16 * so) {
        if (v + 16 <= outputs) {
            HG_STOREV(((REALV)(from[0], from[so], from[2 * so], from[3 * so], from[4 * so], from[5 * so], from[6 * so],
                               from[7 * so], from[8 * so], from[9 * so], from[10 * so], from[11 * so], from[12 * so],
                               from[13 * so], from[14 * so], from[15 * so])), to + v);
        } else {
            for (INDEX i = 0; i < 16; i++) to[v + i] = v + i < outputs ? from[i * so] : 0;
        }
    }
}

/* The same of `count` elements that lie side by side, to as many rows. */
static inline void pack_run(__global const REAL *restrict from, INDEX count, INDEX so, INDEX outputs,
                            __global REAL *restrict to)
{
    for (INDEX i = 0; i < count; i += 16) {
        for (INDEX o = 0; o < NB; o += 16) {
            HG_TRANSPOSE16_FROM(v, from + o * so + i, so, outputs - o, count - i);
#pragma unroll
            for (int k = 0; k < 16; k++)
                if (i + k < count) HG_STOREV(v[k], to + (i + k) * NB + o);
        }
    }
}

/* Element (output o, channel c, tap t) of the group is w[o * so + c * sc + t].
 * global: (panels of all groups, channels in sixteens) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_weight(AXES_ARGUMENTS, long8 shape, long so, long sc,
    __global const REAL *restrict x, long xo, __global REAL *restrict packed)
{
    AXES
    const INDEX CG = (INDEX)shape.s2, OG = (INDEX)shape.s3, panels = (OG + NB - 1) / NB;
    const INDEX g = (INDEX)get_global_id(0) / panels, o = ((INDEX)get_global_id(0) - g * panels) * NB;
    const INDEX c0 = (INDEX)get_global_id(1) * 16, c1 = min(CG, c0 + 16);
    x += xo + g * OG * CG * K;
    packed += (long)get_global_id(0) * CG * K * NB;
    if (phases == 1 && d.taps == 1 && sc == K) { /* taps lie in the order in which they are packed */
        pack_run(x + o * (INDEX)so + c0 * K, (c1 - c0) * K, (INDEX)so, OG - o, packed + c0 * K * NB);
        return;
    }
    for (INDEX m = 0; m < phases; m++) {
        const INDEX mw = m % w.phases, mh = m / w.phases % h.phases, md = m / (w.phases * h.phases);
        const INDEX taps = taps_before(&h, h.taps, mh) * taps_before(&w, w.taps, mw);
        for (INDEX i = 0; i < d.taps; i++) {
            if (i * d.reach % d.phases != md) continue;
            INDEX n = 0;
            for (INDEX j = 0; j < h.taps; j++) {
                for (INDEX k = 0; k < w.taps && j * h.reach % h.phases == mh; k++) {
                    if (k * w.reach % w.phases != mw) continue;
                    __global const REAL *from = x + (i * h.taps + j) * w.taps + k;
                    for (INDEX c = c0; c < c1; c++)
                        pack_element(from + o * (INDEX)so + c * (INDEX)sc, (INDEX)so, OG - o,
                                     packed + (c * taps + n) * NB);
                    n++;
                }
            }
            packed += (long)CG * taps * NB;
        }
    }
}
#endif
