/* Files mapped into memory: what is read of one comes from the system's cache of files, and takes none of ours. */
#ifndef HG_BASE_MAP_H
#define HG_BASE_MAP_H

#include "base/error.h"

typedef struct hg_map {
    const unsigned char *bytes;     /* never NULL, not even when empty */
    size_t size;
    char *path;
    int file;                       /* -1: private, it cannot become shorter */
    int references;
} hg_map;

/* The whole file, with one reference. It stays what it was when another is renamed into its place.
 * Errors: HG_E_IO (no such file, a folder, a pipe), HG_E_MEMORY. */
hg_status hg_map_open(const char *path, hg_map **out);
/* The whole of an open file, which this takes over and closes, also if it fails. `path` is for messages. */
hg_status hg_map_file(int file, const char *path, hg_map **out);
/* The same for a file that nobody else can reach: it is closed at once. */
hg_status hg_map_private(int file, const char *path, hg_map **out);
hg_map *hg_map_retain(hg_map *m);
void hg_map_release(hg_map *m);     /* NULL is allowed */

/* HG_E_IO if the file has become shorter: to touch the bytes that it lost would end the process. */
hg_status hg_map_whole(const hg_map *m);

#endif
