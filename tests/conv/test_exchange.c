/* Rows of the tuning database as text: what is wrong with a file is told by its line, and nothing of it is taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cache.h"
#include "suites.h"

static const char header[] = "hapgop tuning 1\n", shape[] = "fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32";

static const char *write_text(const char *name, const char *text, size_t size)
{
    const char *path = cache_file(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, size, f), size);
    fclose(f);
    return path;
}

static int rows_of_device(void)
{
    hg_tuning_row *rows;
    int count;
    ck_assert_hg(hg_tuning_list(test_device(), &rows, &count));
    free(rows);
    return count;
}

/* A line of a file for this device. */
static void line_of(char out[2048], const char *problem, const char *rest)
{
    char device[HG_DATABASE_TEXT], solvers[64];
    snprintf(out, 2048, "%s\t%s\t%s\t%s\n", hg_database_device(test_device(), device), hg_database_solvers(solvers),
             problem, rest);
}

static void refused(const char *line, const char *part)
{
    char good[2048], text[8192];
    line_of(good, shape, "direct\t0,0,0,0/0\t1.5\t0\t1e-07\tok\t2026-01-31T12:00:00Z");
    snprintf(text, sizeof text, "%s# a comment\n\n%s%s\n%s", header, good, line, good);
    ck_assert_int_eq(hg_tuning_import(test_device(), write_text("bad.txt", text, strlen(text))), HG_E_FORMAT);
    ck_assert_msg(strstr(hg_last_error(), "bad.txt:5: ") != NULL, "%s", hg_last_error());
    ck_assert_msg(strstr(hg_last_error(), "nothing was taken") != NULL, "%s", hg_last_error());
    test_error(HG_E_FORMAT, part);
    ck_assert_int_eq(rows_of_device(), 0);
}

START_TEST(a_bad_line_is_named_and_nothing_is_taken)
{
    static const struct {
        const char *problem, *rest, *part;
    } cases[] = {
        {"nonsense", "direct\t0/0\t1\t0\t-\tok\t2026-01-31T12:00:00Z", "\"nonsense\" is no convolution like"},
        {"fwd 8x64x56x56 64x99x99", "direct\t0/0\t1\t0\t-\tok\t2026-01-31T12:00:00Z", "is no convolution like"},
        {shape, "Direct!\t0/0\t1\t0\t-\tok\t2026-01-31T12:00:00Z", "\"Direct!\" is no solver"},
        {shape, "direct\t\t1\t0\t-\tok\t2026-01-31T12:00:00Z", "\"\" is no configuration"},
        {shape, "direct\t0;DROP\t1\t0\t-\tok\t2026-01-31T12:00:00Z", "is no configuration"},
        {shape, "direct\t0/0\tfast\t0\t-\tok\t2026-01-31T12:00:00Z", "\"fast\" is no time in ms"},
        {shape, "direct\t0/0\t-1\t0\t-\tok\t2026-01-31T12:00:00Z", "\"-1\" is no time in ms"},
        {shape, "direct\t0/0\tinf\t0\t-\tok\t2026-01-31T12:00:00Z", "\"inf\" is no time in ms"},
        {shape, "direct\t0/0\t1e999\t0\t-\tok\t2026-01-31T12:00:00Z", "\"1e999\" is no time in ms"},
        {shape, "direct\t0/0\t1,5\t0\t-\tok\t2026-01-31T12:00:00Z", "\"1,5\" is no time in ms"},
        {shape, "direct\t0/0\t-\t0\t-\tok\t2026-01-31T12:00:00Z", "is no time of a right result"},
        {shape, "direct\t0/0\t0\t0\t-\tok\t2026-01-31T12:00:00Z", "is no time of a right result"},
        {shape, "direct\t0/0\t1\t-5\t-\tok\t2026-01-31T12:00:00Z", "\"-5\" is no number of bytes"},
        {shape, "direct\t0/0\t1\t99999999999999999999\t-\tok\t2026-01-31T12:00:00Z", "is no number of bytes"},
        {shape, "direct\t0/0\t1\t0\tnan\tok\t2026-01-31T12:00:00Z", "\"nan\" is no error"},
        {shape, "direct\t0/0\t1\t0\t-\tfine\t2026-01-31T12:00:00Z", "\"fine\" is no state"},
        {shape, "direct\t0/0\t1\t0\t-\tok\tyesterday", "\"yesterday\" is no time like"},
        {shape, "direct\t0/0\t1\t0\t-\tok\t2026-01-31T12:00:00Z\tmore", "more than 10 fields"},
        {shape, "direct\t0/0\t1\t0\t-\tok", "9 fields separated by tabs, there should be 10"},
    };
    char line[2048];
    cache_begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        line_of(line, cases[i].problem, cases[i].rest);
        line[strlen(line) - 1] = 0;
        refused(line, cases[i].part);
    }
    refused("just words", "1 fields separated by tabs");
    char *longest = malloc(1001);
    memset(longest, 'x', 1000);
    longest[1000] = 0;
    snprintf(line, sizeof line, "%s\ta\tb\tc\td\te\tf\tg\th\ti", longest);
    free(longest);
    refused(line, "is no device");
    cache_end();
}
END_TEST

START_TEST(what_is_no_such_file_is_refused_by_its_first_line)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", ":1: not \"hapgop tuning 1\""},
        {"hapgop tuning\n", ":1: not \"hapgop tuning 1\""},
        {"\x89PNG\r\n", "give a file that hapgop tune --export wrote"},
        {"hapgop tuning 2\nrows of tomorrow\n", ":1: version 2, this program reads version 1"},
    };
    cache_begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = write_text("bad.txt", cases[i].text, strlen(cases[i].text));
        ck_assert_int_eq(hg_tuning_import(test_device(), path), HG_E_FORMAT);
        test_error(HG_E_FORMAT, cases[i].part);
    }
    ck_assert_int_eq(hg_tuning_import(test_device(), write_text("bad.txt", "hapgop\0tuning", 13)), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "not text");
    ck_assert_int_eq(hg_tuning_import(test_device(), cache_file("none.txt")), HG_E_IO);
    test_error(HG_E_IO, "No such file");
    cache_end();
}
END_TEST

START_TEST(what_is_exported_twice_is_the_same_text)
{
    char device[HG_DATABASE_TEXT], path[2][256];
    void *text[2];
    size_t size[2];
    cache_begin();
    hg_database_device(test_device(), device);
    cache_put(device, shape, "direct", "0,0,0,0/0", 12.3456789, HG_TUNING_OK);
    cache_put(device, shape, "im2col-gemm", "4,0,0,0/0", 1e-3, HG_TUNING_OK);
    cache_put(device, "bwd-data 2x4x9 6x3 s2 f64 g2", "direct", "0,0,0,0/0", 3, HG_TUNING_WRONG);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s", cache_file(i ? "second.txt" : "first.txt"));
        ck_assert_hg(hg_tuning_export(test_device(), path[i]));
        ck_assert_hg(hg_tuning_clear(test_device()));
        ck_assert_int_eq(rows_of_device(), 0);
        ck_assert_hg(hg_tuning_import(test_device(), path[i]));
        ck_assert_int_eq(rows_of_device(), 3);
        ck_assert_hg(hg_read_file(path[i], &text[i], &size[i]));
    }
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(text[0], text[1], size[0]);
    ck_assert_ptr_nonnull(strstr(text[0], "\t12.345679\t4096\t1.00e-07\tok\t"));
    free(text[0]);
    free(text[1]);
    ck_assert_int_eq(hg_tuning_export(test_device(), cache_file("no/folder.txt")), HG_E_IO);
    test_error(HG_E_IO, "folder.txt");
    cache_end();
}
END_TEST

START_TEST(lines_of_other_systems_and_other_devices_are_read)
{
    char line[2048], text[8192];
    cache_begin();
    line_of(line, "fwd 8x64x56x56 64x3x3 g2 p1x1", "direct\t0,0,0,0/0\t1.5\t0\t-\tok\t2026-01-31T12:00:00Z");
    line[strlen(line) - 1] = 0;
    snprintf(text, sizeof text, "hapgop tuning 1\r\n%s\r\nanother device%s\r\n", line, strchr(line, '\t'));
    ck_assert_hg(hg_tuning_import(test_device(), write_text("other.txt", text, strlen(text))));
    hg_tuning_row *rows;
    int count;
    ck_assert_hg(hg_tuning_list(test_device(), &rows, &count));
    ck_assert_int_eq(count, 1);
    ck_assert_str_eq(rows[0].problem, "fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32 g2"); /* in its usual form */
    ck_assert_int_eq(rows[0].when, 1769860800);
    free(rows);
    cache_end();
}
END_TEST

START_TEST(an_older_row_of_a_file_does_not_replace_what_was_measured_since)
{
    char device[HG_DATABASE_TEXT], line[2048], text[8192];
    cache_begin();
    cache_put(hg_database_device(test_device(), device), shape, "direct", "0,0,0,0/0", 7, HG_TUNING_OK);
    line_of(line, shape, "direct\t0,0,0,0/0\t1.5\t0\t-\tok\t2001-01-31T12:00:00Z");
    snprintf(text, sizeof text, "%s%s", header, line);
    ck_assert_hg(hg_tuning_import(test_device(), write_text("old.txt", text, strlen(text))));
    hg_tuning_row *rows;
    int count;
    ck_assert_hg(hg_tuning_list(test_device(), &rows, &count));
    ck_assert_int_eq(count, 1);
    ck_assert_double_eq(rows[0].ms, 7);
    free(rows);
    cache_end();
}
END_TEST

START_TEST(a_database_that_cannot_be_written_is_an_error_of_import)
{
    cache_begin();
    char before[128], line[2048], text[8192];
    line_of(line, shape, "direct\t0,0,0,0/0\t1.5\t0\t-\tok\t2001-01-31T12:00:00Z");
    snprintf(text, sizeof text, "%s%s", header, line);
    const char *path = write_text("rows.txt", text, strlen(text));
    snprintf(before, sizeof before, "%s", getenv("XDG_CACHE_HOME"));
    setenv("XDG_CACHE_HOME", path, 1); /* a file */
    ck_assert_int_eq(hg_tuning_import(test_device(), path), HG_E_IO);
    test_error(HG_E_IO, "tuning.sqlite");
    setenv("XDG_CACHE_HOME", before, 1);
    cache_end();
}
END_TEST

Suite *exchange_suite(void)
{
    return TEST_SUITE("exchange", a_bad_line_is_named_and_nothing_is_taken,
                      what_is_no_such_file_is_refused_by_its_first_line, what_is_exported_twice_is_the_same_text,
                      lines_of_other_systems_and_other_devices_are_read,
                      an_older_row_of_a_file_does_not_replace_what_was_measured_since,
                      a_database_that_cannot_be_written_is_an_error_of_import);
}
