/* A row-major array on the host, as the two printers read it. */
#ifndef HG_TENSOR_HOST_ARRAY_H
#define HG_TENSOR_HOST_ARRAY_H

#include "hapgop/tensor.h"

#define HG_EDGE_ITEMS 3             /* of each dimension, at its beginning and its end, in a summary */
#define HG_SUMMARY_THRESHOLD 1000   /* PyTorch and NumPy print a summary of arrays with more elements */

typedef struct hg_host_array {
    hg_dtype dtype;
    hg_shape shape;
    const void *data;
    int64_t numel, stride[HG_MAX_DIMS];
    bool summary;
} hg_host_array;

hg_host_array hg_host_array_of(hg_dtype dtype, hg_shape shape, const void *data);

bool hg_host_is_float(const hg_host_array *a);
/* The element at a row-major index; of integers for the second one. */
double hg_host_f64(const hg_host_array *a, int64_t index);
int64_t hg_host_i64(const hg_host_array *a, int64_t index);

/* Whether a dimension is cut to its edges. */
bool hg_host_cut(const hg_host_array *a, int dim);

/* Calls `visit` for the row-major index of every element that is printed. */
void hg_host_visit(const hg_host_array *a, void (*visit)(const hg_host_array *, int64_t index, void *), void *user);

#endif
