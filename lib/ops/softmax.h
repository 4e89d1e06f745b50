/* How kernels/softmax.cl sees a contiguous tensor: rows along one dimension. */
#ifndef HG_OPS_SOFTMAX_H
#define HG_OPS_SOFTMAX_H

#include "tensor/tensor.h"

typedef struct hg_rows {
    int64_t rows, n, inner;     /* element c of row p is x[(p / inner * n + c) inner + p % inner] */
    hg_range range;
    char options[64];
} hg_rows;

hg_rows hg_rows_of(const hg_tensor *x, int dim);
#define HG_ARG_ROWS(r) HG_ARG_I64((r).rows), HG_ARG_I64((r).n), HG_ARG_I64((r).inner)

/* True for f32 and f64; else keeps "op: expected float32 or float64, got int64". */
bool hg_check_float(const char *op, const hg_tensor *t);

#endif
