/* Transforms of images bit for bit as torchvision's: tests/data/image/transformed.txt, by tests/oracle/image.py. */
#include "test_data.h"

#include <zlib.h>

#include "data/dataset.h"

static hg_transform *compose3(hg_transform *a, hg_transform *b, hg_transform *c)
{
    return hg_compose((hg_transform *[]){a, b, c}, 3);
}

/* TRANSFORMS of tests/oracle/image.py, one for one. */
static hg_transform *make(int number)
{
    switch (number) {
    case 0: return hg_resize_to(20, 30);
    case 1: return hg_resize(24);
    case 2: return hg_resize(60);
    case 3: return hg_resize(37);
    case 4: return hg_center_crop(16, 16);
    case 5: return hg_center_crop(21, 64);
    case 6: return hg_center_crop(80, 80);
    case 7: return hg_grayscale(1);
    case 8: return hg_grayscale(3);
    case 9: return hg_random_crop(20, 20, 0);
    case 10: return hg_random_crop(37, 53, 0);
    case 11: return hg_random_crop(40, 40, 4);
    case 12: return hg_random_resized_crop(24, 24, NULL);
    case 13: return hg_random_resized_crop(17, 31, &(hg_crop_options){{.5, .6}, {2, 3}});
    case 14: return hg_random_resized_crop(12, 12, &(hg_crop_options){{.9, 1}, {4, 5}});
    case 15: return hg_random_resized_crop(12, 12, &(hg_crop_options){{.9, 1}, {.1, .2}});
    case 16: return hg_random_horizontal_flip(0.5);
    case 17: return hg_random_horizontal_flip(.2);
    case 18: return compose3(hg_resize_to(32, 32), hg_random_resized_crop(28, 28, NULL), hg_random_horizontal_flip(.5));
    default: return NULL;
    }
}

static void expect_text(const hg_transform *t, const char *line)
{
    char *text = hg_transform_to_text(t), escaped[400] = "";
    for (size_t i = 0, n = 0; text[i]; i++) {
        if (text[i] == '\n') escaped[n++] = '\\';
        escaped[n++] = text[i] == '\n' ? 'n' : text[i];
    }
    ck_assert_str_eq(escaped, line);
    free(text);
}

static hg_status apply(const hg_transform *t, const hg_image *image, uint64_t seed, hg_item_spec *after, void *out)
{
    hg_item_spec item = {HG_U8, HG_SHAPE(image->height, image->width, image->channels)};
    hg_mt19937 g;
    hg_mt19937_seed(&g, seed);
    *after = item;
    hg_status status = t->type->shape(t, after);
    return status == HG_OK ? t->type->apply(t, &item, image->pixels, out, &g) : status;
}

START_TEST(images_and_texts_are_torchvisions)
{
    FILE *f = fopen(TEST_DATA "/image/transformed.txt", "r");
    ck_assert_ptr_nonnull(f);
    char line[500], name[64], path[1024];
    uint8_t out[80 * 80 * 3];
    int number, used, cases = 0;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        ck_assert_int_eq(sscanf(line, "%d %n", &number, &used), 1);
        hg_transform *t = make(number);
        ck_assert_msg(t != NULL, "%s", hg_last_error());
        expect_text(t, line + used);
        for (int i = 0; i < 12; i++, cases++) {
            int seed, height, width;
            unsigned expected;
            ck_assert_int_eq(fscanf(f, "%d %63s %d %d %x\n", &seed, name, &height, &width, &expected), 5);
            hg_image image;
            hg_item_spec after;
            snprintf(path, sizeof path, "%s/image/%s", TEST_DATA, name);
            ck_assert_hg(hg_image_read(path, NULL, &image));
            ck_assert_hg(apply(t, &image, (uint64_t)seed, &after, out));
            ck_assert(after.dtype == HG_U8 && after.shape.size[0] == height && after.shape.size[1] == width);
            unsigned crc = (unsigned)crc32(0, out, (unsigned)hg_item_bytes(&after));
            ck_assert_msg(crc == expected, "%s, seed %d", line, seed);
            hg_image_free(&image);
        }
        hg_transform_free(t);
    }
    ck_assert_int_eq(cases, 19 * 12);
    fclose(f);
}
END_TEST

START_TEST(grey_images_without_channels_pass_too)
{
    uint8_t pixels[6 * 4], out[3 * 12 * 8];
    for (int i = 0; i < 24; i++) pixels[i] = (uint8_t)(i * 11);
    hg_item_spec item = {HG_U8, HG_SHAPE(6, 4)}, after = item;
    hg_transform *t = hg_compose((hg_transform *[]){hg_grayscale(3), hg_resize(8), hg_bgr()}, 3);
    ck_assert_hg(t->type->shape(t, &after));
    hg_shape s = after.shape;
    ck_assert(s.ndim == 3 && s.size[0] == 12 && s.size[1] == 8 && s.size[2] == 3);
    ck_assert_hg(t->type->apply(t, &item, pixels, out, NULL));
    for (int i = 0; i < 12 * 8; i++) ck_assert(out[3 * i] == out[3 * i + 1] && out[3 * i] == out[3 * i + 2]);
    ck_assert_int_eq(out[0], 0);
    ck_assert_int_eq(out[3 * 95], 253);
    hg_transform_free(t);
    t = hg_center_crop(2, 2);
    after = item;
    ck_assert_hg(t->type->shape(t, &after));
    ck_assert(after.shape.ndim == 2 && after.shape.size[0] == 2);
    ck_assert_hg(t->type->apply(t, &item, pixels, out, NULL));
    ck_assert_mem_eq(out, ((uint8_t[]){99, 110, 143, 154}), 4);
    hg_transform_free(t);
}
END_TEST

START_TEST(opencvs_resize_and_order)
{
    hg_transform *t = hg_compose((hg_transform *[]){hg_cv_resize(1, 2), hg_bgr()}, 2);
    hg_image image = {2, 2, 3, (uint8_t[]){10, 20, 30, 110, 120, 130, 20, 30, 41, 120, 130, 140}};
    hg_item_spec after;
    uint8_t out[6];
    ck_assert_hg(apply(t, &image, 0, &after, out));
    ck_assert_mem_eq(out, ((uint8_t[]){36, 25, 15, 135, 125, 115}), 6);
    char *text = hg_transform_to_text(t);
    ck_assert_str_eq(text, "Compose(\n    CvResize(size=[1, 2])\n    Bgr()\n)");
    free(text);
    hg_transform_free(t);
}
END_TEST

/* The transform does not take such an item. */
static void refuse(hg_transform *t, hg_dtype dtype, hg_shape shape, hg_status code, const char *words)
{
    ck_assert_ptr_nonnull(t);
    hg_item_spec item = {dtype, shape};
    hg_clear_error();
    ck_assert_int_eq(t->type->shape(t, &item), code);
    ck_assert_error(code, words);
    hg_transform_free(t);
}

START_TEST(what_is_no_image_is_refused)
{
    refuse(hg_resize(5), HG_F32, HG_SHAPE(3, 4, 4), HG_E_DTYPE, "resize: input should be an image of uint8");
    refuse(hg_center_crop(5, 5), HG_U8, HG_SHAPE(4), HG_E_SHAPE, "got 1 dimensions");
    refuse(hg_random_horizontal_flip(1), HG_U8, HG_SHAPE(4, 4, 5), HG_E_SHAPE, "1 to 4 channels, input has 5");
    refuse(hg_grayscale(1), HG_U8, HG_SHAPE(4, 4, 4), HG_E_SHAPE, "1 or 3 channels, got 4");
    refuse(hg_bgr(), HG_U8, HG_SHAPE(4, 4), HG_E_SHAPE, "H x W x 3");
    refuse(hg_resize(1000), HG_U8, HG_SHAPE(1, 60000, 3), HG_E_SHAPE, "1000 x 60000000: a side is more than 65535");
    refuse(hg_random_crop(32, 32, 2), HG_U8, HG_SHAPE(27, 40, 3), HG_E_SHAPE,
           "Required crop size (32, 32) is larger than input image size (31, 44)");
}
END_TEST

static void no_maker(hg_transform *t, const char *words)
{
    ck_assert_ptr_null(t);
    ck_assert_error(HG_E_ARG, words);
}

START_TEST(impossible_arguments_are_refused)
{
    no_maker(hg_resize(0), "resize: size 0 x 0");
    no_maker(hg_resize_to(5, -1), "resize: size 5 x -1");
    no_maker(hg_cv_resize(70000, 5), "more than 65535");
    no_maker(hg_center_crop(0, 5), "center_crop");
    no_maker(hg_grayscale(2), "either 1 or 3, got 2");
    no_maker(hg_random_crop(5, 5, -1), "padding is -1");
    no_maker(hg_random_horizontal_flip(1.5), "p is 1.5");
    no_maker(hg_random_resized_crop(5, 5, &(hg_crop_options){{0, 1}, {1, 1}}), "scale (0, 1)");
    no_maker(hg_random_resized_crop(5, 5, &(hg_crop_options){{.5, 1}, {2, 1}}), "ratio (2, 1)");
    no_maker(hg_random_resized_crop(5, 5, &(hg_crop_options){{.5, 1}, {1, 1.0 / 0.0}}), "ratio (1, inf)");
}
END_TEST

Suite *images_suite(void)
{
    return TEST_SUITE("images", images_and_texts_are_torchvisions, grey_images_without_channels_pass_too,
                      opencvs_resize_and_order, what_is_no_image_is_refused, impossible_arguments_are_refused);
}
