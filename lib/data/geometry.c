/* Transforms of images that do the same to every item: Resize, CenterCrop, Grayscale, and OpenCV's ways. */
#include "data/geometry.h"

#include <math.h>
#include <string.h>

hg_status hg_image_item(const char *op, const hg_item_spec *item)
{
    int ndim = item->shape.ndim;
    if (item->dtype != HG_U8)
        return hg_error(HG_E_DTYPE, "%s: input should be an image of uint8, got float32; put it before hg_to_tensor()",
                        op);
    if (ndim != 2 && ndim != 3)
        return hg_error(HG_E_SHAPE, "%s: input should be H x W or H x W x C, got %d dimensions", op, ndim);
    if (ndim == 3 && (item->shape.size[2] < 1 || item->shape.size[2] > 4))
        return hg_error(HG_E_SHAPE, "%s: an image has 1 to 4 channels, input has %lld", op,
                        (long long)item->shape.size[2]);
    return HG_OK;
}

hg_status hg_image_item_sides(const char *op, hg_item_spec *item, int64_t height, int64_t width)
{
    int64_t channels = item->shape.ndim == 3 ? item->shape.size[2] : 1;
    const char *why = height < 0 || width < 0 ? NULL : hg_image_complaint(width, height, (int)channels);
    if (why)
        return hg_error(HG_E_SHAPE, "%s: the result would be %lld x %lld: %s", op, (long long)height, (long long)width,
                        why);
    item->shape.size[0] = height;
    item->shape.size[1] = width;
    return HG_OK;
}

bool hg_image_item_known(const hg_item_spec *item)
{
    return item->shape.size[0] >= 0 && item->shape.size[1] >= 0;
}

hg_pixels hg_image_item_pixels(const hg_item_spec *item, const void *in)
{
    int channels = item->shape.ndim == 3 ? (int)item->shape.size[2] : 1;
    return (hg_pixels){in, (int)item->shape.size[1], (int)item->shape.size[0], channels,
                       (size_t)item->shape.size[1] * (size_t)channels};
}

void hg_copy_window(const hg_pixels *in, int top, int left, int height, int width, uint8_t *out)
{
    size_t channels = (size_t)in->channels, row = (size_t)width * channels;
    int first = left < 0 ? -left : 0, end = left + width > in->width ? in->width - left : width;
    for (int y = 0; y < height; y++, out += row) {
        int from = top + y;
        if (from < 0 || from >= in->height || first >= end) {
            memset(out, 0, row);
            continue;
        }
        memset(out, 0, (size_t)first * channels);
        memcpy(out + (size_t)first * channels, in->at + (size_t)from * in->stride + (size_t)(left + first) * channels,
               (size_t)(end - first) * channels);
        memset(out + (size_t)end * channels, 0, (size_t)(width - end) * channels);
    }
}

bool hg_good_size(const char *op, int height, int width)
{
    const char *why = hg_image_complaint(width, height, 1);
    if (why) hg_error(HG_E_ARG, "%s: size %d x %d: %s", op, height, width, why);
    return !why;
}

/* ---- Resize: to a size, or the shorter side to one -------------------------------------------------------------- */

typedef struct sized {
    hg_transform base;
    int height, width;      /* width 0: `height` is for the shorter side */
} sized;

static hg_transform *make_sized(const hg_transform_type *type, int height, int width)
{
    sized *s = hg_transform_alloc(type, sizeof *s);
    if (!s) return NULL;
    s->height = height;
    s->width = width;
    return &s->base;
}

static hg_status resize_shape(const hg_transform *t, hg_item_spec *item)
{
    const sized *s = (const sized *)t;
    HG_TRY(hg_image_item("resize", item));
    if (s->width) return hg_image_item_sides("resize", item, s->height, s->width);
    if (!hg_image_item_known(item)) return HG_OK;
    /* As torchvision: the longer side by division in double, its fraction cut off. */
    int64_t height = item->shape.size[0], width = item->shape.size[1], size = s->height;
    if (width <= height)
        return hg_image_item_sides("resize", item, (int64_t)((double)(size * height) / (double)width), size);
    return hg_image_item_sides("resize", item, size, (int64_t)((double)(size * width) / (double)height));
}

static hg_status resize_with(const hg_transform *t, const hg_item_spec *item, const void *in, hg_resize_kind kind,
                             void *out)
{
    hg_item_spec after = *item;
    HG_TRY(t->type->shape(t, &after));
    hg_pixels pixels = hg_image_item_pixels(item, in);
    return hg_resize_pixels(&pixels, (int)after.shape.size[1], (int)after.shape.size[0], kind, out);
}

static hg_status resize_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                              hg_mt19937 *random)
{
    (void)random;
    return resize_with(t, item, in, HG_RESIZE_PIL, out);
}

static void resize_print(const hg_transform *t, hg_str *text)
{
    const sized *s = (const sized *)t;
    if (s->width) hg_str_add(text, "Resize(size=[%d, %d]", s->height, s->width);
    else hg_str_add(text, "Resize(size=%d", s->height);
    hg_str_add(text, ", interpolation=bilinear, max_size=None, antialias=None)");
}

static const hg_transform_type resize_type = {resize_shape, resize_apply, resize_print, NULL};

hg_transform *hg_resize(int size)
{
    return hg_good_size("resize", size, size) ? make_sized(&resize_type, size, 0) : NULL;
}

hg_transform *hg_resize_to(int height, int width)
{
    return hg_good_size("resize", height, width) ? make_sized(&resize_type, height, width) : NULL;
}

/* ---- CvResize --------------------------------------------------------------------------------------------------- */

static hg_status cv_resize_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                                 hg_mt19937 *random)
{
    (void)random;
    return resize_with(t, item, in, HG_RESIZE_CV, out);
}

static void cv_resize_print(const hg_transform *t, hg_str *text)
{
    const sized *s = (const sized *)t;
    hg_str_add(text, "CvResize(size=[%d, %d])", s->height, s->width);
}

hg_transform *hg_cv_resize(int height, int width)
{
    static const hg_transform_type type = {resize_shape, cv_resize_apply, cv_resize_print, NULL};
    return hg_good_size("cv_resize", height, width) ? make_sized(&type, height, width) : NULL;
}

/* ---- CenterCrop ------------------------------------------------------------------------------------------------- */

static hg_status center_crop_shape(const hg_transform *t, hg_item_spec *item)
{
    const sized *s = (const sized *)t;
    HG_TRY(hg_image_item("center_crop", item));
    return hg_image_item_sides("center_crop", item, s->height, s->width);
}

/* Where the window begins: half the surplus, half to even; black borders, the smaller one first, if there is none. */
static int middle(int have, int want)
{
    return want > have ? -((want - have) / 2) : (int)nearbyint((have - want) / 2.0);
}

static hg_status center_crop_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                                   hg_mt19937 *random)
{
    (void)random;
    const sized *s = (const sized *)t;
    hg_pixels pixels = hg_image_item_pixels(item, in);
    hg_copy_window(&pixels, middle(pixels.height, s->height), middle(pixels.width, s->width), s->height, s->width, out);
    return HG_OK;
}

static void center_crop_print(const hg_transform *t, hg_str *text)
{
    const sized *s = (const sized *)t;
    hg_str_add(text, "CenterCrop(size=(%d, %d))", s->height, s->width);
}

hg_transform *hg_center_crop(int height, int width)
{
    static const hg_transform_type type = {center_crop_shape, center_crop_apply, center_crop_print, NULL};
    return hg_good_size("center_crop", height, width) ? make_sized(&type, height, width) : NULL;
}

/* ---- Grayscale: L = (19595 R + 38470 G + 7471 B + 32768) / 65536, PIL's integers for ITU-R 601-2 ---------------- */

static hg_status grayscale_shape(const hg_transform *t, hg_item_spec *item)
{
    HG_TRY(hg_image_item("grayscale", item));
    if (item->shape.ndim == 3 && item->shape.size[2] != 1 && item->shape.size[2] != 3)
        return hg_error(HG_E_SHAPE, "grayscale: input should have 1 or 3 channels, got %lld",
                        (long long)item->shape.size[2]);
    item->shape = HG_SHAPE(item->shape.size[0], item->shape.size[1], ((const sized *)t)->height);
    return HG_OK;
}

static hg_status grayscale_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                                 hg_mt19937 *random)
{
    (void)random;
    size_t copies = (size_t)((const sized *)t)->height;
    hg_pixels p = hg_image_item_pixels(item, in);
    size_t pixels = (size_t)p.width * (size_t)p.height;
    const uint8_t *from = in;
    uint8_t *to = out;
    for (size_t i = 0; i < pixels; i++, from += p.channels, to += copies) {
        unsigned grey = from[0];
        if (p.channels == 3) grey = (19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 32768u) >> 16;
        memset(to, (int)grey, copies);
    }
    return HG_OK;
}

static void grayscale_print(const hg_transform *t, hg_str *text)
{
    hg_str_add(text, "Grayscale(num_output_channels=%d)", ((const sized *)t)->height);
}

hg_transform *hg_grayscale(int channels)
{
    static const hg_transform_type type = {grayscale_shape, grayscale_apply, grayscale_print, NULL};
    if (channels == 1 || channels == 3) return make_sized(&type, channels, 0);
    hg_error(HG_E_ARG, "grayscale: num_output_channels should be either 1 or 3, got %d", channels);
    return NULL;
}

/* ---- Bgr: blue first, as OpenCV has it -------------------------------------------------------------------------- */

static hg_status bgr_shape(const hg_transform *t, hg_item_spec *item)
{
    (void)t;
    HG_TRY(hg_image_item("bgr", item));
    if (item->shape.ndim == 3 && item->shape.size[2] == 3) return HG_OK;
    return hg_error(HG_E_SHAPE, "bgr: input should be H x W x 3");
}

static hg_status bgr_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                           hg_mt19937 *random)
{
    (void)t, (void)random;
    const uint8_t *from = in;
    uint8_t *to = out;
    for (int64_t n = hg_item_elements(item); n; n -= 3, from += 3, to += 3) {
        to[0] = from[2];
        to[1] = from[1];
        to[2] = from[0];
    }
    return HG_OK;
}

static void bgr_print(const hg_transform *t, hg_str *text)
{
    (void)t;
    hg_str_add(text, "Bgr()");
}

hg_transform *hg_bgr(void)
{
    static const hg_transform_type type = {bgr_shape, bgr_apply, bgr_print, NULL};
    return hg_transform_alloc(&type, sizeof(hg_transform));
}
