/* Every kernel for GPUs once or a few times, on shapes an interpreter of OpenCL gets through and warps are full in. */
#ifndef TESTS_GPU_PROBE_H
#define TESTS_GPU_PROBE_H

#include "support.h"

Suite *probe_convolutions_suite(void);
Suite *probe_elements_suite(void);
Suite *probe_layers_suite(void);
Suite *probe_losses_suite(void);
Suite *probe_products_suite(void);
Suite *probe_rows_suite(void);
Suite *probe_tensors_suite(void);
Suite *probe_train_suite(void);

/* 4,096 elements: 16 KiB of f32. */
#define PROBE_SHAPE HG_SHAPE(4, 4, 16, 16)
/* 16 KiB a channel: more than the simulated cache keeps. */
#define PROBE_IMAGES HG_SHAPE(4, 2, 32, 32)

/* A tensor of the stream's values in [-1, 1], in the open scope; a leaf records. */
hg_tensor *probe_tensor(hg_shape shape);
hg_tensor *probe_leaf(hg_shape shape);
/* n different i64 below `limit`, or with repetitions if there are more. */
hg_tensor *probe_indices(hg_shape shape, int64_t limit);
/* Walks back from y with a gradient from the stream. */
void probe_backward(hg_tensor *y);

/* With $PROBE_WRITES: keeps t in $PROBE_FOLDER. Else compares it with what was kept as the same result of the same
 * suite: an RMS error of at most `limit` of the largest. */
void probe_result(hg_tensor *t, double limit);
bool probe_writes(void);
/* What the next result was when it was kept; free() it. NULL if this run writes. */
double *probe_expected(int64_t n);

#endif
