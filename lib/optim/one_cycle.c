/* One cycle (Smith and Topin 2017), as PyTorch's OneCycleLR: the learning rate rises and falls while the momentum, for
 * Adam beta1, falls and rises. */
#include <math.h>
#include <string.h>

#include "optim/scheduler.h"

static double anneal(const hg_one_cycle_options *o, double start, double end, double share)
{
    if (o->linear) return (end - start) * share + start;
    double out = cos(M_PI * share) + 1;
    return end + (start - end) / 2.0 * out;
}

/* The number of a group that a phase names. */
static double number(const hg_optimizer_group *g, const char *name)
{
    if (!strcmp(name, "initial_lr")) return g->initial_lr;
    if (!strcmp(name, "max_lr")) return g->max_lr;
    if (!strcmp(name, "min_lr")) return g->min_lr;
    return !strcmp(name, "max_momentum") ? g->max_momentum : g->base_momentum;
}

double hg_one_cycle_next(hg_scheduler *s, int group)
{
    const hg_optimizer_group *g = &s->opt->groups[group];
    double at = (double)s->last_epoch, start_step = 0;
    int i = 0;
    for (; i < s->phase_count - 1 && at > s->phases[i].end_step; i++) start_step = s->phases[i].end_step;
    const hg_cycle_phase *p = &s->phases[i];
    double length = p->end_step - start_step, share = length != 0 ? (at - start_step) / length : 1;
    if (s->cycle.cycle_momentum)
        *hg_option(s->opt, group, s->opt->cls->momentum) =
            anneal(&s->cycle, number(g, p->start_momentum), number(g, p->end_momentum), share);
    return anneal(&s->cycle, number(g, p->start_lr), number(g, p->end_lr), share);
}

static hg_status check(const hg_one_cycle_options *o)
{
    if (o->total_steps < 1)
        return hg_error(HG_E_ARG, "OneCycleLR: Expected positive integer total_steps, but got %lld",
                        (long long)o->total_steps);
    if (!(o->pct_start >= 0 && o->pct_start <= 1))
        return hg_error(HG_E_ARG, "OneCycleLR: Expected float between 0 and 1 pct_start, but got %g", o->pct_start);
    if (!(o->max_lr >= 0) || !(o->div_factor > 0) || !(o->final_div_factor > 0))
        return hg_error(
            HG_E_ARG,
            "OneCycleLR: max_lr must not be negative, div_factor and final_div_factor must be positive; they "
            "are %g, %g, %g",
            o->max_lr, o->div_factor, o->final_div_factor);
    if (o->cycle_momentum &&
        !(o->base_momentum >= 0 && o->base_momentum < 1 && o->max_momentum >= 0 && o->max_momentum < 1))
        return hg_error(HG_E_ARG, "OneCycleLR: momenta must be at least 0 and less than 1, they are %g and %g",
                        o->base_momentum, o->max_momentum);
    return HG_OK;
}

static void plan(hg_scheduler *s)
{
    const hg_one_cycle_options *o = &s->cycle;
    double all = (double)o->total_steps;
    s->phases[0] = (hg_cycle_phase){o->pct_start * all - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"};
    s->phases[1] = (hg_cycle_phase){all - 1, "max_lr", "min_lr", "base_momentum", "max_momentum"};
    s->phase_count = 2;
    if (!o->three_phase) return;
    s->phases[1] =
        (hg_cycle_phase){2 * o->pct_start * all - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"};
    s->phases[2] = (hg_cycle_phase){all - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"};
    s->phase_count = 3;
}

/* SGD without momentum would have to make its buffers in the middle of a training. */
static hg_status check_optimizer(const hg_optimizer *opt, const hg_one_cycle_options *o)
{
    for (int g = 0; opt && o->cycle_momentum && opt->cls == &hg_sgd_class && g < opt->group_count; g++)
        if (!opt->groups[g].o.sgd.momentum)
            return hg_error(HG_E_ARG,
                            "OneCycleLR: SGD without momentum has none to cycle; give the optimizer a momentum, or "
                            "set cycle_momentum to false");
    return HG_OK;
}

hg_scheduler *hg_one_cycle_lr(hg_optimizer *opt, const hg_one_cycle_options *options)
{
    hg_one_cycle_options o = options ? *options : HG_ONE_CYCLE_DEFAULTS;
    if (check(&o) != HG_OK || check_optimizer(opt, &o) != HG_OK) return NULL;
    hg_scheduler *s = hg_scheduler_new(opt, HG_ONE_CYCLE_LR);
    if (!s) return NULL;
    s->cycle = o;
    s->cycle.max_lrs = NULL;
    s->period = o.total_steps;
    plan(s);
    for (int i = 0; i < opt->group_count; i++) {
        hg_optimizer_group *g = &opt->groups[i];
        g->max_lr = o.max_lrs ? o.max_lrs[i] : o.max_lr;
        g->initial_lr = s->base_lrs[i] = g->max_lr / o.div_factor;
        g->min_lr = g->initial_lr / o.final_div_factor;
        g->max_momentum = o.max_momentum;
        g->base_momentum = o.base_momentum;
        g->cycled = true;
    }
    return hg_scheduler_begun(s);
}
