/* Transforms bit for bit, their text, what they refuse; datasets of one's own. */
#include "test_data.h"

#include <math.h>

/* A dataset of one item, whose bytes are given. */
typedef struct one {
    size_t bytes;
    const void *item;
} one;

static int destroyed;

static hg_status one_get(void *self, int64_t index, hg_sample *sample)
{
    const one *o = self;
    memcpy(sample->data, o->item, o->bytes);
    sample->label = index + 5;
    return HG_OK;
}

static void one_destroy(void *self)
{
    (void)self;
    destroyed++;
}

static const hg_dataset_type one_type = {"one", one_get, one_destroy};

/* Passes one item through the transform, which is freed. */
static void pass(hg_transform *t, hg_dtype dtype, hg_shape shape, const void *item, size_t bytes, hg_shape expected,
                 float *out)
{
    one self = {bytes, item};
    ck_assert_ptr_nonnull(t);
    hg_dataset *d = hg_dataset_new(&one_type, &self, 1, dtype, shape, t);
    hg_transform_free(t);   /* the dataset has its own reference */
    ck_assert_msg(d != NULL, "%s", hg_last_error());
    ck_assert_int_eq(hg_dataset_dtype(d), HG_F32);
    hg_shape got = hg_dataset_shape(d);
    ck_assert_int_eq(got.ndim, expected.ndim);
    for (int i = 0; i < got.ndim; i++) ck_assert_int_eq(got.size[i], expected.size[i]);
    hg_sample sample = {.data = out};
    ck_assert_int_eq(hg_dataset_get(d, 0, &sample), HG_OK);
    ck_assert_int_eq(sample.label, 5);
    ck_assert_ptr_eq(sample.data, out);
    hg_dataset_free(d);
}

START_TEST(to_tensor_divides_every_byte_value)
{
    uint8_t image[16 * 16];
    float out[256];
    for (int i = 0; i < 256; i++) image[i] = (uint8_t)i;
    pass(hg_to_tensor(), HG_U8, HG_SHAPE(16, 16), image, sizeof image, HG_SHAPE(1, 16, 16), out);
    volatile float divisor = 255.0f;
    int differ = 0;
    for (int i = 0; i < 256; i++) {
        ck_assert(out[i] == (float)i / divisor);
        differ += out[i] != (float)i * (1.0f / divisor);
    }
    ck_assert_int_gt(differ, 0);    /* the reciprocal would have been seen */
}
END_TEST

START_TEST(to_tensor_puts_channels_first)
{
    uint8_t image[2 * 3 * 4];
    float floats[2 * 3 * 4], out[24];
    for (int i = 0; i < 24; i++) floats[i] = image[i] = (uint8_t)i;
    pass(hg_to_tensor(), HG_U8, HG_SHAPE(2, 3, 4), image, sizeof image, HG_SHAPE(4, 2, 3), out);
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 6; i++) ck_assert(out[c * 6 + i] == (float)(i * 4 + c) / 255.0f);
    pass(hg_to_tensor(), HG_F32, HG_SHAPE(2, 3, 4), floats, sizeof floats, HG_SHAPE(4, 2, 3), out);
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 6; i++) ck_assert(out[c * 6 + i] == (float)(i * 4 + c));
}
END_TEST

START_TEST(normalize_subtracts_and_divides_in_f32)
{
    static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    uint8_t image[5 * 7 * 3];
    float out[105];
    for (int i = 0; i < 105; i++) image[i] = (uint8_t)(i * 37);
    pass(hg_compose((hg_transform *[]){hg_to_tensor(), hg_normalize(mean, std, 3)}, 2), HG_U8, HG_SHAPE(5, 7, 3), image,
         sizeof image, HG_SHAPE(3, 5, 7), out);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 35; i++) {
            float x = (float)image[i * 3 + c] / 255.0f;
            ck_assert(out[c * 35 + i] == (x - (float)mean[c]) / (float)std[c]);
        }
    /* one pair for all channels; three steps; a composition in a composition */
    hg_transform *inner = hg_compose((hg_transform *[]){hg_normalize((double[]){0.5}, (double[]){0.25}, 1),
                                                        hg_normalize(mean, std, 3)}, 2);
    pass(hg_compose((hg_transform *[]){hg_to_tensor(), inner}, 2), HG_U8, HG_SHAPE(5, 7, 3), image, sizeof image,
         HG_SHAPE(3, 5, 7), out);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 35; i++) {
            float x = ((float)image[i * 3 + c] / 255.0f - 0.5f) / 0.25f;
            ck_assert(out[c * 35 + i] == (x - (float)mean[c]) / (float)std[c]);
        }
}
END_TEST

static void expect_text(hg_transform *t, const char *expected)
{
    char *text = hg_transform_to_text(t);
    ck_assert_str_eq(text, expected);
    free(text);
    hg_transform_free(t);
}

START_TEST(texts_are_torchvisions)
{
    expect_text(NULL, "None");
    expect_text(hg_to_tensor(), "ToTensor()");
    expect_text(hg_compose((hg_transform *[]){hg_to_tensor()}, 1), "Compose(\n    ToTensor()\n)");
    expect_text(hg_compose(NULL, 0), "Compose(\n)");
    expect_text(hg_normalize((double[]){0.485, 1, 1e-7}, (double[]){0.229, 1e22, 0.1}, 3),
                "Normalize(mean=[0.485, 1.0, 1e-07], std=[0.229, 1e+22, 0.1])");
    expect_text(hg_compose((hg_transform *[]){hg_to_tensor(), hg_compose((hg_transform *[]){hg_to_tensor()}, 1)}, 2),
                "Compose(\n    ToTensor()\n    Compose(\n    ToTensor()\n)\n)");
}
END_TEST

START_TEST(an_empty_composition_changes_nothing)
{
    float item[4] = {1, -2, 3, NAN}, out[4];
    pass(hg_compose(NULL, 0), HG_F32, HG_SHAPE(2, 2), item, sizeof item, HG_SHAPE(2, 2), out);
    ck_assert_mem_eq(item, out, sizeof item);
}
END_TEST

static void refuse(hg_dtype dtype, hg_shape shape, hg_transform *t, hg_status code, const char *words)
{
    one self = {0, NULL};
    int before = destroyed;
    hg_clear_error();
    ck_assert_ptr_nonnull(t);
    ck_assert_ptr_null(hg_dataset_new(&one_type, &self, 1, dtype, shape, t));
    ck_assert_error(code, words);
    ck_assert_int_eq(destroyed, before + 1);
    hg_transform_free(t);
}

START_TEST(transforms_refuse_what_does_not_fit)
{
    static const double three[] = {0.5, 0.5, 0.5};
    refuse(HG_U8, HG_SHAPE(1, 2, 3, 4), hg_to_tensor(), HG_E_SHAPE, "pic should be 2/3 dimensional. Got 4 dimensions.");
    refuse(HG_U8, HG_SHAPE(4), hg_to_tensor(), HG_E_SHAPE, "Got 1 dimensions");
    refuse(HG_U8, HG_SHAPE(3, 4, 4), hg_normalize(three, three, 3), HG_E_DTYPE, "hg_to_tensor() before it");
    refuse(HG_F32, HG_SHAPE(4, 4), hg_normalize(three, three, 3), HG_E_SHAPE, "C x H x W");
    refuse(HG_U8, HG_SHAPE(4, 4), hg_compose((hg_transform *[]){hg_to_tensor(), hg_normalize(three, three, 3)}, 2),
           HG_E_SHAPE, "for 3 channels, input has 1");
    ck_assert_ptr_null(hg_normalize(three, (double[]){1, 0, 1}, 3));
    ck_assert_error(HG_E_ARG, "std 0 of channel 1");
    ck_assert_ptr_null(hg_normalize(three, (double[]){1e-60, 1, 1}, 3));   /* 0 in f32 */
    ck_assert_error(HG_E_ARG, "channel 0");
    ck_assert_ptr_null(hg_normalize(three, (double[]){1, 1, NAN}, 3));
    ck_assert_error(HG_E_ARG, "channel 2");
    ck_assert_ptr_null(hg_normalize(three, three, 0));
    ck_assert_error(HG_E_ARG, "0 channels");
    ck_assert_ptr_null(hg_compose((hg_transform *[]){hg_to_tensor(), NULL}, 2));
    ck_assert_error(HG_E_ARG, "a transform is NULL");
    ck_assert_ptr_null(hg_compose(NULL, -1));
    ck_assert_error(HG_E_ARG, "-1 transforms");
}
END_TEST

START_TEST(datasets_refuse_impossible_items)
{
    one self = {0, NULL};
    static const struct { hg_dtype dtype; hg_shape shape; hg_status code; const char *words; } cases[] = {
        {HG_I64, {1, {3}}, HG_E_DTYPE, "uint8 or float32"},
        {HG_F32, {0, {0}}, HG_E_SHAPE, "0 dimensions"},
        {HG_F32, {8, {1, 1, 1, 1, 1, 1, 1, 1}}, HG_E_SHAPE, "8 dimensions"},
        {HG_F32, {2, {3, 0}}, HG_E_SHAPE, "size 0 in dimension 1"},
        {HG_F32, {1, {-4}}, HG_E_SHAPE, "size -4"},
        {HG_U8, {2, {INT64_C(1) << 40, INT64_C(1) << 40}}, HG_E_SHAPE, "dimension 0"},
    };
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        ck_assert_ptr_null(hg_dataset_new(&one_type, &self, 1, cases[i].dtype, cases[i].shape, NULL));
        ck_assert_error(cases[i].code, "dataset one", cases[i].words);
    }
    ck_assert_ptr_null(hg_dataset_new(&one_type, &self, -1, HG_F32, HG_SHAPE(1), NULL));
    ck_assert_error(HG_E_ARG, "length is -1");
}
END_TEST

START_TEST(items_are_range_checked_and_name_their_failure)
{
    hg_dataset *d = numbers(10, 4);
    float item[3];
    hg_sample sample = {.data = item};
    ck_assert_int_eq(hg_dataset_get(d, 9, &sample), HG_OK);
    ck_assert(item[0] == 9 && sample.label == 63);
    ck_assert_int_eq(hg_dataset_get(d, 10, &sample), HG_E_ARG);
    ck_assert_error(HG_E_ARG, "index 10 is out of range for 10 items");
    ck_assert_int_eq(hg_dataset_get(d, -1, &sample), HG_E_ARG);
    ck_assert_error(HG_E_ARG, "index -1");
    ck_assert_int_eq(hg_dataset_get(d, 4, &sample), HG_E_FORMAT);
    ck_assert_error(HG_E_FORMAT, "dataset numbers: item 4: picture-4.png is damaged");
    hg_dataset_free(d);
}
END_TEST

Suite *transform_suite(void)
{
    Suite *suite = suite_create("transform");
    TCase *tests = tcase_create("transform");
    tcase_add_test(tests, to_tensor_divides_every_byte_value);
    tcase_add_test(tests, to_tensor_puts_channels_first);
    tcase_add_test(tests, normalize_subtracts_and_divides_in_f32);
    tcase_add_test(tests, texts_are_torchvisions);
    tcase_add_test(tests, an_empty_composition_changes_nothing);
    tcase_add_test(tests, transforms_refuse_what_does_not_fit);
    tcase_add_test(tests, datasets_refuse_impossible_items);
    tcase_add_test(tests, items_are_range_checked_and_name_their_failure);
    suite_add_tcase(suite, tests);
    return suite;
}
