#include "weights/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/str.h"

/* ---- Extents ---------------------------------------------------------------------------------------------------- */

hg_extent *hg_extent_new(hg_map *map, const unsigned char *bytes, size_t size, const char *name, size_t name_length)
{
    hg_extent *b = calloc(1, sizeof *b);
    char *copy = b && name ? strndup(name, name_length) : NULL;
    if (!b || (name && !copy)) {
        free(b);
        hg_error(HG_E_MEMORY, "%s: out of memory", map->path);
        return NULL;
    }
    *b = (hg_extent){.map = hg_map_retain(map), .name = copy, .bytes = bytes, .stored = size, .size = size,
                    .references = 1};
    return b;
}

hg_extent *hg_extent_retain(hg_extent *b)
{
    b->references++;
    return b;
}

void hg_extent_release(hg_extent *b)
{
    if (!b || --b->references) return;
    hg_map_release(b->inflated);
    hg_map_release(b->map);
    free(b->name);
    free(b);
}

hg_status hg_extent_damaged(const hg_extent *b, const char *why)
{
    return hg_error(HG_E_FORMAT, "%s: the entry %.200s is damaged (%s); was the download complete?", b->map->path,
                    b->name ? b->name : "", why);
}

/* An open file without a name. */
static hg_status open_temporary(const hg_extent *b, int *file)
{
    const char *folder = getenv("TMPDIR");
    hg_str path = {0};
    hg_str_add(&path, "%s/hapgop-XXXXXX", folder && *folder ? folder : "/tmp");
    char *name = hg_str_take(&path);
    if (!name) return hg_error(HG_E_MEMORY, "%s: out of memory", b->map->path);
    *file = mkstemp(name);
    hg_status status = HG_OK;
    if (*file < 0)
        status = hg_error(HG_E_IO, "%s: cannot unpack it to %s: %s; set TMPDIR", b->map->path, name, strerror(errno));
    else
        unlink(name);
    free(name);
    return status;
}

static hg_status write_all(const hg_extent *b, int file, const unsigned char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(file, bytes + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return hg_error(HG_E_IO, "%s: cannot unpack it to a temporary file: %s; set TMPDIR", b->map->path,
                            strerror(errno));
        done += (size_t)n;
    }
    return HG_OK;
}

static hg_status inflate_to(const hg_extent *b, z_stream *z, int file)
{
    static const uInt most = 1u << 30;
    unsigned char out[1 << 15];
    size_t given = 0, done = 0;
    int code = Z_OK;
    z->next_in = (Bytef *)b->bytes;
    while (code == Z_OK) {
        if (!z->avail_in) {
            z->avail_in = b->stored - given < most ? (uInt)(b->stored - given) : most;
            given += z->avail_in;
        }
        z->next_out = out;
        z->avail_out = sizeof out;
        code = inflate(z, Z_NO_FLUSH);
        size_t got = sizeof out - z->avail_out;
        if (got > b->size - done) return hg_extent_damaged(b, "longer than it says");
        done += got;
        HG_TRY(write_all(b, file, out, got));
    }
    if (code == Z_MEM_ERROR) return hg_error(HG_E_MEMORY, "%s: out of memory", b->map->path);
    if (code == Z_STREAM_END && done == b->size) return HG_OK;
    return hg_extent_damaged(b, "its compressed data is broken");
}

static hg_status inflate_extent(hg_extent *b)
{
    z_stream z = {0};
    int file;
    HG_TRY(open_temporary(b, &file));
    hg_status status = inflateInit2(&z, -MAX_WBITS) == Z_OK
                           ? inflate_to(b, &z, file)
                           : hg_error(HG_E_MEMORY, "%s: out of memory", b->map->path);
    inflateEnd(&z);
    if (status == HG_OK) return hg_map_private(file, b->map->path, &b->inflated);
    close(file);
    return status;
}

static hg_status check_crc(const hg_extent *b, const unsigned char *bytes)
{
    uint32_t crc = (uint32_t)crc32_z(0, bytes, b->size);
    return crc == b->crc ? HG_OK : hg_extent_damaged(b, "its checksum is wrong");
}

hg_status hg_extent_open(hg_extent *b, const unsigned char **bytes)
{
    HG_TRY(hg_map_whole(b->map));
    if (b->deflated && !b->inflated) HG_TRY(inflate_extent(b));
    *bytes = b->inflated ? b->inflated->bytes : b->bytes;
    if (b->has_crc && !b->checked) HG_TRY(check_crc(b, *bytes));
    b->checked = true;
    return HG_OK;
}

/* ---- Views ------------------------------------------------------------------------------------------------------ */

hg_status hg_array_set_source(hg_array *a, hg_extent *b, int64_t offset, const int64_t *stride)
{
    hg_array_source *s = malloc(sizeof *s);
    if (!s) return hg_error(HG_E_MEMORY, "%s: out of memory", b->map->path);
    *s = (hg_array_source){.extent = hg_extent_retain(b), .offset = offset};
    memcpy(s->stride, stride, sizeof s->stride);
    a->source = s;
    return HG_OK;
}

void hg_array_source_free(hg_array_source *s)
{
    if (s) hg_extent_release(s->extent);
    free(s);
}

void hg_dense_strides(const hg_shape *shape, bool fortran, int64_t stride[HG_MAX_DIMS])
{
    int64_t step = 1;
    memset(stride, 0, HG_MAX_DIMS * sizeof *stride);
    for (int i = 0; i < shape->ndim; i++) {
        int d = fortran ? i : shape->ndim - 1 - i;
        stride[d] = step;
        step *= hg_max_i64(shape->size[d], 1);
    }
}

static bool is_dense(const hg_array *a)
{
    int64_t step = 1;
    for (int d = a->shape.ndim - 1; d >= 0; step *= a->shape.size[d--])
        if (a->shape.size[d] != 1 && a->source->stride[d] != step) return false;
    return true;
}

/* Row by row, from the multi-index of `first` on. */
static void gather(const hg_array *a, const unsigned char *from, int64_t first, int64_t count, unsigned char *to)
{
    const int64_t *stride = a->source->stride, *size = a->shape.size;
    int64_t element = (int64_t)hg_array_dtype_size(a->dtype), at = a->source->offset, index[HG_MAX_DIMS] = {0};
    int last = a->shape.ndim - 1;
    for (int d = last; d >= 0; d--) {
        index[d] = first % size[d];
        first /= size[d];
        at += index[d] * stride[d];
    }
    while (count) {
        int64_t run = hg_min_i64(last < 0 ? 1 : size[last] - index[last], count), step = last < 0 ? 1 : stride[last];
        const unsigned char *source = from + at * element;
        if (step == 1) memcpy(to, source, (size_t)(run * element));
        else
            for (int64_t i = 0; i < run; i++) memcpy(to + i * element, source + i * step * element, (size_t)element);
        to += run * element;
        count -= run;
        if (last < 0) continue;
        index[last] += run;
        at += run * step;
        for (int d = last; d > 0 && index[d] == size[d]; d--) {
            at += stride[d - 1] - index[d] * stride[d];
            index[d] = 0;
            index[d - 1]++;
        }
    }
}

static void swap_bytes(unsigned char *data, size_t bytes, size_t size)
{
    for (size_t i = 0; i < bytes; i += size) {
        for (size_t a = i, b = i + size - 1; a < b; a++, b--) {
            unsigned char keep = data[a];
            data[a] = data[b];
            data[b] = keep;
        }
    }
}

hg_status hg_array_source_read(const hg_array *a, int64_t first, int64_t count, void *out)
{
    const unsigned char *bytes;
    size_t size = hg_array_dtype_size(a->dtype), total = (size_t)count * size;
    HG_TRY(hg_extent_open(a->source->extent, &bytes));
    if (!count) return HG_OK;
    bytes += a->source->extent->start;
    if (is_dense(a)) memcpy(out, bytes + (size_t)(a->source->offset + first) * size, total);
    else gather(a, bytes, first, count, out);
    if (a->source->extent->big_endian) swap_bytes(out, total, size);
    if (a->dtype == HG_ARRAY_BOOL)
        for (size_t i = 0; i < total; i++) ((unsigned char *)out)[i] = ((unsigned char *)out)[i] != 0;
    return HG_OK;
}
