/* Convolutions as text: shapes on the command line, suites in files. */
#ifndef BENCH_PROBLEMS_H
#define BENCH_PROBLEMS_H

#include "conv/problem.h"

typedef struct bench_problems {
    hg_conv_problem *items;     /* forward; each problem once */
    int count;
    size_t capacity;
} bench_problems;

/* Reads "NxCxHxW OxKHxKW sSHxSW pPHxPW dDHxDW gG": one number fewer for one dimension, one more for three; the last four
 * in any order or left out (s1 p0 d1 g1), with one number for every dimension. HG_E_FORMAT names what is wrong. */
hg_status bench_parse_problem(const char *text, hg_conv_problem *p);

/* Adds it, unless it is there already. */
hg_status bench_add_problem(bench_problems *list, const hg_conv_problem *p);

/* Adds those of a suite: the name of a built-in one or a file; a problem a line, # begins a comment. Errors name file
 * and line. */
hg_status bench_add_suite(bench_problems *list, const char *name);
/* "chapter, conv1d, ...": the built-in suites. */
const char *bench_suite_names(void);

/* Adds `count` random two-dimensional ones of at most 2 GFLOP: the same for the same seed. */
hg_status bench_add_random(bench_problems *list, int count, uint64_t seed);

/* As bench_parse_problem reads it, with stride and padding of each dimension: no direction, no type. Returns `out`. */
char *bench_problem_text(const hg_conv_problem *p, char out[HG_CONV_KEY]);

extern const char *const bench_directions[];    /* "fwd", "bwd-data", "bwd-weights", NULL */

#endif
