/* PIL's antialiased bilinear resize (Pillow, src/libImaging/Resample.c), bit for bit. Each output value is a sum of
 * input values weighted by a triangle, as wide as two input pixels or, when shrinking, two output pixels. Columns
 * first, rounded to 8 bits, then rows; a direction whose size stays is left out. Weights are rounded to 22 bits behind
 * the point, their products summed as integers: the order of summing does not matter. */
#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BITS 22
#define HALF (1 << (BITS - 1))
#define LANES 64        /* values of a row that are summed together */

/* The loops that take the time are compiled for AVX2 too, and the processor chooses. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define FOR_WIDE_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define FOR_WIDE_VECTORS
#endif

/* For each output position: the first input position, how many, and that many weights at weights + position * most. */
typedef struct taps {
    int most;
    int *first, *count;
    int32_t *weights;
} taps;

static void free_taps(taps *t)
{
    free(t->first);
    free(t->weights);
}

static void weigh(taps *t, double *w, int position, int in, double scale)
{
    double width = scale < 1 ? 1 : scale, center = (position + 0.5) * scale, sum = 0;
    int first = (int)(center - width + 0.5), end = (int)(center + width + 0.5);
    if (first < 0) first = 0;
    if (end > in) end = in;
    for (int i = 0; i < end - first; i++) {
        double x = fabs((i + first - center + 0.5) * (1.0 / width));
        w[i] = x < 1 ? 1 - x : 0;
        sum += w[i];
    }
    for (int i = 0; i < end - first; i++) {
        if (sum != 0) w[i] /= sum;
        t->weights[(size_t)position * (size_t)t->most + (size_t)i] = (int32_t)(0.5 + w[i] * (1 << BITS));
    }
    t->first[position] = first;
    t->count[position] = end - first;
}

static bool make_taps(taps *t, int in, int out)
{
    double scale = (double)in / out;
    t->most = (int)ceil(scale < 1 ? 1 : scale) * 2 + 1;
    t->first = malloc((size_t)out * 2 * sizeof *t->first);
    t->weights = calloc((size_t)out * (size_t)t->most, sizeof *t->weights);
    double *w = malloc((size_t)t->most * sizeof *w);
    bool made = t->first && t->weights && w;
    if (made) t->count = t->first + out;
    for (int i = 0; made && i < out; i++) weigh(t, w, i, in, scale);
    free(w);
    return made;
}

static inline uint8_t round_to_byte(int32_t sum)
{
    sum >>= BITS;
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

typedef int32_t pixel __attribute__((vector_size(16)));   /* the channels of a pixel, or their sums */

static inline __attribute__((always_inline)) void widen(const uint8_t *in, int width, const int channels, pixel *out)
{
    for (int x = 0; x < width; x++, in += channels) {
        pixel p = {in[0], channels > 1 ? in[1] : 0, channels > 2 ? in[2] : 0, channels > 3 ? in[3] : 0};
        out[x] = p;
    }
}

static inline __attribute__((always_inline)) void narrow(const pixel *in, int width, const int channels, uint8_t *out)
{
    for (int x = 0; x < width; x++)
        for (int c = 0; c < channels; c++) *out++ = round_to_byte(in[x][c]);
}

#define FOR_CHANNELS(channels, call1, call2, call3, call4) \
    switch (channels) { case 1: call1; break; case 2: call2; break; case 3: call3; break; default: call4; }

/* `line` has room for the pixels of an input row and of an output row. */
FOR_WIDE_VECTORS static void resize_columns(const hg_pixels *in, const taps *t, int width, pixel *line, uint8_t *out)
{
    size_t row = (size_t)width * (size_t)in->channels;
    pixel *sums = line + in->width;
    for (int y = 0; y < in->height; y++, out += row) {
        const uint8_t *from = in->at + (size_t)y * in->stride;
        FOR_CHANNELS(in->channels, widen(from, in->width, 1, line), widen(from, in->width, 2, line),
                     widen(from, in->width, 3, line), widen(from, in->width, 4, line));
        for (int x = 0; x < width; x++) {
            const pixel *p = line + t->first[x];
            const int32_t *w = t->weights + (size_t)x * (size_t)t->most;
            pixel sum = {HALF, HALF, HALF, HALF};
            for (int i = 0, n = t->count[x]; i < n; i++) sum += p[i] * w[i];
            sums[x] = sum;
        }
        FOR_CHANNELS(in->channels, narrow(sums, width, 1, out), narrow(sums, width, 2, out),
                     narrow(sums, width, 3, out), narrow(sums, width, 4, out));
    }
}

FOR_WIDE_VECTORS static void resize_rows(const hg_pixels *in, const taps *t, int height, uint8_t *out)
{
    size_t row = (size_t)in->width * (size_t)in->channels;
    for (int y = 0; y < height; y++, out += row) {
        const uint8_t *from = in->at + (size_t)t->first[y] * in->stride;
        const int32_t *w = t->weights + (size_t)y * (size_t)t->most;
        size_t x = 0;
        for (; x + LANES <= row; x += LANES) {
            int32_t sum[LANES];
            for (int k = 0; k < LANES; k++) sum[k] = HALF;
            for (int i = 0; i < t->count[y]; i++)
                for (int k = 0; k < LANES; k++) sum[k] += w[i] * from[(size_t)i * in->stride + x + (size_t)k];
            for (int k = 0; k < LANES; k++) out[x + (size_t)k] = round_to_byte(sum[k]);
        }
        for (; x < row; x++) {
            int32_t sum = HALF;
            for (int i = 0; i < t->count[y]; i++) sum += w[i] * from[(size_t)i * in->stride + x];
            out[x] = round_to_byte(sum);
        }
    }
}

static void copy_rows(const hg_pixels *in, uint8_t *out)
{
    size_t row = (size_t)in->width * (size_t)in->channels;
    for (int y = 0; y < in->height; y++) memcpy(out + (size_t)y * row, in->at + (size_t)y * in->stride, row);
}

static bool resize_pil(const hg_pixels *in, int width, int height, uint8_t *out)
{
    pixel *line = NULL;
    bool wider = width != in->width, taller = height != in->height, made = true;
    taps across = {0}, down = {0};
    uint8_t *between = NULL;
    size_t row = (size_t)width * (size_t)in->channels;
    if (wider) made = make_taps(&across, in->width, width);
    if (made && taller) made = make_taps(&down, in->height, height);
    if (made && wider) made = (line = aligned_alloc(16, 16 * ((size_t)width + (size_t)in->width))) != NULL;
    if (made && wider && taller) made = (between = malloc((size_t)in->height * row)) != NULL;
    if (made) {
        hg_pixels middle = *in;
        if (wider) {
            uint8_t *to = taller ? between : out;
            resize_columns(in, &across, width, line, to);
            middle = (hg_pixels){to, width, in->height, in->channels, row};
        }
        if (taller) resize_rows(&middle, &down, height, out);
        else if (!wider) copy_rows(in, out);
    }
    free(between);
    free(line);
    free_taps(&across);
    free_taps(&down);
    return made;
}

hg_status hg_resize_pixels(const hg_pixels *in, int width, int height, hg_resize_kind kind, uint8_t *out)
{
    if (kind == HG_RESIZE_CV ? hg_resize_cv(in, width, height, out) : resize_pil(in, width, height, out)) return HG_OK;
    return hg_error(HG_E_MEMORY, "resize: out of memory for %d x %d to %d x %d", in->width, in->height, width, height);
}

hg_status hg_image_resize(const hg_image *image, int width, int height, hg_resize_kind kind, hg_image *out)
{
    *out = (hg_image){0};
    const char *why = hg_image_complaint(image->width, image->height, image->channels);
    if (!why && !image->pixels) why = "it has no pixels";
    if (!why) why = hg_image_complaint(width, height, image->channels);
    if (!why && kind != HG_RESIZE_PIL && kind != HG_RESIZE_CV) why = "this kind of resizing is not known";
    if (why)
        return hg_error(HG_E_ARG, "resize: %d x %d with %d channels to %d x %d: %s", image->width, image->height,
                        image->channels, width, height, why);
    HG_TRY(hg_image_new(out, width, height, image->channels));
    hg_pixels in = {image->pixels, image->width, image->height, image->channels,
                    (size_t)image->width * (size_t)image->channels};
    hg_status status = hg_resize_pixels(&in, width, height, kind, out->pixels);
    if (status != HG_OK) hg_image_free(out);
    return status;
}
