/* Devices, output and stopping: what every part needs. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "bench.h"

const char *bench_text_named(const char *name)
{
    for (const bench_text *t = bench_texts; t->name; t++)
        if (!strcmp(t->name, name)) return t->text;
    return NULL;
}

/* ---- stopping ---- */

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

void bench_catch_stop(void)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool bench_stopped(void)
{
    return stopped != 0;
}

/* ---- devices ---- */

static hg_status add_device(bench_devices *devices, const char *spec)
{
    if (devices->count == BENCH_DEVICES)
        return hg_error(HG_E_ARG, "more than %d devices; name fewer with --device", BENCH_DEVICES);
    hg_device *dev = hg_device_open(spec);
    if (!dev) return hg_last_status();
    devices->dev[devices->count++] = dev;
    return HG_OK;
}

/* The spec that opens entry `at` of the list: by its name, and how many before it that name matches too. */
static void spec_of(const hg_device_info *list, int at, char *out, size_t size)
{
    char full[300], other[300];
    int before = 0;
    snprintf(full, sizeof full, "%s / %s", list[at].platform, list[at].name);
    for (int i = 0; i < at; i++) {
        snprintf(other, sizeof other, "%s / %s", list[i].platform, list[i].name);
        before += !list[i].skipped[0] && strcasestr(other, full);
    }
    snprintf(out, size, "%.110s:%d", full, before);
}

static hg_status open_all(bench_devices *devices)
{
    hg_device_info *list;
    int count;
    char spec[128];
    hg_status status = HG_OK;
    HG_TRY(hg_device_list(&list, &count));
    for (int i = 0; i < count && status == HG_OK; i++) {
        if (list[i].skipped[0]) continue;
        spec_of(list, i, spec, sizeof spec);
        status = add_device(devices, spec);
    }
    free(list);
    if (status == HG_OK && !devices->count) return hg_error(HG_E_DEVICE, "no usable device; see hapgop devices");
    return status;
}

hg_status bench_open_devices(const char *spec, bench_devices *devices)
{
    char one[128];
    *devices = (bench_devices){0};
    if (!spec) return add_device(devices, NULL);
    if (!strcmp(spec, "all")) return open_all(devices);
    while (*spec) {
        size_t n = strcspn(spec, ",");
        snprintf(one, sizeof one, "%.*s", (int)n, spec);
        HG_TRY(add_device(devices, one));
        spec += n + (spec[n] == ',');
    }
    return devices->count ? HG_OK : hg_error(HG_E_ARG, "--device names none");
}

void bench_close_devices(bench_devices *devices)
{
    while (devices->count) hg_device_close(devices->dev[--devices->count]);
}

/* ---- output ---- */

json_t *bench_device_json(hg_device *dev, const bench_peak *peak)
{
    hg_device_info info;
    if (hg_device_get_info(dev, &info) != HG_OK) return NULL;
    json_t *root = json_pack("{s:s,s:s,s:s,s:s,s:i,s:s}", "platform", info.platform, "name", info.name, "driver",
                             info.driver, "class", info.device_class == HG_CLASS_CPU ? "CPU" : "GPU", "units",
                             (int)info.units, "hapgop", hg_version());
    json_t *more = !root || !peak
                       ? NULL
                       : json_pack("{s:f,s:f,s:f,s:f,s:f,s:f}", "peak_gflops", peak->gflops, "peak_gbps", peak->gbps,
                                   "gflops_vectors", peak->gflops_vectors, "gflops_lanes", peak->gflops_lanes,
                                   "gbps_copy", peak->gbps_copy, "gbps_triad", peak->gbps_triad);
    if (more) json_object_update(root, more);
    json_decref(more);
    return root;
}

bool bench_can_write(const char *path)
{
    hg_new_file file;
    struct stat info;
    if (!path) return true;
    if (!stat(path, &info) && S_ISDIR(info.st_mode)) {
        fprintf(stderr, BENCH_PROGRAM ": cannot write %s: it is a folder\n", path);
        return false;
    }
    if (hg_new_file_open(&file, path) != HG_OK) {
        fprintf(stderr, BENCH_PROGRAM ": %s\n", hg_last_error());
        return false;
    }
    hg_new_file_abandon(&file);
    return true;
}

bool bench_write_text(const char *text, const char *path)
{
    hg_new_file file;
    hg_clear_error();
    hg_status status = text ? hg_new_file_open(&file, path) : hg_error(HG_E_MEMORY, "%s: out of host memory", path);
    if (status == HG_OK) {
        fputs(text, file.stream);
        status = hg_new_file_commit(&file);
    }
    if (status != HG_OK) fprintf(stderr, BENCH_PROGRAM ": %s\n", hg_last_error());
    return status == HG_OK;
}

bool bench_write_json(json_t *root, const char *path)
{
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(8)) : NULL;
    hg_str line = {0};
    if (text) hg_str_add(&line, "%s\n", text);
    free(text);
    text = text ? hg_str_take(&line) : NULL;
    bool good = bench_write_text(text, path);
    free(text);
    json_decref(root);
    return good;
}

void bench_progress(int done, int total, const char *text)
{
    enum { WIDTH = 24 };
    if (!isatty(STDERR_FILENO)) return;
    int full = total > 0 ? WIDTH * done / total : 0;
    fprintf(stderr, "\r\033[K[%.*s%.*s] %d of %d  %.60s", full, "########################", WIDTH - full,
            "........................", done, total, text);
    fflush(stderr);
}

void bench_progress_hide(void)
{
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

void bench_complain(const char *part)
{
    bench_progress_hide();
    fprintf(stderr, BENCH_PROGRAM " %s: %s\n", part, hg_last_error());
    hg_clear_error();
}
