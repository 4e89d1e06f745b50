#ifndef TESTS_BLAS_SUITES_H
#define TESTS_BLAS_SUITES_H

#include "blas/gemm.h"
#include "support.h"

Suite *clblast_suite(void);
Suite *fft_suite(void);
Suite *gemm_suite(void);

/* One product to check: what is free in hg_gemm_problem, and how operands lie in memory. */
typedef struct product {
    int64_t m, n, k, batch;
    bool trans_a, trans_b, f64;
    bool one_a, one_b;          /* one matrix for the whole batch */
    double alpha, beta;
    hg_gemm_bias bias_along;
    bool relu;
    int64_t offset[3];          /* of A, B, C, in elements */
    int64_t gap[3];             /* elements between rows */
    bool clblast;               /* by CLBlast whatever the device's class: no bias, no ReLU */
    bool rough;                 /* fractions, compared by the RMS metric; else small integers, compared bit by bit */
} product;

#define PRODUCT(m_, n_, k_, alpha_) .m = (m_), .n = (n_), .k = (k_), .batch = 1, .alpha = (alpha_)
#define PRODUCTS(batch_, m_, n_, k_) .m = (m_), .n = (n_), .k = (k_), .batch = (batch_), .alpha = 1

/* Runs it on fresh random data and compares all of C's buffer with a plain loop in double: results, and that what
 * lies between and around the rows is untouched. C is NaN before if beta is 0. */
void check_product(const product *p);

#endif
