/* Stochastic gradient descent with momentum, also Nesterov's: kernels/sgd.cl has the formula. */
#include "cl/fault.h"
#include "optim/optim.h"

static bool has_state(const hg_optimizer *opt, int state)
{
    (void)state;
    return opt->sgd.momentum != 0;
}

static hg_status update(const hg_optimizer *opt, const hg_optimized *o, hg_tensor *p, hg_tensor *g)
{
    const hg_sgd_options *s = &opt->sgd;
    bool f64 = p->dtype == HG_F64;
    const char *options = hg_optim_options(p->dtype, p->numel);
    hg_arg n = HG_ARG_I64(p->numel), fault = HG_ARG_MEM(hg_fault_buffer(p->dev));
    hg_arg lr = hg_arg_real(f64, s->lr), decay = hg_arg_real(f64, s->weight_decay);
    hg_range range = hg_range_elements(p->dev, p->numel);
    if (!s->momentum)
        return hg_launch(p->dev, &hg_source_sgd, options, "sgd", range,
                         HG_ARGS(n, fault, lr, decay, HG_ARG_TENSOR(g), HG_ARG_TENSOR(p)));
    return hg_launch(p->dev, &hg_source_sgd, options, "sgd_momentum", range,
                     HG_ARGS(n, fault, lr, decay, hg_arg_real(f64, s->momentum), hg_arg_real(f64, 1 - s->dampening),
                             HG_ARG_I32(o->step == 1), HG_ARG_I32(s->nesterov), HG_ARG_TENSOR(g), HG_ARG_TENSOR(p),
                             HG_ARG_TENSOR(o->state[0])));
}

const hg_optimizer_class hg_sgd_class = {
    .name = "SGD", .states = {"momentum_buffer"}, .has_state = has_state, .update = update};

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
    hg_optimizer *opt = hg_optimizer_new(m, &hg_sgd_class);
    if (opt) opt->sgd = o;
    return opt;
}
