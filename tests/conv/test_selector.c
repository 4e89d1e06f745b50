/* Choosing: by name, by the environment, by expected time; limits of workspace; what the log tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static hg_conv_problem problem(const char *key, const char *solver)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse(key, &p));
    ck_assert_uint_lt(strlen(solver), HG_CONV_NAME);
    strcpy(p.solver, solver);
    return p;
}

static const hg_conv_plan *choose(const char *key, const char *solver)
{
    const hg_conv_plan *plan;
    hg_conv_problem p = problem(key, solver);
    ck_assert_msg(hg_conv_choose(test_device(), &p, &plan) == HG_OK, "%s: %s", key, hg_last_error());
    return plan;
}

static const char *chosen(const char *key, const char *solver)
{
    return choose(key, solver)->solver->name;
}

static void refused(const char *key, const char *solver, hg_status code, const char *part)
{
    const hg_conv_plan *plan;
    hg_conv_problem p = problem(key, solver);
    ck_assert_int_eq(hg_conv_choose(test_device(), &p, &plan), code);
    test_error(code, part);
}

static bool on_cpu(void)
{
    hg_device_info info;
    ck_assert_hg(hg_device_get_info(test_device(), &info));
    return info.device_class == HG_CLASS_CPU;
}

START_TEST(a_problem_is_given_to_the_solver_it_names)
{
    ck_assert_str_eq(chosen("fwd 8x64x56x56 64x3x3 p1x1", "direct"), "direct");
    ck_assert_str_eq(chosen("fwd 8x64x56x56 64x3x3 p1x1", "im2col-gemm"), "im2col-gemm");
    ck_assert_str_eq(chosen("fwd 8x64x56x56 64x3x3 p1x1", "im2col-gemm,direct"), "im2col-gemm");
}
END_TEST

START_TEST(a_refusal_has_the_reason_of_each_solver_and_the_next_one_is_tried)
{
    const char *strided = "bwd-data 8x64x56x56 64x3x3 s3x16 p1x1";
    refused(strided, "implicit-gemm", HG_E_UNSUPPORTED,
            on_cpu() ? "refused (implicit-gemm: stride 16)" : "refused (implicit-gemm: only for CPUs)");
    ck_assert_str_eq(chosen(strided, "implicit-gemm,im2col-gemm,direct"), "im2col-gemm");
    refused("bwd-data 8x64x56x56 64x3x3 s2x2 w1000", "implicit-gemm,im2col-gemm", HG_E_UNSUPPORTED,
            "; im2col-gemm: needs 1679616 bytes of workspace, the limit is 1000)");
}
END_TEST

START_TEST(winograd_says_what_it_cannot_do)
{
    static const struct {
        const char *key, *reason;
    } cases[] = {
        {"fwd 2x16x9x9 16x3x3 s3x3", "winograd-f4x4: stride 3)"},
        {"bwd-data 2x16x9x9 16x3x3 s1x2", "winograd-f4x4: stride 1x2)"},
        {"fwd 2x16x9x9 16x3x5", "winograd-f4x4: kernel 3x5)"},
        {"fwd 2x16x9x9 16x1x1", "winograd-f4x4: kernel 1)"},
        {"fwd 2x16x9x9 16x3x3 d2x2", "winograd-f4x4: dilation 2)"},
        {"fwd 2x16x9x9 16x3x3 g2", "winograd-f4x4: 2 groups)"},
        {"fwd 2x16x9 16x7", "winograd-f4x4: kernel 7)"},
        {"fwd 2x16x9 16x3 s2", "winograd-f4x4: stride 2)"},
        {"bwd-weights 2x16x5x9x9 16x3x3x3", "winograd-f4x4: 3 dimensions)"},
        {"fwd 2x16x9x9 16x3x3 f64", "winograd-f4x4: only for float32)"},
        {"fwd 2x7x9x9 16x3x3", "winograd-f4x4: 7 channels and 16 outputs, fewer than 8)"},
        {"fwd 2x16x9x9 3x3x3", "winograd-f4x4: 16 channels and 3 outputs, fewer than 8)"},
        {"fwd 2x16x9x9 16x3x3 w20000", "winograd-f4x4: needs "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].key, "winograd-f4x4", HG_E_UNSUPPORTED, cases[i].reason);
}
END_TEST

START_TEST(products_without_columns_are_for_kernels_of_1)
{
    refused("fwd 2x8x9x9 8x1x3", "gemm-1x1", HG_E_UNSUPPORTED, "gemm-1x1: kernel of 3 in dimension 1)");
    ck_assert_int_eq((int)choose("fwd 50x8x12x12 16x1x1", "gemm-1x1")->workspace, 0);
    ck_assert_int_eq((int)choose("bwd-data 50x8x12x12 16x1x1 w1", "gemm-1x1")->workspace, 0);
    ck_assert_int_eq((int)choose("bwd-weights 50x8x12x12 16x1x1 w1", "gemm-1x1")->workspace, 0);
    ck_assert_str_eq(chosen("fwd 8x64x56x56 256x1x1", ""), "gemm-1x1");
    ck_assert_str_eq(chosen("bwd-data 8x64x56x56 256x1x1", ""), "gemm-1x1");
}
END_TEST

START_TEST(depthwise_is_for_groups_of_one_channel_and_not_too_many_taps)
{
    refused("fwd 2x8x9x9 8x3x3 g4", "depthwise", HG_E_UNSUPPORTED,
            "depthwise: 8 channels in 4 groups, not one in each)");
    refused("fwd 2x8x19x19 8x12x12 g8", "depthwise", HG_E_UNSUPPORTED, "depthwise: 144 taps, more than 128)");
    ck_assert_str_eq(chosen("fwd 2x8x19x19 16x3x3 g8", "depthwise"), "depthwise");
}
END_TEST

START_TEST(an_unknown_solver_is_named_with_those_there_are)
{
    refused("fwd 1x1x8x8 1x3x3", "magic", HG_E_ARG,
            "no solver is called \"magic\"; there are winograd-f4x4, winograd-f2x2, gemm-1x1, depthwise, implicit-gemm, "
            "lines, im2col-gemm, fft, direct");
    refused("fwd 1x1x8x8 1x3x3", "magic,direct", HG_E_ARG, "\"magic\"");
}
END_TEST

START_TEST(the_environment_chooses_where_the_problem_does_not)
{
    const char *key = "fwd 2x8x12x12 8x3x3";
    ck_assert_int_eq(setenv("HAPGOP_CONV", "direct", 1), 0);
    ck_assert_str_eq(chosen(key, ""), "direct");
    ck_assert_str_eq(chosen(key, "im2col-gemm"), "im2col-gemm");
    ck_assert_int_eq(setenv("HAPGOP_CONV", "im2col-gemm,direct", 1), 0);
    ck_assert_str_eq(chosen(key, ""), "im2col-gemm");
    ck_assert_int_eq(setenv("HAPGOP_CONV", "nothing", 1), 0);
    refused(key, "", HG_E_ARG, "\"nothing\"");
    unsetenv("HAPGOP_CONV");
}
END_TEST

START_TEST(the_expected_time_chooses_where_nobody_does)
{
    ck_assert_str_ne(chosen("fwd 8x256x14x14 256x3x3 p1x1", ""), "direct");
    ck_assert_str_ne(chosen("bwd-weights 8x256x14x14 256x3x3 p1x1", ""), "direct");
    ck_assert_str_eq(chosen("fwd 8x64x28x28 64x3x3 p1x1 g64", ""), "depthwise");
    ck_assert_str_eq(chosen("bwd-data 1x1x4x4 1x3x3", ""), "direct");
}
END_TEST

START_TEST(convolutions_of_3_by_3_with_many_channels_are_given_to_winograd_on_a_cpu)
{
    static const char *const shapes[] = {"100x32x14x14 64x3x3", "8x64x56x56 64x3x3 p1x1", "8x128x28x28 128x3x3 p1x1",
                                         "8x256x14x14 256x3x3 p1x1", "8x512x7x7 512x3x3 p1x1"};
    static const char *const directions[] = {"fwd", "bwd-data", "bwd-weights"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && on_cpu(); i++) {
        for (int d = 0; d < 3; d++) {
            char key[HG_CONV_KEY];
            snprintf(key, sizeof key, "%s %s", directions[d], shapes[i]);
            ck_assert_msg(!strcmp(chosen(key, ""), "winograd-f4x4"), "%s: %s", key, chosen(key, ""));
        }
    }
    if (on_cpu()) ck_assert_str_eq(chosen("fwd 100x32x14x14 64x3x3 bias relu", ""), "winograd-f4x4");
    ck_assert_str_ne(chosen("bwd-weights 100x1x28x28 32x3x3 p1x1", ""), "winograd-f4x4");
    ck_assert_str_ne(chosen("fwd 100x1x28x28 32x3x3 p1x1", ""), "winograd-f4x4");
}
END_TEST

START_TEST(chunks_of_the_batch_keep_to_the_workspace)
{
    /* An image has 8 * 9 rows of 100 pixels, 28,800 bytes. */
    const char *key = "fwd 50x8x12x12 16x3x3 w%d";
    int limits[] = {28800, 60000, 1 << 28};
    for (int i = 0; i < 3; i++) {
        char text[HG_CONV_KEY];
        snprintf(text, sizeof text, key, limits[i]);
        const hg_conv_plan *plan = choose(text, "im2col-gemm");
        ck_assert_int_gt((int)plan->workspace, i ? 28800 : 28799);
        ck_assert_int_le((int)plan->workspace, limits[i]);
    }
    refused("fwd 50x8x12x12 16x3x3 w28799", "im2col-gemm", HG_E_UNSUPPORTED,
            "needs 28800 bytes of workspace, the limit is 28799");
    ck_assert_str_eq(chosen("fwd 50x8x12x12 16x3x3 w1", ""), "direct");
    ck_assert_int_eq((int)choose("fwd 50x8x12x12 16x1x1", "im2col-gemm")->workspace, 0);
}
END_TEST

START_TEST(the_workspace_of_all_problems_is_limited_by_the_environment)
{
    const char *key = "fwd 50x8x12x12 16x3x3";
    ck_assert_int_eq(setenv("HAPGOP_WORKSPACE", "1", 1), 0);
    ck_assert_str_eq(chosen(key, ""), "direct");
    ck_assert_int_eq(setenv("HAPGOP_WORKSPACE", "100K", 1), 0);
    ck_assert_int_le((int)choose(key, "im2col-gemm")->workspace, 102400);
    ck_assert_int_eq(setenv("HAPGOP_WORKSPACE", "much", 1), 0);
    refused(key, "", HG_E_ARG, "HAPGOP_WORKSPACE=much is not a size");
    unsetenv("HAPGOP_WORKSPACE");
}
END_TEST

START_TEST(a_workspace_beyond_the_memory_budget_is_an_error_and_leaves_the_device_usable)
{
    ck_assert_int_eq(setenv("HAPGOP_MEMORY", "1M", 1), 0);
    hg_device *dev = hg_device_open(NULL);
    unsetenv("HAPGOP_MEMORY");
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    hg_conv_problem p = problem("fwd 1x64x24x24 8x3x3 p1x1", "im2col-gemm"); /* 1.3 MB of columns */
    hg_scope *s = hg_scope_begin(dev);
    hg_conv_buffers b = {.input = hg_empty(dev, HG_F32, HG_SHAPE(1, 64, 24, 24)),
                         .weight = hg_empty(dev, HG_F32, HG_SHAPE(8, 64, 3, 3)),
                         .output = hg_empty(dev, HG_F32, HG_SHAPE(1, 8, 24, 24))};
    ck_assert(hg_ok(b.input) && hg_ok(b.weight) && hg_ok(b.output));
    ck_assert_int_eq(hg_conv_run(&p, &b), HG_E_MEMORY);
    test_error(HG_E_MEMORY, "HAPGOP_MEMORY");
    hg_memory_info memory;
    ck_assert_hg(hg_memory_get_info(dev, &memory));
    ck_assert_uint_lt(memory.in_use, 1 << 20);
    strcpy(p.solver, "direct");
    ck_assert_hg(hg_conv_run(&p, &b));
    hg_scope_end(s);
    hg_device_close(dev);
}
END_TEST

START_TEST(plans_are_made_once)
{
    const hg_conv_plan *a, *b, *c;
    hg_conv_problem p = problem("fwd 3x5x8x8 6x3x3", "");
    ck_assert_hg(hg_conv_choose(test_device(), &p, &a));
    ck_assert_hg(hg_conv_choose(test_device(), &p, &b));
    ck_assert_ptr_eq(a, b);
    p.batch = 4;
    ck_assert_hg(hg_conv_choose(test_device(), &p, &c));
    ck_assert_ptr_ne(a, c);
    ck_assert_int_eq(c->problem.batch, 4);
}
END_TEST

static char logged[4096];

static void keep_log(const char *topic, const char *message, void *user)
{
    (void)user;
    size_t used = strlen(logged);
    if (!strcmp(topic, "conv")) snprintf(logged + used, sizeof logged - used, "%s\n", message);
}

START_TEST(the_log_says_what_was_chosen_and_why_not_the_others)
{
    logged[0] = 0;
    hg_set_log(keep_log, NULL);
    choose("bwd-data 7x3x9x9 4x3x3 s2x16", "");
    choose("fwd 7x3x9x9 4x3x3", "direct");
    hg_set_log(NULL, NULL);
    ck_assert_msg(strstr(logged, on_cpu() ? "implicit-gemm: stride 16" : "implicit-gemm: only for CPUs") != NULL, "%s",
                  logged);
    ck_assert_msg(strstr(logged, "direct: 0.0") != NULL, "%s", logged);
    ck_assert_msg(strstr(logged, "bwd-data 7x3x9x9 4x3x3 s2x16 p0x0 f32 -> ") != NULL, "%s", logged);
    ck_assert_msg(strstr(logged, "fwd 7x3x9x9 4x3x3 s1x1 p0x0 f32 -> direct (forced), workspace 0 bytes") != NULL, "%s",
                  logged);
}
END_TEST

START_TEST(what_is_no_convolution_is_refused)
{
    const hg_conv_plan *plan;
    hg_conv_problem p = problem("fwd 1x4x8x8 4x3x3", "");
    p.groups = 3;
    ck_assert_int_eq(hg_conv_choose(test_device(), &p, &plan), HG_E_ARG);
    test_error(HG_E_ARG, "groups must divide both");
}
END_TEST

Suite *selector_suite(void)
{
    return TEST_SUITE(
        "selector", a_problem_is_given_to_the_solver_it_names,
        a_refusal_has_the_reason_of_each_solver_and_the_next_one_is_tried, winograd_says_what_it_cannot_do,
        products_without_columns_are_for_kernels_of_1,
        depthwise_is_for_groups_of_one_channel_and_not_too_many_taps, an_unknown_solver_is_named_with_those_there_are, the_environment_chooses_where_the_problem_does_not,
        the_expected_time_chooses_where_nobody_does,
        convolutions_of_3_by_3_with_many_channels_are_given_to_winograd_on_a_cpu,
        chunks_of_the_batch_keep_to_the_workspace, the_workspace_of_all_problems_is_limited_by_the_environment,
        a_workspace_beyond_the_memory_budget_is_an_error_and_leaves_the_device_usable, plans_are_made_once,
        the_log_says_what_was_chosen_and_why_not_the_others, what_is_no_convolution_is_refused);
}
