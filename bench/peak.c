/* What a device can do at most, measured with bench/peak.cl. */
#include <stdio.h>

#include "base/error.h"
#include "bench.h"
#include "cl/launch.h"
#include "cl/device.h"
#include "measure.h"

/* Runs are short and many: on a busy machine some find it free. */
enum { CHAINS = 12, FMA_RUNS = 60, STREAM_RUNS = 6 };

typedef struct job {
    hg_device *dev;
    hg_source source;
    hg_block *block[3];
    const char *options;
    hg_range range;
    int32_t loops;      /* of peak_fma; vectors a work-item of the other two */
    bool triad;
} job;

static hg_status run_fma(void *user)
{
    job *j = user;
    return hg_launch(j->dev, &j->source, j->options, "peak_fma", j->range,
                     HG_ARGS(HG_ARG_MEM(j->block[0]->mem), HG_ARG_I32(j->loops), HG_ARG_F32(0.999f),
                             HG_ARG_F32(0.001f)));
}

static hg_status run_stream(void *user)
{
    job *j = user;
    hg_arg a = HG_ARG_MEM(j->block[0]->mem), b = HG_ARG_MEM(j->block[1]->mem), c = HG_ARG_MEM(j->block[2]->mem);
    if (j->triad)
        return hg_launch(j->dev, &j->source, j->options, "peak_triad", j->range,
                         HG_ARGS(a, b, c, HG_ARG_F32(0.5f), HG_ARG_I32(j->loops)));
    return hg_launch(j->dev, &j->source, j->options, "peak_copy", j->range, HG_ARGS(a, b, HG_ARG_I32(j->loops)));
}

/* The least time of several runs after one that does not count. */
static hg_status least(job *j, bench_work work, int runs, double *ms)
{
    double one;
    HG_TRY(bench_run_once(j->dev, work, j, &one));
    *ms = one;
    for (int run = 0; run < runs; run++) {
        HG_TRY(bench_run_once(j->dev, work, j, &one));
        if (!run || one < *ms) *ms = one;
    }
    return HG_OK;
}

/* GFLOP/s of the fma kernel on vectors of `width` by `items` work-items in groups of `local`. */
static hg_status fma_rate(job *j, int width, size_t items, size_t local, double *gflops)
{
    char options[32];
    double ms;
    snprintf(options, sizeof options, "-DWIDTH=%d", width);
    j->options = options;
    j->range = (hg_range){1, {items}, {local}};
    j->loops = 2000;
    HG_TRY(least(j, run_fma, 1, &ms));
    while (ms < 1 && j->loops < 1 << 24) {      /* a run of 1 to 2 ms */
        j->loops *= 2;
        HG_TRY(least(j, run_fma, 1, &ms));
    }
    HG_TRY(least(j, run_fma, FMA_RUNS, &ms));
    double rate = 2e-6 * CHAINS * width * (double)items * j->loops / ms;
    if (rate > *gflops) *gflops = rate;
    return HG_OK;
}

static hg_status measure_fma(job *j, bench_peak *peak)
{
    size_t units = j->dev->info.units ? j->dev->info.units : 1, lanes = (size_t)hg_lanes(j->dev);
    bool cpu = hg_is_cpu(j->dev);
    if (cpu && j->dev->info.max_work_group >= 64) lanes = 64;
    size_t items = units * lanes * (cpu ? 1 : 32);
    j->block[0] = hg_pool_take(j->dev, (items > 4 * units ? items : 4 * units) * sizeof(float));
    if (!j->block[0]) return hg_last_status();
    HG_TRY(fma_rate(j, 16, units * (cpu ? 1 : 4), 1, &peak->gflops_vectors));
    HG_TRY(fma_rate(j, 8, units * (cpu ? 1 : 4), 1, &peak->gflops_vectors));
    HG_TRY(fma_rate(j, 1, items, lanes, &peak->gflops_lanes));
    HG_TRY(fma_rate(j, 4, items, lanes, &peak->gflops_lanes));
    peak->gflops = peak->gflops_vectors > peak->gflops_lanes ? peak->gflops_vectors : peak->gflops_lanes;
    hg_pool_give(j->dev, j->block[0]);
    j->block[0] = NULL;
    return HG_OK;
}

/* Buffers of 128 MiB: more than caches hold, of most processors. */
static hg_status measure_stream(job *j, bench_peak *peak)
{
    bool cpu = hg_is_cpu(j->dev);
    size_t bytes = (size_t)128 << 20, vectors, local = cpu ? 1 : (size_t)hg_lanes(j->dev);
    double ms;
    hg_memory_info memory;
    HG_TRY(hg_memory_get_info(j->dev, &memory));
    uint64_t room = j->dev->info.memory / 2;
    if (memory.budget && memory.budget < room) room = memory.budget;
    while (bytes > (1 << 20) && (bytes > j->dev->info.max_allocation || bytes * 4 > room)) bytes /= 2;
    for (int i = 0; i < 3; i++)
        if (!(j->block[i] = hg_pool_take(j->dev, bytes))) return hg_last_status();
    vectors = bytes / sizeof(cl_float16);
    j->loops = cpu ? 1024 : 4;
    j->options = cpu ? NULL : "-DAPART";
    j->range = (hg_range){1, {vectors / (size_t)j->loops}, {local}};
    HG_TRY(least(j, run_stream, STREAM_RUNS, &ms));
    peak->gbps_copy = 2e-6 * (double)bytes / ms;
    j->triad = true;
    HG_TRY(least(j, run_stream, STREAM_RUNS, &ms));
    peak->gbps_triad = 3e-6 * (double)bytes / ms;
    peak->gbps = peak->gbps_copy > peak->gbps_triad ? peak->gbps_copy : peak->gbps_triad;
    return HG_OK;
}

hg_status bench_measure_peak(hg_device *dev, bench_peak *peak)
{
    job j = {.dev = dev, .source = {.name = "peak", .text = bench_text_named("peak.cl")}};
    *peak = (bench_peak){0};
    hg_status status = measure_fma(&j, peak);
    if (status == HG_OK) status = measure_stream(&j, peak);
    for (int i = 0; i < 3; i++) hg_pool_give(dev, j.block[i]);
    hg_memory_trim(dev);
    return status;
}
