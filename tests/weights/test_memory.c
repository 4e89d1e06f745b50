/* Memory runs out at every allocation of readers and writers in turn: each time the error says so, and nothing leaks
 * (the sanitizers look). The program is linked so that the library's calls of malloc and its kin come here. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hapgop/weights.h"
#include "weights/npy.h"
#include "weights/pth.h"
#include "weights/read.h"
#include "weights/write.h"

static long left = -1;      /* allocations until one fails; negative: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

#define WRAP(type, name, parameters, ...)                                                                             \
    type __real_##name parameters;                                                                                    \
    type __wrap_##name parameters;                                                                                    \
    type __wrap_##name parameters                                                                                     \
    {                                                                                                                 \
        return fails() ? NULL : __real_##name(__VA_ARGS__);                                                           \
    }

WRAP(void *, malloc, (size_t size), size)
WRAP(void *, calloc, (size_t count, size_t size), count, size)
WRAP(void *, realloc, (void *p, size_t size), p, size)
WRAP(void *, reallocarray, (void *p, size_t count, size_t size), p, count, size)
WRAP(char *, strdup, (const char *text), text)
WRAP(char *, strndup, (const char *text, size_t size), text, size)

static char path[64] = "/tmp/hapgop-memory-XXXXXX";

static hg_status load(hg_value *v)
{
    hg_status status = HG_OK;
    if (v->kind == HG_VALUE_ARRAY) return hg_array_load(&v->array);
    for (size_t i = 0; v->kind == HG_VALUE_DICT && i < v->dict.count && status == HG_OK; i++)
        status = load(v->dict.entries[i].item);
    return status;
}

/* What is run asserts nothing: Check's own allocations would be counted. */
static hg_status read_file(const char *file)
{
    hg_value *v;
    const char *format;
    hg_status status = hg_weights_parse(file, &format, &v);
    if ((status == HG_OK) != (v != NULL)) return HG_END;
    if (status == HG_OK) status = load(v);
    hg_value_free(v);
    return status;
}

static hg_status read_pth(const char *file)
{
    hg_value *v;
    hg_status status = hg_pth_read(file, &v);
    hg_value_free(v);
    return status;
}

static hg_value *document;

static hg_status write_file(const char *file)
{
    return hg_weights_write(file, document);
}

static hg_status read_npy(const char *file)
{
    hg_array a;
    hg_status status = hg_npy_read(file, &a);
    hg_array_free(&a);
    return status;
}

static float pair[2] = {1, 2};

static hg_status open_file(const char *file)
{
    static const hg_rename rules[] = {{"norm", "bn"}, {"conv.*", "net.*.x"}};
    hg_weights *w = hg_weights_open(file, &(hg_weights_options){NULL, "conv.", rules, 2});
    hg_status status = w ? HG_OK : hg_last_status();
    hg_weights_close(w);
    return status;
}

static hg_status make_document(const char *file)
{
    (void)file;
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(2), pair, true};
    hg_value *d = hg_value_ordered_dict(), *l = hg_value_list();
    hg_status status = hg_value_set(d, "list", l);      /* owns the list, or has freed it */
    if (status == HG_OK) status = hg_value_append(l, hg_value_string("x"));
    if (status == HG_OK) status = hg_value_set(d, "array", hg_value_array(&a));
    if (status == HG_OK) status = hg_value_set_at(d, 3, hg_value_double(1));
    if (status == HG_OK) status = hg_value_set_metadata(d, hg_value_dict());
    hg_value_free(d);
    return status;
}

/* Runs it with the first allocation failing, the second, and so on until none is left to fail. */
static void run_out(hg_status (*run)(const char *), const char *file, long least)
{
    for (long n = 0;; n++) {
        left = n;
        hg_status status = run(file);
        bool reached = left < 0;
        left = -1;
        if (!reached) {
            ck_assert_msg(status == HG_OK, "%s", hg_last_error());
            ck_assert_int_ge(n, least);
            return;
        }
        ck_assert_int_eq(status, HG_E_MEMORY);
        ck_assert_msg(strstr(hg_last_error(), "out of memory"), "%s", hg_last_error());
        hg_clear_error();
    }
}

START_TEST(readers_survive)
{
    run_out(read_pth, TEST_DATA "/checkpoint.pth", 100);
    run_out(read_file, TEST_DATA "/views.pth", 30);
    run_out(read_file, TEST_DATA "/legacy.pth", 30);
    run_out(read_file, TEST_DATA "/deflated.pth", 30);
    run_out(read_file, TEST_DATA "/compressed.npz", 20);
    run_out(open_file, TEST_DATA "/state_dict.pth", 50);
}
END_TEST

/* The arrays come from another file, chunk by chunk. */
START_TEST(writers_survive)
{
    static const struct {
        const char *extension;
        long least;
    } formats[] = {{".pth", 20}, {".safetensors", 8}, {".npz", 20}, {".npy", 4}};
    const char *format;
    char *name = path + strlen(path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const char *from = strcmp(formats[i].extension, ".npy") ? TEST_DATA "/state_dict.pth" : TEST_DATA "/one.npz";
        ck_assert_int_eq(hg_weights_parse(from, &format, &document), HG_OK);
        strcpy(name, formats[i].extension);
        run_out(write_file, path, formats[i].least);
        hg_value_free(document);
        run_out(read_file, path, formats[i].least);
        if (!strcmp(name, ".npy")) run_out(read_npy, path, 4);
        unlink(path);
        *name = 0;
    }
    ck_assert_int_eq(hg_pth_read(TEST_DATA "/checkpoint.pth", &document), HG_OK);
    strcpy(name, ".pth");
    run_out(write_file, path, 20);
    run_out(read_pth, path, 100);
    unlink(path);
    *name = 0;
    hg_value_free(document);
}
END_TEST

START_TEST(makers_survive)
{
    run_out(make_document, NULL, 8);
}
END_TEST

int main(void)
{
    int file = mkstemp(path);
    if (file < 0) return 1;
    close(file);
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, readers_survive);
    tcase_add_test(tests, writers_survive);
    tcase_add_test(tests, makers_survive);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    unlink(path);
    return failed != 0;
}
