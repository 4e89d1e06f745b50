/* State of optimizers, as PyTorch's Optimizer.state_dict() and load_state_dict() have it. */
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "weights/state.h"

/* ---- saving ---- */

static hg_status no_memory(void)
{
    return hg_error(HG_E_MEMORY, "optimizer state: out of memory");
}

/* torch.tensor(float(step)) */
static hg_value *step_value(int64_t step)
{
    hg_array a;
    if (hg_array_alloc(&a, HG_ARRAY_F32, HG_SCALAR) != HG_OK) return NULL;
    *(float *)a.data = (float)step;
    return hg_value_array(&a);
}

/* {'step': ..., 'exp_avg': ...}; an absent momentum buffer is None. */
static hg_status fill_state(const hg_optimizer *opt, const hg_optimized *o, hg_value *out)
{
    bool sgd = opt->cls == &hg_sgd_class;
    if (!sgd) HG_TRY(hg_value_set(out, "step", step_value(o->step)));
    for (int k = 0; k < HG_OPTIM_STATES && opt->cls->states[k]; k++) {
        hg_value *v = NULL;
        if (o->state[k])
            HG_TRY(hg_tensor_to_value(o->state[k], &v));
        else if (sgd)
            v = hg_value_none();
        else
            continue;
        HG_TRY(hg_value_set(out, opt->cls->states[k], v));
    }
    return HG_OK;
}

static hg_status fill_states(const hg_optimizer *opt, hg_value *out)
{
    for (int i = 0; i < opt->count; i++) {
        if (!opt->params[i].step) continue;
        HG_TRY(hg_value_set_at(out, i, hg_value_dict()));
        HG_TRY(fill_state(opt, &opt->params[i], hg_value_find_at(out, i)));
    }
    return HG_OK;
}

static hg_status fill_adam(const hg_optimizer *opt, const hg_adam_options *o, hg_value *group)
{
    HG_TRY(hg_value_set(group, "betas", hg_value_tuple()));
    HG_TRY(hg_value_append(hg_value_find(group, "betas"), hg_value_double(o->beta1)));
    HG_TRY(hg_value_append(hg_value_find(group, "betas"), hg_value_double(o->beta2)));
    HG_TRY(hg_value_set(group, "eps", hg_value_double(o->eps)));
    HG_TRY(hg_value_set(group, "weight_decay", hg_value_double(o->weight_decay)));
    HG_TRY(hg_value_set(group, "amsgrad", hg_value_bool(o->amsgrad)));
    HG_TRY(hg_value_set(group, "maximize", hg_value_bool(false)));
    HG_TRY(hg_value_set(group, "foreach", hg_value_none()));
    HG_TRY(hg_value_set(group, "capturable", hg_value_bool(false)));
    if (opt->cls == &hg_adamw_class) return HG_OK;
    HG_TRY(hg_value_set(group, "differentiable", hg_value_bool(false)));
    return hg_value_set(group, "fused", hg_value_bool(false));
}

static hg_status fill_sgd(const hg_sgd_options *o, hg_value *group)
{
    HG_TRY(hg_value_set(group, "momentum", hg_value_double(o->momentum)));
    HG_TRY(hg_value_set(group, "dampening", hg_value_double(o->dampening)));
    HG_TRY(hg_value_set(group, "weight_decay", hg_value_double(o->weight_decay)));
    HG_TRY(hg_value_set(group, "nesterov", hg_value_bool(o->nesterov)));
    HG_TRY(hg_value_set(group, "maximize", hg_value_bool(false)));
    HG_TRY(hg_value_set(group, "foreach", hg_value_none()));
    return hg_value_set(group, "differentiable", hg_value_bool(false));
}

/* What schedulers keep in a group, in the order in which PyTorch's put it there. */
enum { SCHEDULED = 5 };
static const char *const scheduled_keys[SCHEDULED] = {"initial_lr", "max_lr", "min_lr", "max_momentum",
                                                      "base_momentum"};

static void scheduled_numbers(hg_optimizer_group *g, double *numbers[SCHEDULED])
{
    double *list[SCHEDULED] = {&g->initial_lr, &g->max_lr, &g->min_lr, &g->max_momentum, &g->base_momentum};
    memcpy(numbers, list, sizeof list);
}

static hg_status fill_scheduled(hg_optimizer_group *g, hg_value *group)
{
    double *numbers[SCHEDULED];
    scheduled_numbers(g, numbers);
    for (int k = 0; k < (g->cycled ? SCHEDULED : g->scheduled ? 1 : 0); k++)
        HG_TRY(hg_value_set(group, scheduled_keys[k], hg_value_double(*numbers[k])));
    return HG_OK;
}

static hg_status fill_group(const hg_optimizer *opt, int g, hg_value *group)
{
    HG_TRY(hg_value_set(group, "lr", hg_value_double(hg_group_learning_rate(opt, g))));
    const hg_optimizer_options *o = &opt->groups[g].o;
    HG_TRY(opt->cls == &hg_sgd_class ? fill_sgd(&o->sgd, group) : fill_adam(opt, &o->adam, group));
    HG_TRY(fill_scheduled(&opt->groups[g], group));
    HG_TRY(hg_value_set(group, "params", hg_value_list()));
    hg_value *ids = hg_value_find(group, "params");
    for (int i = 0; i < opt->count; i++)
        if (opt->params[i].group == g) HG_TRY(hg_value_append(ids, hg_value_int(i)));
    return HG_OK;
}

static hg_status fill(const hg_optimizer *opt, hg_value *root)
{
    HG_TRY(hg_value_set(root, "state", hg_value_dict()));
    HG_TRY(fill_states(opt, hg_value_find(root, "state")));
    HG_TRY(hg_value_set(root, "param_groups", hg_value_list()));
    hg_value *groups = hg_value_find(root, "param_groups");
    for (int g = 0; g < opt->group_count; g++) {
        HG_TRY(hg_value_append(groups, hg_value_dict()));
        HG_TRY(fill_group(opt, g, groups->list.items[g]));
    }
    return HG_OK;
}

hg_status hg_optimizer_to_value(const hg_optimizer *opt, hg_value **out)
{
    *out = NULL;
    if (!opt) return hg_error(HG_E_ARG, "optimizer state: the optimizer is NULL");
    hg_value *root = hg_value_dict();
    if (!root) return no_memory();
    hg_status status = fill(opt, root);
    if (status == HG_OK)
        *out = root;
    else
        hg_value_free(root);
    return status;
}

/* ---- loading ---- */

/* What will stand in the optimizer's place once all of it is read. */
typedef struct loaded {
    const char *where;
    hg_optimizer_group *groups;
    hg_optimized *params;
} loaded;

static hg_status get_betas(const char *where, const hg_value *group, hg_adam_options *o)
{
    const hg_value *betas = hg_value_find(group, "betas");
    double *out[2] = {&o->beta1, &o->beta2};
    if (!betas || (betas->kind != HG_VALUE_TUPLE && betas->kind != HG_VALUE_LIST) || betas->list.count != 2)
        return hg_error(HG_E_FORMAT, "%s: key 'betas' is not a pair", where);
    for (int i = 0; i < 2; i++) {
        const hg_value *v = betas->list.items[i];
        if (v->kind != HG_VALUE_DOUBLE && v->kind != HG_VALUE_INT)
            return hg_error(HG_E_FORMAT, "%s: key 'betas' holds %s, not a float", where, hg_value_kind_name(v->kind));
        *out[i] = v->kind == HG_VALUE_INT ? (double)v->integer : v->real;
    }
    return HG_OK;
}

static hg_status get_sgd(const char *where, const hg_value *group, hg_sgd_options *o)
{
    HG_TRY(hg_value_get_double(where, group, "lr", &o->lr));
    HG_TRY(hg_value_get_double(where, group, "momentum", &o->momentum));
    HG_TRY(hg_value_get_double(where, group, "dampening", &o->dampening));
    HG_TRY(hg_value_get_double(where, group, "weight_decay", &o->weight_decay));
    HG_TRY(hg_value_get_bool(where, group, "nesterov", &o->nesterov));
    return hg_check_sgd_options(o);
}

static hg_status get_adam(const char *where, const hg_value *group, hg_adam_options *o)
{
    HG_TRY(hg_value_get_double(where, group, "lr", &o->lr));
    HG_TRY(get_betas(where, group, o));
    HG_TRY(hg_value_get_double(where, group, "eps", &o->eps));
    HG_TRY(hg_value_get_double(where, group, "weight_decay", &o->weight_decay));
    HG_TRY(hg_value_get_bool(where, group, "amsgrad", &o->amsgrad));
    return hg_check_adam_options(o);
}

static hg_status get_scheduled(const char *where, const hg_value *group, hg_optimizer_group *g)
{
    double *numbers[SCHEDULED];
    scheduled_numbers(g, numbers);
    g->scheduled = hg_value_find(group, scheduled_keys[0]) != NULL;
    g->cycled = hg_value_find(group, scheduled_keys[1]) != NULL;
    for (int k = 0; k < SCHEDULED; k++)
        if (hg_value_find(group, scheduled_keys[k]))
            HG_TRY(hg_value_get_double(where, group, scheduled_keys[k], numbers[k]));
    return HG_OK;
}

static hg_status get_options(const hg_optimizer *opt, const hg_value *group, hg_optimizer_group *g, const loaded *l)
{
    const hg_value *maximize = hg_value_find(group, "maximize");
    if (maximize && maximize->kind == HG_VALUE_BOOL && maximize->boolean)
        return hg_error(HG_E_UNSUPPORTED, "%s: maximize=True is not supported; negate the loss", l->where);
    HG_TRY(get_scheduled(l->where, group, g));
    return opt->cls == &hg_sgd_class ? get_sgd(l->where, group, &g->o.sgd) : get_adam(l->where, group, &g->o.adam);
}

/* 'step' is a tensor since PyTorch 1.12, an int before. */
static hg_status get_step(const char *where, const hg_value *state, int64_t *step)
{
    const hg_value *v = hg_value_find(state, "step");
    double n = -1;
    if (v && v->kind == HG_VALUE_INT) n = (double)v->integer;
    if (v && v->kind == HG_VALUE_DOUBLE) n = v->real;
    if (v && v->kind == HG_VALUE_ARRAY && hg_array_count(&v->array) == 1)
        HG_TRY(hg_array_convert(&v->array, 0, 1, HG_F64, &n));
    if (!(n >= 0 && n < 9e15)) return hg_error(HG_E_FORMAT, "%s: key 'step' is missing or no count", where);
    *step = (int64_t)n;
    return HG_OK;
}

static hg_status get_tensor(const char *where, const hg_value *state, const char *key, const hg_tensor *like,
                            hg_tensor **out)
{
    const hg_array *a;
    HG_TRY(hg_value_get_array(where, state, key, &a));
    if (!hg_array_fits(a, like)) {
        char saved[160];
        return hg_error(HG_E_FORMAT, "%s: key '%s' has shape %s, its parameter %s", where, key,
                        hg_shape_text(a->shape.ndim, a->shape.size, saved, sizeof saved), HG_SHAPE_TEXT(like));
    }
    hg_scope *s = hg_scope_inner();
    hg_tensor *t = hg_tensor_from_array(like->dev, a, like->dtype, hg_tensor_shape(like));
    hg_status status = hg_ok(t) ? HG_OK : hg_last_status();
    if (status == HG_OK) *out = hg_retain(t);
    hg_scope_end(s);
    return status;
}

/* SGD keeps no count: with a momentum buffer it is past its first step. */
static hg_status get_momentum(const hg_value *state, const loaded *l, hg_optimized *o)
{
    const hg_value *buffer = hg_value_find(state, "momentum_buffer");
    bool none = !buffer || buffer->kind == HG_VALUE_NONE;
    o->step = none && l->groups[o->group].o.sgd.momentum != 0 ? 0 : 1;
    return none ? HG_OK : get_tensor(l->where, state, "momentum_buffer", o->param, &o->state[0]);
}

static hg_status get_state(const hg_optimizer *opt, const hg_value *state, const loaded *l, hg_optimized *o)
{
    if (opt->cls == &hg_sgd_class) return get_momentum(state, l, o);
    HG_TRY(get_step(l->where, state, &o->step));
    HG_TRY(get_tensor(l->where, state, "exp_avg", o->param, &o->state[0]));
    HG_TRY(get_tensor(l->where, state, "exp_avg_sq", o->param, &o->state[1]));
    return l->groups[o->group].o.adam.amsgrad ? get_tensor(l->where, state, "max_exp_avg_sq", o->param, &o->state[2]) : HG_OK;
}

/* The states of a group are those of the ids that it lists, in the order of the parameters, of which `first` is its
 * first. */
static hg_status get_states(const hg_optimizer *opt, const hg_value *states, const hg_value *ids, int first,
                            const loaded *l)
{
    for (int i = first; i < first + (int)ids->list.count; i++) {
        const hg_value *id = ids->list.items[i - first];
        if (id->kind != HG_VALUE_INT)
            return hg_error(HG_E_FORMAT, "%s: key 'params' holds %s, not an int", l->where,
                            hg_value_kind_name(id->kind));
        const hg_value *state = hg_value_find_at(states, id->integer);
        if (!state) continue;
        if (state->kind != HG_VALUE_DICT)
            return hg_error(HG_E_FORMAT, "%s: the state of parameter %d is %s, not a dict", l->where, i,
                            hg_value_kind_name(state->kind));
        HG_TRY(get_state(opt, state, l, &l->params[i]));
    }
    return HG_OK;
}

/* `first` is the group's first parameter. */
static hg_status read_group(const hg_optimizer *opt, const hg_value *states, const hg_value *group, int g, int *first,
                            const loaded *l)
{
    hg_value *ids;
    int count = 0;
    if (group->kind != HG_VALUE_DICT)
        return hg_error(HG_E_FORMAT, "%s: parameter group %d is %s, not a dict", l->where, g,
                        hg_value_kind_name(group->kind));
    HG_TRY(hg_value_get(l->where, group, "params", HG_VALUE_LIST, &ids));
    for (int i = 0; i < opt->count; i++) count += opt->params[i].group == g;
    if (ids->list.count != (size_t)count)
        return hg_error(
            HG_E_FORMAT,
            "%s: loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
            "%zu parameters instead of %d",
            l->where, ids->list.count, count);
    HG_TRY(get_options(opt, group, &l->groups[g], l));
    HG_TRY(get_states(opt, states, ids, *first, l));
    *first += count;
    return HG_OK;
}

static hg_status read_all(const hg_optimizer *opt, const hg_value *root, loaded *l)
{
    hg_value *states, *groups;
    int first = 0;
    if (root->kind != HG_VALUE_DICT)
        return hg_error(HG_E_FORMAT, "%s: an optimizer's state dict is expected, this is %s", l->where,
                        hg_value_kind_name(root->kind));
    HG_TRY(hg_value_get(l->where, root, "state", HG_VALUE_DICT, &states));
    HG_TRY(hg_value_get(l->where, root, "param_groups", HG_VALUE_LIST, &groups));
    if (groups->list.count != (size_t)opt->group_count)
        return hg_error(HG_E_FORMAT,
                        "%s: loaded state dict has a different number of parameter groups: %zu instead of %d", l->where,
                        groups->list.count, opt->group_count);
    for (int g = 0; g < opt->group_count; g++)
        HG_TRY(read_group(opt, states, groups->list.items[g], g, &first, l));
    return HG_OK;
}

static void swap_in(hg_optimizer *opt, loaded *l)
{
    for (int i = 0; i < opt->count; i++) {
        hg_optimized before = opt->params[i];
        opt->params[i] = l->params[i];
        l->params[i] = before;
    }
    memcpy(opt->groups, l->groups, sizeof *opt->groups * (size_t)opt->group_count);
}

hg_status hg_optimizer_from_value(hg_optimizer *opt, const hg_value *state, const char *where)
{
    if (!opt) return hg_error(HG_E_ARG, "%s: the optimizer to load into is NULL", where);
    loaded l = {.where = where, .params = calloc((size_t)opt->count, sizeof *l.params),
                .groups = calloc((size_t)opt->group_count, sizeof *l.groups)};
    hg_status status = l.params && l.groups ? HG_OK : no_memory();
    for (int i = 0; i < opt->count && status == HG_OK; i++) {
        l.params[i] = opt->params[i];
        memset(l.params[i].state, 0, sizeof l.params[i].state);
        l.params[i].step = 0;
    }
    if (status == HG_OK) status = read_all(opt, state, &l);
    if (status == HG_OK) swap_in(opt, &l);
    for (int i = 0; i < opt->count && l.params; i++)
        for (int k = 0; k < HG_OPTIM_STATES; k++) hg_release(l.params[i].state[k]);
    free(l.params);
    free(l.groups);
    return status;
}
