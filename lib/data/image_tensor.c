/* One image through a transform, to a device. */
#include <stdlib.h>

#include "data/transform.h"
#include "image/image.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

static hg_tensor *transformed(hg_device *dev, const hg_image *image, const hg_transform *t, hg_mt19937 *random)
{
    hg_item_spec item = {HG_U8, HG_SHAPE(image->height, image->width, image->channels)}, after = item;
    if (hg_item_elements(&item) > HG_ITEM_MAX)
        return hg_fail(HG_E_SHAPE, "image_tensor: the image is %d x %d; an item has up to %lld elements", image->width,
                       image->height, (long long)HG_ITEM_MAX);
    if (t->type->shape(t, &after) != HG_OK) return hg_failed();
    if (hg_item_elements(&after) > HG_ITEM_MAX)
        return hg_fail(HG_E_SHAPE, "image_tensor: the transform makes more than %lld elements", (long long)HG_ITEM_MAX);
    void *out = malloc(hg_item_bytes(&after));
    if (!out) return hg_fail(HG_E_MEMORY, "image_tensor: out of memory");
    hg_shape shape = {.ndim = after.shape.ndim + 1, .size = {1}};
    for (int i = 0; i < after.shape.ndim; i++) shape.size[i + 1] = after.shape.size[i];
    hg_status status = t->type->apply(t, &item, image->pixels, out, random);
    hg_tensor *y = status == HG_OK ? hg_from_data(dev, after.dtype, shape, out) : hg_failed();
    free(out);
    return y;
}

hg_tensor *hg_image_tensor(hg_device *dev, const hg_image *image, const hg_transform *t)
{
    if (!dev || !image || !t)
        return hg_fail(HG_E_ARG, "image_tensor: the %s is NULL", !dev ? "device" : image ? "transform" : "image");
    const char *why = hg_image_complaint(image->width, image->height, image->channels);
    if (why || !image->pixels) return hg_fail(HG_E_ARG, "image_tensor: %s", why ? why : "the image has no pixels");
    hg_mt19937 random;
    uint64_t seed = 0;
    if (t->random && hg_rng_draw64(dev, &seed) != HG_OK) return hg_failed();
    hg_mt19937_seed(&random, seed);
    return transformed(dev, image, t, t->random ? &random : NULL);
}
