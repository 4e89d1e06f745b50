/* Numbers as text against those of Python and NumPy (tests/oracle/repr.py). */
#include <check.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/repr.h"

START_TEST(repr_is_that_of_python_and_numpy)
{
    FILE *f = fopen(TEST_DATA "/repr.txt", "r");
    ck_assert_ptr_nonnull(f);
    char type, expected[64], text[HG_REPR_SIZE];
    uint64_t bits;
    int count = 0;
    while (fscanf(f, " %c %" SCNx64 " %63s", &type, &bits, expected) == 3) {
        double d;
        float s;
        uint32_t low = (uint32_t)bits;
        memcpy(&d, &bits, sizeof d);
        memcpy(&s, &low, sizeof s);
        int n = type == 'd' ? hg_repr_double(d, text) : hg_repr_float(s, text);
        ck_assert_str_eq(text, expected);
        ck_assert_int_eq(n, (int)strlen(expected));
        count++;
    }
    ck_assert_int_eq(count, 4689);
    fclose(f);
}
END_TEST

/* Percentages as a float tensor times 1 / total gives them, printed as Python prints them. */
START_TEST(accuracies_print_as_python_prints_them)
{
    static const struct { int correct; const char *text; } cases[] = {
        {8321, "83.20999908447266"}, {8470, "84.69999694824219"}, {8481, "84.80999755859375"},
        {8573, "85.72999572753906"}, {8658, "86.57999420166016"}, {8639, "86.38999938964844"},
        {9017, "90.16999816894531"}};
    char text[HG_REPR_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float accuracy = (float)(100 * cases[i].correct) * (1.0f / 10000.0f);
        hg_repr_double((double)accuracy, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(shortest_digits_have_no_zeros_at_the_end)
{
    char digits[HG_REPR_SIZE];
    int exponent;
    ck_assert_int_eq(hg_shortest_digits(-1200.0, false, digits, &exponent), 2);
    ck_assert_str_eq(digits, "12");
    ck_assert_int_eq(exponent, 3);
    ck_assert_int_eq(hg_shortest_digits(0.0, true, digits, &exponent), 1);
    ck_assert_str_eq(digits, "0");
    ck_assert_int_eq(exponent, 0);
    ck_assert_int_eq(hg_shortest_digits((double)0.1f, true, digits, &exponent), 1);
    ck_assert_int_eq(hg_shortest_digits((double)0.1f, false, digits, &exponent), 17);
}
END_TEST

/* In the locale of the process and, where it is installed, one with a comma. */
START_TEST(point_is_a_point_in_every_locale)
{
    static const char *const locales[] = {"", "de_DE.UTF-8", "ps_AF.UTF-8"};
    char text[HG_REPR_SIZE];
    for (int i = 0; i < 3; i++) {
        setlocale(LC_NUMERIC, locales[i]);
        ck_assert_int_eq(hg_format_real(-1234.56789, 3, 'f', text, sizeof text), 9);
        ck_assert_str_eq(text, "-1234.568");
        hg_format_real(0.00012, 2, 'e', text, sizeof text);
        ck_assert_str_eq(text, "1.20e-04");
        hg_format_real(INFINITY, 2, 'f', text, sizeof text);
        ck_assert_str_eq(text, "inf");
        ck_assert_int_eq(hg_format_real(1e20, 0, 'f', text, 8), 7);
        ck_assert_str_eq(text, "1000000");
        hg_repr_double(-0.00123, text);
        ck_assert_str_eq(text, "-0.00123");
    }
    setlocale(LC_NUMERIC, "C");
}
END_TEST

Suite *repr_suite(void);

Suite *repr_suite(void)
{
    TCase *tests = tcase_create("repr");
    tcase_add_test(tests, repr_is_that_of_python_and_numpy);
    tcase_add_test(tests, accuracies_print_as_python_prints_them);
    tcase_add_test(tests, shortest_digits_have_no_zeros_at_the_end);
    tcase_add_test(tests, point_is_a_point_in_every_locale);
    Suite *suite = suite_create("repr");
    suite_add_tcase(suite, tests);
    return suite;
}
