/* Groups of parameters with options of their own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hapgop/weights.h"
#include "optim/optim.h"
#include "suites.h"
#include "tensor/tensor.h"

static void step(hg_module *m, hg_optimizer *opt, int number)
{
    for (int k = 0; k < 3; k++) test_set_grad(hg_parameter(m, (const char *[]){"a", "b", "c"}[k]), 10 * number + k);
    ck_assert_hg(hg_step(opt));
}

static hg_optimizer *with_groups(hg_module *m)
{
    hg_adam_options o = HG_ADAMW_DEFAULTS;
    o.lr = 0.005;
    hg_optimizer *opt = hg_adamw(m, &o);
    hg_group_options group = {"a", 0.02, 0.3};
    ck_assert_hg(hg_set_groups(opt, &group, 1));
    return opt;
}

START_TEST(each_group_steps_with_its_own_options)
{
    hg_shape shape;
    double *expected = test_golden_values("optim/adamw_groups", &shape), now[TEST_BOX];
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = with_groups(m);
    ck_assert_int_eq(hg_group_count(opt), 2);
    for (int number = 1, row = 0; number <= 100; number++) {
        step(m, opt, number);
        if (number != 1 && number != 10 && number != 100) continue;
        test_read_box(m, now);
        for (int i = 0; i < TEST_BOX; i++) {
            double e = expected[row * TEST_BOX + i];
            ck_assert_msg(fabs(now[i] - e) <= 1e-7 + 1e-6 * fabs(e), "step %d, element %d: %.9g, not %.9g", number, i,
                          now[i], e);
        }
        row++;
    }
    free(expected);
    hg_optimizer_free(opt);
    hg_module_free(m);
}
END_TEST

START_TEST(groups_go_through_checkpoints)
{
    hg_module *m = test_box(HG_F32), *n = test_box(HG_F32);
    hg_optimizer *opt = with_groups(m), *other = with_groups(n), *single = hg_adamw(n, NULL);
    double x[TEST_BOX], y[TEST_BOX];
    for (int number = 1; number <= 3; number++) step(m, opt, number);
    ck_assert_hg(hg_set_group_learning_rate(opt, 1, 0.25));
    hg_checkpoint *c = hg_checkpoint_new();
    ck_assert_hg(hg_checkpoint_put_module(c, "model", m));
    ck_assert_hg(hg_checkpoint_put_optimizer(c, "optimizer", opt));
    ck_assert_hg(hg_checkpoint_get_module(c, "model", n));
    ck_assert_hg(hg_checkpoint_get_optimizer(c, "optimizer", other));
    ck_assert_double_eq(hg_group_learning_rate(other, 0), 0.02);
    ck_assert_double_eq(hg_group_learning_rate(other, 1), 0.25);
    step(m, opt, 4);
    step(n, other, 4);
    test_read_box(m, x);
    test_read_box(n, y);
    ck_assert_mem_eq(x, y, sizeof x);
    ck_assert_int_eq(hg_checkpoint_get_optimizer(c, "optimizer", single), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "different number of parameter groups: 2 instead of 1");
    hg_checkpoint_free(c);
    hg_optimizer_free(opt);
    hg_optimizer_free(other);
    hg_optimizer_free(single);
    hg_module_free(m);
    hg_module_free(n);
}
END_TEST

START_TEST(parameters_are_divided_by_name_and_keep_their_states)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = hg_adam(m, NULL);
    step(m, opt, 1);
    hg_tensor *state = opt->params[1].state[0]; /* of b */
    hg_group_options groups[] = {{"c,b", 0.5, -1}, {"b", 1, -1}, {"[a]", -1, 0.25}};
    ck_assert_int_eq(hg_set_groups(opt, groups, 2), HG_E_ARG); /* the first takes b */
    test_error(HG_E_ARG, "group 1 is empty: none of the 3 parameters that Adam trains matches \"b\"");
    groups[0].pattern = "c";
    ck_assert_hg(hg_set_groups(opt, groups, 3));
    ck_assert_int_eq(hg_group_count(opt), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(opt->params[i].group, i);
        ck_assert_str_eq(opt->params[i].name, ((const char *[]){"c", "b", "a"})[i]);
    }
    ck_assert_ptr_eq(opt->params[1].state[0], state);
    ck_assert_int_eq(opt->params[1].step, 1);
    ck_assert_double_eq(opt->groups[2].o.adam.lr, 1e-3);
    ck_assert_double_eq(opt->groups[2].o.adam.weight_decay, 0.25);
    ck_assert_hg(hg_set_learning_rate(opt, 0.125));
    for (int g = 0; g < 3; g++) ck_assert_double_eq(hg_group_learning_rate(opt, g), 0.125);
    hg_optimizer_free(opt);
    hg_module_free(m);
}
END_TEST

START_TEST(groups_that_cannot_be_are_told)
{
    hg_module *m = test_box(HG_F32);
    hg_optimizer *opt = hg_sgd(m, NULL);
    hg_group_options group = {"a", NAN, -1};
    ck_assert_int_eq(hg_set_groups(opt, &group, 1), HG_E_ARG);
    test_error(HG_E_ARG, "an option of group 0 is not a number");
    ck_assert_int_eq(hg_set_groups(opt, NULL, 0), HG_E_ARG);
    test_error(HG_E_ARG, "there is no group");
    ck_assert_int_eq(hg_set_groups(NULL, &group, 1), HG_E_ARG);
    test_error(HG_E_ARG, "optimizer is NULL");
    ck_assert_double_eq(hg_group_learning_rate(opt, 1), 0);
    test_error(HG_E_ARG, "SGD has no group 1; it has 1");
    ck_assert_int_eq(hg_set_group_learning_rate(opt, -1, 0.1), HG_E_ARG);
    test_error(HG_E_ARG, "has no group -1");
    ck_assert_int_eq(hg_set_group_learning_rate(opt, 0, -0.1), HG_E_ARG);
    test_error(HG_E_ARG, "Invalid learning rate: -0.1");
    hg_scheduler *s = hg_exponential_lr(opt, 0.5);
    group.lr = 1;
    ck_assert_int_eq(hg_set_groups(opt, &group, 1), HG_E_STATE);
    test_error(HG_E_STATE, "divide them before");
    hg_scheduler_free(s);
    hg_optimizer_free(opt);
    hg_module_free(m);
}
END_TEST

Suite *groups_suite(void)
{
    return TEST_SUITE("groups", each_group_steps_with_its_own_options, groups_go_through_checkpoints,
                      parameters_are_divided_by_name_and_keep_their_states, groups_that_cannot_be_are_told);
}
