/* How an element-wise kernel walks its operands: one common shape, broadcast, with neighbouring dimensions joined
 * wherever every operand allows it. */
#ifndef HG_TENSOR_ITERATE_H
#define HG_TENSOR_ITERATE_H

#include "tensor/tensor.h"

enum { HG_MAX_OPERANDS = 4 };

typedef struct hg_walk {
    int ndim;                                           /* after joining; at least 1 */
    int64_t n;
    int64_t size[HG_MAX_DIMS];                          /* innermost first; 1 beyond ndim */
    int64_t stride[HG_MAX_OPERANDS][HG_MAX_DIMS];       /* innermost first; 0 beyond ndim and where broadcast */
    bool contiguous;                                    /* every operand is simply 0..n-1 behind its offset */
    bool wide;                                          /* an index does not fit an int */
} hg_walk;

/* The shape that broadcasting gives; HG_E_SHAPE as PyTorch words it: "The size of tensor a (3) must match the size of
 * tensor b (4) at non-singleton dimension 1". */
hg_status hg_broadcast_shape(const char *op, const hg_tensor *a, const hg_tensor *b, int *ndim, int64_t *size);

/* Operand 0 has the full shape (usually the output); the others broadcast to it. */
hg_walk hg_walk_of(const hg_tensor *const *operands, int n);

/* The argument for a kernel's `long8` sizes or strides. */
hg_arg hg_arg_dims(const int64_t dims[HG_MAX_DIMS]);

#endif
