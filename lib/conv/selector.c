/* Which solver a problem gets, and the plans that were made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "conv/candidates.h"

enum { BUCKETS = 64 };

struct entry {
    struct entry *next;
    hg_conv_problem asked; /* as it came: the plan's has the workspace limit in force */
    hg_conv_plan plan;
};

/* The state of HG_SLOT_CONV. */
struct plans {
    struct entry *bucket[BUCKETS];
    char *forced, *workspace; /* HAPGOP_CONV, HAPGOP_WORKSPACE when the plans were made; "" if not set */
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
    free(s->forced);
    free(s->workspace);
    free(s);
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* Forgets the plans if the environment asks for something else than when they were made. */
static hg_status follow_environment(struct plans *s)
{
    const char *forced = environment("HAPGOP_CONV"), *workspace = environment("HAPGOP_WORKSPACE");
    if (s->forced && s->workspace && !strcmp(s->forced, forced) && !strcmp(s->workspace, workspace)) return HG_OK;
    drop_plans(s);
    free(s->forced);
    free(s->workspace);
    s->forced = strdup(forced);
    s->workspace = strdup(workspace);
    return s->forced && s->workspace ? HG_OK : hg_error(HG_E_MEMORY, "conv: out of host memory");
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

static hg_status choose(const choice *c, const char *forced, const hg_conv_candidate **chosen)
{
    char key[HG_CONV_KEY];
    if (*forced) return choose_named(c, forced, chosen);
    if (hg_log_wanted("conv")) log_candidates(c);
    *chosen = hg_conv_fastest(c->list, c->count);
    if (*chosen) return HG_OK;
    return hg_error(HG_E_UNSUPPORTED, "conv: no solver for %s", hg_conv_key(&c->list->plan.problem, key));
}

static hg_status make_plan(hg_device *dev, const struct plans *s, const hg_conv_problem *asked, hg_conv_plan *plan)
{
    const char *forced = *asked->solver ? asked->solver : s->forced;
    const hg_conv_candidate *chosen;
    char key[HG_CONV_KEY];
    choice c;
    HG_TRY(hg_conv_candidates(dev, asked, &c.list, &c.count));
    hg_status status = choose(&c, forced, &chosen);
    if (status == HG_OK) {
        *plan = chosen->plan;
        if (hg_log_wanted("conv"))
            hg_log_message("conv", "%s -> %s%s, workspace %zu bytes", hg_conv_key(asked, key), plan->solver->name,
                           *forced ? " (forced)" : "", plan->workspace + plan->packed);
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
