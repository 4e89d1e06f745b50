/* What the files of convolutions share. */
#ifndef HG_OPS_CONV_H
#define HG_OPS_CONV_H

#include "autograd/autograd.h"
#include "conv/solver.h"
#include "hapgop/ops.h"

/* One floating type for all; the bias may be NULL. */
hg_status hg_conv_check_types(const char *op, const hg_tensor *x, const hg_tensor *w, const hg_tensor *b);

/* Whether the weight's first dimension can be cut into so many groups, which are positive. */
hg_status hg_conv_check_groups(const char *op, const hg_tensor *w, int64_t groups);

/* "(4 x 4)"; returns `out`. */
char *hg_area_text(const int64_t *size, int rank, char out[96]);

/* What hg_conv_fold reads, all contiguous: a weight O x ..., vectors of O; bias, and gamma with beta, may be NULL. */
typedef struct hg_conv_fold_operands {
    hg_tensor *weight, *bias, *gamma, *beta, *mean, *var;
    double eps;
} hg_conv_fold_operands;

/* Overwrites `weight` (as f->weight) and `bias` (O) with those of the one convolution that equals the convolution and
 * its batch normalisation by running statistics. */
hg_status hg_conv_fold(const hg_conv_fold_operands *f, hg_tensor *weight, hg_tensor *bias);

#endif
