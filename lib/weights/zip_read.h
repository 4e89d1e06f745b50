/* Zip files in memory, with zip64: their entries lie in the map and are not copied. */
#ifndef HG_WEIGHTS_ZIP_READ_H
#define HG_WEIGHTS_ZIP_READ_H

#include "weights/source.h"

typedef struct hg_zip_entry {
    const char *name;           /* `name_length` bytes in the map, no NUL at the end */
    size_t name_length;
    uint64_t header;            /* where its local header is */
    uint64_t stored, size;      /* in the file, and inflated */
    uint32_t crc;
    uint16_t flags, method;
} hg_zip_entry;

typedef struct hg_zip_reader {
    hg_map *map;                /* borrowed */
    hg_zip_entry *entries;      /* in the order of the directory */
    hg_zip_entry **sorted;      /* by name */
    size_t count;
} hg_zip_reader;

bool hg_is_zip(const unsigned char *start, size_t size);

/* Reads the directory; hg_zip_close() also after an error.
 * Errors: HG_E_FORMAT for a directory that is damaged or has a name twice; HG_E_MEMORY. */
hg_status hg_zip_open(hg_map *map, hg_zip_reader *z);
void hg_zip_close(hg_zip_reader *z);

const hg_zip_entry *hg_zip_find(const hg_zip_reader *z, const char *name, size_t length);   /* NULL if there is none */

/* Its bytes as an extent with one reference, whose checksum is compared when it is opened. Only stored and deflated
 * entries. Errors: HG_E_FORMAT, HG_E_MEMORY. */
hg_status hg_zip_extent(const hg_zip_reader *z, const hg_zip_entry *e, hg_extent **out);

#endif
