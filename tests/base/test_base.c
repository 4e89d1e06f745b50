/* Errors, strings, checked arithmetic, files. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

START_TEST(first_error_is_kept)
{
    hg_clear_error();
    ck_assert_int_eq(hg_last_status(), HG_OK);
    ck_assert_str_eq(hg_last_error(), "");
    ck_assert_int_eq(hg_error(HG_E_ARG, "first: %d", 1), HG_E_ARG);
    ck_assert_int_eq(hg_error(HG_E_SHAPE, "second"), HG_E_SHAPE);
    ck_assert_int_eq(hg_last_status(), HG_E_ARG);
    ck_assert_str_eq(hg_last_error(), "first: 1");
    ck_assert_str_eq(hg_status_name(hg_last_status()), "HG_E_ARG");
    hg_clear_error();
    ck_assert_int_eq(hg_last_status(), HG_OK);
}
END_TEST

START_TEST(long_error_is_cut_not_overrun)
{
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    hg_clear_error();
    hg_error(HG_E_IO, "%s", text);
    ck_assert_uint_eq(strlen(hg_last_error()), 1023);
    hg_clear_error();
}
END_TEST

START_TEST(strings_grow)
{
    hg_str s = {0};
    for (int i = 0; i < 1000; i++) hg_str_add(&s, "%d,", i);
    ck_assert_uint_eq(s.length, 10 * 2 + 90 * 3 + 900 * 4);
    char *text = hg_str_take(&s);
    ck_assert(!strncmp(text, "0,1,2,", 6));
    free(text);
    text = hg_str_take(&s);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(overflow_is_seen)
{
    int64_t r;
    ck_assert(hg_mul_i64(INT64_C(1) << 31, INT64_C(1) << 31, &r));
    ck_assert(!hg_mul_i64(INT64_C(1) << 32, INT64_C(1) << 31, &r));
    ck_assert(!hg_add_i64(INT64_MAX, 1, &r));
    ck_assert_int_eq(hg_ceil_div(7, 4), 2);
    ck_assert_int_eq(hg_round_up(8, 4), 8);
}
END_TEST

START_TEST(new_file_replaces_whole_or_not)
{
    char folder[] = "/tmp/hapgop-base-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    hg_new_file f;
    ck_assert_int_eq(hg_new_file_open(&f, path), HG_OK);
    fputs("one", f.stream);
    ck_assert_int_eq(hg_new_file_commit(&f), HG_OK);
    ck_assert_int_eq(hg_new_file_open(&f, path), HG_OK);
    fputs("two", f.stream);
    hg_new_file_abandon(&f);
    void *bytes;
    size_t size;
    ck_assert_int_eq(hg_read_file(path, &bytes, &size), HG_OK);
    ck_assert_uint_eq(size, 3);
    ck_assert_str_eq(bytes, "one");
    free(bytes);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);  /* no temporary left behind */

    hg_clear_error();
    ck_assert_int_eq(hg_new_file_open(&f, "/nonexistent/a"), HG_E_IO);
    ck_assert_ptr_nonnull(strstr(hg_last_error(), "/nonexistent/a"));
    hg_clear_error();
}
END_TEST

static char logged[256];

static void keep_log(const char *topic, const char *message, void *user)
{
    (void)user;
    snprintf(logged, sizeof logged, "%s: %s", topic, message);
}

START_TEST(log_reaches_the_callback)
{
    static int said;
    hg_set_log(keep_log, NULL);
    hg_warn_once(&said, "watch %s", "out");
    ck_assert_str_eq(logged, "warn: watch out");
    logged[0] = 0;
    hg_warn_once(&said, "again");
    ck_assert_str_eq(logged, "");
    hg_set_log(NULL, NULL);
}
END_TEST

Suite *repr_suite(void);

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, first_error_is_kept);
    tcase_add_test(tests, long_error_is_cut_not_overrun);
    tcase_add_test(tests, strings_grow);
    tcase_add_test(tests, overflow_is_seen);
    tcase_add_test(tests, new_file_replaces_whole_or_not);
    tcase_add_test(tests, log_reaches_the_callback);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_add_suite(runner, repr_suite());
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
