/* C = alpha op(A) op(B) + beta C (+ bias, ReLU), row-major. GPU class; f32; gemm_tile.clh has how.
 *
 * Keys: the tile (BM, BN, BK, TM, TN), TRANS_A, TRANS_B, and ALIGNED: every operand's offset, leading dimension and
 * batch step, and the extent that lies along memory, are multiples of 4. Rows and columns beyond the edge read the last
 * ones and are not stored.
 *
 * global: (tiles along n, tiles along m, batch x slices) groups. k_slice (a multiple of BK) < k: group z = batch slices +
 * slice sums only its slice of k, into C's matrix number z; gemm_finish.cl adds the slices in order. */
#include "common.clh"
#include "gemm_tile.clh"
#include "gemm.clh"

#ifndef TRANS_A
#define TRANS_A 0
#endif
#ifndef TRANS_B
#define TRANS_B 0
#endif
#ifndef ALIGNED
#define ALIGNED 1
#endif

#if !HG_CPU

/* Four elements of a line in memory from `first` on, which are below `last`, or read the last one. */
static inline float4 load4(__global const float *line, int first, int last)
{
#if ALIGNED
    (void)last;
    return *(__global const float4 *)(line + first);
#else
    return (float4)(line[min(first, last)], line[min(first + 1, last)], line[min(first + 2, last)],
                    line[min(first + 3, last)]);
#endif
}

/* A piece along the lanes: k beyond `depth` is 0. */
static inline float4 along(__global const float *x, INDEX ld, int lane, int lanes, int k, int depth)
{
    int first = ALIGNED ? min(lane, lanes - 4) : lane;
    return k < depth ? load4(x + k * ld, first, lanes - 1) : (float4)(0);
}

/* A piece along k. */
static inline float4 across(__global const float *x, INDEX ld, int lane, int lanes, int k, int depth)
{
    float4 v = 0;
    if (k < depth) v = load4(x + min(lane, lanes - 1) * ld, k, depth - 1);
#if !ALIGNED
    if (k + 1 >= depth) v.y = 0;
    if (k + 2 >= depth) v.z = 0;
    if (k + 3 >= depth) v.w = 0;
#endif
    return v;
}

/* What is done to the sums of C. */
typedef struct finish {
    int m, n;
    float alpha, beta;
    int epilogue;
    __global float *c;
    INDEX ldc;
    __global const float *bias;
} finish;

static inline float finished(const finish *f, int row, int column, float sum, float old)
{
    sum *= f->alpha;
    if (f->beta != 0) sum = fma(f->beta, old, sum);
    if (f->epilogue & BIAS_COLUMNS) sum += f->bias[column];
    if (f->epilogue & BIAS_ROWS) sum += f->bias[row];
    return f->epilogue & RELU && sum < 0 ? 0 : sum;
}

/* Four sums side by side, as far as they lie in C. */
static inline void store(const finish *f, int row, int column, float4 sum)
{
    __global float *to = f->c + row * f->ldc + column;
    if (row >= f->m || column >= f->n) return;
#if ALIGNED
    float4 old = 0;
    if (f->beta != 0) old = *(__global float4 *)to;
    sum.x = finished(f, row, column, sum.x, old.x);
    sum.y = finished(f, row, column + 1, sum.y, old.y);
    sum.z = finished(f, row, column + 2, sum.z, old.z);
    sum.w = finished(f, row, column + 3, sum.w, old.w);
    *(__global float4 *)to = sum;
#else
    to[0] = finished(f, row, column, sum.x, f->beta != 0 ? to[0] : 0);
    if (column + 1 < f->n) to[1] = finished(f, row, column + 1, sum.y, f->beta != 0 ? to[1] : 0);
    if (column + 2 < f->n) to[2] = finished(f, row, column + 2, sum.z, f->beta != 0 ? to[2] : 0);
    if (column + 3 < f->n) to[3] = finished(f, row, column + 3, sum.w, f->beta != 0 ? to[3] : 0);
#endif
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void gemm_tiles(int m, int n, int k, int k_slice,
    int slices, float alpha, float beta, __global const float *restrict a, long ao, long lda, long a_step,
    __global const float *restrict b, long bo, long ldb, long b_step, __global float *restrict c, long co, long ldc,
    long c_step, int epilogue, __global const float *restrict bias, long bias_o)
{
    TILE_LOCAL
    const int z = (int)get_group_id(2), k0 = z % slices * k_slice, depth = min(k - k0, k_slice);
    const int row0 = (int)get_group_id(1) * BM, column0 = (int)get_group_id(0) * BN;
    a += ao + z / slices * a_step + (TRANS_A ? k0 * lda : k0);
    b += bo + z / slices * b_step + (TRANS_B ? k0 : k0 * ldb);
    c += co + z * c_step;

#define PIECE_A(i, k) (TRANS_A ? along(a, (INDEX)lda, row0 + ALONG_LANE(item + i * ITEMS, BM), m,                      \
                                       k + ALONG_K(item + i * ITEMS, BM), depth)                                       \
                               : across(a, (INDEX)lda, row0 + ACROSS_LANE(item + i * ITEMS), m,                        \
                                        k + ACROSS_K(item + i * ITEMS), depth))
#define PIECE_B(i, k) (TRANS_B ? across(b, (INDEX)ldb, column0 + ACROSS_LANE(item + i * ITEMS), n,                     \
                                        k + ACROSS_K(item + i * ITEMS), depth)                                         \
                               : along(b, (INDEX)ldb, column0 + ALONG_LANE(item + i * ITEMS, BN), n,                   \
                                       k + ALONG_K(item + i * ITEMS, BN), depth))
#define FETCH_A_REST(i) ra##i = PIECE_A(i, BK * (int)step__);
#define FETCH_B_REST(i) rb##i = PIECE_B(i, BK * (int)step__);
#if ALIGNED
    /* Where an item's pieces lie in step 0. */
#define PLACE_A(i)                                                                                                     \
    const INDEX at_a##i = TRANS_A ? ALONG_K(item + i * ITEMS, BM) * (INDEX)lda +                                       \
                                        min(row0 + ALONG_LANE(item + i * ITEMS, BM), m - 4)                            \
                                  : min(row0 + ACROSS_LANE(item + i * ITEMS), m - 1) * (INDEX)lda +                    \
                                        ACROSS_K(item + i * ITEMS);
#define PLACE_B(i)                                                                                                     \
    const INDEX at_b##i = TRANS_B ? min(column0 + ACROSS_LANE(item + i * ITEMS), n - 1) * (INDEX)ldb +                 \
                                        ACROSS_K(item + i * ITEMS)                                                     \
                                  : ALONG_K(item + i * ITEMS, BN) * (INDEX)ldb +                                       \
                                        min(column0 + ALONG_LANE(item + i * ITEMS, BN), n - 4);
    TILE_PIECES_A(PLACE_A)
    TILE_PIECES_B(PLACE_B)
    const INDEX step_a = BK * (TRANS_A ? (INDEX)lda : 1), step_b = BK * (TRANS_B ? 1 : (INDEX)ldb);
#define FETCH_A(i) ra##i = *(__global const float4 *)(a + step__ * step_a + at_a##i);
#define FETCH_B(i) rb##i = *(__global const float4 *)(b + step__ * step_b + at_b##i);
    const int full = depth / BK;
#define FETCH(step)                                                                                                    \
    {                                                                                                                  \
        const INDEX step__ = step;                                                                                     \
        if (step < full) {                                                                                             \
            TILE_PIECES_A(FETCH_A)                                                                                     \
            TILE_PIECES_B(FETCH_B)                                                                                     \
        } else {                                                                                                       \
            TILE_PIECES_A(FETCH_A_REST)                                                                                \
            TILE_PIECES_B(FETCH_B_REST)                                                                                \
        }                                                                                                              \
    }
#else
#define FETCH(step)                                                                                                    \
    {                                                                                                                  \
        const int step__ = step;                                                                                       \
        TILE_PIECES_A(FETCH_A_REST)                                                                                    \
        TILE_PIECES_B(FETCH_B_REST)                                                                                    \
    }
#endif
#if TRANS_A
#define KEEP_A(i) keep_along(ra##i, item + i * ITEMS, BM, LDA, to_a_);
#else
#define KEEP_A(i) keep_across(ra##i, item + i * ITEMS, LDA, (__local float *)to_a_);
#endif
#if TRANS_B
#define KEEP_B(i) keep_across(rb##i, item + i * ITEMS, LDB, (__local float *)to_b_);
#else
#define KEEP_B(i) keep_along(rb##i, item + i * ITEMS, BN, LDB, to_b_);
#endif
#define KEEP(to_a, to_b)                                                                                               \
    {                                                                                                                  \
        __local float4 *to_a_ = to_a, *to_b_ = to_b;                                                                   \
        TILE_PIECES_A(KEEP_A)                                                                                          \
        TILE_PIECES_B(KEEP_B)                                                                                          \
    }
    TILE_PRODUCT((depth + BK - 1) / BK);

    const finish f = {m, n, alpha, beta, epilogue, c, (INDEX)ldc, bias + bias_o};
#define STORE(r)                                                                                                       \
    store(&f, row0 + TILE_ROW(r), column0 + TILE_COLUMN(0), acc.a##r);                                                 \
    STORE_SECOND(r)
#if TN == 8
#define STORE_SECOND(r) store(&f, row0 + TILE_ROW(r), column0 + TILE_COLUMN(1), acc.b##r);
#else
#define STORE_SECOND(r)
#endif
    TILE_ROWS(STORE)
}
#endif
