/* Device memory: blocks of size classes, reused in queue order. A block given back may be taken again at once, since
 * whatever still uses it was queued before whatever will. */
#ifndef HG_CL_POOL_H
#define HG_CL_POOL_H

#include "cl/opencl.h"
#include "hapgop/device.h"

typedef struct hg_block {
    cl_mem mem;
    size_t size;            /* of its class: at least what was asked */
    struct hg_block *next;
} hg_block;

typedef struct hg_pool hg_pool;

/* `limit` is the largest allocation of the device. The budget comes from HAPGOP_MEMORY; HG_E_ARG if that cannot be
 * read as a size. */
hg_status hg_pool_new(hg_pool **pool, cl_context context, uint64_t limit);
void hg_pool_free(hg_pool *pool);

/* At least `bytes` (one byte if 0) of uninitialised memory; NULL with HG_E_MEMORY naming need, use and budget. */
hg_block *hg_pool_take(hg_device *dev, size_t bytes);
void hg_pool_give(hg_device *dev, hg_block *block);     /* NULL is allowed */

#endif
