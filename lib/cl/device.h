/* The device object, as lib/cl and the rooms below it see it. */
#ifndef HG_CL_DEVICE_H
#define HG_CL_DEVICE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "cl/opencl.h"
#include "cl/pool.h"
#include "cl/profile.h"
#include "cl/program.h"
#include "cl/quirks.h"
#include "hapgop/device.h"

/* State that a lower room keeps with a device: made on first use, freed with the device. */
typedef enum hg_slot { HG_SLOT_RANDOM, HG_SLOT_BLAS, HG_SLOT_FFT, HG_SLOT_CONV, HG_SLOT_COUNT } hg_slot;

struct hg_device {
    atomic_int refs;
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;         /* in order */
    bool wrapped;                   /* context and queue are the caller's */
    hg_device_info info;
    bool limited;                   /* HAPGOP_DEVICE_LIMITS makes info smaller than the device is */
    unsigned quirks;                /* HG_QUIRK_* */
    pid_t pid;                      /* of the process that opened it */
    atomic_ulong owner;             /* the thread inside a call, 0 if none */
    hg_pool *pool;
    hg_programs *programs;
    hg_profile profile;
    struct hg_staging *staging;     /* host memory of uploads under way */
    cl_mem fault;                   /* four ints that kernels write what they found wrong to: see cl/fault.h */
    unsigned faults;                /* found so far */
    bool fault_watched;             /* a kernel that may write it was queued since the last look */
    struct {
        void *state;
        void (*destroy)(void *state);
    } slots[HG_SLOT_COUNT];
};

/* Every entry that touches the queue or the pool stands between these two. hg_device_enter refuses a second thread and
 * a forked child (HG_E_STATE). Calls of one thread may nest: only the outermost leave opens the device again. */
hg_status hg_device_enter(hg_device *dev, bool *outermost);
void hg_device_leave(hg_device *dev, bool outermost);

hg_device *hg_device_retain(hg_device *dev);

/* The state of a slot, made by `create` on first use (NULL if that fails, with an error). */
void *hg_device_slot(hg_device *dev, hg_slot slot, void *(*create)(hg_device *dev), void (*destroy)(void *state));

static inline bool hg_is_cpu(const hg_device *dev)
{
    return dev->info.device_class == HG_CLASS_CPU;
}

#endif
