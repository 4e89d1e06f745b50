/* Devices: finding them, opening one, its memory, its profile, and living beside other people's OpenCL. */
#ifndef HAPGOP_DEVICE_H
#define HAPGOP_DEVICE_H

#include <stdio.h>

#include "hapgop/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One OpenCL device with its context, queue, memory pool and program cache. Reference-counted: tensors keep their
 * device alive. One thread at a time may use it (two at once get HG_E_STATE); several devices may run in several
 * threads. After a fork() the child gets HG_E_STATE. */
typedef struct hg_device hg_device;

/* Opens a device. `spec`:
 *   NULL                       $HAPGOP_DEVICE if set, else the best GPU, else a CPU
 *   "gpu" "cpu"                by type
 *   "nvidia" "amd" "intel" "pocl"  by vendor (pocl: the platform)
 *   anything else              a part of "PLATFORM / DEVICE" as `hapgop devices` prints it, any case
 * each with an optional ":N", the N-th of those (from 0).
 * NULL on failure, for instance HG_E_DEVICE with the list of devices there are, or, with no OpenCL platform at
 * all, the packages to install. */
HG_API hg_device *hg_device_open(const char *spec);

/* Gives back the caller's reference. The device goes when its last tensor does. NULL is allowed. */
HG_API void hg_device_close(hg_device *dev);

/* Waits until the queue is empty; reports what a kernel found wrong since the last wait (for instance a class
 * index out of range) and driver errors. */
HG_API hg_status hg_sync(hg_device *dev);

typedef enum hg_device_class {
    HG_CLASS_CPU,   /* wide vectors, one work-item a group */
    HG_CLASS_GPU    /* many lanes, local memory */
} hg_device_class;

/* What is known of a device; texts are NUL-terminated and cut to fit. */
typedef struct hg_device_info {
    char platform[128], name[128], vendor[128], driver[128];
    char version[64];               /* CL_DEVICE_VERSION */
    char c_version[64];             /* CL_DEVICE_OPENCL_C_VERSION */
    hg_device_class device_class;
    unsigned units;                 /* compute units */
    unsigned clock_mhz;
    size_t max_work_group;
    uint64_t memory, max_allocation, local_memory;  /* bytes */
    bool fp16, fp64, sub_groups, unified_memory;
    char quirks[512];               /* names of the known bugs that apply, separated by ", " */
    char skipped[256];              /* why it cannot be opened; "" if it can */
} hg_device_info;

HG_API hg_status hg_device_get_info(hg_device *dev, hg_device_info *info);

/* Every device of every platform, usable or not, in the order in which "gpu:N" counts. `*list` is freed with free().
 * Platforms without devices appear as one entry with an empty name and the reason in `skipped`.
 * HG_E_DEVICE, with the packages to install, if there is no platform. */
HG_API hg_status hg_device_list(hg_device_info **list, int *count);

/* Device memory, in bytes. `in_use` by tensors and workspace; `held` also counts what the pool keeps for reuse;
 * `peak` is the highest in_use since the start or since hg_memory_reset_peak(). `budget` is HAPGOP_MEMORY
 * (bytes, or with K, M, G), 0 if unlimited. */
typedef struct hg_memory_info {
    uint64_t in_use, held, peak, budget;
} hg_memory_info;
HG_API hg_status hg_memory_get_info(hg_device *dev, hg_memory_info *info);
HG_API void hg_memory_reset_peak(hg_device *dev);
HG_API void hg_memory_trim(hg_device *dev);     /* gives cached memory back to the driver */

/* Profiling by events: begin, work, then write the table: kernels by share of time, and layers. HAPGOP_PROFILE=1
 * begins at open and writes the table to stderr when the device closes. Not for wrapped queues without profiling
 * (HG_E_UNSUPPORTED). */
HG_API hg_status hg_profile_begin(hg_device *dev);
HG_API hg_status hg_profile_write(hg_device *dev, FILE *stream);  /* waits, writes, and starts afresh */
HG_API hg_status hg_profile_end(hg_device *dev);

/* Other people's OpenCL. The handles are the caller's cl_context, cl_device_id and in-order cl_command_queue; all
 * three are retained. Work is queued there, so it keeps its order with the caller's own commands. */
struct _cl_context;
struct _cl_device_id;
struct _cl_command_queue;
struct _cl_mem;
HG_API hg_device *hg_device_wrap(struct _cl_context *context, struct _cl_device_id *device,
                                 struct _cl_command_queue *queue);
HG_API struct _cl_context *hg_device_context(hg_device *dev);
HG_API struct _cl_device_id *hg_device_id(hg_device *dev);
HG_API struct _cl_command_queue *hg_device_queue(hg_device *dev);

#ifdef __cplusplus
}
#endif
#endif
