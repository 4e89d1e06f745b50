/* hapgop-bench compare: two files of results side by side. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/args.h"
#include "base/grow.h"
#include "bench.h"

static const char about[] =
    "Compares two files that hapgop-bench conv, gemm or model wrote: two machines, or two versions of the library.\n"
    "A ratio is B over A: below 1, B is faster. Exit code 1 if a ratio is above --max-slowdown, or, with that option,\n"
    "if what worked in A does not in B; 2 if a file cannot be read.";

enum { KEY = 400 };

/* A result by what it is of. */
typedef struct result {
    char key[KEY], group[24];   /* group: its direction, layout or mode */
    double ms;                  /* NaN: none */
    bool ok, matched;
} result;

typedef struct results {
    result *items;
    int count;
    size_t capacity;
    char device[200];
} results;

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text ? text : "";
}

/* What the row is of: a convolution, a matrix product, or a network. */
static bool name_result(const json_t *row, int device, result *r)
{
    const char *network = text_of(row, "network"), *problem = text_of(row, "problem"),
               *direction = text_of(row, "direction"), *trans = text_of(row, "trans"), *mode = text_of(row, "mode");
    char prefix[24] = "";
    if (device) snprintf(prefix, sizeof prefix, "device %d: ", device + 1);
    if (*network)
        snprintf(r->key, KEY, "%s%.100s %.20s batch %lld", prefix, network, mode,
                 (long long)json_integer_value(json_object_get(row, "batch")));
    else if (*problem)
        snprintf(r->key, KEY, "%s%.20s%s%.200s %.100s", prefix, direction, *direction ? " " : "", problem,
                 *direction ? text_of(row, "algorithm") : trans);
    else
        return false;
    snprintf(r->group, sizeof r->group, "%.20s", *direction ? direction : *trans ? trans : mode);
    return true;
}

static bool add_results(results *list, const json_t *root, int device, const char *measure)
{
    size_t i;
    json_t *row, *rows = json_object_get(root, "results");
    if (!json_is_array(rows)) return false;
    json_array_foreach(rows, i, row) {
        const char *status = text_of(row, "status");
        json_t *value = json_object_get(row, measure);
        result r = {.ms = json_is_number(value) ? json_number_value(value) : NAN};
        if (!name_result(row, device, &r)) return false;
        r.ok = (!*status || !strcmp(status, "ok")) && r.ms > 0;
        result *more = hg_grow(list->items, (size_t)list->count, 1, &list->capacity, sizeof r);
        if (!more) return false;
        list->items = more;
        list->items[list->count++] = r;
    }
    return true;
}

static void complain(const char *path, const char *what)
{
    fprintf(stderr, BENCH_PROGRAM " compare: %s: %s\n", path, what);
}

static bool read_results(const char *path, const char *measure, results *list)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error), *devices = json_object_get(root, "devices");
    char what[300];
    bool good = root != NULL;
    if (!root) {
        snprintf(what, sizeof what, error.line > 0 ? "%s, line %d" : "%s", error.text, error.line);
        complain(path, what);
    } else if (devices) {
        for (size_t i = 0; good && i < json_array_size(devices); i++)
            good = add_results(list, json_array_get(devices, i), (int)i, measure);
    } else {
        good = add_results(list, root, 0, measure);
    }
    if (root && !good) complain(path, "these are no results of hapgop-bench conv, gemm or model");
    if (good) {
        json_t *first = json_object_get(devices ? json_array_get(devices, 0) : root, "device");
        snprintf(list->device, sizeof list->device, "%.150s, hapgop %.30s", text_of(first, "name"),
                 text_of(first, "hapgop"));
    }
    json_decref(root);
    return good;
}

static result *find(const results *list, const char *key)
{
    for (int i = 0; i < list->count; i++)
        if (!list->items[i].matched && !strcmp(list->items[i].key, key)) return &list->items[i];
    return NULL;
}

/* ---- means ---- */

enum { MOST_GROUPS = 16 };

typedef struct mean {
    char group[24];
    double logs;
    int count;
} mean;

static void add_to_mean(mean *means, const char *group, double ratio)
{
    int i = 0;
    while (i < MOST_GROUPS - 1 && means[i].count && strcmp(means[i].group, group)) i++;
    snprintf(means[i].group, sizeof means[i].group, "%s", group);
    means[i].logs += log(ratio);
    means[i].count++;
}

static void print_means(const mean *means)
{
    double logs = 0;
    int count = 0, groups = 0;
    for (int i = 0; i < MOST_GROUPS && means[i].count; i++, groups++) {
        printf("%-64s %31.3f  geometric mean of %d\n", means[i].group, exp(means[i].logs / means[i].count),
               means[i].count);
        logs += means[i].logs;
        count += means[i].count;
    }
    if (groups > 1) printf("%-64s %31.3f  geometric mean of %d\n", "all", exp(logs / count), count);
}

/* ---- comparing ---- */

/* What one side alone has; true if A had it and it worked. */
static bool print_alone(const results *list, const char *side)
{
    bool worked = false;
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].matched) continue;
        printf("only in %s: %s%s\n", side, list->items[i].key, list->items[i].ok ? "" : " (no time)");
        worked |= list->items[i].ok;
    }
    return worked;
}

static int compare(const results *a, const results *b, double most)
{
    mean means[MOST_GROUPS] = {0};
    int slower = 0, compared = 0;
    printf("A: %s\nB: %s\n%-64s %10s %10s %9s\n", a->device, b->device, "", "A ms", "B ms", "B / A");
    for (int i = 0; i < a->count; i++) {
        result *x = &a->items[i], *y = find(b, x->key);
        if (!y || (!x->ok && !y->ok)) {
            x->matched = y != NULL;
            if (y) y->matched = true;
            continue;
        }
        if (x->ok != y->ok) continue;       /* works on one side alone */
        double ratio = y->ms / x->ms;
        x->matched = y->matched = true;
        compared++;
        add_to_mean(means, x->group, ratio);
        bool over = most > 0 && ratio > most;
        slower += over;
        printf("%-64s %10.4f %10.4f %9.3f%s\n", x->key, x->ms, y->ms, ratio, over ? "  slower" : "");
    }
    print_means(means);
    bool lost = print_alone(a, "A");
    print_alone(b, "B");
    if (!compared) fprintf(stderr, BENCH_PROGRAM " compare: the files have no result in common\n");
    if (slower) fprintf(stderr, BENCH_PROGRAM " compare: %d above --max-slowdown %g\n", slower, most);
    if (lost && most > 0) fprintf(stderr, BENCH_PROGRAM " compare: what worked in A is not in B, or failed there\n");
    return !compared || (most > 0 && (slower || lost));
}

int compare_main(int argc, char **argv)
{
    static const char *const measures[] = {"ms_median", "ms_min", "ms_new_weights", "device_ms", "first_ms", NULL};
    int measure = 0;
    double most = 0;
    arg_option options[] = {
        {"max-slowdown", ARG_REAL, &most, "F", "the greatest ratio allowed, 1.1 for 10 % more time", 1e-9, 1e9},
        {"measure", ARG_CHOICE, &measure, NULL, "default: ms_median", .choices = measures},
    };
    arg_command command = {"compare", "A.json B.json [OPTIONS]", about, options, sizeof options / sizeof *options,
                           BENCH_PROGRAM};
    const char *rest[argc];
    int count, code = 2;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    if (count != 2) {
        args_complain(&command, "two files of results are needed, not %d", count);
        return 2;
    }
    results a = {0}, b = {0};
    if (read_results(rest[0], measures[measure], &a) && read_results(rest[1], measures[measure], &b))
        code = compare(&a, &b, most);
    free(a.items);
    free(b.items);
    return code;
}
