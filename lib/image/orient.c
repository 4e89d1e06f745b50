/* EXIF's orientation (CIPA DC-008-2012, 4.6.4): 1 upright, 2 mirrored, 3 half a turn, 4 upside down mirrored,
 * 5 transposed, 6 to be turned clockwise, 7 transposed along the other diagonal, 8 to be turned counterclockwise. */
#include <string.h>

#include "image/decode.h"

#define TAG_ORIENTATION 0x112
#define TYPE_SHORT 3

static unsigned number(const uint8_t *p, int bytes, bool little)
{
    unsigned value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[little ? bytes - 1 - i : i];
    return value;
}

int hg_exif_orientation(const uint8_t *bytes, size_t size)
{
    if (size < 14 || memcmp(bytes, "Exif\0", 6)) return 1;
    const uint8_t *tiff = bytes + 6;
    size_t n = size - 6;
    bool little = tiff[0] == 'I';
    if ((memcmp(tiff, "II*", 4) && memcmp(tiff, "MM\0*", 4))) return 1;
    size_t at = number(tiff + 4, 4, little);
    if (n < 2 || at > n - 2) return 1;
    unsigned entries = number(tiff + at, 2, little);
    at += 2;
    for (; entries && n - at >= 12; entries--, at += 12) {
        const uint8_t *entry = tiff + at;
        if (number(entry, 2, little) != TAG_ORIENTATION || number(entry + 2, 2, little) != TYPE_SHORT) continue;
        unsigned value = number(entry + 8, 2, little);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

hg_status hg_image_orient(hg_image *image, int orientation)
{
    if (orientation < 2 || orientation > 8) return HG_OK;
    bool transpose = orientation >= 5;
    /* Where the turned image's pixel (x, y) comes from, after x and y are swapped if it is transposed. */
    bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int w = image->width, h = image->height, channels = image->channels;
    hg_image turned;
    HG_TRY(hg_image_new(&turned, transpose ? h : w, transpose ? w : h, channels));
    uint8_t *out = turned.pixels;
    for (int y = 0; y < turned.height; y++) {
        for (int x = 0; x < turned.width; x++, out += channels) {
            int from_x = transpose ? y : x, from_y = transpose ? x : y;
            if (mirror_x) from_x = w - 1 - from_x;
            if (mirror_y) from_y = h - 1 - from_y;
            memcpy(out, image->pixels + ((size_t)from_y * (size_t)w + (size_t)from_x) * (size_t)channels,
                   (size_t)channels);
        }
    }
    hg_image_free(image);
    *image = turned;
    return HG_OK;
}
