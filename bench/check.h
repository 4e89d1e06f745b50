/* Whether the result of a convolution is right. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include "conv/problem.h"

enum { BENCH_SAMPLES = 4096 };

/* Values that the result of a problem must have: about 4,000 of them spread over it, fewer where their sums are long. */
typedef struct bench_reference {
    int64_t index[BENCH_SAMPLES];
    double value[BENCH_SAMPLES], largest;
    int count;
} bench_reference;

/* In double, by the definition, from the two operands of the problem's direction: input x, weight w, output y. */
void bench_reference_make(const hg_conv_problem *p, const float *x, const float *w, const float *y,
                          bench_reference *reference);

/* sqrt(mean((result - reference)^2)) / max|reference| over the samples; NaN if one of them, or any other of the `count`
 * elements of the result, is NaN. */
double bench_rms_error(const bench_reference *reference, const float *result, int64_t count);

/* What that may be: sums in f32 lose 1e-6 up to 4,608 terms (512 channels of 3 x 3), Winograd's F(4x4) twice as much,
 * F(6x6) ten times; more terms as their square root. */
double bench_error_bound(const hg_conv_problem *p, const char *solver);

#endif
