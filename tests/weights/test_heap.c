/* Reading, converting and writing need less than 16 MiB of memory of one's own, whatever the size of the files: with
 * RLIMIT_DATA the system refuses more. The files are mostly holes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zip.h>

#include "weights/npy.h"
#include "weights/read.h"
#include "weights/write.h"

#define MIB (INT64_C(1) << 20)
#define COUNT (8 * MIB)     /* elements of 4 bytes: twice the limit */
#define LIMIT (16 * MIB)

static char folder[] = "/tmp/hapgop-heap-XXXXXX";

static const char *file_of(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* ---- What the process may have -------------------------------------------------------------------------------------- */

/* Its data so far, in bytes: what RLIMIT_DATA counts. */
static int64_t data_now(void)
{
    long long kib = 0;
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f) && sscanf(line, "VmData: %lld", &kib) != 1) {}
    fclose(f);
    ck_assert_int_gt(kib, 0);
    return kib * 1024;
}

static void limit_data(int64_t more)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_DATA, &limit), 0);
    limit.rlim_cur = more ? (rlim_t)(data_now() + more) : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_DATA, &limit), 0);
}

/* ---- Files ---------------------------------------------------------------------------------------------------------- */

/* `head`, then a hole, and the float `last` at the end. */
static void write_sparse(const char *path, const void *head, size_t size, int64_t elements, const void *last)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(head, 1, size, f), size);
    ck_assert_int_eq(fseeko(f, (off_t)(size + 4 * (size_t)(elements - 1)), SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(last, 1, 4, f), 4);
    ck_assert_int_eq(fclose(f), 0);
}

static void write_npy(const char *path, const char *text, int64_t elements, const void *last)
{
    char head[256] = "\x93NUMPY\1";
    head[8] = (char)strlen(text);
    strcpy(head + 10, text);
    write_sparse(path, head, 10 + strlen(text), elements, last);
}

static void write_safetensors(const char *path, int64_t elements, const void *last)
{
    char head[256] = {0};
    head[0] = (char)snprintf(head + 8, sizeof head - 8, "{\"a\":{\"dtype\":\"F32\",\"shape\":[%lld],\"data_offsets\":[0,%lld]}}",
                             (long long)elements, 4 * (long long)elements);
    write_sparse(path, head, 8 + strlen(head + 8), elements, last);
}

/* As torch.save wrote before 1.6: {"a": a tensor} */
static void write_legacy(const char *path, int64_t elements, const void *last)
{
    static const char before[] = "\x80\2\x8a\nl\xfc\x9c" "F\xf9 j\xa8P\x19.\x80\2M\xe9\3.\x80\2}.\x80\2}X\1\0\0\0a"
                                 "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                 "X\1\0\0\0000X\3\0\0\0cpu\x8a\x08",
                      middle[] = "NtQK\0\x8a\x08", after[] = "\x85K\1\x85\x89NtRs.\x80\2]X\1\0\0\0000a.";
    char head[512], *p = head;
    memcpy(p, before, sizeof before - 1), p += sizeof before - 1;
    memcpy(p, &elements, 8), p += 8;
    memcpy(p, middle, sizeof middle - 1), p += sizeof middle - 1;
    memcpy(p, &elements, 8), p += 8;
    memcpy(p, after, sizeof after - 1), p += sizeof after - 1;
    memcpy(p, &elements, 8), p += 8;
    write_sparse(path, head, (size_t)(p - head), elements, last);
}

/* ---- Tests ---------------------------------------------------------------------------------------------------------- */

static hg_value *open_file(const char *path)
{
    hg_value *v;
    const char *format;
    ck_assert_msg(hg_weights_parse(path, &format, &v) == HG_OK, "%s", hg_last_error());
    ck_assert_uint_eq(v->dict.count, 1);
    return v;
}

/* The sum of all elements, converted to float64 chunk by chunk, is that of the last. */
static void check_file(const char *path)
{
    static double chunk[HG_ARRAY_CHUNK];
    double sum = 0;
    limit_data(LIMIT);
    hg_value *v = open_file(path);
    const hg_array *a = &v->dict.entries[0].item->array;
    ck_assert_int_eq(hg_array_count(a), COUNT);
    for (int64_t first = 0; first < COUNT; first += HG_ARRAY_CHUNK) {
        ck_assert_msg(hg_array_convert(a, first, HG_ARRAY_CHUNK, HG_F64, chunk) == HG_OK, "%s", hg_last_error());
        for (int64_t i = 0; i < HG_ARRAY_CHUNK; i++) sum += chunk[i];
    }
    hg_value_free(v);
    limit_data(0);
    ck_assert(sum == 1);
    unlink(path);
}

static const float one = 1;

START_TEST(large_files_are_converted_in_little_memory)
{
    static const char *const names[] = {"a.pth", "a.safetensors", "a.npz", "a.npy"};
    write_safetensors(file_of("big"), COUNT, &one);
    limit_data(LIMIT);
    hg_value *v = open_file(file_of("big"));
    ck_assert_msg(hg_weights_write(file_of(names[_i]), v) == HG_OK, "%s", hg_last_error());
    hg_value_free(v);
    check_file(file_of(names[_i]));
}
END_TEST

START_TEST(large_files_of_other_programs_are_read_in_little_memory)
{
    write_legacy(file_of("legacy.pth"), COUNT, &one);
    check_file(file_of("legacy.pth"));
    write_npy(file_of("order.npy"), "{'descr': '>f4', 'fortran_order': True, 'shape': (1024, 8192)}\n", COUNT,
              "\x3f\x80\0\0");
    check_file(file_of("order.npy"));
}
END_TEST

START_TEST(a_large_compressed_file_is_read_in_little_memory)
{
    write_npy(file_of("a.npy"), "{'descr': '<f4', 'fortran_order': False, 'shape': (8388608,)}\n", COUNT, &one);
    zip_t *zip = zip_open(file_of("packed.npz"), ZIP_CREATE | ZIP_TRUNCATE, NULL);
    ck_assert_ptr_nonnull(zip);
    ck_assert_int_eq(zip_file_add(zip, "a.npy", zip_source_file(zip, file_of("a.npy"), 0, -1), 0), 0);
    ck_assert_int_eq(zip_set_file_compression(zip, 0, ZIP_CM_DEFLATE, 1), 0);
    ck_assert_int_eq(zip_close(zip), 0);
    check_file(file_of("packed.npz"));
}
END_TEST

/* Offsets beyond 4 GiB. */
START_TEST(the_end_of_a_file_of_6_gib_is_read)
{
    const int64_t count = 1536 * MIB;
    float last = 0;
    write_npy(file_of("0"), "{'descr': '<f4', 'fortran_order': False, 'shape': (1610612736,)}\n", count, &one);
    write_safetensors(file_of("1"), count, &one);
    write_legacy(file_of("2"), count, &one);
    limit_data(LIMIT);
    const char *path = file_of((const char *[]){"0", "1", "2"}[_i]);
    hg_value *v = open_file(path);
    ck_assert_msg(hg_array_read(&v->dict.entries[0].item->array, count - 1, 1, &last) == HG_OK, "%s", hg_last_error());
    ck_assert(last == 1);
    hg_value_free(v);
    limit_data(0);
}
END_TEST

/* That the limit is one: a test that cannot fail shows nothing. */
START_TEST(more_memory_is_refused)
{
    limit_data(LIMIT);
    void *p = malloc((size_t)LIMIT + MIB);
    limit_data(0);
    ck_assert_ptr_null(p);
}
END_TEST

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    setenv("TMPDIR", folder, 1);
    Suite *suite = suite_create("heap");
    TCase *tests = tcase_create("heap");
    tcase_add_test(tests, more_memory_is_refused);
    tcase_add_loop_test(tests, large_files_are_converted_in_little_memory, 0, 4);
    tcase_add_test(tests, large_files_of_other_programs_are_read_in_little_memory);
    tcase_add_test(tests, a_large_compressed_file_is_read_in_little_memory);
    tcase_add_loop_test(tests, the_end_of_a_file_of_6_gib_is_read, 0, 3);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return failed != 0 || system(command) != 0;
}
