/* Resizing rows of 8-bit pixels, for images and for parts of them. */
#ifndef HG_IMAGE_RESIZE_H
#define HG_IMAGE_RESIZE_H

#include "image/image.h"

/* A rectangle of an image: its rows lie `stride` bytes apart. */
typedef struct hg_pixels {
    const uint8_t *at;
    int width, height, channels;
    size_t stride;
} hg_pixels;

/* Fills `out`, width x height x in->channels bytes without gaps. Sides are 1 to HG_IMAGE_MAX_SIDE. HG_E_MEMORY. */
hg_status hg_resize_pixels(const hg_pixels *in, int width, int height, hg_resize_kind kind, uint8_t *out);

/* The kind HG_RESIZE_CV; false if memory ran out. */
bool hg_resize_cv(const hg_pixels *in, int width, int height, uint8_t *out);

#endif
