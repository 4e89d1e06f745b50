/* Adam (Kingma and Ba 2015), with AMSGrad, and AdamW (Loshchilov and Hutter 2019): kernels/adam.cl has the formula. */
#include <math.h>

#include "cl/fault.h"
#include "optim/optim.h"

enum { EXP_AVG, EXP_AVG_SQ, MAX_EXP_AVG_SQ };

static bool has_state(const hg_optimizer *opt, int state)
{
    return state != MAX_EXP_AVG_SQ || opt->adam.amsgrad;
}

/* Bias corrections in double, as Python has them. */
static hg_status update(const hg_optimizer *opt, const hg_optimized *o, hg_tensor *p, hg_tensor *g)
{
    const hg_adam_options *a = &opt->adam;
    bool f64 = p->dtype == HG_F64, decoupled = opt->cls == &hg_adamw_class;
    double step = a->lr / (1 - pow(a->beta1, (double)o->step)), root = sqrt(1 - pow(a->beta2, (double)o->step));
    double l2 = decoupled ? 0 : a->weight_decay, shrink = decoupled ? 1 - a->lr * a->weight_decay : 1;
    hg_tensor *m = o->state[EXP_AVG], *v = o->state[EXP_AVG_SQ], *x = a->amsgrad ? o->state[MAX_EXP_AVG_SQ] : v;
    hg_arg args[] = {HG_ARG_I64(p->numel), HG_ARG_MEM(hg_fault_buffer(p->dev)), hg_arg_real(f64, a->beta1),
                     hg_arg_real(f64, 1 - a->beta1), hg_arg_real(f64, a->beta2), hg_arg_real(f64, 1 - a->beta2),
                     hg_arg_real(f64, l2), hg_arg_real(f64, shrink), hg_arg_real(f64, step), hg_arg_real(f64, root),
                     hg_arg_real(f64, a->eps), HG_ARG_TENSOR(g), HG_ARG_TENSOR(p), HG_ARG_TENSOR(m), HG_ARG_TENSOR(v),
                     HG_ARG_TENSOR(x)};
    int count = (int)(sizeof args / sizeof *args);
    return hg_launch(p->dev, &hg_source_adam, hg_optim_options(p->dtype, p->numel), a->amsgrad ? "adam_max" : "adam",
                     hg_range_elements(p->dev, p->numel), args, a->amsgrad ? count : count - 2);
}

const hg_optimizer_class hg_adam_class = {
    .name = "Adam", .states = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, .has_state = has_state, .update = update};
const hg_optimizer_class hg_adamw_class = {
    .name = "AdamW", .states = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, .has_state = has_state, .update = update};

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
    hg_optimizer *opt = hg_optimizer_new(m, cls);
    if (opt) opt->adam = *o;
    return opt;
}

hg_optimizer *hg_adam(hg_module *m, const hg_adam_options *o)
{
    return make(m, &hg_adam_class, o ? o : &HG_ADAM_DEFAULTS);
}

hg_optimizer *hg_adamw(hg_module *m, const hg_adam_options *o)
{
    return make(m, &hg_adamw_class, o ? o : &HG_ADAMW_DEFAULTS);
}
