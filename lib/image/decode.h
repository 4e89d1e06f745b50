/* Decoders. They work on a whole file in memory; `path` is for messages. Each refuses, naming the file, what is
 * damaged, truncated or larger than an image may be, before it takes memory for it; on failure *image is empty.
 * `channels` 3: RGB as PIL's convert("RGB") gives; 0: the channels that the file has. */
#ifndef HG_IMAGE_DECODE_H
#define HG_IMAGE_DECODE_H

#include "image/image.h"

typedef struct hg_encoded {
    const char *path;
    const uint8_t *bytes;
    size_t size;
} hg_encoded;

/* The whole of a regular file of at most HG_IMAGE_MAX_BYTES; free(*bytes). HG_E_IO, HG_E_FORMAT, HG_E_MEMORY. */
hg_status hg_image_load(const char *path, uint8_t **bytes, size_t *size);

hg_status hg_png_decode(const hg_encoded *file, int channels, hg_image *image);
/* *orientation (NULL: not wanted) is EXIF's, 1 to 8, 1 if there is none. */
hg_status hg_jpeg_decode(const hg_encoded *file, int channels, int *orientation, hg_image *image);
hg_status hg_pnm_decode(const hg_encoded *file, int channels, hg_image *image);

/* The one of them that the first bytes call for, and what the options ask beyond decoding. */
hg_status hg_image_decode(const hg_encoded *file, const hg_image_read_options *options, hg_image *image);

/* The orientation in an APP1 segment's `size` bytes, 1 to 8; 1 if it says nothing. */
int hg_exif_orientation(const uint8_t *bytes, size_t size);
/* Turns and mirrors the image as EXIF's orientation says. HG_E_MEMORY, and the image as it was. */
hg_status hg_image_orient(hg_image *image, int orientation);

#endif
