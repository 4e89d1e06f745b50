#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/grow.h"
#include "check.h"
#include "conv.h"
#include "measure.h"
#include "problems.h"

enum { MOST_ALGORITHMS = 64, MOST_RUNS = 20000, LEAST_TURNS = 5 };

/* One algorithm of the problem that is being measured. */
typedef struct entry {
    hg_conv_plan plan;
    char why[HG_WHY];   /* why it cannot run */
    bench_row row;
    bench_samples stands, fresh;
    double spent;       /* milliseconds of measuring */
    bool failed;
} entry;

typedef struct job {
    hg_device *dev;
    hg_conv_problem problem;
    const bench_conv_options *options;
    float *host[3], *result;            /* input, weight, output; what an algorithm computed */
    hg_tensor *tensor[3];
    bench_reference *reference;
    int64_t result_count;
    entry *entries;
    int count;
} job;

/* What one call needs to know. */
typedef struct call {
    const job *job;
    const entry *entry;
    bool stands;
} call;

static int result_of(const hg_conv_problem *p)
{
    return p->direction == HG_CONV_FORWARD ? 2 : p->direction == HG_CONV_BACKWARD_DATA ? 0 : 1;
}

static hg_status run(void *user)
{
    const call *c = user;
    hg_conv_buffers b = {.input = c->job->tensor[0],
                         .weight = c->job->tensor[1],
                         .output = c->job->tensor[2],
                         .weight_stands = c->stands};
    bool outermost;
    HG_TRY(hg_device_enter(c->job->dev, &outermost));
    hg_status status = hg_conv_run_plan(c->job->dev, &c->entry->plan, &b);
    hg_device_leave(c->job->dev, outermost);
    return status;
}

/* ---- which algorithms ---- */

hg_status bench_check_algorithm(const char *algorithm)
{
    char names[256] = "all, auto";
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++)
        snprintf(names + strlen(names), sizeof names - strlen(names), ", %s", (*s)->name);
    for (const char *at = algorithm; *at;) {
        size_t n = strcspn(at, ",");
        bool special = (n == 3 && !strncmp(at, "all", n)) || (n == 4 && !strncmp(at, "auto", n));
        if (!special && !hg_conv_solver_named(at, n))
            return hg_error(HG_E_ARG, "there is no algorithm \"%.*s\"; there are %s", (int)n, at, names);
        at += n + (at[n] == ',');
    }
    return *algorithm ? HG_OK : hg_error(HG_E_ARG, "no algorithm is named; there are %s", names);
}

static bool same_plan(const hg_conv_plan *a, const hg_conv_plan *b)
{
    return a->solver == b->solver && !memcmp(&a->config, &b->config, sizeof a->config);
}

static void add_entry(job *j, const hg_conv_candidate *c, const char *name, const hg_conv_candidate *expected,
                      const hg_conv_plan *chosen)
{
    if (j->count == MOST_ALGORITHMS) return;
    entry *e = &j->entries[j->count++];
    e->plan = c->plan;
    snprintf(e->why, sizeof e->why, "%s", c->why);
    e->row.direction = j->problem.direction;
    e->row.expected = !*c->why && expected && same_plan(&c->plan, &expected->plan);
    e->row.chosen = !*c->why && chosen && same_plan(&c->plan, chosen);
    e->row.workspace = c->plan.workspace + c->plan.packed;
    bench_problem_text(&j->problem, e->row.problem);
    snprintf(e->row.algorithm, sizeof e->row.algorithm, "%s", name);
    snprintf(e->row.solver, sizeof e->row.solver, "%s", c->plan.solver->name);
}

/* The candidates of one solver, `count` of them: each, or the one that can run and should be fastest. */
static void add_solver(job *j, const hg_conv_candidate *list, int count, const hg_conv_candidate *expected,
                       const hg_conv_plan *chosen)
{
    char name[128], config[HG_CONV_CONFIG];
    const hg_conv_solver *solver = list->plan.solver;
    const hg_conv_candidate *one = NULL;
    for (int i = 0; i < count; i++)     /* what the library runs, if that is this solver's */
        if (!*list[i].why && chosen && same_plan(&list[i].plan, chosen)) one = &list[i];
    if (!one) one = hg_conv_fastest(list, count);
    if (count == 1 || !j->options->configs) {
        add_entry(j, one ? one : list, solver->name, expected, chosen);
        return;
    }
    for (int i = 0; i < count; i++) {
        hg_conv_config_text(&list[i].plan.config, config);
        snprintf(name, sizeof name, "%.60s@%.60s", solver->name, config);
        add_entry(j, &list[i], name, expected, chosen);
    }
}

static void add_auto(job *j, const hg_conv_plan *chosen, const hg_conv_candidate *expected)
{
    hg_conv_candidate c = {.plan = *chosen};
    add_entry(j, &c, "auto", expected, chosen);
}

static hg_status add_named(job *j, const char *name, size_t length, const hg_conv_candidate *list, int count,
                           const hg_conv_plan *chosen)
{
    const hg_conv_candidate *expected = hg_conv_fastest(list, count);
    const hg_conv_solver *wanted = hg_conv_solver_named(name, length);
    if (!strncmp(name, "auto", length)) {
        if (chosen) add_auto(j, chosen, expected);
        return HG_OK;
    }
    for (int i = 0, n; i < count; i += n) {
        for (n = 1; i + n < count && list[i + n].plan.solver == list[i].plan.solver;) n++;
        if (!wanted || wanted == list[i].plan.solver) add_solver(j, &list[i], n, expected, chosen);
    }
    return HG_OK;
}

static hg_status list_algorithms(job *j)
{
    hg_conv_candidate *list;
    const hg_conv_plan *chosen = NULL;
    int count;
    HG_TRY(hg_conv_candidates(j->dev, &j->problem, &list, &count));
    hg_status status = hg_conv_choose(j->dev, &j->problem, &chosen);
    if (status == HG_E_UNSUPPORTED) {
        hg_clear_error();
        chosen = NULL;
        status = HG_OK;
    }
    for (const char *at = j->options->algorithm; *at && status == HG_OK;) {
        size_t n = strcspn(at, ",");
        status = add_named(j, at, n, list, count, chosen);
        at += n + (at[n] == ',');
    }
    free(list);
    return status;
}

/* ---- data ---- */

static hg_status make_data(job *j)
{
    const hg_conv_problem *p = &j->problem;
    int64_t numel[3] = {hg_conv_input_numel(p), hg_conv_weight_numel(p), hg_conv_output_numel(p)};
    j->result_count = numel[result_of(p)];
    j->reference = malloc(sizeof *j->reference);
    j->result = malloc((size_t)j->result_count * sizeof(float));
    if (!j->result || !j->reference) return hg_error(HG_E_MEMORY, "bench: out of host memory");
    for (int i = 0; i < 3; i++) {
        if (i == result_of(p)) {
            j->tensor[i] = hg_empty(j->dev, HG_F32, HG_SHAPE(numel[i]));
            if (!hg_ok(j->tensor[i])) return hg_last_status();
            continue;
        }
        j->host[i] = malloc((size_t)numel[i] * sizeof(float));
        if (!j->host[i]) return hg_error(HG_E_MEMORY, "bench: out of host memory");
        bench_random(j->host[i], numel[i], (uint64_t)i);
        j->tensor[i] = hg_from_data(j->dev, HG_F32, HG_SHAPE(numel[i]), j->host[i]);
        if (!hg_ok(j->tensor[i])) return hg_last_status();
    }
    bench_reference_make(p, j->host[0], j->host[1], j->host[2], j->reference);
    return HG_OK;
}

static void free_job(job *j)
{
    for (int i = 0; i < 3; i++) {
        free(j->host[i]);
        if (j->tensor[i] && hg_ok(j->tensor[i])) hg_release(j->tensor[i]);
    }
    for (int i = 0; j->entries && i < j->count; i++) {
        bench_samples_free(&j->entries[i].stands);
        bench_samples_free(&j->entries[i].fresh);
    }
    free(j->entries);
    free(j->result);
    free(j->reference);
    hg_memory_trim(j->dev);
}

/* ---- measuring ---- */

/* The entry is out of the game, with the library's error as its reason. */
static void fail(entry *e)
{
    e->failed = true;
    e->row.status = BENCH_FAILED;
    snprintf(e->row.reason, sizeof e->row.reason, "%s", hg_last_error());
    hg_clear_error();
}

/* One more time of the entry; an uncounted call before it where that costs little. */
static hg_status measure_once(const job *j, entry *e, bool stands, double *ms)
{
    call c = {j, e, stands};
    return bench_run_once(j->dev, run, &c, ms);
}

/* A few calls in a row: the first, which finds the caches as the others left them, is not counted unless it is long. */
static hg_status take_turn(const job *j, entry *e, bool stands, bench_samples *samples)
{
    const double turn_ms = 5, long_ms = 20;
    double ms, sum = 0;
    HG_TRY(measure_once(j, e, stands, &ms));
    e->spent += ms;
    if (ms >= long_ms) return bench_samples_add(samples, ms);
    for (int n = 0; n < 50 && sum < turn_ms; n++) {
        HG_TRY(measure_once(j, e, stands, &ms));
        HG_TRY(bench_samples_add(samples, ms));
        sum += ms;
        e->spent += ms;
    }
    return HG_OK;
}

/* Whether new weights make a difference: where they are packed. */
static bool has_fresh(const entry *e)
{
    return e->plan.packed > 0 && e->plan.problem.direction != HG_CONV_BACKWARD_WEIGHTS;
}

static void measure_in_turns(job *j)
{
    const double budget = 1e3 * j->options->seconds;
    bool more = true;
    for (int turn = 0; more && !bench_stopped(); turn++) {
        more = false;
        for (int i = 0; i < j->count && !bench_stopped(); i++) {
            entry *e = &j->entries[i];
            bool slow = turn >= 3 && e->spent > 4 * budget;     /* that much slower is known well enough */
            if (e->failed || *e->why || slow || e->stands.count > MOST_RUNS) continue;
            if (turn >= LEAST_TURNS && e->spent >= budget) continue;
            hg_status status = take_turn(j, e, true, &e->stands);
            if (status == HG_OK && has_fresh(e)) status = take_turn(j, e, false, &e->fresh);
            if (status != HG_OK) fail(e);
            more = true;
        }
    }
}

/* Runs into an output full of NaN and compares; the error goes to *rms. */
static hg_status check_result(job *j, entry *e, bool stands, double *rms)
{
    hg_tensor *result = j->tensor[result_of(&j->problem)];
    call c = {j, e, stands};
    HG_TRY(hg_fill_(result, NAN));
    HG_TRY(run(&c));
    HG_TRY(hg_read(result, j->result));
    *rms = bench_rms_error(j->reference, j->result, j->result_count);
    return HG_OK;
}

static hg_status check_entry(job *j, entry *e)
{
    double stands = 0, fresh = 0;
    HG_TRY(check_result(j, e, true, &stands));
    if (has_fresh(e)) HG_TRY(check_result(j, e, false, &fresh));
    bench_row *r = &e->row;
    r->rms_error = isnan(stands) || stands > fresh ? stands : fresh;
    r->error_bound = j->options->tolerance * bench_error_bound(&j->problem, e->plan.solver->name);
    if (r->rms_error <= r->error_bound) return HG_OK;
    r->status = BENCH_FAILED;
    e->failed = true;
    if (isnan(r->rms_error))
        snprintf(r->reason, sizeof r->reason, "wrong result: some of it is NaN, or was not written");
    else
        snprintf(r->reason, sizeof r->reason, "wrong result: RMS error %.3g of the largest value, %.3g is allowed",
                 r->rms_error, r->error_bound);
    return HG_OK;
}

static hg_status first_and_check(job *j, entry *e)
{
    call c = {j, e, true};
    HG_TRY(bench_run_once(j->dev, run, &c, &e->row.first_ms));
    HG_TRY(check_entry(j, e));
    return HG_OK;
}

static hg_status measure_device(job *j, entry *e)
{
    call c = {j, e, true};
    int runs = e->spent > 4e3 * j->options->seconds ? 1 : 5;
    HG_TRY(bench_measure_events(j->dev, run, &c, runs, &e->row.device_ms));
    return check_entry(j, e);   /* what ran just now, many calls after the first check */
}

static void finish(const bench_results *r, const job *j, entry *e)
{
    bench_row *row = &e->row;
    row->runs = e->stands.count;
    if (e->stands.count) {
        row->ms_median = bench_quantile(&e->stands, 0.5);
        row->ms_min = bench_quantile(&e->stands, 0);
        row->ms_p25 = bench_quantile(&e->stands, 0.25);
        row->ms_p75 = bench_quantile(&e->stands, 0.75);
        row->ms_new_weights = e->fresh.count ? bench_quantile(&e->fresh, 0.5) : row->ms_median;
        row->gflops = 1e-6 * hg_conv_flops(&j->problem) / row->ms_median;
        if (r->peak.gflops > 0) row->percent_of_peak = 100 * row->gflops / r->peak.gflops;
    }
    if (*e->why) {
        row->status = BENCH_UNSUPPORTED;
        snprintf(row->reason, sizeof row->reason, "%s", e->why);
    }
}

static void measure_all(bench_results *r, job *j)
{
    for (int i = 0; i < j->count && !bench_stopped(); i++)
        if (!*j->entries[i].why && first_and_check(j, &j->entries[i]) != HG_OK) fail(&j->entries[i]);
    measure_in_turns(j);
    for (int i = 0; i < j->count && !bench_stopped(); i++) {
        entry *e = &j->entries[i];
        if (!*e->why && !e->failed && measure_device(j, e) != HG_OK) fail(e);
        finish(r, j, e);
    }
}

hg_status bench_conv(bench_results *r, const hg_conv_problem *p, const bench_conv_options *o)
{
    job j = {.dev = r->dev, .problem = *p, .options = o};
    j.entries = calloc(MOST_ALGORITHMS, sizeof *j.entries);
    hg_status status = j.entries ? list_algorithms(&j) : hg_error(HG_E_MEMORY, "bench: out of host memory");
    if (status == HG_OK && make_data(&j) == HG_OK) {
        measure_all(r, &j);
    } else if (status == HG_OK) {
        char why[sizeof j.entries->row.reason];     /* the problem is too large: the others may not be */
        snprintf(why, sizeof why, "%s", hg_last_error());
        hg_clear_error();
        for (int i = 0; i < j.count; i++) {
            j.entries[i].row.status = BENCH_FAILED;
            strcpy(j.entries[i].row.reason, why);
        }
    }
    for (int i = 0; i < j.count && status == HG_OK && !bench_stopped(); i++) {
        bench_row *row = bench_new_row(r);
        if (row) *row = j.entries[i].row;
        else status = hg_last_status();
    }
    free_job(&j);
    return status;
}
