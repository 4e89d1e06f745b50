/* Convolution by its definition, every rank, stride, dilation and group: forward, backward-data (a gather: each element
 * of the input's gradient sums its own taps), backward-weights. Fixed summation order, no local memory but the team's.
 *
 * CPU   fwd, bwd_data: a work-item computes one row (along W) of BLOCK channels, 16 elements at a time: BLOCK vector
 *       accumulators, one vector of the other operand, weights broadcast from memory. bwd_weights: a work-item computes
 *       TILE x TILE channel pairs of one tap, 16 output columns at a time, in TILE * TILE accumulators.
 * GPU   fwd, bwd_data: a work-item an element, neighbours along W. bwd_weights: a team an element of the weight. */
#include "conv.clh"

#ifndef NARROW
#define NARROW 0        /* 1: for one or two channels a group, where most of a block would be idle; CPU class */
#endif
#define BLOCK (NARROW ? 1 : 8)
#define TILE (NARROW ? 1 : 4)

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

#if HG_CPU
/* global: (rows OD * OH, channel blocks of all groups, N) */
__kernel void conv_direct_fwd(long8 ga, long8 gb, long8 gc, __global const REAL *restrict x, long xo,
                              __global const REAL *restrict w, long wo, __global const REAL *restrict bias, long bo,
                              __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo,
                              int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW;
    x += xo;
    w += wo;
    y += yo;
    const INDEX row = (INDEX)get_global_id(0), n = (INDEX)get_global_id(2), blocks = (OG + BLOCK - 1) / BLOCK;
    const INDEX g = (INDEX)get_global_id(1) / blocks, first = ((INDEX)get_global_id(1) - g * blocks) * BLOCK;
    const INDEX count = min((INDEX)BLOCK, OG - first), o0 = g * OG + first;
    const INDEX od = row / OH, oh = row - od * OH, total = N * C * D * H * W, ytotal = N * O * OD * OH * OW;
    INDEX wj[BLOCK];
    for (int j = 0; j < BLOCK; j++) wj[j] = (o0 + min((INDEX)j, count - 1)) * CG * K;
    for (INDEX ow = 0; ow < OW; ow += 16) {
        REALV acc[BLOCK];
        for (int j = 0; j < BLOCK; j++) acc[j] = 0;
        for (INDEX c = 0; c < CG; c++) {
            for (INDEX kd = 0; kd < KD; kd++) {
                INDEX id = od * SD - PD + kd * LD;
                if (id < 0 || id >= D) continue;
                for (INDEX kh = 0; kh < KH; kh++) {
                    INDEX ih = oh * SH - PH + kh * LH;
                    if (ih < 0 || ih >= H) continue;
                    INDEX in = (((n * C + g * CG + c) * D + id) * H + ih) * W;
                    __global const REAL *tap = w + ((c * KD + kd) * KH + kh) * KW;
                    for (INDEX kw = 0; kw < KW; kw++, tap++) {
                        REALV v = conv_row(x, in, ow * SW - PW + kw * LW, SW, W, OW - ow, total);
                        for (int j = 0; j < BLOCK; j++) acc[j] = fma((REALV)(tap[wj[j]]), v, acc[j]);
                    }
                }
            }
        }
        for (int j = 0; j < BLOCK; j++) {
            if (j >= count) break;
            INDEX out = ((n * O + o0 + j) * (OD * OH) + row) * OW + ow;
            REALV v = acc[j];
            if (epilogue & CONV_BIAS) v += (REALV)(bias[bo + o0 + j]);
            if (epilogue & CONV_RESIDUAL) v += conv_row(residual + ro, out, 0, 1, OW - ow, OW - ow, ytotal);
            if (epilogue & CONV_RELU) v = v < (REALV)(0) ? (REALV)(0) : v;
            conv_store(v, y + out, OW - ow);
        }
    }
}

/* global: (rows D * H, channel blocks of all groups, N). Columns of one remainder modulo the stride take the same taps:
 * they are computed together, their gradients lie side by side. */
__kernel void conv_direct_bwd_data(long8 ga, long8 gb, long8 gc, __global const REAL *restrict dy, long yo,
                                   __global const REAL *restrict w, long wo, __global REAL *restrict dx, long xo)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW;
    dy += yo;
    w += wo;
    dx += xo;
    const INDEX row = (INDEX)get_global_id(0), n = (INDEX)get_global_id(2), blocks = (CG + BLOCK - 1) / BLOCK;
    const INDEX g = (INDEX)get_global_id(1) / blocks, first = ((INDEX)get_global_id(1) - g * blocks) * BLOCK;
    const INDEX count = min((INDEX)BLOCK, CG - first);
    const INDEX id = row / H, ih = row - id * H, total = N * O * OD * OH * OW;
    INDEX wj[BLOCK];
    for (int j = 0; j < BLOCK; j++) wj[j] = (first + min((INDEX)j, count - 1)) * K;
    for (INDEX start = 0; start < min(SW, W); start++) {
        for (INDEX iw = start; iw < W; iw += 16 * SW) {
            REALV acc[BLOCK];
            const INDEX lanes = SW == 1 ? W - iw : 16;
            for (int j = 0; j < BLOCK; j++) acc[j] = 0;
            for (INDEX o = g * OG; o < (g + 1) * OG; o++) {
                for (INDEX kd = 0; kd < KD; kd++) {
                    INDEX od;
                    if (!conv_divides(id + PD - kd * LD, SD, &od) || od < 0 || od >= OD) continue;
                    for (INDEX kh = 0; kh < KH; kh++) {
                        INDEX oh;
                        if (!conv_divides(ih + PH - kh * LH, SH, &oh) || oh < 0 || oh >= OH) continue;
                        INDEX out = (((n * O + o) * OD + od) * OH + oh) * OW;
                        __global const REAL *tap = w + ((o * CG * KD + kd) * KH + kh) * KW;
                        for (INDEX kw = 0; kw < KW; kw++, tap++) {
                            INDEX ow;
                            if (!conv_divides(iw + PW - kw * LW, SW, &ow)) continue;
                            REALV v = conv_row(dy, out, ow, 1, OW, lanes, total);
                            for (int j = 0; j < BLOCK; j++) acc[j] = fma((REALV)(tap[wj[j]]), v, acc[j]);
                        }
                    }
                }
            }
            for (int j = 0; j < BLOCK; j++) {
                if (j >= count) break;
                INDEX in = ((n * C + g * CG + first + j) * (D * H) + row) * W + iw;
                if (SW == 1) {
                    conv_store(acc[j], dx + in, W - iw);
                } else {
                    REAL lane[16];
                    vstore16(acc[j], 0, lane);
                    for (int k = 0; k < 16; k++)
                        if (iw + k * SW < W) dx[in + k * SW] = lane[k];
                }
            }
        }
    }
}

/* global: (taps K, blocks of outputs x blocks of channels, G) */
__kernel void conv_direct_bwd_weights(long8 ga, long8 gb, long8 gc, __global const REAL *restrict x, long xo,
                                      __global const REAL *restrict dy, long yo, __global REAL *restrict dw, long wo)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW;
    x += xo;
    dy += yo;
    dw += wo;
    const INDEX tap = (INDEX)get_global_id(0), g = (INDEX)get_global_id(2), cblocks = (CG + TILE - 1) / TILE;
    const INDEX oblock = (INDEX)get_global_id(1) / cblocks, cblock = (INDEX)get_global_id(1) - oblock * cblocks;
    const INDEX o0 = g * OG + oblock * TILE, c0 = g * CG + cblock * TILE;
    const INDEX os = min((INDEX)TILE, OG - oblock * TILE), cs = min((INDEX)TILE, CG - cblock * TILE);
    const INDEX kw = tap % KW, kh = tap / KW % KH, kd = tap / (KW * KH);
    const INDEX xtotal = N * C * D * H * W, ytotal = N * O * OD * OH * OW;
    REALV acc[TILE][TILE];
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < TILE; j++) acc[i][j] = 0;
    for (INDEX n = 0; n < N; n++) {
        for (INDEX od = 0; od < OD; od++) {
            INDEX id = od * SD - PD + kd * LD;
            if (id < 0 || id >= D) continue;
            for (INDEX oh = 0; oh < OH; oh++) {
                INDEX ih = oh * SH - PH + kh * LH;
                if (ih < 0 || ih >= H) continue;
                for (INDEX ow = 0; ow < OW; ow += 16) {
                    REALV a[TILE], b[TILE];
                    for (int i = 0; i < TILE; i++) {
                        INDEX o = o0 + min((INDEX)i, os - 1), c = c0 + min((INDEX)i, cs - 1);
                        INDEX out = (((n * O + o) * OD + od) * OH + oh) * OW;
                        INDEX in = (((n * C + c) * D + id) * H + ih) * W;
                        a[i] = conv_cut(conv_row(dy, out, ow, 1, OW, OW - ow, ytotal), OW - ow);
                        b[i] = conv_cut(conv_row(x, in, ow * SW - PW + kw * LW, SW, W, OW - ow, xtotal), OW - ow);
                    }
                    for (int i = 0; i < TILE; i++)
                        for (int j = 0; j < TILE; j++) acc[i][j] = fma(a[i], b[j], acc[i][j]);
                }
            }
        }
    }
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < TILE; j++)
            if (i < os && j < cs) dw[((o0 + i) * CG + cblock * TILE + j) * K + tap] = hg_addv(acc[i][j]);
}
#else
__kernel void conv_direct_fwd(long8 ga, long8 gb, long8 gc, __global const REAL *restrict x, long xo,
                              __global const REAL *restrict w, long wo, __global const REAL *restrict bias, long bo,
                              __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo,
                              int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    x += xo;
    w += wo;
    y += yo;
    HG_FOR(i, N * O * OD * OH * OW)
    {
        INDEX row = i / OW, ow = i - row * OW, plane = row / OH, oh = row - plane * OH;
        INDEX channel = plane / OD, od = plane - channel * OD, n = channel / O, o = channel - n * O, g = o / OG;
        __global const REAL *tap = w + o * CG * KD * KH * KW;
        REAL acc = 0;
        for (INDEX c = 0; c < CG; c++)
            for (INDEX kd = 0; kd < KD; kd++) {
                INDEX id = od * SD - PD + kd * LD;
                for (INDEX kh = 0; kh < KH; kh++, tap += KW) {
                    INDEX ih = oh * SH - PH + kh * LH;
                    if (id < 0 || id >= D || ih < 0 || ih >= H) continue;
                    INDEX in = (((n * C + g * CG + c) * D + id) * H + ih) * W;
                    for (INDEX kw = 0; kw < KW; kw++) {
                        INDEX iw = ow * SW - PW + kw * LW;
                        if (iw >= 0 && iw < W) acc = fma(tap[kw], x[in + iw], acc);
                    }
                }
            }
        if (epilogue & CONV_BIAS) acc += bias[bo + o];
        if (epilogue & CONV_RESIDUAL) acc += residual[ro + i];
        if (epilogue & CONV_RELU) acc = acc < 0 ? 0 : acc;
        y[i] = acc;
    }
}

__kernel void conv_direct_bwd_data(long8 ga, long8 gb, long8 gc, __global const REAL *restrict dy, long yo,
                                   __global const REAL *restrict w, long wo, __global REAL *restrict dx, long xo)
{
    CONV_GEOMETRY(ga, gb, gc)
    dy += yo;
    w += wo;
    dx += xo;
    HG_FOR(i, N * C * D * H * W)
    {
        INDEX row = i / W, iw = i - row * W, plane = row / H, ih = row - plane * H;
        INDEX channel = plane / D, id = plane - channel * D, n = channel / C, c = channel - n * C, g = c / CG;
        REAL acc = 0;
        for (INDEX o = g * OG; o < (g + 1) * OG; o++)
            for (INDEX kd = 0; kd < KD; kd++) {
                INDEX od;
                if (!conv_divides(id + PD - kd * LD, SD, &od) || od < 0 || od >= OD) continue;
                for (INDEX kh = 0; kh < KH; kh++) {
                    INDEX oh;
                    if (!conv_divides(ih + PH - kh * LH, SH, &oh) || oh < 0 || oh >= OH) continue;
                    INDEX out = (((n * O + o) * OD + od) * OH + oh) * OW;
                    __global const REAL *tap = w + (((o * CG + c - g * CG) * KD + kd) * KH + kh) * KW;
                    for (INDEX kw = 0; kw < KW; kw++) {
                        INDEX ow;
                        if (!conv_divides(iw + PW - kw * LW, SW, &ow) || ow < 0 || ow >= OW) continue;
                        acc = fma(tap[kw], dy[out + ow], acc);
                    }
                }
            }
        dx[i] = acc;
    }
}

/* global: a team for each element of the weight */
__kernel void conv_direct_bwd_weights(long8 ga, long8 gb, long8 gc, __global const REAL *restrict x, long xo,
                                      __global const REAL *restrict dy, long yo, __global REAL *restrict dw, long wo)
{
    __local REAL scratch[HG_LANES];
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW;
    x += xo;
    dy += yo;
    const INDEX at = (INDEX)get_group_id(0), pair = at / K, tap = at - pair * K;
    const INDEX o = pair / CG, c = pair - o * CG + o / OG * CG;
    const INDEX kw = tap % KW, kh = tap / KW % KH, kd = tap / (KW * KH);
    REAL acc = 0;
    for (INDEX i = (INDEX)get_local_id(0); i < N * OD * OH * OW; i += HG_LANES) {
        INDEX row = i / OW, ow = i - row * OW, plane = row / OH, oh = row - plane * OH;
        INDEX n = plane / OD, od = plane - n * OD, out = (n * O + o) * OD * OH * OW + (od * OH + oh) * OW + ow;
        INDEX id = od * SD - PD + kd * LD, ih = oh * SH - PH + kh * LH, iw = ow * SW - PW + kw * LW;
        if (id >= 0 && id < D && ih >= 0 && ih < H && iw >= 0 && iw < W)
            acc = fma(dy[out], x[(((n * C + c) * D + id) * H + ih) * W + iw], acc);
    }
    REAL sum = hg_team_sum(acc, scratch);
    if (get_local_id(0) == 0) dw[wo + at] = sum;
}
#endif
