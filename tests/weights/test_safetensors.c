/* safetensors files: what the format says is read; whatever contradicts it is refused. */
#include "test_weights.h"

#include <stdlib.h>
#include <string.h>

#include "weights/read.h"

#define HEADER_ROOM 2048

/* A file of this header and `size` bytes 0, 1, 2, ... */
static const char *write_file(const char *header, size_t size)
{
    unsigned char bytes[HEADER_ROOM] = {0};
    size_t length = strlen(header);
    ck_assert_uint_le(8 + length + size, sizeof bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < size; i++) bytes[8 + length + i] = (unsigned char)i;
    const char *path = scratch("a.bin");        /* the name does not matter */
    write_bytes(path, bytes, 8 + length + size);
    return path;
}

#define TENSOR(name, dtype, shape, range)                                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"

START_TEST(tensors_come_in_the_order_of_the_header)
{
    hg_value *v;
    succeeds(read_weights(write_file("{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("z", "I16", "[2,2]", "[4,12]")
                                        "," TENSOR("a", "F32", "[]", "[0,4]")
                                        "," TENSOR("e", "F64", "[0,3]", "[12,12]") "}   ", 12), &v));
    ck_assert(v->dict.ordered);
    ck_assert_uint_eq(v->dict.count, 3);
    const hg_array *z = &v->dict.entries[0].item->array, *a = &v->dict.entries[1].item->array;
    ck_assert_str_eq(v->dict.entries[0].key->string, "z");
    ck_assert_int_eq(z->dtype, HG_ARRAY_I16);
    ck_assert_int_eq(z->shape.ndim, 2);
    ck_assert_mem_eq(z->data, "\4\5\6\7\10\11\12\13", 8);
    ck_assert_int_eq(a->shape.ndim, 0);
    ck_assert_mem_eq(a->data, "\0\1\2\3", 4);
    ck_assert_int_eq(v->dict.entries[2].item->array.shape.size[1], 3);
    hg_value_free(v);
}
END_TEST

START_TEST(every_type_is_read)
{
    static const char *const names[HG_ARRAY_DTYPES] = {"F32", "F64", "I32", "I64", "U8", "BOOL", "I8", "I16", "F16",
                                                       "BF16"};
    for (int t = 0; t < HG_ARRAY_DTYPES; t++) {
        char header[200];
        int size = (int)hg_array_dtype_size((hg_array_dtype)t);
        snprintf(header, sizeof header, "{" TENSOR("x", "%s", "[2]", "[0,%d]") "}", names[t], 2 * size);
        hg_value *v;
        succeeds(read_weights(write_file(header, 2 * (size_t)size), &v));
        ck_assert_int_eq(v->dict.entries[0].item->array.dtype, t);
        hg_value_free(v);
    }
}
END_TEST

START_TEST(what_contradicts_itself_is_refused)
{
    static const struct {
        const char *header;
        size_t size;
        const char *message;
    } cases[] = {
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[1]", "[4,8]") "}", 8, "overlap"},
        {"{" TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, "leave a gap"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 8, "4 bytes follow the last tensor"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "}", 4, "'a' is damaged (it lies outside the file)"},
        {"{" TENSOR("a", "F32", "[1]", "[8,4]") "}", 8, "outside the file"},
        {"{" TENSOR("a", "F32", "[1]", "[-4,0]") "}", 8, "outside the file"},
        {"{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4, "not what its shape says"},
        {"{" TENSOR("a", "F32", "[4611686018427387904,4]", "[0,0]") "}", 0, "not what its shape says"},
        {"{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, "a size is no count"},
        {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "9 dimensions; the most is 8"},
        {"{" TENSOR("a", "U16", "[1]", "[0,2]") "}", 2, "type U16; convert it"},
        {"{" TENSOR("a", "F32", "[1]", "[0]") "}", 4, "data_offsets is no pair"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "it has no dtype"},
        {"{\"a\":7}", 0, "it has no dtype"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]", "[0,4]") "}", 4, "the header is damaged"},
        {"{" TENSOR("\xff", "F32", "[1]", "[0,4]") "}", 4, "the header is damaged"},
        {"{\"a\":", 0, "the header is damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hg_value *v;
        fails_with(read_weights(write_file(cases[i].header, cases[i].size), &v), HG_E_FORMAT, cases[i].message);
        ck_assert_ptr_null(v);
    }
}
END_TEST

START_TEST(a_header_longer_than_the_file_is_refused)
{
    hg_value *v;
    write_bytes(scratch("a.bin"), "\0\xe4\x0b\x54\2\0\0\0{}", 10);     /* 10 GB */
    fails_with(read_weights(scratch("a.bin"), &v), HG_E_FORMAT, "should have 10000000000 bytes, the file has 10");
    fails_with(read_weights("/nonexistent.safetensors", &v), HG_E_IO, "/nonexistent.safetensors");
}
END_TEST

Suite *safetensors_suite(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tests = tcase_create("safetensors");
    tcase_add_test(tests, tensors_come_in_the_order_of_the_header);
    tcase_add_test(tests, every_type_is_read);
    tcase_add_test(tests, what_contradicts_itself_is_refused);
    tcase_add_test(tests, a_header_longer_than_the_file_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
