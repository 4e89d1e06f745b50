#include "conv/database.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/grow.h"
#include "base/log.h"

/* VERSION: of the tables. SOLVERS: raised when a solver's configurations mean something else or its speed changes. */
enum { VERSION = 1, SOLVERS = 1, READ_WAIT_MS = 100, WRITE_WAIT_MS = 1000 };

static const char table[] = "CREATE TABLE tuning (device TEXT NOT NULL, solvers TEXT NOT NULL, shape TEXT NOT NULL,"
                            " batch INTEGER NOT NULL, solver TEXT NOT NULL, config TEXT NOT NULL, ms REAL,"
                            " workspace INTEGER NOT NULL, error REAL, state TEXT NOT NULL, at INTEGER NOT NULL,"
                            " PRIMARY KEY (device, solvers, shape, batch, solver, config)) WITHOUT ROWID;"
                            "PRAGMA user_version = 1";
_Static_assert(VERSION == 1, "the table sets its version");

/* ---- what rows hold for ---- */

char *hg_database_device(const hg_device *dev, char out[HG_DATABASE_TEXT])
{
    const hg_device_info *d = &dev->info;
    snprintf(out, HG_DATABASE_TEXT, "%s / %s / driver %s / %s / %u units", d->platform, d->name, d->driver,
             hg_is_cpu(dev) ? "CPU" : "GPU", d->units);
    for (char *at = out; *at; at++)
        if ((unsigned char)*at < ' ') *at = ' ';
    return out;
}

char *hg_database_solvers(char out[64])
{
    uint32_t h = UINT32_C(0x811c9dc5);
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++) {
        for (const char *at = (*s)->name; *at; at++) h = (h ^ (unsigned char)*at) * UINT32_C(0x01000193);
        h = (h ^ 0xff) * UINT32_C(0x01000193);
    }
    snprintf(out, 64, "%d-%08x", SOLVERS, h);
    return out;
}

hg_conv_problem hg_database_problem(const hg_device *dev, const hg_conv_problem *p)
{
    hg_conv_problem usual = *p;
    memset(usual.solver, 0, sizeof usual.solver);
    if (usual.workspace_limit == hg_conv_usual_limit(dev)) usual.workspace_limit = 0;
    return usual;
}

/* A problem's text without its batch, which is 0 there. False if it is none. */
static bool split(const char *problem, char shape[HG_CONV_KEY], int64_t *batch)
{
    hg_conv_problem p;
    bool clean = hg_last_status() == HG_OK;
    if (hg_conv_parse(problem, &p) != HG_OK) {
        if (clean) hg_clear_error();
        return false;
    }
    *batch = p.batch;
    p.batch = 0;
    hg_conv_key(&p, shape);
    return true;
}

/* ---- opening ---- */

typedef struct base {
    sqlite3 *db;
    char path[3100];
    char *why;
    bool damaged; /* what went wrong is that */
} base;

/* Notes what went wrong, for the caller and once for the log. Returns false. */
static bool trouble(base *b, int code)
{
    enum { DAMAGED, BUSY, OTHER, KINDS };
    static int said[KINDS];
    int primary = code & 0xff, kind = OTHER;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) kind = DAMAGED;
    if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) kind = BUSY;
    b->damaged = kind == DAMAGED;
    snprintf(b->why, HG_DATABASE_WHY, "%.300s: %s", b->path,
             kind == DAMAGED ? "the tuning database is damaged; remove it"
             : kind == BUSY  ? "another process keeps the tuning database busy"
                             : sqlite3_errstr(code));
    if (!__atomic_exchange_n(&said[kind], 1, __ATOMIC_RELAXED)) hg_log_message("conv", "tuning database: %s", b->why);
    return false;
}

static bool other_version(base *b, int version)
{
    static int said;
    snprintf(b->why, HG_DATABASE_WHY, "%.300s: a tuning database of version %d, this is %d; remove it", b->path,
             version, VERSION);
    if (!__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED)) hg_log_message("conv", "tuning database: %s", b->why);
    return false;
}

static bool run_sql(base *b, const char *sql)
{
    int code = sqlite3_exec(b->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || trouble(b, code);
}

/* The one number that a query gives. */
static bool number_of(base *b, const char *sql, int *number)
{
    sqlite3_stmt *s = NULL;
    *number = 0;
    int code = sqlite3_prepare_v2(b->db, sql, -1, &s, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(s);
    if (code == SQLITE_ROW) *number = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return code == SQLITE_ROW || trouble(b, code);
}

static bool find_path(base *b)
{
    char folder[3000];
    if (!hg_cache_folder(folder, sizeof folder)) {
        snprintf(b->why, HG_DATABASE_WHY, "no place for the tuning database: neither XDG_CACHE_HOME nor HOME is set");
        return false;
    }
    snprintf(b->path, sizeof b->path, "%s/tuning.sqlite", folder);
    return true;
}

static bool open_base(base *b, int flags, int wait)
{
    int code = sqlite3_open_v2(b->path, &b->db, SQLITE_OPEN_READWRITE | flags, NULL);
    if (code != SQLITE_OK) return trouble(b, code);
    sqlite3_busy_timeout(b->db, wait);
    sqlite3_db_config(b->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return run_sql(b, "PRAGMA trusted_schema = OFF");
}

/* ---- reading ---- */

static void read_row(sqlite3_stmt *s, const hg_conv_problem *shape, hg_tuning_row *row)
{
    hg_conv_problem p = *shape;
    p.batch = sqlite3_column_int64(s, 1);
    *row = (hg_tuning_row){.expected_ms = NAN, .ms = NAN, .error = NAN};
    hg_conv_key(&p, row->problem);
    snprintf(row->solver, sizeof row->solver, "%s", (const char *)sqlite3_column_text(s, 2));
    snprintf(row->config, sizeof row->config, "%s", (const char *)sqlite3_column_text(s, 3));
    if (sqlite3_column_type(s, 4) == SQLITE_FLOAT) row->ms = sqlite3_column_double(s, 4);
    row->workspace = (uint64_t)sqlite3_column_int64(s, 5);
    if (sqlite3_column_type(s, 6) == SQLITE_FLOAT) row->error = sqlite3_column_double(s, 6);
    row->state = strcmp((const char *)sqlite3_column_text(s, 7), "ok") ? HG_TUNING_WRONG : HG_TUNING_OK;
    row->when = sqlite3_column_int64(s, 8);
}

/* All rows of a prepared query; what is no problem (a foreign hand wrote it) is passed over. */
static bool read_rows(base *b, sqlite3_stmt *s, hg_tuning_row **rows, int *count)
{
    size_t capacity = 0;
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        hg_conv_problem shape;
        bool clean = hg_last_status() == HG_OK;
        if (!sqlite3_column_text(s, 0) || !sqlite3_column_text(s, 2) || !sqlite3_column_text(s, 3) ||
            !sqlite3_column_text(s, 7))
            return trouble(b, SQLITE_NOMEM); /* they cannot be NULL */
        if (hg_conv_parse((const char *)sqlite3_column_text(s, 0), &shape) != HG_OK) {
            if (clean) hg_clear_error();
            continue;
        }
        hg_tuning_row *more = hg_grow(*rows, (size_t)*count, 1, &capacity, sizeof **rows);
        if (!more) return trouble(b, SQLITE_NOMEM);
        *rows = more;
        read_row(s, &shape, &more[(*count)++]);
    }
    return code == SQLITE_DONE || trouble(b, code);
}

static bool find(base *b, const char *device, const hg_conv_problem *p, hg_tuning_row **rows, int *count)
{
    char shape[HG_CONV_KEY], solvers[64];
    hg_conv_problem any = p ? *p : (hg_conv_problem){0};
    int version = 0, tables = 0;
    if (!open_base(b, 0, READ_WAIT_MS) || !number_of(b, "PRAGMA user_version", &version)) return false;
    if (!version && !number_of(b, "SELECT count(*) FROM sqlite_master", &tables)) return false;
    if (!version && !tables) return true; /* its first writer came no further */
    if (version != VERSION) return other_version(b, version);
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(b->db,
                                  "SELECT shape, batch, solver, config, ms, workspace, error, state, at FROM tuning"
                                  " WHERE device = ?1 AND solvers = ?2 AND shape BETWEEN ?3 AND ?4"
                                  " ORDER BY shape, batch, ms, solver, config",
                                  -1, &s, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 1, device, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 2, hg_database_solvers(solvers), -1, SQLITE_STATIC);
    any.batch = 0;
    if (p) hg_conv_key(&any, shape);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 3, p ? shape : "", -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 4, p ? shape : "~", -1, SQLITE_STATIC); /* after all letters */
    bool good = code == SQLITE_OK ? read_rows(b, s, rows, count) : trouble(b, code);
    sqlite3_finalize(s);
    return good;
}

bool hg_database_find(const char *device, const hg_conv_problem *p, hg_tuning_row **rows, int *count,
                      char why[HG_DATABASE_WHY])
{
    base b = {.why = why};
    *rows = NULL;
    *count = 0;
    if (!find_path(&b)) return false;
    if (access(b.path, F_OK)) return true;
    bool good = find(&b, device, p, rows, count);
    sqlite3_close(b.db);
    if (good) return true;
    free(*rows);
    *rows = NULL;
    *count = 0;
    return false;
}

/* ---- writing ---- */

/* Inside the transaction: a database that is new gets its table. */
static bool prepare_table(base *b)
{
    int version = 0, tables = 0;
    if (!number_of(b, "PRAGMA user_version", &version) || !number_of(b, "SELECT count(*) FROM sqlite_master", &tables))
        return false;
    if (version == VERSION) return true;
    return version || tables ? other_version(b, version) : run_sql(b, table);
}

static int bind_real(sqlite3_stmt *s, int at, double v)
{
    return isfinite(v) ? sqlite3_bind_double(s, at, v) : sqlite3_bind_null(s, at);
}

static int bind_row(sqlite3_stmt *s, const hg_database_row *r, const char *shape, int64_t batch)
{
    const char *state = r->row.state == HG_TUNING_OK ? "ok" : "wrong";
    const char *text[] = {r->device, r->solvers, shape, NULL, r->row.solver, r->row.config};
    int code = sqlite3_reset(s);
    for (int i = 0; i < 6 && code == SQLITE_OK; i++)
        code = text[i] ? sqlite3_bind_text(s, i + 1, text[i], -1, SQLITE_STATIC) : sqlite3_bind_int64(s, i + 1, batch);
    if (code == SQLITE_OK) code = bind_real(s, 7, r->row.ms);
    if (code == SQLITE_OK) code = sqlite3_bind_int64(s, 8, (int64_t)r->row.workspace);
    if (code == SQLITE_OK) code = bind_real(s, 9, r->row.error);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 10, state, -1, SQLITE_STATIC);
    return code == SQLITE_OK ? sqlite3_bind_int64(s, 11, r->row.when) : code;
}

static bool insert_rows(base *b, const hg_database_row *rows, int count)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(b->db,
                                  "INSERT INTO tuning VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                                  " ON CONFLICT DO UPDATE SET ms = excluded.ms, workspace = excluded.workspace,"
                                  " error = excluded.error, state = excluded.state, at = excluded.at"
                                  " WHERE excluded.state = 'wrong' OR (state = 'ok' AND excluded.at >= at)",
                                  -1, &s, NULL);
    for (int i = 0; i < count && code == SQLITE_OK; i++) {
        char shape[HG_CONV_KEY];
        int64_t batch;
        if (!split(rows[i].row.problem, shape, &batch)) continue;
        code = bind_row(s, &rows[i], shape, batch);
        if (code == SQLITE_OK) code = sqlite3_step(s);
        if (code == SQLITE_DONE) code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code == SQLITE_OK || trouble(b, code);
}

static bool remove_rows(base *b, const char *device)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(b->db, "DELETE FROM tuning WHERE device = ?1", -1, &s, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text(s, 1, device, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(s);
    sqlite3_finalize(s);
    return code == SQLITE_DONE || trouble(b, code);
}

/* One transaction: the rows, or the removal of the device's if there are none. */
static bool write_base(base *b, const hg_database_row *rows, int count, const char *device)
{
    bool good = open_base(b, SQLITE_OPEN_CREATE, WRITE_WAIT_MS) && run_sql(b, "BEGIN IMMEDIATE") && prepare_table(b) &&
                (rows ? insert_rows(b, rows, count) : remove_rows(b, device)) && run_sql(b, "COMMIT");
    sqlite3_close(b->db); /* undoes what was not committed */
    b->db = NULL;
    return good;
}

/* The journal goes first: it would be played back into the next database. */
static void begin_afresh(const base *b)
{
    char journal[sizeof b->path + 16];
    snprintf(journal, sizeof journal, "%s-journal", b->path);
    unlink(journal);
    unlink(b->path);
    hg_log_message("conv", "tuning database: %s was damaged and is begun afresh", b->path);
}

static bool change(const hg_database_row *rows, int count, const char *device, char why[HG_DATABASE_WHY])
{
    base b = {.why = why};
    char folder[sizeof b.path];
    *why = 0;
    if (!find_path(&b)) return false;
    snprintf(folder, sizeof folder, "%s", b.path);
    *strrchr(folder, '/') = 0;
    bool clean = hg_last_status() == HG_OK;
    if (hg_make_folders(folder) != HG_OK && clean) hg_clear_error(); /* opening will say so */
    if (write_base(&b, rows, count, device)) return true;
    if (!b.damaged) return false;
    begin_afresh(&b);
    *why = 0;
    return write_base(&b, rows, count, device);
}

bool hg_database_put(const hg_database_row *rows, int count, char why[HG_DATABASE_WHY])
{
    return count == 0 || change(rows, count, NULL, why);
}

bool hg_database_clear(const char *device, char why[HG_DATABASE_WHY])
{
    base b = {.why = why};
    if (find_path(&b) && access(b.path, F_OK)) return true;
    return change(NULL, 0, device, why);
}
