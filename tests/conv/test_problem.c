/* The problem: its text, its sizes, what is refused. */
#include <string.h>

#include "suites.h"

static const char *const keys[] = {
    "fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32",
    "bwd-data 1x3x224x224 64x7x7 s2x2 p3x3 f32",
    "bwd-weights 2x4x10 6x3 s1 p0 f64",
    "fwd 2x1x10x9x8 6x1x2x3 s1x2x1 p0x1x2 f32",
    "fwd 8x32x14x14 32x2x2 s1x1 p0:1x0:1 f32 d2x1 g32 bias residual relu w1048576",
    "fwd 0x3x8x8 4x3x3 s1x1 p1x0 f32",
};

START_TEST(keys_are_read_as_they_are_written)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        hg_conv_problem p, q;
        char text[HG_CONV_KEY];
        ck_assert_hg(hg_conv_parse(keys[i], &p));
        ck_assert_str_eq(hg_conv_key(&p, text), keys[i]);
        ck_assert_hg(hg_conv_parse(text, &q));
        ck_assert_mem_eq(&p, &q, sizeof p);
    }
}
END_TEST

START_TEST(optional_fields_may_be_left_out_and_come_in_any_order)
{
    hg_conv_problem p;
    char text[HG_CONV_KEY];
    ck_assert_hg(hg_conv_parse("fwd 8x64x56x56 64x3x3", &p));
    ck_assert_str_eq(hg_conv_key(&p, text), "fwd 8x64x56x56 64x3x3 s1x1 p0x0 f32");
    ck_assert_hg(hg_conv_parse("fwd 8x64x56x56 64x3x3 g2 relu f64 d2x2 p1x1", &p));
    ck_assert_str_eq(hg_conv_key(&p, text), "fwd 8x64x56x56 64x3x3 s1x1 p1x1 f64 d2x2 g2 relu");
}
END_TEST

static void refuses(const char *key, hg_status code, const char *part)
{
    hg_conv_problem p;
    ck_assert_int_eq(hg_conv_parse(key, &p), code);
    test_error(code, part);
}

START_TEST(what_is_no_problem_is_refused_by_name)
{
    refuses("", HG_E_FORMAT, "cut short");
    refuses("fwd 8x64x56x56", HG_E_FORMAT, "cut short");
    refuses("forward 8x64x56x56 64x3x3", HG_E_FORMAT, "\"forward\"");
    refuses("fwd 8x64 64x3x3", HG_E_FORMAT, "\"8x64\"");
    refuses("fwd 1x1x1x1x1x1 1x1x1x1x1", HG_E_FORMAT, "\"1x1x1x1x1x1\"");
    refuses("fwd 8x64x56x56 64x3", HG_E_FORMAT, "\"64x3\"");
    refuses("fwd 8x64x56x56 64x3x3 s1", HG_E_FORMAT, "\"s1\"");
    refuses("fwd 8x64x56x56 64x3x3 s1xx1", HG_E_FORMAT, "\"s1xx1\"");
    refuses("fwd 8x64x56x56 64x3x3 s1x1: f32", HG_E_FORMAT, "\"s1x1:\"");
    refuses("fwd 8x64x56x56 64x3x3 f16", HG_E_FORMAT, "\"f16\"");
    refuses("fwd 8x64x56x56 64x-3x3", HG_E_FORMAT, "\"64x-3x3\"");
    refuses("fwd 8x64x56x56 64x3x3 s0x1", HG_E_ARG, "stride 0");
    refuses("fwd 8x64x56x56 64x3x3 g3", HG_E_ARG, "groups must divide both");
    refuses("fwd 8x64x56x56 64x3x3 g0", HG_E_ARG, "groups must divide both");
    refuses("bwd-data 8x64x56x56 64x3x3 relu", HG_E_ARG, "only the forward direction");
    refuses("fwd 8x64x2x56 64x3x3", HG_E_SHAPE, "kernel of 3 with dilation 1 does not fit a padded size of 2");
    refuses("fwd 8x64x9x9 64x3x3 d5x1", HG_E_SHAPE, "dilation 5");
    refuses("fwd 99999999999999x64x56x56 64x3x3", HG_E_SHAPE, "overflow");
    refuses("fwd 8x64x9999999999999x56 64x3x3", HG_E_ARG, "too large");
    refuses("fwd 99999999999999999999999x64x5x5 64x3x3", HG_E_SHAPE, "overflow");
}
END_TEST

START_TEST(sizes_and_operations_are_those_of_the_definition)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 1x192x28x28 32x5x5 p2x2", &p));
    ck_assert_int_eq(hg_conv_output(&p, 0), 28);
    ck_assert_double_eq(hg_conv_flops(&p), 2 * 120422400.0);
    ck_assert_hg(hg_conv_parse("fwd 2x4x8x9 6x3x2 s2x3 p0:1x1:0 d2x1 g2", &p));
    ck_assert_int_eq(hg_conv_output(&p, 0), 3); /* (8 + 1 - 4 - 1) / 2 + 1 */
    ck_assert_int_eq(hg_conv_output(&p, 1), 3); /* (9 + 1 - 1 - 1) / 3 + 1 */
    ck_assert_int_eq(hg_conv_input_numel(&p), 2 * 4 * 72);
    ck_assert_int_eq(hg_conv_output_numel(&p), 2 * 6 * 9);
    ck_assert_int_eq(hg_conv_weight_numel(&p), 6 * 2 * 6);
    ck_assert_double_eq(hg_conv_flops(&p), 2.0 * 108 * 2 * 6);
}
END_TEST

START_TEST(indices_become_long_where_an_int_is_too_small)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 1000x64x128x128 64x3x3 p1x1", &p));
    ck_assert(!hg_conv_wide(&p));
    ck_assert_hg(hg_conv_parse("fwd 3000x64x128x128 1x3x3 p1x1", &p));
    ck_assert(hg_conv_wide(&p));
    ck_assert_hg(hg_conv_parse("fwd 3000x1x128x128 64x3x3 p1x1", &p));
    ck_assert(hg_conv_wide(&p));
}
END_TEST

Suite *problem_suite(void)
{
    return TEST_SUITE("problem", keys_are_read_as_they_are_written,
                      optional_fields_may_be_left_out_and_come_in_any_order, what_is_no_problem_is_refused_by_name,
                      sizes_and_operations_are_those_of_the_definition, indices_become_long_where_an_int_is_too_small);
}
