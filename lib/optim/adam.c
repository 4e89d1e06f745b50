/* Adam (Kingma and Ba 2015), with AMSGrad, and AdamW (Loshchilov and Hutter 2019): kernels/adam.cl has the formula. */
#include <math.h>
#include <stddef.h>

#include "cl/fault.h"
#include "optim/optim.h"

enum { EXP_AVG, EXP_AVG_SQ, MAX_EXP_AVG_SQ };

static bool has_state(const hg_optimizer_options *o, int state)
{
    return state != MAX_EXP_AVG_SQ || o->adam.amsgrad;
}

/* Bias corrections in double, as Python has them. */
static hg_status update(const hg_optimizer *opt, const hg_optim_batch *b)
{
    const hg_adam_options *o = &opt->groups[b->group].o.adam;
    hg_device *dev = b->param[0]->dev;
    bool decoupled = opt->cls == &hg_adamw_class;
    double step = o->lr / (1 - pow(o->beta1, (double)b->step)), rise = 1 / sqrt(1 - pow(o->beta2, (double)b->step));
    double l2 = decoupled ? 0 : o->weight_decay, shrink = decoupled ? 1 - o->lr * o->weight_decay : 1;
    const double numbers[] = {o->beta1, 1 - o->beta1, o->beta2, 1 - o->beta2, l2, shrink, step, rise, o->eps};
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    hg_arg args[2 + NUMBERS + 5 * HG_OPTIM_ARGS];
    int n = hg_optim_arg_sizes(args, b);
    args[n++] = HG_ARG_MEM(hg_fault_buffer(dev));
    for (int i = 0; i < NUMBERS; i++) args[n++] = hg_arg_real(b->param[0]->dtype == HG_F64, numbers[i]);
    n += hg_optim_arg_tensors(args + n, b->grad, b->count);
    n += hg_optim_arg_tensors(args + n, b->param, b->count);
    n += hg_optim_arg_state(args + n, b, EXP_AVG);
    n += hg_optim_arg_state(args + n, b, EXP_AVG_SQ);
    if (o->amsgrad) n += hg_optim_arg_state(args + n, b, MAX_EXP_AVG_SQ);
    return hg_launch(dev, &hg_source_adam, b->options, o->amsgrad ? "adam_max" : "adam",
                     hg_range_elements(dev, b->numel), args, n);
}

#define CLASS(text)                                                                                                    \
    {                                                                                                                  \
        .name = text, .states = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, .has_state = has_state, .update = update, \
        .lr = offsetof(hg_adam_options, lr), .weight_decay = offsetof(hg_adam_options, weight_decay),                  \
        .momentum = offsetof(hg_adam_options, beta1)                                                                   \
    }
const hg_optimizer_class hg_adam_class = CLASS("Adam"), hg_adamw_class = CLASS("AdamW");

hg_status hg_check_adam_options(const hg_adam_options *o)
{
    if (!(o->lr >= 0)) return hg_error(HG_E_ARG, "adam: Invalid learning rate: %g", o->lr);
    if (!(o->eps >= 0)) return hg_error(HG_E_ARG, "adam: Invalid epsilon value: %g", o->eps);
    if (!(o->beta1 >= 0 && o->beta1 < 1))
        return hg_error(HG_E_ARG, "adam: Invalid beta parameter at index 0: %g", o->beta1);
    if (!(o->beta2 >= 0 && o->beta2 < 1))
        return hg_error(HG_E_ARG, "adam: Invalid beta parameter at index 1: %g", o->beta2);
    if (!(o->weight_decay >= 0)) return hg_error(HG_E_ARG, "adam: Invalid weight_decay value: %g", o->weight_decay);
    return HG_OK;
}

static hg_optimizer *make(hg_module *m, const hg_optimizer_class *cls, const hg_adam_options *o)
{
    if (hg_check_adam_options(o) != HG_OK) return NULL;
    return hg_optimizer_new(m, cls, (hg_optimizer_options){.adam = *o});
}

hg_optimizer *hg_adam(hg_module *m, const hg_adam_options *o)
{
    return make(m, &hg_adam_class, o ? o : &HG_ADAM_DEFAULTS);
}

hg_optimizer *hg_adamw(hg_module *m, const hg_adam_options *o)
{
    return make(m, &hg_adamw_class, o ? o : &HG_ADAMW_DEFAULTS);
}
