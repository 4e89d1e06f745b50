/* What losses share. */
#ifndef HG_OPS_LOSS_H
#define HG_OPS_LOSS_H

#include "hapgop/ops.h"
#include "tensor/tensor.h"

/* What the checks of a loss over classes found. */
typedef struct hg_loss_problem {
    hg_tensor *input, *target, *weight;     /* contiguous; weight NULL if there is none */
    int dim;                                /* of the classes */
    hg_loss_options options;
} hg_loss_problem;

/* Checks shapes and dtypes of input (N x C, C, N x C x d...) and class indices (N, none, N x d...), in PyTorch's
 * words, and queues the search for targets out of range. Makes tensors in the open scope. */
hg_status hg_loss_check(const char *op, hg_tensor *input, hg_tensor *target, const hg_loss_options *o,
                        hg_loss_problem *problem);
/* The weight alone: a float tensor of one element a class that needs no gradient. */
hg_status hg_loss_check_weight(const char *op, const hg_tensor *input, int64_t classes, hg_tensor *weight);
/* "Float", "Long": what PyTorch calls the dtype in its messages. */
const char *hg_scalar_type(hg_dtype dtype);

/* Reduces `loss` (contiguous, one element a row). Mean divides by the sum of `used`, or by the number of rows if that
 * is NULL. *total (NULL if not wanted) is what was divided by: 1 unless mean. Returns `loss` itself for
 * HG_REDUCE_NONE. */
hg_tensor *hg_loss_reduce(hg_tensor *loss, hg_tensor *used, hg_reduction reduction, hg_tensor **total);

#endif
