/* Products of matrices and batches of them, without gradients: what matmul and linear stand on. */
#ifndef HG_OPS_PRODUCT_H
#define HG_OPS_PRODUCT_H

#include "tensor/tensor.h"

/* c = a b (+ bias for each column, NULL for none). The last two dims are the matrices; batch dims of a and b broadcast
 * to c's. c is contiguous; a and b may be views: rows or columns that are contiguous go to hg_gemm as they lie,
 * the rest through a copy in the open scope. The caller has checked: one floating dtype, one device, shapes that fit. */
hg_status hg_product(hg_tensor *a, hg_tensor *b, hg_tensor *bias, hg_tensor *c);

/* The last two dims exchanged: a view. */
hg_tensor *hg_transposed(const hg_tensor *t);

/* t as one matrix of its last dim's width: a view if strides allow it, else of a copy in the open scope. 1-D is one
 * row. */
hg_tensor *hg_as_rows(hg_tensor *t);

#endif
