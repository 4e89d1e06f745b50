/* C = alpha A B + beta C (+ bias, ReLU) on packed operands (gemm_pack.cl). CPU class.
 *
 * A is [ceil(m / MR)][k][MR], B [ceil(n / NB)][k][NB], both zero beyond m and n and 64-byte aligned; C is row-major.
 * A work-item, alone in its group, owns `row_tiles` x `panels` tiles of C and goes through k in pieces of `k_block`:
 * a piece of a B panel stays in L1 while the pieces of A tiles, which stay in L2, pass by. The tile, MR rows of NV
 * vectors, is in registers. From the second piece on, C holds the sum so far; bias and ReLU come with the last.
 * Tiles that reach over the edge of C are computed whole and stored in part.
 *
 * k_slice < k: group z = batch * slices + slice sums only its slice of k, into C's matrix number z; the slices are
 * added by gemm_finish.cl. Each element of C is summed in an order that depends on k, k_block and k_slice alone. */
#include "common.clh"

#ifndef MR
#define MR 8
#endif
#ifndef NV
#define NV 2
#endif
#define NB (NV * 16)

enum { BIAS_COLUMNS = 1, BIAS_ROWS = 2, RELU = 4 };

typedef HG_CAT_REAL(16) VECTOR;

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm(int m, int n, int k, int k_slice, int k_block,
    int row_tiles, int panels, int slices, REAL alpha, REAL beta, __global const REAL *restrict a, long a_step,
    __global const REAL *restrict b, long b_step, __global REAL *restrict c, long co, long ldc, long c_step,
    int epilogue, __global const REAL *restrict bias, long bo)
{
    int z = (int)get_group_id(2), k_begin = z % slices * k_slice, k_end = min(k, k_begin + k_slice);
    int i_begin = (int)get_group_id(0) * row_tiles, i_end = min((m + MR - 1) / MR, i_begin + row_tiles);
    int j_begin = (int)get_group_id(1) * panels, j_end = min((n + NB - 1) / NB, j_begin + panels);
    a += z / slices * a_step;
    b += z / slices * b_step;
    c += co + z * c_step;
    bias += bo;
    for (int k0 = k_begin; k0 < k_end; k0 += k_block) {
        int depth = min(k_block, k_end - k0);
        REAL keep = k0 == k_begin ? beta : 1;
        int finish = k0 + depth == k_end ? epilogue : 0;
        for (int j = j_begin; j < j_end; j++)
            for (int i = i_begin; i < i_end; i++) {
                __global const REAL *restrict at = a + ((long)i * k + k0) * MR;
                __global const VECTOR *restrict bt = (__global const VECTOR *)(b + ((long)j * k + k0) * NB);
                VECTOR acc[MR][NV];
#pragma unroll
                for (int r = 0; r < MR; r++)
#pragma unroll
                    for (int v = 0; v < NV; v++) acc[r][v] = 0;
                for (int kk = 0; kk < depth; kk++) {
#pragma unroll
                    for (int r = 0; r < MR; r++)
#pragma unroll
                        for (int v = 0; v < NV; v++)
                            acc[r][v] = fma((VECTOR)(at[kk * MR + r]), bt[kk * NV + v], acc[r][v]);
                }
                int row = i * MR, column = j * NB, rows = min(MR, m - row), columns = min(NB, n - column);
                __global REAL *ct = c + row * ldc + column;
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
