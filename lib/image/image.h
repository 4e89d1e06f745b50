#ifndef HG_IMAGE_IMAGE_H
#define HG_IMAGE_IMAGE_H

#include "base/error.h"
#include "hapgop/image.h"

/* Why there can be no image of these sizes, or NULL if there can. */
const char *hg_image_complaint(int64_t width, int64_t height, int channels);

#endif
