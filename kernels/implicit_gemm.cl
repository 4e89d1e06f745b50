/* Convolution as a matrix product whose second operand, the columns of im2col.cl, never lies in memory: a work-item
 * gathers a panel of it, NB columns wide and DEPTH deep, into its own memory (32 KB: L1) and multiplies it at once. CPU
 * class.
 *
 * conv_rows      forward, and backward-data of stride 1 (forward of the gradient by the mirrored weight):
 *                y[o][pixel] = sum_r a[o][r] column[r][pixel], r = c K + tap. A work-item: NB pixels of one image, all
 *                outputs of a group. a is packed [tile of MR outputs][r][MR] (gemm_pack.cl).
 * conv_taps      backward-weights: dw[o][r] = sum_pixel a[o][pixel] column[r][pixel]. A work-item: NB rows r of a slice
 *                of the images, all outputs of a group, summed into `part`; a, the gradient, is packed
 *                [image][tile][pixel][MR].
 * sum_slices     adds the slices of `part`, in order, into the weight's gradient.
 * mirror         the weight of the mirrored convolution: m[c][o][tap] = w[o][c][K - 1 - tap] in each group.
 *
 * The register tile is MR outputs x NV vectors of 16; every sum runs in the order of r or of the pixels. */
#include "conv.clh"
#include "transpose.clh"

#if HG_CPU
#define MR 8
#define NV (HG_F64 ? 1 : 2)
#define NB (NV * 16)
#define DEPTH 256

enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* acc = a (depth x MR) times piece (depth x NB), a tile of registers left in out[MR * NV]. */
static inline void multiply(__global const REAL *restrict a, const REALV *piece, INDEX depth, REALV *out)
{
    REALV acc[MR][NV];
#pragma unroll
    for (int m = 0; m < MR; m++)
#pragma unroll
        for (int v = 0; v < NV; v++) acc[m][v] = 0;
    for (INDEX k = 0; k < depth; k++) {
#pragma unroll
        for (int m = 0; m < MR; m++)
#pragma unroll
            for (int v = 0; v < NV; v++) acc[m][v] = fma((REALV)(a[k * MR + m]), piece[k * NV + v], acc[m][v]);
    }
#pragma unroll
    for (int m = 0; m < MR; m++)
#pragma unroll
        for (int v = 0; v < NV; v++) out[m * NV + v] = acc[m][v];
}

/* piece[r - k0][pixel - q0] for rows k0 .. k0 + depth - 1; x from the group's first plane, `base`, on. Pixels go in
 * runs of one output row; what a run writes too far is written over by the next. */
static inline void gather_rows(long8 ga, long8 gb, long8 gc, __global const REAL *restrict x, INDEX base, INDEX k0,
                               INDEX depth, INDEX q0, INDEX columns, REAL *piece)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX total = N * C * D * H * W;
    for (INDEX r = 0; r < depth && columns < NB; r++)
        for (int v = 0; v < NV; v++) vstore16((REALV)(0), v, piece + r * NB);
    for (INDEX q = 0, run; q < columns; q += run) {
        INDEX row = (q0 + q) / OW, ow = q0 + q - row * OW, od = row / OH, oh = row - od * OH;
        INDEX kw = k0 % KW, kh = k0 / KW % KH, kd = k0 / (KW * KH) % KD, c = k0 / (KW * KH * KD);
        __private REAL *to = piece + q;
        run = min(min(OW - ow, columns - q), (INDEX)16);
        for (INDEX r = 0; r < depth; kw = 0) {
            INDEX id = od * SD - PD + kd * LD, ih = oh * SH - PH + kh * LH, i = ow * SW - PW + kw * LW;
            INDEX in = base + ((c * D + id) * H + ih) * W;
            bool inside = id >= 0 && id < D && ih >= 0 && ih < H;
            /* A run whose every tap lies inside the image is copied without a look at each. */
            INDEX count = min(KW - kw, depth - r), most = i + (count - 1) * LW;
            r += count;
            if (inside && SW == 1 && q + 16 <= NB && i >= 0 && most + run <= W && in + most + 16 <= total) {
                for (; count > 0; count--, i += LW, to += NB) vstore16(vload16(0, x + in + i), 0, to);
            } else {
                for (; count > 0; count--, i += LW, to += NB) {
                    REALV v = 0;
                    if (inside) v = conv_row(x, in, i, SW, W, run, total);
                    if (q + 16 <= NB) vstore16(v, 0, to);
                    else conv_keep(v, to, run);
                }
            }
            if (++kh == KH) {
                kh = 0;
                if (++kd == KD) {
                    kd = 0;
                    c++;
                }
            }
        }
    }
}

/* global: (panels of an image, G, N). `residual` may be any buffer where the epilogue has none. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void conv_rows(long8 ga, long8 gb, long8 gc,
    __global const REAL *restrict x, long xo, __global const REAL *restrict a, __global const REAL *restrict bias,
    long bo, __global const REAL *restrict residual, long ro, __global REAL *restrict y, long yo, int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX R = CG * KD * KH * KW, area = OD * OH * OW, tiles = (OG + MR - 1) / MR;
    const INDEX q0 = (INDEX)get_global_id(0) * NB, g = (INDEX)get_global_id(1), n = (INDEX)get_global_id(2);
    const INDEX columns = min((INDEX)NB, area - q0), out = (n * O + g * OG) * area + q0;
    REALV piece[DEPTH * NV], tile[MR * NV];
    a += g * tiles * R * MR;
    for (INDEX k0 = 0; k0 < R; k0 += DEPTH) {
        INDEX depth = min((INDEX)DEPTH, R - k0);
        int finish = k0 + depth == R ? epilogue : 0;
        gather_rows(ga, gb, gc, x + xo, (n * C + g * CG) * D * H * W, k0, depth, q0, columns, (REAL *)piece);
        for (INDEX i = 0; i < tiles; i++) {
            multiply(a + (i * R + k0) * MR, piece, depth, tile);
            for (INDEX t = 0; t < min((INDEX)MR, OG - i * MR) * NV; t++) {
                INDEX o = i * MR + t / NV, column = t % NV * 16, count = min(columns - column, (INDEX)16);
                if (count <= 0) continue;
                INDEX at = out + o * area + column;
                REALV v = tile[t], old = 0;
                REAL lane[16];
                if (k0 > 0 || finish & CONV_RESIDUAL) {
                    for (int k = 0; k < 16; k++) {
                        lane[k] = 0;
                        if (k0 > 0 && k < count) lane[k] = y[yo + at + k];
                        if (finish & CONV_RESIDUAL && k < count) lane[k] += residual[ro + at + k];
                    }
                    old = vload16(0, lane);
                }
                v += old;
                if (finish & CONV_BIAS) v += (REALV)(bias[bo + g * OG + o]);
                if (finish & CONV_RELU) v = v < (REALV)(0) ? (REALV)(0) : v;
                conv_store(v, y + yo + at, count);
            }
        }
    }
}

/* The places of NB rows r, relative to an output pixel's own. */
typedef struct taps {
    INDEX plane[NB], d[NB], h[NB], w[NB];
} taps;

/* piece[pixel - q0][r - r0] for `depth` pixels of image n: 16 rows by a run of pixels, transposed. */
static inline void gather_taps(long8 ga, long8 gb, long8 gc, __global const REAL *restrict x, const taps *taps,
                               INDEX rows, INDEX base, INDEX q0, INDEX depth, REALV *piece)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX total = N * C * D * H * W;
    for (INDEX q = 0, run; q < depth; q += run) {
        INDEX row = (q0 + q) / OW, ow = q0 + q - row * OW, od = row / OH, oh = row - od * OH;
        run = min(min(OW - ow, depth - q), (INDEX)16);
        for (int half_ = 0; half_ < NV; half_++) {
            REALV lines[16], v[16];
            for (int t = 0; t < 16; t++) {
                int r = half_ * 16 + t;
                lines[t] = 0;
                if (r >= rows) continue;
                INDEX id = od * SD + taps->d[r], ih = oh * SH + taps->h[r];
                if (id < 0 || id >= D || ih < 0 || ih >= H) continue;
                INDEX in = base + taps->plane[r] + (id * H + ih) * W;
                lines[t] = conv_row(x, in, ow * SW + taps->w[r], SW, W, run, total);
            }
#pragma unroll
            for (int t = 0; t < 16; t++) v[t] = lines[t];
            HG_TRANSPOSE16(v);
#pragma unroll
            for (int t = 0; t < 16; t++)
                if (t < run) piece[(q + t) * NV + half_] = v[t];
        }
    }
}

/* global: (panels of rows, G, slices). part[slice][g][panel][tile][MR][NB] */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void conv_taps(long8 ga, long8 gb, long8 gc, long images,
    __global const REAL *restrict x, long xo, __global const REAL *restrict a, __global REAL *restrict parts, long po)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX K = KD * KH * KW, R = CG * K, area = OD * OH * OW, tiles = (OG + MR - 1) / MR;
    const INDEX panel = (INDEX)get_global_id(0), g = (INDEX)get_global_id(1), slice = (INDEX)get_global_id(2);
    const INDEX rows = min((INDEX)NB, R - panel * NB);
    const INDEX first = slice * (INDEX)images, last = min(N, first + (INDEX)images);
    REALV piece[DEPTH * NV], tile[MR * NV];
    taps places;
    for (INDEX t = 0; t < rows; t++) {
        INDEX r = panel * NB + t, c = r / K;
        places.plane[t] = c * D * H * W;
        places.d[t] = r / (KW * KH) % KD * LD - PD;
        places.h[t] = r / KW % KH * LH - PH;
        places.w[t] = r % KW * LW - PW;
    }
    __global REALV *restrict part = (__global REALV *)(parts + po);     /* a multiple of 16 */
    part += ((slice * G + g) * (INDEX)get_global_size(0) + panel) * tiles * (MR * NV);
    for (INDEX t = 0; t < tiles * MR * NV; t++) part[t] = 0;
    for (INDEX n = first; n < last; n++) {
        for (INDEX q0 = 0; q0 < area; q0 += DEPTH) {
            INDEX depth = min((INDEX)DEPTH, area - q0);
            gather_taps(ga, gb, gc, x + xo, &places, rows, (n * C + g * CG) * D * H * W, q0, depth, piece);
            for (INDEX i = 0; i < tiles; i++) {
                multiply(a + (((n * G + g) * tiles + i) * area + q0) * MR, piece, depth, tile);
                for (int t = 0; t < MR * NV; t++) part[i * (MR * NV) + t] += tile[t];
            }
        }
    }
}

/* A work-item a row of the weight's gradient; global: (O / G, G). */
__kernel void sum_slices(long outputs, long rows, long groups, long slices, __global const REAL *restrict part, long po,
                         __global REAL *restrict dw, long wo)
{
    const INDEX OG = (INDEX)outputs, R = (INDEX)rows, o = (INDEX)get_global_id(0), g = (INDEX)get_global_id(1);
    const INDEX tiles = (OG + MR - 1) / MR, panels = (R + NB - 1) / NB;
    part += po;
    dw += wo + (g * OG + o) * R;
    for (INDEX panel = 0; panel < panels; panel++) {
        for (INDEX t = 0; t < min((INDEX)NB, R - panel * NB); t++) {
            REAL sum = 0;
            for (INDEX s = 0; s < (INDEX)slices; s++)
                sum += part[(((s * (INDEX)groups + g) * panels + panel) * tiles * MR + o) * NB + t];
            dw[panel * NB + t] = sum;
        }
    }
}

__kernel void mirror(long groups, long outputs, long channels, long area, __global const REAL *restrict w, long wo,
                     __global REAL *restrict m, long mo)
{
    const INDEX OG = (INDEX)outputs, CG = (INDEX)channels, K = (INDEX)area;
    w += wo;
    m += mo;
    HG_FOR(i, (INDEX)groups * CG * OG)
    {
        INDEX line = i / OG, o = i - line * OG, g = line / CG, c = line - g * CG;
        for (INDEX t = 0; t < K; t++) m[i * K + t] = w[((g * OG + o) * CG + c) * K + K - 1 - t];
    }
}
#endif
