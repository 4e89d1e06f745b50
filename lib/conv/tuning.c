#include "conv/tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "conv/database.h"
#include "conv/measure.h"

/* ---- for the selector ---- */

bool hg_tuning_on(void)
{
    const char *asked = getenv("HAPGOP_TUNE");
    return asked && !strcmp(asked, "1");
}

static bool database_wanted(void)
{
    const char *asked = getenv("HAPGOP_TUNE");
    return !asked || strcmp(asked, "0") != 0;
}

/* A wrong row speaks against its solver with any batch, in any configuration. */
static void refuse_wrong(hg_conv_candidate *list, int count, const hg_tuning_row *rows, int nrows)
{
    for (int r = 0; r < nrows; r++) {
        for (int i = 0; i < count && rows[r].state == HG_TUNING_WRONG; i++)
            if (!*list[i].why && !strcmp(list[i].plan.solver->name, rows[r].solver))
                snprintf(list[i].why, HG_WHY, "computed it wrongly on this device when it was measured");
    }
}

/* The candidate of a row; `near`: the row is of another batch, whose configurations may be others. NULL if it cannot
 * run any more. */
static const hg_conv_candidate *candidate_of(const hg_conv_candidate *list, int count, const hg_tuning_row *row,
                                             bool near)
{
    const hg_conv_candidate *fastest = NULL;
    for (int i = 0; i < count; i++) {
        const hg_conv_plan *plan = &list[i].plan;
        char config[HG_CONV_CONFIG];
        if (*list[i].why || strcmp(plan->solver->name, row->solver)) continue;
        if (!strcmp(hg_conv_config_text(&plan->config, config), row->config)) return &list[i];
        if (near && (!fastest || plan->seconds < fastest->plan.seconds)) fastest = &list[i];
    }
    return fastest;
}

static int64_t batch_of(const hg_tuning_row *row)
{
    hg_conv_problem p;
    return hg_conv_parse(row->problem, &p) == HG_OK ? p.batch : 0; /* rows of the database are problems */
}

/* How far a batch is from the wanted one: the larger by the smaller, 1 for the same. */
static double distance(int64_t batch, int64_t wanted)
{
    if (batch < 1) return 1e9;
    return batch > wanted ? (double)batch / (double)wanted : (double)wanted / (double)batch;
}

/* Rows come by batch, then by time: of the nearest batches, the first row that can run. */
static const hg_conv_candidate *nearest(const hg_conv_candidate *list, int count, const hg_tuning_row *rows, int nrows,
                                        int64_t *batch)
{
    const hg_conv_candidate *best = NULL;
    double least = 2.0000001;
    for (int r = 0; r < nrows; r++) {
        int64_t wanted = list->plan.problem.batch, has = batch_of(&rows[r]);
        double far = distance(has, wanted);
        if (rows[r].state != HG_TUNING_OK || far >= least) continue;
        const hg_conv_candidate *found = candidate_of(list, count, &rows[r], has != wanted);
        if (!found) continue;
        best = found;
        *batch = has;
        least = far;
    }
    return best;
}

const hg_conv_candidate *hg_tuning_recall(const hg_device *dev, hg_conv_candidate *list, int count,
                                          char source[HG_TUNING_SOURCE])
{
    char device[HG_DATABASE_TEXT], why[HG_DATABASE_WHY];
    hg_conv_problem p = hg_database_problem(dev, &list->plan.problem);
    hg_tuning_row *rows;
    int nrows;
    int64_t batch = p.batch;
    if (!database_wanted() || !hg_database_find(hg_database_device(dev, device), &p, &rows, &nrows, why)) return NULL;
    refuse_wrong(list, count, rows, nrows);
    const hg_conv_candidate *found = nearest(list, count, rows, nrows, &batch);
    free(rows);
    if (batch == p.batch) snprintf(source, HG_TUNING_SOURCE, "measured");
    else snprintf(source, HG_TUNING_SOURCE, "measured with %lld images", (long long)batch);
    return found;
}

/* ---- measuring ---- */

/* Keeps what was run; false with the reason. */
static bool keep(const hg_device *dev, const hg_tuning_row *rows, int count, char why[HG_DATABASE_WHY])
{
    hg_database_row *kept = calloc((size_t)count, sizeof *kept);
    int n = 0;
    if (!kept) {
        snprintf(why, HG_DATABASE_WHY, "out of host memory");
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (rows[i].state == HG_TUNING_SKIPPED) continue;
        hg_database_device(dev, kept[n].device);
        hg_database_solvers(kept[n].solvers);
        kept[n++].row = rows[i];
    }
    bool good = hg_database_put(kept, n, why);
    free(kept);
    return good;
}

hg_status hg_tuning_measure(hg_device *dev, const hg_conv_candidate *list, int count, hg_tuning_row **rows,
                            char why[HG_DATABASE_WHY])
{
    *why = 0;
    *rows = calloc((size_t)count, sizeof **rows);
    if (!*rows) return hg_error(HG_E_MEMORY, "tune: out of host memory");
    hg_status status = hg_conv_measure(dev, list, count, *rows);
    if (status != HG_OK) {
        free(*rows);
        *rows = NULL;
        return status;
    }
    int best = hg_conv_measured_best(*rows, count);
    const hg_conv_candidate *heuristic = hg_conv_fastest(list, count);
    if (best >= 0) (*rows)[best].chosen = true;
    if (heuristic) (*rows)[heuristic - list].heuristic = true;
    if (!keep(dev, *rows, count, why)) hg_log_message("conv", "measurements are not kept: %s", why);
    return HG_OK;
}

/* ---- public ---- */

hg_status hg_conv_problem_text(const char *text, char out[HG_CONV_KEY])
{
    hg_conv_problem p;
    if (!text || !out) return hg_error(HG_E_ARG, "conv: the problem is NULL");
    HG_TRY(hg_conv_parse(text, &p));
    hg_conv_key(&p, out);
    return HG_OK;
}

static hg_status tune(hg_device *dev, const char *problem, hg_tuning_row **rows, int *count)
{
    char why[HG_DATABASE_WHY], source[HG_TUNING_SOURCE];
    hg_conv_candidate *list;
    hg_conv_problem p;
    HG_TRY(hg_conv_parse(problem, &p));
    if (!p.batch || !p.channels || !p.outputs)
        return hg_error(HG_E_ARG, "tune: %s has nothing to compute; give it images, channels and outputs", problem);
    HG_TRY(hg_conv_candidates(dev, &p, &list, count));
    hg_tuning_recall(dev, list, *count, source);
    hg_status status = hg_tuning_measure(dev, list, *count, rows, why);
    free(list);
    if (status != HG_OK) return status;
    if (hg_conv_measured_best(*rows, *count) < 0) {
        free(*rows);
        *rows = NULL;
        return hg_error(HG_E_UNSUPPORTED, "tune: nothing could be measured for %s", problem);
    }
    return *why ? hg_error(HG_E_IO, "tune: the results could not be kept: %s", why) : HG_OK;
}

hg_status hg_tune(hg_device *dev, const char *problem, hg_tuning_row **rows, int *count)
{
    if (!dev || !problem || !rows || !count) return hg_error(HG_E_ARG, "tune: NULL");
    bool outermost;
    *rows = NULL;
    *count = 0;
    HG_TRY(hg_device_enter(dev, &outermost));
    hg_status status = tune(dev, problem, rows, count);
    hg_device_leave(dev, outermost);
    return status;
}

hg_status hg_tuning_list(hg_device *dev, hg_tuning_row **rows, int *count)
{
    char device[HG_DATABASE_TEXT], why[HG_DATABASE_WHY];
    if (!dev || !rows || !count) return hg_error(HG_E_ARG, "tuning list: NULL");
    if (hg_database_find(hg_database_device(dev, device), NULL, rows, count, why)) return HG_OK;
    return hg_error(HG_E_IO, "tuning list: %s", why);
}

hg_status hg_tuning_clear(hg_device *dev)
{
    char device[HG_DATABASE_TEXT], why[HG_DATABASE_WHY];
    if (!dev) return hg_error(HG_E_ARG, "tuning clear: the device is NULL");
    if (hg_database_clear(hg_database_device(dev, device), why)) return HG_OK;
    return hg_error(HG_E_IO, "tuning clear: %s", why);
}
