/* Packs an operand of a matrix product for gemm_cpu.cl: from rows x k elements anywhere to panels
 * [ceil(rows / width)][k][width], 64-byte aligned, zero beyond `rows`. `rows` counts the side that is not summed over:
 * M of A, N of B. CPU class.
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

/* `count` elements, zeros behind. */
static inline HG_CAT_REAL(16) load_some(__global const REAL *x, int count)
{
    if (count >= 16) return vload16(0, x);
    REAL some[16];
    for (int i = 0; i < 16; i++) some[i] = i < count ? x[i] : 0;
    return vload16(0, some);
}

/* Element (r, k) is x[k * ld + r]: rows are neighbours in memory. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_rows(int rows, int k, int width,
    __global const REAL *restrict x, long xo, long ld, long x_step, __global REAL *restrict y, long y_step)
{
    int k0 = (int)get_group_id(0) * HG_PACK_DEPTH, k1 = min(k, k0 + HG_PACK_DEPTH);
    int r0 = (int)get_group_id(1) * HG_PACK_ROWS, padded = (rows + width - 1) / width * width;
    int r1 = min(padded, r0 + HG_PACK_ROWS);
    x += xo + (long)get_group_id(2) * x_step;
    y += (long)get_group_id(2) * y_step;
    for (int kk = k0; kk < k1; kk++)
        for (int r = r0; r < r1; r += 16) put(y, r, padded, kk, k, width, load_some(x + kk * ld + r, rows - r));
}

/* Element (r, k) is x[r * ld + k]: transposed on the way, 16 x 16 at a time. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void pack_columns(int rows, int k, int width,
    __global const REAL *restrict x, long xo, long ld, long x_step, __global REAL *restrict y, long y_step)
{
    int k0 = (int)get_group_id(0) * HG_PACK_DEPTH, k1 = min(k, k0 + HG_PACK_DEPTH);
    int r0 = (int)get_group_id(1) * HG_PACK_ROWS, padded = (rows + width - 1) / width * width;
    int r1 = min(padded, r0 + HG_PACK_ROWS);
    x += xo + (long)get_group_id(2) * x_step;
    y += (long)get_group_id(2) * y_step;
    for (int r = r0; r < r1; r += 16)
        for (int kk = k0; kk < k1; kk += 16) {
            HG_CAT_REAL(16) v[16];
            if (r + 16 <= rows && kk + 16 <= k) {
#pragma unroll
                for (int i = 0; i < 16; i++) v[i] = vload16(0, x + (r + i) * ld + kk);
            } else {
#pragma unroll
                for (int i = 0; i < 16; i++)
                    v[i] = r + i < rows ? load_some(x + (r + i) * ld + kk, k1 - kk) : (HG_CAT_REAL(16))(0);
            }
            HG_TRANSPOSE16(v);
#pragma unroll
            for (int i = 0; i < 16; i++)
                if (kk + i < k1) put(y, r, padded, kk + i, k, width, v[i]);
        }
}
