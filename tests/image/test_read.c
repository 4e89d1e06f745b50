/* Image files of every kind as PIL and OpenCV read them (tests/data/image, by tests/oracle/image.py), and files that
 * are no good. */
#include "test_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "image/decode.h"

START_TEST(pixels_are_pils_and_opencvs)
{
    FILE *f = fopen(TEST_DATA "/image/pixels.txt", "r");
    ck_assert_ptr_nonnull(f);
    char who[4], name[64], path[1024];
    int width, height, cases = 0;
    unsigned expected;
    while (fscanf(f, "%3s %63s %d %d %x", who, name, &width, &height, &expected) == 5) {
        bool cv = !strcmp(who, "cv2");
        hg_image_read_options o = {.channels = 3, .orient = cv, .bgr = cv};
        hg_image image;
        snprintf(path, sizeof path, "%s/image/%s", TEST_DATA, name);
        hg_clear_error();
        ck_assert_msg(hg_image_read(path, cv ? &o : NULL, &image) == HG_OK, "%s", hg_last_error());
        ck_assert_msg(image.width == width && image.height == height && image.channels == 3, "%s: %d x %d x %d", name,
                      image.width, image.height, image.channels);
        ck_assert_msg(image_crc(&image) == expected, "%s %s", who, name);
        hg_image_free(&image);
        cases++;
    }
    ck_assert_int_gt(cases, 40);
    fclose(f);
}
END_TEST

START_TEST(channels_0_keeps_what_the_file_has)
{
    static const struct { const char *name; int channels; } cases[] = {
        {"jpeg_grey.jpg", 1}, {"jpeg_420.jpg", 3}, {"jpeg_cmyk.jpg", 3}, {"png_L.png", 1}, {"png_LA.png", 2},
        {"png_RGBA.png", 4}, {"png_P.png", 4}, {"png_palette2.png", 3},
        {"png_grey16.png", 1}, {"pnm_p2.pgm", 1}, {"pnm_p6.ppm", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[1024];
        hg_image image;
        snprintf(path, sizeof path, "%s/image/%s", TEST_DATA, cases[i].name);
        ck_assert_int_eq(hg_image_read(path, &(hg_image_read_options){.bgr = true}, &image), HG_OK);
        ck_assert_msg(image.channels == cases[i].channels, "%s: %d", cases[i].name, image.channels);
        hg_image_free(&image);
    }
    hg_image image;
    ck_assert_fails(hg_image_read(TEST_DATA "/image/pnm_p6.ppm", &(hg_image_read_options){.channels = 4}, &image),
                    HG_E_ARG, "4 channels");
}
END_TEST

static char folder[64], path[80];

static void make_folder(void)
{
    strcpy(folder, "/tmp/hapgop-read-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.jpg", folder);
}

static void remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void refused(const void *bytes, size_t size, hg_status code, const char *words)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
    hg_image image;
    ck_assert_fails(hg_image_read(path, NULL, &image), code, path, words);
    ck_assert_ptr_null(image.pixels);
}

static void refused_text(const char *text, const char *words)
{
    refused(text, strlen(text), HG_E_FORMAT, words);
}

START_TEST(files_that_are_no_images_are_named)
{
    refused("", 0, HG_E_FORMAT, "is empty");
    refused("hello", 5, HG_E_FORMAT, "is no image");
    refused("\211PN", 3, HG_E_FORMAT, "is no image");
    refused("BM123456", 8, HG_E_FORMAT, "format BMP; PNG, JPEG, PPM and PGM files can be read");
    refused("RIFF....WEBP", 12, HG_E_FORMAT, "WebP");
    refused("P4 1 1 a", 8, HG_E_FORMAT, "PBM");
}
END_TEST

START_TEST(paths_that_cannot_be_read)
{
    hg_image image;
    ck_assert_fails(hg_image_read("/nonexistent/a.jpg", NULL, &image), HG_E_IO, "/nonexistent/a.jpg", "No such file");
    ck_assert_fails(hg_image_read(folder, NULL, &image), HG_E_IO, folder, "it is a directory");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_fails(hg_image_read(path, NULL, &image), HG_E_IO, path, "not a regular file");    /* and does not wait */
    unlink(path);
    refused("", 0, HG_E_FORMAT, "is empty");
    ck_assert_int_eq(truncate(path, HG_IMAGE_MAX_BYTES + 1), 0);    /* a hole: no disk is used */
    ck_assert_fails(hg_image_read(path, NULL, &image), HG_E_FORMAT, path, "larger than 1 GiB");
}
END_TEST

/* Each cut of a file is refused; JPEG's and PNG's texts say truncated. */
static void cut(const char *name)
{
    char from[1024];
    void *data;
    size_t size;
    snprintf(from, sizeof from, "%s/image/%s", TEST_DATA, name);
    ck_assert_int_eq(hg_read_file(from, &data, &size), HG_OK);
    for (size_t n = 8; n < size; n++) {
        hg_image image;
        ck_assert_fails(hg_image_decode(&(hg_encoded){"cut", data, n}, NULL, &image), HG_E_FORMAT, "cut", "truncated");
        ck_assert_ptr_null(image.pixels);
    }
    free(data);
}

START_TEST(every_cut_is_truncated)
{
    cut("turned_6.jpg");
    cut("jpeg_progressive.jpg");
    cut("jpeg_cmyk.jpg");
    cut("png_palette2.png");
    cut("png_grey16.png");
    cut("pnm_p6.ppm");
    cut("pnm_p5_300.pgm");
}
END_TEST

/* Damage may go unseen, as in PIL, but must never do harm (the sanitizers look). */
START_TEST(damage_is_refused_or_read)
{
    static const char *const names[] = {"turned_6.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg", "png_P.png",
                                        "png_grey_transparent.png", "pnm_p3.ppm"};
    int read = 0, failed = 0;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char from[1024];
        void *data;
        size_t size;
        snprintf(from, sizeof from, "%s/image/%s", TEST_DATA, names[k]);
        ck_assert_int_eq(hg_read_file(from, &data, &size), HG_OK);
        uint8_t *bytes = data;
        for (size_t i = 2; i < size; i++) {
            hg_image image;
            hg_image_read_options o = {.channels = i % 2 ? 3 : 0, .orient = true};
            bytes[i] ^= 0x41;
            hg_clear_error();
            hg_status status = hg_image_decode(&(hg_encoded){"damaged", bytes, size}, &o, &image);
            bytes[i] ^= 0x41;
            ck_assert(status == HG_OK || (status == HG_E_FORMAT && strstr(hg_last_error(), "damaged")));
            ck_assert((status == HG_OK) == (image.pixels != NULL));
            read += status == HG_OK;
            failed += status != HG_OK;
            hg_image_free(&image);
        }
        free(data);
    }
    hg_clear_error();
    ck_assert_int_gt(read, 100);
    ck_assert_int_gt(failed, 100);
}
END_TEST

START_TEST(huge_claims_are_refused_before_memory_is_taken)
{
    refused_text("P6 100000 100000 255\n", "the image is 100000 x 100000: a side is more than 65535");
    refused_text("P6 40000 40000 255\n", "40000 x 40000: it would take more than 1 GiB");
    refused_text("P5 10000 10000 255\n ", "truncated");
    refused_text("P2 9999999999 1 255\n 1", "too long");
    refused_text("P2 0 1 255\n 1", "less than 1");
    /* 65535 x 65535: JPEG's header has no room for more */
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0xff, 0xff, 0xff, 0xff, 3, 1, 0x22, 0, 2, 0x11, 1,
                                   3, 0x11, 1, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0, 0xff, 0xd9};
    refused(jpeg, sizeof jpeg, HG_E_FORMAT, "jpeg: ");
    uint8_t large[sizeof jpeg];
    memcpy(large, jpeg, sizeof jpeg);
    large[7] = large[9] = 0xff;
    large[8] = large[10] = 0xdc;    /* 65500, libjpeg's own limit */
    refused(large, sizeof large, HG_E_FORMAT, "the image is 65500 x 65500: it would take more than 1 GiB");
    /* the PNG of 100,000 x 100,000 is in test_png.c's kind: a header with a right checksum */
    static const uint8_t png[] = "\211PNG\r\n\032\n\0\0\0\015IHDR\0\1\206\240\0\1\206\240\10\2\0\0\0";
    uint8_t file[33 + 12] = {0};
    memcpy(file, png, 29);
    uint32_t crc = (uint32_t)crc32(0, file + 12, 17);
    for (int i = 0; i < 4; i++) file[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    memcpy(file + 33, "\0\0\0\0IDAT\065\257\006\036", 12);
    refused(file, sizeof file, HG_E_FORMAT, "the image is 100000 x 100000: a side is more than 65535");
}
END_TEST

START_TEST(bad_pnm_headers_and_values)
{
    refused_text("P2 2 1 0\n0 1", "1 to 65535");
    refused_text("P2 2 1 65536\n0 1", "1 to 65535");
    refused_text("P2 2 1 9\n0 10", "larger than the header says");
    refused_text("P2 2 1 9\n0 x1", "a number was expected");
    refused_text("P2 2 -1 9\n0 1", "a number was expected");
    refused_text("P2 2x 1 9\n0 1", "a number was expected");
    refused_text("P2 2 1 9 1", "truncated");
    refused_text("P2 2 1 # no end", "truncated");
    refused_text("P5 2 1 9", "truncated");
    refused_text("P6 1 1 300 12345", "truncated");
}
END_TEST

START_TEST(exif_that_makes_no_sense_says_nothing)
{
    static const uint8_t good[] = "Exif\0\0II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0";
    ck_assert_int_eq(hg_exif_orientation(good, sizeof good - 1), 6);
    static const uint8_t big[] = "Exif\0\0MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0\3\0\0";
    ck_assert_int_eq(hg_exif_orientation(big, sizeof big - 1), 3);
    for (size_t n = 0; n < 28; n++) ck_assert_int_eq(hg_exif_orientation(good, n), 1);
    uint8_t bytes[sizeof good];
    static const struct { int at; uint8_t value; } changes[] = {{0, 'x'}, {6, 'M'}, {10, 255}, {13, 255}, {14, 0},
                                                                {16, 0x13}, {18, 4}, {24, 9}, {24, 0}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        memcpy(bytes, good, sizeof good);
        bytes[changes[i].at] = changes[i].value;
        ck_assert_int_eq(hg_exif_orientation(bytes, sizeof good - 1), 1);
    }
}
END_TEST

Suite *read_suite(void)
{
    Suite *suite = suite_create("read");
    TCase *tests = tcase_create("read");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, pixels_are_pils_and_opencvs);
    tcase_add_test(tests, channels_0_keeps_what_the_file_has);
    tcase_add_test(tests, files_that_are_no_images_are_named);
    tcase_add_test(tests, paths_that_cannot_be_read);
    tcase_add_test(tests, every_cut_is_truncated);
    tcase_add_test(tests, damage_is_refused_or_read);
    tcase_add_test(tests, huge_claims_are_refused_before_memory_is_taken);
    tcase_add_test(tests, bad_pnm_headers_and_values);
    tcase_add_test(tests, exif_that_makes_no_sense_says_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
