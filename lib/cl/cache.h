/* Program binaries on disk: $XDG_CACHE_HOME/hapgop/programs, one file each, renamed into place, so that several
 * processes can share it. A file that is missing, cut or foreign is a miss. Kept under 256 MiB, least recently used
 * out first. Off where a quirk says that it hurts; HAPGOP_CACHE=0 or 1 overrides. */
#ifndef HG_CL_CACHE_H
#define HG_CL_CACHE_H

#include "cl/device.h"

/* A program of the cached binary, not built yet; NULL on a miss. */
cl_program hg_cache_load(hg_device *dev, const hg_source *source, const char *options);
/* Keeps the binary of a built program; failures are silent: a cache need not work. */
void hg_cache_store(hg_device *dev, const hg_source *source, const char *options, cl_program program);

#endif
