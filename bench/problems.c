#include "problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/grow.h"
#include "bench.h"

#define FORM "8x64x56x56 64x3x3 s1x1 p1x1"

const char *const bench_directions[] = {"fwd", "bwd-data", "bwd-weights", NULL};

/* Copies a field; "s2", "p1", "d2" get their number once for each of `rank` dimensions. */
static bool add_field(char *key, const char *field, int length, int rank)
{
    size_t used = strlen(key);
    bool one = strchr("spd", field[0]) && (int)strspn(field + 1, "0123456789") == length - 1;
    for (int d = 0; d < (one ? rank : 1); d++) {
        const char *from = d ? field + 1 : field;
        int n = snprintf(key + used, HG_CONV_KEY - used, "%s%.*s", d ? "x" : " ", length - (d > 0), from);
        if (n < 0 || used + (size_t)n >= HG_CONV_KEY) return false;
        used += (size_t)n;
    }
    return true;
}

hg_status bench_parse_problem(const char *text, hg_conv_problem *p)
{
    char key[HG_CONV_KEY] = "fwd";
    const char *blank = " \t\r\n";
    int rank = -2;
    for (const char *at = text + strspn(text, blank); *at; at += strspn(at, blank)) {
        int length = (int)strcspn(at, blank);
        if (rank == -2) {
            rank = -1;
            for (int i = 0; i < length; i++) rank += at[i] == 'x';
        }
        if (!add_field(key, at, length, rank)) return hg_error(HG_E_FORMAT, "\"%.60s...\" is too long", text);
        at += length;
    }
    hg_status status = hg_conv_parse(key, p);
    if (status == HG_E_FORMAT) {
        hg_clear_error();
        return hg_error(HG_E_FORMAT, "\"%s\" cannot be read; write it as \"" FORM "\"", text);
    }
    HG_TRY(status);
    if (p->dtype != HG_F32 || p->epilogue || p->workspace_limit)
        return hg_error(HG_E_FORMAT, "\"%s\": only sizes, stride, padding, dilation and groups can be given", text);
    if (!p->batch || !p->channels || !p->outputs)
        return hg_error(HG_E_FORMAT, "\"%s\": batch, channels and outputs are at least 1", text);
    return HG_OK;
}

hg_status bench_add_problem(bench_problems *list, const hg_conv_problem *p)
{
    for (int i = 0; i < list->count; i++)
        if (!memcmp(&list->items[i], p, sizeof *p)) return HG_OK;
    hg_conv_problem *more = hg_grow(list->items, (size_t)list->count, 1, &list->capacity, sizeof *p);
    if (!more) return hg_error(HG_E_MEMORY, "bench: out of host memory");
    list->items = more;
    list->items[list->count++] = *p;
    return HG_OK;
}

static hg_status add_text(bench_problems *list, const char *name, const char *text, size_t size)
{
    int number = 0, before = list->count;
    for (const char *at = text, *end = text + size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        char line[512];
        number++;
        const char *comment = memchr(at, '#', length);
        size_t used = comment ? (size_t)(comment - at) : length;
        if (used >= sizeof line || memchr(at, 0, used))
            return hg_error(HG_E_FORMAT, "%s:%d: no line of a suite, which is text such as \"" FORM "\"", name, number);
        memcpy(line, at, used);
        line[used] = 0;
        while (used && strchr(" \t\r", line[used - 1])) line[--used] = 0;
        at += length + 1;
        if (!used) continue;
        hg_conv_problem p;
        hg_status status = bench_parse_problem(line, &p);
        if (status != HG_OK) {
            char what[400];
            snprintf(what, sizeof what, "%s", hg_last_error());
            hg_clear_error();
            return hg_error(status, "%s:%d: %s", name, number, what);
        }
        HG_TRY(bench_add_problem(list, &p));
    }
    return list->count > before || before ? HG_OK : hg_error(HG_E_FORMAT, "%s: there is no problem in it", name);
}

hg_status bench_add_suite(bench_problems *list, const char *name)
{
    char file[80];
    void *bytes;
    size_t size;
    snprintf(file, sizeof file, "%.70s.txt", name);
    const char *text = bench_text_named(file);
    if (text) return add_text(list, file, text, strlen(text));
    hg_status status = hg_read_file(name, &bytes, &size);
    if (status == HG_E_IO && !strchr(name, '/') && !strchr(name, '.')) {
        hg_clear_error();
        return hg_error(HG_E_ARG, "\"%s\" is neither a suite nor a file; the suites are %s", name, bench_suite_names());
    }
    HG_TRY(status);
    status = add_text(list, name, bytes, size);
    free(bytes);
    return status;
}

const char *bench_suite_names(void)
{
    static char names[256];
    names[0] = 0;
    for (const bench_text *t = bench_texts; t->name; t++) {
        size_t used = strlen(names), n = strlen(t->name);
        if (n > 4 && !strcmp(t->name + n - 4, ".txt"))
            snprintf(names + used, sizeof names - used, "%s%.*s", used ? ", " : "", (int)n - 4, t->name);
    }
    return names;
}

/* ---- random problems ---- */

static uint64_t next(uint64_t *state)   /* splitmix64 */
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int64_t pick(uint64_t *state, const int64_t *from, int n)
{
    return from[next(state) % (uint64_t)n];
}
#define PICK(state, ...)                                                                                               \
    pick(state, (int64_t[]){__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

static hg_conv_problem random_problem(uint64_t *state)
{
    hg_conv_problem p = {.rank = 2, .dtype = HG_F32, .groups = 1};
    p.batch = PICK(state, 1, 1, 2, 4, 8, 16, 32, 100);
    p.channels = PICK(state, 1, 3, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512);
    p.outputs = PICK(state, 6, 16, 32, 40, 64, 96, 128, 160, 256, 512);
    int64_t kernel = PICK(state, 1, 1, 3, 3, 3, 3, 3, 5, 7), stride = PICK(state, 1, 1, 1, 2),
            padding = next(state) % 4 ? kernel / 2 : 0;
    for (int d = 0; d < 2; d++) {
        p.size[d] = d && next(state) % 4 ? p.size[0] : PICK(state, 7, 8, 10, 12, 14, 16, 20, 28, 32, 49, 56, 75, 112);
        p.kernel[d] = kernel;
        p.stride[d] = stride;
        p.begin[d] = p.end[d] = padding;
        p.dilation[d] = 1;
    }
    if (next(state) % 12 == 0 && p.channels % 8 == 0 && p.outputs % 8 == 0) p.groups = 8;
    return p;
}

hg_status bench_add_random(bench_problems *list, int count, uint64_t seed)
{
    for (int wanted = list->count + count; list->count < wanted;) {
        hg_conv_problem p = random_problem(&seed);
        double flops = hg_conv_flops(&p);
        if (flops < 1e5 || flops > 2e9 || hg_conv_check(&p) != HG_OK) continue;
        HG_TRY(bench_add_problem(list, &p));
    }
    return HG_OK;
}

char *bench_problem_text(const hg_conv_problem *p, char out[HG_CONV_KEY])
{
    char key[HG_CONV_KEY];
    hg_conv_problem plain = *p;
    plain.direction = HG_CONV_FORWARD;
    plain.epilogue = 0;
    plain.workspace_limit = 0;
    hg_conv_key(&plain, key);
    char *type = strstr(key, " f32");
    if (type) memmove(type, type + 4, strlen(type + 4) + 1);
    return strcpy(out, key + strlen("fwd "));
}
