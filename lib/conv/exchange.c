/* Rows of the tuning database as text:
 *
 *   hapgop tuning 1
 *   # device, solvers, problem, solver, configuration, ms, workspace, error, state, when
 *   Portable Computing Language / pthread-... / CPU / 2 units<TAB>1-0a1b2c3d<TAB>fwd 8x64x56x56 ...<TAB>...
 *
 * Fields are separated by tabs, "-" is a number that is not known, state is ok or wrong, when is UTC. Lines that begin
 * with # and empty ones are passed over. */
#define _GNU_SOURCE
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/grow.h"
#include "base/repr.h"
#include "conv/database.h"

enum { VERSION = 1, FIELDS = 10 };
static const char magic[] = "hapgop tuning ", time_format[] = "%Y-%m-%dT%H:%M:%SZ";

/* ---- export ---- */

static void write_number(FILE *f, double v, int decimals, char conversion)
{
    char text[64] = "-";
    if (isfinite(v)) hg_format_real(v, decimals, conversion, text, sizeof text);
    fprintf(f, "\t%s", text);
}

static void write_row(FILE *f, const char *device, const hg_tuning_row *row)
{
    char solvers[64], when[64] = "";
    struct tm t;
    time_t seconds = (time_t)row->when;
    if (gmtime_r(&seconds, &t)) strftime(when, sizeof when, time_format, &t);
    fprintf(f, "%s\t%s\t%s\t%s\t%s", device, hg_database_solvers(solvers), row->problem, row->solver, row->config);
    write_number(f, row->ms, 6, 'f');
    fprintf(f, "\t%llu", (unsigned long long)row->workspace);
    write_number(f, row->error, 2, 'e');
    fprintf(f, "\t%s\t%s\n", row->state == HG_TUNING_OK ? "ok" : "wrong", when);
}

hg_status hg_tuning_export(hg_device *dev, const char *path)
{
    char device[HG_DATABASE_TEXT], why[HG_DATABASE_WHY];
    hg_tuning_row *rows;
    hg_new_file f;
    int count;
    if (!dev || !path) return hg_error(HG_E_ARG, "tuning export: NULL");
    if (!hg_database_find(hg_database_device(dev, device), NULL, &rows, &count, why))
        return hg_error(HG_E_IO, "tuning export: %s", why);
    hg_status status = hg_new_file_open(&f, path);
    if (status == HG_OK) {
        fprintf(f.stream,
                "%s%d\n# device, solvers, problem, solver, configuration, ms, workspace, error, state, when\n", magic,
                VERSION);
        for (int i = 0; i < count; i++) write_row(f.stream, device, &rows[i]);
        status = hg_new_file_commit(&f);
    }
    free(rows);
    return status;
}

/* ---- import ---- */

/* A file being read. */
typedef struct reader {
    const char *path;
    int line;
    locale_t c; /* numbers have '.' */
    char wrong[200];
} reader;

/* Notes what is wrong with the line; false. */
static bool bad(reader *r, const char *what, const char *text)
{
    snprintf(r->wrong, sizeof r->wrong, "\"%.80s\" is no %s", text, what);
    return false;
}

static bool read_text(reader *r, const char *text, const char *what, const char *letters, char *out, size_t size)
{
    size_t n = strlen(text);
    if (!n || n >= size || (letters && strspn(text, letters) != n)) return bad(r, what, text);
    memcpy(out, text, n + 1);
    return true;
}

static bool read_number(reader *r, const char *text, const char *what, double *v)
{
    char *end;
    *v = NAN;
    if (!strcmp(text, "-")) return true;
    *v = strtod_l(text, &end, r->c);
    return (strspn(text, "0123456789.e+-") == strlen(text) && end != text && !*end && isfinite(*v) && *v >= 0) ||
           bad(r, what, text);
}

static bool read_size(reader *r, const char *text, uint64_t *v)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    *v = (uint64_t)n;
    return (*text >= '0' && *text <= '9' && !*end && !errno) || bad(r, "number of bytes", text);
}

static bool read_time(reader *r, const char *text, int64_t *when)
{
    struct tm t = {0};
    const char *end = strptime(text, time_format, &t);
    if (!end || *end) return bad(r, "time like 2026-01-31T12:00:00Z", text);
    *when = (int64_t)timegm(&t);
    return true;
}

static bool read_problem(reader *r, const char *text, char out[HG_CONV_KEY])
{
    hg_conv_problem p;
    bool clean = hg_last_status() == HG_OK;
    if (hg_conv_parse(text, &p) == HG_OK) {
        hg_conv_key(&p, out);
        return true;
    }
    if (clean) hg_clear_error();
    return bad(r, "convolution like \"fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32\"", text);
}

static bool read_state(reader *r, const char *text, hg_tuning_row *row)
{
    row->state = strcmp(text, "ok") ? HG_TUNING_WRONG : HG_TUNING_OK;
    if (row->state == HG_TUNING_OK && !(row->ms > 0)) return bad(r, "time of a right result in ms", "-");
    return !strcmp(text, "ok") || !strcmp(text, "wrong") || bad(r, "state; there are ok and wrong", text);
}

static bool read_row(reader *r, char *line, hg_database_row *row)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789-_", config[] = "0123456789-,/";
    char *field[FIELDS], *rest = line;
    int n = 0;
    while (rest && n < FIELDS) field[n++] = strsep(&rest, "\t");
    if (n < FIELDS || rest) {
        snprintf(r->wrong, sizeof r->wrong, "%s%d fields separated by tabs, there should be %d",
                 rest ? "more than " : "", n, FIELDS);
        return false;
    }
    *row = (hg_database_row){.row = {.expected_ms = NAN}};
    hg_tuning_row *t = &row->row;
    return read_text(r, field[0], "device", NULL, row->device, sizeof row->device) &&
           read_text(r, field[1], "set of solvers", name, row->solvers, sizeof row->solvers) &&
           read_problem(r, field[2], t->problem) &&
           read_text(r, field[3], "solver", name, t->solver, sizeof t->solver) &&
           read_text(r, field[4], "configuration", config, t->config, sizeof t->config) &&
           read_number(r, field[5], "time in ms", &t->ms) && read_size(r, field[6], &t->workspace) &&
           read_number(r, field[7], "error", &t->error) && read_state(r, field[8], t) &&
           read_time(r, field[9], &t->when);
}

static hg_status check_header(const reader *r, const char *line)
{
    char *end = (char *)line;
    long version = -1;
    if (!strncmp(line, magic, sizeof magic - 1)) version = strtol(line + sizeof magic - 1, &end, 10);
    if (version == VERSION && !*end) return HG_OK;
    if (version >= 0 && !*end)
        return hg_error(HG_E_FORMAT, "tuning import: %s:1: version %ld, this program reads version %d; export it anew "
                                     "with the same program", r->path, version, VERSION);
    return hg_error(HG_E_FORMAT, "tuning import: %s:1: not \"%s%d\"; give a file that hapgop tune --export wrote",
                    r->path, magic, VERSION);
}

/* All rows of the text, which is cut up. */
static hg_status read_rows(reader *r, char *text, hg_database_row **rows, int *count)
{
    size_t capacity = 0;
    for (char *line; (line = strsep(&text, "\n")); r->line++) {
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r') line[--n] = 0;
        if (r->line == 1) HG_TRY(check_header(r, line));
        if (r->line == 1 || !n || *line == '#') continue;
        hg_database_row *more = hg_grow(*rows, (size_t)*count, 1, &capacity, sizeof **rows);
        if (!more) return hg_error(HG_E_MEMORY, "tuning import: %s: out of host memory", r->path);
        *rows = more;
        if (!read_row(r, line, &more[*count]))
            return hg_error(HG_E_FORMAT, "tuning import: %s:%d: %s; nothing was taken, mend or remove the line",
                            r->path, r->line, r->wrong);
        ++*count;
    }
    return HG_OK;
}

static hg_status import(reader *r)
{
    char why[HG_DATABASE_WHY];
    hg_database_row *rows = NULL;
    void *bytes;
    size_t size;
    int count = 0;
    HG_TRY(hg_read_file(r->path, &bytes, &size));
    hg_status status = strlen(bytes) == size ? read_rows(r, bytes, &rows, &count)
                                             : hg_error(HG_E_FORMAT, "tuning import: %s: not text; give a file that "
                                                                     "hapgop tune --export wrote", r->path);
    if (status == HG_OK && !hg_database_put(rows, count, why))
        status = hg_error(HG_E_IO, "tuning import: %s", why);
    free(rows);
    free(bytes);
    return status;
}

hg_status hg_tuning_import(hg_device *dev, const char *path)
{
    if (!dev || !path) return hg_error(HG_E_ARG, "tuning import: NULL");
    reader r = {.path = path, .line = 1, .c = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    if (!r.c) return hg_error(HG_E_MEMORY, "tuning import: out of host memory");
    hg_status status = import(&r);
    freelocale(r.c);
    return status;
}
