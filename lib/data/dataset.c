#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* `varies`: the sides of images may be -1. */
static hg_status check_item(const char *name, const hg_item_spec *item, bool varies)
{
    if (item->dtype != HG_U8 && item->dtype != HG_F32)
        return hg_error(HG_E_DTYPE, "dataset %s: items must be uint8 or float32", name);
    if (item->shape.ndim < 1 || item->shape.ndim >= HG_MAX_DIMS)
        return hg_error(HG_E_SHAPE, "dataset %s: items of %d dimensions; 1 to %d are possible", name, item->shape.ndim,
                        HG_MAX_DIMS - 1);
    int64_t n = 1;
    for (int i = 0; i < item->shape.ndim; i++) {
        int64_t size = item->shape.size[i];
        if (size == -1 && varies) continue;
        if (size < 1 || !hg_mul_i64(n, size, &n) || n > HG_ITEM_MAX)
            return hg_error(HG_E_SHAPE, "dataset %s: size %lld in dimension %d; an item has 1 to %lld elements", name,
                            (long long)size, i, (long long)HG_ITEM_MAX);
    }
    return HG_OK;
}

/* Images come with sizes of their own; the transform must make one size of them. */
static hg_status check_images(const hg_dataset *d)
{
    hg_shape s = d->raw.shape;
    if (d->raw.dtype != HG_U8 || s.ndim != 3 || s.size[0] != -1 || s.size[1] != -1 || s.size[2] < 1 || s.size[2] > 4)
        return hg_error(HG_E_SHAPE, "dataset %s: images are uint8 of shape (-1, -1, channels)", d->type->name);
    for (int i = 0; i < d->item.shape.ndim; i++)
        if (d->item.shape.size[i] < 0)
            return hg_error(HG_E_SHAPE, "dataset %s: images may differ in size, and the transform keeps that; add one "
                            "that makes one size, such as hg_resize_to(256, 256) or hg_center_crop(224, 224)",
                            d->type->name);
    return HG_OK;
}

static hg_status fill_in(hg_dataset *d, const hg_transform *transform)
{
    bool images = d->type->get_image != NULL;
    if (d->length < 0)
        return hg_error(HG_E_ARG, "dataset %s: length is %lld", d->type->name, (long long)d->length);
    HG_TRY(check_item(d->type->name, &d->raw, images));
    d->item = d->raw;
    if (transform) HG_TRY(transform->type->shape(transform, &d->item));
    if (images) HG_TRY(check_images(d));
    HG_TRY(check_item(d->type->name, &d->item, false));
    d->transform = hg_transform_retain(transform);
    return HG_OK;
}

hg_dataset *hg_dataset_new(const hg_dataset_type *type, void *self, int64_t length, hg_dtype dtype, hg_shape shape,
                           const hg_transform *transform)
{
    hg_dataset *d = malloc(sizeof *d);
    if (!d) {
        hg_error(HG_E_MEMORY, "dataset %s: out of memory", type->name);
        if (type->destroy) type->destroy(self);
        return NULL;
    }
    *d = (hg_dataset){type, self, length, .raw = {dtype, shape}};
    if (fill_in(d, transform) == HG_OK) return d;
    hg_dataset_free(d);
    return NULL;
}

void hg_dataset_free(hg_dataset *d)
{
    if (!d) return;
    if (d->type->destroy && !d->of) d->type->destroy(d->self);
    hg_transform_free(d->transform);
    free(d->indices);
    free(d->labels);
    free(d->own_names);
    free(d);
}

int64_t hg_dataset_length(const hg_dataset *d)
{
    return d->length;
}

hg_dtype hg_dataset_dtype(const hg_dataset *d)
{
    return d->item.dtype;
}

hg_shape hg_dataset_shape(const hg_dataset *d)
{
    return d->item.shape;
}

/* ---- Items ----------------------------------------------------------------------------------------------------- */

/* HG_END, for an item to be left out, is no error. */
static hg_status judge(const hg_dataset *d, int64_t index, hg_sample *sample, hg_status status)
{
    if (status == HG_OK || status == HG_END) return status;
    sample->error[sizeof sample->error - 1] = 0;
    return hg_error(status < 0 ? status : HG_E_STATE, "dataset %s: item %lld: %s", d->type->name, (long long)index,
                    sample->error[0] ? sample->error : hg_status_name(status));
}

/* What is applied to an item, and the generator that it draws from. */
typedef struct how {
    const hg_transform *transform;      /* NULL: nothing */
    hg_mt19937 *random;                 /* NULL: it draws nothing */
} how;

/* A transform's error may depend on the item: it is told which one it was. */
static hg_status transform_item(const hg_dataset *d, int64_t index, const hg_item_spec *raw, const void *in, void *out,
                                how h)
{
    hg_error_aside before;
    hg_error_aside_begin(&before);
    hg_item_spec after = *raw;
    hg_status status = h.transform->type->shape(h.transform, &after);
    if (status == HG_OK) status = h.transform->type->apply(h.transform, raw, in, out, h.random);
    char why[768];
    snprintf(why, sizeof why, "%s", hg_last_error());
    hg_error_aside_end(&before);
    return status < 0 ? hg_error(status, "dataset %s: item %lld: %s", d->type->name, (long long)index, why) : status;
}

static hg_status fetch_fixed(const hg_dataset *d, int64_t index, hg_sample *sample, how h)
{
    if (!h.transform) return judge(d, index, sample, d->type->get(d->self, index, sample));
    void *out = sample->data, *raw = malloc(hg_item_bytes(&d->raw));
    if (!raw) return hg_error(HG_E_MEMORY, "dataset %s: out of memory", d->type->name);
    sample->data = raw;
    hg_status status = judge(d, index, sample, d->type->get(d->self, index, sample));
    sample->data = out;
    if (status == HG_OK) status = transform_item(d, index, &d->raw, raw, out, h);
    free(raw);
    return status;
}

static hg_status fetch_image(const hg_dataset *d, int64_t index, hg_sample *sample, how h)
{
    hg_image image = {0};
    hg_status status = judge(d, index, sample, d->type->get_image(d->self, index, sample, &image));
    int64_t channels = d->raw.shape.size[2];
    if (status == HG_OK && (!image.pixels || image.channels != channels))
        status = hg_error(HG_E_SHAPE, "dataset %s: item %lld: the image has %d channels instead of %lld",
                          d->type->name, (long long)index, image.channels, (long long)channels);
    hg_item_spec raw = {HG_U8, HG_SHAPE(image.height, image.width, channels)};
    if (status == HG_OK && hg_item_elements(&raw) > HG_ITEM_MAX)
        status = hg_error(HG_E_SHAPE, "dataset %s: item %lld: the image is %d x %d; an item has up to %lld elements",
                          d->type->name, (long long)index, image.width, image.height, (long long)HG_ITEM_MAX);
    if (status == HG_OK) status = transform_item(d, index, &raw, image.pixels, sample->data, h);
    hg_image_free(&image);
    return status;
}

const hg_dataset *hg_dataset_root(const hg_dataset *d)
{
    while (d->of) d = d->of;
    return d;
}

hg_status hg_dataset_fetch(const hg_dataset *d, int64_t index, hg_sample *sample, const hg_transform *transform,
                           hg_mt19937 *stream)
{
    sample->error[0] = 0;
    if (index < 0 || index >= d->length)
        return hg_error(HG_E_ARG, "dataset %s: index %lld is out of range for %lld items", d->type->name,
                        (long long)index, (long long)d->length);
    if (d->of) {
        hg_status status = hg_dataset_fetch(d->of, d->indices[index], sample, transform, stream);
        sample->label = d->labels[index];
        return status;
    }
    hg_mt19937 own;
    how h = {transform ? transform : d->transform, NULL};
    if (h.transform && h.transform->random) {
        h.random = stream ? stream : &own;
        if (!stream) hg_mt19937_seed(&own, sample->seed);
    }
    return d->type->get_image ? fetch_image(d, index, sample, h) : fetch_fixed(d, index, sample, h);
}

hg_status hg_dataset_get(const hg_dataset *d, int64_t index, hg_sample *sample)
{
    return hg_dataset_fetch(d, index, sample, NULL, NULL);
}
