/* hapgop-bench conv: convolutions by every algorithm. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/args.h"
#include "base/error.h"
#include "conv.h"
#include "problems.h"

static const char about[] =
    "Measures convolutions in each direction by each algorithm, the algorithms of one problem in turns.\n\n"
    "A problem is \"NxCxHxW OxKHxKW sSHxSW pPHxPW dDHxDW gG\": input, outputs x kernel, stride, padding, dilation,\n"
    "groups. The last four may be left out; one number (s2) is for every dimension; one number fewer in the first two\n"
    "is one dimension, one more three. A suite is a text file with one a line; # begins a comment.\n\n"
    "Columns: the first call with its compilation; the median call until the queue is empty, the quartiles' distance\n"
    "in percent of it, the least, all with a weight that stands; the median with a new weight in each call; kernel\n"
    "time by events; share of the measured peak; workspace; RMS error over the largest value, against sums in double. * is\n"
    "what the library runs. Ctrl-C writes what was measured so far. Exit code 1 if a row failed.";

typedef struct settings {
    const char *device, *json, *csv, *html;
    arg_list suites, shapes;
    int direction;
    int64_t batch, random, seed;
    double peak;
    bool heuristic;
    bench_conv_options conv;
} settings;

static const char *const direction_choices[] = {"all", "fwd", "bwd-data", "bwd-weights", NULL};

static bool usage(const arg_command *c)
{
    args_complain(c, "%s", hg_last_error());
    hg_clear_error();
    return false;
}

/* The problems that are asked for, batches replaced. */
static bool find_problems(const arg_command *c, settings *s, bench_problems *list)
{
    hg_conv_problem p;
    bench_problems as_written = {0};
    hg_status status = HG_OK;
    if (!s->suites.count && !s->shapes.count && !s->random) s->suites.items[s->suites.count++] = "chapter";
    for (int i = 0; i < s->shapes.count && status == HG_OK; i++) {
        status = bench_parse_problem(s->shapes.items[i], &p);
        if (status == HG_OK) status = bench_add_problem(&as_written, &p);
    }
    for (int i = 0; i < s->suites.count && status == HG_OK; i++)
        status = bench_add_suite(&as_written, s->suites.items[i]);
    if (status == HG_OK && s->random) status = bench_add_random(&as_written, (int)s->random, (uint64_t)s->seed);
    for (int i = 0; i < as_written.count && status == HG_OK; i++) {
        p = as_written.items[i];
        if (s->batch) p.batch = s->batch;
        status = hg_conv_check(&p);
        if (status == HG_OK) status = bench_add_problem(list, &p);
    }
    free(as_written.items);
    return status == HG_OK || usage(c);
}

static bool prepare(const arg_command *c, settings *s, bench_problems *list)
{
    if (s->heuristic && strcmp(s->conv.algorithm, "all")) {
        args_complain(c, "--heuristic compares every algorithm; leave out --algorithm");
        return false;
    }
    if (s->heuristic) s->conv.configs = true;
    if (bench_check_algorithm(s->conv.algorithm) != HG_OK) return usage(c);
    return find_problems(c, s, list);
}

static hg_status measure_device(bench_results *r, const settings *s, const bench_problems *problems)
{
    int first = s->direction ? s->direction - 1 : 0, last = s->direction ? first : 2, done = 0;
    int total = problems->count * (last - first + 1);
    if (s->peak > 0) r->peak.gflops = s->peak;
    else HG_TRY(bench_measure_peak(r->dev, &r->peak));
    bench_print_header(r->dev, &r->peak);
    for (int i = 0; i < problems->count; i++) {
        int before = r->count;
        for (int d = first; d <= last && !bench_stopped(); d++) {
            hg_conv_problem p = problems->items[i];
            char text[HG_CONV_KEY];
            p.direction = d;
            bench_progress(done++, total, bench_problem_text(&p, text));
            HG_TRY(bench_conv(r, &p, &s->conv));
        }
        bench_progress_hide();
        bench_print_rows(r->rows + before, r->count - before);
    }
    if (s->heuristic) bench_print_heuristic(r);
    return HG_OK;
}

static bool write_all(const bench_results *list, int count, const settings *s)
{
    bool good = true;
    if (s->json) {
        json_t *root = bench_results_json(list, count), *judged = s->heuristic ? json_array() : NULL;
        for (int i = 0; judged && i < count; i++) json_array_append_new(judged, bench_heuristic_json(&list[i]));
        if (root && judged) json_object_set(root, "heuristic", count == 1 ? json_array_get(judged, 0) : judged);
        json_decref(judged);
        good &= bench_write_json(root, s->json);
    }
    if (s->csv) {
        char *text = bench_results_csv(list, count);
        good &= bench_write_text(text, s->csv);
        free(text);
    }
    if (s->html) {
        char *text = bench_results_html(list, count);
        good &= bench_write_text(text, s->html);
        free(text);
    }
    return good;
}

static int measure(const settings *s, const bench_problems *problems)
{
    bench_devices devices;
    bench_results results[BENCH_DEVICES] = {0};
    int count = 0, failed = 0;
    hg_status status = bench_open_devices(s->device, &devices);
    bench_catch_stop();
    if (s->random) printf("%lld random problems, seed %lld\n", (long long)s->random, (long long)s->seed);
    for (int i = 0; i < devices.count && status == HG_OK && !bench_stopped(); i++) {
        results[count].dev = devices.dev[i];
        status = measure_device(&results[count++], s, problems);
    }
    if (status != HG_OK) bench_complain("conv");
    bool written = !count || write_all(results, count, s);
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < results[i].count; k++) failed += results[i].rows[k].status == BENCH_FAILED;
        free(results[i].rows);
    }
    bench_close_devices(&devices);
    if (failed) fprintf(stderr, BENCH_PROGRAM " conv: %d failed\n", failed);
    return status != HG_OK || !written || failed ? 1 : bench_stopped() ? 130 : 0;
}

int conv_main(int argc, char **argv)
{
    settings s = {.seed = 1, .conv = {.seconds = 0.2, .tolerance = 1, .algorithm = "all"}};
    char suites[300];
    snprintf(suites, sizeof suites, "%s, or a file; may be repeated; default: chapter", bench_suite_names());
    arg_option options[] = {
        {"suite", ARG_LIST, &s.suites, "NAME", suites},
        {"shape", ARG_LIST, &s.shapes, "PROBLEM", "a problem; may be repeated"},
        {"random", ARG_INT, &s.random, "N", "N random two-dimensional problems", 1, 100000},
        {"seed", ARG_INT, &s.seed, "S", "of the random problems; default 1", 0, 9e15},
        {"batch", ARG_INT, &s.batch, "N", "instead of each problem's batch", 1, 65536},
        {"direction", ARG_CHOICE, &s.direction, NULL, "default: all", .choices = direction_choices},
        {"algorithm", ARG_TEXT, &s.conv.algorithm, "NAMES", "all, auto, or names separated by commas; default: all"},
        {"configs", ARG_FLAG, &s.conv.configs, .help = "every configuration of an algorithm on its own"},
        {"heuristic", ARG_FLAG, &s.heuristic,
         .help = "compare the choice by expected time with the best of all configurations"},
        {"device", ARG_TEXT, &s.device, "SPEC",
         "a device, several separated by commas, or all; as hapgop devices names them"},
        {"seconds", ARG_REAL, &s.conv.seconds, "S", "of measuring each algorithm; default 0.2", 0, 3600},
        {"peak", ARG_REAL, &s.peak, "G", "GFLOP/s to take as the device's peak, instead of measuring it", 1e-3, 1e12},
        {"tolerance", ARG_REAL, &s.conv.tolerance, "F", "a factor for the bounds of the error; default 1", 0, 1e9},
        {"json", ARG_TEXT, &s.json, "FILE", "write the results as JSON"},
        {"csv", ARG_TEXT, &s.csv, "FILE", "write them as CSV"},
        {"html", ARG_TEXT, &s.html, "FILE", "write them as a page with charts, which needs no other file"},
    };
    arg_command command = {"conv", "[OPTIONS]", about, options, sizeof options / sizeof *options, BENCH_PROGRAM};
    const char *rest[argc];
    int count;
    bench_problems problems = {0};
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed == ARGS_OK && count) args_complain(&command, "unknown argument %s", rest[0]);
    if (parsed != ARGS_OK || count) return parsed == ARGS_HELP ? 0 : 2;
    int code = 2;
    if (prepare(&command, &s, &problems))
        code = bench_can_write(s.json) && bench_can_write(s.csv) && bench_can_write(s.html) ? measure(&s, &problems)
                                                                                            : 1;
    free(problems.items);
    return code;
}
