/* Fetching by 0, 1 and many workers: the same batches, clean ends, errors that keep their text. */
#include "test_data.h"

#include <sys/wait.h>

#include "data/feed.h"

static hg_feed *make(const hg_dataset *d, int64_t batch_size, bool drop_last, int workers, int prefetch)
{
    hg_clear_error();
    hg_feed *f = hg_feed_new(d, &(hg_feed_options){batch_size, drop_last, workers, prefetch, NULL, 0});
    ck_assert_msg(f != NULL, "%s", hg_last_error());
    return f;
}

/* Takes batches to the end of the epoch; adds up what must not depend on the workers. Returns the items seen. */
static int64_t drain(hg_feed *f, const int64_t *order, int64_t position, double *sum)
{
    hg_host_batch b;
    hg_status status;
    int64_t items = 0;
    while ((status = hg_feed_next(f, &b)) == HG_OK) {
        for (int64_t i = 0; i < b.size; i++, items++, position++) {
            int64_t index = order ? order[position] : position;
            const float *item = (const float *)b.inputs + 3 * i;
            ck_assert(item[0] == (float)index && item[1] == (float)(10 * index));
            ck_assert_int_eq(b.targets[i], 7 * index);
            *sum += item[2] * (double)(position + 1);
        }
    }
    ck_assert_int_eq(status, HG_END);
    ck_assert_int_eq(b.size, 0);
    return items;
}

START_TEST(batches_are_the_same_for_every_number_of_workers)
{
    enum { N = 103 };
    static const int workers[] = {0, 1, 2, 8}, batch_sizes[] = {1, 10, 103, 1000}, prefetches[] = {1, 2, 7};
    int64_t order[N];
    for (int i = 0; i < N; i++) order[i] = i * 37 % N;
    hg_dataset *d = numbers(N, -1);
    double expected = 0;
    hg_feed *plain = make(d, 10, false, 0, 2);
    ck_assert_int_eq(hg_feed_begin(plain, order, 99, 0, NULL), HG_OK);
    ck_assert_int_eq(drain(plain, order, 0, &expected), N);
    hg_feed_free(plain);
    for (int w = 0; w < 4; w++)
        for (int s = 0; s < 4; s++)
            for (int p = 0; p < 3; p++) {
                hg_feed *f = make(d, batch_sizes[s], false, workers[w], prefetches[p]);
                for (int epoch = 0; epoch < 2; epoch++) {
                    double sum = 0;
                    ck_assert_int_eq(hg_feed_begin(f, order, 99, 0, NULL), HG_OK);
                    ck_assert_int_eq(drain(f, order, 0, &sum), N);
                    ck_assert(sum == expected);     /* the samples' seeds */
                }
                double sum = 0;
                ck_assert_int_eq(hg_feed_begin(f, order, 100, 0, NULL), HG_OK);
                ck_assert_int_eq(drain(f, order, 0, &sum), N);
                ck_assert(sum != expected);
                hg_feed_free(f);
            }
    hg_dataset_free(d);
}
END_TEST

START_TEST(lengths_round_up_or_drop)
{
    static const struct { int64_t items, batch; bool drop; int64_t batches, seen; } cases[] = {
        {10, 3, false, 4, 10}, {10, 3, true, 3, 9}, {10, 5, true, 2, 10}, {10, 11, true, 0, 0},
        {10, INT64_MAX, false, 1, 10}, {0, 4, false, 0, 0}, {0, 4, true, 0, 0}, {1, 1, false, 1, 1}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        hg_dataset *d = numbers(cases[i].items, -1);
        for (int workers = 0; workers <= 2; workers += 2) {
            hg_feed *f = make(d, cases[i].batch, cases[i].drop, workers, 2);
            ck_assert_int_eq(hg_feed_batches(f), cases[i].batches);
            double sum = 0;
            ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 0, NULL), HG_OK);
            ck_assert_int_eq(drain(f, NULL, 0, &sum), cases[i].seen);
            hg_feed_free(f);
        }
        hg_dataset_free(d);
    }
}
END_TEST

START_TEST(an_epoch_can_begin_in_its_middle)
{
    hg_dataset *d = numbers(50, -1);
    for (int workers = 0; workers <= 3; workers += 3) {
        hg_feed *f = make(d, 8, false, workers, 2);
        double sum = 0;
        ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 4, NULL), HG_OK);
        ck_assert_int_eq(drain(f, NULL, 32, &sum), 18);
        ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 7, NULL), HG_OK);     /* behind the last batch */
        ck_assert_int_eq(drain(f, NULL, 0, &sum), 0);
        hg_feed_free(f);
    }
    hg_dataset_free(d);
}
END_TEST

START_TEST(an_items_error_keeps_its_text_and_its_place)
{
    static const int workers[] = {0, 1, 8};
    hg_dataset *d = numbers(60, 33);
    for (int w = 0; w < 3; w++) {
        hg_feed *f = make(d, 5, false, workers[w], 3);
        for (int epoch = 0; epoch < 2; epoch++) {
            hg_host_batch b;
            ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 0, NULL), HG_OK);
            for (int i = 0; i < 6; i++) ck_assert_int_eq(hg_feed_next(f, &b), HG_OK);
            ck_assert_int_eq(hg_feed_next(f, &b), HG_E_FORMAT);
            ck_assert_error(HG_E_FORMAT, "dataset numbers: item 33: picture-33.png is damaged");
            ck_assert_ptr_null(b.inputs);
            ck_assert_int_eq(hg_feed_next(f, &b), HG_END);
        }
        hg_feed_free(f);
    }
    hg_dataset_free(d);
}
END_TEST

START_TEST(leaving_early_is_clean_at_every_point)
{
    hg_dataset *d = numbers(64, -1);
    for (int round = 0; round < 60; round++) {
        hg_feed *f = make(d, 2, false, 1 + round % 8, 1 + round % 3);
        hg_host_batch b;
        for (int epoch = 0; epoch < 3; epoch++) {
            double sum = 0;
            ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 0, NULL), HG_OK);
            for (int i = 0; i < (round * 7 + epoch) % 33; i++) {
                ck_assert_int_eq(hg_feed_next(f, &b), HG_OK);
                ck_assert(*(const float *)b.inputs == (float)(2 * i));
            }
            if (epoch == 0) hg_feed_stop(f);
            if (round % 5 == 0 && epoch == 1) {     /* and a whole epoch after a broken one */
                ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 0, NULL), HG_OK);
                ck_assert_int_eq(drain(f, NULL, 0, &sum), 64);
            }
        }
        hg_feed_free(f);    /* in the middle of an epoch */
    }
    hg_feed *unused = make(d, 2, false, 4, 2);      /* never begun: no thread was started */
    hg_feed_free(unused);
    hg_dataset_free(d);
}
END_TEST

START_TEST(a_forked_child_gets_an_error_not_a_hang)
{
    hg_dataset *d = numbers(64, -1);
    hg_feed *f = make(d, 4, false, 2, 2);
    hg_host_batch b;
    ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 0, NULL), HG_OK);
    ck_assert_int_eq(hg_feed_next(f, &b), HG_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool right = hg_feed_next(f, &b) == HG_E_STATE && strstr(hg_last_error(), "fork");
        right = hg_feed_begin(f, NULL, 0, 0, NULL) == HG_E_STATE && right;
        hg_feed_stop(f);
        hg_feed_free(f);
        _exit(right ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    double sum = 0;
    ck_assert_int_eq(drain(f, NULL, 4, &sum), 60);
    hg_feed_free(f);
    hg_dataset_free(d);
}
END_TEST

START_TEST(impossible_batches_are_refused)
{
    hg_dataset *d = numbers(INT64_MAX / 16, -1);
    hg_clear_error();
    ck_assert_ptr_null(hg_feed_new(d, &(hg_feed_options){INT64_MAX / 16, false, 0, 2, NULL, 0}));
    ck_assert_error(HG_E_MEMORY, "loader", "batch_size");
    hg_dataset_free(d);
}
END_TEST

/* Even items are left out, those from 40 on are bad. */
static hg_status sparse_get(void *self, int64_t index, hg_sample *sample)
{
    (void)self;
    *(float *)sample->data = (float)index;
    sample->label = index;
    if (index < 40) return index % 2 ? HG_OK : HG_END;
    snprintf(sample->error, sizeof sample->error, "number %d", (int)index);
    return HG_E_FORMAT;
}

START_TEST(gaps_close_and_the_first_error_is_told_for_any_workers)
{
    static const hg_dataset_type type = {.name = "sparse", .get = sparse_get};
    hg_dataset *d = hg_dataset_new(&type, NULL, 64, HG_F32, HG_SHAPE(1), NULL);
    ck_assert_ptr_nonnull(d);
    for (int workers = 0; workers <= 24; workers += 3) {
        hg_feed *f = make(d, 16, false, workers, 2);
        ck_assert_hg(hg_feed_begin(f, NULL, 0, 0, NULL));
        hg_host_batch b;
        for (int64_t batch = 0; batch < 2; batch++) {
            ck_assert_int_eq(hg_feed_next(f, &b), HG_OK);
            ck_assert_int_eq(b.size, 8);
            for (int64_t i = 0; i < 8; i++) {
                ck_assert_int_eq(b.targets[i], 16 * batch + 2 * i + 1);
                ck_assert(((const float *)b.inputs)[i] == (float)b.targets[i]);
            }
        }
        ck_assert_int_eq(hg_feed_next(f, &b), HG_E_FORMAT);
        ck_assert_error(HG_E_FORMAT, "dataset sparse: item 40: number 40");
        hg_feed_free(f);
    }
    hg_dataset_free(d);
}
END_TEST

Suite *feed_suite(void)
{
    Suite *suite = suite_create("feed");
    TCase *tests = tcase_create("feed");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, batches_are_the_same_for_every_number_of_workers);
    tcase_add_test(tests, lengths_round_up_or_drop);
    tcase_add_test(tests, an_epoch_can_begin_in_its_middle);
    tcase_add_test(tests, an_items_error_keeps_its_text_and_its_place);
    tcase_add_test(tests, gaps_close_and_the_first_error_is_told_for_any_workers);
    tcase_add_test(tests, leaving_early_is_clean_at_every_point);
    tcase_add_test(tests, a_forked_child_gets_an_error_not_a_hang);
    tcase_add_test(tests, impossible_batches_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
