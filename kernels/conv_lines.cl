/* Convolution with pixels in vectors and weights broadcast, for few outputs or short sums: there implicit_gemm.cl,
 * whose vectors are outputs, leaves lanes unused or spends its time in transposes. CPU class.
 *
 * A block is rows of the output. What it reads of each channel is staged once, with its padding as zeros and split by
 * the remainders of row and column by the stride, so that one pixel after the other of an output row takes its elements
 * one after the other:
 *
 *     stage[channel][place in depth][row remainder][column remainder][row][pitch]
 *
 * Output f = row * pitch + column of the block takes the element of tap k (a channel and a place in the kernel) at
 * f + tap[k], so that all rows are one line. Columns from OW on are computed and left out.
 *
 *     line[output][f] = start[output] + sum_k w[k][output] stage[f + tap[k]]
 *
 * The register tile is MO outputs x up to NP vectors of pixels. Backward-data of stride 1 is the forward convolution of
 * the output's gradient by the mirrored weight.
 *
 * conv_lines     a work-item takes some blocks, one after the other, and a share of the panels of MO outputs. Its slice
 *                of workspace: stage, lines of one panel, taps, MO starts of sums.
 * lines_weight   packed[group][panel][channel][tap][MO], zero beyond the outputs. */
#include "conv.clh"
#include "stage.clh"
#include "transpose.clh"

#if HG_CPU
#ifndef MO
#define MO 6 /* 4 or 6 */
#endif
#define NP (24 / MO)
#define PART __attribute__((noinline)) static

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* How a block is staged: remainders by the stride, rows, elements of a row and of a channel. */
typedef struct staged {
    INDEX down, across, rows, pitch, channel;
} staged;

#define STAGED(R)                                                                                                     \
    staged s = {KH == 1 ? 1 : SH, KW == 1 ? 1 : SW, (R) + (KH - 1) * LH / SH, OW + (KW - 1) * LW / SW, 0};            \
    s.channel = KD * s.down * s.across * s.rows * s.pitch;

/* The block of image n and group g whose first output row is `oh`, at depth `od`. */
PART void stage_lines(long8 ga, long8 gb, long8 gc, INDEX n, INDEX g, INDEX od, INDEX oh, INDEX R,
                      __global const REAL *restrict x, __global REAL *restrict to)
{
    CONV_GEOMETRY(ga, gb, gc)
    STAGED(R)
    const INDEX plane = D * H * W, total = N * C * plane;
    for (INDEX c = 0; c < CG; c++) {
        for (INDEX kd = 0; kd < KD; kd++) {
            const INDEX z = od * SD + kd * LD - PD, at = ((n * C + g * CG + c) * D + z) * H * W;
            for (INDEX i = 0; i < s.down * s.across; i++) {
                const INDEX ph = i / s.across, start = i - ph * s.across - PW;
                const INDEX left = min(ceil_steps(-start, SW), s.pitch);
                const INDEX end = max(left, min(ceil_steps(W - start, SW), s.pitch));
                for (INDEX r = 0; r < s.rows; r++, to += s.pitch) {
                    const INDEX y = (oh + r) * SH + ph - PH;
                    if (z < 0 || z >= D || y < 0 || y >= H) {
                        zero_row(to, 0, s.pitch);
                        continue;
                    }
                    zero_row(to, 0, left);
                    if (end > left)
                        stage_row(x, at + y * W + start + left * SW, SW, end - left, total, plane, to + left);
                    zero_row(to, end, s.pitch);
                }
            }
        }
    }
}

/* line[o][16 v ...] for MO outputs and so many vectors of pixels. */
static inline __attribute__((always_inline)) void multiply_tile(const int vectors, __global const REAL *restrict x,
    __global const int *restrict tap, INDEX depth, __global const REAL *restrict w, __global const REAL *restrict start,
    __global REAL *restrict line, INDEX apart)
{
    REALV acc[MO][NP];
#pragma unroll
    for (int o = 0; o < MO; o++)
#pragma unroll
        for (int v = 0; v < NP; v++)
            if (v < vectors) acc[o][v] = start[o];
    for (INDEX k = 0; k < depth; k++, w += MO) {
        const long at = tap[k];
        REALV p[NP];
#pragma unroll
        for (int v = 0; v < NP; v++)
            if (v < vectors) p[v] = vload16(v, x + at);
#pragma unroll
        for (int o = 0; o < MO; o++)
#pragma unroll
            for (int v = 0; v < NP; v++)
                if (v < vectors) acc[o][v] = fma((REALV)(w[o]), p[v], acc[o][v]);
    }
#pragma unroll
    for (int o = 0; o < MO; o++)
#pragma unroll
        for (int v = 0; v < NP; v++)
            if (v < vectors) HG_STOREV(acc[o][v], line + o * apart + v * 16);
}

#define MULTIPLY_(name, vectors)                                                                                      \
    PART void name(__global const REAL *restrict x, __global const int *restrict tap, INDEX depth,                   \
                   __global const REAL *restrict w, __global const REAL *restrict start,                              \
                   __global REAL *restrict line, INDEX apart)                                                         \
    {                                                                                                                 \
        multiply_tile(vectors, x, tap, depth, w, start, line, apart);                                                 \
    }
MULTIPLY_(multiply_whole, NP)
MULTIPLY_(multiply_half, NP / 2)
MULTIPLY_(multiply_one, 1)

/* Rows of one panel to y: outputs `plane` apart, plus the residual if there is one, at least `least`. */
PART void store_lines(__global const REAL *restrict line, INDEX apart, INDEX pitch, INDEX outputs, INDEX rows,
                      INDEX width, INDEX plane, __global const REAL *restrict residual, REAL least,
                      __global REAL *restrict y)
{
    for (INDEX o = 0; o < outputs; o++, line += apart, y += plane, residual += residual ? plane : 0) {
        for (INDEX r = 0; r < rows; r++) {
            __global const REAL *from = line + r * pitch, *add = residual ? residual + r * width : 0;
            __global REAL *to = y + r * width;
            for (INDEX done = 0; done < width; done += 16) {
                const INDEX q = width >= 16 ? min(done, width - 16) : 0;
                REALV v = vload16(0, from + q);
                if (add) v += hg_load_some(add + q, (int)(width - q));
                conv_store(v < (REALV)(least) ? (REALV)(least) : v, to + q, width - q);
            }
        }
    }
}

/* Parts of a slice, in elements, come in `parts`: stage, lines, taps, starts, size; then R, rows of a block; elements
 * from one output's line to the next. global: (slices of the N * G * blocks, shares of the panels) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void conv_lines(long8 ga, long8 gb, long8 gc, long8 parts,
    __global const REAL *restrict x, long xo, __global const REAL *restrict packed, __global const REAL *restrict bias,
    long bo, __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo,
    __global REAL *restrict workspace, int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX R = (INDEX)parts.s5, apart = (INDEX)parts.s6, K = KD * KH * KW, depth = CG * K, area = OH * OW;
    STAGED(R)
    const INDEX panels = (OG + MO - 1) / MO, strips = (OH + R - 1) / R, units = N * G * OD * strips;
    const INDEX items = (INDEX)get_global_size(0), item = (INDEX)get_global_id(0);
    const INDEX shares = (INDEX)get_global_size(1), share = (INDEX)get_global_id(1);
    const REAL least = epilogue & CONV_RELU ? (REAL)0 : (REAL)-INFINITY;
    __global REAL *slice = workspace + (share * items + item) * parts.s4;
    __global REAL *stage = slice + parts.s0, *line = slice + parts.s1, *start = slice + parts.s3;
    __global int *tap = (__global int *)(slice + parts.s2);
    x += xo;
    y += yo;
    for (INDEX k = 0; k < depth; k++) {
        const INDEX c = k / K, t = k - c * K, kw = t % KW * LW, kh = t / KW % KH * LH, kd = t / (KW * KH);
        const INDEX row = kh / SH, column = kw / SW, ph = kh - row * SH, pw = kw - column * SW;
        tap[k] = (int)(c * s.channel + (((kd * s.down + ph) * s.across + pw) * s.rows + row) * s.pitch + column);
    }
    const INDEX last = (INDEX)((long)units * (item + 1) / items);
    for (INDEX unit = (INDEX)((long)units * item / items); unit < last; unit++) {
        const INDEX strip = unit % strips, od = unit / strips % OD, image = unit / (strips * OD), n = image / G;
        const INDEX g = image - n * G, oh = strip * R, rows = min(R, OH - oh);
        const INDEX vectors = ((rows - 1) * s.pitch + OW + 15) / 16;
        stage_lines(ga, gb, gc, n, g, od, oh, R, x, stage);
        for (INDEX panel = panels * share / shares; panel < panels * (share + 1) / shares; panel++) {
            const INDEX o = panel * MO, outputs = min((INDEX)MO, OG - o);
            __global const REAL *w = packed + (long)(g * panels + panel) * depth * MO;
            for (INDEX i = 0; i < MO; i++)
                start[i] = epilogue & CONV_BIAS && i < outputs ? bias[bo + g * OG + o + i] : 0;
            for (INDEX v = 0; v < vectors;) {
                __global const REAL *from = stage + v * 16;
                __global REAL *to = line + v * 16;
                if (vectors - v >= NP) {
                    multiply_whole(from, tap, depth, w, start, to, apart);
                    v += NP;
                } else if (vectors - v >= NP / 2) {
                    multiply_half(from, tap, depth, w, start, to, apart);
                    v += NP / 2;
                } else {
                    multiply_one(from, tap, depth, w, start, to, apart);
                    v++;
                }
            }
            const INDEX at = ((n * O + g * OG + o) * OD + od) * area + oh * OW;
            store_lines(line, apart, s.pitch, outputs, rows, OW, OD * area,
                        epilogue & CONV_RESIDUAL ? residual + ro + at : 0, least, y + at);
        }
    }
}

/* Element (output o, channel c, tap t) of the group is w[o * so + c * sc + t], taps in reverse if mirrored.
 * global: (panels of all groups, channels of a group) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void lines_weight(long outputs, long taps, long so, long sc,
    int mirrored, __global const REAL *restrict x, long xo, __global REAL *restrict packed)
{
    const INDEX OG = (INDEX)outputs, K = (INDEX)taps, panels = (OG + MO - 1) / MO, CG = (INDEX)get_global_size(1);
    const INDEX g = (INDEX)get_global_id(0) / panels, o = ((INDEX)get_global_id(0) - g * panels) * MO;
    const INDEX c = (INDEX)get_global_id(1);
    x += xo + g * OG * CG * K + c * (INDEX)sc;
    packed += ((long)get_global_id(0) * CG + c) * K * MO;
    for (INDEX t = 0; t < K; t++)
        for (INDEX i = 0; i < MO; i++)
            packed[t * MO + i] = o + i < OG ? x[(o + i) * (INDEX)so + (mirrored ? K - 1 - t : t)] : 0;
}
#endif
