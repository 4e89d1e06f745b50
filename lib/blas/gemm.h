/* Matrix products on buffers. */
#ifndef HG_BLAS_GEMM_H
#define HG_BLAS_GEMM_H

#include "cl/device.h"

typedef struct hg_matrix {
    cl_mem mem;
    int64_t offset;     /* of the first element, in elements */
    int64_t ld;         /* elements from a row, as it lies in memory, to the next */
    int64_t step;       /* elements from a matrix of the batch to the next; 0 for A or B: all use the same one */
} hg_matrix;

typedef enum hg_gemm_bias { HG_BIAS_NONE, HG_BIAS_COLUMNS, HG_BIAS_ROWS } hg_gemm_bias;

typedef struct hg_gemm_problem {
    bool f64;
    bool trans_a, trans_b;      /* A lies in memory as k x m, B as n x k */
    int64_t m, n, k, batch;     /* any may be 0 */
    double alpha, beta;
    hg_matrix a, b, c;
    hg_gemm_bias bias_along;    /* a value for each column of C (linear layers) or each row (convolutions) */
    cl_mem bias;
    int64_t bias_offset;
    bool relu;                  /* NaN stays NaN */
} hg_gemm_problem;

/* C = relu(alpha op(A) op(B) + beta C + bias) for every matrix of the batch; row-major, f32 or f64.
 * op(A) is m x k, op(B) k x n, C m x n; C overlaps neither A nor B, and its matrices not each other. With beta = 0, C
 * is never read: NaN there is overwritten. With k = 0, C = relu(beta C + bias). The same call on the same device gives
 * the same bits.
 * Queued; workspace comes from the device's pool. Errors: HG_E_ARG (sizes, leading dimensions, a matrix beyond its
 * buffer), HG_E_UNSUPPORTED (f64 without fp64), HG_E_MEMORY, HG_E_DRIVER. */
hg_status hg_gemm(hg_device *dev, const hg_gemm_problem *p);

/* "8x32" or "128x128", a tile, or "clblast": what hg_gemm uses, a static text. */
const char *hg_gemm_algorithm(hg_device *dev, const hg_gemm_problem *p);

/* ---- Within this room ---- */
/* m, n, k, batch > 0 and checked. */
hg_status hg_gemm_cpu(hg_device *dev, const hg_gemm_problem *p);
const char *hg_gemm_cpu_algorithm(hg_device *dev, const hg_gemm_problem *p);
hg_status hg_gemm_clblast(hg_device *dev, const hg_gemm_problem *p);    /* without bias and ReLU */
bool hg_gemm_clblast_knows(const hg_device *dev);       /* whether its parameters are tuned for such a device */
bool hg_gemm_gpu_takes(const hg_device *dev, const hg_gemm_problem *p);     /* else hg_gemm_gpu() must not be called */
hg_status hg_gemm_gpu(hg_device *dev, const hg_gemm_problem *p);
const char *hg_gemm_gpu_algorithm(hg_device *dev, const hg_gemm_problem *p);
/* C = relu(alpha (sum of `slices` m x n matrices a batch element in `partial`) + beta C + bias). */
hg_status hg_gemm_finish(hg_device *dev, const hg_gemm_problem *p, double alpha, cl_mem partial, int64_t slices,
                         double beta);
int hg_gemm_epilogue(const hg_gemm_problem *p);     /* the flags that kernels take */

#endif
