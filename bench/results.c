#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/grow.h"
#include "base/str.h"
#include "cl/device.h"
#include "problems.h"

const char *const bench_status_names[] = {"ok", "unsupported", "failed"};

bench_row *bench_new_row(bench_results *r)
{
    bench_row *more = hg_grow(r->rows, (size_t)r->count, 1, &r->capacity, sizeof *more);
    if (!more) {
        hg_error(HG_E_MEMORY, "bench: out of host memory");
        return NULL;
    }
    r->rows = more;
    r->rows[r->count] = (bench_row){0};
    return &r->rows[r->count++];
}

/* ---- JSON ---- */

/* A number where there is one: null for what was not measured. */
static json_t *number(const bench_row *r, double value)
{
    return r->status == BENCH_OK && isfinite(value) ? json_real(value) : json_null();
}

static json_t *row_json(const bench_row *r)
{
    json_t *error = isfinite(r->rms_error) && r->status != BENCH_UNSUPPORTED ? json_real(r->rms_error) : json_null();
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:o,s:i,s:b}", "problem",
                     r->problem, "direction", bench_directions[r->direction], "algorithm", r->algorithm, "solver",
                     r->solver, "status", bench_status_names[r->status], "reason", r->reason, "first_ms",
                     number(r, r->first_ms), "ms_median", number(r, r->ms_median), "ms_min", number(r, r->ms_min),
                     "ms_p25", number(r, r->ms_p25), "ms_p75", number(r, r->ms_p75), "ms_new_weights",
                     number(r, r->ms_new_weights), "device_ms", number(r, r->device_ms), "gflops",
                     number(r, r->gflops), "percent_of_peak", number(r, r->percent_of_peak), "workspace_bytes",
                     (json_int_t)r->workspace, "rms_error", error, "runs", r->runs, "chosen", r->chosen);
}

static json_t *device_results(const bench_results *r)
{
    json_t *rows = json_array();
    int failed = 0;
    for (int i = 0; i < r->count; i++) failed |= json_array_append_new(rows, row_json(&r->rows[i]));
    json_t *root = json_pack("{s:o,s:o}", "device", bench_device_json(r->dev, &r->peak), "results", rows);
    if (!failed) return root;
    json_decref(root);
    return NULL;
}

json_t *bench_results_json(const bench_results *list, int count)
{
    if (count == 1) return device_results(list);
    json_t *devices = json_array();
    int failed = 0;
    for (int i = 0; i < count; i++) failed |= json_array_append_new(devices, device_results(&list[i]));
    json_t *root = json_pack("{s:o}", "devices", devices);
    if (!failed) return root;
    json_decref(root);
    return NULL;
}

/* ---- CSV ---- */

/* A text field, quoted; its quotes are doubled. */
static void add_quoted(hg_str *s, const char *text)
{
    hg_str_add(s, "\"");
    for (; *text; text++) hg_str_add(s, *text == '"' ? "\"\"" : "%c", *text);
    hg_str_add(s, "\",");
}

static void add_number(hg_str *s, const bench_row *r, double value)
{
    if (r->status == BENCH_OK && isfinite(value)) hg_str_add(s, "%.8g", value);
    hg_str_add(s, ",");
}

char *bench_results_csv(const bench_results *list, int count)
{
    hg_str s = {0};
    hg_str_add(&s, "device,problem,direction,algorithm,solver,status,reason,first_ms,ms_median,ms_min,ms_p25,ms_p75,"
                   "ms_new_weights,device_ms,gflops,percent_of_peak,rms_error,workspace_bytes,runs,chosen\n");
    for (int d = 0; d < count; d++) {
        for (int i = 0; i < list[d].count; i++) {
            const bench_row *r = &list[d].rows[i];
            double numbers[] = {r->first_ms,       r->ms_median, r->ms_min, r->ms_p25,          r->ms_p75,
                                r->ms_new_weights, r->device_ms, r->gflops, r->percent_of_peak, r->rms_error};
            add_quoted(&s, list[d].dev->info.name);
            add_quoted(&s, r->problem);
            hg_str_add(&s, "%s,", bench_directions[r->direction]);
            add_quoted(&s, r->algorithm);
            add_quoted(&s, r->solver);
            hg_str_add(&s, "%s,", bench_status_names[r->status]);
            add_quoted(&s, r->reason);
            for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) add_number(&s, r, numbers[k]);
            hg_str_add(&s, "%zu,%d,%d\n", r->workspace, r->runs, r->chosen);
        }
    }
    return hg_str_take(&s);
}

/* ---- terminal ---- */

void bench_print_header(hg_device *dev, const bench_peak *peak)
{
    const hg_device_info *info = &dev->info;
    printf("%s / %s, driver %s\n", info->platform, info->name, info->driver);
    printf("measured peak: %.1f GFLOP/s, %.1f GB/s\n", peak->gflops, peak->gbps);
    printf("%-11s   %-20s %8s %9s %7s %9s %9s %9s %8s %6s %9s %7s\n", "direction", "algorithm", "first ms", "median ms",
           "spread", "min ms", "new w. ms", "device ms", "GFLOP/s", "peak", "workspace", "error");
}

static char *size_text(size_t bytes, char out[24])
{
    if (bytes < 10000) snprintf(out, 24, "%zu B", bytes);
    else if (bytes < 1000000) snprintf(out, 24, "%.0f KB", 1e-3 * (double)bytes);
    else snprintf(out, 24, "%.1f MB", 1e-6 * (double)bytes);
    return out;
}

static void print_row(const bench_row *r)
{
    char workspace[24];
    printf("%-11s %s %-20s ", bench_directions[r->direction], r->chosen ? "*" : " ", r->algorithm);
    if (r->status != BENCH_OK) {
        printf("%s: %s\n", bench_status_names[r->status], r->reason);
        return;
    }
    printf("%8.1f %9.4f %6.1f%% %9.4f %9.4f %9.4f %8.1f %5.1f%% %9s %7.1e\n", r->first_ms, r->ms_median,
           100 * (r->ms_p75 - r->ms_p25) / r->ms_median, r->ms_min, r->ms_new_weights, r->device_ms, r->gflops,
           r->percent_of_peak, size_text(r->workspace, workspace), r->rms_error);
}

void bench_print_rows(const bench_row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        if (!i || strcmp(rows[i].problem, rows[i - 1].problem)) printf("%s\n", rows[i].problem);
        print_row(&rows[i]);
    }
}
