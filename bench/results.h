/* What `hapgop-bench conv` measured, and the forms in which it is written. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include "bench.h"
#include "conv/problem.h"

typedef enum bench_status { BENCH_OK, BENCH_UNSUPPORTED, BENCH_FAILED } bench_status;
extern const char *const bench_status_names[];

/* One problem in one direction by one algorithm. */
typedef struct bench_row {
    char problem[HG_CONV_KEY];  /* bench_problem_text() */
    char algorithm[128];        /* the solver; with its configuration, "name@3,0,0,0/0", where several are measured; auto */
    char solver[HG_CONV_NAME];  /* that ran */
    char reason[256];           /* why it is unsupported or failed */
    int direction;
    bench_status status;
    bool chosen;                /* what the library would run */
    bool expected;              /* what has the least expected time */
    /* Milliseconds from the call until the queue is empty: of the first call; of later ones with a weight that stands,
     * its packed form being kept; with a new weight in each call. device_ms: the least sum of event times. */
    double first_ms, ms_median, ms_min, ms_p25, ms_p75, ms_new_weights, device_ms;
    double gflops, percent_of_peak;     /* of ms_median: by the definition's operations, whatever was computed */
    double rms_error, error_bound;
    size_t workspace;           /* bytes, packed weight included */
    int runs;                   /* that ms_median is of */
} bench_row;

/* A device's rows. */
typedef struct bench_results {
    hg_device *dev;
    bench_peak peak;
    bench_row *rows;
    int count;
    size_t capacity;
} bench_results;

/* Adds an empty row; NULL with an error if memory ran out. */
bench_row *bench_new_row(bench_results *r);

/* {"device": {...}, "results": [...]}, or {"devices": [the same of each]} for several; NULL if memory ran out. */
json_t *bench_results_json(const bench_results *list, int count);
/* As CSV, a line a row, the device first. free() it; NULL if memory ran out. */
char *bench_results_csv(const bench_results *list, int count);

/* As one page of HTML that needs nothing else. free() it; NULL if memory ran out. */
char *bench_results_html(const bench_results *list, int count);

/* Lines for the terminal. */
void bench_print_header(hg_device *dev, const bench_peak *peak);
void bench_print_rows(const bench_row *rows, int count);

/* ---- the heuristic ---- */
/* The time of what the library expects to be fastest over the least time measured, of each problem and direction where
 * both are known: their geometric mean. */
typedef struct bench_heuristic {
    int problems, best;         /* compared; where the ratio is 1 */
    double mean, worst;
} bench_heuristic;
bench_heuristic bench_judge_heuristic(const bench_results *r);
/* The same as lines for the terminal, the worst picks first, and as JSON. */
void bench_print_heuristic(const bench_results *r);
json_t *bench_heuristic_json(const bench_results *r);

#endif
