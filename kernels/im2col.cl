/* A convolution's input as a matrix, and back.
 *
 *   im2col   columns[c K + tap][image, pixel] = x[image, c, pixel's place moved by tap], 0 outside
 *   col2im   dx[image, c, place] = the sum of columns[c K + tap][image, pixel] over the taps that lead from a pixel to
 *            the place, in the order of the taps: a gather, no two work-items write one element
 *   side_by_side   y[o][image, pixel] = x[image][o][pixel]: the images of a batch behind one another in each row
 *
 * Element (row, image, pixel) of the columns lies at row * ld + image * step + pixel. `first` is the first image.
 * CPU: a work-item a row of taps (im2col), an image's row (col2im), a plane (side_by_side); 16 elements at a time.
 * GPU: a work-item an element, neighbours along W. */
#include "conv.clh"

#if HG_CPU
/* global: (KD * KH, C, images) */
__kernel void im2col(long8 ga, long8 gb, long8 gc, long first, long images, __global const REAL *restrict x, long xo,
                     __global REAL *restrict y, long yo, long ld, long step)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX taps = (INDEX)get_global_id(0), c = (INDEX)get_global_id(1), image = (INDEX)get_global_id(2);
    const INDEX kd = taps / KH, kh = taps - kd * KH, total = N * C * D * H * W;
    const INDEX plane = (((INDEX)first + image) * C + c) * D * H * W;
    x += xo;
    y += yo;
    for (INDEX kw = 0; kw < KW; kw++) {
        INDEX out = ((c * KD * KH + taps) * KW + kw) * (INDEX)ld + image * (INDEX)step, end = out + OD * OH * OW;
        for (INDEX od = 0; od < OD; od++) {
            INDEX id = od * SD - PD + kd * LD;
            for (INDEX oh = 0; oh < OH; oh++, out += OW) {
                INDEX ih = oh * SH - PH + kh * LH;
                bool inside = id >= 0 && id < D && ih >= 0 && ih < H;
                for (INDEX ow = 0, i = kw * LW - PW; ow < OW; ow += 16, i += 16 * SW) {
                    REALV v = 0;
                    if (inside) v = conv_row(x, plane + (id * H + ih) * W, i, SW, W, OW - ow, total);
                    /* What is written too far into the next row is written over by it. */
                    conv_store(v, y + out + ow, out + ow + 16 <= end ? 16 : OW - ow);
                }
            }
        }
    }
}

/* global: (D * H, C, images). As conv_direct_bwd_data: columns of one remainder modulo the stride together. */
__kernel void col2im(long8 ga, long8 gb, long8 gc, long first, long images, __global const REAL *restrict y, long yo,
                     long ld, long step, __global REAL *restrict dx, long xo)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX row = (INDEX)get_global_id(0), c = (INDEX)get_global_id(1), image = (INDEX)get_global_id(2);
    const INDEX id = row / H, ih = row - id * H;
    const INDEX total = (C * KD * KH * KW - 1) * (INDEX)ld + ((INDEX)images - 1) * (INDEX)step + OD * OH * OW;
    y += yo;
    dx += xo;
    for (INDEX start = 0; start < min(SW, W); start++) {
        for (INDEX iw = start; iw < W; iw += 16 * SW) {
            REALV acc = 0;
            const INDEX lanes = SW == 1 ? W - iw : 16;
            for (INDEX kd = 0; kd < KD; kd++) {
                INDEX od;
                if (!conv_divides(id + PD - kd * LD, SD, &od) || od < 0 || od >= OD) continue;
                for (INDEX kh = 0; kh < KH; kh++) {
                    INDEX oh;
                    if (!conv_divides(ih + PH - kh * LH, SH, &oh) || oh < 0 || oh >= OH) continue;
                    INDEX at = ((c * KD + kd) * KH + kh) * KW * (INDEX)ld + image * (INDEX)step + (od * OH + oh) * OW;
                    for (INDEX kw = 0; kw < KW; kw++, at += (INDEX)ld) {
                        INDEX ow;
                        if (conv_divides(iw + PW - kw * LW, SW, &ow)) acc += conv_row(y, at, ow, 1, OW, lanes, total);
                    }
                }
            }
            INDEX in = ((((INDEX)first + image) * C + c) * (D * H) + row) * W + iw;
            if (SW == 1) {
                conv_store(acc, dx + in, W - iw);
            } else {
                REAL lane[16];
                vstore16(acc, 0, lane);
                for (int k = 0; k < 16; k++)
                    if (iw + k * SW < W) dx[in + k * SW] = lane[k];
            }
        }
    }
}

/* global: (rows, images, 1) */
__kernel void side_by_side(long rows, long images, long area, __global const REAL *restrict x, long xo,
                           __global REAL *restrict y, long yo)
{
    const INDEX row = (INDEX)get_global_id(0), image = (INDEX)get_global_id(1);
    x += xo + (image * (INDEX)rows + row) * (INDEX)area;
    y += yo + (row * (INDEX)images + image) * (INDEX)area;
    INDEX i = 0;
    for (; i + 16 <= (INDEX)area; i += 16) vstore16(vload16(0, x + i), 0, y + i);
    for (; i < (INDEX)area; i++) y[i] = x[i];
}
#else
__kernel void im2col(long8 ga, long8 gb, long8 gc, long first, long images, __global const REAL *restrict x, long xo,
                     __global REAL *restrict y, long yo, long ld, long step)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX area = OD * OH * OW, K = KD * KH * KW;
    x += xo;
    y += yo;
    HG_FOR(i, C * K * (INDEX)images * area)
    {
        INDEX line = i / area, pixel = i - line * area, r = line / (INDEX)images, image = line - r * (INDEX)images;
        INDEX c = r / K, tap = r - c * K, kw = tap % KW, kh = tap / KW % KH, kd = tap / (KW * KH);
        INDEX ow = pixel % OW, oh = pixel / OW % OH, od = pixel / (OW * OH);
        INDEX id = od * SD - PD + kd * LD, ih = oh * SH - PH + kh * LH, iw = ow * SW - PW + kw * LW;
        bool inside = id >= 0 && id < D && ih >= 0 && ih < H && iw >= 0 && iw < W;
        y[r * (INDEX)ld + image * (INDEX)step + pixel] =
            inside ? x[(((((INDEX)first + image) * C + c) * D + id) * H + ih) * W + iw] : 0;
    }
}

__kernel void col2im(long8 ga, long8 gb, long8 gc, long first, long images, __global const REAL *restrict y, long yo,
                     long ld, long step, __global REAL *restrict dx, long xo)
{
    CONV_GEOMETRY(ga, gb, gc)
    y += yo;
    dx += xo + first * C * D * H * W;
    HG_FOR(i, (INDEX)images * C * D * H * W)
    {
        INDEX row = i / W, iw = i - row * W, plane = row / H, ih = row - plane * H;
        INDEX channel = plane / D, id = plane - channel * D, image = channel / C, c = channel - image * C;
        REAL acc = 0;
        for (INDEX kd = 0; kd < KD; kd++) {
            INDEX od;
            if (!conv_divides(id + PD - kd * LD, SD, &od) || od < 0 || od >= OD) continue;
            for (INDEX kh = 0; kh < KH; kh++) {
                INDEX oh;
                if (!conv_divides(ih + PH - kh * LH, SH, &oh) || oh < 0 || oh >= OH) continue;
                for (INDEX kw = 0; kw < KW; kw++) {
                    INDEX ow;
                    if (!conv_divides(iw + PW - kw * LW, SW, &ow) || ow < 0 || ow >= OW) continue;
                    INDEX r = ((c * KD + kd) * KH + kh) * KW + kw;
                    acc += y[r * (INDEX)ld + image * (INDEX)step + (od * OH + oh) * OW + ow];
                }
            }
        }
        dx[i] = acc;
    }
}

__kernel void side_by_side(long rows, long images, long area, __global const REAL *restrict x, long xo,
                           __global REAL *restrict y, long yo)
{
    x += xo;
    y += yo;
    HG_FOR(i, (INDEX)rows * (INDEX)images * (INDEX)area)
    {
        INDEX line = i / (INDEX)area, at = i - line * (INDEX)area;
        INDEX row = line / (INDEX)images, image = line - row * (INDEX)images;
        y[i] = x[(image * (INDEX)rows + row) * (INDEX)area + at];
    }
}
#endif
