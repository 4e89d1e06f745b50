#include "measure.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/grow.h"
#include "cl/profile.h"

double bench_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

hg_status bench_samples_add(bench_samples *s, double ms)
{
    size_t capacity = (size_t)s->capacity;
    double *more = hg_grow(s->ms, (size_t)s->count, 1, &capacity, sizeof *s->ms);
    if (!more) return hg_error(HG_E_MEMORY, "bench: out of host memory");
    s->ms = more;
    s->capacity = (int)capacity;
    s->ms[s->count++] = ms;
    s->sum += ms;
    return HG_OK;
}

void bench_samples_free(bench_samples *s)
{
    free(s->ms);
    *s = (bench_samples){0};
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(bench_samples *s, double share)
{
    qsort(s->ms, (size_t)s->count, sizeof *s->ms, ascending);
    double at = share * (s->count - 1);
    int below = (int)at, above = below + 1 < s->count ? below + 1 : below;
    return s->ms[below] + (at - below) * (s->ms[above] - s->ms[below]);
}

hg_status bench_run_once(hg_device *dev, bench_work work, void *user, double *ms)
{
    double begin = bench_now_ms();
    HG_TRY(work(user));
    HG_TRY(hg_sync(dev));
    *ms = bench_now_ms() - begin;
    return HG_OK;
}

static hg_status sum_of_events(hg_device *dev, bench_work work, void *user, int runs, double *ms)
{
    *ms = -1;
    for (int run = 0; run < runs; run++) {
        HG_TRY(work(user));
        double sum = hg_profile_take_ms(dev);
        if (sum < 0) return hg_last_status();
        if (*ms < 0 || sum < *ms) *ms = sum;
    }
    return HG_OK;
}

hg_status bench_measure_events(hg_device *dev, bench_work work, void *user, int runs, double *ms)
{
    HG_TRY(hg_profile_begin(dev));
    hg_status status = sum_of_events(dev, work, user, runs, ms), end = hg_profile_end(dev);
    return status != HG_OK ? status : end;
}

hg_status bench_measure(hg_device *dev, bench_work work, void *user, double seconds, bench_times *times)
{
    enum { WARM_UP = 3, LEAST = 5, MOST = 10000 };
    bench_samples s = {0};
    double ms;
    hg_status status = HG_OK;
    for (int run = 0; run < WARM_UP && status == HG_OK; run++) status = bench_run_once(dev, work, user, &ms);
    for (double start = bench_now_ms();
         status == HG_OK && s.count < MOST && (s.count < LEAST || bench_now_ms() - start < 1e3 * seconds);) {
        status = bench_run_once(dev, work, user, &ms);
        if (status == HG_OK) status = bench_samples_add(&s, ms);
    }
    if (status == HG_OK) {
        *times =
            (bench_times){.ms_median = bench_quantile(&s, 0.5), .ms_min = bench_quantile(&s, 0), .runs = s.count};
        status = bench_measure_events(dev, work, user, s.count < 20 ? s.count : 20, &times->device_ms);
    }
    bench_samples_free(&s);
    return status;
}

void bench_random(float *values, int64_t count, uint64_t seed)
{
    uint64_t state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    for (int64_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values[i] = (float)((int32_t)(state >> 32) >> 7) * 0x1p-24f;    /* 24 bits and a sign */
    }
}
