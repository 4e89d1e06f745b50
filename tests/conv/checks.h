/* A convolution by one solver or by all, against the definition in double. */
#ifndef TESTS_CONV_CHECKS_H
#define TESTS_CONV_CHECKS_H

#include "suites.h"

typedef struct data {
    double *x, *w, *y, *bias, *residual;
} data;

/* The operands and, in place of what the direction computes, what it should be; small integers if `exact`. */
data make_data(const hg_conv_problem *p, bool exact);
void free_data(data *d);

/* A flat tensor: the values behind an offset that no vector load is aligned to; poisoned if it is to be computed. */
hg_tensor *operand(const hg_conv_problem *p, int64_t n, const double *v, bool result);

/* Runs the problem; returns the tensor that was computed. */
hg_tensor *run(const hg_conv_problem *p, const data *d);

/* Equal, if `exact` and the solver does not round; else within the RMS error of the solver. */
void compare(const hg_conv_problem *p, hg_tensor *t, const data *d, bool exact);

/* Whether the solver does the problem, within its limit of workspace; that it says so by name if it does not. */
bool can(const hg_conv_solver *solver, const hg_conv_problem *p);

/* Whether each new shape may cost seconds to compile: such a solver has a test of its own, of few shapes. */
bool is_slow_to_plan(const hg_conv_solver *solver);

/* The problem by every other solver that can do it, in every direction. */
void check(const hg_conv_problem *problem, bool exact);
void check_key(const char *key, bool exact);

#endif
