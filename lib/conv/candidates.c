#include "conv/candidates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"

const hg_conv_solver *const *hg_conv_solvers(void)
{
    static const hg_conv_solver *const all[] = {
        &hg_conv_winograd_f4x4, &hg_conv_winograd_f2x2, &hg_conv_gemm_1x1, &hg_conv_depthwise, &hg_conv_implicit_gemm,
        &hg_conv_lines,         &hg_conv_im2col,        &hg_conv_fft,     &hg_conv_direct,    NULL,
    };
    return all;
}

const hg_conv_solver *hg_conv_solver_named(const char *name, size_t length)
{
    for (const hg_conv_solver *const *s = hg_conv_solvers(); *s; s++)
        if (strlen((*s)->name) == length && !strncmp((*s)->name, name, length)) return *s;
    return NULL;
}

char *hg_conv_config_text(const hg_conv_config *c, char out[HG_CONV_CONFIG])
{
    int used = 0;
    for (size_t i = 0; i < sizeof c->value / sizeof *c->value; i++)
        used += snprintf(out + used, HG_CONV_CONFIG - (size_t)used, i ? ",%d" : "%d", c->value[i]);
    snprintf(out + used, HG_CONV_CONFIG - (size_t)used, "/%d", c->layout);
    return out;
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

/* ---- workspace ---- */

static int64_t allocatable(const hg_device *dev, uint64_t bytes)
{
    if (bytes > dev->info.max_allocation) bytes = dev->info.max_allocation;
    return bytes > INT64_MAX ? INT64_MAX : bytes ? (int64_t)bytes : 1;
}

int64_t hg_conv_usual_limit(const hg_device *dev)
{
    return allocatable(dev, hg_is_cpu(dev) ? UINT64_C(256) << 20 : UINT64_C(1) << 30);
}

hg_status hg_conv_limit(const hg_device *dev, int64_t *bytes)
{
    const char *asked = getenv("HAPGOP_WORKSPACE");
    uint64_t size;
    *bytes = hg_conv_usual_limit(dev);
    if (!asked || !*asked) return HG_OK;
    if (!hg_parse_size(asked, &size))
        return hg_error(HG_E_ARG, "HAPGOP_WORKSPACE=%s is not a size; write bytes, or a number with K, M or G", asked);
    *bytes = allocatable(dev, size);
    return HG_OK;
}

/* ---- candidates ---- */

/* The solver's candidates, at least one, to `out`; returns how many. */
static int candidates_of(const hg_conv_solver *solver, const hg_conv_problem *p, const hg_device *dev,
                         hg_conv_candidate *out)
{
    hg_conv_config configs[HG_CONV_CONFIGS];
    *out = (hg_conv_candidate){.plan = {.problem = *p, .solver = solver}};
    if (!solver->applicable(p, dev, out->why)) return 1;
    int n = solver->configs(p, dev, configs, HG_CONV_CONFIGS);
    for (int i = 0; i < n; i++) {
        size_t packed = solver->packed ? solver->packed(p, &configs[i]) : 0;
        size_t workspace = solver->workspace(p, &configs[i]);
        out[i] = (hg_conv_candidate){
            {*p, solver, configs[i], workspace, packed, solver->cost(p, &configs[i], dev)}, ""};
        if (workspace + packed > (uint64_t)p->workspace_limit)
            snprintf(out[i].why, HG_WHY, "needs %zu bytes of workspace, the limit is %lld", workspace + packed,
                     (long long)p->workspace_limit);
    }
    return n;
}

hg_status hg_conv_candidates(hg_device *dev, const hg_conv_problem *problem, hg_conv_candidate **list, int *count)
{
    hg_conv_problem p = *problem;
    int solvers = 0;
    *list = NULL;
    *count = 0;
    HG_TRY(hg_conv_check(&p));
    if (!p.workspace_limit) HG_TRY(hg_conv_limit(dev, &p.workspace_limit));
    while (hg_conv_solvers()[solvers]) solvers++;
    *list = calloc((size_t)solvers * HG_CONV_CONFIGS, sizeof **list);
    if (!*list) return hg_error(HG_E_MEMORY, "conv: out of host memory");
    for (int i = 0; i < solvers; i++) *count += candidates_of(hg_conv_solvers()[i], &p, dev, *list + *count);
    return HG_OK;
}

const hg_conv_candidate *hg_conv_fastest(const hg_conv_candidate *list, int count)
{
    const hg_conv_candidate *best = NULL;
    for (int i = 0; i < count; i++)
        if (!*list[i].why && (!best || list[i].plan.seconds < best->plan.seconds)) best = &list[i];
    return best;
}
