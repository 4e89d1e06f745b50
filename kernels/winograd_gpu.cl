/* Winograd's convolutions in passes round a batch of POINTS matrix products (winograd.clh), for GPUs. Points first:
 *
 * gpu_weights   u[][rows][columns] = G g G^T       gpu_input     v[][T][C] = B^T d B
 * gpu_gradient  d[][T][O] = A dy A^T               gpu_output    y = A^T m[][T][O] A, with the epilogue
 * gpu_dw        dw = G^T s[][O][C] G
 *
 * T tiles, those of `lines` rows of tiles from `first` on, of all images. C, O, rows and columns are padded to whole
 * sectors, what pads v, d and u is 0. Images go through local memory, because their rows begin anywhere and tiles lie
 * apart in them. A work-group has `rows` rows of local memory, `pitch` apart, one a plane of a strip: `cb` channels side
 * by side of each of rows / cb strips. A strip is `across` tiles of each of `down` rows of tiles of `images` images, with
 * the pixels around them. Between global and local memory work-items take neighbours of one plane, or of all planes
 * where strips have them whole, from a sector's beginning on. Each then transforms tiles of its channel, its neighbours
 * the same tiles of the next channels: an odd pitch keeps them in different banks. Up to 36 points in registers. */
#include "conv.clh"
#include "winograd.clh"

#if !HG_CPU
enum { CONV_BIAS = 1, CONV_RELU = 2, CONV_RESIDUAL = 4 };

/* Elements of local memory. */
#ifndef STAGE
#define STAGE 7904
#endif

enum {
    SECTOR = 8,                             /* elements that memory moves together */
    TEAM = HG_LANES < 32 ? HG_LANES : 32,   /* work-items side by side in one plane */
    PAIRS = HG_LANES * TAPS <= STAGE ? HG_LANES : STAGE / TAPS / SECTOR * SECTOR
};

/* The strips of a launch (winograd_gpu.c), and which one has the row q. Strips of a group differ in images, rows and
 * columns, but not in where a tile lies in them. */
#define GPU_STRIPS(s, l)                                                                                              \
    const INDEX TX = (OW + TILE_W - 1) / TILE_W, TY = (OH + TILE_H - 1) / TILE_H;                                     \
    const INDEX across = (INDEX)s.s0, down = (INDEX)s.s1, images = (INDEX)s.s2, segments = (INDEX)s.s3;               \
    const INDEX block0 = (INDEX)s.s4, blocks = (INDEX)s.s5, image0 = (INDEX)s.s6, strips = (INDEX)s.s7;               \
    const INDEX first = (INDEX)l.s0, lines = (INDEX)l.s1, ld = (INDEX)l.s2, image1 = (INDEX)l.s7;                     \
    const int lane = (int)get_local_id(0), rows = (int)l.s3, cb = (int)l.s4, pitch = (int)l.s5;                       \
    const bool all_rows = l.s6 & 1, all_columns = l.s6 & 2;                                                           \
    const INDEX strip0 = (INDEX)get_group_id(0) * (rows / cb), plane0 = (INDEX)get_group_id(1) * cb;                  \
    (void)(ld + first + lines);
#define GPU_STRIP(q)                                                                                                  \
    const INDEX strip = strip0 + (q) / cb, turn = strip / segments, segment = strip - turn * segments,                \
                ahead = turn / blocks, block = block0 + turn - ahead * blocks, image = image0 + ahead * images;       \
    (void)(segment + block);

/* Where a strip begins in planes of `h` x `w`, `ph` and `pw` before the first tile's outputs, and how much of it is kept:
 * all rows, all columns, or what its tiles need. */
#define GPU_ORIGIN(h, w, ph, pw, halo_h, halo_w)                                                                      \
    const INDEX keep_h = all_rows ? (h) : down * TILE_H + (halo_h);                                                   \
    const INDEX keep_w = all_columns ? (w) : across * TILE_W + (halo_w);                                              \
    const INDEX step_h = all_rows ? 0 : down * TILE_H, begin_h = all_rows ? 0 : -(ph);                                \
    const INDEX step_w = all_columns ? 0 : across * TILE_W, begin_w = all_columns ? 0 : -(pw);

/* DO(local, global, plane) for each element of the group's strips; x[offset] is the tensor's first of `planes` planes an
 * image. */
#define GPU_EACH(offset, planes, h, w, DO)                                                                            \
    if (all_rows && all_columns) {                                                                                    \
        const INDEX area = (h) * (w), all = min((INDEX)cb, planes - plane0) * area;                                   \
        const INDEX more_q = HG_LANES / area, more = HG_LANES - more_q * area;                                        \
        for (int q_ = 0; q_ < rows; q_ += cb) {                                                                       \
            GPU_STRIP(q_)                                                                                             \
            for (INDEX i_ = 0; i_ < images && strip < strips && image + i_ < image1; i_++) {                               \
                const INDEX from = offset + ((image + i_) * planes + plane0) * area;                                  \
                INDEX f = lane - (from & (SECTOR - 1)), q = (f + SECTOR * area) / area - SECTOR, r = f - q * area;    \
                for (; f < all; f += HG_LANES, q += more_q, r += more) {                                              \
                    if (r >= area) {                                                                                  \
                        r -= area;                                                                                    \
                        q++;                                                                                          \
                    }                                                                                                 \
                    if (f >= 0) DO((q_ + (int)q) * pitch + (int)(i_ * area + r), from + f, plane0 + q);               \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
    } else {                                                                                                          \
        const int runs = all_columns ? 1 : (int)keep_h;                                                               \
        for (int run = lane / TEAM; run < rows * runs; run += HG_LANES / TEAM) {                                      \
            const int q = run / runs, k = run - q * runs;                                                             \
            GPU_STRIP(q)                                                                                              \
            const INDEX plane = plane0 + q % cb, top = begin_h + block * step_h, left = begin_w + segment * step_w;   \
            const INDEX y0 = max(top + k, (INDEX)0), y1 = min((h), all_columns ? top + keep_h : top + k + 1);         \
            const INDEX x0 = max(left, (INDEX)0), x1 = min((w), left + keep_w);                                       \
            const INDEX from = offset + ((image * planes + plane) * (h) + y0) * (w) + x0;                             \
            const INDEX all = strip < strips && plane < planes ? (y1 - y0 - 1) * (w) + x1 - x0 : 0;                   \
            const INDEX to = q * pitch + (y0 - top) * keep_w + x0 - left;                                             \
            for (INDEX f = lane % TEAM - (from & (SECTOR - 1)); f < all; f += TEAM)                                   \
                if (f >= 0) DO(to + f, from + f, plane);                                                              \
        }                                                                                                             \
    }

/* The work-item's row of local memory, its plane and where that begins; then, for each of its tiles, the tile's place
 * in the chunk, the first row and column of its outputs, and `at`, where row 0, column 0 of its image would lie. */
#define GPU_LANE                                                                                                      \
    const int q = lane % rows;                                                                                        \
    GPU_STRIP(q)                                                                                                      \
    const int keep = (int)keep_w;                                                                                     \
    const INDEX plane = plane0 + q % cb, row0 = begin_h + block * step_h, column0 = begin_w + segment * step_w;       \
    const INDEX most = strip < strips && plane < ld ? across * down * images : 0;
#define GPU_FOR_TILES for (INDEX number = lane / rows; number < most; number += HG_LANES / rows)
#define GPU_TILE                                                                                                      \
    const INDEX y_ = number / across, i_ = y_ / down, tx = segment * across + number - y_ * across,                   \
                ty = block * down + y_ - i_ * down, line = (image + i_) * TY + ty - first, tile = line * TX + tx;     \
    if (tx >= TX || ty >= TY || image + i_ >= image1) continue;                                                       \
    const int oh = (int)(ty * TILE_H), ow = (int)(tx * TILE_W),                                                       \
              at = (int)(q * pitch + (i_ * keep_h - row0) * keep_w - column0);

#define GPU_LOAD(to, from, plane) stage[to] = x[from]

__kernel void gpu_input(long8 ga, long8 gb, long8 gc, long8 gs, long8 gl, __global const REAL *restrict x, long xo,
                        __global REAL *restrict ws, long vo)
{
    __local REAL stage[STAGE];
    CONV_GEOMETRY(ga, gb, gc)
    GPU_STRIPS(gs, gl)
    GPU_ORIGIN(H, W, PH, PW, TAPS_H - 1, 2)
    GPU_EACH((INDEX)xo, C, H, W, GPU_LOAD)
    barrier(CLK_LOCAL_MEM_FENCE);
    GPU_LANE
    GPU_FOR_TILES
    {
        GPU_TILE
        const int top = oh - (int)PH, left = ow - (int)PW, high = plane < C ? (int)H : 0, wide = (int)W;
        REALV t[POINTS];
#pragma unroll
        for (int k = 0; k < POINTS; k++) {
            int h = top + k / PATCH_W, w = left + k % PATCH_W;
            const REAL v = stage[clamp(at + h * keep + w, 0, STAGE - 1)]; /* no branch: work-items stay side by side */
            t[k] = h >= 0 && h < high && w >= 0 && w < wide ? v : 0;
        }
        WINOGRAD_BOTH(winograd_bt, t, PATCH_W, PATCH_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) ws[(INDEX)vo + (p * lines * TX + tile) * ld + plane] = t[p];
    }
}

__kernel void gpu_gradient(long8 ga, long8 gb, long8 gc, long8 gs, long8 gl, __global const REAL *restrict x, long xo,
                           __global REAL *restrict ws, long dof)
{
    __local REAL stage[STAGE];
    CONV_GEOMETRY(ga, gb, gc)
    GPU_STRIPS(gs, gl)
    GPU_ORIGIN(OH, OW, 0, 0, 0, 0)
    GPU_EACH((INDEX)xo, O, OH, OW, GPU_LOAD)
    barrier(CLK_LOCAL_MEM_FENCE);
    GPU_LANE
    GPU_FOR_TILES
    {
        GPU_TILE
        const int high = plane < O ? (int)OH : 0, wide = (int)OW;
        REALV t[POINTS];
#pragma unroll
        for (int k = 0; k < TILE_H * TILE_W; k++) {
            int h = oh + k / TILE_W, w = ow + k % TILE_W;
            t[k / TILE_W * PATCH_W + k % TILE_W] = h < high && w < wide ? stage[at + h * keep + w] : 0;
        }
        WINOGRAD_BOTH(winograd_a, t, TILE_W, PATCH_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) ws[(INDEX)dof + (p * lines * TX + tile) * ld + plane] = t[p];
    }
}

/* `bias` and `residual` may be any buffer where the epilogue has none. */
__kernel void gpu_output(long8 ga, long8 gb, long8 gc, long8 gs, long8 gl, __global const REAL *restrict ws, long mo,
                         __global const REAL *restrict bias, long bo, __global const REAL *restrict residual, long ro,
                         __global REAL *restrict y, long yo, int epilogue)
{
    __local REAL stage[STAGE];
    CONV_GEOMETRY(ga, gb, gc)
    GPU_STRIPS(gs, gl)
    GPU_ORIGIN(OH, OW, 0, 0, 0, 0)
    GPU_LANE
    GPU_FOR_TILES
    {
        GPU_TILE
        if (plane < O) {
            const int high = (int)OH, wide = (int)OW;
            REAL add = epilogue & CONV_BIAS ? bias[bo + plane] : 0;
            REALV t[POINTS];
#pragma unroll
            for (int p = 0; p < POINTS; p++) t[p] = ws[(INDEX)mo + (p * lines * TX + tile) * ld + plane];
            WINOGRAD_BOTH(winograd_at, t, PATCH_W, TILE_H);
#pragma unroll
            for (int k = 0; k < TILE_H * TILE_W; k++) {
                int h = oh + k / TILE_W, w = ow + k % TILE_W;
                if (h < high && w < wide) stage[at + h * keep + w] = t[k / TILE_W * PATCH_W + k % TILE_W] + add;
            }
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#define GPU_STORE(at, to, plane)                                                                                      \
    {                                                                                                                 \
        REAL v = stage[at];                                                                                           \
        if (epilogue & CONV_RESIDUAL) v += residual[(INDEX)(ro - yo) + (to)];                                         \
        y[to] = epilogue & CONV_RELU && v < 0 ? 0 : v;                                                                \
    }
    GPU_EACH((INDEX)yo, O, OH, OW, GPU_STORE)
}

/* Weights are outputs x channels pairs of taps side by side; in points, columns are padded to `ld` and outputs to a
 * multiple of SECTOR. A group takes PAIRS of the padded pairs, whose taps lie together. Pair i is weight pair `pair`,
 * if it is one, and `from` the group's first. */
#define GPU_PAIRS                                                                                                     \
    const INDEX O = (INDEX)outputs, C = (INDEX)channels, padded = (C + SECTOR - 1) / SECTOR * SECTOR;                 \
    const INDEX n = (O + SECTOR - 1) / SECTOR * SECTOR * padded, begin = (INDEX)get_group_id(0) * PAIRS;              \
    const INDEX end = min(begin + PAIRS, n), row = begin / padded, row1 = end / padded;                               \
    const INDEX from = min(row, O) * C + (row < O ? min(begin - row * padded, C) : 0);                                \
    const INDEX behind = min(row1, O) * C + (row1 < O ? min(end - row1 * padded, C) : 0);                             \
    const int lane = (int)get_local_id(0);
#define GPU_PAIR                                                                                                      \
    const INDEX o = i / padded, c = i - o * padded, pair = o * C + c - from;

/* mirrored: taps in reverse. */
__kernel void gpu_weights(long outputs, long channels, int mirrored, __global const REAL *restrict w, long wo,
                          __global REAL *restrict u)
{
    __local REAL stage[PAIRS * TAPS];
    GPU_PAIRS
    const INDEX at = (INDEX)wo + from * TAPS;
    for (INDEX f = lane - (at & (SECTOR - 1)); f < (behind - from) * TAPS; f += HG_LANES)
        if (f >= 0) stage[f] = w[at + f];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (INDEX i = begin + lane; i < end; i += HG_LANES) {
        GPU_PAIR
        REALV t[POINTS];
#pragma unroll
        for (int k = 0; k < TAPS; k++)
            t[k / 3 * PATCH_W + k % 3] = o < O && c < C ? stage[pair * TAPS + (mirrored ? TAPS - 1 - k : k)] : 0;
        WINOGRAD_BOTH(winograd_g, t, 3, PATCH_H);
#pragma unroll
        for (int p = 0; p < POINTS; p++) u[p * n + i] = t[p];
    }
}

__kernel void gpu_dw(long outputs, long channels, __global const REAL *restrict sums, __global REAL *restrict dw,
                     long wo)
{
    __local REAL stage[PAIRS * TAPS];
    GPU_PAIRS
    for (INDEX i = begin + lane; i < end; i += HG_LANES) {
        GPU_PAIR
        if (o < O && c < C) {
            REALV t[POINTS];
#pragma unroll
            for (int p = 0; p < POINTS; p++) t[p] = sums[p * n + i];
            WINOGRAD_BOTH(winograd_gt, t, PATCH_W, TAPS_H);
#pragma unroll
            for (int k = 0; k < TAPS; k++) stage[pair * TAPS + k] = t[k / 3 * PATCH_W + k % 3];
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const INDEX at = (INDEX)wo + from * TAPS;
    for (INDEX f = lane - (at & (SECTOR - 1)); f < (behind - from) * TAPS; f += HG_LANES)
        if (f >= 0) dw[at + f] = stage[f];
}
#endif
