/* C = alpha A op(B) + beta C (+ bias, ReLU), C row-major. CPU class.
 *
 * A work-item, alone in its group, owns `row_tiles` x `panels` tiles of C and goes through k in pieces of K_BLOCK. It
 * copies a piece of a panel of B, NB columns, into local memory as [k][NB], zero beyond n, where it stays in L1 while
 * the pieces of A tiles, which stay in L2, pass by. The tile, MR rows of NV vectors, is in registers. From the second
 * piece on, C holds the sum so far; bias and ReLU come with the last. Tiles that reach over the edge of C are computed
 * whole (the last row of A again and again) and stored in part.
 *
 * Element (r, k) of row tile i of A's piece q, `depth` columns, is
 *     a[q * a_piece + i * (a_tile + a_deep * depth) + r * a_row + k * a_k]:
 * panels of gemm_pack.cl (a_row = 1, a_k = MR), or A as it lies. Packed pieces lie one behind another, so that what is
 * in use together does not share cache sets. B is k x n with leading dimension ldb, or, with trans_b, n x k.
 *
 * k_slice (a multiple of K_BLOCK) < k: group z = batch * slices + slice sums only its slice of k, into C's matrix number z; the slices are
 * added by gemm_finish.cl. Each element of C is summed in an order that depends on k and k_slice alone. */
#include "common.clh"
#include "transpose.clh"

#ifndef MR
#define MR 8
#endif
#ifndef NV
#define NV 2
#endif
#define NB (NV * 16)
#define K_BLOCK 256     /* 32 KB of local memory with NV = 2 */

#include "gemm.clh"

typedef HG_CAT_REAL(16) VECTOR;

/* The lines of a tile of C, wanted when its sum is ready. */
static inline void fetch(__global const REAL *ct, long ldc, int rows)
{
    for (int r = 0; r < rows; r++) {
        HG_PREFETCH(ct + r * ldc, 1);
        HG_PREFETCH(ct + r * ldc + NB / 2, 1);
    }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm(int m, int n, int k, int k_slice, int row_tiles,
    int panels, int slices, REAL alpha, REAL beta, __global const REAL *restrict a, long ao, long a_row, long a_k,
    long a_tile, long a_deep, long a_piece, long a_step, __global const REAL *restrict b, long bo, long ldb,
    long b_step, int trans_b, __global REAL *restrict c, long co, long ldc, long c_step, int epilogue,
    __global const REAL *restrict bias, long bias_o)
{
    __local VECTOR panel[K_BLOCK * NV];
    int z = (int)get_group_id(2), k_begin = z % slices * k_slice, k_end = min(k, k_begin + k_slice);
    int i_begin = (int)get_group_id(0) * row_tiles, i_end = min((m + MR - 1) / MR, i_begin + row_tiles);
    int j_begin = (int)get_group_id(1) * panels, j_end = min((n + NB - 1) / NB, j_begin + panels);
    a += ao + z / slices * a_step;
    b += bo + z / slices * b_step;
    c += co + z * c_step;
    bias += bias_o;
    for (int k0 = k_begin; k0 < k_end; k0 += K_BLOCK) {
        int depth = min(K_BLOCK, k_end - k0);
        REAL keep = k0 == k_begin ? beta : 1;
        int finish = k0 + depth == k_end ? epilogue : 0;
        for (int j = j_begin; j < j_end; j++) {
            int column = j * NB, columns = min(NB, n - column);
            if (!trans_b) {
                __global const REAL *from = b + k0 * ldb + column;
                if (columns == NB) {
                    for (int kk = 0; kk < depth; kk++)
#pragma unroll
                        for (int v = 0; v < NV; v++) panel[kk * NV + v] = vload16(v, from + kk * ldb);
                } else {
                    for (int kk = 0; kk < depth; kk++)
                        for (int v = 0; v < NV; v++)
                            panel[kk * NV + v] = hg_load_some(from + kk * ldb + v * 16, columns - v * 16);
                }
            } else {
                for (int v = 0; v < NV; v++)
                    for (int kk = 0; kk < depth; kk += 16) {
                        __global const REAL *from = b + (column + v * 16) * ldb + k0 + kk;
                        HG_TRANSPOSE16_FROM(t, from, ldb, columns - v * 16, depth - kk);
#pragma unroll
                        for (int q = 0; q < 16; q++) panel[(kk + q) * NV + v] = t[q];
                    }
            }
            for (int i = i_begin; i < i_end; i++) {
                int row = i * MR, rows = min(MR, m - row);
                __global const REAL *restrict at = a + k0 / K_BLOCK * a_piece + i * (a_tile + a_deep * depth);
                __global REAL *ct = c + row * ldc + column;
                long offset[MR];
                VECTOR acc[MR][NV];
                fetch(ct, ldc, rows);
#pragma unroll
                for (int r = 0; r < MR; r++) {
                    offset[r] = min(r, rows - 1) * a_row;
#pragma unroll
                    for (int v = 0; v < NV; v++) acc[r][v] = 0;
                }
                for (int kk = 0; kk < depth; kk++, at += a_k) {
#pragma unroll
                    for (int r = 0; r < MR; r++)
#pragma unroll
                        for (int v = 0; v < NV; v++)
                            acc[r][v] = fma((VECTOR)(at[offset[r]]), panel[kk * NV + v], acc[r][v]);
                }
                if (rows == MR && columns == NB) {
#pragma unroll
                    for (int r = 0; r < MR; r++)
#pragma unroll
                        for (int v = 0; v < NV; v++) {
                            VECTOR x = alpha * acc[r][v];
                            if (keep != 0) x = fma((VECTOR)(keep), vload16(v, ct + r * ldc), x);
                            if (finish & BIAS_COLUMNS) x += vload16(v, bias + column);
                            if (finish & BIAS_ROWS) x += bias[row + r];
                            if (finish & RELU) x = x < (VECTOR)(0) ? (VECTOR)(0) : x;
                            vstore16(x, v, ct + r * ldc);
                        }
                } else {
                    REAL tile[MR * NB];
#pragma unroll
                    for (int r = 0; r < MR; r++)
#pragma unroll
                        for (int v = 0; v < NV; v++) vstore16(alpha * acc[r][v], r * NV + v, tile);
                    for (int r = 0; r < rows; r++)
                        for (int q = 0; q < columns; q++) {
                            REAL x = tile[r * NB + q];
                            if (keep != 0) x = fma(keep, ct[r * ldc + q], x);
                            if (finish & BIAS_COLUMNS) x += bias[column + q];
                            if (finish & BIAS_ROWS) x += bias[row + r];
                            if (finish & RELU) x = x < 0 ? 0 : x;
                            ct[r * ldc + q] = x;
                        }
                }
            }
        }
    }
}
