/* Zip files of stored entries whose data starts at multiples of 64 bytes, as PyTorch writes them. */
#ifndef HG_WEIGHTS_ZIP_WRITE_H
#define HG_WEIGHTS_ZIP_WRITE_H

#include "base/file.h"
#include "base/str.h"

typedef struct hg_zip_writer {
    hg_new_file file;
    hg_str directory;       /* the central directory, written last */
    uint64_t at, entries;
} hg_zip_writer;

/* After an error of any of these the writer is gone, and the file that was at the path before is still there. */
hg_status hg_zip_begin(hg_zip_writer *z, const char *path);
hg_status hg_zip_add(hg_zip_writer *z, const char *name, const void *data, size_t size);
hg_status hg_zip_finish(hg_zip_writer *z);
void hg_zip_abandon(hg_zip_writer *z);

#endif
