#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "cl/transfer.h"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static hg_status measure_events(hg_device *dev, hg_status (*work)(void *user), void *user, int runs, double *ms)
{
    HG_TRY(hg_profile_begin(dev));
    *ms = -1;
    for (int run = 0; run < runs; run++) {
        HG_TRY(work(user));
        double sum = hg_profile_take_ms(dev);
        if (sum < 0) return hg_last_status();
        if (*ms < 0 || sum < *ms) *ms = sum;
    }
    return hg_profile_end(dev);
}

hg_status bench_measure(hg_device *dev, hg_status (*work)(void *user), void *user, double seconds, bench_times *times)
{
    enum { WARM_UP = 3, LEAST = 5, MOST = 10000 };
    double *ms = malloc(MOST * sizeof *ms), start = 0;
    hg_status status = ms ? HG_OK : hg_error(HG_E_MEMORY, "bench: out of host memory");
    for (int run = 0; run < WARM_UP && status == HG_OK; run++) {
        status = work(user);
        if (status == HG_OK) status = hg_sync(dev);
    }
    int runs = 0;
    for (start = now_ms(); status == HG_OK && runs < MOST && (runs < LEAST || now_ms() - start < 1e3 * seconds);
         runs++) {
        double begin = now_ms();
        status = work(user);
        if (status == HG_OK) status = hg_sync(dev);
        ms[runs] = now_ms() - begin;
    }
    if (status == HG_OK) {
        qsort(ms, (size_t)runs, sizeof *ms, ascending);
        *times = (bench_times){.ms_median = ms[runs / 2], .ms_min = ms[0], .runs = runs};
        status = measure_events(dev, work, user, runs < 20 ? runs : 20, &times->device_ms);
    }
    free(ms);
    return status;
}

hg_status bench_fill(hg_device *dev, cl_mem mem, int64_t elements)
{
    enum { PIECE = 1 << 20 };
    float *values = malloc(PIECE * sizeof *values);
    if (!values) return hg_error(HG_E_MEMORY, "bench: out of host memory");
    uint32_t state = 1;
    for (int i = 0; i < PIECE; i++) {
        state = state * 1664525 + 1013904223;
        values[i] = (float)(int32_t)state / 2147483648.0f;
    }
    hg_status status = HG_OK;
    for (int64_t i = 0; i < elements && status == HG_OK; i += PIECE) {
        int64_t count = elements - i < PIECE ? elements - i : PIECE;
        status = hg_upload(dev, mem, (size_t)i * sizeof *values, values, (size_t)count * sizeof *values);
    }
    free(values);
    return status;
}

bool bench_write(hg_device *dev, json_t *results, const char *path)
{
    const hg_device_info *info = &dev->info;
    json_t *root =
        json_pack("{s:{s:s,s:s,s:s,s:s,s:i},s:o}", "device", "platform", info->platform, "name", info->name, "driver",
                  info->driver, "class", hg_is_cpu(dev) ? "CPU" : "GPU", "units", (int)info->units, "results", results);
    bool good = root && !json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    if (!good) fprintf(stderr, "hapgop-bench: cannot write %s\n", path);
    json_decref(root);
    return good;
}

const char *bench_option(const char *name, int argc, char **argv, int *i, bool *bad)
{
    size_t length = strlen(name);
    if (strncmp(argv[*i], name, length)) return NULL;
    if (argv[*i][length] == '=') return argv[*i] + length + 1;
    if (argv[*i][length]) return NULL;
    if (*i + 1 < argc) return argv[++*i];
    fprintf(stderr, "hapgop-bench %s: %s needs a value\n", argv[0], name);
    *bad = true;
    return NULL;
}
