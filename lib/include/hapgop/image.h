/* Images in host memory, image files, resizing, and line charts. Nothing here needs a device.
 *
 *   hg_image photo, small;
 *   if (hg_image_read("cat.jpg", NULL, &photo) == HG_OK &&
 *       hg_image_resize(&photo, 224, 224, HG_RESIZE_PIL, &small) == HG_OK)
 *       hg_image_write_png("small.png", &small);
 */
#ifndef HAPGOP_IMAGE_H
#define HAPGOP_IMAGE_H

#include "hapgop/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An 8-bit image: height x width x channels, row-major, no padding between rows.
 * Channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA (alpha not premultiplied). */
typedef struct hg_image {
    int width, height, channels;
    uint8_t *pixels;
} hg_image;

/* The largest side of an image, and the most bytes one may have: what a file claims beyond these is refused. */
#define HG_IMAGE_MAX_SIDE 65535
#define HG_IMAGE_MAX_BYTES (INT64_C(1) << 30)

/* A black image (all bytes 0), for hg_image_free(). HG_E_ARG if a side is not in 1..HG_IMAGE_MAX_SIDE, channels not
 * in 1..4, or the whole larger than HG_IMAGE_MAX_BYTES; HG_E_MEMORY. On failure *image is empty. */
HG_API hg_status hg_image_new(hg_image *image, int width, int height, int channels);
HG_API void hg_image_free(hg_image *image);     /* an empty or already freed image is allowed */

/* ---- Files ------------------------------------------------------------------------------------------------------- */

typedef struct hg_image_read_options {
    int channels;       /* 3: RGB; 0: what the file has: grey, RGB, or with alpha */
    bool orient;        /* turn a JPEG as its EXIF orientation says, as cv2.imread does; PIL does not */
    bool bgr;           /* blue first, as cv2.imread gives it; grey stays grey */
} hg_image_read_options;
#define HG_IMAGE_READ_DEFAULTS ((hg_image_read_options){.channels = 3, .orient = false, .bgr = false})

/* Reads a PNG, JPEG, PPM or PGM file, whatever its name says. NULL options are the defaults.
 * With `channels` 3 the bytes are those of PIL 9.4's Image.open(path).convert("RGB"): grey three times; alpha dropped
 * without blending; palettes expanded; of 16-bit colours the high byte; 16-bit grey cut off at 255, not scaled; CMYK
 * and YCCK taken as Adobe's inverted ones. With 0, PNG files are as hg_image_read_png gives them, and CMYK is RGB.
 * HG_E_IO if the file cannot be read; HG_E_FORMAT, with the path, for another format, an empty, damaged or truncated
 * file, and one that claims more than the limits above (before memory is taken for it). As in PIL, damage within
 * JPEG's compressed data that the decoder can step over is no error. HG_E_ARG for other options; HG_E_MEMORY. On
 * failure *image is empty. */
HG_API hg_status hg_image_read(const char *path, const hg_image_read_options *options, hg_image *image);

/* Reads a PNG file of any kind. Palettes become RGB, transparency becomes an alpha channel, 1-, 2- and 4-bit grey is
 * spread to 0..255, 16 bits are scaled to 8. Gamma and colour profiles are ignored.
 * HG_E_IO if the file cannot be read; HG_E_FORMAT, with the path, if it is not a PNG file, is damaged or truncated,
 * or is larger than the limits above. On failure *image is empty. */
HG_API hg_status hg_image_read_png(const char *path, hg_image *image);

/* Writes a PNG file; the file appears whole or not at all. HG_E_ARG for an empty or impossible image; HG_E_IO. */
HG_API hg_status hg_image_write_png(const char *path, const hg_image *image);

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

typedef enum hg_resize_kind {
    HG_RESIZE_PIL = 0,  /* PIL's Image.resize(BILINEAR): antialiased when shrinking, bit for bit PIL 9.4's */
    HG_RESIZE_CV = 1    /* cv2.resize(INTER_LINEAR): not antialiased, bit for bit OpenCV 4.6's for 8 bits */
} hg_resize_kind;

/* A new image of that size; the old sides need not be kept in proportion. Each channel by itself, alpha too (PIL
 * weights colours by it). HG_E_ARG for an empty or impossible image, or a size as hg_image_new refuses it;
 * HG_E_MEMORY. On failure *out is empty. `out` is another image. */
HG_API hg_status hg_image_resize(const hg_image *image, int width, int height, hg_resize_kind kind, hg_image *out);

/* ---- Charts --------------------------------------------------------------------------------------------------------
 *
 *   hg_chart_series loss[] = {{.label = "batch", .x = it, .y = raw, .count = n, .faint = true, .color = 0x1f77b4},
 *                             {.label = "smoothed", .x = it, .y = smooth, .count = n, .color = 0x1f77b4}};
 *   hg_chart_series accuracy[] = {{.label = "test", .x = at, .y = percent, .count = m}};
 *   hg_chart_panel panels[] = {{.title = "Loss", .x_label = "iteration", .series = loss, .series_count = 2},
 *                              {.title = "Accuracy", .x_label = "iteration", .y_label = "%", .series = accuracy,
 *                               .series_count = 1}};
 *   hg_chart chart = {.panels = panels, .panel_count = 2};
 *   hg_status st = hg_chart_write_png("curves.png", &chart);
 *
 * Texts are UTF-8; NULL is no text; those too long for their place are cut with an ellipsis. */

/* One line. A y (or x) that is not finite, or beyond 1e300 in size, is a gap; a point between two gaps is drawn as a
 * dot. */
typedef struct hg_chart_series {
    const char *label;          /* for the legend; NULL: not in it */
    const double *x;            /* `count` values; NULL: 0, 1, 2, ... */
    const double *y;
    int64_t count;              /* 0 is allowed */
    uint32_t color;             /* 0xRRGGBB; 0: the next colour of the palette */
    bool faint;                 /* thin and pale: raw values behind a smoothed line */
    bool dots;                  /* mark every point */
} hg_chart_series;

/* One pair of axes, fitted to its series. `y_min` < `y_max` fix the vertical axis; both 0 leave it free. */
typedef struct hg_chart_panel {
    const char *title, *x_label, *y_label;
    const hg_chart_series *series;
    int series_count;
    double y_min, y_max;
} hg_chart_panel;

/* Panels side by side. Sizes in pixels; 0 is the default. */
typedef struct hg_chart {
    const char *title;
    const hg_chart_panel *panels;
    int panel_count;
    int width, height;          /* 1200 x 500 */
} hg_chart;

/* Draws the chart into a new RGB image. HG_E_ARG for no panels, more than 16 panels or 64 series in one, a series with
 * points but no y, a negative count, a size not in 100..8192 or too small for its panels, a text that is not UTF-8;
 * HG_E_MEMORY. On failure *image is empty. */
HG_API hg_status hg_chart_draw(const hg_chart *chart, hg_image *image);
/* The same into a file, whole or not at all; also HG_E_IO. */
HG_API hg_status hg_chart_write_png(const char *path, const hg_chart *chart);

/* A matrix of counts as coloured cells: rows and columns of `names`, from the top and from the left. */
typedef struct hg_matrix_chart {
    const char *title, *row_label, *column_label;
    const char *const *names;       /* UTF-8 */
    const int64_t *counts;          /* size x size, row-major */
    int size;                       /* 1 to 512 */
} hg_matrix_chart;
/* HG_E_ARG for another size, a negative count, a text that is not UTF-8; HG_E_MEMORY, HG_E_IO. */
HG_API hg_status hg_matrix_write_png(const char *path, const hg_matrix_chart *m);

/* Exponential moving average without start bias: s = w s + (1 - w) y, out = s / (1 - w^n), as TensorBoard smooths.
 * y and out of `count` values (may be the same array); 0 <= weight < 1, 0 copies. Values that are not finite are
 * copied and leave the average alone. HG_E_ARG for another weight, a negative count or NULL. */
HG_API hg_status hg_chart_smooth(const double *y, int64_t count, double weight, double *out);

#ifdef __cplusplus
}
#endif
#endif
