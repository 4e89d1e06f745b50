/* What all optimizers share: their parameters, their states, the step. */
#include <limits.h>
#include <stdlib.h>

#include "base/grow.h"
#include "optim/optim.h"

typedef struct collecting {
    hg_optimizer *opt;
    hg_status status;
} collecting;

static bool collect(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    collecting *c = user;
    hg_optimizer *opt = c->opt;
    if (!hg_requires_grad(t)) return true;
    hg_optimized *grown = hg_grow(opt->params, (size_t)opt->count, 1, &opt->capacity, sizeof *grown);
    if (!grown) {
        c->status = hg_error(HG_E_MEMORY, "%s: out of host memory", opt->cls->name);
        return false;
    }
    opt->params = grown;
    grown[opt->count++] = (hg_optimized){.param = hg_retain(t)};
    return true;
}

hg_optimizer *hg_optimizer_new(hg_module *m, const hg_optimizer_class *cls)
{
    if (!m) {
        hg_error(HG_E_ARG, "%s: the module is NULL", cls->name);
        return NULL;
    }
    hg_optimizer *opt = calloc(1, sizeof *opt);
    if (!opt) {
        hg_error(HG_E_MEMORY, "%s: out of host memory", cls->name);
        return NULL;
    }
    opt->cls = cls;
    collecting c = {opt, HG_OK};
    hg_each_parameter(m, collect, &c);
    if (c.status == HG_OK && !opt->count)
        c.status =
            hg_error(HG_E_ARG, "%s: optimizer got an empty parameter list; no parameter of the %s requires a gradient",
                     cls->name, hg_module_get_class(m)->name);
    if (c.status == HG_OK) return opt;
    hg_optimizer_free(opt);
    return NULL;
}

void hg_optimizer_free(hg_optimizer *opt)
{
    if (!opt) return;
    for (int i = 0; i < opt->count; i++) {
        hg_release(opt->params[i].param);
        for (int k = 0; k < HG_OPTIM_STATES; k++) hg_release(opt->params[i].state[k]);
    }
    free(opt->params);
    free(opt);
}

const char *hg_optim_options(hg_dtype dtype, int64_t n)
{
    bool wide = n > INT_MAX / 2;
    if (dtype == HG_F64) return wide ? "-DHG_F64=1 -DHG_WIDE=1" : "-DHG_F64=1";
    return wide ? "-DHG_WIDE=1" : "";
}

hg_status hg_optimizer_make_states(const hg_optimizer *opt, hg_optimized *o)
{
    hg_status status = HG_OK;
    hg_scope *s = hg_scope_inner();
    for (int k = 0; k < HG_OPTIM_STATES && opt->cls->states[k] && status == HG_OK; k++) {
        if (o->state[k] || !opt->cls->has_state(opt, k)) continue;
        hg_tensor *t = hg_zeros_like(o->param);
        status = hg_ok(t) ? HG_OK : hg_last_status();
        if (status == HG_OK) o->state[k] = hg_retain(t);
    }
    hg_scope_end(s);
    return status;
}

/* A parameter of other strides is changed as a copy and copied back. */
static hg_status step_one(const hg_optimizer *opt, hg_optimized *o)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *p = hg_raw_contiguous(o->param), *g = hg_raw_contiguous(hg_grad(o->param));
    hg_status status = hg_ok(p) && hg_ok(g) ? HG_OK : hg_last_status();
    if (status == HG_OK) {
        o->step++;
        o->param->storage->version++;
        status = opt->cls->update(opt, o, p, g);
    }
    if (status == HG_OK && p != o->param) status = hg_raw_copy(o->param, p);
    hg_scope_end(s);
    return status;
}

hg_status hg_step(hg_optimizer *opt)
{
    if (!opt) return hg_error(HG_E_ARG, "step: the optimizer is NULL");
    for (int i = 0; i < opt->count; i++)    /* memory first, so that running out changes nothing */
        if (hg_grad(opt->params[i].param)) HG_TRY(hg_optimizer_make_states(opt, &opt->params[i]));
    for (int i = 0; i < opt->count; i++)
        if (hg_grad(opt->params[i].param)) HG_TRY(step_one(opt, &opt->params[i]));
    return HG_OK;
}

void hg_zero_grad(hg_optimizer *opt)
{
    for (int i = 0; opt && i < opt->count; i++) hg_set_grad(opt->params[i].param, NULL);
}

double hg_learning_rate(const hg_optimizer *opt)
{
    if (!opt) return 0;
    return opt->cls == &hg_sgd_class ? opt->sgd.lr : opt->adam.lr;
}

hg_status hg_set_learning_rate(hg_optimizer *opt, double lr)
{
    if (!opt) return hg_error(HG_E_ARG, "set_learning_rate: the optimizer is NULL");
    if (!(lr >= 0)) return hg_error(HG_E_ARG, "%s: Invalid learning rate: %g", opt->cls->name, lr);
    *(opt->cls == &hg_sgd_class ? &opt->sgd.lr : &opt->adam.lr) = lr;
    return HG_OK;
}
