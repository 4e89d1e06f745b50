/* Folders, and files that are replaced whole or not at all. */
#ifndef HG_BASE_FILE_H
#define HG_BASE_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* mkdir -p. HG_E_IO with the path and the system's reason. */
hg_status hg_make_folders(const char *path);

/* $XDG_CACHE_HOME/hapgop or ~/.cache/hapgop, without a final slash, in `out`; false if neither is known. */
bool hg_cache_folder(char *out, size_t size);

/* A file being written beside its final place. Writers write to `stream`; commit flushes, syncs and renames it into
 * place, so that a reader sees the old file or the new one, and an old file survives any failure. */
typedef struct hg_new_file {
    FILE *stream;
    char *path, *temporary;
} hg_new_file;

hg_status hg_new_file_open(hg_new_file *f, const char *path);
/* Appends bytes. HG_E_IO: the caller abandons the file. */
hg_status hg_new_file_put(hg_new_file *f, const void *data, size_t size);
/* Overwrites bytes that are written already; the end stays where appending goes on. */
hg_status hg_new_file_patch(hg_new_file *f, uint64_t at, const void *data, size_t size);
hg_status hg_new_file_commit(hg_new_file *f);  /* the file is closed in any case */
void hg_new_file_abandon(hg_new_file *f);      /* harmless after commit */

/* The whole file; free(*bytes). HG_E_IO if it cannot be read. */
hg_status hg_read_file(const char *path, void **bytes, size_t *size);

#endif
