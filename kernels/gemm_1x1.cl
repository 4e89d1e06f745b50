/* Gradient of the input of a convolution by kernels of 1, from the gradients of the pixels that count: dx[image, c,
 * place] = y[c][image, pixel] where the pixel's place is meant, 0 elsewhere. As col2im of im2col.cl, without its sum.
 *
 * Element (c, image, pixel) of y lies at c * ld + image * step + pixel. `first` is the first image. CPU: a work-item a
 * row of an image. GPU: a work-item an element, neighbours along W. */
#include "conv.clh"

/* The output's row or column at place i of the input; -1 if there is none. */
static inline INDEX pixel_at(INDEX i, INDEX padding, INDEX stride, INDEX n)
{
    INDEX o;
    return conv_divides(i + padding, stride, &o) && o < n ? o : -1;
}

#if HG_CPU
/* global: (D * H, C, images) */
__kernel void spread(long8 ga, long8 gb, long8 gc, long first, long images, __global const REAL *restrict y, long yo,
                     long ld, long step, __global REAL *restrict dx, long xo)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX row = (INDEX)get_global_id(0), c = (INDEX)get_global_id(1), image = (INDEX)get_global_id(2);
    const INDEX id = row / H, ih = row - id * H, od = pixel_at(id, PD, SD, OD), oh = pixel_at(ih, PH, SH, OH);
    dx += xo + ((((INDEX)first + image) * C + c) * (D * H) + row) * W;
    y += yo + c * (INDEX)ld + image * (INDEX)step + (od * OH + oh) * OW;
    INDEX iw = 0;
    if (od >= 0 && oh >= 0 && SW == 1 && PW == 0) { /* padding at the end: OW > W */
        const INDEX n = min(OW, W);
        for (; iw < n; iw += 16) conv_store(conv_row(y, 0, iw, 1, OW, n - iw, OW), dx + iw, n - iw);
        iw = n;
    } else if (od >= 0 && oh >= 0 && SW == 2 && PW == 0) {
        for (; iw + 32 <= W && iw / 2 + 16 <= OW; iw += 32) {
            REALV v = vload16(0, y + iw / 2), a = 0, b = 0;
            a.even = v.lo;
            b.even = v.hi;
            vstore16(a, 0, dx + iw);
            vstore16(b, 1, dx + iw);
        }
    }
    const INDEX rest = iw;
    for (; iw < W; iw += 16) conv_store((REALV)(0), dx + iw, W - iw);
    if (od < 0 || oh < 0) return;
    for (INDEX ow = (rest + PW + SW - 1) / SW; ow < OW && ow * SW - PW < W; ow++) dx[ow * SW - PW] = y[ow];
}
#else
__kernel void spread(long8 ga, long8 gb, long8 gc, long first, long images, __global const REAL *restrict y, long yo,
                     long ld, long step, __global REAL *restrict dx, long xo)
{
    CONV_GEOMETRY(ga, gb, gc)
    y += yo;
    dx += xo + first * C * D * H * W;
    HG_FOR(i, (INDEX)images * C * D * H * W)
    {
        /* One dimension after the other, so that few numbers are in registers at once. */
        INDEX row = i / W, ow = pixel_at(i - row * W, PW, SW, OW), plane = row / H, at = ow;
        bool kept = ow >= 0;
        INDEX oh = pixel_at(row - plane * H, PH, SH, OH), channel = plane / D;
        at += oh * OW;
        kept = kept && oh >= 0;
        INDEX od = pixel_at(plane - channel * D, PD, SD, OD), image = channel / C;
        at += od * OH * OW + (channel - image * C) * (INDEX)ld + image * (INDEX)step;
        kept = kept && od >= 0;
        dx[i] = kept ? y[at] : 0;
    }
}
#endif
