/* What measuring finds out: right, wrong, failing and slow candidates; and that it leaves the device as it was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cache.h"
#include "conv/definition.h"
#include "conv/measure.h"
#include "conv/tuning.h"
#include "conv_reference.h"
#include "suites.h"

static const char shape[] = "fwd 2x8x12x12 8x3x3 s1x1 p1x1 f32";

/* ---- solvers that are not what they should be: direct with something changed ---- */

/* Everything right but one element in the middle. */
static hg_status run_nearly(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_tensor *y = b->output;
    int64_t one = 1, stride = 1;
    hg_scope *s = hg_scope_inner();
    hg_status status = hg_conv_direct.run(dev, plan, b);
    if (status == HG_OK) status = hg_raw_fill(hg_new_view(y, 1, &one, &stride, y->offset + y->numel / 2 + 5), 0.5);
    hg_scope_end(s);
    return status;
}

static hg_status run_nothing(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    (void)dev;
    (void)plan;
    (void)b;
    return HG_OK;
}

static hg_status run_failing(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    (void)dev;
    (void)plan;
    (void)b;
    return hg_error(HG_E_DRIVER, "failing: the driver would not");
}

static size_t no_room(const hg_conv_problem *p, const hg_conv_config *c)
{
    (void)p;
    (void)c;
    return (size_t)1 << 28;
}

static hg_conv_solver like_direct(const char *name)
{
    hg_conv_solver s = hg_conv_direct;
    s.name = name;
    return s;
}

/* direct, and a candidate by the solver. */
static void pair_of(const char *key, const hg_conv_solver *solver, hg_conv_candidate pair[2])
{
    hg_conv_candidate *list;
    hg_conv_problem p;
    int count, found = 0;
    ck_assert_hg(hg_conv_parse(key, &p));
    ck_assert_hg(hg_conv_candidates(test_device(), &p, &list, &count));
    for (int i = 0; i < count; i++)
        if (list[i].plan.solver == &hg_conv_direct) pair[found++] = list[i];
    free(list);
    ck_assert_int_eq(found, 1);
    pair[1] = pair[0];
    pair[1].plan.solver = solver;
    pair[1].plan.workspace = solver->workspace(&p, &pair[1].plan.config);
}

START_TEST(one_wrong_element_is_found_told_and_not_timed)
{
    hg_conv_solver nearly = like_direct("nearly"), nothing = like_direct("nothing");
    nearly.run = run_nearly;
    nothing.run = run_nothing;
    const hg_conv_solver *liars[] = {&nearly, &nothing};
    for (int i = 0; i < 2; i++) {
        hg_conv_candidate pair[2];
        hg_tuning_row rows[2];
        pair_of(shape, liars[i], pair);
        cache_listen("warn");
        ck_assert_hg(hg_conv_measure(test_device(), pair, 2, rows));
        ck_assert_int_eq(rows[0].state, HG_TUNING_OK);
        ck_assert(rows[0].ms > 0);
        ck_assert_int_eq(rows[1].state, HG_TUNING_WRONG);
        ck_assert(isnan(rows[1].ms));
        ck_assert(!(rows[1].error < 1e-4));
        ck_assert_int_eq(hg_conv_measured_best(rows, 2), 0);
        ck_assert_msg(strstr(cache_heard(), liars[i]->name) && strstr(cache_heard(), shape), "%s", cache_heard());
        hg_set_log(NULL, NULL);
    }
}
END_TEST

START_TEST(a_wrong_candidate_is_kept_as_wrong)
{
    hg_conv_solver nearly = like_direct("nearly");
    hg_conv_candidate pair[2];
    hg_tuning_row *rows;
    char why[HG_DATABASE_WHY];
    int count, wrong = 0;
    nearly.run = run_nearly;
    cache_begin();
    pair_of(shape, &nearly, pair);
    ck_assert_hg(hg_tuning_measure(test_device(), pair, 2, &rows, why));
    ck_assert_str_eq(why, "");
    ck_assert(rows[0].chosen && !rows[1].chosen);
    free(rows);
    ck_assert_hg(hg_tuning_list(test_device(), &rows, &count));
    ck_assert_int_eq(count, 2);
    for (int i = 0; i < count; i++) wrong += rows[i].state == HG_TUNING_WRONG && !strcmp(rows[i].solver, "nearly");
    ck_assert_int_eq(wrong, 1);
    free(rows);
    cache_end();
}
END_TEST

START_TEST(a_candidate_that_fails_is_skipped_with_its_reason)
{
    hg_conv_solver failing = like_direct("failing"), refused = like_direct("refused");
    hg_conv_candidate pair[2];
    hg_tuning_row rows[2];
    failing.run = run_failing;
    pair_of(shape, &failing, pair);
    ck_assert_hg(hg_conv_measure(test_device(), pair, 2, rows));
    ck_assert_int_eq(rows[0].state, HG_TUNING_OK);
    ck_assert_int_eq(rows[1].state, HG_TUNING_SKIPPED);
    ck_assert_str_eq(rows[1].why, "failing: the driver would not");
    pair_of(shape, &refused, pair);
    strcpy(pair[1].why, "stride 2");
    ck_assert_hg(hg_conv_measure(test_device(), pair, 2, rows));
    ck_assert_str_eq(rows[1].why, "stride 2");
    ck_assert_int_eq(hg_last_status(), HG_OK);
}
END_TEST

static hg_device *device_with(const char *memory)
{
    setenv("HAPGOP_MEMORY", memory, 1);
    hg_device *dev = hg_device_open(NULL);
    unsetenv("HAPGOP_MEMORY");
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    return dev;
}

START_TEST(the_memory_budget_holds_while_measuring)
{
    hg_conv_solver greedy = like_direct("greedy");
    hg_conv_candidate pair[2];
    hg_tuning_row rows[2], *none;
    hg_memory_info memory;
    int count;
    greedy.workspace = no_room;
    pair_of(shape, &greedy, pair);
    hg_device *dev = device_with("16M");
    ck_assert_hg(hg_conv_measure(dev, pair, 2, rows));
    ck_assert_int_eq(rows[0].state, HG_TUNING_OK);
    ck_assert_int_eq(rows[1].state, HG_TUNING_SKIPPED);
    ck_assert_msg(strstr(rows[1].why, "memory") != NULL, "%s", rows[1].why);
    ck_assert_hg(hg_memory_get_info(dev, &memory));
    ck_assert_uint_eq(memory.in_use, 0);
    /* Operands of 64 MB. */
    ck_assert_int_eq(hg_tune(dev, "fwd 16x64x128x128 8x3x3", &none, &count), HG_E_MEMORY);
    ck_assert_ptr_null(none);
    test_error(HG_E_MEMORY, "HAPGOP_MEMORY");
    hg_device_close(dev);
}
END_TEST

START_TEST(a_convolution_that_cannot_be_measured_is_chosen_by_what_it_should_cost)
{
    cache_begin();
    setenv("HAPGOP_TUNE", "1", 1);
    hg_device *dev = device_with("16M");
    const hg_conv_plan *plan;
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 16x64x128x128 8x3x3", &p));
    cache_listen("conv");
    ck_assert_hg(hg_conv_choose(dev, &p, &plan));
    ck_assert_msg(strstr(cache_heard(), "not measured: ") && strstr(cache_heard(), "(expected)"), "%s", cache_heard());
    ck_assert_int_eq(hg_last_status(), HG_OK);
    hg_device_close(dev);
    cache_end();
}
END_TEST

START_TEST(measuring_leaves_random_numbers_and_profile_alone)
{
    hg_device *dev = test_device();
    hg_conv_candidate pair[2];
    hg_tuning_row rows[2];
    double numbers[2][8];
    pair_of(shape, &hg_conv_direct, pair);
    for (int turn = 0; turn < 2; turn++) {
        ck_assert_hg(hg_manual_seed(dev, 5, HG_RNG_PHILOX));
        if (turn) ck_assert_hg(hg_conv_measure(dev, pair, 2, rows));
        hg_scope *s = hg_scope_begin(dev);
        double *values = test_read(hg_rand(dev, HG_SHAPE(8)));
        memcpy(numbers[turn], values, sizeof numbers[turn]);
        free(values);
        hg_scope_end(s);
    }
    ck_assert_mem_eq(numbers[0], numbers[1], sizeof numbers[0]);
    if (hg_profile_begin(dev) != HG_OK) return;
    ck_assert_hg(hg_conv_measure(dev, pair, 2, rows));
    ck_assert_int_eq(dev->profile.count, 0);
    ck_assert(dev->profile.on);
    ck_assert_hg(hg_profile_end(dev));
}
END_TEST

START_TEST(what_was_wrong_before_is_the_operations_error)
{
    hg_conv_candidate pair[2];
    hg_tuning_row rows[2];
    hg_scope *s = hg_scope_begin(test_device());
    double target[] = {7}, scores[] = {0, 0, 0};
    pair_of(shape, &hg_conv_direct, pair);
    ck_assert_hg_ok(hg_cross_entropy(test_tensor(HG_F32, HG_SHAPE(1, 3), scores),
                                     test_tensor(HG_I64, HG_SHAPE(1), target), NULL));
    ck_assert_int_eq(hg_conv_measure(test_device(), pair, 2, rows), HG_E_ARG);
    test_error(HG_E_ARG, "Target 7 is out of bounds");
    ck_assert_hg(hg_conv_measure(test_device(), pair, 2, rows));
    hg_scope_end(s);
}
END_TEST

/* ---- elements by the definition ---- */

static const double *operands[3];

static double value_of(hg_conv_operand operand, int64_t i)
{
    if (operand == HG_CONV_BIAS_OPERAND) return (double)i;
    return operand == HG_CONV_RESIDUAL_OPERAND ? -0.25 * (double)i : operands[operand][i];
}

START_TEST(an_element_by_the_definition_is_that_of_the_whole)
{
    static const char *const keys[] = {
        "fwd 2x4x9x8 6x3x2 s2x1 p1x2 f32 d2x3 g2", "fwd 3x2x11 4x5 s3 p0:2", "fwd 1x2x4x5x3 3x2x3x1 s1x2x1 p1x0x2",
        "fwd 2x3x6x6 3x3x3 s2x2 p2x2 g3",
    };
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (int direction = 0; direction < 3; direction++) {
            hg_conv_problem p;
            ck_assert_hg(hg_conv_parse(keys[k], &p));
            p.direction = direction;
            double *x = test_values(hg_conv_input_numel(&p)), *w = test_values(hg_conv_weight_numel(&p)),
                   *y = test_values(hg_conv_output_numel(&p));
            test_conv_reference(&p, x, w, y);
            operands[HG_CONV_INPUT] = x;
            operands[HG_CONV_WEIGHT] = w;
            operands[HG_CONV_OUTPUT] = y;
            int64_t n = direction == HG_CONV_FORWARD         ? hg_conv_output_numel(&p)
                        : direction == HG_CONV_BACKWARD_DATA ? hg_conv_input_numel(&p)
                                                             : hg_conv_weight_numel(&p);
            const double *whole = direction == HG_CONV_FORWARD ? y : direction == HG_CONV_BACKWARD_DATA ? x : w;
            for (int64_t i = 0; i < n; i++) ck_assert_double_eq_tol(hg_conv_element(&p, i, value_of), whole[i], 1e-12);
            if (direction == HG_CONV_FORWARD) {
                p.epilogue = HG_CONV_BIAS | HG_CONV_RESIDUAL | HG_CONV_RELU;
                double sum = whole[n - 1] + (double)(p.outputs - 1) - 0.25 * (double)(n - 1);
                ck_assert_double_eq_tol(hg_conv_element(&p, n - 1, value_of), fmax(sum, 0), 1e-12);
            }
            free(x);
            free(w);
            free(y);
        }
    }
}
END_TEST

START_TEST(every_kind_of_problem_can_be_measured)
{
    static const char *const keys[] = {"fwd 1x3x9x9 4x3x3 p1x1 f32 bias residual relu", "bwd-data 2x4x9 6x3 s2",
                                       "bwd-weights 2x4x5x5x5 6x3x3x3 g2", "fwd 1x1x1x1 1x1x1",
                                       "bwd-data 1x2x1x1 2x3x3 s3x3 p1x1"};
    cache_begin();
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        hg_tuning_row *rows;
        int count;
        ck_assert_msg(hg_tune(test_device(), keys[k], &rows, &count) == HG_OK, "%s: %s", keys[k], hg_last_error());
        for (int i = 0; i < count; i++)
            ck_assert_msg(rows[i].state != HG_TUNING_WRONG, "%s by %s: %g", keys[k], rows[i].solver, rows[i].error);
        free(rows);
    }
    if (test_has_f64()) {
        hg_tuning_row *rows;
        int count;
        ck_assert_hg(hg_tune(test_device(), "fwd 2x4x9x9 6x3x3 f64", &rows, &count));
        for (int i = 0; i < count; i++) ck_assert(rows[i].state != HG_TUNING_OK || rows[i].error < 1e-14);
        free(rows);
    }
    cache_end();
}
END_TEST

START_TEST(what_is_no_problem_is_not_measured)
{
    hg_tuning_row *rows;
    int count;
    ck_assert_int_eq(hg_tune(test_device(), "fwd nonsense", &rows, &count), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "\"nonsense\"");
    ck_assert_int_eq(hg_tune(test_device(), "fwd 0x4x9x9 6x3x3", &rows, &count), HG_E_ARG);
    test_error(HG_E_ARG, "has nothing to compute");
    ck_assert_int_eq(hg_tune(NULL, shape, &rows, &count), HG_E_ARG);
    test_error(HG_E_ARG, "NULL");
}
END_TEST

Suite *measure_suite(void)
{
    return TEST_SUITE("measure", one_wrong_element_is_found_told_and_not_timed, a_wrong_candidate_is_kept_as_wrong,
                      a_candidate_that_fails_is_skipped_with_its_reason, the_memory_budget_holds_while_measuring,
                      a_convolution_that_cannot_be_measured_is_chosen_by_what_it_should_cost,
                      measuring_leaves_random_numbers_and_profile_alone, what_was_wrong_before_is_the_operations_error,
                      an_element_by_the_definition_is_that_of_the_whole, every_kind_of_problem_can_be_measured,
                      what_is_no_problem_is_not_measured);
}
