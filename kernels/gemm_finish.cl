/* C = alpha (P[0] + P[1] + ...) + beta C, then + bias, then ReLU: what follows the slices of a product whose sum over
 * k was split, and the epilogue of products by a library. Without slices: C = beta C + bias, ReLU. Both classes.
 *
 * P is [batch][slices][m][n]. A work-item a row on a CPU, an element on a GPU: grid (column, row, batch). beta = 0
 * never reads C. Slices are added in order. */
#include "common.clh"

#include "gemm.clh"

__kernel void gemm_finish(int m, int n, int slices, REAL alpha, __global const REAL *restrict p, REAL beta,
                          __global REAL *restrict c, long co, long ldc, long c_step, int epilogue,
                          __global const REAL *restrict bias, long bo)
{
    int row = (int)get_global_id(1);
    p += (get_global_id(2) * slices * m + row) * (long)n;
    c += co + get_global_id(2) * c_step + row * ldc;
    bias += bo;
#if HG_CPU
    for (int j = 0; j < n; j++)
#else
    for (int j = (int)get_global_id(0); j < n; j += (int)get_global_size(0))
#endif
    {
        REAL x = 0;
        for (int s = 0; s < slices; s++) x += p[s * ((long)m * n) + j];
        x *= alpha;
        if (beta != 0) x = fma(beta, c[j], x);
        if (epilogue & BIAS_COLUMNS) x += bias[j];
        if (epilogue & BIAS_ROWS) x += bias[row];
        if (epilogue & RELU) x = x < 0 ? 0 : x;
        c[j] = x;
    }
}
