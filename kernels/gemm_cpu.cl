/* C = alpha A op(B) + beta C (+ bias, ReLU), C row-major. CPU class.
 *
 * A work-item, alone in its group, owns `row_tiles` x `panels` tiles of C and goes through k in pieces of k_piece.
 * From each it packs its rows of A into local memory, as [tile][k][MR], where they stay in L2; then it copies one panel
 * of B after the other, NB columns, to [k][NB], zero beyond n, which stays in L1 while the tiles of A pass by. The tile
 * of C, MR rows of NV vectors, is in registers. From the second piece on, C holds the sum so far; bias and ReLU come
 * with the last. Tiles that reach over the edge of C are computed whole (the last row of A again and again) and stored
 * in part.
 *
 * Element (r, k) of A is a[r * a_row + k * a_k]; one of the strides is 1. Without `pack`, and in tiles of 16 rows, it
 * is read where it lies: for one panel that pays. With SMALL, tiles of 8 rows always pack. B is k x n with leading
 * dimension ldb, or, with trans_b, n x k.
 *
 * k_slice < k: group z = batch * slices + slice sums only its slice of k, into C's matrix number z; the slices are
 * added by gemm_finish.cl. Each element of C is summed in an order that depends on k, k_slice and k_piece alone. */
#include "common.clh"
#include "transpose.clh"

#ifndef MR
#define MR 8
#endif
#ifndef NV
#define NV 2
#endif
#define NB (NV * 16)
#ifndef SMALL
#define SMALL 0         /* for little local memory, and for compilers that unrolled loops hold up */
#endif
#define K_MOST (SMALL ? 64 : 320)               /* of k_piece: with NV = 2 a panel of 8 or 40 KB */
#define A_BYTES (SMALL ? 20 << 10 : 256 << 10)  /* that a work-item packs */
#define STEPS (SMALL ? 1 : 4)                   /* of k, unrolled: of packed A */

#include "gemm.clh"

#if HG_CPU

typedef HG_CAT_REAL(16) VECTOR;

enum {
    LINE = 64 / sizeof(REAL),       /* elements of a cache line, */
    AHEAD = 1024 / sizeof(REAL)     /* and of packed A that is fetched ahead */
};

#if MR == 8
/* One tile, `rows` of which there are. */
static inline void pack_tile(__local REAL *to, __global const REAL *a, long a_row, long a_k, int rows, int depth)
{
    if (!SMALL && a_k == 1) {
        for (int k = 0; k < depth; k += 16) {
            VECTOR v[16];
#pragma unroll
            for (int r = 0; r < 16; r++)
                v[r] = r < MR ? hg_load_some(a + min(r, rows - 1) * a_row + k, depth - k) : (VECTOR)(0);
            HG_TRANSPOSE16(v);
#pragma unroll
            for (int q = 0; q < 16; q++) vstore8(v[q].lo, k + q, to);
        }
    } else if (a_row == 1 && rows == MR) {
        for (int k = 0; k < depth; k++) vstore8(vload8(0, a + k * a_k), k, to);
    } else {
        for (int k = 0; k < depth; k++)
            for (int r = 0; r < MR; r++) to[k * MR + r] = a[min(r, rows - 1) * a_row + k * a_k];
    }
}
#endif

/* The panel of B that begins at `b`. */
static inline void copy_panel(__local VECTOR *panel, __global const REAL *b, long ldb, int trans_b, int columns,
                              int depth)
{
    if (trans_b) {
        for (int v = 0; v < NV; v++)
            for (int k = 0; k < depth; k += 16) {
                HG_TRANSPOSE16_FROM(t, b + v * 16 * ldb + k, ldb, columns - v * 16, depth - k);
#pragma unroll
                for (int q = 0; q < 16; q++) panel[(k + q) * NV + v] = t[q];
            }
    } else if (columns == NB) {
        for (int k = 0; k < depth; k++)
#pragma unroll
            for (int v = 0; v < NV; v++) panel[k * NV + v] = vload16(v, b + k * ldb);
    } else {
        for (int k = 0; k < depth; k++) {
            __local REAL *to = (__local REAL *)(panel + k * NV);
            for (int v = 0; v < NV; v++)
                panel[k * NV + v] = v * 16 + 16 <= columns ? vload16(v, b + k * ldb) : (VECTOR)(0);
            for (int q = columns & ~15; q < columns; q++) to[q] = b[k * ldb + q];
        }
    }
}

/* Asks for what will be wanted, a part with each of up to MR parts of a tile's sum, lest it hold up the loads of A: a
 * row of the tile of C, and into L2 `rows` of the next panel of B. */
#define FETCH(rows)                                                                                                    \
    do {                                                                                                               \
        HG_PREFETCH(c_line, 1);                                                                                        \
        HG_PREFETCH(c_line + NB / 2, 1);                                                                               \
        c_line += ldc;                                                                                                 \
        for (int f = 0; f < rows; f++, b_line += ldb) {                                                                \
            HG_PREFETCH(b_line, 0);                                                                                    \
            HG_PREFETCH(b_line + NB / 2, 0);                                                                           \
        }                                                                                                              \
    } while (0)

#define PRODUCTS(element)                                                                                              \
    _Pragma("unroll") for (int r = 0; r < MR; r++) _Pragma("unroll") for (int v = 0; v < NV; v++)                      \
        acc[r][v] = fma((VECTOR)(element), y[s * NV + v], acc[r][v])

/* Adds `depth` products to each element of the tile, `steps` of them at a time. `element`: of A, in row r, s steps
 * after x; `step`: of x. */
#define ADD_PRODUCTS(steps, element, step, prefetch)                                                                   \
    for (int begin = 0; begin < depth; begin += part) {                                                                \
        int left = min(part, depth - begin);                                                                           \
        FETCH(ahead);                                                                                                  \
        for (; left >= steps; left -= steps, x += steps * (step), y += steps * NV) {                                   \
            _Pragma("unroll") for (int s = 0; s < steps; s++)                                                          \
            {                                                                                                          \
                prefetch;                                                                                              \
                PRODUCTS(element);                                                                                     \
            }                                                                                                          \
        }                                                                                                              \
        for (; left > 0; left--, x += step, y += NV) {                                                                 \
            const int s = 0;                                                                                           \
            PRODUCTS(element);                                                                                         \
        }                                                                                                              \
    }

/* x, the sum of a tile's elements in row r, becomes what is stored over `old`; columns_bias: of their columns. */
#define FINISH(type, x, old, columns_bias, r)                                                                          \
    do {                                                                                                               \
        x *= alpha;                                                                                                    \
        if (keep != 0) x = fma((type)(keep), old, x);                                                                  \
        if (finish & BIAS_COLUMNS) x += columns_bias;                                                                  \
        if (finish & BIAS_ROWS) x += bias[row + r];                                                                    \
        if (finish & RELU) x = x < (type)(0) ? (type)(0) : x;                                                          \
    } while (0)

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm(int m, int n, int k, int k_slice, int k_piece,
    int row_tiles, int panels, int slices, REAL alpha, REAL beta, __global const REAL *restrict a, long ao, long a_row,
    long a_k, long a_step, int pack, __global const REAL *restrict b, long bo, long ldb,
    long b_step, int trans_b, __global REAL *restrict c, long co, long ldc, long c_step, int epilogue,
    __global const REAL *restrict bias, long bias_o)
{
    __local VECTOR panel[K_MOST * NV];
#if MR == 8
    __local REAL packed[A_BYTES / sizeof(REAL)];
#endif
    int z = (int)get_group_id(2), k_begin = z % slices * k_slice, k_end = min(k, k_begin + k_slice);
    int i_begin = (int)get_group_id(0) * row_tiles, i_end = min((m + MR - 1) / MR, i_begin + row_tiles);
    int j_begin = (int)get_group_id(1) * panels, j_end = min((n + NB - 1) / NB, j_begin + panels);
    a += ao + z / slices * a_step;
    b += bo + z / slices * b_step;
    c += co + z * c_step;
    bias += bias_o;
    for (int k0 = k_begin; k0 < k_end; k0 += k_piece) {
        int depth = min(k_piece, k_end - k0), deep = (depth + 15) / 16 * 16;
        REAL keep = k0 == k_begin ? beta : 1;
        int finish = k0 + depth == k_end ? epilogue : 0;
#if MR == 8
        for (int i = i_begin; (SMALL || pack) && i < i_end; i++)
            pack_tile(packed + (i - i_begin) * deep * MR, a + i * MR * a_row + k0 * a_k, a_row, a_k,
                      min(MR, m - i * MR), depth);
#endif
        for (int j = j_begin; j < j_end; j++) {
            int column = j * NB, columns = min(NB, n - column);
            __global const REAL *next = b + k0 * ldb + column + NB;
            int part = ((depth + MR - 1) / MR + STEPS - 1) / STEPS * STEPS;
            int ahead = trans_b || j + 1 == j_end ? 0 : (depth - 1) / ((i_end - i_begin) * MR) + 1;
            copy_panel(panel, trans_b ? b + column * ldb + k0 : b + k0 * ldb + column, ldb, trans_b, columns, depth);
            for (int i = i_begin; i < i_end; i++) {
                int row = i * MR, rows = min(MR, m - row);
                __global REAL *ct = c + row * ldc + column;
                __global const REAL *c_line = ct, *b_line = next + (i - i_begin) * MR * ahead * ldb;
                __local const VECTOR *restrict y = panel;
                VECTOR acc[MR][NV];
#pragma unroll
                for (int r = 0; r < MR; r++)
#pragma unroll
                    for (int v = 0; v < NV; v++) acc[r][v] = 0;
#if MR == 8
                if (SMALL || pack) {
                    __local const REAL *restrict x = packed + (i - i_begin) * deep * MR;
                    ADD_PRODUCTS(STEPS, x[s * MR + r], MR, if (s * MR % LINE == 0) HG_PREFETCH_L1(x + s * MR + AHEAD));
                } else
#endif
                {
                    __global const REAL *restrict x = a + row * a_row + k0 * a_k;
                    long offset[MR];
#pragma unroll
                    for (int r = 0; r < MR; r++) offset[r] = min(r, rows - 1) * a_row;
                    ADD_PRODUCTS(1, x[offset[r]], a_k, );
                }
                if (rows == MR && columns == NB) {
#pragma unroll
                    for (int r = 0; r < MR; r++)
#pragma unroll
                        for (int v = 0; v < NV; v++) {
                            VECTOR x = acc[r][v];
                            FINISH(VECTOR, x, vload16(v, ct + r * ldc), vload16(v, bias + column), r);
                            HG_STOREV(x, ct + r * ldc + v * 16);
                        }
                } else {
                    REAL tile[MR * NB];
#pragma unroll
                    for (int r = 0; r < MR; r++)
#pragma unroll
                        for (int v = 0; v < NV; v++) vstore16(acc[r][v], r * NV + v, tile);
                    for (int r = 0; r < rows; r++) {
                        int q = 0;
                        for (; q + 16 <= columns; q += 16) {
                            VECTOR x = vload16(0, tile + r * NB + q);
                            FINISH(VECTOR, x, vload16(0, ct + r * ldc + q), vload16(0, bias + column + q), r);
                            HG_STOREV(x, ct + r * ldc + q);
                        }
                        for (; q < columns; q++) {
                            REAL x = tile[r * NB + q];
                            FINISH(REAL, x, ct[r * ldc + q], bias[column + q], r);
                            ct[r * ldc + q] = x;
                        }
                    }
                }
            }
        }
    }
}
#endif
