/* Schedulers against PyTorch's rates, double for double, and their rules. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hapgop/weights.h"
#include "optim/scheduler.h"
#include "suites.h"

enum { STEPS = 40 };

/* The rates of two groups, 0.1 and 0.0123, as tests/oracle/optim.py has them. */
static hg_optimizer *two_groups(hg_module *m, bool adam)
{
    hg_sgd_options sgd = {.lr = 0.1, .momentum = 0.9};
    hg_adam_options o = HG_ADAM_DEFAULTS;
    o.lr = 0.1;
    hg_optimizer *opt = adam ? hg_adam(m, &o) : hg_sgd(m, &sgd);
    hg_group_options groups[] = {{"a", -1, -1}, {"*", 0.0123, -1}};
    ck_assert_msg(opt != NULL, "%s", hg_last_error());
    ck_assert_hg(hg_set_groups(opt, groups, 2));
    return opt;
}

static const double metrics[] = {1.0, 0.8, 0.7, 0.69995, 0.7, 0.71, 0.72, 0.5, 0.6, 0.5, 0.5, 0.5, 0.5};

static void check_row(const char *name, const hg_optimizer *opt, const double *expected, int step)
{
    double now[] = {hg_group_learning_rate(opt, 0), hg_group_learning_rate(opt, 1),
                    *hg_option(opt, 0, opt->cls->momentum)};
    for (int i = 0; i < 3; i++)
        ck_assert_msg(!memcmp(&now[i], &expected[i], sizeof now[i]), "%s, step %d: %s is %.17g, not %.17g", name, step,
                      (const char *[]){"rate 0", "rate 1", "momentum"}[i], now[i], expected[i]);
}

static void advance(hg_scheduler *s, int step, int total)
{
    if (s->kind == HG_PLATEAU_LR)
        ck_assert_hg(hg_scheduler_step_metric(s, metrics[step < 12 ? step : 12]));
    else if (step + 1 < total)
        ck_assert_hg(hg_scheduler_step(s));
}

/* Frees schedulers and optimizer. */
static void follow(const char *name, hg_optimizer *opt, hg_scheduler *first, hg_scheduler *second)
{
    char path[80] = "optim/schedule_";
    hg_shape shape;
    double *expected = test_golden_values(strcat(path, name), &shape);
    ck_assert_msg(first != NULL, "%s", hg_last_error());
    ck_assert_int_eq(shape.size[1], 3);
    for (int step = 0; step < shape.size[0]; step++) {
        check_row(name, opt, expected + 3 * step, step);
        advance(first, step, (int)shape.size[0]);
        if (second) advance(second, step, (int)shape.size[0]);
    }
    free(expected);
    hg_scheduler_free(first);
    hg_scheduler_free(second);
    hg_optimizer_free(opt);
}

START_TEST(rates_are_pytorchs_doubles)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = two_groups(m, false);
    follow("step", opt, hg_step_lr(opt, 3, 0.7), NULL);
    opt = two_groups(m, false);
    follow("multi_step", opt, hg_multi_step_lr(opt, (int64_t[]){17, 5, 5, 9}, 4, 0.3), NULL);
    opt = two_groups(m, false);
    follow("exponential", opt, hg_exponential_lr(opt, 0.93), NULL);
    opt = two_groups(m, false);
    follow("cosine", opt, hg_cosine_lr(opt, 11, 1e-3), NULL);
    opt = two_groups(m, false);
    follow("linear", opt, hg_linear_lr(opt, 1. / 3, 1, 5), NULL);
    opt = two_groups(m, false);
    hg_scheduler *warm_up = hg_linear_lr(opt, 0.1, 0.9, 7);
    follow("warm_up", opt, warm_up, hg_cosine_lr(opt, 40, 0));
    hg_module_free(m);
}
END_TEST

START_TEST(one_cycle_moves_rate_and_momentum_as_pytorch_does)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = two_groups(m, false);
    hg_one_cycle_options o = HG_ONE_CYCLE_DEFAULTS;
    o.max_lrs = (double[]){0.5, 0.05};
    o.total_steps = STEPS;
    follow("one_cycle", opt, hg_one_cycle_lr(opt, &o), NULL);
    opt = two_groups(m, true);
    o = HG_ONE_CYCLE_DEFAULTS;
    o.max_lr = 0.3;
    o.total_steps = 30;
    o.pct_start = 0.4;
    o.linear = o.three_phase = true;
    o.div_factor = 10;
    follow("one_cycle_linear", opt, hg_one_cycle_lr(opt, &o), NULL);
    opt = two_groups(m, false);
    o = HG_ONE_CYCLE_DEFAULTS;
    o.max_lr = 0.3;
    o.total_steps = 25;
    o.cycle_momentum = false;
    follow("one_cycle_rates", opt, hg_one_cycle_lr(opt, &o), NULL);
    hg_module_free(m);
}
END_TEST

START_TEST(plateau_cuts_the_rate_where_pytorch_does)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = two_groups(m, false);
    hg_plateau_options o = HG_PLATEAU_DEFAULTS;
    o.factor = 0.5;
    o.patience = 2;
    o.cooldown = 1;
    o.min_lr = 0.002;
    follow("plateau", opt, hg_plateau_lr(opt, &o), NULL);
    opt = two_groups(m, false);
    o = HG_PLATEAU_DEFAULTS;
    o.maximize = o.absolute = true;
    o.factor = 0.3;
    o.patience = 1;
    o.threshold = 0.05;
    follow("plateau_max", opt, hg_plateau_lr(opt, &o), NULL);
    hg_module_free(m);
}
END_TEST

static hg_scheduler *make(hg_optimizer *opt, int kind)
{
    hg_one_cycle_options cycle = HG_ONE_CYCLE_DEFAULTS;
    cycle.max_lr = 0.3;
    cycle.total_steps = STEPS;
    hg_plateau_options plateau = {.factor = 0.5, .patience = 1, .cooldown = 2, .threshold = 1e-4, .eps = 1e-8};
    switch (kind) {
    case HG_STEP_LR: return hg_step_lr(opt, 3, 0.7);
    case HG_MULTI_STEP_LR: return hg_multi_step_lr(opt, (int64_t[]){9, 14, 14}, 3, 0.3);
    case HG_EXPONENTIAL_LR: return hg_exponential_lr(opt, 0.9);
    case HG_COSINE_LR: return hg_cosine_lr(opt, 11, 1e-3);
    case HG_LINEAR_LR: return hg_linear_lr(opt, 0.25, 1, 20);
    case HG_ONE_CYCLE_LR: return hg_one_cycle_lr(opt, &cycle);
    default: return hg_plateau_lr(opt, &plateau);
    }
}

static hg_checkpoint *saved(const hg_optimizer *opt, hg_scheduler *s)
{
    hg_checkpoint *c = hg_checkpoint_new();
    ck_assert_hg(hg_checkpoint_put_optimizer(c, "optimizer", (hg_optimizer *)opt));
    ck_assert_hg(hg_checkpoint_put_scheduler(c, "scheduler", s));
    return c;
}

START_TEST(a_schedule_goes_on_from_a_checkpoint)
{
    hg_module *m = test_box(HG_F32);
    for (int kind = HG_STEP_LR; kind <= HG_PLATEAU_LR; kind++) {
        hg_optimizer *opt = two_groups(m, false), *other = two_groups(m, false);
        hg_scheduler *s = make(opt, kind), *again = make(other, kind);
        for (int step = 0; step < 8; step++) ck_assert_hg(hg_scheduler_step_metric(s, metrics[step]));
        hg_checkpoint *c = saved(opt, s);
        ck_assert_hg(hg_checkpoint_get_optimizer(c, "optimizer", other));
        ck_assert_hg(hg_checkpoint_get_scheduler(c, "scheduler", again));
        for (int step = 8; step < 25; step++) {
            for (int g = 0; g < 2; g++)
                ck_assert_msg(hg_group_learning_rate(opt, g) == hg_group_learning_rate(other, g), "%s, step %d",
                              hg_scheduler_names[kind], step);
            ck_assert(*hg_option(opt, 0, opt->cls->momentum) == *hg_option(other, 0, other->cls->momentum));
            ck_assert_hg(hg_scheduler_step_metric(s, 0.9));
            ck_assert_hg(hg_scheduler_step_metric(again, 0.9));
        }
        hg_checkpoint_free(c);
        hg_scheduler_free(s);
        hg_scheduler_free(again);
        hg_optimizer_free(opt);
        hg_optimizer_free(other);
    }
    hg_module_free(m);
}
END_TEST

START_TEST(the_state_of_another_schedule_is_refused)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = two_groups(m, false);
    hg_scheduler *s = hg_step_lr(opt, 3, 0.7), *longer = hg_step_lr(opt, 4, 0.7), *cosine = hg_cosine_lr(opt, 5, 0);
    hg_scheduler *sooner = hg_multi_step_lr(opt, (int64_t[]){2, 3}, 2, 0.1);
    hg_scheduler *later = hg_multi_step_lr(opt, (int64_t[]){3, 3}, 2, 0.1);
    hg_checkpoint *c = saved(opt, s), *d = saved(opt, sooner);
    ck_assert_int_eq(hg_checkpoint_get_scheduler(c, "scheduler", longer), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "another StepLR: its step_size differs");
    ck_assert_int_eq(hg_checkpoint_get_scheduler(c, "scheduler", cosine), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "key 'T_max' is missing");
    ck_assert_int_eq(hg_checkpoint_get_scheduler(d, "scheduler", later), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "its milestones differs");
    ck_assert_int_eq(hg_checkpoint_get_scheduler(c, "nothing", s), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "key 'nothing' is missing");
    ck_assert_int_eq(hg_checkpoint_put_scheduler(c, "scheduler", NULL), HG_E_ARG);
    test_error(HG_E_ARG, "scheduler is NULL");
    hg_checkpoint_free(c);
    hg_checkpoint_free(d);
    hg_scheduler *all[] = {s, longer, cosine, sooner, later};
    for (int i = 0; i < 5; i++) hg_scheduler_free(all[i]);
    hg_optimizer_free(opt);
    hg_module_free(m);
}
END_TEST

START_TEST(bad_options_and_steps_are_told)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = two_groups(m, false), *plain = hg_sgd(m, NULL);
    hg_one_cycle_options cycle = HG_ONE_CYCLE_DEFAULTS;
    hg_plateau_options plateau = HG_PLATEAU_DEFAULTS;
    ck_assert_ptr_null(hg_step_lr(NULL, 1, 0.1));
    test_error(HG_E_ARG, "optimizer is NULL");
    ck_assert_ptr_null(hg_step_lr(opt, 0, 0.1));
    test_error(HG_E_ARG, "StepLR: step_size must be at least 1, got 0");
    ck_assert_ptr_null(hg_exponential_lr(opt, -1));
    test_error(HG_E_ARG, "ExponentialLR: gamma");
    ck_assert_ptr_null(hg_multi_step_lr(opt, NULL, 2, 0.1));
    test_error(HG_E_ARG, "MultiStepLR: 2 milestones");
    ck_assert_ptr_null(hg_cosine_lr(opt, 0, 0));
    test_error(HG_E_ARG, "T_max");
    ck_assert_ptr_null(hg_cosine_lr(opt, 5, NAN));
    test_error(HG_E_ARG, "eta_min");
    ck_assert_ptr_null(hg_linear_lr(opt, 0, 1, 5));
    test_error(HG_E_ARG, "Starting multiplicative factor");
    ck_assert_ptr_null(hg_linear_lr(opt, 0.5, 2, 5));
    test_error(HG_E_ARG, "Ending multiplicative factor");
    ck_assert_ptr_null(hg_one_cycle_lr(opt, &cycle));
    test_error(HG_E_ARG, "Expected positive integer total_steps, but got 0");
    cycle.total_steps = 2;
    ck_assert_ptr_null(hg_one_cycle_lr(plain, &cycle));
    test_error(HG_E_ARG, "SGD without momentum");
    plateau.factor = 1;
    ck_assert_ptr_null(hg_plateau_lr(opt, &plateau));
    test_error(HG_E_ARG, "Factor should be < 1.0");
    hg_scheduler *s = hg_one_cycle_lr(opt, &cycle), *p = hg_plateau_lr(opt, NULL);
    ck_assert_hg(hg_scheduler_step(s));
    ck_assert_hg(hg_scheduler_step(s));
    ck_assert_int_eq(hg_scheduler_step(s), HG_E_STATE);
    test_error(HG_E_STATE, "Tried to step 4 times. The specified number of total steps is 2");
    ck_assert_int_eq(hg_scheduler_step(p), HG_E_ARG);
    test_error(HG_E_ARG, "goes by a metric");
    ck_assert_int_eq(hg_scheduler_step(NULL), HG_E_ARG);
    test_error(HG_E_ARG, "scheduler is NULL");
    hg_scheduler_free(s);
    hg_scheduler_free(p);
    hg_scheduler_free(NULL);
    hg_optimizer_free(opt);
    hg_optimizer_free(plain);
    hg_module_free(m);
}
END_TEST

Suite *scheduler_suite(void)
{
    return TEST_SUITE("scheduler", rates_are_pytorchs_doubles, one_cycle_moves_rate_and_momentum_as_pytorch_does,
                      plateau_cuts_the_rate_where_pytorch_does, a_schedule_goes_on_from_a_checkpoint,
                      the_state_of_another_schedule_is_refused, bad_options_and_steps_are_told);
}
