/* The accuracies that the chapter's programs printed, from their counts of right answers (chapter 61). */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../tools/train.h"
#include "base/repr.h"

START_TEST(accuracies_are_those_the_chapter_prints)
{
    static const struct {
        int64_t correct;
        const char *text;
    } printed[] = {
        {8321, "83.20999908447266"}, {8470, "84.69999694824219"}, {8481, "84.80999755859375"},
        {8573, "85.72999572753906"}, {8658, "86.57999420166016"}, {8639, "86.38999938964844"},
        {9017, "90.16999816894531"}, {0, "0.0"}, {10000, "100.0"},
    };
    for (size_t i = 0; i < sizeof printed / sizeof *printed; i++) {
        char text[HG_REPR_SIZE];
        hg_repr_double(train_accuracy(&(train_evaluation){1, printed[i].correct, 10000}), text);
        ck_assert_str_eq(text, printed[i].text);
    }
    ck_assert(isnan(train_accuracy(&(train_evaluation){1, 0, 0})));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accuracy");
    TCase *tcase = tcase_create("accuracy");
    tcase_add_test(tcase, accuracies_are_those_the_chapter_prints);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
