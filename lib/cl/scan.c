#define _GNU_SOURCE
#include "cl/scan.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "cl/quirks.h"

static void device_text(cl_device_id id, cl_device_info what, char *out, size_t size)
{
    char text[1024] = "";
    size_t used = 0;
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, &used) != CL_SUCCESS) text[0] = 0;
    const char *start = text + strspn(text, " ");
    size_t n = strlen(start);
    while (n && start[n - 1] == ' ') n--;
    snprintf(out, size, "%.*s", (int)n, start);
}

static void platform_text(cl_platform_id platform, cl_platform_info what, char *out, size_t size)
{
    char text[1024] = "";
    if (clGetPlatformInfo(platform, what, sizeof text - 1, text, NULL) != CL_SUCCESS) text[0] = 0;
    snprintf(out, size, "%.*s", (int)size - 1, text);
}

static uint64_t device_u64(cl_device_id id, cl_device_info what, size_t size)
{
    uint64_t value = 0;     /* little-endian: a narrower answer fills the low bytes */
    return clGetDeviceInfo(id, what, size, &value, NULL) == CL_SUCCESS ? value : 0;
}

#define DEVICE_U32(id, what) ((unsigned)device_u64(id, what, sizeof(cl_uint)))

static bool has_extension(cl_device_id id, const char *name)
{
    char text[16384] = "";
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof text - 1, text, NULL) != CL_SUCCESS) return false;
    size_t n = strlen(name);
    for (const char *p = text; (p = strstr(p, name)); p += n)
        if ((p == text || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
    return false;
}

/* The class is a matter of how the device works: CPUs run one work-item after the other with wide vectors. */
static hg_device_class class_of(cl_device_type type)
{
    const char *forced = getenv("HAPGOP_DEVICE_CLASS");
    if (forced && !strcasecmp(forced, "gpu")) return HG_CLASS_GPU;
    if (forced && !strcasecmp(forced, "cpu")) return HG_CLASS_CPU;
    return type & CL_DEVICE_TYPE_CPU ? HG_CLASS_CPU : HG_CLASS_GPU;
}

static void reason_to_skip(cl_device_id id, hg_device_info *info)
{
    int major = 0, minor = 0;
    if (info->skipped[0]) return;
    if (!DEVICE_U32(id, CL_DEVICE_AVAILABLE))
        snprintf(info->skipped, sizeof info->skipped, "the driver says it is not available");
    else if (!DEVICE_U32(id, CL_DEVICE_COMPILER_AVAILABLE))
        snprintf(info->skipped, sizeof info->skipped, "the driver has no compiler for OpenCL C");
    else if (!DEVICE_U32(id, CL_DEVICE_ENDIAN_LITTLE))
        snprintf(info->skipped, sizeof info->skipped, "it is big-endian");
    else if (sscanf(info->c_version, "OpenCL C %d.%d", &major, &minor) != 2 || major * 10 + minor < 12)
        snprintf(info->skipped, sizeof info->skipped, "it speaks %.60s; OpenCL C 1.2 is needed",
                 info->c_version[0] ? info->c_version : "no known OpenCL C");
}

void hg_describe(cl_platform_id platform, cl_device_id id, hg_device_info *info, unsigned *quirks)
{
    *info = (hg_device_info){0};
    platform_text(platform, CL_PLATFORM_NAME, info->platform, sizeof info->platform);
    device_text(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_text(id, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    device_text(id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    device_text(id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    device_text(id, CL_DEVICE_OPENCL_C_VERSION, info->c_version, sizeof info->c_version);
    info->device_class = class_of(device_u64(id, CL_DEVICE_TYPE, sizeof(cl_device_type)));
    info->units = DEVICE_U32(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->clock_mhz = DEVICE_U32(id, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    info->max_work_group = device_u64(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    info->memory = device_u64(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
    info->max_allocation = device_u64(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
    info->local_memory = device_u64(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong));
    info->unified_memory = DEVICE_U32(id, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
    info->fp16 = has_extension(id, "cl_khr_fp16");
    info->fp64 = has_extension(id, "cl_khr_fp64");
    info->sub_groups = has_extension(id, "cl_khr_subgroups") || has_extension(id, "cl_intel_subgroups");
    *quirks = hg_quirks_of(info);
    reason_to_skip(id, info);
}

static hg_status no_platform(void)
{
    return hg_error(HG_E_DEVICE,
                    "no OpenCL platform found; on Debian or Ubuntu install pocl-opencl-icd (any CPU), "
                    "mesa-opencl-icd (AMD), intel-opencl-icd (Intel) or the NVIDIA driver's nvidia-opencl-icd, "
                    "and see that OCL_ICD_VENDORS, if set, names a folder of .icd files");
}

hg_status hg_scan(hg_found **found, int *count)
{
    cl_platform_id platforms[32];
    cl_uint nplatforms = 0;
    *found = NULL;
    *count = 0;
    if (clGetPlatformIDs(32, platforms, &nplatforms) != CL_SUCCESS || !nplatforms) return no_platform();
    if (nplatforms > 32) nplatforms = 32;
    for (cl_uint p = 0; p < nplatforms; p++) {
        cl_device_id ids[64];
        cl_uint n = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 64, ids, &n) != CL_SUCCESS) n = 0;
        if (n > 64) n = 64;
        hg_found *more = realloc(*found, sizeof **found * (size_t)(*count + (int)n + 1));
        if (!more) {
            free(*found);
            *found = NULL;
            return hg_error(HG_E_MEMORY, "listing devices: out of memory");
        }
        *found = more;
        for (cl_uint d = 0; d < n; d++) {
            hg_found *f = &(*found)[(*count)++];
            *f = (hg_found){.platform = platforms[p], .id = ids[d]};
            hg_describe(f->platform, f->id, &f->info, &f->quirks);
        }
        if (!n) {
            hg_found *f = &(*found)[(*count)++];
            *f = (hg_found){.platform = platforms[p]};
            platform_text(platforms[p], CL_PLATFORM_NAME, f->info.platform, sizeof f->info.platform);
            snprintf(f->info.skipped, sizeof f->info.skipped, "the platform has no devices");
        }
    }
    return HG_OK;
}

hg_status hg_device_list(hg_device_info **list, int *count)
{
    hg_found *found;
    *list = NULL;
    *count = 0;
    HG_TRY(hg_scan(&found, count));
    *list = malloc(sizeof **list * (size_t)*count);
    for (int i = 0; *list && i < *count; i++) (*list)[i] = found[i].info;
    free(found);
    return *list ? HG_OK : hg_error(HG_E_MEMORY, "listing devices: out of memory");
}

static bool usable(const hg_found *f)
{
    return f->id && !f->info.skipped[0];
}

static bool is_gpu(const hg_found *f)
{
    return device_u64(f->id, CL_DEVICE_TYPE, sizeof(cl_device_type)) & CL_DEVICE_TYPE_GPU;
}

/* Whether the device is one that the word means. */
static bool matches(const hg_found *f, const char *word)
{
    if (!strcasecmp(word, "gpu")) return is_gpu(f);
    if (!strcasecmp(word, "cpu"))
        return device_u64(f->id, CL_DEVICE_TYPE, sizeof(cl_device_type)) & CL_DEVICE_TYPE_CPU;
    if (!strcasecmp(word, "pocl")) return !!strstr(f->info.platform, "Portable Computing Language");
    bool vendor = !strcasecmp(word, "nvidia") || !strcasecmp(word, "amd") || !strcasecmp(word, "intel");
    if (vendor && is_gpu(f))    /* not a CPU of that vendor seen through PoCL */
        return strcasestr(f->info.vendor, word) ||
               (!strcasecmp(word, "amd") && strcasestr(f->info.vendor, "Advanced Micro"));
    if (vendor) return false;
    char full[300];
    snprintf(full, sizeof full, "%s / %s", f->info.platform, f->info.name);
    return strcasestr(full, word) != NULL;
}

/* Compute units times clock: a fixed property, so that the same machine always gets the same device. */
static double power_of(const hg_found *f)
{
    return (double)f->info.units * (f->info.clock_mhz ? f->info.clock_mhz : 1) * (f->info.unified_memory ? 1 : 4);
}

static const hg_found *best(const hg_found *found, int count, bool gpu)
{
    const hg_found *winner = NULL;
    for (int i = 0; i < count; i++)
        if (usable(&found[i]) && is_gpu(&found[i]) == gpu && (!winner || power_of(&found[i]) > power_of(winner)))
            winner = &found[i];
    return winner;
}

static const hg_found *by_spec(const hg_found *found, int count, const char *spec)
{
    char word[128];
    long index = 0;
    const char *colon = strrchr(spec, ':');
    size_t length = strlen(spec);
    if (colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
        index = strtol(colon + 1, NULL, 10);
        length = (size_t)(colon - spec);
    }
    snprintf(word, sizeof word, "%.*s", (int)length, spec);
    for (int i = 0; i < count; i++)
        if (usable(&found[i]) && matches(&found[i], word) && index-- == 0) return &found[i];
    return NULL;
}

static hg_status not_found(const hg_found *found, int count, const char *spec)
{
    hg_str list = {0};
    for (int i = 0; i < count; i++) {
        hg_str_add(&list, "%s%s%s%s", list.length ? "; " : "", found[i].info.platform, found[i].id ? " / " : "",
                   found[i].info.name);
        if (found[i].info.skipped[0]) hg_str_add(&list, " (skipped: %s)", found[i].info.skipped);
    }
    char *text = hg_str_take(&list);
    hg_status status =
        spec ? hg_error(HG_E_DEVICE,
                        "device: nothing matches \"%s\"; use gpu, cpu, nvidia, amd, intel, pocl or a part of a name, "
                        "with :N for the N-th. There is: %s",
                        spec, text ? text : "")
             : hg_error(HG_E_DEVICE, "device: no usable device. There is: %s", text ? text : "");
    free(text);
    return status;
}

hg_status hg_scan_choose(const char *spec, hg_found *chosen)
{
    hg_found *found;
    int count;
    HG_TRY(hg_scan(&found, &count));
    if (!spec || !*spec) spec = getenv("HAPGOP_DEVICE");
    if (spec && !*spec) spec = NULL;
    const hg_found *f = spec ? by_spec(found, count, spec) : best(found, count, true);
    if (!f && !spec) f = best(found, count, false);
    hg_status status = HG_OK;
    if (f)
        *chosen = *f;
    else
        status = not_found(found, count, spec);
    free(found);
    return status;
}
