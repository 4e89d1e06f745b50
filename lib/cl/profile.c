#include "cl/profile.h"

#include <stdlib.h>
#include <string.h>

#include "cl/device.h"

struct hg_profile_event {
    const char *name, *layer;
    cl_event event;
};

struct hg_layer_name {
    struct hg_layer_name *next;
    char text[];
};

struct row {
    const char *name;
    int count;
    double ms;
};

void hg_profile_add(hg_profile *p, const char *name, cl_event event)
{
    if (p->count == p->capacity) {
        int capacity = p->capacity ? p->capacity * 2 : 1024;
        struct hg_profile_event *more = realloc(p->events, sizeof *more * (size_t)capacity);
        if (!more) {
            clReleaseEvent(event);
            return;
        }
        p->events = more;
        p->capacity = capacity;
    }
    p->events[p->count++] = (struct hg_profile_event){name, p->layer, event};
}

void hg_profile_clear(hg_profile *p)
{
    for (int i = 0; i < p->count; i++) clReleaseEvent(p->events[i].event);
    free(p->events);
    p->events = NULL;
    p->count = p->capacity = 0;
}

const char *hg_layer_name(hg_device *dev, const char *text)
{
    struct hg_layer_name *name = dev->profile.names;
    while (name && strcmp(name->text, text)) name = name->next;
    if (name) return name->text;
    size_t size = strlen(text) + 1;
    name = malloc(sizeof *name + size);
    if (!name) return NULL;
    memcpy(name->text, text, size);
    name->next = dev->profile.names;
    dev->profile.names = name;
    return name->text;
}

void hg_layer_names_free(hg_profile *p)
{
    while (p->names) {
        struct hg_layer_name *next = p->names->next;
        free(p->names);
        p->names = next;
    }
}

const char *hg_layer_enter(hg_device *dev, const char *layer)
{
    const char *before = dev->profile.layer;
    dev->profile.layer = layer;
    return before;
}

/* Own queues are made anew with or without event times; a wrapped one is as its owner made it. */
static hg_status requeue(hg_device *dev, bool times)
{
    cl_command_queue_properties has = 0;
    clGetCommandQueueInfo(dev->queue, CL_QUEUE_PROPERTIES, sizeof has, &has, NULL);
    if (!!(has & CL_QUEUE_PROFILING_ENABLE) == times) return HG_OK;
    if (dev->wrapped)
        return times ? hg_error(HG_E_UNSUPPORTED, "profile: the wrapped queue was made without CL_QUEUE_PROFILING_ENABLE")
                     : HG_OK;
    HG_TRY(hg_cl_error(clFinish(dev->queue), "waiting for the queue"));
    cl_int code;
    cl_command_queue queue = clCreateCommandQueue(dev->context, dev->id, times ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
    HG_TRY(hg_cl_error(code, "profile: a new queue"));
    clReleaseCommandQueue(dev->queue);
    dev->queue = queue;
    return HG_OK;
}

hg_status hg_profile_begin(hg_device *dev)
{
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status = requeue(dev, true);
    if (status == HG_OK) dev->profile.on = true;
    hg_device_leave(dev, outermost);
    return status;
}

hg_status hg_profile_end(hg_device *dev)
{
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    dev->profile.on = false;
    hg_profile_clear(&dev->profile);
    hg_status status = requeue(dev, false);
    hg_device_leave(dev, outermost);
    return status;
}

static double event_ms(cl_event event)
{
    cl_ulong start = 0, end = 0;
    clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
    clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    return (double)(end - start) * 1e-6;
}

double hg_profile_take_ms(hg_device *dev)
{
    double ms = 0;
    if (hg_cl_error(clFinish(dev->queue), "waiting for the queue") != HG_OK) return -1;
    for (int i = 0; i < dev->profile.count; i++) ms += event_ms(dev->profile.events[i].event);
    hg_profile_clear(&dev->profile);
    return ms;
}

static int slowest_first(const void *a, const void *b)
{
    double x = ((const struct row *)a)->ms, y = ((const struct row *)b)->ms;
    return (x < y) - (x > y);
}

static void write_table(FILE *stream, const hg_profile *p, bool by_layer)
{
    struct row *rows = calloc((size_t)p->count + 1, sizeof *rows);
    if (!rows) return;
    int count = 0;
    double total = 0;
    for (int i = 0; i < p->count; i++) {
        const char *name = by_layer ? p->events[i].layer : p->events[i].name;
        if (!name) name = "(outside layers)";
        int r = 0;
        while (r < count && strcmp(rows[r].name, name)) r++;
        if (r == count) rows[count++].name = name;
        double ms = event_ms(p->events[i].event);
        rows[r].count++;
        rows[r].ms += ms;
        total += ms;
    }
    qsort(rows, (size_t)count, sizeof *rows, slowest_first);
    fprintf(stream, "%-28s %8s %12s %10s %7s\n", by_layer ? "layer" : "kernel", "launches", "total ms", "mean us", "share");
    for (int r = 0; r < count; r++)
        fprintf(stream, "%-28s %8d %12.3f %10.1f %6.1f%%\n", rows[r].name, rows[r].count, rows[r].ms,
                1e3 * rows[r].ms / rows[r].count, total > 0 ? 100 * rows[r].ms / total : 0);
    fprintf(stream, "%-28s %8d %12.3f\n", "all", p->count, total);
    free(rows);
}

hg_status hg_profile_write(hg_device *dev, FILE *stream)
{
    bool outermost;
    if (!dev->profile.on) return hg_error(HG_E_STATE, "profile: not begun; call hg_profile_begin() or set HAPGOP_PROFILE=1");
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status = hg_cl_error(clFinish(dev->queue), "waiting for the queue");
    if (status == HG_OK) {
        write_table(stream, &dev->profile, false);
        fputc('\n', stream);
        write_table(stream, &dev->profile, true);
    }
    hg_profile_clear(&dev->profile);
    hg_device_leave(dev, outermost);
    return status;
}
