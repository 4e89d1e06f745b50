/* What the files of convolutions share. */
#ifndef HG_OPS_CONV_H
#define HG_OPS_CONV_H

#include "autograd/autograd.h"
#include "conv/solver.h"
#include "hapgop/ops.h"

/* One floating type for all; the bias may be NULL. */
hg_status hg_conv_check_types(const char *op, const hg_tensor *x, const hg_tensor *w, const hg_tensor *b);

/* "(4 x 4)"; returns `out`. */
char *hg_area_text(const int64_t *size, int rank, char out[96]);

#endif
