/* How good the choice by expected time is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problems.h"
#include "results.h"

/* The rows of one problem and direction. */
typedef struct group {
    const bench_row *rows, *pick, *best;
    int count;
} group;

/* The group that begins at row `at`. */
static group group_at(const bench_results *r, int at)
{
    group g = {&r->rows[at], NULL, NULL, 0};
    while (at + g.count < r->count && r->rows[at + g.count].direction == g.rows->direction &&
           !strcmp(r->rows[at + g.count].problem, g.rows->problem)) {
        const bench_row *row = &r->rows[at + g.count++];
        if (row->status != BENCH_OK) continue;
        if (row->expected && !g.pick) g.pick = row;
        if (!g.best || row->ms_median < g.best->ms_median) g.best = row;
    }
    return g;
}

static double ratio_of(const group *g)
{
    return g->pick ? g->pick->ms_median / g->best->ms_median : NAN;
}

bench_heuristic bench_judge_heuristic(const bench_results *r)
{
    bench_heuristic h = {.worst = 1};
    double sum = 0;
    for (int at = 0; at < r->count;) {
        group g = group_at(r, at);
        double ratio = ratio_of(&g);
        at += g.count;
        if (isnan(ratio)) continue;
        h.problems++;
        h.best += g.pick == g.best;
        h.worst = fmax(h.worst, ratio);
        sum += log(ratio);
    }
    h.mean = h.problems ? exp(sum / h.problems) : NAN;
    return h;
}

static int worst_first(const void *a, const void *b)
{
    double x = ratio_of(a), y = ratio_of(b);
    return (x < y) - (x > y);
}

void bench_print_heuristic(const bench_results *r)
{
    enum { SHOWN = 10 };
    bench_heuristic h = bench_judge_heuristic(r);
    group *groups = calloc((size_t)r->count + 1, sizeof *groups);
    int count = 0;
    for (int at = 0; groups && at < r->count;) {
        group g = group_at(r, at);
        at += g.count;
        if (!isnan(ratio_of(&g))) groups[count++] = g;
    }
    if (!count) {
        free(groups);
        printf("\nheuristic: nothing to compare\n");
        return;
    }
    qsort(groups, (size_t)count, sizeof *groups, worst_first);
    printf("\nheuristic: its pick takes %.3f times as long as the best measured (geometric mean of %d), is the best in "
           "%d, at worst %.2f times\n",
           h.mean, h.problems, h.best, h.worst);
    for (int i = 0; i < count && i < SHOWN && ratio_of(&groups[i]) > 1.05; i++)
        printf("  %5.2f  %-11s %-40s %s, best %s\n", ratio_of(&groups[i]), bench_directions[groups[i].rows->direction],
               groups[i].rows->problem, groups[i].pick->algorithm, groups[i].best->algorithm);
    free(groups);
}

json_t *bench_heuristic_json(const bench_results *r)
{
    bench_heuristic h = bench_judge_heuristic(r);
    json_t *rows = json_array();
    int failed = 0;
    for (int at = 0; at < r->count;) {
        group g = group_at(r, at);
        at += g.count;
        if (isnan(ratio_of(&g))) continue;
        failed |= json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:f}", "problem", g.rows->problem,
                                                        "direction", bench_directions[g.rows->direction], "pick",
                                                        g.pick->algorithm, "best", g.best->algorithm, "ratio",
                                                        ratio_of(&g)));
    }
    json_t *root = json_pack("{s:i,s:i,s:o,s:o,s:o}", "problems", h.problems, "picked_best", h.best, "geometric_mean",
                             h.problems ? json_real(h.mean) : json_null(), "worst", json_real(h.worst), "picks", rows);
    if (!failed) return root;
    json_decref(root);
    return NULL;
}
