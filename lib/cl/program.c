#include "cl/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cl/cache.h"
#include "cl/device.h"
#include "cl/launch.h"

/* One variant of one source, and the kernels taken from it so far. */
struct variant {
    struct variant *next;
    uint64_t hash;
    const char *text;       /* of the source; `copy` if that is transient */
    char *copy, *options;
    cl_program program;     /* NULL: the build failed */
    struct kernel {
        struct kernel *next;
        cl_kernel kernel;
        char name[];
    } *kernels;
};

enum { BUCKETS = 256 };

struct hg_programs {
    struct variant *bucket[BUCKETS];
};

hg_programs *hg_programs_new(void)
{
    return calloc(1, sizeof(hg_programs));
}

static void free_variant(struct variant *v)
{
    while (v->kernels) {
        struct kernel *k = v->kernels;
        v->kernels = k->next;
        clReleaseKernel(k->kernel);
        free(k);
    }
    if (v->program) clReleaseProgram(v->program);
    free(v->copy);
    free(v->options);
    free(v);
}

void hg_programs_free(hg_programs *p)
{
    for (int b = 0; p && b < BUCKETS; b++) {
        while (p->bucket[b]) {
            struct variant *v = p->bucket[b];
            p->bucket[b] = v->next;
            free_variant(v);
        }
    }
    free(p);
}

static uint64_t hash_text(uint64_t h, const char *text)
{
    for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

/* The first lines of the log, for the error; the whole goes to the log topic "build". */
static void report_build(hg_device *dev, cl_program program, const hg_source *source, const char *options, cl_int code)
{
    size_t size = 0;
    clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *text = calloc(1, size + 1);
    if (text) clGetProgramBuildInfo(program, dev->id, CL_PROGRAM_BUILD_LOG, size, text, NULL);
    hg_log_message("build", "%s (%s): %s", source->name, options, text ? text : "");
    const char *start = text ? strstr(text, "error:") : NULL;
    hg_error(HG_E_DRIVER, "kernel file %s does not build on %s (options %s): %s: %.400s", source->name, dev->info.name,
             options, hg_cl_name(code), start ? start : text ? text : "");
    free(text);
}

static cl_program build(hg_device *dev, const hg_source *source, const char *options)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    cl_int code = CL_SUCCESS;
    cl_program program = hg_cache_load(dev, source, options);
    bool cached = program && clBuildProgram(program, 1, &dev->id, options, NULL, NULL) == CL_SUCCESS;
    if (!cached) {
        if (program) clReleaseProgram(program);
        program = clCreateProgramWithSource(dev->context, 1, (const char *[]){source->text}, NULL, &code);
        if (code != CL_SUCCESS) {
            hg_cl_error(code, "creating a program");
            return NULL;
        }
        code = clBuildProgram(program, 1, &dev->id, options, NULL, NULL);
        if (code != CL_SUCCESS) {
            report_build(dev, program, source, options, code);
            clReleaseProgram(program);
            return NULL;
        }
        hg_cache_store(dev, source, options, program);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    hg_log_message("build", "%s%s in %.3f s (%s)", source->name, cached ? " from the cache" : "",
           (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec), options);
    return program;
}

static bool same_source(const struct variant *v, const hg_source *source)
{
    return source->transient ? v->copy && !strcmp(v->copy, source->text) : v->text == source->text;
}

static struct variant *new_variant(const hg_source *source, const char *options, uint64_t hash)
{
    struct variant *v = calloc(1, sizeof *v);
    if (!v) return NULL;
    v->hash = hash;
    v->options = strdup(options);
    v->copy = source->transient ? strdup(source->text) : NULL;
    v->text = source->transient ? v->copy : source->text;
    if (v->options && v->text) return v;
    free_variant(v);
    return NULL;
}

static struct variant *find_variant(hg_device *dev, const hg_source *source, const char *options)
{
    uint64_t start = source->transient ? hash_text(UINT64_C(0xcbf29ce484222325), source->text)
                                       : (uint64_t)(uintptr_t)source->text * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = hash_text(start, options);
    struct variant **bucket = &dev->programs->bucket[hash % BUCKETS], *v;
    for (v = *bucket; v; v = v->next)
        if (v->hash == hash && same_source(v, source) && !strcmp(v->options, options)) return v;
    v = new_variant(source, options, hash);
    if (!v) {
        hg_error(HG_E_MEMORY, "building kernels: out of host memory");
        return NULL;
    }
    char full[1024];
    snprintf(full, sizeof full, "-DHG_CPU=%d -DHG_LANES=%d %s", hg_is_cpu(dev), hg_lanes(dev), options);
    v->program = build(dev, source, full);
    v->next = *bucket;
    *bucket = v;
    return v;
}

/* The program that has the kernels: the bundle's for the variant without options, unless that does not build. */
static struct variant *variant_for(hg_device *dev, const hg_source *source, const char *options)
{
    if (source->bundle && !*options) {
        bool clean = hg_last_status() == HG_OK;
        struct variant *v = find_variant(dev, source->bundle, options);
        if (v && v->program) return v;
        if (clean) hg_clear_error();
    }
    return find_variant(dev, source, options);
}

cl_kernel hg_kernel_get(hg_device *dev, const hg_source *source, const char *options, const char *name)
{
    struct variant *v = variant_for(dev, source, options ? options + strspn(options, " ") : "");
    if (!v) return NULL;
    if (!v->program) {
        hg_error(HG_E_DRIVER, "kernel file %s did not build (see the first error, or HAPGOP_LOG=build)", source->name);
        return NULL;
    }
    struct kernel *k;
    for (k = v->kernels; k; k = k->next)
        if (!strcmp(k->name, name)) return k->kernel;
    cl_int code;
    cl_kernel kernel = clCreateKernel(v->program, name, &code);
    if (code != CL_SUCCESS) {
        hg_error(HG_E_DRIVER, "kernel %s of %s: %s", name, source->name, hg_cl_name(code));
        return NULL;
    }
    k = malloc(sizeof *k + strlen(name) + 1);
    if (!k) {
        clReleaseKernel(kernel);
        hg_error(HG_E_MEMORY, "kernel %s: out of host memory", name);
        return NULL;
    }
    k->kernel = kernel;
    strcpy(k->name, name);
    k->next = v->kernels;
    v->kernels = k;
    return kernel;
}
