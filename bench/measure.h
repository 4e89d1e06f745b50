/* Times. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "hapgop/device.h"

double bench_now_ms(void);      /* of a clock that never goes back */

/* Milliseconds of many runs. */
typedef struct bench_samples {
    double *ms;
    int count, capacity;
    double sum;
} bench_samples;

hg_status bench_samples_add(bench_samples *s, double ms);
void bench_samples_free(bench_samples *s);
/* The share-quantile, 0 least, 0.5 median, 1 greatest, of one sample or more; sorts them. */
double bench_quantile(bench_samples *s, double share);

/* Work that is queued by each call. */
typedef hg_status (*bench_work)(void *user);

/* One run: from the call until the queue is empty. */
hg_status bench_run_once(hg_device *dev, bench_work work, void *user, double *ms);

typedef struct bench_times {
    double ms_median, ms_min;   /* of one run: from the call until the queue is empty */
    double device_ms;           /* the least sum of its kernels' event times */
    int runs;
} bench_times;

/* Runs `work` a few times unmeasured, then for about `seconds`, at least five times; then again for event times. */
hg_status bench_measure(hg_device *dev, bench_work work, void *user, double seconds, bench_times *times);

/* The least sum of event times in milliseconds of `runs` runs. */
hg_status bench_measure_events(hg_device *dev, bench_work work, void *user, int runs, double *ms);

/* Numbers in [-1, 1), others for each seed. */
void bench_random(float *values, int64_t count, uint64_t seed);

#endif
