/* Every way to compute a problem, and running one of them: for the selector, and for whoever measures or compares. */
#ifndef HG_CONV_CANDIDATES_H
#define HG_CONV_CANDIDATES_H

#include "conv/solver.h"

typedef struct hg_conv_candidate {
    hg_conv_plan plan; /* plan.seconds: expected; if the solver refuses the problem, only problem and solver are set */
    char why[HG_WHY];  /* why it cannot run: the solver's reason, or the workspace; "" if it can */
} hg_conv_candidate;

/* The candidates for a checked problem of at least one image, channel and output, in the order of hg_conv_solvers() and
 * of their configurations; the solver that the problem may name is not looked at. free() the list.
 * Errors: hg_conv_check's; HG_E_ARG for a HAPGOP_WORKSPACE that is no size; HG_E_MEMORY. */
hg_status hg_conv_candidates(hg_device *dev, const hg_conv_problem *p, hg_conv_candidate **list, int *count);

/* The candidate that can run and should be fastest, by expected time alone; NULL if none can. */
const hg_conv_candidate *hg_conv_fastest(const hg_conv_candidate *list, int count);

/* Queues the work of a plan: takes its workspace from the pool and packs the weight, as hg_conv_run does. The device
 * has been entered. The tensors are those of plan->problem. */
hg_status hg_conv_run_plan(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b);

/* The workspace limit of a problem that has none of its own: HAPGOP_WORKSPACE, else hg_conv_usual_limit(). */
hg_status hg_conv_limit(const hg_device *dev, int64_t *bytes);
int64_t hg_conv_usual_limit(const hg_device *dev);

/* A solver by name (`length` characters of it); NULL if there is none. */
const hg_conv_solver *hg_conv_solver_named(const char *name, size_t length);

/* The configuration as text, "3,16,1,0/0": values, then the layout of the packed weight. Returns out. */
enum { HG_CONV_CONFIG = 64 };
char *hg_conv_config_text(const hg_conv_config *c, char out[HG_CONV_CONFIG]);

#endif
