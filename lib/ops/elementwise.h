/* What the element-wise operations share, and other operations may use in their backward functions. */
#ifndef HG_OPS_ELEMENTWISE_H
#define HG_OPS_ELEMENTWISE_H

#include "autograd/autograd.h"
#include "hapgop/ops.h"
#include "tensor/iterate.h"

/* Build options of the kernels that include elementwise.clh. */
void hg_element_options(hg_dtype dtype, bool wide, char out[64]);
/* A SCALAR argument of those kernels: REAL, or long for integers. */
hg_arg hg_arg_scalar(hg_dtype dtype, double value);

/* y = f(x; p, q) by a kernel of unary.cl. Any strides; no gradient is recorded. */
hg_tensor *hg_map(const char *kernel, hg_tensor *x, double p, double q);
/* dx = dy f'(saved; p, q) by a kernel of unary.cl. */
hg_tensor *hg_map_backward(const char *kernel, hg_tensor *dy, hg_tensor *saved, double p, double q);

/* Sums a gradient down to the shape of an operand that was broadcast; `t` itself if it has that shape. */
hg_tensor *hg_sum_to(hg_tensor *t, int ndim, const int64_t *size);
/* The same for input `input` of a node. */
hg_tensor *hg_sum_to_input(hg_node *node, int input, hg_tensor *t);

#endif
