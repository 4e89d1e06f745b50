/* The shape rule of 2-D pooling, and how its kernels see it. */
#ifndef HG_OPS_POOL_H
#define HG_OPS_POOL_H

#include "hapgop/ops.h"
#include "tensor/iterate.h"

typedef struct hg_pool_problem {
    int64_t planes, in[2], out[2];
    hg_pool_options o;          /* strides filled in */
    int ndim;                   /* of the output */
    int64_t size[HG_MAX_DIMS];
} hg_pool_problem;

/* Checks N x C x H x W or C x H x W and fills planes and in. */
hg_status hg_pool_input(const char *op, const hg_tensor *x, hg_pool_problem *p);
/* The same and the sizes of the output by kernel, stride, padding, dilation and ceil_mode, in PyTorch's words. */
hg_status hg_pool_plan(const char *op, const hg_tensor *x, const hg_pool_options *o, hg_pool_problem *p);
/* Sets the output's sizes. */
void hg_pool_set_output(hg_pool_problem *p, const hg_tensor *x, int64_t height, int64_t width);

/* Work-items for a kernel over planes (CPU) or over n elements (GPU). */
hg_range hg_pool_range(const hg_device *dev, const hg_pool_problem *p, int64_t n);

/* planes, size, more: the first arguments of a pooling kernel. */
#define HG_ARG_POOL(p)                                                                                                 \
    HG_ARG_I64((p)->planes),                                                                                           \
        hg_arg_dims((const int64_t[HG_MAX_DIMS]){(p)->in[0], (p)->in[1], (p)->out[0], (p)->out[1], (p)->o.kernel[0],   \
                                                 (p)->o.kernel[1], (p)->o.stride[0], (p)->o.stride[1]}),               \
        hg_arg_dims((const int64_t[HG_MAX_DIMS]){(p)->o.padding[0], (p)->o.padding[1], (p)->o.dilation[0],             \
                                                 (p)->o.dilation[1]})

#endif
