/* Arrays whose elements stay in their file until they are asked for. */
#ifndef HG_WEIGHTS_SOURCE_H
#define HG_WEIGHTS_SOURCE_H

#include "base/map.h"
#include "weights/array.h"

/* A run of bytes in a mapped file: an entry of a zip, a storage. What was deflated is inflated into a temporary file,
 * once, so that any part can be read without memory of its size. */
typedef struct hg_extent {
    hg_map *map;
    char *name;                     /* of a zip's entry; NULL for the file itself */
    const unsigned char *bytes;     /* as the file has them, `stored` of them */
    size_t stored, size;            /* size: inflated */
    size_t start;                   /* what comes before the elements: a header */
    bool deflated, big_endian;
    bool has_crc, checked;          /* checked once, when it is first opened */
    uint32_t crc;
    hg_map *inflated;
    int references;
} hg_extent;

/* With one reference; retains the map. Copies the name. NULL with HG_E_MEMORY. */
hg_extent *hg_extent_new(hg_map *map, const unsigned char *bytes, size_t size, const char *name, size_t name_length);
hg_extent *hg_extent_retain(hg_extent *b);
void hg_extent_release(hg_extent *b);     /* NULL is allowed */

/* Its bytes, `size` of them, which last as long as the extent.
 * Errors: HG_E_FORMAT if the checksum is wrong; HG_E_IO for a file that has become shorter, a temporary file that cannot
 * be written; HG_E_MEMORY. */
hg_status hg_extent_open(hg_extent *b, const unsigned char **bytes);

/* "PATH: the entry NAME is damaged (why); was the download complete?" */
hg_status hg_extent_damaged(const hg_extent *b, const char *why);

/* A view of an extent, checked by the caller to lie inside. */
typedef struct hg_array_source {
    hg_extent *extent;
    int64_t offset, stride[HG_MAX_DIMS];    /* elements */
} hg_array_source;

/* Makes the array, which has dtype and shape alone, one of this view; retains the extent. HG_E_MEMORY. */
hg_status hg_array_set_source(hg_array *a, hg_extent *b, int64_t offset, const int64_t *stride);
void hg_array_source_free(hg_array_source *s);          /* NULL is allowed */
hg_status hg_array_source_read(const hg_array *a, int64_t first, int64_t count, void *out);

/* The strides of an array without gaps, row-major or, for Fortran's order, column-major. */
void hg_dense_strides(const hg_shape *shape, bool fortran, int64_t stride[HG_MAX_DIMS]);

#endif
