/* What the parts of hapgop-bench share. Each part gets its own name as argv[0] and returns the exit code. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <jansson.h>

#include "hapgop/device.h"

int gemm_main(int argc, char **argv);

/* The value of option `name` ("--json") at argv[*i], as "--json F" or "--json=F"; *i moves on. NULL if argv[*i] is
 * another argument, or has no value: then *bad is set and stderr says so. */
const char *bench_option(const char *name, int argc, char **argv, int *i, bool *bad);

typedef struct bench_times {
    double ms_median, ms_min;   /* of one run: from the call until the queue is empty */
    double device_ms;           /* the least sum of its kernels' event times */
    int runs;
} bench_times;

/* Runs `work` a few times unmeasured, then for about `seconds`, at least five times; then again for event times. */
hg_status bench_measure(hg_device *dev, hg_status (*work)(void *user), void *user, double seconds, bench_times *times);

/* Fills a buffer with numbers in [-1, 1). */
hg_status bench_fill(hg_device *dev, struct _cl_mem *mem, int64_t elements);

/* {"device": {...}, "results": results}, to the file; takes over `results`. False with a message on stderr. */
bool bench_write(hg_device *dev, json_t *results, const char *path);

#endif
