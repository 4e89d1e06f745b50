/* PNG files through libpng. libpng reports an error by longjmp: each setjmp below stands alone in a function whose
 * locals do not change after it; what has to be freed lives in the caller. */
#include "image/image.h"

#include <errno.h>
#include <png.h>
#include <string.h>

#include "base/file.h"

typedef struct png_job {
    FILE *stream;
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
    errno = 0;
    if (fread(out, 1, n, job->stream) == n) return;
    if (ferror(job->stream)) io_failed(png, "cannot read", errno ? errno : EIO);
    io_failed(png, "the file is truncated", 0);
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

/* Asks libpng for 8 bits a channel and no palette, then makes room. */
static hg_status prepare_rows(png_structp png, png_infop info, const char *path, hg_image *image)
{
    HG_TRY(check_sizes(png, info, 1, path));    /* before libpng takes memory for a row */
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    int channels = png_get_channels(png, info);
    HG_TRY(check_sizes(png, info, channels, path));
    int width = (int)png_get_image_width(png, info), height = (int)png_get_image_height(png, info);
    if (png_get_rowbytes(png, info) != (size_t)width * (size_t)channels)
        return hg_error(HG_E_FORMAT, "png: %s: unexpected row size", path);
    return hg_image_new(image, width, height, channels);
}

static hg_status read_rows(png_structp png, png_infop info, png_job *job, const char *path, hg_image *image)
{
    if (setjmp(png_jmpbuf(png))) return hg_error(job->code, "png: %s: %s", path, job->message);
    /* The sides are judged after the header, by hg_image_complaint: its message has the numbers. */
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_read_info(png, info);
    int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_NONE ? 1 : PNG_INTERLACE_ADAM7_PASSES;
    HG_TRY(prepare_rows(png, info, path, image));
    size_t stride = (size_t)image->width * (size_t)image->channels;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < image->height; y++) png_read_row(png, image->pixels + (size_t)y * stride, NULL);
    png_read_end(png, NULL);
    return HG_OK;
}

static hg_status read_stream(png_job *job, const char *path, hg_image *image)
{
    uint8_t signature[8];
    size_t got = fread(signature, 1, sizeof signature, job->stream);
    if (ferror(job->stream)) return hg_error(HG_E_IO, "png: cannot read %s: %s", path, strerror(errno));
    if (got != sizeof signature || png_sig_cmp(signature, 0, sizeof signature))
        return hg_error(HG_E_FORMAT, "png: %s is not a PNG file", path);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    hg_status status;
    if (!info) {
        status = hg_error(HG_E_MEMORY, "png: cannot read %s: out of memory", path);
    } else {
        png_set_read_fn(png, job, read_bytes);
        png_set_sig_bytes(png, sizeof signature);
        status = read_rows(png, info, job, path, image);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return status;
}

hg_status hg_image_read_png(const char *path, hg_image *image)
{
    *image = (hg_image){0};
    png_job job = {.stream = fopen(path, "rb")};
    if (!job.stream) return hg_error(HG_E_IO, "png: cannot read %s: %s", path, strerror(errno));
    hg_status status = read_stream(&job, path, image);
    fclose(job.stream);
    if (status != HG_OK) hg_image_free(image);
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
