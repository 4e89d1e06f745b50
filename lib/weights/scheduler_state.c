/* State of schedulers, as the state_dict() of PyTorch's has it. */
#include "optim/scheduler.h"

#include <string.h>

#include "weights/state.h"

/* ---- the options ---- */

typedef struct field {
    const char *key;
    enum { INT, REAL, BOOL, TEXT } kind;
    const void *at; /* TEXT: the text itself */
} field;

enum { FIELDS = 12 };

static int plateau_fields(const hg_scheduler *s, field out[FIELDS])
{
    const hg_plateau_options *o = &s->plateau;
    const field list[] = {{"factor", REAL, &o->factor},
                          {"patience", INT, &o->patience},
                          {"cooldown", INT, &o->cooldown},
                          {"mode", TEXT, o->maximize ? "max" : "min"},
                          {"threshold", REAL, &o->threshold},
                          {"threshold_mode", TEXT, o->absolute ? "abs" : "rel"},
                          {"eps", REAL, &o->eps}};
    memcpy(out, list, sizeof list);
    return (int)(sizeof list / sizeof *list);
}

/* The options of a scheduler under PyTorch's names; returns how many. */
static int fields_of(const hg_scheduler *s, field out[FIELDS])
{
    int n = 0;
    switch (s->kind) {
    case HG_STEP_LR:
        out[n++] = (field){"step_size", INT, &s->period};
        break;
    case HG_COSINE_LR:
        out[n++] = (field){"T_max", INT, &s->period};
        break;
    case HG_LINEAR_LR:
        out[n++] = (field){"start_factor", REAL, &s->start_factor};
        out[n++] = (field){"end_factor", REAL, &s->end_factor};
        out[n++] = (field){"total_iters", INT, &s->period};
        break;
    case HG_ONE_CYCLE_LR:
        out[n++] = (field){"total_steps", INT, &s->period};
        out[n++] = (field){"cycle_momentum", BOOL, &s->cycle.cycle_momentum};
        break;
    case HG_PLATEAU_LR:
        return plateau_fields(s, out);
    case HG_MULTI_STEP_LR:
    case HG_EXPONENTIAL_LR:
        break;
    }
    if (s->kind == HG_COSINE_LR) out[n++] = (field){"eta_min", REAL, &s->eta_min};
    if (s->kind == HG_STEP_LR || s->kind == HG_MULTI_STEP_LR || s->kind == HG_EXPONENTIAL_LR)
        out[n++] = (field){"gamma", REAL, &s->gamma};
    return n;
}

/* ---- saving ---- */

static hg_value *field_value(const field *f)
{
    switch (f->kind) {
    case INT:
        return hg_value_int(*(const int64_t *)f->at);
    case REAL:
        return hg_value_double(*(const double *)f->at);
    case BOOL:
        return hg_value_bool(*(const bool *)f->at);
    case TEXT:
        return hg_value_string(f->at);
    }
    return NULL;
}

/* {step: how often it is listed}, PyTorch's Counter. */
static hg_status set_milestones(const hg_scheduler *s, hg_value *root)
{
    HG_TRY(hg_value_set(root, "milestones", hg_value_dict()));
    hg_value *counter = hg_value_find(root, "milestones");
    for (int i = 0; i < s->milestone_count; i++) {
        hg_value *before = hg_value_find_at(counter, s->milestones[i]);
        int64_t count = before ? before->integer : 0;
        HG_TRY(hg_value_set_at(counter, s->milestones[i], hg_value_int(count + 1)));
    }
    return HG_OK;
}

static hg_status set_phases(const hg_scheduler *s, hg_value *root)
{
    HG_TRY(hg_value_set(root, "_schedule_phases", hg_value_list()));
    hg_value *list = hg_value_find(root, "_schedule_phases");
    for (int i = 0; i < s->phase_count; i++) {
        const hg_cycle_phase *p = &s->phases[i];
        HG_TRY(hg_value_append(list, hg_value_dict()));
        hg_value *phase = list->list.items[i];
        HG_TRY(hg_value_set(phase, "end_step", hg_value_double(p->end_step)));
        HG_TRY(hg_value_set(phase, "start_lr", hg_value_string(p->start_lr)));
        HG_TRY(hg_value_set(phase, "end_lr", hg_value_string(p->end_lr)));
        HG_TRY(hg_value_set(phase, "start_momentum", hg_value_string(p->start_momentum)));
        HG_TRY(hg_value_set(phase, "end_momentum", hg_value_string(p->end_momentum)));
    }
    return HG_OK;
}

/* A number for each group: of `list`, or their present rates. */
static hg_status set_numbers(const hg_scheduler *s, hg_value *root, const char *key, const double *list)
{
    HG_TRY(hg_value_set(root, key, hg_value_list()));
    for (int g = 0; g < s->opt->group_count; g++) {
        double x = list ? list[g] : hg_group_learning_rate(s->opt, g);
        HG_TRY(hg_value_append(hg_value_find(root, key), hg_value_double(x)));
    }
    return HG_OK;
}

static hg_status fill_plateau(const hg_scheduler *s, hg_value *root)
{
    HG_TRY(hg_value_set(root, "min_lrs", hg_value_list()));
    for (int g = 0; g < s->opt->group_count; g++)
        HG_TRY(hg_value_append(hg_value_find(root, "min_lrs"), hg_value_double(s->plateau.min_lr)));
    HG_TRY(hg_value_set(root, "cooldown_counter", hg_value_int(s->cooldown)));
    HG_TRY(hg_value_set(root, "best", hg_value_double(s->best)));
    HG_TRY(hg_value_set(root, "num_bad_epochs", hg_value_int(s->bad_epochs)));
    HG_TRY(hg_value_set(root, "last_epoch", hg_value_int(s->last_epoch)));
    return set_numbers(s, root, "_last_lr", NULL);
}

static hg_status fill(const hg_scheduler *s, hg_value *root)
{
    field fields[FIELDS];
    int n = fields_of(s, fields);
    if (s->kind == HG_MULTI_STEP_LR) HG_TRY(set_milestones(s, root));
    for (int i = 0; i < n; i++) HG_TRY(hg_value_set(root, fields[i].key, field_value(&fields[i])));
    if (s->kind == HG_PLATEAU_LR) return fill_plateau(s, root);
    if (s->kind == HG_ONE_CYCLE_LR) HG_TRY(set_phases(s, root));
    HG_TRY(set_numbers(s, root, "base_lrs", s->base_lrs));
    HG_TRY(hg_value_set(root, "last_epoch", hg_value_int(s->last_epoch)));
    HG_TRY(hg_value_set(root, "_step_count", hg_value_int(s->step_count)));
    return set_numbers(s, root, "_last_lr", NULL);
}

hg_status hg_scheduler_to_value(const hg_scheduler *s, hg_value **out)
{
    *out = NULL;
    if (!s) return hg_error(HG_E_ARG, "scheduler state: the scheduler is NULL");
    hg_value *root = hg_value_dict();
    if (!root) return hg_error(HG_E_MEMORY, "scheduler state: out of memory");
    hg_status status = fill(s, root);
    if (status == HG_OK)
        *out = root;
    else
        hg_value_free(root);
    return status;
}

/* ---- loading ---- */

static hg_status differs(const hg_scheduler *s, const char *where, const char *key)
{
    return hg_error(HG_E_FORMAT,
                    "%s: the schedule in the file is another %s: its %s differs; make the scheduler with the "
                    "options that it was made with then",
                    where, hg_scheduler_names[s->kind], key);
}

static hg_status check_field(const hg_scheduler *s, const field *f, const hg_value *state, const char *where)
{
    int64_t integer = 0;
    double real = 0;
    bool boolean = false, same = false;
    const char *text = "";
    switch (f->kind) {
    case INT:
        HG_TRY(hg_value_get_int(where, state, f->key, &integer));
        same = integer == *(const int64_t *)f->at;
        break;
    case REAL:
        HG_TRY(hg_value_get_double(where, state, f->key, &real));
        same = real == *(const double *)f->at;
        break;
    case BOOL:
        HG_TRY(hg_value_get_bool(where, state, f->key, &boolean));
        same = boolean == *(const bool *)f->at;
        break;
    case TEXT:
        HG_TRY(hg_value_get_string(where, state, f->key, &text));
        same = !strcmp(text, f->at);
        break;
    }
    return same ? HG_OK : differs(s, where, f->key);
}

static hg_status check_milestones(const hg_scheduler *s, const hg_value *state, const char *where)
{
    hg_value *counter;
    int64_t all = 0;
    HG_TRY(hg_value_get(where, state, "milestones", HG_VALUE_DICT, &counter));
    for (size_t i = 0; i < counter->dict.count; i++) {
        const hg_value_entry *e = &counter->dict.entries[i];
        int times = 0;
        if (e->key->kind != HG_VALUE_INT || e->item->kind != HG_VALUE_INT) return differs(s, where, "milestones");
        for (int k = 0; k < s->milestone_count; k++) times += s->milestones[k] == e->key->integer;
        if (times != e->item->integer) return differs(s, where, "milestones");
        all += times;
    }
    return all == s->milestone_count ? HG_OK : differs(s, where, "milestones");
}

static hg_status check_phases(const hg_scheduler *s, const hg_value *state, const char *where)
{
    hg_value *list;
    HG_TRY(hg_value_get(where, state, "_schedule_phases", HG_VALUE_LIST, &list));
    if (list->list.count != (size_t)s->phase_count) return differs(s, where, "_schedule_phases");
    for (int i = 0; i < s->phase_count; i++) {
        double end = 0;
        HG_TRY(hg_value_get_double(where, list->list.items[i], "end_step", &end));
        if (end != s->phases[i].end_step) return differs(s, where, "_schedule_phases");
    }
    return HG_OK;
}

static hg_status check_rates(const hg_scheduler *s, const hg_value *state, const char *where)
{
    hg_value *list;
    HG_TRY(hg_value_get(where, state, "base_lrs", HG_VALUE_LIST, &list));
    if (list->list.count != (size_t)s->opt->group_count) return differs(s, where, "number of groups");
    for (int g = 0; g < s->opt->group_count; g++) {
        const hg_value *v = list->list.items[g];
        double base = v->kind == HG_VALUE_DOUBLE ? v->real : v->kind == HG_VALUE_INT ? (double)v->integer : -1;
        if (base != s->base_lrs[g]) return differs(s, where, "base_lrs");
    }
    return HG_OK;
}

static hg_status read_plateau(const hg_scheduler *s, const hg_value *state, const char *where, hg_scheduler *out)
{
    HG_TRY(hg_value_get_int(where, state, "cooldown_counter", &out->cooldown));
    HG_TRY(hg_value_get_double(where, state, "best", &out->best));
    HG_TRY(hg_value_get_int(where, state, "num_bad_epochs", &out->bad_epochs));
    if (out->cooldown < 0 || out->cooldown > s->plateau.cooldown) return differs(s, where, "cooldown_counter");
    return HG_OK;
}

static hg_status read(const hg_scheduler *s, const hg_value *state, const char *where, hg_scheduler *out)
{
    field fields[FIELDS];
    int n = fields_of(s, fields);
    if (state->kind != HG_VALUE_DICT)
        return hg_error(HG_E_FORMAT, "%s: a scheduler's state dict is expected, this is %s", where,
                        hg_value_kind_name(state->kind));
    for (int i = 0; i < n; i++) HG_TRY(check_field(s, &fields[i], state, where));
    if (s->kind == HG_MULTI_STEP_LR) HG_TRY(check_milestones(s, state, where));
    if (s->kind == HG_ONE_CYCLE_LR) HG_TRY(check_phases(s, state, where));
    if (s->kind == HG_PLATEAU_LR) {
        HG_TRY(read_plateau(s, state, where, out));
    } else {
        HG_TRY(check_rates(s, state, where));
        HG_TRY(hg_value_get_int(where, state, "_step_count", &out->step_count));
    }
    HG_TRY(hg_value_get_int(where, state, "last_epoch", &out->last_epoch));
    return out->last_epoch >= 0 ? HG_OK : differs(s, where, "last_epoch");
}

hg_status hg_scheduler_from_value(hg_scheduler *s, const hg_value *state, const char *where)
{
    if (!s) return hg_error(HG_E_ARG, "%s: the scheduler to load into is NULL", where);
    hg_scheduler now = *s;
    HG_TRY(read(s, state, where, &now));
    *s = now;
    return HG_OK;
}
