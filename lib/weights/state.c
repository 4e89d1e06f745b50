/* State dicts of modules, as PyTorch's Module.state_dict() and load_state_dict() have them. */
#include "weights/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/log.h"
#include "base/str.h"
#include "hapgop/weights.h"
#include "nn/module.h"
#include "weights/pth.h"
#include "weights/read.h"

/* ---- saving ---- */

typedef struct saving {
    hg_value *dict, *metadata;
    hg_status status;
} saving;

static bool save_tensor(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    saving *s = user;
    hg_value *array;
    s->status = hg_tensor_to_value(t, &array);
    if (s->status == HG_OK) s->status = hg_value_set(s->dict, name, array);
    return s->status == HG_OK;
}

/* _metadata: {'': {'version': 1}, 'layer1': {'version': 1}, ...} */
static bool save_version(const char *name, hg_module *m, void *user)
{
    saving *s = user;
    hg_value *entry = hg_value_dict();
    s->status = hg_value_set(entry, "version", hg_value_int(m->version));
    if (s->status == HG_OK)
        s->status = hg_value_set(s->metadata, name, entry);
    else
        hg_value_free(entry);
    return s->status == HG_OK;
}

hg_status hg_module_to_value(hg_module *m, hg_value **out)
{
    *out = NULL;
    if (!m) return hg_error(HG_E_ARG, "save_state: the module is NULL");
    saving s = {hg_value_ordered_dict(), hg_value_ordered_dict(), HG_OK};
    hg_status status = hg_each_entry(m, save_tensor, &s);
    if (status == HG_OK) status = s.status;
    if (status == HG_OK) {
        hg_each_module(m, save_version, &s);
        status = s.status;
    }
    if (status == HG_OK) {
        status = hg_value_set_metadata(s.dict, s.metadata);
        s.metadata = NULL;
    }
    if (status == HG_OK) {
        *out = s.dict;
        return HG_OK;
    }
    hg_value_free(s.dict);
    hg_value_free(s.metadata);
    return status;
}

hg_status hg_save_state(hg_module *m, const char *path)
{
    hg_value *state;
    if (!path) return hg_error(HG_E_ARG, "save_state: the path is NULL");
    HG_TRY(hg_module_to_value(m, &state));
    hg_status status = hg_pth_write(path, state);
    hg_value_free(state);
    return status;
}

/* ---- loading ---- */

typedef struct item {
    hg_tensor *tensor;          /* the module's */
    const hg_array *array;      /* NULL: zero */
} item;

/* Names of one kind of problem: '"a", "b"'. */
typedef struct names {
    hg_str all, some;           /* all of them; the first few, for a message of limited size */
    int count;
} names;
enum { SOME = 4 };

typedef struct loading {
    const hg_value *state;
    bool *used;                 /* for each entry of `state` */
    item *items;
    size_t count, capacity;
    names missing, unexpected, mismatched;
    hg_status status;
} loading;

static void add_name(names *n, const char *separator, const char *quote, const char *text)
{
    hg_str_add(&n->all, "%s%s%s%s", n->count ? separator : "", quote, text, quote);
    if (n->count < SOME) hg_str_add(&n->some, "%s%s%s%s", n->count ? separator : "", quote, text, quote);
    n->count++;
}

/* num_batches_tracked is in state dicts since version 2 of batch normalisation: older ones may lack it. */
static bool may_be_missing(const hg_value *state, const char *name)
{
    static const char key[] = "num_batches_tracked";
    int64_t version = 0;
    size_t length = strlen(name), suffix = sizeof key - 1;
    if (length < suffix || strcmp(name + length - suffix, key)) return false;
    if (length > suffix && name[length - suffix - 1] != '.') return false;
    char *module = strndup(name, length > suffix ? length - suffix - 1 : 0);
    if (!module) return false;
    const hg_value *entry = hg_value_find(state->dict.metadata, module);
    const hg_value *found = entry ? hg_value_find(entry, "version") : NULL;
    if (found && found->kind == HG_VALUE_INT) version = found->integer;
    free(module);
    return version < 2;
}

static hg_value *find_entry(loading *l, const char *name)
{
    for (size_t i = 0; i < l->state->dict.count; i++) {
        const hg_value_entry *e = &l->state->dict.entries[i];
        if (e->key->kind != HG_VALUE_STRING || strcmp(e->key->string, name)) continue;
        l->used[i] = true;
        return e->item;
    }
    return NULL;
}

/* PyTorch's words for an entry that cannot be copied; false if it can. */
static bool mismatches(loading *l, const char *name, const hg_value *v, const hg_tensor *t)
{
    hg_str text = {0};
    char saved[160];
    if (v->kind != HG_VALUE_ARRAY) {
        hg_str_add(&text,
                   "While copying the parameter named \"%s\", expected a tensor from checkpoint but received %s.", name,
                   hg_value_kind_name(v->kind));
    } else if (!hg_array_fits(&v->array, t)) {
        hg_shape_text(v->array.shape.ndim, v->array.shape.size, saved, sizeof saved);
        hg_str_add(&text,
                   "size mismatch for %s: copying a param with shape torch.Size(%s) from checkpoint, the shape in "
                   "current model is torch.Size(%s).",
                   name, saved, HG_SHAPE_TEXT(t));
    }
    bool found = text.length || text.failed;
    if (found) add_name(&l->mismatched, "\n\t", "", text.failed ? name : text.text);
    hg_str_free(&text);
    return found;
}

static bool match(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    loading *l = user;
    const hg_value *v = find_entry(l, name);
    if (!v && !may_be_missing(l->state, name)) {
        add_name(&l->missing, ", ", "\"", name);
        return true;
    }
    if (v && mismatches(l, name, v, t)) return true;
    item *grown = hg_grow(l->items, l->count, 1, &l->capacity, sizeof *grown);
    if (!grown) {
        l->status = hg_error(HG_E_MEMORY, "load_state: out of memory");
        return false;
    }
    l->items = grown;
    grown[l->count++] = (item){t, v ? &v->array : NULL};
    return true;
}

static void list_unexpected(loading *l)
{
    for (size_t i = 0; i < l->state->dict.count; i++) {
        const hg_value *key = l->state->dict.entries[i].key;
        char number[32];
        if (l->used[i]) continue;
        snprintf(number, sizeof number, "%lld", (long long)key->integer);
        if (key->kind == HG_VALUE_STRING)
            add_name(&l->unexpected, ", ", "\"", key->string);
        else
            add_name(&l->unexpected, ", ", "", number);
    }
}

static void add_problem(hg_str *out, const char *before, const names *n, bool all, const char *after)
{
    if (!n->count) return;
    const hg_str *list = all ? &n->all : &n->some;
    hg_str_add(out, "\n\t%s%s", before, list->text ? list->text : "");
    if (!all && n->count > SOME) hg_str_add(out, "%sand %d more", *after ? " " : "\n\t", n->count - SOME);
    hg_str_add(out, "%s", after);
}

static void describe(const loading *l, bool keys, bool all, hg_str *out)
{
    if (keys) {
        add_problem(out, "Missing key(s) in state_dict: ", &l->missing, all, ". ");
        add_problem(out, "Unexpected key(s) in state_dict: ", &l->unexpected, all, ". ");
    }
    add_problem(out, "", &l->mismatched, all, "");
}

/* One error with all of it; a text beyond what an error holds goes to the log whole. */
static hg_status report(const loading *l, const char *where, const char *module, bool keys)
{
    enum { FITS = 960 };
    hg_str all = {0}, some = {0};
    describe(l, keys, true, &all);
    describe(l, keys, false, &some);
    bool cut = all.length + strlen(where) + strlen(module) > FITS;
    if (cut) hg_log_message("warn", "%s: Error(s) in loading state_dict for %s:%s", where, module, all.text);
    hg_status status = all.failed || some.failed
                           ? hg_error(HG_E_MEMORY, "load_state: out of memory")
                           : hg_error(HG_E_FORMAT, "%s: Error(s) in loading state_dict for %s:%s", where, module,
                                      cut ? some.text : all.text);
    hg_str_free(&all);
    hg_str_free(&some);
    return status;
}

/* Fills items, or says why not. */
static hg_status compare(loading *l, hg_module *m, const char *where, bool strict)
{
    HG_TRY(hg_each_entry(m, match, l));
    HG_TRY(l->status);
    list_unexpected(l);
    bool keys = l->missing.count || l->unexpected.count;
    if (l->mismatched.count || (strict && keys)) return report(l, where, m->cls->name, strict);
    if (keys) {
        hg_str text = {0};
        describe(l, true, true, &text);
        hg_log_message("warn", "%s: loaded into %s without:%s", where, m->cls->name, text.text ? text.text : "");
        hg_str_free(&text);
    }
    return HG_OK;
}

/* New tensors first, so that running out of memory changes nothing; `made` gets one reference to each. */
static hg_status upload(const loading *l, hg_tensor **made)
{
    hg_scope *s = hg_scope_inner();
    hg_status status = HG_OK;
    for (size_t i = 0; i < l->count && status == HG_OK; i++) {
        hg_tensor *t = l->items[i].tensor;
        hg_tensor *fresh = l->items[i].array
                               ? hg_tensor_from_array(t->dev, l->items[i].array, t->dtype, hg_tensor_shape(t))
                               : hg_zeros_like(t);
        if (!hg_ok(fresh)) status = hg_last_status();
        else made[i] = hg_retain(fresh);
    }
    hg_scope_end(s);
    return status;
}

static hg_status copy_in(const loading *l)
{
    hg_tensor **made = calloc(l->count + 1, sizeof *made);
    if (!made) return hg_error(HG_E_MEMORY, "load_state: out of memory");
    hg_status status = upload(l, made);
    for (size_t i = 0; i < l->count && status == HG_OK; i++) status = hg_copy_(l->items[i].tensor, made[i]);
    for (size_t i = 0; i < l->count; i++) hg_release(made[i]);
    free(made);
    return status;
}

static void names_free(names *n)
{
    hg_str_free(&n->all);
    hg_str_free(&n->some);
}

static hg_status load(hg_module *m, const hg_value *state, const char *where, bool strict)
{
    if (!m) return hg_error(HG_E_ARG, "%s: the module to load into is NULL", where);
    if (state->kind != HG_VALUE_DICT)
        return hg_error(HG_E_FORMAT, "%s: a state dict is expected, this is %s", where,
                        hg_value_kind_name(state->kind));
    loading l = {.state = state, .used = calloc(state->dict.count + 1, sizeof(bool))};
    hg_status status = l.used ? compare(&l, m, where, strict) : hg_error(HG_E_MEMORY, "load_state: out of memory");
    if (status == HG_OK) status = copy_in(&l);
    names_free(&l.missing);
    names_free(&l.unexpected);
    names_free(&l.mismatched);
    free(l.items);
    free(l.used);
    return status;
}

hg_status hg_module_from_value(hg_module *m, const hg_value *state, const char *where)
{
    return load(m, state, where, true);
}

hg_status hg_load_state(hg_module *m, const char *path, bool strict)
{
    hg_value *state;
    const char *format;
    if (!path) return hg_error(HG_E_ARG, "load_state: the path is NULL");
    HG_TRY(hg_weights_parse(path, &format, &state));
    hg_status status = load(m, state, path, strict);
    hg_value_free(state);
    return status;
}
