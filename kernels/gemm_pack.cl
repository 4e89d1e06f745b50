/* Packs an operand of a matrix product, A of gemm_cpu.cl for instance: from rows x k elements anywhere to panels
 * [ceil(rows / width)][k][width], 32-byte aligned, zero beyond `rows`. CPU class.
 *
 * A work-item packs up to HG_PACK_ROWS rows by HG_PACK_DEPTH of k: grid (k pieces, row pieces, batch).
 * `width` is a multiple of 8, so that 16 rows are two halves, each whole in its panel. */
#include "common.clh"
#include "transpose.clh"

#define HG_PACK_ROWS 128
#define HG_PACK_DEPTH 128

typedef HG_CAT_REAL(8) HALF;

/* Where row r (a multiple of 8) of column kk lies in the panels. */
static inline __global REAL *panel(__global REAL *y, int r, int kk, int k, int width)
{
    return y + ((long)(r / width) * k + kk) * width + r % width;
}

static inline void put(__global REAL *y, int r, int padded, int kk, int k, int width, HG_CAT_REAL(16) v)
{
    *(__global HALF *)panel(y, r, kk, k, width) = v.lo;
    if (r + 8 < padded) *(__global HALF *)panel(y, r + 8, kk, k, width) = v.hi;
}

/* Element (r, k) is x[k * ld + r]: rows are neighbours in memory. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_rows(int rows, int k, int width,
    __global const REAL *restrict x, long xo, long ld, long x_step, __global REAL *restrict y, long yo, long y_step)
{
    int k0 = (int)get_group_id(0) * HG_PACK_DEPTH, k1 = min(k, k0 + HG_PACK_DEPTH);
    int r0 = (int)get_group_id(1) * HG_PACK_ROWS, padded = (rows + width - 1) / width * width;
    int r1 = min(padded, r0 + HG_PACK_ROWS);
    x += xo + (long)get_group_id(2) * x_step;
    y += yo + (long)get_group_id(2) * y_step;
    for (int kk = k0; kk < k1; kk++)
        for (int r = r0; r < r1; r += 16) put(y, r, padded, kk, k, width, hg_load_some(x + kk * ld + r, rows - r));
}

/* Element (r, k) is x[r * ld + k]: transposed on the way, 16 x 16 at a time. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_columns(int rows, int k, int width,
    __global const REAL *restrict x, long xo, long ld, long x_step, __global REAL *restrict y, long yo, long y_step)
{
    int k0 = (int)get_group_id(0) * HG_PACK_DEPTH, k1 = min(k, k0 + HG_PACK_DEPTH);
    int r0 = (int)get_group_id(1) * HG_PACK_ROWS, padded = (rows + width - 1) / width * width;
    int r1 = min(padded, r0 + HG_PACK_ROWS);
    x += xo + (long)get_group_id(2) * x_step;
    y += yo + (long)get_group_id(2) * y_step;
    for (int r = r0; r < r1; r += 16)
        for (int kk = k0; kk < k1; kk += 16) {
            HG_TRANSPOSE16_FROM(v, x + r * ld + kk, ld, rows - r, k1 - kk);
#pragma unroll
            for (int i = 0; i < 16; i++)
                if (kk + i < k1) put(y, r, padded, kk + i, k, width, v[i]);
        }
}
