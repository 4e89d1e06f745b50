/* The optimizer itself, for the files of this room and for checkpoints. */
#ifndef HG_OPTIM_OPTIM_H
#define HG_OPTIM_OPTIM_H

#include "autograd/autograd.h"
#include "hapgop/optim.h"

enum { HG_OPTIM_STATES = 3, HG_OPTIM_SLOTS = 8 };      /* slots: of kernels/slots.clh */

/* A parameter with what its steps left behind. The state tensors have its shape and dtype; they are NULL before its
 * first step. */
typedef struct hg_optimized {
    hg_tensor *param;
    char *name;                                     /* in the module */
    int group;
    int64_t step;
    hg_tensor *state[HG_OPTIM_STATES];
} hg_optimized;

typedef union hg_optimizer_options {
    hg_adam_options adam;                           /* both Adams */
    hg_sgd_options sgd;
} hg_optimizer_options;

/* Parameters that share their options. What a scheduler adds has PyTorch's names. */
typedef struct hg_optimizer_group {
    hg_optimizer_options o;
    bool scheduled, cycled;                         /* whether there is an initial_lr; also what one-cycle needs */
    double initial_lr, max_lr, min_lr, max_momentum, base_momentum;
} hg_optimizer_group;

/* Parameters that one launch changes: of one device, dtype and group, none twice, with equally many steps. */
typedef struct hg_optim_batch {
    int count;
    int group;
    int64_t step;                                   /* counts this one */
    int64_t numel;                                  /* of all together */
    const char *options;                            /* the compiler's */
    hg_optimized *of[HG_OPTIM_SLOTS];
    hg_tensor *param[HG_OPTIM_SLOTS], *grad[HG_OPTIM_SLOTS];    /* contiguous */
} hg_optim_batch;

typedef struct hg_optimizer_class {
    const char *name;                               /* PyTorch's */
    const char *states[HG_OPTIM_STATES];            /* their keys in PyTorch's state_dict(); NULL ends them */
    /* Whether the state of that index is kept with these options. */
    bool (*has_state)(const hg_optimizer_options *o, int state);
    /* Changes the parameters of a batch, of at least one, by their gradients. */
    hg_status (*update)(const hg_optimizer *opt, const hg_optim_batch *b);
    /* The learning rate, the weight decay, and what one-cycle calls momentum, in options. */
    size_t lr, weight_decay, momentum;
} hg_optimizer_class;

struct hg_optimizer {
    const hg_optimizer_class *cls;
    hg_optimizer_group *groups;
    int group_count;
    hg_optimized *params;                           /* sorted by group */
    int count;
    size_t capacity;
};

extern const hg_optimizer_class hg_adam_class, hg_adamw_class, hg_sgd_class;

/* The options' ranges, in PyTorch's words. */
hg_status hg_check_adam_options(const hg_adam_options *o);
hg_status hg_check_sgd_options(const hg_sgd_options *o);

/* An optimizer over the parameters of `m` that require a gradient, in one group. */
hg_optimizer *hg_optimizer_new(hg_module *m, const hg_optimizer_class *cls, hg_optimizer_options o);

/* One of the options of a group: opt->cls->lr, weight_decay, momentum. */
double *hg_option(const hg_optimizer *opt, int group, size_t which);

/* Makes the state tensors of a parameter that has none, all zero. */
hg_status hg_optimizer_make_states(const hg_optimizer *opt, hg_optimized *o);

/* "adam: the group 3 is not there; ...", and HG_E_ARG; or HG_OK. */
hg_status hg_check_group(const char *op, const hg_optimizer *opt, int group);

/* The compiler options of a kernel over at most `n` elements of a tensor. */
const char *hg_optim_options(hg_dtype dtype, int64_t n);

/* Kernel arguments of a batch, each returns the number written: the sizes; the parameters or gradients; a state. */
int hg_optim_arg_sizes(hg_arg *args, const hg_optim_batch *b);
int hg_optim_arg_tensors(hg_arg *args, hg_tensor *const *tensors, int count);
int hg_optim_arg_state(hg_arg *args, const hg_optim_batch *b, int state);
enum { HG_OPTIM_ARGS = HG_OPTIM_SLOTS + 1 };        /* of tensors */

#endif
