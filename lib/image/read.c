/* Image files: which format it is, and what is asked for beyond decoding. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/decode.h"

static hg_status cannot_read(const char *path, const char *reason)
{
    return hg_error(HG_E_IO, "image: cannot read %s: %s", path, reason);
}

static hg_status load_from(int file, const char *path, uint8_t **bytes, size_t *size)
{
    struct stat info;
    if (fstat(file, &info)) return cannot_read(path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return cannot_read(path, "it is a directory");
    if (!S_ISREG(info.st_mode)) return cannot_read(path, "it is not a regular file");
    if (info.st_size > HG_IMAGE_MAX_BYTES)
        return hg_error(HG_E_FORMAT, "image: %s is larger than 1 GiB", path);
    size_t length = (size_t)info.st_size, have = 0;
    *bytes = malloc(length + 1);
    if (!*bytes) return hg_error(HG_E_MEMORY, "image: out of memory for %s", path);
    while (have < length) {
        ssize_t got = read(file, *bytes + have, length - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_read(path, strerror(errno));
        if (!got) break;                        /* it became shorter meanwhile */
        have += (size_t)got;
    }
    *size = have;
    return HG_OK;
}

hg_status hg_image_load(const char *path, uint8_t **bytes, size_t *size)
{
    *bytes = NULL;
    *size = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  /* a pipe without a writer must not hang us */
    if (file < 0) return cannot_read(path, strerror(errno));
    hg_status status = load_from(file, path, bytes, size);
    close(file);
    if (status == HG_OK) return HG_OK;
    free(*bytes);
    *bytes = NULL;
    return status;
}

/* Formats by how they begin; those without a decoder are known to be named. */
static const struct format {
    const char *name, *begin;
    size_t length;
    bool readable;
} formats[] = {
    {"PNG", "\211PNG\r\n\032\n", 8, true}, {"JPEG", "\377\330\377", 3, true}, {"PGM", "P2", 2, true},
    {"PPM", "P3", 2, true}, {"PGM", "P5", 2, true}, {"PPM", "P6", 2, true}, {"PBM", "P1", 2, false},
    {"PBM", "P4", 2, false}, {"BMP", "BM", 2, false}, {"GIF", "GIF8", 4, false}, {"TIFF", "II*", 4, false},
    {"TIFF", "MM\0*", 4, false}, {"RIFF (WebP?)", "RIFF", 4, false},
};

static hg_status decode(const hg_encoded *file, int channels, int *orientation, hg_image *image)
{
    if (!file->size) return hg_error(HG_E_FORMAT, "image: %s is empty", file->path);
    const struct format *f = NULL;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && !f; i++) {
        if (file->size >= formats[i].length && !memcmp(file->bytes, formats[i].begin, formats[i].length))
            f = &formats[i];
    }
    if (!f || !f->readable)
        return hg_error(HG_E_FORMAT, "image: %s is %s%s; PNG, JPEG, PPM and PGM files can be read", file->path,
                        f ? "a file of format " : "no image, or its beginning is missing", f ? f->name : "");
    if (*f->name == 'J') return hg_jpeg_decode(file, channels, orientation, image);
    return f->length == 8 ? hg_png_decode(file, channels, image) : hg_pnm_decode(file, channels, image);
}

static void swap_red_and_blue(hg_image *image)
{
    size_t pixels = (size_t)image->width * (size_t)image->height, channels = (size_t)image->channels;
    for (uint8_t *p = image->pixels, *end = p + pixels * channels; p < end; p += channels) {
        uint8_t red = p[0];
        p[0] = p[2];
        p[2] = red;
    }
}

hg_status hg_image_decode(const hg_encoded *file, const hg_image_read_options *options, hg_image *image)
{
    *image = (hg_image){0};
    hg_image_read_options o = options ? *options : HG_IMAGE_READ_DEFAULTS;
    if (o.channels != 0 && o.channels != 3)
        return hg_error(HG_E_ARG, "image: %d channels were asked for; 3 (RGB) and 0 (as the file has it) are possible",
                        o.channels);
    int orientation = 1;
    HG_TRY(decode(file, o.channels, o.orient ? &orientation : NULL, image));
    hg_status status = hg_image_orient(image, orientation);
    if (status != HG_OK) hg_image_free(image);
    else if (o.bgr && image->channels >= 3) swap_red_and_blue(image);
    return status;
}

hg_status hg_image_read(const char *path, const hg_image_read_options *options, hg_image *image)
{
    *image = (hg_image){0};
    uint8_t *bytes;
    size_t size;
    HG_TRY(hg_image_load(path, &bytes, &size));
    hg_status status = hg_image_decode(&(hg_encoded){path, bytes, size}, options, image);
    free(bytes);
    return status;
}
