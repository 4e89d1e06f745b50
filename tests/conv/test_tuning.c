/* Measuring, what the selector makes of it, and rows that travel as text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "suites.h"

static const char shape[] = "fwd 2x32x16x16 32x3x3 s1x1 p1x1 f32";

/* What a plan of a device of its own is for the problem. */
static void plan_of(const char *key, const char *tune, char solver[64])
{
    hg_conv_problem p;
    const hg_conv_plan *plan;
    hg_device *dev = hg_device_open(NULL);
    ck_assert_ptr_nonnull(dev);
    if (tune)
        setenv("HAPGOP_TUNE", tune, 1);
    else
        unsetenv("HAPGOP_TUNE");
    ck_assert_hg(hg_conv_parse(key, &p));
    ck_assert_hg(hg_conv_choose(dev, &p, &plan));
    snprintf(solver, 64, "%s", plan->solver->name);
    hg_device_close(dev);
}

static const hg_tuning_row *chosen_of(const hg_tuning_row *rows, int count)
{
    const hg_tuning_row *chosen = NULL;
    for (int i = 0; i < count; i++) {
        if (!rows[i].chosen) continue;
        ck_assert_ptr_null(chosen);
        chosen = &rows[i];
    }
    ck_assert_ptr_nonnull(chosen);
    return chosen;
}

START_TEST(every_solver_is_measured_or_says_why_not_and_the_fastest_is_chosen)
{
    hg_tuning_row *rows;
    int count, timed = 0;
    char solver[64];
    cache_begin();
    ck_assert_hg(hg_tune(test_device(), shape, &rows, &count));
    const hg_tuning_row *best = chosen_of(rows, count);
    for (int i = 0; i < count; i++) {
        ck_assert_str_eq(rows[i].problem, shape);
        if (rows[i].state == HG_TUNING_SKIPPED) {
            ck_assert_str_ne(rows[i].why, "");
            continue;
        }
        ck_assert_msg(rows[i].state == HG_TUNING_OK, "%s is wrong: %g", rows[i].solver, rows[i].error);
        ck_assert(rows[i].ms > 0 && rows[i].error < 3e-6 && best->ms <= rows[i].ms);
        timed++;
    }
    ck_assert_int_ge(timed, 3);
    plan_of(shape, NULL, solver);
    ck_assert_str_eq(solver, best->solver);
    free(rows);
    cache_end();
}
END_TEST

START_TEST(a_kept_row_decides_for_its_problem_and_for_about_as_many_images)
{
    char device[HG_DATABASE_TEXT], solver[64], usual[64];
    cache_begin();
    hg_database_device(test_device(), device);
    plan_of(shape, "0", usual);
    ck_assert_str_ne(usual, "direct");
    cache_put(device, shape, "direct", "0,0,0,0/0", 0.001, HG_TUNING_OK);
    plan_of(shape, NULL, solver);
    ck_assert_str_eq(solver, "direct");
    plan_of(shape, "0", solver);
    ck_assert_str_eq(solver, usual);
    plan_of("fwd 4x32x16x16 32x3x3 s1x1 p1x1 f32", NULL, solver);
    ck_assert_str_eq(solver, "direct");
    plan_of("fwd 5x32x16x16 32x3x3 s1x1 p1x1 f32", NULL, solver);
    ck_assert_str_ne(solver, "direct");
    cache_end();
}
END_TEST

START_TEST(the_nearest_number_of_images_decides_and_the_log_says_so)
{
    char device[HG_DATABASE_TEXT], solver[64];
    cache_begin();
    hg_database_device(test_device(), device);
    cache_put(device, "fwd 8x32x16x16 32x3x3 p1x1", "im2col-gemm", "8,0,0,0/0", 1, HG_TUNING_OK);
    cache_put(device, "fwd 12x32x16x16 32x3x3 p1x1", "direct", "0,0,0,0/0", 2, HG_TUNING_OK);
    cache_listen("conv");
    plan_of("fwd 10x32x16x16 32x3x3 p1x1", NULL, solver);
    ck_assert_str_eq(solver, "direct");
    ck_assert_msg(strstr(cache_heard(), "-> direct (measured with 12 images)") != NULL, "%s", cache_heard());
    plan_of("fwd 9x32x16x16 32x3x3 p1x1", NULL, solver);
    ck_assert_str_eq(solver, "im2col-gemm");
    plan_of("fwd 12x32x16x16 32x3x3 p1x1", NULL, solver);
    ck_assert_msg(strstr(cache_heard(), "-> direct (measured), ") != NULL, "%s", cache_heard());
    plan_of("fwd 25x32x16x16 32x3x3 p1x1", NULL, solver);
    ck_assert_msg(strstr(cache_heard(), " (expected), ") != NULL, "%s", cache_heard());
    cache_end();
}
END_TEST

START_TEST(a_row_that_cannot_run_any_more_gives_way_to_the_next)
{
    char device[HG_DATABASE_TEXT], solver[64];
    cache_begin();
    hg_database_device(test_device(), device);
    cache_put(device, shape, "of-yesterday", "1,0,0,0/0", 0.001, HG_TUNING_OK);
    cache_put(device, shape, "winograd-f4x4", "77,88,99,0/5", 0.002, HG_TUNING_OK); /* no such configuration */
    cache_put(device, shape, "direct", "0,0,0,0/0", 5, HG_TUNING_OK);
    plan_of(shape, NULL, solver);
    ck_assert_str_eq(solver, "direct");
    /* What was measured with the usual workspace says nothing of a limit of one byte, and the other way round. */
    char limited[HG_CONV_KEY];
    snprintf(limited, sizeof limited, "%s w1000000", shape);
    cache_listen("conv");
    plan_of(limited, NULL, solver);
    ck_assert_msg(strstr(cache_heard(), "(expected)") != NULL, "%s", cache_heard());
    cache_end();
}
END_TEST

START_TEST(plans_stay_whatever_is_measured_meanwhile)
{
    char device[HG_DATABASE_TEXT];
    const hg_conv_plan *first, *second;
    hg_conv_problem p;
    cache_begin();
    hg_device *dev = hg_device_open(NULL);
    ck_assert_ptr_nonnull(dev);
    ck_assert_hg(hg_conv_parse(shape, &p));
    ck_assert_hg(hg_conv_choose(dev, &p, &first));
    ck_assert_str_ne(first->solver->name, "direct");
    uint64_t hash = hg_conv_plan_hash(dev);
    cache_put(hg_database_device(dev, device), shape, "direct", "0,0,0,0/0", 0.001, HG_TUNING_OK);
    ck_assert_hg(hg_conv_choose(dev, &p, &second));
    ck_assert_ptr_eq(first, second);
    ck_assert_uint_eq(hg_conv_plan_hash(dev), hash);
    hg_device_close(dev);
    cache_end();
}
END_TEST

START_TEST(what_was_wrong_is_never_chosen_again)
{
    char device[HG_DATABASE_TEXT], solver[64], usual[64];
    hg_tuning_row *rows;
    int count;
    cache_begin();
    hg_database_device(test_device(), device);
    plan_of(shape, "0", usual);
    ck_assert_hg(hg_tune(test_device(), shape, &rows, &count));
    for (int i = 0; i < count; i++)
        if (!strcmp(rows[i].solver, usual)) cache_put(device, shape, usual, rows[i].config, 0, HG_TUNING_WRONG);
    free(rows);
    plan_of(shape, NULL, solver);
    ck_assert_str_ne(solver, usual);
    plan_of("fwd 64x32x16x16 32x3x3 p1x1", "0", usual);
    cache_put(device, shape, usual, "1,1,1,1/1", 0, HG_TUNING_WRONG);
    plan_of("fwd 64x32x16x16 32x3x3 p1x1", NULL, solver); /* by what it should cost: nothing near was measured */
    ck_assert_str_ne(solver, usual);
    setenv("HAPGOP_CONV", usual, 1); /* who names it gets it */
    plan_of(shape, NULL, solver);
    unsetenv("HAPGOP_CONV");
    ck_assert_str_eq(solver, usual);
    cache_end();
}
END_TEST

START_TEST(tuning_at_the_first_convolution_keeps_what_it_measures)
{
    char solver[64], again[64];
    hg_tuning_row *rows;
    int count;
    cache_begin();
    plan_of(shape, "1", solver);
    ck_assert_hg(hg_tuning_list(test_device(), &rows, &count));
    ck_assert_int_ge(count, 3);
    free(rows);
    plan_of(shape, NULL, again);
    ck_assert_str_eq(again, solver);
    ck_assert_hg(hg_tuning_clear(test_device()));
    ck_assert_hg(hg_tuning_list(test_device(), &rows, &count));
    ck_assert_int_eq(count, 0);
    free(rows);
    cache_end();
}
END_TEST

START_TEST(rows_travel_as_text)
{
    hg_tuning_row *before, *after;
    int count, again;
    char path[512];
    cache_begin();
    ck_assert_hg(hg_tune(test_device(), shape, &before, &count));
    free(before);
    ck_assert_hg(hg_tuning_list(test_device(), &before, &count));
    snprintf(path, sizeof path, "%s", cache_file("tuned.txt"));
    ck_assert_hg(hg_tuning_export(test_device(), path));
    ck_assert_hg(hg_tuning_clear(test_device()));
    ck_assert_hg(hg_tuning_import(test_device(), path));
    ck_assert_hg(hg_tuning_list(test_device(), &after, &again));
    ck_assert_int_eq(again, count);
    for (int i = 0; i < count; i++) {
        ck_assert_str_eq(after[i].solver, before[i].solver);
        ck_assert_str_eq(after[i].config, before[i].config);
        ck_assert_double_eq_tol(after[i].ms, before[i].ms, 1e-6);
    }
    free(before);
    free(after);
    cache_end();
}
END_TEST

START_TEST(the_hash_stands_for_the_plans_whatever_their_order)
{
    const char *const keys[] = {shape, "bwd-data 2x32x16x16 32x3x3 s1x1 p1x1 f32"};
    uint64_t hash[3];
    for (int turn = 0; turn < 3; turn++) {
        hg_device *dev = hg_device_open(NULL);
        ck_assert_uint_eq(hg_conv_plan_hash(dev), 0);
        for (int i = 0; i < 2 - (turn == 2); i++) {
            hg_conv_problem p;
            const hg_conv_plan *plan;
            ck_assert_hg(hg_conv_parse(keys[turn == 1 ? 1 - i : i], &p));
            ck_assert_hg(hg_conv_choose(dev, &p, &plan));
        }
        hash[turn] = hg_conv_plan_hash(dev);
        hg_device_close(dev);
    }
    ck_assert(hash[0] == hash[1] && hash[0] != hash[2] && hash[2] != 0);
}
END_TEST

Suite *tuning_suite(void)
{
    return TEST_SUITE("tuning", every_solver_is_measured_or_says_why_not_and_the_fastest_is_chosen,
                      a_kept_row_decides_for_its_problem_and_for_about_as_many_images,
                      the_nearest_number_of_images_decides_and_the_log_says_so,
                      a_row_that_cannot_run_any_more_gives_way_to_the_next, plans_stay_whatever_is_measured_meanwhile,
                      what_was_wrong_is_never_chosen_again, tuning_at_the_first_convolution_keeps_what_it_measures,
                      rows_travel_as_text, the_hash_stands_for_the_plans_whatever_their_order);
}
