/* OpenCV's bilinear resize of 8-bit images (modules/imgproc/src/resize.cpp, INTER_LINEAR), bit for bit: two input
 * pixels a direction whatever the size, half-pixel centres, weights of 11 bits, columns kept exact, rows cut to 16
 * bits on the way. Over the left and right border the outer pixel counts alone; over the upper and lower one the
 * outer row counts twice with its two weights, which may round differently. */
#include <math.h>
#include <stdlib.h>

#include "image/resize.h"

#define ONE 2048

typedef struct tap {
    int first;              /* floor of the place, -1 .. in - 1 */
    int32_t weight[2];
} tap;

static tap *make_taps(int in, int out)
{
    tap *taps = malloc((size_t)out * sizeof *taps);
    double scale = 1.0 / ((double)out / in);
    for (int i = 0; taps && i < out; i++) {
        float place = (float)((i + 0.5) * scale - 0.5);
        int first = (int)floorf(place);
        float part = place - (float)first;
        taps[i] = (tap){first, {(int32_t)rintf((1.0f - part) * ONE), (int32_t)rintf(part * ONE)}};
    }
    return taps;
}

static void sum_columns(const uint8_t *in, const tap *taps, int width, int in_width, int channels, int32_t *out)
{
    for (int x = 0; x < width; x++) {
        tap t = taps[x];
        if (t.first < 0 || t.first >= in_width - 1) {
            const uint8_t *p = in + (t.first < 0 ? 0 : in_width - 1) * channels;
            for (int c = 0; c < channels; c++) *out++ = p[c] * ONE;
        } else {
            const uint8_t *p = in + (size_t)t.first * (size_t)channels;
            for (int c = 0; c < channels; c++) *out++ = p[c] * t.weight[0] + p[c + channels] * t.weight[1];
        }
    }
}

/* Two rows of column sums are kept, by the input row they came from. */
typedef struct rows {
    int32_t *sums[2];
    int row[2];
} rows;

static const int32_t *row_sums(rows *r, int row, int keep, const hg_pixels *in, const tap *taps, int width)
{
    for (int i = 0; i < 2; i++)
        if (r->row[i] == row) return r->sums[i];
    int i = r->row[0] == keep;
    sum_columns(in->at + (size_t)row * in->stride, taps, width, in->width, in->channels, r->sums[i]);
    r->row[i] = row;
    return r->sums[i];
}

bool hg_resize_cv(const hg_pixels *in, int width, int height, uint8_t *out)
{
    size_t row = (size_t)width * (size_t)in->channels;
    tap *across = make_taps(in->width, width), *down = make_taps(in->height, height);
    int32_t *sums = malloc(2 * row * sizeof *sums);
    bool made = across && down && sums;
    rows r = {{sums, sums ? sums + row : NULL}, {-1, -1}};
    for (int y = 0; made && y < height; y++, out += row) {
        tap t = down[y];
        int upper = t.first < 0 ? 0 : t.first, lower = t.first + 1 < in->height ? t.first + 1 : in->height - 1;
        const int32_t *a = row_sums(&r, upper, lower, in, across, width);
        const int32_t *b = row_sums(&r, lower, upper, in, across, width);
        for (size_t x = 0; x < row; x++) {
            int32_t sum = (t.weight[0] * (a[x] >> 4) >> 16) + (t.weight[1] * (b[x] >> 4) >> 16);
            sum = (sum + 2) >> 2;
            out[x] = sum > 255 ? 255 : (uint8_t)sum;
        }
    }
    free(across);
    free(down);
    free(sums);
    return made;
}
