/* `hapgop train`: what its files share.
 * train_options.c reads the command line, train_prepare.c opens data, device and model, train_loop.c trains, train_evaluate.c tests, train_checkpoint.c saves and
 * loads, train_report.c writes what the user sees, train_json.c what programs read; train.c puts them together. */
#ifndef TOOLS_TRAIN_H
#define TOOLS_TRAIN_H

#include <hapgop/hapgop.h>

#include "args.h"
#include "resume.h"

typedef struct train_model {
    const char *name;               /* as on the command line and in checkpoints */
    bool batch_norm;                /* whether layer1.1 and layer2.1 count batches */
    hg_module *(*make)(hg_device *dev, bool fc_relu);
} train_model;

#define TRAIN_OPTIONS 18
typedef struct train_options {
    const train_model *model;
    const char *device, *data, *out, *json, *resume;
    int64_t epochs, iterations, batch, seed, workers;
    int64_t eval_every, report_every;       /* iterations; 0: never */
    double lr;
    int rng;                                /* hg_rng_kind */
    int eval_mode;                          /* TRAIN_MODE, EVAL_MODE */
    bool shuffle, fc_relu, quiet;
    char out_default[64];
    arg_option list[TRAIN_OPTIONS];         /* as the command line knows them */
} train_options;
enum { TRAIN_MODE, EVAL_MODE };

typedef struct train_evaluation {
    int64_t iteration, correct, total;
} train_evaluation;

/* Everything since the first iteration, also that of the runs before this one. */
typedef struct train_history {
    float *loss;                            /* of iterations 1, 2, ... */
    train_evaluation *evaluations;
    int64_t count, capacity, evaluation_count, evaluation_capacity;
} train_history;

#define TRAIN_PENDING 100       /* losses that may stay on the device */
#define TRAIN_WARM_UP 10        /* steps of a run that are not timed */
#define TRAIN_TIMED 100         /* steps that are timed after those */

/* This run's times, for --json alone. */
typedef struct train_times {
    bool wanted;
    double process_start, last;             /* seconds of CLOCK_BOOTTIME */
    double first_step, steps[TRAIN_TIMED], *evaluations;
    int64_t count, step_count, evaluation_count, evaluation_capacity;
    uint64_t memory_step10, memory_end;
} train_times;

typedef struct train_run {
    train_options *o;
    arg_command *command;
    hg_device *dev;
    hg_transform *transform;
    hg_dataset *train_set, *test_set;
    hg_loader *train_loader, *test_loader;
    hg_module *model;
    hg_optimizer *optimizer;
    int64_t iteration, epoch;               /* done */
    resume_plans plans;                     /* after the first full batch */
    int64_t start;                          /* iterations that were done when this run began */
    hg_tensor *pending[TRAIN_PENDING];      /* losses not yet read, the last one of `iteration` */
    int pending_count;
    train_history history;
    train_times times;
    double began, evaluating;               /* seconds: after the first step; spent in evaluations since */
    double shown;                           /* when the progress line was last written */
    double train_accuracy, eval_accuracy;   /* at the end, NaN if not known */
    int64_t batches_tracked;                /* by batch normalisation, when training ended; -1: there is none */
    const char *end;                        /* "finished", "stopped", "interrupted" */
    char last_checkpoint[4200];             /* path; "" if none yet */
} train_run;

/* train_options.c: ARGS_OK, or what main has to return is known (help was printed, or an error). */
arg_result train_options_read(train_options *o, arg_command *c, int argc, char **argv);
/* The command that goes on from `checkpoint`, on stdout. */
void train_options_print_resume(const train_run *run, const char *checkpoint);

/* train_prepare.c: everything up to the first iteration; false if that failed, which has been told. */
bool train_prepare(train_run *run);

/* train_checkpoint.c. Messages on stderr. */
bool train_save(train_run *run, const char *name);
hg_checkpoint *train_open_checkpoint(train_run *run);   /* reads o->resume and takes its options */
bool train_load(train_run *run, const hg_checkpoint *c);

/* train_loop.c: until the last iteration, a signal, or an error, which is told. */
bool train_loop(train_run *run);
/* Reads the losses that are still on the device. */
bool train_flush(train_run *run);
double train_process_start(void);

/* train_evaluate.c: counts what the model gets right in the whole test set. `*done` is false if a signal cut it
 * short (only if `may_stop`). */
bool train_evaluate(train_run *run, int mode, bool may_stop, train_evaluation *result, bool *done);
/* Both modes, for the end; leaves batch normalisation's statistics changed: save first. */
bool train_final_accuracy(train_run *run);

/* train_accuracy.c: percent; NaN of nothing. */
double train_accuracy(const train_evaluation *e);

/* train_report.c */
const train_evaluation *train_evaluation_at(const train_history *h, int64_t iteration);
void train_print_model(const train_run *run);
void train_print_report(const train_run *run);          /* of the iteration that was just done */
void train_progress(train_run *run);                    /* at most a few times a second, on a terminal alone */
void train_progress_clear(train_run *run);
void train_print_end(const train_run *run);
bool train_write_history(const train_run *run);         /* history.csv and curves.png */

/* train_json.c: what has to be taken down before the last tests, and the file. */
bool train_count_batches(train_run *run);
bool train_write_json(const train_run *run);

#endif
