/* IDX, the format of MNIST: two zero bytes, a type byte, the number of dimensions, each size as a big-endian 32-bit
 * number, then the elements row-major. http://yann.lecun.com/exdb/mnist/ */
#ifndef HG_DATA_IDX_H
#define HG_DATA_IDX_H

#include "base/error.h"

#define HG_IDX_MAX_DIMS 4
#define HG_IDX_MAX_BYTES (INT64_C(1) << 31)

typedef struct hg_idx {
    int ndim;
    int64_t size[HG_IDX_MAX_DIMS];
    uint8_t *data;      /* free() it */
} hg_idx;

/* Reads a file of unsigned bytes with `ndim` (1..4) dimensions, plain or gzip. HG_E_IO if it cannot be read;
 * HG_E_FORMAT, naming the file, for another type or number of dimensions, more than 2 GiB, an end too early or too
 * late, damaged compression; HG_E_MEMORY. On failure *idx is empty. */
hg_status hg_idx_read(const char *path, int ndim, hg_idx *idx);

#endif
