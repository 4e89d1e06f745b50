/* Optimizers. Each keeps references to its parameters; options are copied; defaults are PyTorch's. */
#ifndef HAPGOP_OPTIM_H
#define HAPGOP_OPTIM_H

#include "hapgop/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hg_optimizer hg_optimizer;

typedef struct hg_adam_options {
    double lr, beta1, beta2, eps, weight_decay;
    bool amsgrad;
} hg_adam_options;
#define HG_ADAM_DEFAULTS ((hg_adam_options){1e-3, 0.9, 0.999, 1e-8, 0.0, false})
#define HG_ADAMW_DEFAULTS ((hg_adam_options){1e-3, 0.9, 0.999, 1e-8, 1e-2, false})

typedef struct hg_sgd_options {
    double lr, momentum, dampening, weight_decay;
    bool nesterov;
} hg_sgd_options;
#define HG_SGD_DEFAULTS ((hg_sgd_options){1e-3, 0.0, 0.0, 0.0, false})

/* Over the parameters of `m` that require a gradient now. NULL with HG_E_ARG for none ("optimizer got an empty
 * parameter list") or options out of range ("Invalid learning rate: -1"). */
HG_API hg_optimizer *hg_adam(hg_module *m, const hg_adam_options *o);
HG_API hg_optimizer *hg_adamw(hg_module *m, const hg_adam_options *o);
HG_API hg_optimizer *hg_sgd(hg_module *m, const hg_sgd_options *o);
HG_API void hg_optimizer_free(hg_optimizer *opt);

/* One step; parameters without a gradient are left alone. Does nothing on a device where a kernel found bad data
 * (the error comes at the next wait). */
HG_API hg_status hg_step(hg_optimizer *opt);
/* Drops the gradients (PyTorch's set_to_none=True, its default since 2.0). */
HG_API void hg_zero_grad(hg_optimizer *opt);
/* Of the first group; of all groups. HG_E_ARG for a negative rate. */
HG_API double hg_learning_rate(const hg_optimizer *opt);
HG_API hg_status hg_set_learning_rate(hg_optimizer *opt, double lr);
/* Scales all gradients so that their common 2-norm is at most max_norm; *norm (may be NULL) gets the norm before, which
 * waits for the device. */
HG_API hg_status hg_clip_grad_norm(hg_module *m, double max_norm, double *norm);

/* ---- Groups ---------------------------------------------------------------------------------------------------------
 * Parameters with options of their own, as PyTorch's parameter groups: a pretrained trunk that learns slowly under a new
 * classifier.
 *
 *   hg_optimizer *opt = hg_adam(net, NULL);
 *   hg_group_options slow = {.pattern = "layer3.*,layer4.*", .lr = 1e-4, .weight_decay = -1};
 *   hg_status st = hg_set_groups(opt, &slow, 1);        // group 0: layer3 and layer4; group 1: the rest, as before */
typedef struct hg_group_options {
    const char *pattern;            /* as hg_module_requires_grad's, on the names in the optimizer's module */
    double lr, weight_decay;        /* negative: the optimizer's own */
} hg_group_options;

/* Divides the optimizer's parameters: each goes to the first group whose pattern its name matches; what is left becomes
 * a last group. Their states stay; the other options are those of the first group before. HG_E_ARG for a group without
 * a parameter, HG_E_STATE once a scheduler was made; nothing has changed then. */
HG_API hg_status hg_set_groups(hg_optimizer *opt, const hg_group_options *groups, int count);
HG_API int hg_group_count(const hg_optimizer *opt);     /* 1 without hg_set_groups */
HG_API double hg_group_learning_rate(const hg_optimizer *opt, int group);   /* 0 with HG_E_ARG if it is not there */
HG_API hg_status hg_set_group_learning_rate(hg_optimizer *opt, int group, double lr);

/* ---- Schedulers -----------------------------------------------------------------------------------------------------
 * They change the learning rates of an optimizer, which must outlive them: the values are PyTorch 1.13's, the same
 * doubles. As there, making one is its step 0; call hg_scheduler_step() after the optimizer's steps of an epoch (one-cycle:
 * of a batch). Each makes the next rate from the present one, so that several may be stepped in turn: a warm-up, and what
 * follows it. Groups are divided before the first scheduler is made. NULL with HG_E_ARG for options out of range. */
typedef struct hg_scheduler hg_scheduler;

/* StepLR: times gamma every `step_size` steps. MultiStepLR: times gamma at these steps, any order, as often as one comes.
 * ExponentialLR: times gamma at each. PyTorch's gamma is 0.1 for the first two. */
HG_API hg_scheduler *hg_step_lr(hg_optimizer *opt, int64_t step_size, double gamma);
HG_API hg_scheduler *hg_multi_step_lr(hg_optimizer *opt, const int64_t *milestones, int count, double gamma);
HG_API hg_scheduler *hg_exponential_lr(hg_optimizer *opt, double gamma);
/* CosineAnnealingLR (Loshchilov and Hutter 2016, without restarts): down to eta_min in t_max steps, and up again. */
HG_API hg_scheduler *hg_cosine_lr(hg_optimizer *opt, int64_t t_max, double eta_min);
/* LinearLR, the warm-up: from start_factor to end_factor of the rate in total_iters steps. PyTorch's are 1/3, 1 and 5. */
HG_API hg_scheduler *hg_linear_lr(hg_optimizer *opt, double start_factor, double end_factor, int64_t total_iters);

typedef struct hg_one_cycle_options {
    double max_lr;
    const double *max_lrs;          /* one for each group; NULL: max_lr */
    int64_t total_steps;            /* a step more is HG_E_STATE */
    double pct_start;               /* the share of the steps in which the rate rises */
    bool linear;                    /* else along a cosine */
    bool cycle_momentum;            /* SGD's momentum, Adam's beta1: down while the rate rises */
    double base_momentum, max_momentum;
    double div_factor, final_div_factor;    /* initial rate max_lr / div_factor, last one initial / final_div_factor */
    bool three_phase;               /* up, down as fast, then to the last rate */
} hg_one_cycle_options;
#define HG_ONE_CYCLE_DEFAULTS                                                                                          \
    ((hg_one_cycle_options){.pct_start = 0.3, .cycle_momentum = true, .base_momentum = 0.85, .max_momentum = 0.95,     \
                            .div_factor = 25, .final_div_factor = 1e4})
HG_API hg_scheduler *hg_one_cycle_lr(hg_optimizer *opt, const hg_one_cycle_options *o);

typedef struct hg_plateau_options {
    bool maximize;                  /* whether more is better, as of an accuracy */
    double factor;
    int64_t patience, cooldown;     /* steps without progress that pass; steps after a cut that do not count */
    double threshold;               /* what counts as progress: a share of the best value, or */
    bool absolute;                  /* a difference from it */
    double min_lr, eps;             /* the least rate; cuts by no more than eps are left out */
} hg_plateau_options;
#define HG_PLATEAU_DEFAULTS ((hg_plateau_options){.factor = 0.1, .patience = 10, .threshold = 1e-4, .eps = 1e-8})
/* ReduceLROnPlateau: times factor once a metric made no progress for longer than `patience` steps. */
HG_API hg_scheduler *hg_plateau_lr(hg_optimizer *opt, const hg_plateau_options *o);

/* HG_E_ARG for a plateau, which needs its metric; the others leave the metric alone. */
HG_API hg_status hg_scheduler_step(hg_scheduler *s);
HG_API hg_status hg_scheduler_step_metric(hg_scheduler *s, double metric);
HG_API void hg_scheduler_free(hg_scheduler *s);     /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
