/* Convolution in plain C and double, by its definition: what every solver is compared with. */
#ifndef TESTS_CONV_REFERENCE_H
#define TESTS_CONV_REFERENCE_H

#include "conv/problem.h"

/* Computes, from the other two, the array that the problem's direction writes: y (forward, without epilogue), x
 * (backward-data) or w (backward-weights). */
void test_conv_reference(const hg_conv_problem *p, double *x, double *w, double *y);

#endif
