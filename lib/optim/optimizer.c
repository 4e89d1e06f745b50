/* What all optimizers share: their parameters, their states, the step. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "optim/optim.h"

typedef struct collecting {
    hg_optimizer *opt;
    hg_status status;
} collecting;

static bool collect(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    collecting *c = user;
    hg_optimizer *opt = c->opt;
    if (!hg_requires_grad(t)) return true;
    hg_optimized *grown = hg_grow(opt->params, (size_t)opt->count, 1, &opt->capacity, sizeof *grown);
    if (grown) opt->params = grown;
    char *copy = strdup(name);
    if (!grown || !copy) {
        free(copy);
        c->status = hg_error(HG_E_MEMORY, "%s: out of host memory", opt->cls->name);
        return false;
    }
    grown[opt->count++] = (hg_optimized){.param = hg_retain(t), .name = copy};
    return true;
}

hg_optimizer *hg_optimizer_new(hg_module *m, const hg_optimizer_class *cls, hg_optimizer_options o)
{
    if (!m) {
        hg_error(HG_E_ARG, "%s: the module is NULL", cls->name);
        return NULL;
    }
    hg_optimizer *opt = calloc(1, sizeof *opt);
    hg_optimizer_group *group = calloc(1, sizeof *group);
    if (!opt || !group) {
        hg_error(HG_E_MEMORY, "%s: out of host memory", cls->name);
        free(opt);
        free(group);
        return NULL;
    }
    group->o = o;
    *opt = (hg_optimizer){.cls = cls, .groups = group, .group_count = 1};
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
        free(opt->params[i].name);
        for (int k = 0; k < HG_OPTIM_STATES; k++) hg_release(opt->params[i].state[k]);
    }
    free(opt->params);
    free(opt->groups);
    free(opt);
}

const char *hg_optim_options(hg_dtype dtype, int64_t n)
{
    bool wide = n > INT_MAX / 2;
    if (dtype == HG_F64) return wide ? "-DHG_F64=1 -DHG_WIDE=1" : "-DHG_F64=1";
    return wide ? "-DHG_WIDE=1" : "";
}

int hg_optim_arg_sizes(hg_arg *args, const hg_optim_batch *b)
{
    *args = (hg_arg){.size = sizeof(cl_long8)};
    for (int k = 0; k < b->count; k++) args->value.i64x8.s[k] = b->param[k]->numel;
    return 1;
}

int hg_optim_arg_tensors(hg_arg *args, hg_tensor *const *tensors, int count)
{
    hg_arg *at = args + HG_OPTIM_SLOTS;
    *at = (hg_arg){.size = sizeof(cl_long8)};
    for (int k = 0; k < HG_OPTIM_SLOTS; k++) {
        args[k] = HG_ARG_MEM(tensors[k < count ? k : 0]->storage->mem);
        if (k < count) at->value.i64x8.s[k] = tensors[k]->offset;
    }
    return HG_OPTIM_ARGS;
}

int hg_optim_arg_state(hg_arg *args, const hg_optim_batch *b, int state)
{
    hg_tensor *tensors[HG_OPTIM_SLOTS] = {b->of[0]->state[state]};
    for (int k = 1; k < b->count; k++) tensors[k] = b->of[k]->state[state];
    return hg_optim_arg_tensors(args, tensors, b->count);
}

hg_status hg_optimizer_make_states(const hg_optimizer *opt, hg_optimized *o)
{
    hg_status status = HG_OK;
    hg_scope *s = hg_scope_inner();
    for (int k = 0; k < HG_OPTIM_STATES && opt->cls->states[k] && status == HG_OK; k++) {
        if (o->state[k] || !opt->cls->has_state(&opt->groups[o->group].o, k)) continue;
        hg_tensor *t = hg_zeros_like(o->param);
        status = hg_ok(t) ? HG_OK : hg_last_status();
        if (status == HG_OK) o->state[k] = hg_retain(t);
    }
    hg_scope_end(s);
    return status;
}

/* Whether one launch may change `o` too: two views of one memory take their steps one after the other. */
static bool fits(const hg_optim_batch *b, const hg_optimized *o)
{
    if (!b->count) return true;
    if (b->count == HG_OPTIM_SLOTS || o->group != b->group || o->step + 1 != b->step || o->param->dev != b->param[0]->dev ||
        strcmp(hg_optim_options(o->param->dtype, o->param->numel), b->options) != 0)
        return false;
    for (int k = 0; k < b->count; k++)
        if (b->of[k]->param->storage == o->param->storage) return false;
    return true;
}

/* A parameter of other strides is changed as a copy and copied back. */
static hg_status add(hg_optim_batch *b, hg_optimized *o)
{
    hg_tensor *p = hg_raw_contiguous(o->param), *g = hg_raw_contiguous(hg_grad(o->param));
    if (!hg_ok(p) || !hg_ok(g)) return hg_last_status();
    b->group = o->group;
    b->step = o->step + 1;
    b->numel += p->numel;
    b->options = hg_optim_options(p->dtype, p->numel);
    b->of[b->count] = o;
    b->param[b->count] = p;
    b->grad[b->count++] = g;
    return HG_OK;
}

static hg_status update(const hg_optimizer *opt, const hg_optim_batch *b)
{
    for (int k = 0; k < b->count; k++) {
        b->of[k]->step++;
        b->of[k]->param->storage->version++;
    }
    if (b->count) HG_TRY(opt->cls->update(opt, b));
    for (int k = 0; k < b->count; k++)
        if (b->param[k] != b->of[k]->param) HG_TRY(hg_raw_copy(b->of[k]->param, b->param[k]));
    return HG_OK;
}

/* The parameters from *next on that fit into one launch; *next goes to the first that does not. */
static hg_status step_some(hg_optimizer *opt, int *next)
{
    hg_optim_batch b = {.count = 0};
    for (; *next < opt->count; ++*next) {
        hg_optimized *o = &opt->params[*next];
        if (!hg_grad(o->param)) continue;
        if (!fits(&b, o)) break;
        HG_TRY(add(&b, o));
    }
    return update(opt, &b);
}

hg_status hg_step(hg_optimizer *opt)
{
    if (!opt) return hg_error(HG_E_ARG, "step: the optimizer is NULL");
    for (int i = 0; i < opt->count; i++)    /* memory first, so that running out changes nothing */
        if (hg_grad(opt->params[i].param)) HG_TRY(hg_optimizer_make_states(opt, &opt->params[i]));
    hg_status status = HG_OK;
    for (int next = 0; next < opt->count && status == HG_OK;) {
        hg_scope *s = hg_scope_inner();
        status = step_some(opt, &next);
        hg_scope_end(s);
    }
    return status;
}

void hg_zero_grad(hg_optimizer *opt)
{
    for (int i = 0; opt && i < opt->count; i++) hg_set_grad(opt->params[i].param, NULL);
}
