/* Choosing: by name, by the environment, by expected time; limits of workspace; what the log tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static hg_conv_problem problem(const char *key, const char *solver)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse(key, &p));
    strcpy(p.solver, solver);
    return p;
}

static const char *chosen(const char *key, const char *solver)
{
    const hg_conv_plan *plan;
    hg_conv_problem p = problem(key, solver);
    ck_assert_hg(hg_conv_choose(test_device(), &p, &plan));
    return plan->solver->name;
}

static void refused(const char *key, const char *solver, hg_status code, const char *part)
{
    const hg_conv_plan *plan;
    hg_conv_problem p = problem(key, solver);
    ck_assert_int_eq(hg_conv_choose(test_device(), &p, &plan), code);
    test_error(code, part);
}

START_TEST(a_problem_is_given_to_the_solver_it_names)
{
    ck_assert_str_eq(chosen("fwd 8x64x56x56 64x3x3 p1x1", "direct"), "direct");
}
END_TEST

START_TEST(an_unknown_solver_is_named_with_those_there_are)
{
    refused("fwd 1x1x8x8 1x3x3", "magic", HG_E_ARG, "no solver is called \"magic\"; there are implicit-gemm, im2col-gemm, direct");
    refused("fwd 1x1x8x8 1x3x3", "magic,direct", HG_E_ARG, "\"magic\"");
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
    return TEST_SUITE("selector", a_problem_is_given_to_the_solver_it_names, an_unknown_solver_is_named_with_those_there_are,
                      plans_are_made_once, what_is_no_convolution_is_refused);
}
