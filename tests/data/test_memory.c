/* Memory runs out at every allocation of the data and image rooms in turn, and threads cannot be started: each time
 * the error says so, and nothing leaks (the sanitizers look). The program is linked so that the library's calls of
 * malloc, its kin and pthread_create come here. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/fashion_mnist.h"
#include "data/feed.h"
#include "data/finish.h"
#include "hapgop/image.h"

static long left = -1;          /* allocations until one fails; negative: none does */
static long threads_left = -1;  /* the same for threads */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

#define WRAP(type, name, parameters, ...)                                                                              \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        return fails() ? NULL : __real_##name(__VA_ARGS__);                                                            \
    }

WRAP(void *, malloc, (size_t size), size)
WRAP(void *, calloc, (size_t count, size_t size), count, size)
WRAP(void *, realloc, (void *p, size_t size), p, size)
WRAP(char *, strdup, (const char *text), text)

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *argument)
{
    if (threads_left >= 0 && threads_left-- == 0) return EAGAIN;
    return __real_pthread_create(t, a, run, argument);
}

static char folder[] = "/tmp/hapgop-memory-XXXXXX", images[64], labels[64], picture[64];
static char classes[64], pixmaps[3][80];

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* What is run asserts nothing: Check's own allocations would be counted. It returns HG_END for a wrong result. */

static hg_transform *make_transform(void)
{
    static const double half[] = {0.5};
    hg_transform *t = hg_compose((hg_transform *[]){hg_to_tensor(), hg_normalize(half, half, 1)}, 2);
    return hg_compose((hg_transform *[]){hg_compose(NULL, 0), t}, 2);
}

static hg_status print_transform(void)
{
    hg_transform *t = make_transform();
    if (!t) return hg_last_status();
    char *text = hg_transform_to_text(t);
    hg_status status = !text ? hg_last_status() : strstr(text, "Normalize(mean=[0.5], std=[0.5])") ? HG_OK : HG_END;
    free(text);
    hg_transform_free(t);
    return status;
}

static hg_status fetch(hg_dataset *d)
{
    hg_feed *f = hg_feed_new(d, &(hg_feed_options){2, false, 0, 2, NULL, 0});
    if (!f) return hg_last_status();
    hg_host_batch b;
    hg_status status = hg_feed_begin(f, NULL, 0, 0, NULL);
    int64_t n = 0;
    while (status == HG_OK && (status = hg_feed_next(f, &b)) == HG_OK) n += b.size;
    hg_feed_free(f);
    return status == HG_END ? (n == 3 ? HG_OK : HG_END) : status;
}

static hg_status load_and_fetch(void)
{
    const char *folders[] = {"/nonexistent", folder};
    hg_transform *t = make_transform();
    if (!t) return hg_last_status();
    hg_dataset *d = hg_fashion_mnist_in(folders, 2, true, t);
    hg_transform_free(t);
    hg_status status = d ? fetch(d) : hg_last_status();
    hg_dataset_free(d);
    return status;
}

/* The loader's device is to do the end of the transform. */
static hg_status split(void)
{
    hg_transform *t = hg_compose((hg_transform *[]){hg_random_horizontal_flip(0.5), make_transform()}, 2);
    hg_finish *f;
    hg_status status = t ? hg_finish_new(t, &(hg_item_spec){HG_U8, HG_SHAPE(2, 2)}, &f) : hg_last_status();
    if (status == HG_OK) hg_finish_free(f);
    hg_transform_free(t);
    return status;
}

static hg_status search_in_root(void)
{
    hg_dataset *d = hg_fashion_mnist(folder, true, NULL);
    hg_status status = d ? HG_OK : hg_last_status();
    hg_dataset_free(d);
    return status;
}

/* Every transform of images, on a selection of a folder that may leave pictures out. */
static hg_status read_folder(void)
{
    hg_transform *t = hg_compose((hg_transform *[]){hg_resize(6), hg_resize_to(8, 8), hg_center_crop(7, 7),
                                 hg_random_crop(6, 6, 1), hg_random_resized_crop(5, 5, NULL),
                                 hg_random_horizontal_flip(0.5), hg_cv_resize(4, 4), hg_bgr(), hg_grayscale(1),
                                 hg_to_tensor()}, 10);
    if (!t) return hg_last_status();
    char *text = hg_transform_to_text(t);
    hg_dataset *d = hg_image_folder(classes, t, &(hg_image_folder_options){.on_bad_image = HG_BAD_IMAGE_SKIP});
    hg_transform_free(t);
    hg_dataset *s = d ? hg_select_classes(d, (int64_t[]){1, 0}, 2, 0) : NULL;
    hg_status status = text && s ? fetch(s) : hg_last_status();
    free(text);
    hg_dataset_free(s);
    hg_dataset_free(d);
    return status;
}

static hg_status draw_write_and_read(void)
{
    static const double y[] = {1, 2, 3};
    hg_chart_series series = {.label = "y", .y = y, .count = 3};
    hg_chart_panel panel = {.title = "t", .series = &series, .series_count = 1};
    hg_image image;
    hg_status status = hg_chart_write_png(picture, &(hg_chart){.panels = &panel, .panel_count = 1});
    if (status == HG_OK) status = hg_image_read_png(picture, &image);
    if (status != HG_OK) return status;
    hg_image_free(&image);
    return HG_OK;
}

/* Runs it with the first allocation failing, the second, and so on until none is left to fail. */
static void run_out(hg_status (*run)(void), long least)
{
    for (long n = 0;; n++) {
        hg_clear_error();
        left = n;
        hg_status status = run();
        bool reached = left < 0;
        left = -1;
        if (!reached) {
            ck_assert_int_eq(status, HG_OK);
            ck_assert_int_ge(n, least);
            return;
        }
        ck_assert_msg(status == HG_E_MEMORY, "allocation %ld: %d %s", n, status, hg_last_error());
        ck_assert_ptr_nonnull(strstr(hg_last_error(), "out of memory"));
        ck_assert_int_eq(hg_last_status(), HG_E_MEMORY);
    }
}

/* Three pixmaps in two classes. */
static void make_classes(void)
{
    snprintf(classes, sizeof classes, "%s/classes", folder);
    ck_assert_int_eq(mkdir(classes, 0700), 0);
    for (int i = 0; i < 3; i++) {
        snprintf(pixmaps[i], sizeof pixmaps[i], "%s/%c", classes, "aab"[i]);
        if (i != 1) ck_assert_int_eq(mkdir(pixmaps[i], 0700), 0);
        snprintf(pixmaps[i], sizeof pixmaps[i], "%s/%c/%d.ppm", classes, "aab"[i], i);
        write_file(pixmaps[i], "P6 2 1 255\n123456", 17);
    }
}

static void remove_classes(void)
{
    for (int i = 0; i < 3; i++) {
        unlink(pixmaps[i]);
        *strrchr(pixmaps[i], '/') = 0;
        if (i) ck_assert_int_eq(rmdir(pixmaps[i]), 0);
    }
    ck_assert_int_eq(rmdir(classes), 0);
}

START_TEST(memory_runs_out_everywhere)
{
    static const uint8_t image_bytes[16 + 3] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8, 9};
    static const uint8_t label_bytes[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(images, sizeof images, "%s/train-images-idx3-ubyte", folder);
    snprintf(labels, sizeof labels, "%s/train-labels-idx1-ubyte", folder);
    snprintf(picture, sizeof picture, "%s/a.png", folder);
    write_file(images, image_bytes, sizeof image_bytes);
    write_file(labels, label_bytes, sizeof label_bytes);
    run_out(print_transform, 8);
    run_out(load_and_fetch, 20);
    run_out(split, 16);
    run_out(search_in_root, 6);
    run_out(draw_write_and_read, 3);
    make_classes();
    run_out(read_folder, 60);
    remove_classes();
    unlink(images);
    unlink(labels);
    unlink(picture);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

static hg_status index_get(void *self, int64_t index, hg_sample *sample)
{
    (void)self;
    *(float *)sample->data = (float)index;
    sample->label = index;
    return HG_OK;
}

START_TEST(threads_that_cannot_be_started_are_an_error)
{
    static const hg_dataset_type type = {"indices", index_get, NULL};
    hg_dataset *d = hg_dataset_new(&type, NULL, 3, HG_F32, HG_SHAPE(1), NULL);
    ck_assert_ptr_nonnull(d);
    for (int good = 0; good < 3; good++) {
        char words[80];
        hg_feed *f = hg_feed_new(d, &(hg_feed_options){1, false, 3, 2, NULL, 0});
        ck_assert_ptr_nonnull(f);
        threads_left = good;
        hg_clear_error();
        ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 0, NULL), HG_E_MEMORY);
        snprintf(words, sizeof words, "cannot start worker %d of 3: Resource temporarily unavailable", good + 1);
        ck_assert_ptr_nonnull(strstr(hg_last_error(), words));
        if (good == 1) {    /* trying again later goes on with those that there are */
            hg_host_batch b;
            ck_assert_int_eq(hg_feed_begin(f, NULL, 0, 0, NULL), HG_OK);
            for (int i = 0; i < 3; i++) ck_assert_int_eq(hg_feed_next(f, &b), HG_OK);
            ck_assert_int_eq(b.targets[0], 2);
        }
        hg_feed_free(f);
    }
    hg_clear_error();
    hg_dataset_free(d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data-memory");
    TCase *tests = tcase_create("data-memory");
    tcase_add_test(tests, memory_runs_out_everywhere);
    tcase_add_test(tests, threads_that_cannot_be_started_are_an_error);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
