/* Every operation once, forward and backward, on shapes that an interpreter of OpenCL gets through: 2 x 3 x 8 x 8. */
#ifndef TESTS_SMOKE_H
#define TESTS_SMOKE_H

#include "conv/solver.h"
#include "support.h"

Suite *elements_suite(void);
Suite *layers_suite(void);
Suite *order_suite(void);
Suite *products_suite(void);
Suite *rows_suite(void);
Suite *tensors_suite(void);
Suite *train_suite(void);

#define SMOKE_SHAPE HG_SHAPE(2, 3, 8, 8)
enum { SMOKE_N = 2 * 3 * 8 * 8 };

/* n quarters from -3 to 3, others for each `k`; the same in every run. free() them. */
double *smoke_values(int64_t n, int k);
/* A tensor of them, in the open scope. */
hg_tensor *smoke_tensor(hg_dtype dtype, hg_shape shape, int k);
/* The same, as a leaf that records. */
hg_tensor *smoke_leaf(hg_dtype dtype, hg_shape shape, int k);
/* Walks back from `y` with smoke_values(numel, k) as its gradient. */
void smoke_backward(hg_tensor *y, int k);
/* Relative error of `ulps` steps of f32, or of f64. */
double smoke_ulps(hg_dtype dtype, double ulps);
/* The same for a division: 0 steps where the device rounds it correctly, 2.5 (OpenCL 1.2, section 7.4) elsewhere. */
double smoke_division(hg_dtype dtype);
/* The problems (texts of hg_conv_parse) by `solver`, in each of its configurations, and by the definition on small
 * integers, in every direction that it takes: the same numbers, or an RMS error of at most `limit` of the largest. A
 * line "skipped" if it takes none. */
void smoke_convolutions(const hg_conv_solver *solver, const char *const *problems, int n, double limit);
#define SMOKE_CONVOLUTIONS(solver, problems, limit)                                                                    \
    smoke_convolutions(&(solver), problems, (int)(sizeof(problems) / sizeof *(problems)), limit)
/* A line "skipped: WHAT", once for each text. */
void smoke_skipped(const char *what);

#endif
