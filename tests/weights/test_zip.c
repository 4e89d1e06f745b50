/* Zips byte by byte: what their directory may say, and what contradicts it; files that change while they are open. */
#include "test_weights.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/str.h"
#include "weights/read.h"
#include "weights/write.h"

/* A zip of one entry, "x/data.pkl" with the pickle of an empty dict, as its fields say. */
typedef struct parts {
    const char *comment;            /* NULL: none */
    uint64_t flags, method, header;
    int64_t stored, size, name, count, extra, directory, directory_size;    /* more than is right */
    bool zip64;                     /* sizes, offset and the end record in their zip64 places */
} parts;

static const char pickle[] = "\x80\2}.", entry_name[] = "x/data.pkl";
enum { PICKLE = sizeof pickle - 1, NAME = sizeof entry_name - 1 };

static void put(hg_str *s, uint64_t x, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++) b[i] = x >> 8 * i & 255;
    hg_str_add_bytes(s, b, (size_t)bytes);
}

static void put_entry(hg_str *s, const parts *p, bool local)
{
    uint64_t all = UINT32_MAX, stored = PICKLE + (uint64_t)p->stored, size = PICKLE + (uint64_t)p->size;
    uint64_t extra = 24 + (uint64_t)p->extra;
    bool large = p->zip64 && !local;
    put(s, local ? 0x04034b50 : 0x02014b50, 4);
    if (!local) put(s, 0, 2);
    put(s, 45, 2);
    put(s, p->flags, 2);
    put(s, p->method, 2);
    put(s, 0, 4);
    put(s, crc32(0, (const Bytef *)pickle, PICKLE), 4);
    put(s, large ? all : stored, 4);
    put(s, large ? all : size, 4);
    put(s, (uint64_t)(NAME + p->name), 2);
    put(s, large ? 4 + 6 + extra : 0, 2);
    if (!local) {
        put(s, 0, 8);
        put(s, 0, 2);
        put(s, large ? all : p->header, 4);
    }
    hg_str_add_bytes(s, entry_name, NAME);
    if (!large) return;
    put(s, 7, 2);                   /* another extra comes first */
    put(s, 2, 2);
    put(s, 0, 2);
    put(s, 1, 2);
    put(s, extra, 2);
    put(s, size, 8);
    put(s, stored, 8);
    put(s, p->header, 8);
}

static const char *write_zip(const parts *p)
{
    hg_str s = {0};
    put_entry(&s, p, true);
    hg_str_add_bytes(&s, pickle, PICKLE);
    size_t directory = s.length;
    uint64_t count = (uint64_t)(1 + p->count);
    for (uint64_t i = 0; i < count; i++) put_entry(&s, p, false);
    uint64_t size = s.length - directory + (uint64_t)p->directory_size, at = directory + (uint64_t)p->directory;
    const char *comment = p->comment ? p->comment : "";
    if (p->zip64) {
        uint64_t end = s.length;
        put(&s, 0x06064b50, 4);
        put(&s, 44, 8);
        put(&s, 0, 8);
        put(&s, 0, 4);
        put(&s, count, 8);
        put(&s, count, 8);
        put(&s, size, 8);
        put(&s, at, 8);
        put(&s, 0x07064b50, 4);
        put(&s, 0, 4);
        put(&s, end, 8);
        put(&s, 1, 4);
    }
    put(&s, 0x06054b50, 4);
    put(&s, 0, 4);
    put(&s, p->zip64 ? 0xffff : count, 2);
    put(&s, p->zip64 ? 0xffff : count, 2);
    put(&s, p->zip64 ? UINT32_MAX : size, 4);
    put(&s, p->zip64 ? UINT32_MAX : at, 4);
    put(&s, strlen(comment), 2);
    hg_str_add(&s, "%s", comment);
    write_bytes(scratch("z.pth"), s.text, s.length);
    hg_str_free(&s);
    return scratch("z.pth");
}


START_TEST(what_zips_may_be_is_read)
{
    const parts cases[] = {{.comment = ""}, {.zip64 = true}, {.comment = "PK\5\6 and more"}, {.flags = 1 << 11},
                           {.flags = 1 << 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hg_value *v;
        ck_assert_msg(read_weights(write_zip(&cases[i]), &v) == HG_OK, "case %zu: %s", i, hg_last_error());
        ck_assert_uint_eq(v->dict.count, 0);
        hg_value_free(v);
    }
}
END_TEST

START_TEST(what_contradicts_itself_is_refused)
{
    const struct {
        parts p;
        const char *message;
    } cases[] = {
        {{.flags = 1}, "it is encrypted"},
        {{.method = 12}, "packed in a way that PyTorch and NumPy do not use"},
        {{.method = 8}, "its compressed data is broken"},
        {{.method = 8, .size = 1000000}, "it could not have been packed so small"},
        {{.size = -1}, "its two sizes differ"},
        {{.stored = -1, .size = -1}, "its checksum is wrong"},
        {{.stored = 100000, .size = 100000}, "it lies outside the file"},
        {{.stored = -100, .size = -100, .zip64 = true}, "it lies outside the file"},
        {{.header = 1}, "it is not where the directory says"},
        {{.header = 100000}, "it lies outside the file"},
        {{.header = UINT64_MAX - 8, .zip64 = true}, "it lies outside the file"},
        {{.extra = -16, .zip64 = true}, "its directory is broken"},
        {{.extra = 60000, .zip64 = true}, "its directory is broken"},
        {{.name = 60000}, "its directory is broken"},
        {{.count = -1}, "a zip without data.pkl"},
        {{.count = 1}, "it has one name twice"},
        {{.directory = 1}, "its directory lies outside the file"},
        {{.directory = -1}, "its directory is broken"},
        {{.directory = INT64_MAX, .zip64 = true}, "its directory lies outside the file"},
        {{.directory_size = -1}, "its directory is broken"},
        {{.directory_size = INT64_MAX, .zip64 = true}, "its directory lies outside the file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hg_value *v;
        fails_with(read_weights(write_zip(&cases[i].p), &v), HG_E_FORMAT, cases[i].message);
        ck_assert_ptr_null(v);
    }
}
END_TEST

/* ---- Files that are cut, then or now ------------------------------------------------------------------------------- */

static hg_value *large(void)
{
    static float data[30000];
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(30000), data, true}, b = {HG_ARRAY_F32, HG_SHAPE(100, 300), data, true};
    hg_value *v = hg_value_ordered_dict();
    for (int i = 0; i < 30000; i++) data[i] = (float)i;
    succeeds(hg_value_set(v, "a", hg_value_array(&a)));
    succeeds(hg_value_set(v, "b", hg_value_array(&b)));
    return v;
}

static const char *const names[] = {"large.pth", "large.safetensors", "large.npz"};

START_TEST(a_file_cut_at_every_4_kib_is_refused)
{
    hg_value *v = large();
    void *bytes;
    size_t size;
    succeeds(hg_weights_write(scratch(names[_i]), v));
    hg_value_free(v);
    succeeds(hg_read_file(scratch(names[_i]), &bytes, &size));
    ck_assert_uint_gt(size, 240000);
    for (size_t n = 0; n < size; n += 4096) {
        write_bytes(scratch("cut.bin"), bytes, n);
        fails_with(read_weights(scratch("cut.bin"), &v), HG_E_FORMAT, "cut.bin: ");
        ck_assert_ptr_null(v);
    }
    free(bytes);
}
END_TEST

/* Reading the lost pages of a map would end the process. */
START_TEST(a_file_cut_while_it_is_open_is_an_error)
{
    hg_value *v = large(), *w;
    const char *format;
    float last;
    succeeds(hg_weights_write(scratch(names[_i]), v));
    succeeds(hg_weights_parse(scratch(names[_i]), &format, &w));
    const hg_array *a = &hg_value_find(w, "b")->array;
    succeeds(hg_array_read(a, 29999, 1, &last));
    ck_assert(last == 29999);
    ck_assert_int_eq(truncate(scratch(names[_i]), 8192), 0);
    fails_with(hg_array_read(a, 29999, 1, &last), HG_E_IO, "it was cut off while it was being read");
    hg_value_free(v);
    hg_value_free(w);
}
END_TEST

START_TEST(a_file_is_replaced_while_it_is_open)
{
    hg_value *v = large(), *w, *other = hg_value_dict();
    const char *format;
    float last;
    succeeds(hg_weights_write(scratch(names[_i]), v));
    succeeds(hg_weights_parse(scratch(names[_i]), &format, &w));
    succeeds(hg_weights_write(scratch(names[_i]), other));
    succeeds(hg_array_read(&hg_value_find(w, "b")->array, 29999, 1, &last));
    ck_assert(last == 29999);
    hg_value_free(v);
    hg_value_free(w);
    hg_value_free(other);
}
END_TEST

START_TEST(what_is_packed_needs_a_place)
{
    char *old = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    hg_value *v;
    setenv("TMPDIR", "/nonexistent", 1);
    hg_status status = read_weights(fixture("compressed.npz"), &v);
    if (old) setenv("TMPDIR", old, 1);
    else unsetenv("TMPDIR");
    free(old);
    ck_assert_int_eq(status, HG_E_IO);
    ck_assert_msg(strstr(hg_last_error(), "set TMPDIR") != NULL, "%s", hg_last_error());
    hg_clear_error();
    fails_with(on_a_full_disk(10, read_weights(fixture("compressed.npz"), &v)), HG_E_IO, "set TMPDIR");
    ck_assert_ptr_null(v);
}
END_TEST

Suite *zip_suite(void)
{
    Suite *suite = suite_create("zip");
    TCase *tests = tcase_create("zip");
    tcase_add_test(tests, what_zips_may_be_is_read);
    tcase_add_test(tests, what_contradicts_itself_is_refused);
    tcase_add_loop_test(tests, a_file_cut_at_every_4_kib_is_refused, 0, 3);
    tcase_add_loop_test(tests, a_file_cut_while_it_is_open_is_an_error, 0, 3);
    tcase_add_loop_test(tests, a_file_is_replaced_while_it_is_open, 0, 3);
    tcase_add_test(tests, what_is_packed_needs_a_place);
    suite_add_tcase(suite, tests);
    return suite;
}
