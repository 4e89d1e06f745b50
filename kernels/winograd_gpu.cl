/* Winograd's F(4x4, 3x3) in passes round a batch of 36 matrix products (winograd.clh), for GPUs: a work-item transforms
 * one tile of one channel, neighbours take neighbouring tiles. T tiles from tile `t0` of the whole batch on; 36 points
 * in registers, no local memory.
 *
 * gpu_weights   u[36][O][C] = G g G^T              gpu_input     v[36][C][T] = B^T d B
 * gpu_gradient  d[36][O][T] = A dy A^T             gpu_output    y = A^T m[36][O][T] A, with the epilogue
 * gpu_dw        dw = G^T s[36][O][C] G */
#include "conv.clh"
#include "winograd.clh"

#if !HG_CPU
enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* w[o][c] begins at o * so + c * sc; mirrored: taps in reverse. */
__kernel void gpu_weights(long outputs, long channels, long so, long sc, int mirrored, __global const REAL *restrict w,
                          long wo, __global REAL *restrict u)
{
    const INDEX C = (INDEX)channels, n = (INDEX)outputs * C;
    HG_FOR(i, n)
    {
        INDEX o = i / C, from = o * (INDEX)so + (i - o * C) * (INDEX)sc;
        REALV t[36];
#pragma unroll
        for (int k = 0; k < 9; k++) t[k / 3 * 6 + k % 3] = w[wo + from + (mirrored ? 8 - k : k)];
        WINOGRAD_BOTH(winograd_g, t, 3, 6);
#pragma unroll
        for (int p = 0; p < WINOGRAD_POINTS; p++) u[p * n + i] = t[p];
    }
}

/* Tile t of the whole batch: its image and the first of its rows and columns of outputs. */
#define GPU_TILE(t)                                                                                                   \
    const INDEX TX = (OW + 3) / 4, TY = (OH + 3) / 4, line = (t) / TX, n = line / TY, oh = (line - n * TY) * 4,      \
                ow = ((t) - line * TX) * 4;

__kernel void gpu_input(long8 ga, long8 gb, long8 gc, long t0, long tiles, __global const REAL *restrict x, long xo,
                        __global REAL *restrict ws, long vo)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX T = (INDEX)tiles;
    HG_FOR(i, C * T)
    {
        INDEX c = i / T, tile = (INDEX)t0 + i - c * T;
        GPU_TILE(tile)
        INDEX from = (n * C + c) * H * W;
        REALV t[36];
#pragma unroll
        for (int k = 0; k < 36; k++) {
            INDEX h = oh - PH + k / 6, w = ow - PW + k % 6;
            t[k] = h >= 0 && h < H && w >= 0 && w < W ? x[xo + from + h * W + w] : 0;
        }
        WINOGRAD_BOTH(winograd_bt, t, 6, 6);
#pragma unroll
        for (int p = 0; p < WINOGRAD_POINTS; p++) ws[(INDEX)vo + p * C * T + i] = t[p];
    }
}

__kernel void gpu_gradient(long8 ga, long8 gb, long8 gc, long t0, long tiles, __global const REAL *restrict dy, long yo,
                           __global REAL *restrict ws, long dof)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX T = (INDEX)tiles;
    HG_FOR(i, O * T)
    {
        INDEX o = i / T, tile = (INDEX)t0 + i - o * T;
        GPU_TILE(tile)
        INDEX from = ((n * O + o) * OH + oh) * OW + ow;
        REALV t[36];
#pragma unroll
        for (int k = 0; k < 16; k++)
            t[k / 4 * 6 + k % 4] = oh + k / 4 < OH && ow + k % 4 < OW ? dy[yo + from + k / 4 * OW + k % 4] : 0;
        WINOGRAD_BOTH(winograd_a, t, 4, 6);
#pragma unroll
        for (int p = 0; p < WINOGRAD_POINTS; p++) ws[(INDEX)dof + p * O * T + i] = t[p];
    }
}

/* `bias` and `residual` may be any buffer where the epilogue has none. */
__kernel void gpu_output(long8 ga, long8 gb, long8 gc, long t0, long tiles, __global const REAL *restrict ws, long mo,
                         __global const REAL *restrict bias, long bo, __global const REAL *restrict residual, long ro,
                         __global REAL *restrict y, long yo, int epilogue)
{
    CONV_GEOMETRY(ga, gb, gc)
    const INDEX T = (INDEX)tiles;
    HG_FOR(i, O * T)
    {
        INDEX o = i / T, tile = (INDEX)t0 + i - o * T;
        GPU_TILE(tile)
        INDEX to = ((n * O + o) * OH + oh) * OW + ow;
        REAL add = epilogue & CONV_BIAS ? bias[bo + o] : 0;
        REALV t[36];
#pragma unroll
        for (int p = 0; p < WINOGRAD_POINTS; p++) t[p] = ws[(INDEX)mo + p * O * T + i];
        WINOGRAD_BOTH(winograd_at, t, 6, 4);
#pragma unroll
        for (int k = 0; k < 16; k++) {
            if (oh + k / 4 >= OH || ow + k % 4 >= OW) continue;
            INDEX at = to + k / 4 * OW + k % 4;
            REAL v = t[k / 4 * 6 + k % 4];
            if (epilogue & CONV_RESIDUAL) v += residual[ro + at];
            v += add;
            y[yo + at] = epilogue & CONV_RELU && v < 0 ? 0 : v;
        }
    }
}

__kernel void gpu_dw(long pairs, __global const REAL *restrict sums, __global REAL *restrict dw, long wo)
{
    const INDEX n = (INDEX)pairs;
    HG_FOR(i, n)
    {
        REALV t[36];
#pragma unroll
        for (int p = 0; p < WINOGRAD_POINTS; p++) t[p] = sums[p * n + i];
        WINOGRAD_BOTH(winograd_gt, t, 6, 3);
#pragma unroll
        for (int k = 0; k < 9; k++) dw[wo + i * 9 + k] = t[k / 3 * 6 + k % 3];
    }
}
#endif
