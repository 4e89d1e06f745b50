#include "fuzz.h"
#include "image/decode.h"

void fuzz_image(const uint8_t *data, size_t size)
{
    static const hg_image_read_options options[] = {{.channels = 3}, {.channels = 0, .orient = true, .bgr = true}};
    for (int i = 0; i < 2; i++) {
        hg_image image;
        if (hg_image_decode(&(hg_encoded){"input", data, size}, &options[i], &image) == HG_OK) hg_image_free(&image);
    }
    hg_clear_error();
}
