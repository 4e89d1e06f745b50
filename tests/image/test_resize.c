/* Resizing bit for bit as PIL and OpenCV do it; tests/data/image/resized.txt is theirs, by tests/oracle/image.py. */
#include "test_image.h"

#include <stdio.h>

/* The bytes that tests/oracle/image.py makes, too. */
static void fill(hg_image *image, uint32_t state)
{
    size_t n = image_bytes(image);
    for (size_t i = 0; i < n; i++) image->pixels[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
}

START_TEST(sizes_up_and_down_are_pils_and_opencvs)
{
    FILE *f = fopen(TEST_DATA "/image/resized.txt", "r");
    ck_assert_ptr_nonnull(f);
    int width, height, channels, new_width, new_height, cases = 0;
    unsigned expected[2];
    while (fscanf(f, "%d %d %d %d %d %x %x", &width, &height, &channels, &new_width, &new_height, &expected[0],
                  &expected[1]) == 7) {
        hg_image in, out;
        ck_assert_int_eq(hg_image_new(&in, width, height, channels), HG_OK);
        fill(&in, (uint32_t)cases++);
        for (int kind = 0; kind < 2; kind++) {
            ck_assert_int_eq(hg_image_resize(&in, new_width, new_height, (hg_resize_kind)kind, &out), HG_OK);
            ck_assert(out.width == new_width && out.height == new_height && out.channels == channels);
            ck_assert_msg(image_crc(&out) == expected[kind], "%d x %d x %d to %d x %d, kind %d", width, height,
                          channels, new_width, new_height, kind);
            hg_image_free(&out);
        }
        hg_image_free(&in);
    }
    ck_assert_int_eq(cases, 120);
    fclose(f);
}
END_TEST

START_TEST(channels_are_resized_each_by_itself)
{
    for (int kind = 0; kind < 2; kind++) {
        for (int channels = 2; channels <= 4; channels++) {
            hg_image all, one, all_out, one_out;
            ck_assert_int_eq(hg_image_new(&all, 31, 23, channels), HG_OK);
            ck_assert_int_eq(hg_image_new(&one, 31, 23, 1), HG_OK);
            fill(&all, 5);
            ck_assert_int_eq(hg_image_resize(&all, 19, 40, (hg_resize_kind)kind, &all_out), HG_OK);
            for (int c = 0; c < channels; c++) {
                for (int i = 0; i < 31 * 23; i++) one.pixels[i] = all.pixels[i * channels + c];
                ck_assert_int_eq(hg_image_resize(&one, 19, 40, (hg_resize_kind)kind, &one_out), HG_OK);
                for (int i = 0; i < 19 * 40; i++) ck_assert_int_eq(one_out.pixels[i], all_out.pixels[i * channels + c]);
                hg_image_free(&one_out);
            }
            hg_image_free(&all);
            hg_image_free(&one);
            hg_image_free(&all_out);
        }
    }
}
END_TEST

START_TEST(constant_images_stay_constant)
{
    hg_image in, out;
    ck_assert_int_eq(hg_image_new(&in, 1000, 3, 3), HG_OK);
    memset(in.pixels, 255, image_bytes(&in));
    for (int kind = 0; kind < 2; kind++) {
        ck_assert_int_eq(hg_image_resize(&in, 7, 300, (hg_resize_kind)kind, &out), HG_OK);
        for (size_t i = 0; i < image_bytes(&out); i++) ck_assert_int_eq(out.pixels[i], 255);
        hg_image_free(&out);
    }
    hg_image_free(&in);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    hg_image in, out;
    ck_assert_int_eq(hg_image_new(&in, 4, 3, 3), HG_OK);
    ck_assert_fails(hg_image_resize(&in, 0, 5, HG_RESIZE_PIL, &out), HG_E_ARG, "4 x 3", "to 0 x 5", "less than 1");
    ck_assert_fails(hg_image_resize(&in, 70000, 5, HG_RESIZE_PIL, &out), HG_E_ARG, "more than 65535");
    ck_assert_fails(hg_image_resize(&in, 65535, 65535, HG_RESIZE_CV, &out), HG_E_ARG, "1 GiB");
    ck_assert_fails(hg_image_resize(&in, 5, 5, (hg_resize_kind)2, &out), HG_E_ARG, "not known");
    ck_assert_fails(hg_image_resize(&(hg_image){0}, 5, 5, HG_RESIZE_PIL, &out), HG_E_ARG, "0 x 0");
    ck_assert_fails(hg_image_resize(&(hg_image){4, 4, 3, NULL}, 5, 5, HG_RESIZE_PIL, &out), HG_E_ARG, "no pixels");
    ck_assert_ptr_null(out.pixels);
    hg_image_free(&in);
}
END_TEST

Suite *resize_suite(void)
{
    Suite *suite = suite_create("resize");
    TCase *tests = tcase_create("resize");
    tcase_add_test(tests, sizes_up_and_down_are_pils_and_opencvs);
    tcase_add_test(tests, channels_are_resized_each_by_itself);
    tcase_add_test(tests, constant_images_stay_constant);
    tcase_add_test(tests, impossible_sizes_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
