/* What batch normalisation alone and with what follows it share. */
#ifndef HG_OPS_BATCH_NORM_H
#define HG_OPS_BATCH_NORM_H

#include "hapgop/ops.h"
#include "tensor/tensor.h"

typedef struct hg_bn {
    const char *op;                                 /* its name in messages */
    hg_tensor *x, *mean, *var, *weight, *bias;      /* mean and var: running ones */
    bool train;                                     /* by the batch's statistics */
    double momentum, eps;
    hg_tensor *stats;                               /* 3 x C: see kernels/batch_norm.clh; filled in by hg_bn_prepare() */
    int64_t n, c, s;                                /* of x as N x C x S; the same */
} hg_bn;

/* How a channel's values are cut for the teams of a GPU. */
typedef struct hg_bn_parts {
    int64_t count, chunk;
} hg_bn_parts;
/* For m values in each of c channels. */
hg_bn_parts hg_bn_parts_of(const hg_device *dev, int64_t m, int64_t c);

hg_status hg_bn_check(const hg_bn *b);
/* Makes operands contiguous (new tensors of the open scope where they are not) and `stats`. */
hg_status hg_bn_prepare(hg_bn *b);
/* Statistics by a kernel of their own: of the batch on a GPU (and the running ones take their share), or running ones. */
hg_status hg_bn_statistics(const hg_bn *b);
/* After a launch that updated running statistics: counts as a change in place. */
void hg_bn_updated(const hg_bn *b);
/* Parts (C x count x 2) of sums of a GPU's backward to dweight and dbias. */
hg_status hg_bn_merge_sums(hg_tensor *parts, hg_tensor *dweight, hg_tensor *dbias);

/* A kernel over x, in the variant for its element type and size. */
hg_status hg_bn_launch(const hg_tensor *x, const hg_source *source, const char *variant, const char *kernel,
                       hg_range range, const hg_arg *args, int nargs);

/* Batch normalisation, then ReLU if `relu`. */
hg_tensor *hg_bn_apply(hg_bn *b, bool relu);

/* Groups of arguments. An absent operand goes to the kernel as another one that it then does not read. */
#define HG_ARG_OR(t, other) HG_ARG_TENSOR((t) ? (t) : (other))
#define HG_ARG_BN_RUNNING(b, other)                                                                                    \
    hg_arg_real((b)->x->dtype == HG_F64, (b)->eps), hg_arg_real((b)->x->dtype == HG_F64, (b)->momentum),               \
        HG_ARG_I32((b)->mean != NULL), HG_ARG_OR((b)->mean, other), HG_ARG_OR((b)->var, other),                        \
        HG_ARG_MEM(hg_fault_buffer((b)->x->dev))
#define HG_ARG_BN_AFFINE(b)                                                                                            \
    HG_ARG_I32(((b)->weight ? 1 : 0) | ((b)->bias ? 2 : 0)), HG_ARG_OR((b)->weight, (b)->stats),                       \
        HG_ARG_OR((b)->bias, (b)->stats)

#endif
