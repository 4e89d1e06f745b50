#include <check.h>
#include <string.h>
#include <zlib.h>

#include "hapgop/image.h"

Suite *png_suite(void);
Suite *chart_suite(void);
Suite *read_suite(void);
Suite *resize_suite(void);

static inline size_t image_bytes(const hg_image *image)
{
    return (size_t)image->width * (size_t)image->height * (size_t)image->channels;
}

static inline unsigned image_crc(const hg_image *image)
{
    return (unsigned)crc32(0, image->pixels, (unsigned)image_bytes(image));
}

/* The call failed with this code, and the error's text has all of these words (NULL ends them). */
#define ck_assert_fails(call, code, ...)                                                                              \
    do {                                                                                                              \
        hg_clear_error();                                                                                             \
        ck_assert_int_eq(call, code);                                                                                 \
        ck_assert_int_eq(hg_last_status(), code);                                                                     \
        for (const char **w = (const char *[]){__VA_ARGS__, NULL}; *w; w++)                                           \
            ck_assert_msg(strstr(hg_last_error(), *w) != NULL, "\"%s\" is not in \"%s\"", *w, hg_last_error());       \
        hg_clear_error();                                                                                             \
    } while (0)
