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
HG_API double hg_learning_rate(const hg_optimizer *opt);
HG_API hg_status hg_set_learning_rate(hg_optimizer *opt, double lr);
/* Scales all gradients so that their common 2-norm is at most max_norm; *norm (may be NULL) gets the norm before, which
 * waits for the device. */
HG_API hg_status hg_clip_grad_norm(hg_module *m, double max_norm, double *norm);

#ifdef __cplusplus
}
#endif
#endif
