#include "image/image.h"

#include <stdlib.h>

const char *hg_image_complaint(int64_t width, int64_t height, int channels)
{
    if (width < 1 || height < 1) return "a side is less than 1";
    if (width > HG_IMAGE_MAX_SIDE || height > HG_IMAGE_MAX_SIDE) return "a side is more than 65535";
    if (channels < 1 || channels > 4) return "channels must be 1 to 4";
    if (width * height * channels > HG_IMAGE_MAX_BYTES) return "it would take more than 1 GiB";
    return NULL;
}

hg_status hg_image_new(hg_image *image, int width, int height, int channels)
{
    *image = (hg_image){0};
    const char *why = hg_image_complaint(width, height, channels);
    if (why) return hg_error(HG_E_ARG, "image: %d x %d with %d channels: %s", width, height, channels, why);
    uint8_t *pixels = calloc((size_t)height * (size_t)width, (size_t)channels);
    if (!pixels)
        return hg_error(HG_E_MEMORY, "image: out of memory for %d x %d with %d channels", width, height, channels);
    *image = (hg_image){width, height, channels, pixels};
    return HG_OK;
}

void hg_image_free(hg_image *image)
{
    if (!image) return;
    free(image->pixels);
    *image = (hg_image){0};
}
