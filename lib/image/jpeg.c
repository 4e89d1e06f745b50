/* JPEG files through libjpeg-turbo with its defaults, which are PIL's: exact integer IDCT, smooth upsampling of chroma.
 * libjpeg reports an error by longjmp: the setjmp below stands in a function whose locals do not change after it; what
 * has to be freed lives in the caller. Warnings about damaged data are passed over, as PIL does; an end too early is an
 * error, as in PIL. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "image/decode.h"

/* More passes over one image than any camera or encoder makes: such files only burn time. */
#define MAX_SCANS 500

typedef struct jpeg_job {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const hg_encoded *file;
    int channels;               /* that the caller wants */
    int *orientation;
    hg_status code;
    char message[JMSG_LENGTH_MAX];
} jpeg_job;

static jpeg_job *job_of(void *info)
{
    return ((struct jpeg_common_struct *)info)->client_data;
}

__attribute__((noreturn)) static void give_up(jpeg_job *job, hg_status code, const char *message)
{
    job->code = code;
    snprintf(job->message, sizeof job->message, "%s", message);
    longjmp(job->escape, 1);
}

__attribute__((noreturn)) static void on_error(j_common_ptr info)
{
    char message[JMSG_LENGTH_MAX];
    info->err->format_message(info, message);
    if (info->err->msg_code == JERR_OUT_OF_MEMORY) give_up(job_of(info), HG_E_MEMORY, "out of memory");
    if (info->err->msg_code == JERR_NO_BACKING_STORE)
        give_up(job_of(info), HG_E_FORMAT, "decoding it would take more than 1 GiB");
    give_up(job_of(info), HG_E_FORMAT, message);
}

static void on_message(j_common_ptr info, int level)
{
    (void)info, (void)level;
}

static void print_nothing(j_common_ptr info)
{
    (void)info;
}

static void on_progress(j_common_ptr info)
{
    if (((j_decompress_ptr)info)->input_scan_number > MAX_SCANS)
        give_up(job_of(info), HG_E_FORMAT, "the image has more than 500 scans");
}

static void begin_source(j_decompress_ptr info)
{
    (void)info;
}

static boolean more_source(j_decompress_ptr info)
{
    give_up(job_of(info), HG_E_FORMAT, "the file is truncated");
}

static void skip_source(j_decompress_ptr info, long n)
{
    if (n <= 0) return;
    if ((size_t)n > info->src->bytes_in_buffer) give_up(job_of(info), HG_E_FORMAT, "the file is truncated");
    info->src->next_input_byte += n;
    info->src->bytes_in_buffer -= (size_t)n;
}

static void connect(jpeg_job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    info->err = jpeg_std_error(&job->errors);
    job->errors.error_exit = on_error;
    job->errors.emit_message = on_message;
    job->errors.output_message = print_nothing;
    info->client_data = job;
    jpeg_create_decompress(info);
    info->mem->max_memory_to_use = HG_IMAGE_MAX_BYTES;
    job->progress.progress_monitor = on_progress;
    info->progress = &job->progress;
    job->source = (struct jpeg_source_mgr){job->file->bytes, job->file->size, begin_source, more_source, skip_source,
                                           jpeg_resync_to_restart, begin_source};
    info->src = &job->source;
    if (job->orientation) jpeg_save_markers(info, JPEG_APP0 + 1, 0xffff);
}

static hg_status prepare(jpeg_job *job, hg_image *image)
{
    struct jpeg_decompress_struct *info = &job->info;
    const char *path = job->file->path, *why;
    if (info->num_components != 1 && info->num_components != 3 && info->num_components != 4)
        return hg_error(HG_E_FORMAT, "jpeg: %s: %d components a pixel; 1, 3 and 4 can be read", path,
                        info->num_components);
    int channels = info->num_components == 1 && job->channels != 3 ? 1 : 3;
    if ((why = hg_image_complaint(info->image_width, info->image_height, channels)))
        return hg_error(HG_E_FORMAT, "jpeg: %s: the image is %u x %u: %s", path, info->image_width,
                        info->image_height, why);
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    return hg_image_new(image, (int)info->image_width, (int)info->image_height, channels);
}

static void save_orientation(jpeg_job *job)
{
    if (!job->orientation) return;
    for (jpeg_saved_marker_ptr m = job->info.marker_list; m; m = m->next) {
        int orientation = m->marker == JPEG_APP0 + 1 ? hg_exif_orientation(m->data, m->data_length) : 1;
        if (orientation == 1) continue;
        *job->orientation = orientation;
        return;
    }
}

/* As PIL: four components are Adobe's inverted CMYK whatever the file says; R = K - (255 - C) K / 255, rounded. */
static void cmyk_to_rgb(const uint8_t *in, uint8_t *out, int width)
{
    for (int x = 0; x < width; x++, in += 4) {
        int k = in[3];
        for (int c = 0; c < 3; c++) {
            int product = (255 - in[c]) * k + 128, value = k - ((product + (product >> 8)) >> 8);
            *out++ = value < 0 ? 0 : (uint8_t)value;
        }
    }
}

static hg_status read_scans(jpeg_job *job, hg_image *image)
{
    struct jpeg_decompress_struct *info = &job->info;
    if (setjmp(job->escape)) return hg_error(job->code, "jpeg: %s: %s", job->file->path, job->message);
    connect(job);
    jpeg_read_header(info, TRUE);
    save_orientation(job);
    HG_TRY(prepare(job, image));
    jpeg_start_decompress(info);
    size_t stride = (size_t)image->width * (size_t)image->channels;
    JSAMPARRAY inks = NULL;
    if (info->out_color_space == JCS_CMYK)
        inks = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1);
    while (info->output_scanline < info->output_height) {
        JSAMPROW row = image->pixels + info->output_scanline * stride;
        jpeg_read_scanlines(info, inks ? inks : &row, 1);
        if (inks) cmyk_to_rgb(inks[0], row, image->width);
    }
    jpeg_finish_decompress(info);
    return HG_OK;
}

hg_status hg_jpeg_decode(const hg_encoded *file, int channels, int *orientation, hg_image *image)
{
    *image = (hg_image){0};
    if (orientation) *orientation = 1;
    jpeg_job job = {.file = file, .channels = channels, .orientation = orientation};
    hg_status status = read_scans(&job, image);
    jpeg_destroy_decompress(&job.info);
    if (status != HG_OK) hg_image_free(image);
    return status;
}
