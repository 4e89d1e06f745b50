/* What the element-wise operations share, and other operations may use in their backward functions. Nothing here
 * records a gradient. */
#ifndef HG_OPS_ELEMENTWISE_H
#define HG_OPS_ELEMENTWISE_H

#include "autograd/autograd.h"
#include "hapgop/ops.h"
#include "tensor/iterate.h"

/* Build options of the kernels that include elementwise.clh. */
void hg_element_options(hg_dtype dtype, bool wide, char out[64]);
/* For HG_FOR(t, results) where a result costs a whole line: a work-item of a CPU takes fewer than hg_range_elements
 * gives it. */
hg_range hg_range_lines(const hg_device *dev, int64_t results);
/* A SCALAR argument of those kernels: REAL, or long for integers (the nearest there is). */
hg_arg hg_arg_scalar(hg_dtype dtype, double value);
/* Whether a number can go with elements of `dtype`: an integer type takes no fraction, infinity or NaN. */
bool hg_check_number(const char *op, hg_dtype dtype, double value);
/* Whether both are tensors of one dtype, and not bool unless `bools`. */
bool hg_check_pair(const char *op, hg_tensor *a, hg_tensor *b, bool bools);

/* y = f(x; p, q) by a kernel of unary.cl; any strides. */
hg_tensor *hg_map(const char *kernel, hg_tensor *x, double p, double q);
/* dx = dy f'(saved; p, q) by a kernel of unary.cl; any strides. */
hg_tensor *hg_map_backward(const char *kernel, hg_tensor *dy, hg_tensor *saved, double p, double q);

/* The same by kernels that UNARY and BACKWARD of unary.clh made in another file. */
hg_tensor *hg_map_from(const hg_source *source, const char *kernel, hg_tensor *x, double p, double q);
hg_tensor *hg_map_backward_from(const hg_source *source, const char *kernel, hg_tensor *dy, hg_tensor *saved, double p,
                                double q);

/* A function of two or three operands: the kernels that HG_BINARY or HG_TERNARY of elementwise.clh made. */
typedef struct hg_function {
    const hg_source *source;
    const char *kernel, *strided;
} hg_function;
#define HG_FUNCTION(file, name) (&(const hg_function){&hg_source_##file, name, name "_strided"})
/* y = f(operands), broadcasting, any strides; y has the dtype `result`. HG_E_SHAPE if they do not broadcast. */
hg_tensor *hg_zip(const char *op, const hg_function *f, hg_dtype result, hg_tensor **operands, int n);
#define HG_ZIP(op, file, name, result, ...) hg_zip(op, HG_FUNCTION(file, name), result, HG_LIST(__VA_ARGS__))

/* Sums a gradient down to the shape of an operand that was broadcast; `t` itself if it has that shape. */
hg_tensor *hg_sum_to(hg_tensor *t, int ndim, const int64_t *size);
/* The same for input `input` of a node. */
hg_tensor *hg_sum_to_input(hg_node *node, int input, hg_tensor *t);

#endif
