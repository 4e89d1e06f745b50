/* Winograd's convolutions in passes round a batch of POINTS matrix products (winograd.clh), for GPUs: a work-item
 * transforms one tile of one channel, neighbours take neighbouring tiles. T tiles from tile `t0` of the whole batch on;
 * up to 36 points in registers, no local memory. Points first:
 *
 * gpu_weights   u[][O][C] = G g G^T                gpu_input     v[][C][T] = B^T d B
 * gpu_gradient  d[][O][T] = A dy A^T               gpu_output    y = A^T m[][O][T] A, with the epilogue
 * gpu_dw        dw = G^T s[][O][C] G */
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
        REALV t[POINTS];
#pragma unroll
        for (int k = 0; k < TAPS; k++) t[k / 3 * PATCH_W + k % 3] = w[wo + from + (mirrored ? TAPS - 1 - k : k)];
        WINOGRAD_BOTH(winograd_g, t, 3, PATCH_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) u[p * n + i] = t[p];
    }
}

/* Tile t of the whole batch: its image and the first of its rows and columns of outputs. */
#define GPU_TILE(t)                                                                                                   \
    const INDEX TX = (OW + TILE_W - 1) / TILE_W, TY = (OH + TILE_H - 1) / TILE_H, line = (t) / TX, n = line / TY,     \
                oh = (line - n * TY) * TILE_H, ow = ((t) - line * TX) * TILE_W;

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
        REALV t[POINTS];
#pragma unroll
        for (int k = 0; k < POINTS; k++) {
            INDEX h = oh - PH + k / PATCH_W, w = ow - PW + k % PATCH_W;
            t[k] = h >= 0 && h < H && w >= 0 && w < W ? x[xo + from + h * W + w] : 0;
        }
        WINOGRAD_BOTH(winograd_bt, t, PATCH_W, PATCH_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) ws[(INDEX)vo + p * C * T + i] = t[p];
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
        REALV t[POINTS];
#pragma unroll
        for (int k = 0; k < TILE_H * TILE_W; k++) {
            INDEX a = k / TILE_W, b = k % TILE_W;
            t[a * PATCH_W + b] = oh + a < OH && ow + b < OW ? dy[yo + from + a * OW + b] : 0;
        }
        WINOGRAD_BOTH(winograd_a, t, TILE_W, PATCH_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) ws[(INDEX)dof + p * O * T + i] = t[p];
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
        REALV t[POINTS];
#pragma unroll
        for (int p = 0; p < POINTS; p++) t[p] = ws[(INDEX)mo + p * O * T + i];
        WINOGRAD_BOTH(winograd_at, t, PATCH_W, TILE_H);
#pragma unroll
        for (int k = 0; k < TILE_H * TILE_W; k++) {
            INDEX a = k / TILE_W, b = k % TILE_W, at = to + a * OW + b;
            if (oh + a >= OH || ow + b >= OW) continue;
            REAL v = t[a * PATCH_W + b];
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
        REALV t[POINTS];
#pragma unroll
        for (int p = 0; p < POINTS; p++) t[p] = sums[p * n + i];
        WINOGRAD_BOTH(winograd_gt, t, PATCH_W, TAPS_H);
#pragma unroll
        for (int k = 0; k < TAPS; k++) dw[wo + i * TAPS + k] = t[k / 3 * PATCH_W + k % 3];
    }
}
#endif
