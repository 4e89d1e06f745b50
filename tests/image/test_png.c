/* PNG files: round trips, every kind libpng knows, and files that are no good. */
#include "test_image.h"

#include <png.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"

static char folder[] = "/tmp/hapgop-image-XXXXXX", path[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/hapgop-image-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.png", folder);
}

static void remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);     /* nothing else, such as a temporary file, was left */
}

static void write_file(const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void fill(hg_image *image)
{
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    for (size_t i = 0; i < n; i++) image->pixels[i] = (uint8_t)(i * 37 + i / 7);
}

START_TEST(what_is_written_is_read)
{
    static const int sides[][2] = {{1, 1}, {1, 9}, {17, 1}, {31, 20}};
    for (int channels = 1; channels <= 4; channels++) {
        for (int k = 0; k < 4; k++) {
            hg_image a, b;
            ck_assert_int_eq(hg_image_new(&a, sides[k][0], sides[k][1], channels), HG_OK);
            fill(&a);
            ck_assert_int_eq(hg_image_write_png(path, &a), HG_OK);
            ck_assert_int_eq(hg_image_read_png(path, &b), HG_OK);
            ck_assert_int_eq(b.width, sides[k][0]);
            ck_assert_int_eq(b.height, sides[k][1]);
            ck_assert_int_eq(b.channels, channels);
            ck_assert_mem_eq(a.pixels, b.pixels, (size_t)(a.width * a.height * channels));
            hg_image_free(&a);
            hg_image_free(&b);
            ck_assert_ptr_null(b.pixels);
        }
    }
}
END_TEST

/* Writes a 5 x 5 picture of another kind by libpng itself. */
static void write_kind(int type, int depth, int interlace, const png_byte *row, const png_color *colors,
                       const png_byte *alpha)
{
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    ck_assert(f && info && !setjmp(png_jmpbuf(png)));
    png_init_io(png, f);
    png_set_IHDR(png, info, 5, 5, depth, type, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (colors) png_set_PLTE(png, info, colors, 4);
    if (alpha) png_set_tRNS(png, info, alpha, 4, NULL);
    png_write_info(png, info);
    png_bytep rows[5];
    for (int y = 0; y < 5; y++) rows[y] = (png_bytep)row;
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

static void check_first_row(int channels, const uint8_t *expected)
{
    hg_image image;
    ck_assert_int_eq(hg_image_read_png(path, &image), HG_OK);
    ck_assert_int_eq(image.width, 5);
    ck_assert_int_eq(image.height, 5);
    ck_assert_int_eq(image.channels, channels);
    ck_assert_mem_eq(image.pixels, expected, (size_t)(5 * channels));
    ck_assert_mem_eq(image.pixels + 20 * channels, expected, (size_t)(5 * channels));
    hg_image_free(&image);
}

START_TEST(every_kind_becomes_8_bits)
{
    static const png_color colors[4] = {{1, 2, 3}, {40, 50, 60}, {100, 110, 120}, {255, 254, 253}};
    static const png_byte alpha[4] = {0, 10, 200, 255};
    write_kind(PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE, (png_byte[]){0xa8}, NULL, NULL);
    check_first_row(1, (uint8_t[]){255, 0, 255, 0, 255});
    write_kind(PNG_COLOR_TYPE_GRAY, 4, PNG_INTERLACE_ADAM7, (png_byte[]){0x01, 0x8f, 0x20}, NULL, NULL);
    check_first_row(1, (uint8_t[]){0, 17, 136, 255, 34});
    write_kind(PNG_COLOR_TYPE_GRAY, 16, PNG_INTERLACE_NONE,
               (png_byte[]){0, 0, 0, 200, 0x12, 0x34, 0x80, 0x80, 255, 255}, NULL, NULL);
    check_first_row(1, (uint8_t[]){0, 1, 18, 128, 255});
    write_kind(PNG_COLOR_TYPE_PALETTE, 2, PNG_INTERLACE_ADAM7, (png_byte[]){0x1b, 0x40}, colors, NULL);
    check_first_row(3, (uint8_t[]){1, 2, 3, 40, 50, 60, 100, 110, 120, 255, 254, 253, 40, 50, 60});
    write_kind(PNG_COLOR_TYPE_PALETTE, 2, PNG_INTERLACE_NONE, (png_byte[]){0x1b, 0x40}, colors, alpha);
    check_first_row(4, (uint8_t[]){1,  2,   3,   0,   40,  50,  60,  10, 100, 110,
                                   120, 200, 255, 254, 253, 255, 40, 50, 60,  10});
}
END_TEST

START_TEST(missing_and_foreign_files)
{
    hg_image image;
    ck_assert_fails(hg_image_read_png("/nonexistent/a.png", &image), HG_E_IO, "/nonexistent/a.png",
                    "No such file or directory");
    ck_assert_fails(hg_image_read_png(folder, &image), HG_E_IO, folder, "directory");
    write_file("", 0);
    ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path, "is not a PNG file");
    write_file("\377\330\377\340 a JPEG, perhaps", 20);
    ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path, "is not a PNG file");
    ck_assert_ptr_null(image.pixels);
}
END_TEST

START_TEST(every_cut_and_many_damages_fail_clearly)
{
    hg_image image;
    ck_assert_int_eq(hg_image_new(&image, 13, 11, 3), HG_OK);
    fill(&image);
    ck_assert_int_eq(hg_image_write_png(path, &image), HG_OK);
    hg_image_free(&image);
    void *data;
    size_t size;
    ck_assert_int_eq(hg_read_file(path, &data, &size), HG_OK);
    uint8_t *bytes = data;
    for (size_t n = 8; n < size; n++) {
        write_file(bytes, n);
        ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path, "truncated");
        ck_assert_ptr_null(image.pixels);
    }
    for (size_t i = 16; i < size - 12; i++) {   /* behind the first chunk's name; IEND's checksum is not looked at */
        bytes[i] ^= 0x55;
        write_file(bytes, size);
        ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path);
        ck_assert_ptr_null(image.pixels);
        bytes[i] ^= 0x55;
    }
    free(data);
}
END_TEST

/* A header that claims width x height, with a right checksum and nothing behind it. */
static void write_claim(uint32_t width, uint32_t height, int type)
{
    uint8_t bytes[33] = "\211PNG\r\n\032\n\0\0\0\015IHDR";
    for (int i = 0; i < 4; i++) {
        bytes[16 + i] = (uint8_t)(width >> (24 - 8 * i));
        bytes[20 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    bytes[24] = 8;
    bytes[25] = (uint8_t)type;
    uint32_t crc = (uint32_t)crc32(0, bytes + 12, 17);
    for (int i = 0; i < 4; i++) bytes[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    uint8_t file[33 + 12] = {0};
    memcpy(file, bytes, 33);
    memcpy(file + 33, "\0\0\0\0IDAT\065\257\006\036", 12);
    write_file(file, sizeof file);
}

START_TEST(huge_claims_are_refused_before_memory_is_taken)
{
    hg_image image;
    write_claim(65536, 1, PNG_COLOR_TYPE_GRAY);
    ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path, "65536 x 1", "more than 65535");
    write_claim(0x7fffffff, 0x7fffffff, PNG_COLOR_TYPE_GRAY);
    ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path, "2147483647 x 2147483647");
    write_claim(65535, 65535, PNG_COLOR_TYPE_RGB);
    ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path, "65535 x 65535", "1 GiB");
    write_claim(0xffffffff, 1, PNG_COLOR_TYPE_GRAY);
    ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path);
    write_claim(0, 1, PNG_COLOR_TYPE_GRAY);
    ck_assert_fails(hg_image_read_png(path, &image), HG_E_FORMAT, path);
    ck_assert_ptr_null(image.pixels);
}
END_TEST

START_TEST(impossible_images_are_refused)
{
    hg_image image;
    ck_assert_fails(hg_image_new(&image, 0, 5, 1), HG_E_ARG, "0 x 5", "less than 1");
    ck_assert_fails(hg_image_new(&image, 5, -1, 1), HG_E_ARG, "5 x -1");
    ck_assert_fails(hg_image_new(&image, 5, 5, 5), HG_E_ARG, "5 channels", "1 to 4");
    ck_assert_fails(hg_image_new(&image, 65536, 1, 1), HG_E_ARG, "more than 65535");
    ck_assert_fails(hg_image_new(&image, 65535, 65535, 1), HG_E_ARG, "1 GiB");
    ck_assert_fails(hg_image_write_png(path, &(hg_image){0}), HG_E_ARG, "0 x 0", path);
    ck_assert_fails(hg_image_write_png(path, &(hg_image){4, 4, 3, NULL}), HG_E_ARG, "no pixels");
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_failed_write_keeps_the_old_file)
{
    hg_image image, back;
    ck_assert_int_eq(hg_image_new(&image, 200, 200, 3), HG_OK);
    ck_assert_fails(hg_image_write_png("/nonexistent/a.png", &image), HG_E_IO, "/nonexistent/a.png");
    ck_assert_int_eq(hg_image_write_png(path, &image), HG_OK);
    uint32_t noise = 1;
    for (int i = 0; i < 200 * 200 * 3; i++) image.pixels[i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);

    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    small = (struct rlimit){20000, limit.rlim_max};
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    hg_clear_error();
    hg_status status = hg_image_write_png(path, &image);    /* no assertion while this process cannot write */
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, before);
    ck_assert_int_eq(status, HG_E_IO);
    ck_assert_ptr_nonnull(strstr(hg_last_error(), "File too large"));
    hg_clear_error();
    ck_assert_int_eq(hg_image_read_png(path, &back), HG_OK);
    ck_assert_int_eq(back.pixels[0] | back.pixels[119999], 0);
    hg_image_free(&back);
    hg_image_free(&image);
}
END_TEST

Suite *png_suite(void)
{
    Suite *suite = suite_create("png");
    TCase *tests = tcase_create("png");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, what_is_written_is_read);
    tcase_add_test(tests, every_kind_becomes_8_bits);
    tcase_add_test(tests, missing_and_foreign_files);
    tcase_add_test(tests, every_cut_and_many_damages_fail_clearly);
    tcase_add_test(tests, huge_claims_are_refused_before_memory_is_taken);
    tcase_add_test(tests, impossible_images_are_refused);
    tcase_add_test(tests, a_failed_write_keeps_the_old_file);
    suite_add_tcase(suite, tests);
    return suite;
}
