/* `hapgop transfer`: what its files share.
 * transfer_options.c reads the command line, transfer_prepare.c opens data, device and network, transfer_loop.c trains,
 * transfer_resume.c saves after each epoch where it is and goes on from there, transfer_evaluate.c tests the checkpoints, transfer_report.c writes the files; transfer.c puts them together.
 * standin.c runs it several times, on data of its own. */
#ifndef TOOLS_TRANSFER_H
#define TOOLS_TRANSFER_H

#include <hapgop/hapgop.h>

#include "args.h"
#include "resume.h"

enum { TRANSFER_FEATURE_EXTRACT, TRANSFER_FINE_TUNE };
enum { TRANSFER_CONSTANT, TRANSFER_STEP, TRANSFER_COSINE, TRANSFER_ONE_CYCLE, TRANSFER_PLATEAU };
/* The names of the regimes are those of the data: its size, its similarity to what the weights were trained with. */
enum { TRANSFER_SMALL_LOW, TRANSFER_SMALL_HIGH, TRANSFER_LARGE_LOW, TRANSFER_LARGE_HIGH };
extern const char *const transfer_modes[], *const transfer_regimes[];

#define TRANSFER_OPTIONS 22
typedef struct transfer_options {
    const char *arch, *weights, *data, *out, *json, *device; /* NULL: not given */
    const hg_model_info *model;
    int64_t epochs, batch, workers, size, seed;
    double lr, trunk_lr, weight_decay; /* trunk_lr negative: lr */
    int mode, regime, schedule, rng, on_bad_image;
    bool imagenet_norm, freeze_batch_norm, resume, quiet, grey; /* grey: the images have no channels */
    arg_option list[TRANSFER_OPTIONS];
} transfer_options;

/* Opens the images to train with, or to test with, after this transform; NULL with the library's error. */
typedef hg_dataset *(*transfer_open_fn)(const transfer_options *o, bool train, const hg_transform *transform,
                                        void *user);

typedef struct transfer_epoch {
    double loss, accuracy, rate, test_accuracy, seconds;
} transfer_epoch;

typedef struct transfer_run {
    transfer_options *o;
    arg_command *command; /* NULL: the run leaves nothing to go on from */
    hg_device *dev;
    transfer_open_fn open; /* NULL: the folders train and test of o->data */
    void *user;
    hg_transform *train_transform, *test_transform;
    hg_dataset *train_set, *test_set;
    hg_loader *train_loader, *test_loader;
    hg_module *model;
    hg_optimizer *optimizer;
    hg_scheduler *schedule;
    int64_t classes, train_images; /* train_images: those that were read in the last epoch */
    int trained_tensors;
    int64_t trained_parameters, all_parameters;
    transfer_epoch *epochs; /* o->epochs of them; `done` are filled */
    resume_plans plans;     /* of the checkpoint that the run goes on from, until they are compared; else "" */
    int64_t done, best;     /* best: the checkpoint with most right answers, the first of equals; -1: none */
    int64_t *confusion;     /* classes x classes: row the true class, column the answer; of the best */
    double training_seconds, testing_seconds, waited;
} transfer_run;

arg_result transfer_options_read(transfer_options *o, arg_command *c, int argc, char **argv);
void transfer_options_default(transfer_options *o);

/* The whole command but for the command line: exit code. `run` holds the results; transfer_free() it in any case. */
int transfer_execute(transfer_run *run);
void transfer_free(transfer_run *run);

/* Each returns false if something failed, which has been told. */
bool transfer_prepare(transfer_run *run);
bool transfer_train(transfer_run *run);
/* --resume: reads OUT/resume.pth and takes its options; NULL if that failed, which has been told. Then, when all is
 * prepared, its state and that of its last epoch's network. */
hg_checkpoint *transfer_open_place(transfer_run *run);
bool transfer_load_place(transfer_run *run, const hg_checkpoint *c);
/* After an epoch, whose network is saved already. */
bool transfer_save_place(transfer_run *run);
bool transfer_forget_place(const transfer_run *run); /* for a run from the start, as the file would be of another */
bool transfer_evaluate(transfer_run *run);    /* every checkpoint of this run; writes best.pth */
bool transfer_write(const transfer_run *run); /* history.csv, curves.png, confusion.csv, .png, classes.csv; --json */
void transfer_print_classes(const transfer_run *run);

/* "OUT/NAME". False, told, if that is too long. */
bool transfer_path(const transfer_run *run, const char *name, char path[4200]);
/* "OUT/03.pth" */
bool transfer_checkpoint(const transfer_run *run, int64_t epoch, char path[4200]);

#endif
