/* What the transforms of images share. */
#ifndef HG_DATA_GEOMETRY_H
#define HG_DATA_GEOMETRY_H

#include "data/transform.h"
#include "image/resize.h"

/* HG_OK if the item is an image: u8, H x W or H x W x C with 1 to 4 channels. */
hg_status hg_image_item(const char *op, const hg_item_spec *item);
/* Changes its sides. HG_E_SHAPE, naming `op`, if no image may have these; -1 is unknown and passes. */
hg_status hg_image_item_sides(const char *op, hg_item_spec *item, int64_t height, int64_t width);
/* Whether the sides are known. */
bool hg_image_item_known(const hg_item_spec *item);
hg_pixels hg_image_item_pixels(const hg_item_spec *item, const void *in);

/* Copies a height x width window whose upper left corner lies at (top, left) of the image; outside it is black. */
void hg_copy_window(const hg_pixels *in, int top, int left, int height, int width, uint8_t *out);

/* Whether a transform can make images of this size; HG_E_ARG, naming `op`, if not. */
bool hg_good_size(const char *op, int height, int width);

/* Whether a hg_random_horizontal_flip() flips the next image: what it draws. */
bool hg_flip_drawn(const hg_transform *flip, hg_mt19937 *random);

#endif
