/* Single elements of a convolution's result by its definition, in double, on the host: what solvers are checked with
 * where the whole of it would take too long. */
#ifndef HG_CONV_DEFINITION_H
#define HG_CONV_DEFINITION_H

#include "conv/problem.h"

typedef enum hg_conv_operand {
    HG_CONV_INPUT,
    HG_CONV_WEIGHT,
    HG_CONV_OUTPUT,
    HG_CONV_BIAS_OPERAND,
    HG_CONV_RESIDUAL_OPERAND
} hg_conv_operand;

/* Element `i` of the tensor that the problem's direction computes. `value` gives the elements of the others. */
double hg_conv_element(const hg_conv_problem *p, int64_t i, double (*value)(hg_conv_operand operand, int64_t i));

/* How many products an element sums at most. */
int64_t hg_conv_terms(const hg_conv_problem *p);

#endif
