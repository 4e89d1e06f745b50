/* What the suites of convolutions share: the operands of tests/oracle/conv.py, and the comparison with its files. */
#ifndef TESTS_CONV_GOLDEN_H
#define TESTS_CONV_GOLDEN_H

#include "suites.h"

/* n small whole numbers; free() them. */
double *conv_numbers(int64_t n, int step);
/* An f32 leaf of them that requires a gradient. */
hg_tensor *conv_leaf(hg_shape shape, int step);

typedef hg_tensor *(*conv_fn)(hg_tensor *x, hg_tensor *w, hg_tensor *b, const void *options);
/* The output, and the gradients of input, weight and bias, are exactly those in tests/data/conv/NAME.npy. */
void conv_golden(const char *name, conv_fn fn, hg_shape input, hg_shape kernel, int64_t biases, const void *options,
                 hg_shape output);

/* Fails unless `y` is the error tensor with this code and text. */
void conv_fails(hg_tensor *y, hg_status code, const char *part);
/* Fails unless `t` is a tensor of this shape. */
void conv_has_shape(hg_tensor *t, hg_shape shape);
/* An f64 tensor of random values. */
hg_tensor *conv_random_f64(hg_shape shape);

#endif
