/* Which solver a problem gets, and the plans that were made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/size.h"
#include "base/str.h"
#include "conv/solver.h"

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

const hg_conv_solver *const *hg_conv_solvers(void)
{
    static const hg_conv_solver *const all[] = {&hg_conv_winograd, &hg_conv_implicit_gemm, &hg_conv_im2col,
                                                &hg_conv_direct, NULL};
    return all;
}

double hg_conv_peak(const hg_device *dev, bool f64)
{
    double lanes = hg_is_cpu(dev) ? 64 : 128; /* operations a unit and cycle, in f32 */
    double clock = dev->info.clock_mhz ? dev->info.clock_mhz * 1e6 : 1e9;
    return lanes * clock * (dev->info.units ? dev->info.units : 1) * (f64 ? 0.5 : 1);
}

double hg_conv_bandwidth(const hg_device *dev)
{
    return hg_is_cpu(dev) ? 20e9 : 300e9;
}

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

/* The workspace that a problem without a limit of its own gets. */
static hg_status default_limit(const hg_device *dev, const struct plans *s, int64_t *limit)
{
    uint64_t bytes = hg_is_cpu(dev) ? UINT64_C(256) << 20 : UINT64_C(1) << 30;
    if (*s->workspace && !hg_parse_size(s->workspace, &bytes))
        return hg_error(HG_E_ARG, "HAPGOP_WORKSPACE=%s is not a size; write bytes, or a number with K, M or G",
                        s->workspace);
    if (bytes > dev->info.max_allocation) bytes = dev->info.max_allocation;
    *limit = bytes > INT64_MAX ? INT64_MAX : bytes ? (int64_t)bytes : 1;
    return HG_OK;
}

/* The solver's best configuration for the problem; false with a reason if there is none. */
static bool consider(const hg_conv_solver *solver, const hg_conv_problem *p, const hg_device *dev, hg_conv_plan *best,
                     char why[HG_WHY])
{
    hg_conv_config configs[HG_CONV_CONFIGS];
    size_t least = SIZE_MAX;
    bool found = false;
    if (!solver->applicable(p, dev, why)) return false;
    int n = solver->configs(p, dev, configs, HG_CONV_CONFIGS);
    for (int i = 0; i < n; i++) {
        size_t packed = solver->packed ? solver->packed(p, &configs[i]) : 0;
        size_t bytes = solver->workspace(p, &configs[i]) + packed;
        double seconds = solver->cost(p, &configs[i], dev);
        if (bytes < least) least = bytes;
        if (bytes > (uint64_t)p->workspace_limit || (found && seconds >= best->seconds)) continue;
        *best = (hg_conv_plan){*p, solver, configs[i], bytes - packed, packed, seconds};
        found = true;
    }
    if (!found)
        snprintf(why, HG_WHY, "needs %zu bytes of workspace, the limit is %lld", least, (long long)p->workspace_limit);
    return found;
}

static const hg_conv_solver *named(const char *name, size_t length)
{
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++)
        if (strlen((*s)->name) == length && !strncmp((*s)->name, name, length)) return *s;
    return NULL;
}

static hg_status unknown(const char *name, size_t length)
{
    char list[256] = "";
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "", (*s)->name);
    return hg_error(HG_E_ARG, "conv: no solver is called \"%.*s\"; there are %s", (int)length, name, list);
}

/* The first applicable solver of a list "name,name". */
static hg_status choose_named(const char *list, const hg_conv_problem *p, const hg_device *dev, hg_conv_plan *plan)
{
    char key[HG_CONV_KEY], why[HG_WHY], reasons[512] = "";
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        const hg_conv_solver *solver = named(at, length);
        if (!solver) return unknown(at, length);
        if (consider(solver, p, dev, plan, why)) return HG_OK;
        snprintf(reasons + strlen(reasons), sizeof reasons - strlen(reasons), "%s%s: %s", *reasons ? "; " : "",
                 solver->name, why);
        at += length + (at[length] == ',');
    }
    return hg_error(HG_E_UNSUPPORTED, "conv: %s refused (%s)", hg_conv_key(p, key), reasons);
}

/* The applicable solver that should be fastest. What it was compared with goes to the log. */
static hg_status choose_fastest(const hg_conv_problem *p, const hg_device *dev, hg_conv_plan *plan)
{
    char key[HG_CONV_KEY], why[HG_WHY];
    hg_str others = {0};
    hg_conv_plan one;
    plan->solver = NULL;
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++) {
        if (!consider(*s, p, dev, &one, why)) {
            hg_str_add(&others, "; %s: %s", (*s)->name, why);
            continue;
        }
        hg_str_add(&others, "; %s: %.3f ms expected", (*s)->name, 1e3 * one.seconds);
        if (!plan->solver || one.seconds < plan->seconds) *plan = one;
    }
    if (hg_log_wanted("conv") && others.text) hg_log_message("conv", "%s%s", hg_conv_key(p, key), others.text);
    hg_str_free(&others);
    return plan->solver ? HG_OK : hg_error(HG_E_UNSUPPORTED, "conv: no solver for %s", hg_conv_key(p, key));
}

static hg_status make_plan(hg_device *dev, const struct plans *s, const hg_conv_problem *asked, hg_conv_plan *plan)
{
    hg_conv_problem p = *asked;
    char key[HG_CONV_KEY];
    HG_TRY(hg_conv_check(&p));
    if (!p.workspace_limit) HG_TRY(default_limit(dev, s, &p.workspace_limit));
    const char *forced = *p.solver ? p.solver : s->forced;
    HG_TRY(*forced ? choose_named(forced, &p, dev, plan) : choose_fastest(&p, dev, plan));
    if (hg_log_wanted("conv"))
        hg_log_message("conv", "%s -> %s%s, workspace %zu bytes", hg_conv_key(asked, key), plan->solver->name,
                       *forced ? " (forced)" : "", plan->workspace + plan->packed);
    return HG_OK;
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
