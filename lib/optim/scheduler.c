/* Schedulers: PyTorch's "chainable forms", which make the next learning rate from the present one, in its order of
 * operations, so that the values are the same doubles. */
#include "optim/scheduler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const hg_scheduler_names[] = {"StepLR",   "MultiStepLR", "ExponentialLR",    "CosineAnnealingLR",
                                          "LinearLR", "OneCycleLR",  "ReduceLROnPlateau"};

hg_scheduler *hg_scheduler_new(hg_optimizer *opt, hg_scheduler_kind kind)
{
    const char *name = hg_scheduler_names[kind];
    if (!opt) {
        hg_error(HG_E_ARG, "%s: the optimizer is NULL", name);
        return NULL;
    }
    hg_scheduler *s = calloc(1, sizeof *s);
    double *base = calloc((size_t)opt->group_count, sizeof *base);
    if (!s || !base) {
        hg_error(HG_E_MEMORY, "%s: out of host memory", name);
        free(s);
        free(base);
        return NULL;
    }
    *s = (hg_scheduler){.kind = kind, .opt = opt, .last_epoch = -1, .base_lrs = base};
    for (int g = 0; g < opt->group_count && kind != HG_PLATEAU_LR; g++) {
        hg_optimizer_group *group = &opt->groups[g];
        if (!group->scheduled) group->initial_lr = *hg_option(opt, g, opt->cls->lr);
        group->scheduled = true;
        base[g] = group->initial_lr;
    }
    return s;
}

void hg_scheduler_free(hg_scheduler *s)
{
    if (!s) return;
    free(s->base_lrs);
    free(s->milestones);
    free(s);
}

/* ---- the next learning rate of a group, from the present one ---- */

static double cosine_next(const hg_scheduler *s, double base, double lr)
{
    int64_t t = s->last_epoch, period = s->period;
    double since = (double)t, all = (double)period;
    if (t == 0) return lr;
    if ((t - 1 - period) % (2 * period) == 0) return lr + (base - s->eta_min) * (1 - cos(M_PI / all)) / 2;
    return (1 + cos(M_PI * since / all)) / (1 + cos(M_PI * (since - 1) / all)) * (lr - s->eta_min) + s->eta_min;
}

static double linear_next(const hg_scheduler *s, double lr)
{
    double rise = s->end_factor - s->start_factor;
    if (s->last_epoch == 0) return lr * s->start_factor;
    if (s->last_epoch > s->period) return lr;
    return lr * (1. + rise / ((double)s->period * s->start_factor + (double)(s->last_epoch - 1) * rise));
}

static double multi_step_next(const hg_scheduler *s, double lr)
{
    int times = 0;
    for (int i = 0; i < s->milestone_count; i++) times += s->milestones[i] == s->last_epoch;
    return times ? lr * pow(s->gamma, times) : lr;
}

static double next(hg_scheduler *s, int group)
{
    double lr = *hg_option(s->opt, group, s->opt->cls->lr);
    switch (s->kind) {
    case HG_STEP_LR:
        return s->last_epoch == 0 || s->last_epoch % s->period ? lr : lr * s->gamma;
    case HG_MULTI_STEP_LR:
        return multi_step_next(s, lr);
    case HG_EXPONENTIAL_LR:
        return s->last_epoch == 0 ? lr : lr * s->gamma;
    case HG_COSINE_LR:
        return cosine_next(s, s->base_lrs[group], lr);
    case HG_LINEAR_LR:
        return linear_next(s, lr);
    case HG_ONE_CYCLE_LR:
        return hg_one_cycle_next(s, group);
    case HG_PLATEAU_LR:
        break;
    }
    return lr;
}

static hg_status step(hg_scheduler *s)
{
    if (s->kind == HG_ONE_CYCLE_LR && s->last_epoch + 1 > s->period)
        return hg_error(HG_E_STATE, "OneCycleLR: Tried to step %lld times. The specified number of total steps is %lld",
                        (long long)s->last_epoch + 2, (long long)s->period);
    s->last_epoch++;
    s->step_count++;
    for (int g = 0; g < s->opt->group_count; g++) {
        double lr = next(s, g);
        *hg_option(s->opt, g, s->opt->cls->lr) = lr;
    }
    return HG_OK;
}

hg_scheduler *hg_scheduler_begun(hg_scheduler *s)
{
    if (step(s) == HG_OK) return s;
    hg_scheduler_free(s);
    return NULL;
}

hg_status hg_scheduler_step(hg_scheduler *s)
{
    if (!s) return hg_error(HG_E_ARG, "scheduler_step: the scheduler is NULL");
    if (s->kind == HG_PLATEAU_LR)
        return hg_error(HG_E_ARG,
                        "scheduler_step: ReduceLROnPlateau goes by a metric; call hg_scheduler_step_metric()");
    return step(s);
}

/* ---- plateau ---- */

static bool is_better(const hg_plateau_options *o, double a, double best)
{
    if (!o->maximize) return o->absolute ? a < best - o->threshold : a < best * (1. - o->threshold);
    return o->absolute ? a > best + o->threshold : a > best * (o->threshold + 1.);
}

static void reduce(hg_scheduler *s)
{
    for (int g = 0; g < s->opt->group_count; g++) {
        double *lr = hg_option(s->opt, g, s->opt->cls->lr), lower = *lr * s->plateau.factor;
        if (lower < s->plateau.min_lr) lower = s->plateau.min_lr;
        if (*lr - lower > s->plateau.eps) *lr = lower;
    }
}

hg_status hg_scheduler_step_metric(hg_scheduler *s, double metric)
{
    if (!s) return hg_error(HG_E_ARG, "scheduler_step_metric: the scheduler is NULL");
    if (s->kind != HG_PLATEAU_LR) return step(s);
    s->last_epoch++;
    if (is_better(&s->plateau, metric, s->best)) {
        s->best = metric;
        s->bad_epochs = 0;
    } else {
        s->bad_epochs++;
    }
    if (s->cooldown > 0) {
        s->cooldown--;
        s->bad_epochs = 0;
    }
    if (s->bad_epochs > s->plateau.patience) {
        reduce(s);
        s->cooldown = s->plateau.cooldown;
        s->bad_epochs = 0;
    }
    return HG_OK;
}

hg_scheduler *hg_plateau_lr(hg_optimizer *opt, const hg_plateau_options *given)
{
    hg_plateau_options o = given ? *given : HG_PLATEAU_DEFAULTS;
    if (!(o.factor < 1 && o.factor >= 0) || !(o.min_lr >= 0) || o.patience < 0 || o.cooldown < 0) {
        hg_error(HG_E_ARG,
                 "ReduceLROnPlateau: Factor should be < 1.0 and not negative, as patience, cooldown and min_lr; "
                 "they are %g, %lld, %lld, %g",
                 o.factor, (long long)o.patience, (long long)o.cooldown, o.min_lr);
        return NULL;
    }
    hg_scheduler *s = hg_scheduler_new(opt, HG_PLATEAU_LR);
    if (!s) return NULL;
    s->plateau = o;
    s->last_epoch = 0;
    s->best = o.maximize ? -INFINITY : INFINITY;
    return s;
}

/* ---- the simple ones ---- */

static bool check_gamma(hg_scheduler_kind kind, double gamma)
{
    if (isfinite(gamma) && gamma >= 0) return true;
    hg_error(HG_E_ARG, "%s: gamma must be a number that is not negative, got %g", hg_scheduler_names[kind], gamma);
    return false;
}

static bool check_period(hg_scheduler_kind kind, const char *what, int64_t period)
{
    if (period >= 1) return true;
    hg_error(HG_E_ARG, "%s: %s must be at least 1, got %lld", hg_scheduler_names[kind], what, (long long)period);
    return false;
}

hg_scheduler *hg_step_lr(hg_optimizer *opt, int64_t step_size, double gamma)
{
    if (!check_period(HG_STEP_LR, "step_size", step_size) || !check_gamma(HG_STEP_LR, gamma)) return NULL;
    hg_scheduler *s = hg_scheduler_new(opt, HG_STEP_LR);
    if (!s) return NULL;
    s->period = step_size;
    s->gamma = gamma;
    return hg_scheduler_begun(s);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

hg_scheduler *hg_multi_step_lr(hg_optimizer *opt, const int64_t *milestones, int count, double gamma)
{
    if (!check_gamma(HG_MULTI_STEP_LR, gamma)) return NULL;
    if (count < 0 || (count && !milestones)) {
        hg_error(HG_E_ARG, "MultiStepLR: %d milestones cannot be", count);
        return NULL;
    }
    hg_scheduler *s = hg_scheduler_new(opt, HG_MULTI_STEP_LR);
    if (!s) return NULL;
    s->gamma = gamma;
    s->milestones = malloc(sizeof *s->milestones * ((size_t)count + 1));
    if (!s->milestones) {
        hg_error(HG_E_MEMORY, "MultiStepLR: out of host memory");
        hg_scheduler_free(s);
        return NULL;
    }
    if (count) memcpy(s->milestones, milestones, sizeof *milestones * (size_t)count);
    s->milestone_count = count;
    qsort(s->milestones, (size_t)count, sizeof *s->milestones, compare);
    return hg_scheduler_begun(s);
}

hg_scheduler *hg_exponential_lr(hg_optimizer *opt, double gamma)
{
    if (!check_gamma(HG_EXPONENTIAL_LR, gamma)) return NULL;
    hg_scheduler *s = hg_scheduler_new(opt, HG_EXPONENTIAL_LR);
    if (!s) return NULL;
    s->gamma = gamma;
    return hg_scheduler_begun(s);
}

hg_scheduler *hg_cosine_lr(hg_optimizer *opt, int64_t t_max, double eta_min)
{
    if (!check_period(HG_COSINE_LR, "T_max", t_max)) return NULL;
    if (!(eta_min >= 0)) {
        hg_error(HG_E_ARG, "CosineAnnealingLR: eta_min must not be negative, got %g", eta_min);
        return NULL;
    }
    hg_scheduler *s = hg_scheduler_new(opt, HG_COSINE_LR);
    if (!s) return NULL;
    s->period = t_max;
    s->eta_min = eta_min;
    return hg_scheduler_begun(s);
}

hg_scheduler *hg_linear_lr(hg_optimizer *opt, double start_factor, double end_factor, int64_t total_iters)
{
    if (!check_period(HG_LINEAR_LR, "total_iters", total_iters)) return NULL;
    if (!(start_factor > 0 && start_factor <= 1)) {
        hg_error(HG_E_ARG,
                 "LinearLR: Starting multiplicative factor expected to be greater than 0 and less or equal to 1, "
                 "got %g",
                 start_factor);
        return NULL;
    }
    if (!(end_factor >= 0 && end_factor <= 1)) {
        hg_error(HG_E_ARG, "LinearLR: Ending multiplicative factor expected to be between 0 and 1, got %g", end_factor);
        return NULL;
    }
    hg_scheduler *s = hg_scheduler_new(opt, HG_LINEAR_LR);
    if (!s) return NULL;
    s->period = total_iters;
    s->start_factor = start_factor;
    s->end_factor = end_factor;
    return hg_scheduler_begun(s);
}
