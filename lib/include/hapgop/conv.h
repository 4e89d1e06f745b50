/* Convolution plans: which solver computes each convolution, and measuring which is fastest.
 *
 * A device makes a plan for every convolution it meets and keeps it until it closes. The plan is the solver that
 * HAPGOP_CONV names; else what was measured on such a device and kept in the tuning database, for this problem or the
 * same one with at most twice or half as many images; else, with HAPGOP_TUNE=1, what is measured there and then; else
 * what should be fastest by the device's properties. HAPGOP_TUNE=0 leaves the database out. HAPGOP_LOG=conv tells what
 * was chosen, and why.
 *
 * The database is $XDG_CACHE_HOME/hapgop/tuning.sqlite (or below ~/.cache). Several processes may share it. One that
 * is damaged, busy or cannot be written is as good as none. What is in it holds for devices of the same platform, name,
 * driver, class and units, and for the same set of solvers.
 *
 * A problem as text: direction (fwd, bwd-data, bwd-weights), images x channels x sizes, outputs x kernel, stride,
 * padding, dtype, then dilation, groups, epilogue and workspace limit where they are not the default:
 *   fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32 d2x2 g4 bias residual relu w1048576 */
#ifndef HAPGOP_CONV_H
#define HAPGOP_CONV_H

#include "hapgop/device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hg_tuning_state {
    HG_TUNING_OK,       /* right, and timed */
    HG_TUNING_WRONG,    /* computed something else than the definition: never chosen for this problem again */
    HG_TUNING_SKIPPED   /* not run, or failed: `why` has the reason */
} hg_tuning_state;

/* One way to compute a problem, as it was measured. Times are in milliseconds, of one call with all it needs. */
typedef struct hg_tuning_row {
    char problem[256], solver[64];
    char config[64];        /* the solver's own parameters */
    hg_tuning_state state;
    double ms;              /* the least of several; NaN if it was not timed */
    double expected_ms;     /* by the device's properties; NaN in rows of the database */
    double error;           /* sqrt(mean(difference^2)) / largest value, against direct summation; NaN if not known */
    uint64_t workspace;     /* bytes */
    int64_t when;           /* seconds since 1970, UTC */
    bool chosen;            /* hg_tune: the fastest */
    bool heuristic;         /* hg_tune: what would be chosen without measuring */
    char why[160];          /* HG_TUNING_SKIPPED: the reason; else "" */
} hg_tuning_row;

/* Checks a problem's text and writes it in its usual form to `out`; optional fields may come in any order or be left
 * out (stride 1, padding 0, f32). HG_E_FORMAT names the field that cannot be read; HG_E_ARG or HG_E_SHAPE for sizes
 * that make no convolution. */
HG_API hg_status hg_conv_problem_text(const char *text, char out[256]);

/* Measures every solver in every configuration that the problem allows within its workspace limit, keeps the results in
 * the database, and returns them, refused ones too, in the solvers' order; free(*rows). A result counts if it agrees
 * with direct summation on random data; a wrong one is a warning of the log and is kept as wrong. Operands and
 * workspace come from the device's memory pool. Plans that the device has made already stay.
 * HG_E_FORMAT, HG_E_ARG or HG_E_SHAPE for what is no problem; HG_E_UNSUPPORTED if nothing could be measured;
 * HG_E_MEMORY if the operands do not fit; HG_E_IO if the results could not be kept (the rows are returned all the
 * same). On other errors *rows is NULL. */
HG_API hg_status hg_tune(hg_device *dev, const char *problem, hg_tuning_row **rows, int *count);

/* What the database holds for this device, by problem, fastest first; free(*rows). No database, no rows.
 * HG_E_IO if it cannot be read. */
HG_API hg_status hg_tuning_list(hg_device *dev, hg_tuning_row **rows, int *count);

/* Forgets what was measured for this device, wrong solvers included. HG_E_IO if the database cannot be written. */
HG_API hg_status hg_tuning_clear(hg_device *dev);

/* Writes what the database holds for this device as text, a line a row, so that an application can bring it along.
 * HG_E_IO if the file cannot be written; what was there before is kept then. */
HG_API hg_status hg_tuning_export(hg_device *dev, const char *path);

/* Takes the rows of such a file, of any device, into the database; newer measurements of the same thing stay, and what
 * was wrong stays wrong. Plans that the device has made already stay: call it before the first convolution.
 * HG_E_FORMAT with the line and what is wrong with it, or HG_E_IO if the file cannot be read or the database cannot be
 * written: nothing is taken then. */
HG_API hg_status hg_tuning_import(hg_device *dev, const char *path);

/* A plan that a device has made. */
typedef struct hg_conv_plan_info {
    char problem[256], solver[64], config[64];
} hg_conv_plan_info;

/* The plans made so far, sorted by problem; free(*plans). */
HG_API hg_status hg_conv_plan_list(hg_device *dev, hg_conv_plan_info **plans, int *count);

/* A number that stands for the plans made so far, whatever their order: the same device, driver, plans and data give
 * the same results bit for bit. 0 if there is none. */
HG_API uint64_t hg_conv_plan_hash(hg_device *dev);

#ifdef __cplusplus
}
#endif
#endif
