/* One set of weights in every format: what is written comes back, whatever the file is called; npz files of NumPy. */
#include "test_weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "weights/read.h"
#include "weights/write.h"

static const char *const extensions[] = {"pth", "PT", "safetensors", "npz"};
enum { FORMATS = sizeof extensions / sizeof *extensions };

static const char *file_of(int format)
{
    char name[32];
    snprintf(name, sizeof name, "a.%s", extensions[format]);
    return scratch(name);
}

/* Names in order, types, shapes, and bits are the same; what kind of dict it is does not matter. */
static void check_same(const hg_value *a, const hg_value *b)
{
    ck_assert_uint_eq(a->dict.count, b->dict.count);
    for (size_t i = 0; i < a->dict.count; i++) {
        ck_assert_str_eq(a->dict.entries[i].key->string, b->dict.entries[i].key->string);
        ck_assert_msg(same_value(a->dict.entries[i].item, b->dict.entries[i].item), "%s",
                      a->dict.entries[i].key->string);
    }
}

static hg_value *of_every_type(bool with_bfloat16)
{
    static const char *const names[] = {"z", "a/b", "Gr\xc3\xbc\xc3\x9f\"e\\", "tab\t", "e", "f", "g", "h", "i", "j"};
    hg_value *v = hg_value_ordered_dict();
    for (int t = 0; t < HG_ARRAY_DTYPES; t++) {
        hg_array a;
        if (t == HG_ARRAY_BF16 && !with_bfloat16) continue;
        succeeds(hg_array_alloc(&a, t, t == 3 ? HG_SCALAR : t == 4 ? HG_SHAPE(2, 0) : HG_SHAPE(t + 1, 3)));
        unsigned char *data = a.data;
        for (size_t i = 0; i < hg_array_bytes(&a); i++)
            data[i] = t == HG_ARRAY_BOOL ? i % 2 : (unsigned char)(31 * i + 7);
        succeeds(hg_value_set(v, names[t], hg_value_array(&a)));
    }
    return v;
}

START_TEST(what_is_written_comes_back)
{
    hg_value *v = of_every_type(strcmp(extensions[_i], "npz") != 0), *w;
    succeeds(hg_weights_write(file_of(_i), v));
    succeeds(read_weights(file_of(_i), &w));
    check_same(v, w);
    hg_value_free(v);
    hg_value_free(w);
}
END_TEST

/* From each format to each, the elements read from the one file as the other is written. */
START_TEST(files_are_converted)
{
    hg_value *v = of_every_type(false), *from, *w;
    const char *format;
    succeeds(hg_weights_write(file_of(_i), v));
    for (int to = 0; to < FORMATS; to++) {
        char name[32];
        snprintf(name, sizeof name, "b.%s", extensions[to]);
        succeeds(hg_weights_parse(file_of(_i), &format, &from));
        succeeds(hg_weights_write(scratch(name), from));
        hg_value_free(from);
        succeeds(read_weights(scratch(name), &w));
        check_same(v, w);
        hg_value_free(w);
    }
    hg_value_free(v);
}
END_TEST

/* Over the file that is being read. */
START_TEST(a_file_is_written_over_itself)
{
    hg_value *v = of_every_type(false), *w;
    const char *format;
    succeeds(hg_weights_write(file_of(_i), v));
    succeeds(hg_weights_parse(file_of(_i), &format, &w));
    succeeds(hg_weights_write(file_of(_i), w));
    hg_value_free(w);
    succeeds(read_weights(file_of(_i), &w));
    check_same(v, w);
    hg_value_free(v);
    hg_value_free(w);
}
END_TEST

START_TEST(safetensors_are_aligned_and_keep_their_order)
{
    static const char expected[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"flag\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[12,13]},"
        "\"x\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
        "\"n\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}";
    bool flag = true;
    float x = 2;
    int64_t n = 3;
    hg_array arrays[] = {{HG_ARRAY_BOOL, HG_SHAPE(1), &flag, true},
                         {HG_ARRAY_F32, HG_SCALAR, &x, true},
                         {HG_ARRAY_I64, HG_SHAPE(1), &n, true}};
    const char *const names[] = {"flag", "x", "n"};
    hg_value *v = hg_value_dict();
    for (int i = 0; i < 3; i++) succeeds(hg_value_set(v, names[i], hg_value_array(&arrays[i])));
    succeeds(hg_weights_write(scratch("a.safetensors"), v));
    hg_value_free(v);
    void *bytes;
    size_t size;
    succeeds(hg_read_file(scratch("a.safetensors"), &bytes, &size));
    const unsigned char *b = bytes;
    size_t length = b[0] + 256u * b[1], text = sizeof expected - 1;
    ck_assert_uint_eq(length % 8, 0);
    ck_assert_uint_lt(length - text, 8);
    ck_assert_mem_eq(b + 8, expected, text);
    for (size_t i = text; i < length; i++) ck_assert_int_eq(b[8 + i], ' ');
    ck_assert_uint_eq(size, 8 + length + 13);
    ck_assert_mem_eq(b + 8 + length, "\3\0\0\0\0\0\0\0\0\0\0\x40\1", 13);
    free(bytes);
}
END_TEST

START_TEST(what_a_format_cannot_hold_is_said)
{
    uint16_t half = 0;
    hg_value *v = hg_value_dict(), *list = hg_value_list();
    hg_array a = {HG_ARRAY_BF16, HG_SHAPE(1), &half, true}, b = a;
    succeeds(hg_value_set(v, "layer.weight", hg_value_array(&a)));
    fails_with(hg_weights_write(scratch("n.npz"), v), HG_E_DTYPE, "NumPy has no type for bfloat16");
    fails_with(hg_weights_write(scratch("n.npy"), v), HG_E_DTYPE, "NumPy has no type for bfloat16");
    fails_with(hg_weights_write(scratch("n.onnx"), v), HG_E_ARG, "the extension tells the format: .pth, .pt,");
    fails_with(hg_weights_write("/tmp.npz/n", v), HG_E_ARG, "the extension tells the format");
    fails_with(hg_weights_write("/nonexistent/n.safetensors", v), HG_E_IO, "/nonexistent/n.safetensors");
    fails_with(hg_weights_write(scratch("n.npz"), list), HG_E_ARG, "this is a list; write .pth");
    succeeds(hg_value_set(v, "latin \xfc", hg_value_array(&b)));
    fails_with(hg_weights_write(scratch("n.safetensors"), v), HG_E_FORMAT, "not UTF-8");
    fails_with(hg_weights_write(scratch("n.npy"), v), HG_E_FORMAT, "not UTF-8");
    hg_value_free(v);
    v = hg_value_dict();
    fails_with(hg_weights_write(scratch("n.npy"), v), HG_E_ARG, "holds one tensor, there are 0");
    succeeds(hg_value_set(v, "epoch", hg_value_int(3)));
    fails_with(hg_weights_write(scratch("n.safetensors"), v), HG_E_ARG, "'epoch' is an int; choose a part");
    succeeds(hg_value_set_at(v, 3, hg_value_int(3)));
    hg_value_free(v->dict.entries[0].key);
    hg_value_free(v->dict.entries[0].item);
    v->dict.entries[0] = v->dict.entries[--v->dict.count];
    fails_with(hg_weights_write(scratch("n.npz"), v), HG_E_ARG, "a key is an int");
    hg_value_free(v);
    hg_value_free(list);
}
END_TEST

START_TEST(a_full_disk_keeps_the_old_file)
{
    static float big[30000];
    hg_value *old = of_every_type(false), *v = hg_value_dict(), *w;
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(30000), big, true};
    succeeds(hg_value_set(v, "a", hg_value_array(&a)));
    const char *path = file_of(_i);
    succeeds(hg_weights_write(path, old));
    for (size_t room = 0; room < 120000; room = room * 2 + 50) {
        fails_with(on_a_full_disk(room, hg_weights_write(path, v)), HG_E_IO, "what was there before is kept");
        succeeds(read_weights(path, &w));
        check_same(old, w);
        hg_value_free(w);
    }
    hg_value_free(old);
    hg_value_free(v);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused)
{
    void *bytes;
    size_t size;
    hg_value *v = of_every_type(false);
    succeeds(hg_weights_write(file_of(_i), v));
    hg_value_free(v);
    succeeds(hg_read_file(file_of(_i), &bytes, &size));
    for (size_t n = 0; n < size; n++) {
        write_bytes(scratch("cut.bin"), bytes, n);
        fails_with(read_weights(scratch("cut.bin"), &v), HG_E_FORMAT, "cut.bin: ");
        ck_assert_ptr_null(v);
    }
    free(bytes);
}
END_TEST

/* ---- .npz --------------------------------------------------------------------------------------------------------- */

static void check_array(const hg_value *v, const char *name, hg_array_dtype dtype, hg_shape shape, const void *data)
{
    const hg_array *a;
    succeeds(hg_value_get_array("npz", v, name, &a));
    ck_assert_int_eq(a->dtype, dtype);
    ck_assert_int_eq(a->shape.ndim, shape.ndim);
    for (int d = 0; d < shape.ndim; d++) ck_assert_int_eq(a->shape.size[d], shape.size[d]);
    ck_assert_mem_eq(a->data, data, hg_array_bytes(a));
}

START_TEST(npz_files_of_numpy_are_read)
{
    static const char *const files[] = {"plain.npz", "compressed.npz"};
    hg_value *v;
    const char *format;
    succeeds(hg_weights_parse(fixture(files[_i]), &format, &v));
    ck_assert_str_eq(format, "npz");
    hg_value_free(v);
    succeeds(read_weights(fixture(files[_i]), &v));
    ck_assert_uint_eq(v->dict.count, 9);
    ck_assert_str_eq(v->dict.entries[0].key->string, "conv.weight");
    check_array(v, "conv.weight", HG_ARRAY_F32, HG_SHAPE(2, 3), (float[]){0, 1, 2, 3, 4, 5});
    check_array(v, "order", HG_ARRAY_F64, HG_SHAPE(3, 2), (double[]){0, 3, 1, 4, 2, 5});
    check_array(v, "big", HG_ARRAY_I64, HG_SHAPE(3), (int64_t[]){0, 1, 2});
    check_array(v, "half", HG_ARRAY_F16, HG_SHAPE(3), (uint16_t[]){0, 0x3c00, 0x4000});
    check_array(v, "flag", HG_ARRAY_BOOL, HG_SHAPE(2), "\1\0");
    check_array(v, "scalar", HG_ARRAY_I32, HG_SCALAR, (int32_t[]){7});
    check_array(v, "empty", HG_ARRAY_I16, HG_SHAPE(0, 3), "");
    check_array(v, "signed", HG_ARRAY_I8, HG_SHAPE(4), "\xfe\xff\0\1");
    hg_value_free(v);
}
END_TEST

START_TEST(npz_files_with_more_than_arrays_are_refused)
{
    hg_value *v;
    fails_with(read_weights(fixture("object.npz"), &v), HG_E_FORMAT, "object.npz: a: .npy type |O");
    fails_with(read_weights(fixture("other.zip"), &v), HG_E_FORMAT, "a zip without data.pkl or .npy files");
    write_bytes(scratch("a.bin"), "<html>", 6);
    fails_with(read_weights(scratch("a.bin"), &v), HG_E_FORMAT, "no file of weights: neither .pth, .safetensors");
    write_bytes(scratch("a.bin"), "", 0);
    fails_with(read_weights(scratch("a.bin"), &v), HG_E_FORMAT, "no file of weights");
    fails_with(read_weights("/dev/null", &v), HG_E_IO, "no regular file");
    fails_with(read_weights("/tmp", &v), HG_E_IO, "a folder");
}
END_TEST

START_TEST(a_wrong_bit_is_never_taken_for_weights)
{
    static const char *const files[] = {"plain.npz", "compressed.npz"};
    void *bytes;
    size_t size;
    int refusals = 0;
    hg_value *right, *v;
    succeeds(read_weights(fixture(files[_i]), &right));
    succeeds(hg_read_file(fixture(files[_i]), &bytes, &size));
    for (size_t i = 0; i < size; i++) {
        ((char *)bytes)[i] ^= 1 << i % 8;
        write_bytes(scratch("bit.npz"), bytes, size);
        ((char *)bytes)[i] ^= 1 << i % 8;
        if (read_weights(scratch("bit.npz"), &v) == HG_OK) {
            /* The directory has no checksum: a name may be another, but no element. */
            ck_assert_uint_eq(right->dict.count, v->dict.count);
            for (size_t k = 0; k < right->dict.count; k++)
                ck_assert(same_value(right->dict.entries[k].item, v->dict.entries[k].item));
            hg_value_free(v);
        } else {
            ck_assert_int_eq(hg_last_status(), HG_E_FORMAT);
            refusals++;
        }
        hg_clear_error();
    }
    ck_assert_int_gt(refusals, 500);
    hg_value_free(right);
    free(bytes);
}
END_TEST

START_TEST(an_array_has_its_files_name)
{
    float x[3] = {1, 2, 3};
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(3), x, true};
    hg_value *v = hg_value_dict(), *w;
    succeeds(hg_value_set(v, "any", hg_value_array(&a)));
    succeeds(hg_weights_write(scratch("fc.weight.npy"), v));
    succeeds(read_weights(scratch("fc.weight.npy"), &w));
    ck_assert_uint_eq(w->dict.count, 1);
    ck_assert_str_eq(w->dict.entries[0].key->string, "fc.weight");
    ck_assert_mem_eq(w->dict.entries[0].item->array.data, x, sizeof x);
    hg_value_free(v);
    hg_value_free(w);
}
END_TEST

Suite *formats_suite(void)
{
    Suite *suite = suite_create("formats");
    TCase *tests = tcase_create("formats");
    tcase_add_loop_test(tests, what_is_written_comes_back, 0, FORMATS);
    tcase_add_loop_test(tests, files_are_converted, 0, FORMATS);
    tcase_add_loop_test(tests, a_file_is_written_over_itself, 0, FORMATS);
    tcase_add_test(tests, safetensors_are_aligned_and_keep_their_order);
    tcase_add_test(tests, what_a_format_cannot_hold_is_said);
    tcase_add_loop_test(tests, a_full_disk_keeps_the_old_file, 0, FORMATS);
    tcase_add_loop_test(tests, a_file_cut_anywhere_is_refused, 0, FORMATS);
    tcase_add_loop_test(tests, npz_files_of_numpy_are_read, 0, 2);
    tcase_add_test(tests, npz_files_with_more_than_arrays_are_refused);
    tcase_add_loop_test(tests, a_wrong_bit_is_never_taken_for_weights, 0, 2);
    tcase_add_test(tests, an_array_has_its_files_name);
    suite_add_tcase(suite, tests);
    return suite;
}
