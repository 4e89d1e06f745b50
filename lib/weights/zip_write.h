/* Zip files of stored entries whose data starts at multiples of 64 bytes, as PyTorch writes them. */
#ifndef HG_WEIGHTS_ZIP_WRITE_H
#define HG_WEIGHTS_ZIP_WRITE_H

#include "base/file.h"
#include "base/str.h"

typedef struct hg_zip_writer {
    hg_new_file file;
    hg_str directory;       /* the central directory, written last */
    uint64_t at, entries;
    /* the entry being written */
    char *name;
    uint64_t header, size;
    uint32_t crc;
} hg_zip_writer;

/* After an error of any of these the writer is gone (to abandon it again is harmless), and the file that was at the path
 * before is still there. */
hg_status hg_zip_begin(hg_zip_writer *z, const char *path);
/* An entry of `size` bytes: begin, put them in parts, end. */
hg_status hg_zip_begin_entry(hg_zip_writer *z, const char *name, uint64_t size);
hg_status hg_zip_put(hg_zip_writer *z, const void *data, size_t size);
hg_status hg_zip_end_entry(hg_zip_writer *z);
hg_status hg_zip_add(hg_zip_writer *z, const char *name, const void *data, size_t size);
hg_status hg_zip_finish(hg_zip_writer *z);
void hg_zip_abandon(hg_zip_writer *z);

#endif
