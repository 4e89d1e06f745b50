/* Arrays as NumPy prints them. */
#ifndef HG_TENSOR_PRINT_NUMPY_H
#define HG_TENSOR_PRINT_NUMPY_H

#include "base/str.h"
#include "hapgop/tensor.h"

/* Appends the text of print(array) in NumPy 1.24 with its default options: [[[  0   3   6 ...
 * `data` is host memory, row-major. Memory ran out if out->failed. */
void hg_print_numpy(hg_str *out, hg_dtype dtype, hg_shape shape, const void *data);

#endif
