/* Measuring one convolution by several algorithms in turn. */
#ifndef BENCH_CONV_H
#define BENCH_CONV_H

#include "conv/candidates.h"
#include "results.h"

typedef struct bench_conv_options {
    double seconds;             /* of measuring for each algorithm */
    double tolerance;           /* a factor for the error bounds */
    bool configs;               /* every configuration of a solver, not only the one it expects to be fastest */
    const char *algorithm;      /* "all", "auto", or names separated by commas */
} bench_conv_options;

/* Whether the names are known; HG_E_ARG naming those there are. */
hg_status bench_check_algorithm(const char *algorithm);

/* Adds a row for each algorithm of the problem in its direction, measured in turns. What one algorithm gets wrong, or
 * cannot do, is its row's; an error here is the program's or the device's. If bench_stopped() becomes true, no row is
 * added. */
hg_status bench_conv(bench_results *r, const hg_conv_problem *p, const bench_conv_options *o);

#endif
