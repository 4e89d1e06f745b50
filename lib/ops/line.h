/* A contiguous tensor seen along one dimension: x[outer][length][inner]. */
#ifndef HG_OPS_LINE_H
#define HG_OPS_LINE_H

#include "tensor/tensor.h"

typedef struct hg_line {
    int64_t outer, length, inner;
} hg_line;

/* A scalar is a line of one element. */
static inline hg_line hg_line_of(int ndim, const int64_t *size, int dim)
{
    hg_line l = {1, ndim ? size[dim] : 1, 1};
    for (int d = 0; d < dim; d++) l.outer *= size[d];
    for (int d = dim + 1; d < ndim; d++) l.inner *= size[d];
    return l;
}
#define HG_ARG_LINE(l) HG_ARG_I64((l).outer), HG_ARG_I64((l).length), HG_ARG_I64((l).inner)

/* A stable sort of each row of a contiguous x[rows][n], NaN the largest, into new tensors of the open scope: the values
 * and (i64) the places in the row that they came from. Either may be NULL if it is not wanted. */
hg_status hg_raw_sort_rows(hg_tensor *x, int64_t rows, int64_t n, bool descending, hg_tensor **values,
                           hg_tensor **places);

#endif
