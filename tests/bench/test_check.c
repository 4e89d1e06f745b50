/* The check of hapgop-bench conv: what it compares with is right, and it misses neither NaN nor a wrong element. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../bench/check.h"
#include "conv_reference.h"
#include "support.h"

typedef struct data {
    int64_t numel[3];
    float *values[3];   /* input, weight, output */
    double *exact[3];
} data;

static data make_data(const hg_conv_problem *p)
{
    data d = {.numel = {hg_conv_input_numel(p), hg_conv_weight_numel(p), hg_conv_output_numel(p)}};
    for (int i = 0; i < 3; i++) {
        d.exact[i] = test_integers(d.numel[i], 4);
        d.values[i] = malloc((size_t)d.numel[i] * sizeof(float));
        for (int64_t k = 0; k < d.numel[i]; k++) d.values[i][k] = (float)d.exact[i][k];
    }
    test_conv_reference(p, d.exact[0], d.exact[1], d.exact[2]);
    return d;
}

static void free_data(data *d)
{
    for (int i = 0; i < 3; i++) {
        free(d->values[i]);
        free(d->exact[i]);
    }
}

static int result_of(int direction)
{
    return direction == HG_CONV_FORWARD ? 2 : direction == HG_CONV_BACKWARD_DATA ? 0 : 1;
}

/* Exact on small integers; then with one element wrong at a time. */
static void check(hg_conv_problem p, int direction)
{
    static bench_reference reference;
    p.direction = direction;
    data d = make_data(&p);
    int r = result_of(direction);
    bench_reference_make(&p, d.values[0], d.values[1], d.values[2], &reference);
    ck_assert_int_eq(reference.count, d.numel[r] < BENCH_SAMPLES ? d.numel[r] : BENCH_SAMPLES);
    ck_assert_int_eq(reference.index[reference.count - 1], d.numel[r] - 1);
    for (int i = 0; i < reference.count; i++) {
        ck_assert(i == 0 ? reference.index[i] == 0 : reference.index[i] > reference.index[i - 1]);
        ck_assert_double_eq(reference.value[i], d.exact[r][reference.index[i]]);
    }
    for (int64_t i = 0; i < d.numel[r]; i++) d.values[r][i] = (float)d.exact[r][i];
    ck_assert_double_eq(bench_rms_error(&reference, d.values[r], d.numel[r]), 0);
    float *one = &d.values[r][reference.index[reference.count / 2]], *any = &d.values[r][test_between(0, d.numel[r] - 1)];
    *one += (float)reference.largest + 1;
    ck_assert_double_gt(bench_rms_error(&reference, d.values[r], d.numel[r]), 1e-3);
    *any = NAN;
    ck_assert(isnan(bench_rms_error(&reference, d.values[r], d.numel[r])));
    free_data(&d);
}

START_TEST(the_reference_is_the_definition)
{
    static const char *const keys[] = {
        "fwd 2x3x7x8 4x3x3 s1x1 p1x1 f32",        "fwd 3x4x9x11 6x3x2 s2x3 p2x1 f32 d2x1 g2",
        "fwd 1x5x30 7x4 s3 p0:2 f32",             "fwd 2x2x5x6x7 3x2x3x1 s1x2x1 p1x1x0 f32",
        "fwd 1x8x6x6 8x5x5 s1x1 p2x2 f32 g8",     "fwd 1x1x3x3 1x3x3 s1x1 p0x0 f32",
        "fwd 4x3x40x40 5x1x1 s1x1 p0x0 f32",      "fwd 1x2x4x4 2x2x2 s5x5 p1x1 f32",
        "fwd 1x2x3x2 2x3x4 s1x1 p0x3 f32",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        hg_conv_problem p;
        ck_assert_hg(hg_conv_parse(keys[i], &p));
        for (int direction = 0; direction < 3; direction++) check(p, direction);
    }
}
END_TEST

START_TEST(the_bound_grows_with_the_sum_and_knows_winograd)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 8x64x16x16 64x3x3 s1x1 p1x1 f32", &p));
    ck_assert_double_eq(bench_error_bound(&p, "direct"), 1e-6);
    ck_assert_double_eq(bench_error_bound(&p, "winograd-f4x4"), 2e-6);
    ck_assert_double_eq(bench_error_bound(&p, "winograd-f2x2"), 1e-6);
    p.channels = 4 * 512;
    ck_assert_double_eq_tol(bench_error_bound(&p, "direct"), 2e-6, 1e-12);
    p.direction = HG_CONV_BACKWARD_WEIGHTS;     /* 2,048 terms, whatever the channels */
    ck_assert_double_eq(bench_error_bound(&p, "direct"), 1e-6);
}
END_TEST

int main(void)
{
    Suite *suite = TEST_SUITE("bench check", the_reference_is_the_definition,
                              the_bound_grows_with_the_sum_and_knows_winograd);
    return test_main("bench", &suite, 1);
}
