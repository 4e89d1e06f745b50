/* Stochastic gradient descent with momentum, also Nesterov's: kernels/sgd.cl has the formula. */
#include <stddef.h>

#include "cl/fault.h"
#include "optim/optim.h"

static bool has_state(const hg_optimizer_options *o, int state)
{
    (void)state;
    return o->sgd.momentum != 0;
}

static hg_status update(const hg_optimizer *opt, const hg_optim_batch *b)
{
    const hg_sgd_options *o = &opt->groups[b->group].o.sgd;
    hg_device *dev = b->param[0]->dev;
    bool f64 = b->param[0]->dtype == HG_F64;
    hg_arg args[8 + 3 * HG_OPTIM_ARGS];
    int n = hg_optim_arg_sizes(args, b);
    args[n++] = HG_ARG_MEM(hg_fault_buffer(dev));
    args[n++] = hg_arg_real(f64, o->lr);
    args[n++] = hg_arg_real(f64, o->weight_decay);
    if (o->momentum) {
        args[n++] = hg_arg_real(f64, o->momentum);
        args[n++] = hg_arg_real(f64, 1 - o->dampening);
        args[n++] = HG_ARG_I32(b->step == 1);
        args[n++] = HG_ARG_I32(o->nesterov);
    }
    n += hg_optim_arg_tensors(args + n, b->grad, b->count);
    n += hg_optim_arg_tensors(args + n, b->param, b->count);
    if (o->momentum) n += hg_optim_arg_state(args + n, b, 0);
    return hg_launch(dev, &hg_source_sgd, b->options, o->momentum ? "sgd_momentum" : "sgd",
                     hg_range_elements(dev, b->numel), args, n);
}

const hg_optimizer_class hg_sgd_class = {.name = "SGD",
                                         .states = {"momentum_buffer"},
                                         .has_state = has_state,
                                         .update = update,
                                         .lr = offsetof(hg_sgd_options, lr),
                                         .weight_decay = offsetof(hg_sgd_options, weight_decay),
                                         .momentum = offsetof(hg_sgd_options, momentum)};

hg_status hg_check_sgd_options(const hg_sgd_options *o)
{
    if (!(o->lr >= 0)) return hg_error(HG_E_ARG, "sgd: Invalid learning rate: %g", o->lr);
    if (!(o->momentum >= 0)) return hg_error(HG_E_ARG, "sgd: Invalid momentum value: %g", o->momentum);
    if (!(o->weight_decay >= 0)) return hg_error(HG_E_ARG, "sgd: Invalid weight_decay value: %g", o->weight_decay);
    if (o->nesterov && (o->momentum <= 0 || o->dampening != 0))
        return hg_error(HG_E_ARG, "sgd: Nesterov momentum requires a momentum and zero dampening");
    return HG_OK;
}

hg_optimizer *hg_sgd(hg_module *m, const hg_sgd_options *given)
{
    hg_sgd_options o = given ? *given : HG_SGD_DEFAULTS;
    if (hg_check_sgd_options(&o) != HG_OK) return NULL;
    return hg_optimizer_new(m, &hg_sgd_class, (hg_optimizer_options){.sgd = o});
}
