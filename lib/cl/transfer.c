#include "cl/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "cl/fault.h"

enum { STAGING_LIMIT = 64 << 20 };

/* Uploads under way, oldest first, and their host memory. */
struct hg_staging {
    struct upload {
        struct upload *next;
        cl_event done;
        size_t bytes;
        char data[];
    } *oldest, *newest;
    size_t bytes;
};

static void drop_oldest(struct hg_staging *s)
{
    struct upload *u = s->oldest;
    s->oldest = u->next;
    if (!s->oldest) s->newest = NULL;
    s->bytes -= u->bytes;
    clReleaseEvent(u->done);
    free(u);
}

static bool finished(cl_event event)
{
    cl_int state = CL_QUEUED;
    clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    return state <= CL_COMPLETE;
}

/* Frees what is done, and waits for the oldest until `bytes` more fit. */
static void make_room(struct hg_staging *s, size_t bytes)
{
    while (s->oldest && (finished(s->oldest->done) || s->bytes + bytes > STAGING_LIMIT)) {
        clWaitForEvents(1, &s->oldest->done);
        drop_oldest(s);
    }
}

void hg_staging_free(struct hg_staging *staging)
{
    while (staging && staging->oldest) drop_oldest(staging);
    free(staging);
}

static hg_status upload(hg_device *dev, cl_mem mem, size_t offset, const void *data, size_t bytes)
{
    if (!dev->staging) dev->staging = calloc(1, sizeof *dev->staging);
    struct hg_staging *s = dev->staging;
    if (s) make_room(s, bytes);
    struct upload *u = s ? malloc(sizeof *u + bytes) : NULL;
    if (!u) return hg_error(HG_E_MEMORY, "upload of %zu bytes: out of host memory", bytes);
    *u = (struct upload){.bytes = bytes};
    memcpy(u->data, data, bytes);
    cl_int code = clEnqueueWriteBuffer(dev->queue, mem, CL_FALSE, offset, bytes, u->data, 0, NULL, &u->done);
    if (code != CL_SUCCESS) {
        free(u);
        return hg_cl_error(code, "upload");
    }
    if (s->newest)
        s->newest->next = u;
    else
        s->oldest = u;
    s->newest = u;
    s->bytes += bytes;
    if (dev->profile.on) {
        clRetainEvent(u->done);
        hg_profile_add(&dev->profile, "(upload)", u->done);
    }
    return HG_OK;
}

hg_status hg_upload(hg_device *dev, cl_mem mem, size_t offset, const void *data, size_t bytes)
{
    if (!bytes) return HG_OK;
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status = upload(dev, mem, offset, data, bytes);
    hg_device_leave(dev, outermost);
    return status;
}

hg_status hg_download(hg_device *dev, cl_mem mem, size_t offset, void *out, size_t bytes)
{
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status = HG_OK;
    if (bytes) {
        cl_event event = NULL;
        cl_int code = clEnqueueReadBuffer(dev->queue, mem, CL_TRUE, offset, bytes, out, 0, NULL,
                                          dev->profile.on ? &event : NULL);
        if (event) hg_profile_add(&dev->profile, "(read)", event);
        status = hg_cl_error(code, "reading from the device");
    }
    if (status == HG_OK) status = hg_fault_check(dev);
    hg_device_leave(dev, outermost);
    return status;
}

hg_status hg_copy_buffer(hg_device *dev, cl_mem from, size_t from_offset, cl_mem to, size_t to_offset, size_t bytes)
{
    if (!bytes) return HG_OK;
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    cl_event event = NULL;
    cl_int code = clEnqueueCopyBuffer(dev->queue, from, to, from_offset, to_offset, bytes, 0, NULL,
                                      dev->profile.on ? &event : NULL);
    if (event) hg_profile_add(&dev->profile, "(copy)", event);
    hg_device_leave(dev, outermost);
    return hg_cl_error(code, "copy on the device");
}
