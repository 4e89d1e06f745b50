/* C = relu(alpha A op(B) + beta C + bias) where A has few rows and op(B) lies in memory as n x k: dot products of rows
 * that are read once, as they lie. For CPUs: a work-item takes `columns` columns of C, four at a time with four rows of
 * A in 16 vectors of sums; more rows of A meet the same four of B while those are in the cache. Every sum has one
 * order. */
#include "common.clh"

/* 16 elements, what lies from `left` on as 0. */
static inline REALV load_left(__global const REAL *p, int left)
{
    REAL v[16];
    for (int i = 0; i < 16; i++) v[i] = i < left ? p[i] : (REAL)0;
    return vload16(0, v);
}

#define STEP(load)                                                                                                     \
    do {                                                                                                               \
        REALV b_[4];                                                                                                   \
        for (int j = 0; j < 4; j++) b_[j] = load(b[j] + at);                                                           \
        for (int i = 0; i < ROWS; i++) {                                                                               \
            REALV a_ = load(a[i] + at);                                                                                \
            for (int j = 0; j < 4; j++) sum[i][j] = fma(a_, b_[j], sum[i][j]);                                         \
        }                                                                                                              \
    } while (0)
#define LOAD_LAST(p) load_left(p, k - at)

/* ROWS rows of A by four of B. */
#define DOTS(name)                                                                                                     \
    static inline void name(int k, __global const REAL *restrict x, long lda, __global const REAL *restrict w0,        \
                            __global const REAL *restrict w1, __global const REAL *restrict w2,                        \
                            __global const REAL *restrict w3, REAL *out)                                               \
    {                                                                                                                  \
        REALV sum[ROWS][4];                                                                                            \
        __global const REAL *const b[4] = {w0, w1, w2, w3};                                                            \
        __global const REAL *a[ROWS];                                                                                  \
        int at = 0;                                                                                                    \
        for (int i = 0; i < ROWS; i++) a[i] = x + i * lda;                                                             \
        for (int i = 0; i < ROWS; i++)                                                                                 \
            for (int j = 0; j < 4; j++) sum[i][j] = (REALV)(0);                                                        \
        for (; at + 16 <= k; at += 16) STEP(HG_LOADV);                                                                 \
        if (at < k) STEP(LOAD_LAST);                                                                                   \
        for (int i = 0; i < ROWS; i++)                                                                                 \
            for (int j = 0; j < 4; j++) out[4 * i + j] = hg_addv(sum[i][j]);                                           \
    }
#define ROWS 1
DOTS(dots1)
#undef ROWS
#define ROWS 4
DOTS(dots4)
#undef ROWS

__kernel void gemm_rows(int m, int n, int k, int columns, REAL alpha, REAL beta, __global const REAL *restrict a,
                        long ao, long lda, long astep, __global const REAL *restrict b, long bo, long ldb, long bstep,
                        __global REAL *restrict c, long co, long ldc, long cstep, int epilogue,
                        __global const REAL *restrict bias, long biaso)
{
    const long z = (long)get_group_id(1);
    const int first = (int)get_group_id(0) * columns, end = min(n, first + columns);
    a += ao + z * astep;
    b += bo + z * bstep;
    c += co + z * cstep;
    for (int j = first; j < end; j += 4) {
        int more = min(4, end - j);
        __global const REAL *row = b + j * ldb, *w1 = row + (more > 1) * ldb, *w2 = row + (more > 2) * 2 * ldb,
                            *w3 = row + (more > 3) * 3 * ldb;
        for (int i = 0, rows; i < m; i += rows) {
            REAL out[16];
            rows = m - i >= 4 ? 4 : 1;
            __global const REAL *x = a + i * lda;
            if (rows == 4)
                dots4(k, x, lda, row, w1, w2, w3, out);
            else
                dots1(k, x, lda, row, w1, w2, w3, out);
            for (int r = 0; r < rows; r++)
                for (int q = 0; q < more; q++) {
                    __global REAL *to = c + (i + r) * ldc + j + q;
                    REAL v = alpha * out[4 * r + q];
                    if (beta != 0) v = fma(beta, *to, v);
                    if (epilogue & 3) v += bias[biaso + (epilogue & 1 ? j + q : i + r)];
                    *to = epilogue & 4 && v < 0 ? (REAL)0 : v;
                }
        }
    }
}
