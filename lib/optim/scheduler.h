/* The scheduler itself, for the files of this room and for checkpoints. */
#ifndef HG_OPTIM_SCHEDULER_H
#define HG_OPTIM_SCHEDULER_H

#include "optim/optim.h"

typedef enum hg_scheduler_kind {
    HG_STEP_LR,
    HG_MULTI_STEP_LR,
    HG_EXPONENTIAL_LR,
    HG_COSINE_LR,
    HG_LINEAR_LR,
    HG_ONE_CYCLE_LR,
    HG_PLATEAU_LR
} hg_scheduler_kind;

/* One annealing of a one-cycle schedule: which options it leads from and to. */
typedef struct hg_cycle_phase {
    double end_step;
    const char *start_lr, *end_lr, *start_momentum, *end_momentum;      /* names of numbers of a group */
} hg_cycle_phase;

struct hg_scheduler {
    hg_scheduler_kind kind;
    hg_optimizer *opt;                      /* not owned */
    int64_t last_epoch, step_count;         /* PyTorch's last_epoch and _step_count */
    double *base_lrs;                       /* of each group */

    int64_t period;                         /* step_size, T_max, total_iters, total_steps */
    double gamma, eta_min, start_factor, end_factor;
    int64_t *milestones;                    /* sorted */
    int milestone_count;

    hg_one_cycle_options cycle;
    hg_cycle_phase phases[3];
    int phase_count;

    hg_plateau_options plateau;
    double best;
    int64_t bad_epochs, cooldown;
};

extern const char *const hg_scheduler_names[];      /* PyTorch's, by kind */

/* A scheduler with last_epoch -1 whose groups have their initial_lr. NULL with an error. */
hg_scheduler *hg_scheduler_new(hg_optimizer *opt, hg_scheduler_kind kind);
/* The learning rate that follows for a group; one-cycle sets the momentum of the group itself. */
double hg_one_cycle_next(hg_scheduler *s, int group);
/* Takes the first step, which PyTorch's constructors take; frees the scheduler if that fails. */
hg_scheduler *hg_scheduler_begun(hg_scheduler *s);

#endif
