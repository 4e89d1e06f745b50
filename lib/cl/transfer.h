/* Host to device and back, in queue order. */
#ifndef HG_CL_TRANSFER_H
#define HG_CL_TRANSFER_H

#include "cl/device.h"

/* Queues a copy of `bytes` from `data`, which may change at once: it goes through staging memory, and the call waits
 * only when uploads under way hold more than 64 MiB of it. */
hg_status hg_upload(hg_device *dev, cl_mem mem, size_t offset, const void *data, size_t bytes);
/* Waits for the queue, copies to `out`, and reports what kernels found wrong. */
hg_status hg_download(hg_device *dev, cl_mem mem, size_t offset, void *out, size_t bytes);
hg_status hg_copy_buffer(hg_device *dev, cl_mem from, size_t from_offset, cl_mem to, size_t to_offset, size_t bytes);

void hg_staging_free(struct hg_staging *staging);   /* after the queue is empty */

#endif
