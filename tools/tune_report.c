/* What `hapgop tune` prints, and what programs read of it. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "tune.h"

static const hg_tuning_row *chosen(const tune_result *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->rows[i].chosen) return &r->rows[i];
    return NULL;
}

static const hg_tuning_row *heuristic(const tune_result *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->rows[i].heuristic) return &r->rows[i];
    return NULL;
}

/* ---- for people ---- */

void tune_print_head(void)
{
    printf("%-50s  %-16s %10s  %-16s %10s\n", "problem", "fastest", "ms", "unmeasured", "ms");
}

static void print_time(double ms)
{
    if (isfinite(ms)) printf(" %10.3f", ms);
    else printf(" %10s", "-");
}

void tune_print_result(const tune_result *r)
{
    const hg_tuning_row *best = chosen(r), *other = heuristic(r);
    printf("%-50s  %-16s", r->rows[0].problem, best->solver);
    print_time(best->ms);
    printf("  %-16s", other ? other->solver : "-");
    print_time(other ? other->ms : NAN);
    printf("\n");
    for (int i = 0; i < r->count; i++)
        if (r->rows[i].state == HG_TUNING_WRONG)
            printf("  wrong: %s (%s), error %.3g: it will not be chosen for this problem\n", r->rows[i].solver,
                   r->rows[i].config, r->rows[i].error);
}

static void time_text(int64_t when, char out[32])
{
    struct tm t;
    time_t seconds = (time_t)when;
    out[0] = 0;
    if (gmtime_r(&seconds, &t)) strftime(out, 32, "%Y-%m-%d %H:%M", &t);
}

void tune_print_list(const hg_tuning_row *rows, int count)
{
    if (count) printf("%-50s  %-16s %10s  %-16s %12s  %s\n", "problem", "solver", "ms", "configuration", "workspace",
                      "when (UTC)");
    for (int i = 0; i < count; i++) {
        char when[32];
        time_text(rows[i].when, when);
        printf("%-50s  %-16s", rows[i].problem, rows[i].solver);
        if (rows[i].state == HG_TUNING_WRONG) printf(" %10s", "wrong");
        else print_time(rows[i].ms);
        printf("  %-16s %12llu  %s\n", rows[i].config, (unsigned long long)rows[i].workspace, when);
    }
    printf("%d rows\n", count);
}

/* ---- for programs ---- */

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *row_json(const hg_tuning_row *r)
{
    static const char *const states[] = {[HG_TUNING_OK] = "ok", [HG_TUNING_WRONG] = "wrong",
                                         [HG_TUNING_SKIPPED] = "skipped"};
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:b, s:b, s:s}", "solver", r->solver, "configuration",
                     r->config, "state", states[r->state], "ms", number(r->ms), "expected_ms", number(r->expected_ms),
                     "error", number(r->error), "workspace", (json_int_t)r->workspace, "chosen", r->chosen, "heuristic",
                     r->heuristic, "why", r->why);
}

static json_t *result_json(const tune_result *r)
{
    json_t *candidates = json_array();
    for (int i = 0; i < r->count; i++) json_array_append_new(candidates, row_json(&r->rows[i]));
    return json_pack("{s:s, s:o}", "problem", r->rows[0].problem, "candidates", candidates);
}

bool tune_write_json(const char *path, hg_device *dev, const tune_result *results, int count)
{
    hg_device_info d;
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        if (results[i].count) json_array_append_new(list, result_json(&results[i]));
    if (hg_device_get_info(dev, &d) != HG_OK) d = (hg_device_info){0};
    json_t *root = json_pack("{s:{s:s, s:s, s:s, s:s, s:i}, s:o}", "device", "platform", d.platform, "name", d.name,
                             "driver", d.driver, "class", d.device_class == HG_CLASS_CPU ? "CPU" : "GPU", "units",
                             (int)d.units, "results", list);
    output_file f;
    bool good = root || output_error("out of memory");
    if (good && (good = output_open(&f, path))) {
        if (json_dumpf(root, f.stream, JSON_INDENT(2)) || fputc('\n', f.stream) == EOF) {
            output_abandon(&f);
            good = output_error("cannot write %s", path);
        } else {
            good = output_commit(&f);
        }
    }
    json_decref(root);
    return good;
}
