#include "cl/device.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cl/fault.h"
#include "cl/limits.h"
#include "cl/scan.h"
#include "cl/transfer.h"

hg_status hg_device_enter(hg_device *dev, bool *outermost)
{
    *outermost = false;
    if (dev->pid != getpid())
        return hg_error(HG_E_STATE, "device: opened before fork(); open a device of its own in the child");
    unsigned long me = (unsigned long)pthread_self(), nobody = 0;
    if (atomic_load_explicit(&dev->owner, memory_order_relaxed) == me) return HG_OK;
    if (!atomic_compare_exchange_strong(&dev->owner, &nobody, me))
        return hg_error(HG_E_STATE, "device: used by two threads at once; give each thread a device of its own");
    *outermost = true;
    return HG_OK;
}

void hg_device_leave(hg_device *dev, bool outermost)
{
    if (outermost) atomic_store(&dev->owner, 0);
}

hg_device *hg_device_retain(hg_device *dev)
{
    atomic_fetch_add(&dev->refs, 1);
    return dev;
}

static void destroy(hg_device *dev)
{
    bool ours = dev->pid == getpid();   /* after a fork the driver's threads are gone: do not wait for them */
    if (ours && dev->queue) clFinish(dev->queue);
    if (ours && dev->profile.on && dev->profile.at_close) hg_profile_write(dev, stderr);
    for (int i = 0; i < HG_SLOT_COUNT; i++)
        if (dev->slots[i].state) dev->slots[i].destroy(dev->slots[i].state);
    if (ours) {
        hg_profile_clear(&dev->profile);
        hg_staging_free(dev->staging);
        if (dev->fault) clReleaseMemObject(dev->fault);
        hg_programs_free(dev->programs);
        hg_pool_free(dev->pool);
        if (dev->queue) clReleaseCommandQueue(dev->queue);
        if (dev->context) clReleaseContext(dev->context);
    }
    hg_layer_names_free(&dev->profile);
    free(dev);
}

void hg_device_close(hg_device *dev)
{
    if (dev && atomic_fetch_sub(&dev->refs, 1) == 1) destroy(dev);
}

/* What both ways of making a device share; the context and queue are in place. */
static hg_status finish_opening(hg_device *dev)
{
    const char *profile = getenv("HAPGOP_PROFILE");
    const cl_int zero[4] = {0};
    cl_int code;
    HG_TRY(hg_limits_apply(&dev->info, &dev->limited));
    HG_TRY(hg_pool_new(&dev->pool, dev->context, dev->info.max_allocation));
    dev->programs = hg_programs_new();
    if (!dev->programs) return hg_error(HG_E_MEMORY, "device: out of host memory");
    dev->fault = clCreateBuffer(dev->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof zero, (void *)zero, &code);
    HG_TRY(hg_cl_error(code, "device: a first buffer"));
    if (profile && *profile && *profile != '0') {
        HG_TRY(hg_profile_begin(dev));
        dev->profile.at_close = true;
    }
    hg_log_message("device", "opened %s / %s (%s class)", dev->info.platform, dev->info.name, hg_is_cpu(dev) ? "CPU" : "GPU");
    return HG_OK;
}

static hg_device *new_device(cl_platform_id platform, cl_device_id id)
{
    hg_device *dev = calloc(1, sizeof *dev);
    if (!dev) {
        hg_error(HG_E_MEMORY, "device: out of host memory");
        return NULL;
    }
    dev->refs = 1;
    dev->platform = platform;
    dev->id = id;
    dev->pid = getpid();
    return dev;
}

hg_device *hg_device_open(const char *spec)
{
    hg_found found;
    if (hg_scan_choose(spec, &found) != HG_OK) return NULL;
    hg_device *dev = new_device(found.platform, found.id);
    if (!dev) return NULL;
    dev->info = found.info;
    dev->quirks = found.quirks;
    cl_int code;
    cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)found.platform, 0};
    dev->context = clCreateContext(properties, 1, &dev->id, NULL, NULL, &code);
    hg_status status = hg_cl_error(code, "device: a context");
    if (status == HG_OK) {
        dev->queue = clCreateCommandQueue(dev->context, dev->id, 0, &code);
        status = hg_cl_error(code, "device: a queue");
    }
    if (status == HG_OK) status = finish_opening(dev);
    if (status == HG_OK) return dev;
    destroy(dev);
    return NULL;
}

hg_device *hg_device_wrap(cl_context context, cl_device_id id, cl_command_queue queue)
{
    cl_platform_id platform = NULL;
    cl_command_queue_properties properties = 0;
    if (!context || !id || !queue) {
        hg_error(HG_E_ARG, "hg_device_wrap: NULL context, device or queue");
        return NULL;
    }
    clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL);
    if (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) {
        hg_error(HG_E_ARG, "hg_device_wrap: the queue is out of order; an in-order queue is needed");
        return NULL;
    }
    clGetDeviceInfo(id, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL);
    hg_device *dev = new_device(platform, id);
    if (!dev) return NULL;
    dev->wrapped = true;
    clRetainContext(dev->context = context);
    clRetainCommandQueue(dev->queue = queue);
    hg_describe(platform, id, &dev->info, &dev->quirks);
    if (finish_opening(dev) == HG_OK) return dev;
    destroy(dev);
    return NULL;
}

hg_status hg_sync(hg_device *dev)
{
    if (!dev) return hg_error(HG_E_ARG, "hg_sync: the device is NULL");
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status = hg_cl_error(clFinish(dev->queue), "waiting for the queue");
    if (status == HG_OK) status = hg_fault_check(dev);
    hg_device_leave(dev, outermost);
    return status;
}

hg_status hg_device_get_info(hg_device *dev, hg_device_info *info)
{
    if (!dev || !info) return hg_error(HG_E_ARG, "hg_device_get_info: NULL");
    *info = dev->info;
    return HG_OK;
}

void *hg_device_slot(hg_device *dev, hg_slot slot, void *(*create)(hg_device *dev), void (*destroy_slot)(void *state))
{
    if (!dev->slots[slot].state) {
        dev->slots[slot].state = create(dev);
        dev->slots[slot].destroy = destroy_slot;
    }
    return dev->slots[slot].state;
}

struct _cl_context *hg_device_context(hg_device *dev)
{
    return dev->context;
}

struct _cl_device_id *hg_device_id(hg_device *dev)
{
    return dev->id;
}

struct _cl_command_queue *hg_device_queue(hg_device *dev)
{
    return dev->queue;
}
