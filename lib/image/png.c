/* PNG files through libpng. libpng reports an error by longjmp: each setjmp below stands alone in a function whose
 * locals do not change after it; what has to be freed lives in the caller. */
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/decode.h"

typedef struct png_job {
    FILE *stream;           /* when writing */
    const uint8_t *bytes;   /* when reading: the file, and how far it was read */
    size_t size, at;
    hg_status code;         /* of the failure in `message` */
    char message[200];
} png_job;

static void on_error(png_structp png, png_const_charp message)
{
    png_job *job = png_get_error_ptr(png);
    if (job->code == HG_OK) {
        job->code = HG_E_FORMAT;
        snprintf(job->message, sizeof job->message, "%s", message);
    }
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message;   /* harmless by libpng's own judgement */
}

static void io_failed(png_structp png, const char *what, int reason)
{
    png_job *job = png_get_io_ptr(png);
    job->code = reason ? HG_E_IO : HG_E_FORMAT;
    snprintf(job->message, sizeof job->message, "%s%s%s", what, reason ? ": " : "", reason ? strerror(reason) : "");
    png_error(png, what);
}

static void read_bytes(png_structp png, png_bytep out, size_t n)
{
    png_job *job = png_get_io_ptr(png);
    if (n > job->size - job->at) io_failed(png, "the file is truncated", 0);
    memcpy(out, job->bytes + job->at, n);
    job->at += n;
}

static void write_bytes(png_structp png, png_bytep bytes, size_t n)
{
    png_job *job = png_get_io_ptr(png);
    errno = 0;
    if (fwrite(bytes, 1, n, job->stream) != n) io_failed(png, "cannot write", errno ? errno : EIO);
}

static void flush_bytes(png_structp png)
{
    (void)png;  /* hg_new_file_commit flushes */
}

static hg_status check_sizes(png_structp png, png_infop info, int channels, const char *path)
{
    int64_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    const char *why = hg_image_complaint(width, height, channels);
    if (!why) return HG_OK;
    return hg_error(HG_E_FORMAT, "png: %s: the image is %lld x %lld: %s", path, (long long)width, (long long)height,
                    why);
}

/* What libpng gives for convert("RGB"): RGB, or what to_rgb makes RGB of. */
typedef enum raw_kind { RAW_DONE, RAW_PALETTE, RAW_GREY16 } raw_kind;

/* As PIL: transparency is dropped, grey spread over the three channels, 16-bit colours lose their low byte. */
static raw_kind ask_for_rgb(png_structp png, png_infop info)
{
    int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(png);
        return RAW_PALETTE;
    }
    if (type == PNG_COLOR_TYPE_GRAY && depth == 16) return RAW_GREY16;
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    if (depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
    return RAW_DONE;
}

/* Asks libpng for 8 bits a channel and no palette, or for what becomes RGB, then makes room. */
static hg_status prepare_rows(png_structp png, png_infop info, const char *path, raw_kind *raw, hg_image *image)
{
    HG_TRY(check_sizes(png, info, raw ? 3 : 1, path));      /* before libpng takes memory for a row */
    if (raw) {
        *raw = ask_for_rgb(png, info);
    } else {
        png_set_expand(png);
        png_set_scale_16(png);
    }
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    int channels = png_get_channels(png, info);
    if (raw && *raw == RAW_GREY16) channels = 2;            /* bytes, high one first */
    HG_TRY(check_sizes(png, info, channels, path));
    int width = (int)png_get_image_width(png, info), height = (int)png_get_image_height(png, info);
    if (png_get_rowbytes(png, info) != (size_t)width * (size_t)channels)
        return hg_error(HG_E_FORMAT, "png: %s: unexpected row size", path);
    return hg_image_new(image, width, height, channels);
}

/* As PIL: an index behind the palette's end is a grey of that value; 16-bit grey is cut off at 255, not scaled. */
static hg_status to_rgb(png_structp png, png_infop info, raw_kind raw, hg_image *image)
{
    if (raw == RAW_DONE) return HG_OK;
    uint8_t table[256][3];
    png_colorp colors = NULL;
    int count = 0;
    png_get_PLTE(png, info, &colors, &count);
    for (int i = 0; i < 256; i++) memset(table[i], i, 3);
    for (int i = 0; i < count && raw == RAW_PALETTE; i++)
        memcpy(table[i], (uint8_t[]){colors[i].red, colors[i].green, colors[i].blue}, 3);
    hg_image rgb;
    HG_TRY(hg_image_new(&rgb, image->width, image->height, 3));
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *in = image->pixels + i * (size_t)image->channels;
        memcpy(rgb.pixels + 3 * i, table[raw == RAW_PALETTE ? in[0] : in[0] ? 255 : in[1]], 3);
    }
    hg_image_free(image);
    *image = rgb;
    return HG_OK;
}

static hg_status read_rows(png_structp png, png_infop info, const char *path, raw_kind *raw, hg_image *image)
{
    png_job *job = png_get_io_ptr(png);
    if (setjmp(png_jmpbuf(png))) return hg_error(job->code, "png: %s: %s", path, job->message);
    /* The sides are judged after the header, by hg_image_complaint: its message has the numbers. */
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_read_info(png, info);
    int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_NONE ? 1 : PNG_INTERLACE_ADAM7_PASSES;
    HG_TRY(prepare_rows(png, info, path, raw, image));
    size_t stride = (size_t)image->width * (size_t)image->channels;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < image->height; y++) png_read_row(png, image->pixels + (size_t)y * stride, NULL);
    png_read_end(png, NULL);
    return HG_OK;
}

hg_status hg_png_decode(const hg_encoded *file, int channels, hg_image *image)
{
    *image = (hg_image){0};
    if (file->size < 8 || png_sig_cmp(file->bytes, 0, 8))
        return hg_error(HG_E_FORMAT, "png: %s is not a PNG file", file->path);
    png_job job = {.bytes = file->bytes, .size = file->size};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    raw_kind raw = RAW_DONE;
    hg_status status;
    if (!info) {
        status = hg_error(HG_E_MEMORY, "png: cannot read %s: out of memory", file->path);
    } else {
        png_set_read_fn(png, &job, read_bytes);
        status = read_rows(png, info, file->path, channels == 3 ? &raw : NULL, image);
        if (status == HG_OK) status = to_rgb(png, info, raw, image);
    }
    png_destroy_read_struct(&png, &info, NULL);
    if (status != HG_OK) hg_image_free(image);
    return status;
}

hg_status hg_image_read_png(const char *path, hg_image *image)
{
    *image = (hg_image){0};
    uint8_t *bytes;
    size_t size;
    HG_TRY(hg_image_load(path, &bytes, &size));
    hg_status status = hg_png_decode(&(hg_encoded){path, bytes, size}, 0, image);
    free(bytes);
    return status;
}

static hg_status write_rows(png_structp png, png_infop info, png_job *job, const char *path, const hg_image *image)
{
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA};
    if (setjmp(png_jmpbuf(png))) return hg_error(job->code, "png: %s: %s", path, job->message);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8, types[image->channels - 1],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    size_t stride = (size_t)image->width * (size_t)image->channels;
    for (int y = 0; y < image->height; y++) png_write_row(png, image->pixels + (size_t)y * stride);
    png_write_end(png, info);
    return HG_OK;
}

hg_status hg_image_write_png(const char *path, const hg_image *image)
{
    const char *why = hg_image_complaint(image->width, image->height, image->channels);
    if (!why && !image->pixels) why = "it has no pixels";
    if (why)
        return hg_error(HG_E_ARG, "png: cannot write a %d x %d image with %d channels to %s: %s", image->width,
                        image->height, image->channels, path, why);
    hg_new_file file;
    HG_TRY(hg_new_file_open(&file, path));
    png_job job = {.stream = file.stream};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    hg_status status;
    if (!info) {
        status = hg_error(HG_E_MEMORY, "png: cannot write %s: out of memory", path);
    } else {
        png_set_write_fn(png, &job, write_bytes, flush_bytes);
        status = write_rows(png, info, &job, path, image);
    }
    png_destroy_write_struct(&png, &info);
    if (status == HG_OK) return hg_new_file_commit(&file);
    hg_new_file_abandon(&file);
    return status;
}
