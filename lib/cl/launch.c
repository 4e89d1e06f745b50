#include "cl/launch.h"

#include <stdio.h>

#include "base/checked.h"
#include "base/log.h"
#include "cl/device.h"

enum { MOST_LANES = 256 };

int hg_lanes(const hg_device *dev)
{
    int lanes = hg_is_cpu(dev) ? 1 : MOST_LANES;
    while (lanes > 1 && (size_t)lanes > dev->info.max_work_group) lanes /= 2;
    return lanes;
}

hg_range hg_range_elements(const hg_device *dev, int64_t n)
{
    if (hg_is_cpu(dev)) {
        /* Chunks of at least 1,024 elements, several for each unit so that none waits long for the last one. */
        int64_t items = hg_min_i64(hg_ceil_div(n, 1024), (int64_t)dev->info.units * 16);
        return (hg_range){1, {(size_t)items}, {1}};
    }
    int64_t lanes = hg_lanes(dev), groups = hg_min_i64(hg_ceil_div(n, lanes), (int64_t)dev->info.units * 64);
    return (hg_range){1, {(size_t)(groups * lanes)}, {(size_t)lanes}};
}

hg_range hg_range_teams(const hg_device *dev, int64_t x, int64_t y)
{
    size_t lanes = (size_t)hg_lanes(dev);
    return (hg_range){2, {(size_t)x * lanes, (size_t)y}, {lanes, 1}};
}

hg_range hg_range_items(const hg_device *dev, int64_t x, int64_t y, int64_t z, size_t local)
{
    if (local > (size_t)hg_lanes(dev)) local = (size_t)hg_lanes(dev);
    return (hg_range){3, {(size_t)hg_round_up(x, (int64_t)local), (size_t)y, (size_t)z}, {local, 1, 1}};
}

static hg_status set_arguments(cl_kernel kernel, const char *name, const hg_arg *args, int nargs)
{
    char what[128];
    for (int i = 0; i < nargs; i++) {
        size_t size = args[i].local ? args[i].value.local_bytes : args[i].size;
        cl_int code = clSetKernelArg(kernel, (cl_uint)i, size, args[i].local ? NULL : &args[i].value);
        if (code == CL_SUCCESS) continue;
        snprintf(what, sizeof what, "kernel %s, argument %d of %zu bytes", name, i, size);
        return hg_cl_error(code, what);
    }
    return HG_OK;
}

/* A device that is described as smaller than it is would run what the described one could not. */
static hg_status check_limits(hg_device *dev, cl_kernel kernel, const char *name, const hg_range *range)
{
    size_t items = 1;
    cl_ulong local = 0;
    for (cl_uint d = 0; d < range->dims && range->local[0]; d++) items *= range->local[d];
    if (items > dev->info.max_work_group)
        return hg_error(HG_E_UNSUPPORTED, "kernel %s: work-groups of %zu are more than the %zu of HAPGOP_DEVICE_LIMITS",
                        name, items, dev->info.max_work_group);
    HG_TRY(hg_cl_error(clGetKernelWorkGroupInfo(kernel, dev->id, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local, NULL),
                       "local memory of a kernel"));
    if (local <= dev->info.local_memory) return HG_OK;
    return hg_error(HG_E_UNSUPPORTED, "kernel %s: %llu bytes of local memory are more than the %llu of HAPGOP_DEVICE_LIMITS",
                    name, (unsigned long long)local, (unsigned long long)dev->info.local_memory);
}

static hg_status enqueue(hg_device *dev, const hg_source *source, const char *options, const char *name,
                         const hg_range *range, const hg_arg *args, int nargs)
{
    cl_kernel kernel = hg_kernel_get(dev, source, options, name);
    if (!kernel) return hg_last_status();
    HG_TRY(set_arguments(kernel, name, args, nargs));
    if (dev->limited) HG_TRY(check_limits(dev, kernel, name, range));
    cl_event event = NULL;
    cl_int code = clEnqueueNDRangeKernel(dev->queue, kernel, range->dims, NULL, range->global,
                                         range->local[0] ? range->local : NULL, 0, NULL,
                                         dev->profile.on ? &event : NULL);
    if (code != CL_SUCCESS) {
        char what[160];
        snprintf(what, sizeof what, "kernel %s over %zux%zux%zu in groups of %zux%zux%zu", name, range->global[0],
                 range->global[1], range->global[2], range->local[0], range->local[1], range->local[2]);
        return hg_cl_error(code, what);
    }
    if (event) hg_profile_add(&dev->profile, name, event);
    return HG_OK;
}

hg_status hg_launch(hg_device *dev, const hg_source *source, const char *options, const char *name, hg_range range,
                    const hg_arg *args, int nargs)
{
    for (cl_uint d = 0; d < range.dims; d++)
        if (!range.global[d]) return HG_OK;
    bool outermost;
    HG_TRY(hg_device_enter(dev, &outermost));
    if (hg_log_wanted("launch"))
        hg_log_message("launch", "%s.%s %zux%zux%zu / %zux%zux%zu %s", source->name, name, range.global[0], range.global[1],
               range.global[2], range.local[0], range.local[1], range.local[2], options ? options : "");
    hg_status status = enqueue(dev, source, options, name, &range, args, nargs);
    hg_device_leave(dev, outermost);
    return status;
}
