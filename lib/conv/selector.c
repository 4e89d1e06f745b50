/* Which solver a problem gets, and the plans that were made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "conv/tuning.h"

enum { BUCKETS = 64 };

struct entry {
    struct entry *next;
    hg_conv_problem asked; /* as it came: the plan's has the workspace limit in force */
    hg_conv_plan plan;
};

/* Plans are made anew when one of these changes. */
static const char *const watched[] = {"HAPGOP_CONV", "HAPGOP_WORKSPACE", "HAPGOP_TUNE"};
enum { FORCED, WATCHED = sizeof watched / sizeof *watched };

/* The state of HG_SLOT_CONV. */
struct plans {
    struct entry *bucket[BUCKETS];
    char *environment[WATCHED]; /* when the plans were made; "" if not set */
};

/* ---- plans kept with the device ---- */

static void drop_plans(struct plans *s)
{
    for (int i = 0; i < BUCKETS; i++) {
        while (s->bucket[i]) {
            struct entry *e = s->bucket[i];
            s->bucket[i] = e->next;
            free(e);
        }
    }
}

static void *create_plans(hg_device *dev)
{
    (void)dev;
    struct plans *s = calloc(1, sizeof *s);
    if (!s) hg_error(HG_E_MEMORY, "conv: out of host memory");
    return s;
}

static void destroy_plans(void *state)
{
    struct plans *s = state;
    drop_plans(s);
    for (int i = 0; i < WATCHED; i++) free(s->environment[i]);
    free(s);
}

/* Forgets the plans if the environment asks for something else than when they were made. */
static hg_status follow_environment(struct plans *s)
{
    for (int i = 0; i < WATCHED; i++) {
        const char *value = getenv(watched[i]);
        if (!value) value = "";
        if (s->environment[i] && !strcmp(s->environment[i], value)) continue;
        drop_plans(s);
        free(s->environment[i]);
        s->environment[i] = strdup(value);
        if (!s->environment[i]) return hg_error(HG_E_MEMORY, "conv: out of host memory");
    }
    return HG_OK;
}

static struct entry **bucket_of(struct plans *s, const hg_conv_problem *p)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325), word;
    for (size_t i = 0; i < sizeof *p; i += 8) {
        memcpy(&word, (const char *)p + i, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return &s->bucket[h % BUCKETS];
}

/* ---- the choice ---- */

/* What one choice looks at. */
typedef struct choice {
    hg_conv_candidate *list;
    int count;
} choice;

static const hg_conv_candidate *first_of(const choice *c, const hg_conv_solver *solver)
{
    const hg_conv_candidate *at = c->list;
    while (at->plan.solver != solver) at++;
    return at;
}

/* The solver's candidate that can run and should be fastest; NULL if it has none. */
static const hg_conv_candidate *fastest_of(const choice *c, const hg_conv_solver *solver)
{
    const hg_conv_candidate *first = first_of(c, solver);
    int n = 0;
    while (first + n < c->list + c->count && first[n].plan.solver == solver) n++;
    return hg_conv_fastest(first, n);
}

static hg_status unknown(const char *name, size_t length)
{
    char list[256] = "";
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "", (*s)->name);
    return hg_error(HG_E_ARG, "conv: no solver is called \"%.*s\"; there are %s", (int)length, name, list);
}

/* The first solver of a list "name,name" that can do it. */
static hg_status choose_named(const choice *c, const char *names, const hg_conv_candidate **chosen)
{
    char key[HG_CONV_KEY], reasons[512] = "";
    for (const char *at = names; *at;) {
        size_t length = strcspn(at, ",");
        const hg_conv_solver *solver = hg_conv_solver_named(at, length);
        if (!solver) return unknown(at, length);
        *chosen = fastest_of(c, solver);
        if (*chosen) return HG_OK;
        snprintf(reasons + strlen(reasons), sizeof reasons - strlen(reasons), "%s%s: %s", *reasons ? "; " : "",
                 solver->name, first_of(c, solver)->why);
        at += length + (at[length] == ',');
    }
    return hg_error(HG_E_UNSUPPORTED, "conv: %s refused (%s)", hg_conv_key(&c->list->plan.problem, key), reasons);
}

/* What was there to choose from, to the log. */
static void log_candidates(const choice *c)
{
    char key[HG_CONV_KEY];
    hg_str text = {0};
    for (int i = 0; i < c->count; i++) {
        const hg_conv_plan *plan = &c->list[i].plan;
        if (*c->list[i].why)
            hg_str_add(&text, "; %s: %s", plan->solver->name, c->list[i].why);
        else
            hg_str_add(&text, "; %s: %.3f ms expected", plan->solver->name, 1e3 * plan->seconds);
    }
    if (text.text) hg_log_message("conv", "%s%s", hg_conv_key(&c->list->plan.problem, key), text.text);
    hg_str_free(&text);
}

/* Measures now; *chosen stays NULL if nothing could be measured, for instance for want of memory. */
static hg_status choose_now(hg_device *dev, const choice *c, const hg_conv_candidate **chosen)
{
    char why[512];
    hg_tuning_row *rows;
    bool clean = hg_last_status() == HG_OK;
    hg_status status = hg_tuning_measure(dev, c->list, c->count, &rows, why);
    if (status == HG_E_MEMORY) {
        hg_log_message("conv", "not measured: %s", clean ? hg_last_error() : "out of memory");
        if (clean) hg_clear_error();
        return HG_OK;
    }
    HG_TRY(status);
    for (int i = 0; i < c->count; i++) {
        if (rows[i].chosen) *chosen = &c->list[i];
        if (rows[i].state == HG_TUNING_WRONG) snprintf(c->list[i].why, HG_WHY, "computed it wrongly when measured");
    }
    free(rows);
    return HG_OK;
}

/* What was measured, what is measured now, or what should be fastest; `source` says which. */
static hg_status choose(hg_device *dev, const choice *c, const hg_conv_candidate **chosen,
                        char source[HG_TUNING_SOURCE])
{
    char key[HG_CONV_KEY];
    *chosen = hg_tuning_recall(dev, c->list, c->count, source);
    if (hg_log_wanted("conv")) log_candidates(c);
    if (*chosen) return HG_OK;
    snprintf(source, HG_TUNING_SOURCE, "measured now");
    if (hg_tuning_on()) HG_TRY(choose_now(dev, c, chosen));
    if (*chosen) return HG_OK;
    snprintf(source, HG_TUNING_SOURCE, "expected");
    *chosen = hg_conv_fastest(c->list, c->count);
    if (*chosen) return HG_OK;
    return hg_error(HG_E_UNSUPPORTED, "conv: no solver for %s", hg_conv_key(&c->list->plan.problem, key));
}

static hg_status make_plan(hg_device *dev, const struct plans *s, const hg_conv_problem *asked, hg_conv_plan *plan)
{
    const char *forced = *asked->solver ? asked->solver : s->environment[FORCED];
    const hg_conv_candidate *chosen = NULL;
    char key[HG_CONV_KEY], source[HG_TUNING_SOURCE] = "forced";
    choice c;
    HG_TRY(hg_conv_candidates(dev, asked, &c.list, &c.count));
    hg_status status = *forced ? choose_named(&c, forced, &chosen) : choose(dev, &c, &chosen, source);
    if (status == HG_OK) {
        *plan = chosen->plan;
        hg_log_message("conv", "%s -> %s (%s), workspace %zu bytes", hg_conv_key(asked, key), plan->solver->name,
                       source, plan->workspace + plan->packed);
    }
    free(c.list);
    return status;
}

hg_status hg_conv_choose(hg_device *dev, const hg_conv_problem *p, const hg_conv_plan **plan)
{
    struct plans *s = hg_device_slot(dev, HG_SLOT_CONV, create_plans, destroy_plans);
    if (!s) return hg_last_status();
    HG_TRY(follow_environment(s));
    struct entry **bucket = bucket_of(s, p), *e;
    for (e = *bucket; e; e = e->next) {
        if (memcmp(&e->asked, p, sizeof *p)) continue;
        *plan = &e->plan;
        return HG_OK;
    }
    e = calloc(1, sizeof *e);
    if (!e) return hg_error(HG_E_MEMORY, "conv: out of host memory");
    e->asked = *p;
    hg_status status = make_plan(dev, s, p, &e->plan);
    if (status != HG_OK) {
        free(e);
        return status;
    }
    e->next = *bucket;
    *bucket = e;
    *plan = &e->plan;
    return HG_OK;
}

/* ---- the plans as others see them ---- */

static int by_problem(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(hg_conv_plan_info));
}

static int count_plans(const struct plans *s)
{
    int n = 0;
    for (int i = 0; i < BUCKETS; i++)
        for (const struct entry *e = s->bucket[i]; e; e = e->next) n++;
    return n;
}

hg_status hg_conv_plan_list(hg_device *dev, hg_conv_plan_info **plans, int *count)
{
    if (!dev || !plans || !count) return hg_error(HG_E_ARG, "plan list: NULL");
    const struct plans *s = hg_device_slot(dev, HG_SLOT_CONV, create_plans, destroy_plans);
    *plans = NULL;
    *count = 0;
    if (!s) return hg_last_status();
    *plans = calloc((size_t)count_plans(s) + 1, sizeof **plans);
    if (!*plans) return hg_error(HG_E_MEMORY, "plan list: out of host memory");
    for (int i = 0; i < BUCKETS; i++) {
        for (const struct entry *e = s->bucket[i]; e; e = e->next) {
            hg_conv_plan_info *one = &(*plans)[(*count)++];
            hg_conv_key(&e->asked, one->problem);
            snprintf(one->solver, sizeof one->solver, "%s", e->plan.solver->name);
            hg_conv_config_text(&e->plan.config, one->config);
        }
    }
    qsort(*plans, (size_t)*count, sizeof **plans, by_problem);
    return HG_OK;
}

uint64_t hg_conv_plan_hash(hg_device *dev)
{
    hg_conv_plan_info *plans;
    uint64_t h = 0;
    int count;
    if (hg_conv_plan_list(dev, &plans, &count) != HG_OK) return 0;
    for (int i = 0; i < count; i++) { /* texts are followed by zeros alone */
        const unsigned char *at = (const unsigned char *)&plans[i];
        if (!h) h = UINT64_C(0xcbf29ce484222325);
        for (size_t k = 0; k < sizeof *plans; k++) h = (h ^ at[k]) * UINT64_C(0x100000001b3);
    }
    free(plans);
    return h;
}
