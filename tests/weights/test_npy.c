/* .npy files: what NumPy wrote is read, what is written is what NumPy would write, damage is named. */
#include "test_weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "weights/npy.h"

static hg_status parse_bytes(const void *bytes, size_t size, hg_array *out)
{
    write_bytes(scratch("t.npy"), bytes, size);
    return hg_npy_read(scratch("t.npy"), out);
}

/* A .npy of version 1 with this header text and data, parsed. */
static hg_status parse(const char *text, const void *data, size_t size, hg_array *out)
{
    static unsigned char file[4096];
    size_t length = strlen(text);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = length & 255;
    file[9] = length >> 8 & 255;
    memcpy(file + 10, text, length);
    if (size) memcpy(file + 10 + length, data, size);
    return parse_bytes(file, 10 + length + size, out);
}

START_TEST(every_type_comes_back)
{
    for (int t = 0; t < HG_ARRAY_DTYPES; t++) {
        if (t == HG_ARRAY_BF16) continue;
        hg_array a, b;
        succeeds(hg_array_alloc(&a, t, HG_SHAPE(2, 3)));
        unsigned char *data = a.data;
        for (size_t i = 0; i < hg_array_bytes(&a); i++) data[i] = t == HG_ARRAY_BOOL ? i % 2 : 17 * i + 3;
        succeeds(hg_npy_write(scratch("a.npy"), &a));
        succeeds(hg_npy_read(scratch("a.npy"), &b));
        ck_assert_int_eq(b.dtype, t);
        ck_assert_int_eq(b.shape.ndim, 2);
        ck_assert_int_eq(b.shape.size[0], 2);
        ck_assert_int_eq(b.shape.size[1], 3);
        ck_assert_mem_eq(a.data, b.data, hg_array_bytes(&a));
        hg_array_free(&a);
        hg_array_free(&b);
    }
}
END_TEST

START_TEST(every_rank_comes_back)
{
    hg_shape shapes[] = {(hg_shape){0}, HG_SHAPE(5), HG_SHAPE(0), HG_SHAPE(3, 0, 2), HG_SHAPE(1, 2, 1, 2, 1, 2, 1, 2)};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        float data[16];
        for (int j = 0; j < 16; j++) data[j] = j * 0.5f;
        hg_array a = {HG_ARRAY_F32, shapes[i], data, true}, b;
        succeeds(hg_npy_write(scratch("a.npy"), &a));
        succeeds(hg_npy_read(scratch("a.npy"), &b));
        ck_assert_int_eq(b.shape.ndim, shapes[i].ndim);
        ck_assert_mem_eq(b.shape.size, shapes[i].size, sizeof(int64_t) * shapes[i].ndim);
        ck_assert_mem_eq(data, b.data, hg_array_bytes(&a));
        hg_array_free(&b);
    }
}
END_TEST

START_TEST(written_bytes_are_numpys)
{
    static const char *const header[] = {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
                                         "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
                                         "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"};
    hg_shape shapes[] = {(hg_shape){0}, HG_SHAPE(2), HG_SHAPE(2, 1)};
    float data[2] = {1, -2};
    for (int i = 0; i < 3; i++) {
        hg_array a = {HG_ARRAY_F32, shapes[i], data, true};
        succeeds(hg_npy_write(scratch("a.npy"), &a));
        void *bytes;
        size_t size;
        succeeds(hg_read_file(scratch("a.npy"), &bytes, &size));
        ck_assert_uint_eq(size, 128 + hg_array_bytes(&a));
        ck_assert_mem_eq(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
        ck_assert_mem_eq((char *)bytes + 10, header[i], strlen(header[i]));
        ck_assert_int_eq(((char *)bytes)[127], '\n');
        ck_assert_mem_eq((char *)bytes + 128, data, hg_array_bytes(&a));
        free(bytes);
    }
}
END_TEST

START_TEST(fortran_order_becomes_row_major)
{
    hg_array a;
    int32_t columns[6] = {0, 3, 1, 4, 2, 5}, rows[6] = {0, 1, 2, 3, 4, 5};
    succeeds(parse("{'shape': (2, 3), 'fortran_order': True, 'descr': '<i4'}\n", columns, sizeof columns, &a));
    ck_assert_mem_eq(a.data, rows, sizeof rows);
    hg_array_free(&a);
    int32_t cube[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    succeeds(parse("{'shape': (2, 2, 2L), 'fortran_order': True, 'descr': '<i4'}\n", cube, sizeof cube, &a));
    for (int i = 0; i < 8; i++) ck_assert_int_eq(((int32_t *)a.data)[i], i);
    hg_array_free(&a);
}
END_TEST

START_TEST(big_endian_is_turned)
{
    hg_array a;
    succeeds(parse("{'descr': '>i4', 'fortran_order': True, 'shape': (2, 2)}\n", "\0\0\0\1\0\0\0\3\0\0\0\2\0\0\1\0", 16, &a));
    ck_assert_mem_eq(a.data, ((int32_t[]){1, 2, 3, 256}), 16);
    hg_array_free(&a);
    succeeds(parse("{'descr': '>u1', 'fortran_order': False, 'shape': (2,)}\n", "\1\2", 2, &a));
    ck_assert_mem_eq(a.data, "\1\2", 2);
    hg_array_free(&a);
}
END_TEST

START_TEST(version_2_and_odd_bools_are_read)
{
    static const char text[] = "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }";
    unsigned char file[128] = "\x93NUMPY\x02\x00";
    file[8] = sizeof text - 1;
    memcpy(file + 12, text, sizeof text - 1);
    memcpy(file + 12 + sizeof text - 1, "\x00\x02\x01", 3);
    hg_array a;
    succeeds(parse_bytes(file, 12 + sizeof text - 1 + 3, &a));
    ck_assert_mem_eq(a.data, "\x00\x01\x01", 3);
    hg_array_free(&a);
}
END_TEST

START_TEST(bad_headers_are_named)
{
    static const struct {
        const char *header, *message;
    } cases[] = {
        {"{'descr': '=f4', 'fortran_order': False, 'shape': (1,), }", "type =f4"},
        {"{'descr': '', 'fortran_order': False, 'shape': (1,), }", "type ;"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "type <c8"},
        {"{'descr': '<U7', 'fortran_order': False, 'shape': (1,), }", "type <U7"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "type |O"},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", "structured"},
        {"{'descr': '<f4', 'fortran_order': False, }", "a key is missing"},
        {"{'descr': '<f4', 'shape': (1,), }", "a key is missing"},
        {"{'fortran_order': False, 'shape': (1,), }", "a key is missing"},
        {"{'descr': '<f4', 'fortran_order': Fals, 'shape': (1,), }", "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "no number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, }", "no number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 1, }", "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 1), }", "no tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,", "no number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }", "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,), }", "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "more than 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "needs 12 bytes of data, the file has 4"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", "needs 0 bytes of data, the file has 4"},
        {"{'other': 1}", "unknown key"},
        {"{'descr", "no end"},
        {"", "no dict"},
        {"{'descr': '<f4' 'fortran_order': False}", "no dict"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hg_array a;
        fails_with(parse(cases[i].header, "\0\0\0", 4, &a), HG_E_FORMAT, cases[i].message);
        ck_assert_ptr_null(a.data);
    }
    hg_array a;
    fails_with(parse_bytes("PK\3\4......", 10, &a), HG_E_FORMAT, "not a .npy file");
    fails_with(parse_bytes("\x93NUMPY\x09\x00..", 10, &a), HG_E_FORMAT, "version 9");
    fails_with(hg_npy_read("/nonexistent/a.npy", &a), HG_E_IO, "/nonexistent/a.npy");
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused)
{
    float data[3] = {1, 2, 3};
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(3), data, true}, b;
    succeeds(hg_npy_write(scratch("a.npy"), &a));
    void *bytes;
    size_t size;
    succeeds(hg_read_file(scratch("a.npy"), &bytes, &size));
    for (size_t n = 0; n < size; n++) {
        fails_with(parse_bytes(bytes, n, &b), HG_E_FORMAT, "t.npy");
    }
    free(bytes);
}
END_TEST

START_TEST(a_full_disk_keeps_the_old_file)
{
    static float big[100000];
    float one = 1;
    hg_array small = {HG_ARRAY_F32, (hg_shape){0}, &one, true}, large = {HG_ARRAY_F32, HG_SHAPE(100000), big, true}, b;
    succeeds(hg_npy_write(scratch("full.npy"), &small));
    fails_with(on_a_full_disk(50000, hg_npy_write(scratch("full.npy"), &large)), HG_E_IO,
               "what was there before is kept");
    succeeds(hg_npy_read(scratch("full.npy"), &b));
    ck_assert(*(float *)b.data == 1);
    hg_array_free(&b);
}
END_TEST

START_TEST(bfloat16_is_refused)
{
    uint16_t x = 0;
    hg_array a = {HG_ARRAY_BF16, (hg_shape){0}, &x, true};
    fails_with(hg_npy_write(scratch("a.npy"), &a), HG_E_DTYPE, "bfloat16");
}
END_TEST

Suite *npy_suite(void)
{
    Suite *suite = suite_create("npy");
    TCase *tests = tcase_create("npy");
    tcase_add_test(tests, every_type_comes_back);
    tcase_add_test(tests, every_rank_comes_back);
    tcase_add_test(tests, written_bytes_are_numpys);
    tcase_add_test(tests, fortran_order_becomes_row_major);
    tcase_add_test(tests, big_endian_is_turned);
    tcase_add_test(tests, version_2_and_odd_bools_are_read);
    tcase_add_test(tests, bad_headers_are_named);
    tcase_add_test(tests, a_file_cut_anywhere_is_refused);
    tcase_add_test(tests, a_full_disk_keeps_the_old_file);
    tcase_add_test(tests, bfloat16_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
