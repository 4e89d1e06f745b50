/* Transforms of images that draw: RandomCrop, RandomResizedCrop, RandomHorizontalFlip. They draw what torchvision 0.14
 * draws, in its order: from a generator at the same place they make the same image. */
#include <math.h>
#include <string.h>

#include "base/repr.h"
#include "data/geometry.h"
#include "tensor/torch_random.h"

static double draw_uniform(hg_mt19937 *random, double low, double high)
{
    float x;
    hg_torch_uniform_f32(random, low, high, 1, &x);
    return x;
}

/* 0 .. count - 1. */
static int draw_below(hg_mt19937 *random, int count)
{
    int64_t x;
    hg_torch_randint(random, 0, count, 1, &x);
    return (int)x;
}

/* ---- RandomCrop ------------------------------------------------------------------------------------------------- */

typedef struct random_crop {
    hg_transform base;
    int height, width, padding;
} random_crop;

static hg_status random_crop_shape(const hg_transform *t, hg_item_spec *item)
{
    const random_crop *r = (const random_crop *)t;
    HG_TRY(hg_image_item("random_crop", item));
    int64_t height = item->shape.size[0] + 2 * r->padding, width = item->shape.size[1] + 2 * r->padding;
    if (hg_image_item_known(item) && (height < r->height || width < r->width))
        return hg_error(HG_E_SHAPE, "random_crop: Required crop size (%d, %d) is larger than input image size (%lld, "
                        "%lld)", r->height, r->width, (long long)height, (long long)width);
    return hg_image_item_sides("random_crop", item, r->height, r->width);
}

static hg_status random_crop_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                                   hg_mt19937 *random)
{
    const random_crop *r = (const random_crop *)t;
    hg_pixels p = hg_image_item_pixels(item, in);
    int down = p.height + 2 * r->padding - r->height, across = p.width + 2 * r->padding - r->width, top = 0, left = 0;
    if (down || across) {
        top = draw_below(random, down + 1);
        left = draw_below(random, across + 1);
    }
    hg_copy_window(&p, top - r->padding, left - r->padding, r->height, r->width, out);
    return HG_OK;
}

static void random_crop_print(const hg_transform *t, hg_str *text)
{
    const random_crop *r = (const random_crop *)t;
    hg_str_add(text, "RandomCrop(size=(%d, %d), padding=", r->height, r->width);
    if (r->padding) hg_str_add(text, "%d)", r->padding);
    else hg_str_add(text, "None)");
}

hg_transform *hg_random_crop(int height, int width, int padding)
{
    static const hg_transform_type type = {random_crop_shape, random_crop_apply, random_crop_print, NULL};
    if (!hg_good_size("random_crop", height, width)) return NULL;
    if (padding < 0 || padding > HG_IMAGE_MAX_SIDE) {
        hg_error(HG_E_ARG, "random_crop: padding is %d, it should be 0 to %d", padding, HG_IMAGE_MAX_SIDE);
        return NULL;
    }
    random_crop *r = hg_transform_alloc(&type, sizeof *r);
    if (!r) return NULL;
    r->base.random = true;
    r->height = height;
    r->width = width;
    r->padding = padding;
    return &r->base;
}

/* ---- RandomResizedCrop ------------------------------------------------------------------------------------------ */

typedef struct random_resized_crop {
    hg_transform base;
    int height, width;
    hg_crop_options options;
} random_resized_crop;

static hg_status random_resized_crop_shape(const hg_transform *t, hg_item_spec *item)
{
    const random_resized_crop *r = (const random_resized_crop *)t;
    HG_TRY(hg_image_item("random_resized_crop", item));
    return hg_image_item_sides("random_resized_crop", item, r->height, r->width);
}

/* The whole, or the middle of it in the nearest ratio that is allowed. */
static hg_pixels fallback(const hg_pixels *in, const double ratio[2])
{
    double have = (double)in->width / in->height;
    hg_pixels part = *in;
    if (have < ratio[0]) part.height = (int)nearbyint(in->width / ratio[0]);
    else if (have > ratio[1]) part.width = (int)nearbyint(in->height * ratio[1]);
    int top = (in->height - part.height) / 2, left = (in->width - part.width) / 2;
    part.at += (size_t)top * in->stride + (size_t)left * (size_t)in->channels;
    return part;
}

/* Ten tries for a part of a random area and ratio of sides that fits; then a place for it. */
static hg_pixels draw_part(const hg_pixels *in, const hg_crop_options *o, hg_mt19937 *random)
{
    double area = (double)in->height * in->width;
    float low = logf((float)o->ratio[0]), high = logf((float)o->ratio[1]);
    for (int i = 0; i < 10; i++) {
        double target = area * draw_uniform(random, o->scale[0], o->scale[1]);
        double ratio = expf((float)draw_uniform(random, low, high));
        double width = nearbyint(sqrt(target * ratio)), height = nearbyint(sqrt(target / ratio));
        if (!(width > 0 && width <= in->width && height > 0 && height <= in->height)) continue;
        hg_pixels part = *in;
        part.width = (int)width;
        part.height = (int)height;
        int top = draw_below(random, in->height - part.height + 1);
        int left = draw_below(random, in->width - part.width + 1);
        part.at += (size_t)top * in->stride + (size_t)left * (size_t)in->channels;
        return part;
    }
    return fallback(in, o->ratio);
}

static hg_status random_resized_crop_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                                           hg_mt19937 *random)
{
    const random_resized_crop *r = (const random_resized_crop *)t;
    hg_pixels whole = hg_image_item_pixels(item, in), part = draw_part(&whole, &r->options, random);
    return hg_resize_pixels(&part, r->width, r->height, HG_RESIZE_PIL, out);
}

static void print_pair(hg_str *text, const char *name, const double pair[2])
{
    hg_str_add(text, ", %s=(", name);
    for (int i = 0; i < 2; i++) {
        char number[HG_REPR_SIZE];
        hg_repr_double(nearbyint(pair[i] * 1e4) / 1e4, number);
        hg_str_add(text, "%s%s", i ? ", " : "", number);
    }
    hg_str_add(text, ")");
}

/* torchvision 0.14.1's text, a bracket too many included. */
static void random_resized_crop_print(const hg_transform *t, hg_str *text)
{
    const random_resized_crop *r = (const random_resized_crop *)t;
    hg_str_add(text, "RandomResizedCrop(size=(%d, %d)", r->height, r->width);
    print_pair(text, "scale", r->options.scale);
    print_pair(text, "ratio", r->options.ratio);
    hg_str_add(text, ", interpolation=bilinear), antialias=None)");
}

static bool good_range(const char *name, const double range[2], double most)
{
    if (range[0] > 0 && range[0] <= range[1] && range[1] <= most) return true;
    hg_error(HG_E_ARG, "random_resized_crop: %s (%g, %g): the numbers should be above 0, at most %g, the smaller one "
             "first", name, range[0], range[1], most);
    return false;
}

hg_transform *hg_random_resized_crop(int height, int width, const hg_crop_options *options)
{
    static const hg_transform_type type = {random_resized_crop_shape, random_resized_crop_apply,
                                           random_resized_crop_print, NULL};
    hg_crop_options o = options ? *options : HG_CROP_DEFAULTS;
    if (!hg_good_size("random_resized_crop", height, width) || !good_range("scale", o.scale, 1e6) ||
        !good_range("ratio", o.ratio, 1e6))
        return NULL;
    random_resized_crop *r = hg_transform_alloc(&type, sizeof *r);
    if (!r) return NULL;
    r->base.random = true;
    r->height = height;
    r->width = width;
    r->options = o;
    return &r->base;
}

/* ---- RandomHorizontalFlip --------------------------------------------------------------------------------------- */

typedef struct flip {
    hg_transform base;
    double p;
} flip;

static hg_status flip_shape(const hg_transform *t, hg_item_spec *item)
{
    (void)t;
    return hg_image_item("random_horizontal_flip", item);
}

bool hg_flip_drawn(const hg_transform *t, hg_mt19937 *random)
{
    return draw_uniform(random, 0, 1) < (double)(float)((const flip *)t)->p;
}

static hg_status flip_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                            hg_mt19937 *random)
{
    hg_pixels p = hg_image_item_pixels(item, in);
    if (!hg_flip_drawn(t, random)) {
        memcpy(out, in, hg_item_bytes(item));
        return HG_OK;
    }
    size_t channels = (size_t)p.channels;
    uint8_t *to = out;
    for (int y = 0; y < p.height; y++) {
        const uint8_t *from = p.at + (size_t)(y + 1) * p.stride;
        for (int x = 0; x < p.width; x++, to += channels) {
            from -= channels;
            for (size_t c = 0; c < channels; c++) to[c] = from[c];
        }
    }
    return HG_OK;
}

static void flip_print(const hg_transform *t, hg_str *text)
{
    char number[HG_REPR_SIZE];
    hg_repr_double(((const flip *)t)->p, number);
    hg_str_add(text, "RandomHorizontalFlip(p=%s)", number);
}

hg_transform *hg_random_horizontal_flip(double p)
{
    static const hg_transform_type type = {flip_shape, flip_apply, flip_print, NULL, HG_STEP_FLIP};
    if (!(p >= 0 && p <= 1)) {
        hg_error(HG_E_ARG, "random_horizontal_flip: p is %g; a probability is 0 to 1", p);
        return NULL;
    }
    flip *f = hg_transform_alloc(&type, sizeof *f);
    if (!f) return NULL;
    f->base.random = true;
    f->p = p;
    return &f->base;
}
