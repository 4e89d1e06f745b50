/* Arrays as PyTorch prints them. */
#ifndef HG_TENSOR_PRINT_TORCH_H
#define HG_TENSOR_PRINT_TORCH_H

#include "base/str.h"
#include "hapgop/tensor.h"

typedef struct hg_print_options {
    bool requires_grad;     /* a leaf that needs a gradient: ", requires_grad=True" */
    const char *grad_fn;    /* "ReluBackward0": ", grad_fn=<ReluBackward0>" instead; NULL for none */
} hg_print_options;

/* Appends the text of print(tensor) in PyTorch 1.13 with its default options: tensor([[ 0.4534, -0.7466], ...
 * `data` is host memory, row-major; `options` may be NULL. Memory ran out if out->failed. */
void hg_print_torch(hg_str *out, hg_dtype dtype, hg_shape shape, const void *data, const hg_print_options *options);

#endif
