/* The tuning database by itself: what goes in comes out; what is wrong with the file is a miss; processes that write at
 * once, and one that is killed while it writes. These tests open no device: they fork. */
#define _GNU_SOURCE
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "suites.h"

static const char dev[] = "some device", key[] = "fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32";
static char why[HG_DATABASE_WHY];

/* How many rows there are for the problem, with any batch; NULL: for any. The first one goes to `first`. */
static int found(const char *problem, hg_tuning_row *first)
{
    hg_conv_problem p;
    hg_tuning_row *rows;
    int count;
    if (problem) ck_assert_hg(hg_conv_parse(problem, &p));
    ck_assert_msg(hg_database_find(dev, problem ? &p : NULL, &rows, &count, why), "%s", why);
    if (count && first) *first = *rows;
    free(rows);
    return count;
}

static void misses(const char *part)
{
    hg_tuning_row *rows;
    int count;
    why[0] = 0;
    ck_assert(!hg_database_find(dev, NULL, &rows, &count, why));
    ck_assert_msg(strstr(why, part) != NULL, "%s", why);
    ck_assert_ptr_null(rows);
    ck_assert_int_eq(count, 0);
    ck_assert_int_eq(hg_last_status(), HG_OK);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void execute(const char *sql)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(cache_database(), &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

START_TEST(rows_come_back_as_they_were_put)
{
    cache_begin();
    hg_tuning_row row;
    ck_assert_int_eq(found(NULL, NULL), 0);
    cache_put(dev, key, "direct", "0,0,0,0/0", 3.25, HG_TUNING_OK);
    cache_put(dev, key, "im2col-gemm", "4,0,0,0/1", 1.5, HG_TUNING_OK);
    cache_put(dev, "fwd 16x64x56x56 64x3x3 p1x1", "direct", "0,0,0,0/0", 7, HG_TUNING_OK);
    cache_put(dev, "fwd 8x64x56x56 64x3x3 p1x1 bias", "direct", "0,0,0,0/0", 4, HG_TUNING_OK);
    cache_put("another device", key, "direct", "0,0,0,0/0", 2, HG_TUNING_OK);
    ck_assert_int_eq(found(key, &row), 3);
    ck_assert_str_eq(row.problem, key);
    ck_assert_str_eq(row.solver, "im2col-gemm"); /* the fastest of the smallest batch first */
    ck_assert_str_eq(row.config, "4,0,0,0/1");
    ck_assert_double_eq(row.ms, 1.5);
    ck_assert_double_eq(row.error, 1e-7);
    ck_assert_uint_eq(row.workspace, 4096);
    ck_assert_int_eq(row.state, HG_TUNING_OK);
    ck_assert_int_gt(row.when, 1700000000);
    ck_assert_int_eq(found("fwd 1x64x56x56 64x3x3 p1x1 bias", NULL), 1);
    ck_assert_int_eq(found(NULL, NULL), 4);
    ck_assert(hg_database_clear(dev, why));
    ck_assert_int_eq(found(NULL, NULL), 0);
    cache_end();
}
END_TEST

START_TEST(rows_of_other_solvers_are_not_seen)
{
    cache_begin();
    hg_database_row r = cache_row(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    strcpy(r.solvers, "0-12345678");
    ck_assert(hg_database_put(&r, 1, why));
    ck_assert_int_eq(found(key, NULL), 0);
    cache_end();
}
END_TEST

START_TEST(a_newer_row_replaces_an_older_one_and_wrong_stays_wrong)
{
    cache_begin();
    hg_tuning_row row;
    hg_database_row r = cache_row(dev, key, "direct", "0,0,0,0/0", 5, HG_TUNING_OK);
    ck_assert(hg_database_put(&r, 1, why));
    r.row.ms = 4;
    r.row.when--;
    ck_assert(hg_database_put(&r, 1, why));
    ck_assert_int_eq(found(key, &row), 1);
    ck_assert_double_eq(row.ms, 5);
    r.row.when += 2;
    ck_assert(hg_database_put(&r, 1, why));
    found(key, &row);
    ck_assert_double_eq(row.ms, 4);
    cache_put(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_WRONG);
    r.row.when += 10;
    ck_assert(hg_database_put(&r, 1, why));
    ck_assert_int_eq(found(key, &row), 1);
    ck_assert_int_eq(row.state, HG_TUNING_WRONG);
    cache_end();
}
END_TEST

START_TEST(a_damaged_database_is_a_miss_said_once_and_begun_afresh_by_the_next_row)
{
    cache_begin();
    ck_assert_int_eq(mkdir(cache_file("hapgop"), 0777), 0);
    write_file(cache_database(), "This was a database once, before something else was written over it.\n");
    write_file(cache_file("hapgop/tuning.sqlite-journal"), "a journal of what was there before\n");
    cache_listen("conv");
    misses("damaged");
    misses("damaged");
    const char *said = strstr(cache_heard(), "damaged");
    ck_assert_ptr_nonnull(said);
    ck_assert_ptr_null(strstr(said + 1, "damaged"));
    cache_put(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    ck_assert_int_eq(found(NULL, NULL), 1);
    cache_end();
}
END_TEST

START_TEST(a_database_cut_anywhere_is_a_miss_or_read)
{
    cache_begin();
    for (int i = 1; i <= 200; i++) {
        char problem[HG_CONV_KEY];
        snprintf(problem, sizeof problem, "fwd %dx64x56x56 64x3x3 p1x1", i);
        cache_put(dev, problem, "direct", "0,0,0,0/0", i, HG_TUNING_OK);
    }
    struct stat info;
    ck_assert_int_eq(stat(cache_database(), &info), 0);
    for (off_t size = info.st_size - 1; size > 0; size -= 3001) {
        hg_tuning_row *rows;
        int count;
        ck_assert_int_eq(truncate(cache_database(), size), 0);
        if (hg_database_find(dev, NULL, &rows, &count, why)) free(rows);
        ck_assert_int_eq(hg_last_status(), HG_OK);
    }
    cache_put(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    ck_assert_int_eq(found(NULL, NULL), 1);
    cache_end();
}
END_TEST

START_TEST(no_place_to_write_is_a_miss)
{
    cache_begin();
    hg_database_row r = cache_row(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    char before[128];
    snprintf(before, sizeof before, "%s", getenv("XDG_CACHE_HOME"));
    write_file(cache_file("file"), "");
    setenv("XDG_CACHE_HOME", cache_file("file"), 1); /* not a folder */
    ck_assert(!hg_database_put(&r, 1, why));
    ck_assert_msg(strstr(why, "unable to open") != NULL, "%s", why);
    ck_assert_int_eq(found(NULL, NULL), 0);
    setenv("XDG_CACHE_HOME", before, 1);
    ck_assert_int_eq(mkdir(cache_file("hapgop"), 0777), 0);
    ck_assert_int_eq(mkdir(cache_database(), 0777), 0); /* a folder */
    ck_assert(!hg_database_put(&r, 1, why));
    misses("unable to open");
    ck_assert_int_eq(hg_last_status(), HG_OK);
    cache_end();
}
END_TEST

START_TEST(no_cache_folder_is_a_miss)
{
    cache_begin();
    hg_database_row r = cache_row(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    ck_assert(!hg_database_put(&r, 1, why));
    misses("neither XDG_CACHE_HOME nor HOME");
    if (home) setenv("HOME", home, 1);
    free(home);
    cache_end();
}
END_TEST

START_TEST(another_version_is_a_miss_and_left_alone)
{
    cache_begin();
    cache_put(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    execute("PRAGMA user_version = 7");
    misses("version 7, this is 1; remove it");
    hg_database_row r = cache_row(dev, key, "im2col-gemm", "0,0,0,0/0", 1, HG_TUNING_OK);
    ck_assert(!hg_database_put(&r, 1, why));
    execute("PRAGMA user_version = 1");
    ck_assert_int_eq(found(NULL, NULL), 1);
    cache_end();
}
END_TEST

START_TEST(somebody_elses_tables_are_left_alone)
{
    cache_begin();
    ck_assert_int_eq(mkdir(cache_file("hapgop"), 0777), 0);
    execute("CREATE TABLE accounts (name TEXT)");
    hg_database_row r = cache_row(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    ck_assert(!hg_database_put(&r, 1, why));
    misses("version 0");
    cache_end();
}
END_TEST

START_TEST(a_busy_database_is_a_miss)
{
    cache_begin();
    cache_put(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(cache_database(), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    misses("busy");
    hg_database_row r = cache_row(dev, key, "direct", "0,0,0,0/0", 2, HG_TUNING_OK);
    ck_assert(!hg_database_put(&r, 1, why));
    ck_assert_msg(strstr(why, "busy") != NULL, "%s", why);
    sqlite3_close(db);
    ck_assert_int_eq(found(NULL, NULL), 1);
    cache_end();
}
END_TEST

START_TEST(what_is_no_problem_is_passed_over)
{
    cache_begin();
    cache_put(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    execute("INSERT INTO tuning SELECT device, solvers, 'nonsense', batch, solver, config, ms, workspace, error, "
            "state, at FROM tuning");
    ck_assert_int_eq(found(NULL, NULL), 1);
    ck_assert_int_eq(hg_last_status(), HG_OK);
    cache_end();
}
END_TEST

/* ---- processes ---- */

/* Rows for batches `first`, first + 1, ... and, in the same transaction, for 100,000 more of each. */
static void write_pairs(int first, int count)
{
    for (int i = first; i < first + count; i++) {
        hg_database_row pair[2];
        for (int k = 0; k < 2; k++) {
            char problem[HG_CONV_KEY];
            snprintf(problem, sizeof problem, "fwd %dx64x56x56 64x3x3 p1x1", i + 100000 * k);
            pair[k] = cache_row(dev, problem, "direct", "0,0,0,0/0", i, HG_TUNING_OK);
        }
        if (!hg_database_put(pair, 2, why)) _exit(1);
    }
}

static pid_t begin_writer(int first, int count)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child) return child;
    write_pairs(first, count);
    _exit(0);
}

START_TEST(two_processes_write_at_once)
{
    cache_begin();
    pid_t a = begin_writer(1, 40), b = begin_writer(1001, 40);
    int status;
    ck_assert_int_eq(waitpid(a, &status, 0), a);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
    ck_assert_int_eq(waitpid(b, &status, 0), b);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
    ck_assert_int_eq(found(NULL, NULL), 160);
    cache_end();
}
END_TEST

/* The one text that a query gives. */
static void check_integrity(void)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    ck_assert_int_eq(sqlite3_open(cache_database(), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(s, 0), "ok");
    sqlite3_finalize(s);
    sqlite3_close(db);
}

START_TEST(a_process_killed_while_it_writes_leaves_whole_transactions)
{
    cache_begin();
    int last = 0, grown = 0;
    for (int i = 0; i < 20; i++) {
        pid_t child = begin_writer(1 + 1000 * i, 1000);
        usleep((useconds_t)test_between(1000, 40000));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        int count = found(NULL, NULL);
        ck_assert_int_eq(count % 2, 0); /* both of a pair, or none */
        ck_assert_int_ge(count, last);
        grown += count > last;
        last = count;
        if (count) check_integrity();
    }
    ck_assert_int_gt(grown, 0); /* some of them came to write */
    cache_put(dev, key, "direct", "0,0,0,0/0", 1, HG_TUNING_OK);
    cache_end();
}
END_TEST

Suite *database_suite(void)
{
    return TEST_SUITE("database", rows_come_back_as_they_were_put, rows_of_other_solvers_are_not_seen,
                      a_newer_row_replaces_an_older_one_and_wrong_stays_wrong,
                      a_damaged_database_is_a_miss_said_once_and_begun_afresh_by_the_next_row,
                      a_database_cut_anywhere_is_a_miss_or_read, no_place_to_write_is_a_miss, no_cache_folder_is_a_miss,
                      another_version_is_a_miss_and_left_alone, somebody_elses_tables_are_left_alone,
                      a_busy_database_is_a_miss, what_is_no_problem_is_passed_over, two_processes_write_at_once,
                      a_process_killed_while_it_writes_leaves_whole_transactions);
}
