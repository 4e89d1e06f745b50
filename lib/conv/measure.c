/* A result is compared with a few elements by the definition in double, and as a whole with that of `direct`, which is
 * in turn only checked by those elements. Then the right ones are timed in turns, so that drift hits all alike. */
#define _GNU_SOURCE
#include "conv/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "cl/transfer.h"
#include "conv/database.h"
#include "conv/definition.h"

enum { CHUNK = 1 << 20, MOST_SPOTS = 64, LEAST_SPOTS = 4, SPOT_TERMS = 1 << 24, LEAST_TURNS = 4, MOST_TURNS = 12 };
enum { PLACES = 100 }; /* the stream that spots are taken from */
/* Seconds: of a turn, so that waiting for the queue does not count; after which turns end; and how many times slower
 * than the best a candidate may be to get further turns. */
static const double TURN = 4e-3, ENOUGH = 1.0, HOPELESS = 2.5;

typedef struct session {
    hg_device *dev;
    hg_conv_problem p;
    hg_conv_buffers b;
    hg_tensor *result, *reference; /* reference: of direct; NULL if there is none */
    int spots;
    int64_t at[MOST_SPOTS];
    double expected[MOST_SPOTS], largest;
    bool clean; /* the thread had no error */
} session;

/* ---- data: every element known by its place, so that none has to be kept ---- */

/* Number i of a stream, in [-1, 1), exact in f32. SplitMix64, https://prng.di.unimi.it/splitmix64.c */
static double noise(int stream, int64_t i)
{
    uint64_t z = ((uint64_t)stream << 56 | (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)(z >> 40) / (1 << 23) - 1;
}

static double value(hg_conv_operand operand, int64_t i)
{
    return noise((int)operand, i);
}

static hg_status fill(hg_tensor *t, hg_conv_operand operand)
{
    size_t size = t->dtype == HG_F64 ? 8 : 4;
    char *chunk = malloc(CHUNK * size);
    hg_status status = chunk ? HG_OK : hg_error(HG_E_MEMORY, "conv: out of host memory");
    for (int64_t from = 0; from < t->numel && status == HG_OK; from += CHUNK) {
        int64_t n = hg_min_i64(CHUNK, t->numel - from);
        for (int64_t i = 0; i < n; i++) {
            double v = value(operand, from + i);
            if (size == 8) ((double *)chunk)[i] = v;
            else ((float *)chunk)[i] = (float)v;
        }
        status = hg_upload(t->dev, t->storage->mem, (size_t)(t->offset + from) * size, chunk, (size_t)n * size);
    }
    free(chunk);
    return status;
}

static hg_tensor *make(session *s, hg_conv_operand operand, int64_t n, hg_status *status)
{
    if (*status != HG_OK) return NULL;
    hg_tensor *t = hg_new_tensor(s->dev, (hg_dtype)s->p.dtype, 1, &n);
    *status = hg_ok(t) ? fill(t, operand) : hg_last_status();
    return t;
}

static hg_status make_operands(session *s)
{
    const hg_conv_problem *p = &s->p;
    hg_status status = HG_OK;
    hg_tensor *x = make(s, HG_CONV_INPUT, hg_conv_input_numel(p), &status),
              *w = make(s, HG_CONV_WEIGHT, hg_conv_weight_numel(p), &status),
              *y = make(s, HG_CONV_OUTPUT, hg_conv_output_numel(p), &status);
    s->b = (hg_conv_buffers){.input = x, .weight = w, .output = y};
    if (p->epilogue & HG_CONV_BIAS) s->b.bias = make(s, HG_CONV_BIAS_OPERAND, p->outputs, &status);
    if (p->epilogue & HG_CONV_RESIDUAL)
        s->b.residual = make(s, HG_CONV_RESIDUAL_OPERAND, hg_conv_output_numel(p), &status);
    s->result = p->direction == HG_CONV_FORWARD ? y : p->direction == HG_CONV_BACKWARD_DATA ? x : w;
    return status;
}

/* ---- whether a result is right ---- */

static void make_spots(session *s)
{
    int64_t n = s->result->numel, few = SPOT_TERMS / hg_max_i64(1, hg_conv_terms(&s->p));
    s->spots = (int)hg_min_i64(n, hg_max_i64(LEAST_SPOTS, hg_min_i64(MOST_SPOTS, few)));
    for (int i = 0; i < s->spots; i++) {
        /* The first and the last, and anywhere between. */
        s->at[i] = i == 0 ? 0 : i == 1 ? n - 1 : (int64_t)((noise(PLACES, i) + 1) / 2 * (double)n);
        s->expected[i] = hg_conv_element(&s->p, s->at[i], value);
        s->largest = fmax(s->largest, fabs(s->expected[i]));
    }
    if (s->largest == 0) s->largest = 1; /* ReLU, or padding */
}

static hg_status read_spots(const session *s, double got[MOST_SPOTS])
{
    const hg_tensor *t = s->result;
    for (int i = 0; i < s->spots; i++) {
        float single;
        size_t size = t->dtype == HG_F64 ? 8 : 4;
        HG_TRY(hg_download(s->dev, t->storage->mem, (size_t)(t->offset + s->at[i]) * size,
                           size == 8 ? (void *)&got[i] : &single, size));
        if (size == 4) got[i] = single;
    }
    return HG_OK;
}

/* Sums over the difference of result and reference. */
typedef struct difference {
    double squares, most, largest;
    int64_t count;
} difference;

static void add(difference *d, double got, double expected)
{
    double off = fabs(got - expected);
    d->squares += off * off;
    if (!(off <= d->most) && !isnan(d->most)) d->most = off;
    d->largest = fmax(d->largest, fabs(expected));
    d->count++;
}

static hg_status compare_whole(const session *s, difference *d)
{
    const hg_tensor *t = s->result, *r = s->reference;
    size_t size = t->dtype == HG_F64 ? 8 : 4;
    char *got = malloc(2 * CHUNK * size), *expected = got + CHUNK * size;
    hg_status status = got ? HG_OK : hg_error(HG_E_MEMORY, "conv: out of host memory");
    for (int64_t from = 0; from < t->numel && status == HG_OK; from += CHUNK) {
        int64_t n = hg_min_i64(CHUNK, t->numel - from);
        status = hg_download(s->dev, t->storage->mem, (size_t)(t->offset + from) * size, got, (size_t)n * size);
        if (status == HG_OK)
            status =
                hg_download(s->dev, r->storage->mem, (size_t)(r->offset + from) * size, expected, (size_t)n * size);
        for (int64_t i = 0; i < n && status == HG_OK; i++) {
            if (size == 8) add(d, ((double *)got)[i], ((double *)expected)[i]);
            else add(d, ((float *)got)[i], ((float *)expected)[i]);
        }
    }
    free(got);
    return status;
}

/* Compares the result; *error is the RMS error of the largest value. What a solver may err by grows as the square root
 * of the terms; this leaves room for every one, and none for a wrong index. */
static hg_status check(const session *s, double *error, bool *right)
{
    double got[MOST_SPOTS], limit = (s->p.dtype == HG_F64 ? 1e-11 : 5e-5) *
                                    sqrt(fmax(1, (double)hg_conv_terms(&s->p) / 4096));
    difference spots = {0}, whole = {0};
    HG_TRY(read_spots(s, got));
    for (int i = 0; i < s->spots; i++) add(&spots, got[i], s->expected[i]);
    spots.largest = s->largest;
    if (s->reference) HG_TRY(compare_whole(s, &whole));
    if (whole.largest > spots.largest) spots.largest = whole.largest; /* spots may all be small */
    const difference *d = s->reference ? &whole : &spots;
    *error = sqrt(d->squares / (double)d->count) / spots.largest;
    *right = *error <= limit && spots.most <= 20 * limit * spots.largest &&
             (!s->reference || whole.most <= 20 * limit * spots.largest);
    return HG_OK;
}

/* ---- running candidates ---- */

static void skip(const session *s, hg_tuning_row *row, hg_status status)
{
    row->state = HG_TUNING_SKIPPED;
    snprintf(row->why, sizeof row->why, "%.150s", s->clean ? hg_last_error() : hg_status_name(status));
    if (s->clean) hg_clear_error();
}

/* The first run: kernels are built, and the result is looked at. */
static void try_candidate(session *s, const hg_conv_plan *plan, hg_tuning_row *row)
{
    bool right = false;
    hg_status status = hg_raw_fill(s->result, NAN);
    if (status == HG_OK) status = hg_conv_run_plan(s->dev, plan, &s->b);
    if (status == HG_OK) status = check(s, &row->error, &right);
    if (status != HG_OK) {
        skip(s, row, status);
        return;
    }
    row->state = right ? HG_TUNING_OK : HG_TUNING_WRONG;
    if (right) return;
    hg_log_message("warn", "conv: %s (%s) computes %s wrongly on %s: error %.3g; it will not be chosen for that",
                   row->solver, row->config, row->problem, s->dev->info.name, row->error);
}

/* The result of direct stays as the reference, if it is right and there is room for it. */
static void keep_reference(session *s)
{
    int64_t n = s->result->numel;
    hg_tensor *copy = hg_new_tensor(s->dev, (hg_dtype)s->p.dtype, 1, &n);
    if (hg_ok(copy) && hg_raw_copy(copy, s->result) == HG_OK) s->reference = copy;
    else if (s->clean) hg_clear_error();
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of one of `runs` calls. */
static hg_status time_turn(session *s, const hg_conv_plan *plan, int runs, double *seconds)
{
    HG_TRY(hg_cl_error(clFinish(s->dev->queue), "waiting for the queue"));
    double start = now();
    for (int i = 0; i < runs; i++) HG_TRY(hg_conv_run_plan(s->dev, plan, &s->b));
    HG_TRY(hg_cl_error(clFinish(s->dev->queue), "waiting for the queue"));
    *seconds = (now() - start) / runs;
    return HG_OK;
}

static void take_turns(session *s, const hg_conv_candidate *list, int count, hg_tuning_row *rows)
{
    double start = now(), best = INFINITY;
    for (int turn = 0; turn < MOST_TURNS && (turn < LEAST_TURNS || now() - start < ENOUGH); turn++) {
        for (int i = 0; i < count; i++) {
            double seconds = 1e-3 * rows[i].ms;
            if (rows[i].state != HG_TUNING_OK || (turn && seconds > HOPELESS * best)) continue;
            int runs = turn ? (int)fmin(64, fmax(1, TURN / seconds)) : 1;
            hg_status status = time_turn(s, &list[i].plan, runs, &seconds);
            if (status != HG_OK) skip(s, &rows[i], status);
            else if (!turn || 1e3 * seconds < rows[i].ms) rows[i].ms = 1e3 * seconds;
        }
        int fastest = hg_conv_measured_best(rows, count);
        if (fastest >= 0) best = 1e-3 * rows[fastest].ms;
    }
}

int hg_conv_measured_best(const hg_tuning_row *rows, int count)
{
    int best = -1;
    for (int i = 0; i < count; i++)
        if (rows[i].state == HG_TUNING_OK && (best < 0 || rows[i].ms < rows[best].ms)) best = i;
    return best;
}

static void begin_row(const hg_device *dev, const hg_conv_candidate *c, hg_tuning_row *row)
{
    hg_conv_problem p = hg_database_problem(dev, &c->plan.problem);
    *row = (hg_tuning_row){.state = HG_TUNING_SKIPPED, .ms = NAN, .expected_ms = NAN, .error = NAN};
    hg_conv_key(&p, row->problem);
    snprintf(row->solver, sizeof row->solver, "%s", c->plan.solver->name);
    snprintf(row->why, sizeof row->why, "%s", c->why);
    row->when = (int64_t)time(NULL);
    if (*c->why) return;
    hg_conv_config_text(&c->plan.config, row->config);
    row->expected_ms = 1e3 * c->plan.seconds;
    row->workspace = c->plan.workspace + c->plan.packed;
}

static hg_status measure(session *s, const hg_conv_candidate *list, int count, hg_tuning_row *rows)
{
    HG_TRY(hg_sync(s->dev)); /* what was wrong before is not the candidates' fault */
    HG_TRY(make_operands(s));
    make_spots(s);
    for (int pass = 0; pass < 2; pass++) { /* direct first */
        for (int i = 0; i < count; i++) {
            bool direct = list[i].plan.solver == &hg_conv_direct;
            if (direct != (pass == 0) || *list[i].why) continue;
            try_candidate(s, &list[i].plan, &rows[i]);
            if (direct && rows[i].state == HG_TUNING_OK) keep_reference(s);
        }
    }
    take_turns(s, list, count, rows);
    return HG_OK;
}

hg_status hg_conv_measure(hg_device *dev, const hg_conv_candidate *list, int count, hg_tuning_row *rows)
{
    session s = {.dev = dev, .p = list->plan.problem, .clean = hg_last_status() == HG_OK};
    bool profiled = dev->profile.on;
    for (int i = 0; i < count; i++) begin_row(dev, &list[i], &rows[i]);
    hg_scope *scope = hg_scope_inner();
    dev->profile.on = false;
    hg_status status = measure(&s, list, count, rows);
    dev->profile.on = profiled;
    hg_scope_end(scope);
    return status;
}
