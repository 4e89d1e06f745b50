#define _GNU_SOURCE
#include "cache.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "suites.h"

static char folder[64], *xdg, *tune;

void cache_keep_pocl(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[4096];
    if (getenv("POCL_CACHE_DIR") || (!cache && !home)) return;
    snprintf(path, sizeof path, cache ? "%s/pocl" : "%s/.cache/pocl", cache ? cache : home);
    setenv("POCL_CACHE_DIR", path, 1);
}

static char *take(const char *name)
{
    const char *value = getenv(name);
    return value ? strdup(value) : NULL;
}

static void give(const char *name, char *value)
{
    if (value) setenv(name, value, 1);
    else unsetenv(name);
    free(value);
}

void cache_begin(void)
{
    xdg = take("XDG_CACHE_HOME");
    tune = take("HAPGOP_TUNE");
    strcpy(folder, "/tmp/hapgop-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("XDG_CACHE_HOME", folder, 1);
    unsetenv("HAPGOP_TUNE");
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

void cache_end(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    give("XDG_CACHE_HOME", xdg);
    give("HAPGOP_TUNE", tune);
    hg_set_log(NULL, NULL);
}

const char *cache_database(void)
{
    return cache_file("hapgop/tuning.sqlite");
}

const char *cache_file(const char *name)
{
    static char path[4][192];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

hg_database_row cache_row(const char *device, const char *problem, const char *solver, const char *config, double ms,
                          hg_tuning_state state)
{
    hg_database_row r = {.row = {.state = state, .ms = ms, .error = 1e-7, .workspace = 4096, .when = time(NULL)}};
    snprintf(r.device, sizeof r.device, "%s", device);
    hg_database_solvers(r.solvers);
    ck_assert_hg(hg_conv_problem_text(problem, r.row.problem));
    snprintf(r.row.solver, sizeof r.row.solver, "%s", solver);
    snprintf(r.row.config, sizeof r.row.config, "%s", config);
    return r;
}

void cache_put(const char *device, const char *problem, const char *solver, const char *config, double ms,
               hg_tuning_state state)
{
    char why[HG_DATABASE_WHY];
    hg_database_row r = cache_row(device, problem, solver, config, ms, state);
    ck_assert_msg(hg_database_put(&r, 1, why), "%s", why);
}

static char wanted[16], heard[8192];

static void hear(const char *topic, const char *message, void *user)
{
    (void)user;
    size_t used = strlen(heard);
    if (!strcmp(topic, wanted)) snprintf(heard + used, sizeof heard - used, "%s\n", message);
}

void cache_listen(const char *topic)
{
    heard[0] = 0;
    snprintf(wanted, sizeof wanted, "%s", topic);
    hg_set_log(hear, NULL);
}

const char *cache_heard(void)
{
    return heard;
}
