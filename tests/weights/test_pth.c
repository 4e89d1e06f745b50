/* .pth files: those of torch.save are read, what is written comes back, a damaged or full disk harms nothing. */
#include "test_weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "base/file.h"
#include "weights/pth.h"
#include "weights/zip_write.h"

static hg_value *read_fixture(const char *name)
{
    hg_value *v;
    succeeds(read_pth(fixture(name), &v));
    return v;
}

/* A float32 array of this shape with these elements, row-major. */
static void check_floats(const hg_value *v, int ndim, const int64_t *size, const float *expected)
{
    ck_assert_ptr_nonnull(v);
    ck_assert_int_eq(v->kind, HG_VALUE_ARRAY);
    ck_assert_int_eq(v->array.dtype, HG_ARRAY_F32);
    ck_assert_int_eq(v->array.shape.ndim, ndim);
    for (int d = 0; d < ndim; d++) ck_assert_int_eq(v->array.shape.size[d], size[d]);
    ck_assert_mem_eq(v->array.data, expected, hg_array_bytes(&v->array));
}

#define SIZES(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__}
#define FLOATS(...) (float[]){__VA_ARGS__}

static void check_state_dict(const hg_value *v)
{
    static const char *const keys[] = {"conv.weight", "conv.bias", "norm.weight", "norm.bias", "norm.running_mean",
                                       "norm.running_var", "norm.num_batches_tracked"};
    float up[18];
    for (int i = 0; i < 18; i++) up[i] = (float)i;
    ck_assert_int_eq(v->kind, HG_VALUE_DICT);
    ck_assert(v->dict.ordered);
    ck_assert_uint_eq(v->dict.count, 7);
    for (int i = 0; i < 7; i++) ck_assert_str_eq(v->dict.entries[i].key->string, keys[i]);
    check_floats(hg_value_find(v, "conv.weight"), SIZES(2, 1, 3, 3), up);
    for (int i = 1; i < 6; i++) check_floats(v->dict.entries[i].item, SIZES(2), FLOATS(10.f * i, 10.f * i + 1));
    const hg_array *batches;
    succeeds(hg_value_get_array("test", v, keys[6], &batches));
    ck_assert_int_eq(batches->dtype, HG_ARRAY_I64);
    ck_assert_int_eq(batches->shape.ndim, 0);
    ck_assert_int_eq(*(int64_t *)batches->data, 60);

    int64_t version;
    ck_assert_ptr_nonnull(v->dict.metadata);
    ck_assert_uint_eq(v->dict.metadata->dict.count, 3);
    succeeds(hg_value_get_int("test", hg_value_find(v->dict.metadata, "norm"), "version", &version));
    ck_assert_int_eq(version, 2);
}

START_TEST(a_state_dict_of_torch_is_read)
{
    static const char *const files[] = {"state_dict.pth", "protocol4.pth", "deflated.pth", "big_endian.pth",
                                        "legacy.pth"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        hg_value *v = read_fixture(files[i]);
        check_state_dict(v);
        hg_value_free(v);
    }
}
END_TEST

START_TEST(a_checkpoint_of_torch_is_read)
{
    hg_value *v = read_fixture("checkpoint.pth"), *optimizer, *list, *state;
    int64_t i;
    double f;
    const char *s;
    bool b;
    check_state_dict(hg_value_find(v, "model"));
    succeeds(hg_value_get_int("t", v, "epoch", &i));
    ck_assert_int_eq(i, 3);
    succeeds(hg_value_get_double("t", v, "best", &f));
    ck_assert(f == 0.75);
    succeeds(hg_value_get_int("t", v, "large", &i));
    ck_assert_int_eq(i, INT64_C(1) << 40);
    succeeds(hg_value_get_int("t", v, "negative", &i));
    ck_assert_int_eq(i, -5);
    succeeds(hg_value_get_int("t", v, "least", &i));
    ck_assert_int_eq(i, INT64_MIN);
    succeeds(hg_value_get_string("t", v, "name", &s));
    ck_assert_str_eq(s, "Gr\xc3\xbc\xc3\x9f" "e");
    succeeds(hg_value_get_bool("t", v, "done", &b));
    ck_assert(b);
    ck_assert_int_eq(hg_value_find(v, "none")->kind, HG_VALUE_NONE);

    succeeds(hg_value_get("t", v, "optimizer", HG_VALUE_DICT, &optimizer));
    succeeds(hg_value_get("t", optimizer, "state", HG_VALUE_DICT, &state));
    ck_assert_uint_eq(state->dict.count, 4);
    check_floats(hg_value_find(hg_value_find_at(state, 1), "exp_avg"), SIZES(2), FLOATS(0.125f, 0.125f));
    succeeds(hg_value_get("t", optimizer, "param_groups", HG_VALUE_LIST, &list));
    ck_assert_uint_eq(list->list.count, 1);
    succeeds(hg_value_get_double("t", list->list.items[0], "lr", &f));
    ck_assert(f == 0.5);
    ck_assert(hg_value_find(list->list.items[0], "betas")->list.items[1]->real == 0.999);
    hg_value_free(v);
}
END_TEST

START_TEST(every_type_of_torch_is_read)
{
    hg_value *v = read_fixture("types.pth");
    static const uint16_t half[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500},
                          brain[] = {0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0};
    ck_assert_uint_eq(v->list.count, HG_ARRAY_DTYPES);
    for (int t = 0; t < HG_ARRAY_DTYPES; t++) {
        const hg_array *a = &v->list.items[t]->array;
        ck_assert_int_eq(a->dtype, t);
        ck_assert_int_eq(a->shape.ndim, 2);
        ck_assert_int_eq(a->shape.size[0], 2);
        ck_assert_int_eq(a->shape.size[1], 3);
        for (int i = 0; i < 6; i++) {
            switch (a->dtype) {
            case HG_ARRAY_F32: ck_assert(((float *)a->data)[i] == i); break;
            case HG_ARRAY_F64: ck_assert(((double *)a->data)[i] == i); break;
            case HG_ARRAY_I32: ck_assert_int_eq(((int32_t *)a->data)[i], i); break;
            case HG_ARRAY_I64: ck_assert_int_eq(((int64_t *)a->data)[i], i); break;
            case HG_ARRAY_U8:
            case HG_ARRAY_I8: ck_assert_int_eq(((int8_t *)a->data)[i], i); break;
            case HG_ARRAY_BOOL: ck_assert_int_eq(((int8_t *)a->data)[i], i > 0); break;
            case HG_ARRAY_I16: ck_assert_int_eq(((int16_t *)a->data)[i], i); break;
            case HG_ARRAY_F16: ck_assert_int_eq(((uint16_t *)a->data)[i], half[i]); break;
            case HG_ARRAY_BF16: ck_assert_int_eq(((uint16_t *)a->data)[i], brain[i]); break;
            }
        }
    }
    hg_value_free(v);
}
END_TEST

START_TEST(views_come_out_row_major)
{
    hg_value *v = read_fixture("views.pth"), *again = hg_value_find(v, "again");
    float up[12];
    for (int i = 0; i < 12; i++) up[i] = (float)i;
    check_floats(hg_value_find(v, "a"), SIZES(3, 4), up);
    check_floats(hg_value_find(v, "t"), SIZES(4, 3), FLOATS(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
    check_floats(hg_value_find(v, "part"), SIZES(2), FLOATS(6, 10));
    check_floats(hg_value_find(v, "expanded"), SIZES(2, 3), FLOATS(1, 1, 1, 1, 1, 1));
    check_floats(hg_value_find(v, "parameter"), SIZES(3, 4), up);
    check_floats(hg_value_find(v, "empty"), SIZES(0, 3), up);
    check_floats(again->list.items[1], SIZES(3, 4), up);
    ck_assert_ptr_ne(again->list.items[0]->array.data, again->list.items[1]->array.data);
    ck_assert_int_eq(*(int64_t *)hg_value_find(v, "scalar")->array.data, 7);
    ck_assert_int_eq(hg_value_find(v, "size")->kind, HG_VALUE_TUPLE);
    ck_assert_int_eq(hg_value_find(v, "size")->list.items[1]->integer, 4);
    hg_value_free(v);
}
END_TEST

START_TEST(what_cannot_be_read_is_named)
{
    static const struct {
        const char *file, *message;
    } cases[] = {
        {"whole_model.pth", "the Python object torch.nn.modules.container.Sequential"},
        {"whole_model.pth", "save model.state_dict()"},
        {"numpy_scalar.pth", "the Python object numpy.core.multiarray.scalar"},
        {"tuple_key.pth", "neither a string nor an int"},
        {"other.zip", "a zip without data.pkl"},
        {"no_storage.pth", "the entry state_dict/data/1 is missing"},
        {"short_storage.pth", "the entry state_dict/data/0 is damaged (its size is not what the pickle says)"},
        {"middle_endian.pth", "neither little nor big"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hg_value *v;
        fails_with(read_pth(fixture(cases[i].file), &v), HG_E_FORMAT, cases[i].message);
        ck_assert_ptr_null(v);
    }
    hg_value *v;
    fails_with(read_pth("/nonexistent.pth", &v), HG_E_IO, "/nonexistent.pth");
    fails_with(read_pth("/tmp", &v), HG_E_IO, "a folder");
    write_bytes(scratch("html.pth"), "<html>Not found", 15);
    fails_with(read_pth(scratch("html.pth"), &v), HG_E_FORMAT, "not a file of torch.save");
    write_bytes(scratch("empty.pth"), "", 0);
    fails_with(read_pth(scratch("empty.pth"), &v), HG_E_FORMAT, "not a file of torch.save");
}
END_TEST

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

START_TEST(what_is_written_comes_back)
{
    static const char *const files[] = {"state_dict.pth", "checkpoint.pth", "types.pth", "views.pth"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        hg_value *v = read_fixture(files[i]), *w;
        succeeds(hg_pth_write(scratch("a.pth"), v));
        succeeds(read_pth(scratch("a.pth"), &w));
        ck_assert(same_value(v, w));
        hg_value_free(v);
        hg_value_free(w);
    }
}
END_TEST

START_TEST(numbers_come_back_exactly)
{
    static const int64_t ints[] = {0, 1, 255, 256, 65536, -1, INT32_MAX, INT32_MIN, INT64_C(1) << 31, INT64_MAX,
                                   INT64_MIN, -(INT64_C(1) << 31) - 1};
    static const double doubles[] = {0, -0.0, 1e-310, 1e308, 0.1, __builtin_inf(), __builtin_nan("")};
    hg_value *v = hg_value_list(), *w;
    for (size_t i = 0; i < sizeof ints / sizeof ints[0]; i++) succeeds(hg_value_append(v, hg_value_int(ints[i])));
    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++)
        succeeds(hg_value_append(v, hg_value_double(doubles[i])));
    succeeds(hg_value_append(v, hg_value_tuple()));
    succeeds(hg_value_append(v, hg_value_list()));
    succeeds(hg_value_append(v, hg_value_dict()));
    succeeds(hg_value_append(v, hg_value_ordered_dict()));
    succeeds(hg_value_append(v, hg_value_string("")));
    succeeds(hg_pth_write(scratch("a.pth"), v));
    succeeds(read_pth(scratch("a.pth"), &w));
    ck_assert(same_value(v, w));
    hg_value_free(v);
    hg_value_free(w);
}
END_TEST

START_TEST(entries_are_stored_at_multiples_of_64)
{
    hg_value *v = read_fixture("state_dict.pth");
    succeeds(hg_pth_write(scratch("a.pth"), v));
    succeeds(hg_pth_write(scratch("b.pth"), v));
    hg_value_free(v);
    void *bytes, *other;
    size_t size, other_size, entries = 0;
    succeeds(hg_read_file(scratch("a.pth"), &bytes, &size));
    succeeds(hg_read_file(scratch("b.pth"), &other, &other_size));
    ck_assert_uint_eq(size, other_size);
    ck_assert_mem_eq(bytes, other, size);       /* nothing of the time or the name is in it */
    free(other);
    const unsigned char *b = bytes;
    for (size_t at = 0; !memcmp(b + at, "PK\3\4", 4); entries++) {
        size_t data = at + 30 + b[at + 26] + b[at + 28] + 256u * b[at + 29];
        ck_assert_uint_eq(data % 64, 0);
        ck_assert_int_eq(b[at + 8], 0);
        at = data + b[at + 18] + 256u * b[at + 19];
    }
    ck_assert_uint_eq(entries, 3 + 7);
    free(bytes);

    zip_t *zip = zip_open(scratch("a.pth"), ZIP_RDONLY | ZIP_CHECKCONS, NULL);
    ck_assert_ptr_nonnull(zip);
    ck_assert_int_eq(zip_get_num_entries(zip, 0), 10);
    ck_assert_str_eq(zip_get_name(zip, 0, 0), "archive/data.pkl");
    ck_assert_int_ge(zip_name_locate(zip, "archive/version", 0), 0);
    ck_assert_int_ge(zip_name_locate(zip, "archive/data/6", 0), 0);
    zip_discard(zip);
}
END_TEST

START_TEST(more_entries_than_a_plain_zip_can_count)
{
    enum { COUNT = 66000 };
    static uint8_t data[COUNT];
    hg_value *v = hg_value_list(), *w;
    for (int i = 0; i < COUNT; i++) {
        data[i] = (uint8_t)(i % 251);
        hg_array a = {HG_ARRAY_U8, HG_SHAPE(1), &data[i], true};
        succeeds(hg_value_append(v, hg_value_array(&a)));
    }
    succeeds(hg_pth_write(scratch("many.pth"), v));
    succeeds(read_pth(scratch("many.pth"), &w));
    ck_assert(same_value(v, w));
    hg_value_free(v);
    hg_value_free(w);
}
END_TEST

START_TEST(what_cannot_be_written_is_said)
{
    hg_value *v = hg_value_list(), *deep = hg_value_list(), *w;
    succeeds(hg_value_append(v, hg_value_string("latin \xfc")));
    fails_with(hg_pth_write(scratch("new.pth"), v), HG_E_FORMAT, "not UTF-8");
    hg_value_free(v);
    for (int i = 0; i < HG_VALUE_DEPTH - 1; i++) {
        hg_value *outer = hg_value_list();
        succeeds(hg_value_append(outer, deep));
        deep = outer;
    }
    succeeds(hg_pth_write(scratch("deep.pth"), deep));
    succeeds(read_pth(scratch("deep.pth"), &w));
    ck_assert(same_value(deep, w));
    hg_value_free(w);
    v = hg_value_list();
    succeeds(hg_value_append(v, deep));
    fails_with(hg_pth_write(scratch("new.pth"), v), HG_E_ARG, "nested deeper than 100");
    fails_with(hg_pth_write("/nonexistent/a.pth", v), HG_E_ARG, "nested deeper");
    hg_value_free(v);
    struct stat info;
    ck_assert_int_ne(stat(scratch("new.pth"), &info), 0);
    v = hg_value_list();
    fails_with(hg_pth_write("/nonexistent/a.pth", v), HG_E_IO, "/nonexistent/a.pth");
    hg_value_free(v);
}
END_TEST

START_TEST(a_full_disk_keeps_the_old_file)
{
    static float big[30000];
    hg_value *old = read_fixture("state_dict.pth"), *v = hg_value_list(), *w;
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(30000), big, true};
    succeeds(hg_value_append(v, hg_value_array(&a)));
    succeeds(hg_pth_write(scratch("full.pth"), old));
    for (size_t room = 0; room < 120000; room = room * 2 + 50) {
        fails_with(on_a_full_disk(room, hg_pth_write(scratch("full.pth"), v)), HG_E_IO,
                   "what was there before is kept");
        succeeds(read_pth(scratch("full.pth"), &w));
        ck_assert(same_value(old, w));
        hg_value_free(w);
    }
    succeeds(hg_pth_write(scratch("full.pth"), v));
    hg_value_free(old);
    hg_value_free(v);
}
END_TEST

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

START_TEST(a_file_cut_anywhere_is_refused)
{
    void *bytes;
    size_t size;
    succeeds(hg_read_file(fixture("state_dict.pth"), &bytes, &size));
    for (size_t n = 0; n < size; n++) {
        hg_value *v;
        write_bytes(scratch("cut.pth"), bytes, n);
        fails_with(read_pth(scratch("cut.pth"), &v), HG_E_FORMAT, "cut.pth: ");
        ck_assert_ptr_null(v);
    }
    free(bytes);
}
END_TEST

/* The bytes of the legacy file, changed at `at`. */
static void write_changed(const char *bytes, size_t size, size_t at, const char *with, size_t length)
{
    char *copy = malloc(size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    memcpy(copy + at, with, length);
    write_bytes(scratch("changed.pth"), copy, size);
    free(copy);
}

START_TEST(a_damaged_legacy_file_is_refused)
{
    void *bytes;
    size_t size;
    hg_value *v;
    succeeds(hg_read_file(fixture("legacy.pth"), &bytes, &size));
    for (size_t n = 4; n < size; n++) {
        write_bytes(scratch("cut.pth"), bytes, n);
        fails_with(read_pth(scratch("cut.pth"), &v), HG_E_FORMAT, "cut.pth: ");
        ck_assert_ptr_null(v);
    }
    write_changed(bytes, size, 6, "?", 1);      /* in the magic number */
    fails_with(read_pth(scratch("changed.pth"), &v), HG_E_FORMAT, "a pickle, but not of torch.save");
    write_changed(bytes, size, size - 16, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);     /* the last count: one int64 */
    fails_with(read_pth(scratch("changed.pth"), &v), HG_E_FORMAT, "a storage's size is not what the pickle says");
    char *more = calloc(1, size + 1);
    ck_assert_ptr_nonnull(more);
    memcpy(more, bytes, size);
    write_bytes(scratch("changed.pth"), more, size + 1);
    free(more);
    fails_with(read_pth(scratch("changed.pth"), &v), HG_E_FORMAT, "bytes follow the last storage");
    free(bytes);
}
END_TEST

/* Every entry has a checksum: whatever bit is wrong, either nothing that matters was hit, or it is an error. */
START_TEST(a_wrong_bit_is_never_taken_for_weights)
{
    void *bytes;
    size_t size;
    int refusals = 0;
    hg_value *right = read_fixture("state_dict.pth"), *v;
    succeeds(hg_read_file(fixture("state_dict.pth"), &bytes, &size));
    for (size_t i = 0; i < size; i++) {
        ((char *)bytes)[i] ^= 1 << i % 8;
        write_bytes(scratch("bit.pth"), bytes, size);
        ((char *)bytes)[i] ^= 1 << i % 8;
        if (read_pth(scratch("bit.pth"), &v) == HG_OK) {
            ck_assert_msg(same_value(right, v), "byte %zu", i);
            hg_value_free(v);
        } else {
            ck_assert_int_eq(hg_last_status(), HG_E_FORMAT);
            refusals++;
        }
        hg_clear_error();
    }
    ck_assert_int_gt(refusals, 1000);
    hg_value_free(right);
    free(bytes);
}
END_TEST

#define TENSOR(type, count, size, stride)                                                                             \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n" type "\nX\1\0\0\0000X\3\0\0\0cpu" count         \
    "tQK\0" size "\x85" stride "\x85\x89Nt" "R"

/* A file with this pickle and one storage of 8 bytes. */
static void write_pickle(const char *path, const char *pickle, size_t size, const char *second)
{
    hg_zip_writer z;
    succeeds(hg_zip_begin(&z, path));
    succeeds(hg_zip_add(&z, "x/data.pkl", pickle, size));
    succeeds(hg_zip_add(&z, "x/data/0", "\0\0\0\0\0\0\x80\x3f", 8));
    if (second) succeeds(hg_zip_add(&z, second, "", 0));
    succeeds(hg_zip_finish(&z));
}

START_TEST(contradictions_between_pickle_and_zip_are_refused)
{
    static const char fine[] = "\x80\2" TENSOR("FloatStorage", "K\2", "K\2", "K\1") ".",
                      large[] = "\x80\2" TENSOR("FloatStorage", "K\2", "\x8a\x05\0\0\0\0\1", "K\0") ".",
                      wrong[] = "\x80\2" TENSOR("FloatStorage", "K\3", "K\2", "K\1") ".",
                      types[] = "\x80\2(" TENSOR("FloatStorage", "K\2", "K\2", "K\1")
                                TENSOR("IntStorage", "K\2", "K\2", "K\1") "t.",
                      huge[] = "\x80\2" TENSOR("FloatStorage", "\x8a\x08\0\0\0\0\0\0\0\x40", "K\2", "K\1") ".";
    hg_value *v;
    write_pickle(scratch("a.pth"), fine, sizeof fine - 1, NULL);
    succeeds(read_pth(scratch("a.pth"), &v));
    check_floats(v, SIZES(2), FLOATS(0, 1));
    hg_value_free(v);
    write_pickle(scratch("a.pth"), large, sizeof large - 1, NULL);
    fails_with(read_pth(scratch("a.pth"), &v), HG_E_FORMAT, "many times the file's size");
    write_pickle(scratch("a.pth"), wrong, sizeof wrong - 1, NULL);
    fails_with(read_pth(scratch("a.pth"), &v), HG_E_FORMAT, "its size is not what the pickle says");
    write_pickle(scratch("a.pth"), huge, sizeof huge - 1, NULL);
    fails_with(read_pth(scratch("a.pth"), &v), HG_E_FORMAT, "its size is not what the pickle says");
    write_pickle(scratch("a.pth"), types, sizeof types - 1, NULL);
    fails_with(read_pth(scratch("a.pth"), &v), HG_E_FORMAT, "two tensors disagree about its type");
    write_pickle(scratch("a.pth"), fine, sizeof fine - 1, "y/data.pkl");
    fails_with(read_pth(scratch("a.pth"), &v), HG_E_FORMAT, "several data.pkl");
}
END_TEST

Suite *pth_suite(void)
{
    Suite *suite = suite_create("pth");
    TCase *tests = tcase_create("pth");
    tcase_add_test(tests, a_state_dict_of_torch_is_read);
    tcase_add_test(tests, a_checkpoint_of_torch_is_read);
    tcase_add_test(tests, every_type_of_torch_is_read);
    tcase_add_test(tests, views_come_out_row_major);
    tcase_add_test(tests, what_cannot_be_read_is_named);
    tcase_add_test(tests, what_is_written_comes_back);
    tcase_add_test(tests, numbers_come_back_exactly);
    tcase_add_test(tests, entries_are_stored_at_multiples_of_64);
    tcase_add_test(tests, more_entries_than_a_plain_zip_can_count);
    tcase_add_test(tests, what_cannot_be_written_is_said);
    tcase_add_test(tests, a_full_disk_keeps_the_old_file);
    tcase_add_test(tests, a_file_cut_anywhere_is_refused);
    tcase_add_test(tests, a_damaged_legacy_file_is_refused);
    tcase_add_test(tests, contradictions_between_pickle_and_zip_are_refused);
    tcase_add_test(tests, a_wrong_bit_is_never_taken_for_weights);
    suite_add_tcase(suite, tests);
    return suite;
}
