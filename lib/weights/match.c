#include "weights/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "nn/module.h"
#include "tensor/tensor.h"
#include "weights/state.h"

typedef struct matching {
    const hg_value *state;
    bool *used;                 /* for each entry of `state` */
    hg_match *match;
    hg_status status;
} matching;

static hg_status no_memory(void)
{
    return hg_error(HG_E_MEMORY, "load_state: out of memory");
}

/* Owns the text; NULL is memory that ran out. */
static hg_status add_name(hg_names *n, char *text)
{
    char **items = text ? hg_grow(n->items, (size_t)n->count, 1, &n->capacity, sizeof *items) : NULL;
    if (!items) {
        free(text);
        return no_memory();
    }
    n->items = items;
    items[n->count++] = text;
    return HG_OK;
}

static void free_names(hg_names *n)
{
    for (int64_t i = 0; i < n->count; i++) free(n->items[i]);
    free(n->items);
}

void hg_match_free(hg_match *match)
{
    free_names(&match->missing);
    free_names(&match->unexpected);
    free_names(&match->mismatched);
    free_names(&match->lines);
    free(match->items);
    *match = (hg_match){0};
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

static const hg_value *find_entry(matching *l, const char *name)
{
    for (size_t i = 0; i < l->state->dict.count; i++) {
        const hg_value_entry *e = &l->state->dict.entries[i];
        if (e->key->kind != HG_VALUE_STRING || strcmp(e->key->string, name)) continue;
        l->used[i] = true;
        return e->item;
    }
    return NULL;
}

/* PyTorch's words for an entry that cannot be copied; *fits if it can. */
static hg_status check_entry(matching *l, const char *name, const hg_value *v, const hg_tensor *t, bool *fits)
{
    hg_str text = {0};
    char saved[160];
    *fits = v->kind == HG_VALUE_ARRAY && hg_array_fits(&v->array, t);
    if (*fits) return HG_OK;
    if (v->kind != HG_VALUE_ARRAY)
        hg_str_add(&text,
                   "While copying the parameter named \"%s\", expected a tensor from checkpoint but received %s.", name,
                   hg_value_kind_name(v->kind));
    else
        hg_str_add(&text,
                   "size mismatch for %s: copying a param with shape torch.Size(%s) from checkpoint, the shape in "
                   "current model is torch.Size(%s).",
                   name, hg_shape_text(v->array.shape.ndim, v->array.shape.size, saved, sizeof saved),
                   HG_SHAPE_TEXT(t));
    HG_TRY(add_name(&l->match->lines, hg_str_take(&text)));
    return add_name(&l->match->mismatched, strdup(name));
}

static hg_status match_one(matching *l, const char *name, hg_tensor *t)
{
    hg_match *m = l->match;
    const hg_value *v = find_entry(l, name);
    bool fits = true;
    if (!v && !may_be_missing(l->state, name)) return add_name(&m->missing, strdup(name));
    if (v) HG_TRY(check_entry(l, name, v, t, &fits));
    if (!fits) return HG_OK;
    hg_match_item *grown = hg_grow(m->items, m->count, 1, &m->capacity, sizeof *grown);
    if (!grown) return no_memory();
    m->items = grown;
    grown[m->count++] = (hg_match_item){t, v ? &v->array : NULL};
    return HG_OK;
}

static bool visit(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    matching *l = user;
    l->status = match_one(l, name, t);
    return l->status == HG_OK;
}

static hg_status list_unexpected(matching *l)
{
    for (size_t i = 0; i < l->state->dict.count; i++) {
        const hg_value *key = l->state->dict.entries[i].key;
        char number[32];
        if (l->used[i]) continue;
        snprintf(number, sizeof number, "%lld", (long long)key->integer);
        HG_TRY(add_name(&l->match->unexpected, strdup(key->kind == HG_VALUE_STRING ? key->string : number)));
    }
    return HG_OK;
}

static bool has_tensors(const hg_value *v)
{
    for (size_t i = 0; v->kind == HG_VALUE_DICT && i < v->dict.count; i++)
        if (v->dict.entries[i].item->kind == HG_VALUE_ARRAY) return true;
    return false;
}

/* The parts that are state dicts, if this is none itself: a checkpoint's. */
static hg_status refuse_checkpoint(const hg_value *state, const char *where)
{
    hg_str parts = {0};
    for (size_t i = 0; !has_tensors(state) && i < state->dict.count; i++) {
        const hg_value_entry *e = &state->dict.entries[i];
        if (e->key->kind == HG_VALUE_STRING && has_tensors(e->item))
            hg_str_add(&parts, "%s%.60s", parts.length ? ", " : "", e->key->string);
    }
    hg_status status = HG_OK;
    if (parts.failed) status = no_memory();
    else if (parts.length)
        status = hg_error(HG_E_FORMAT, "%s: a checkpoint, its state dict is a part of it; choose that by its key: %.300s",
                          where, parts.text);
    hg_str_free(&parts);
    return status;
}

hg_status hg_match_state(hg_module *m, const hg_value *state, const char *where, hg_match *out)
{
    *out = (hg_match){0};
    if (!m) return hg_error(HG_E_ARG, "%s: the module to load into is NULL", where);
    if (state->kind != HG_VALUE_DICT)
        return hg_error(HG_E_FORMAT, "%s: a state dict is expected, this is %s", where,
                        hg_value_kind_name(state->kind));
    HG_TRY(refuse_checkpoint(state, where));
    matching l = {.state = state, .used = calloc(state->dict.count + 1, sizeof(bool)), .match = out};
    if (!l.used) return no_memory();
    hg_status status = hg_each_entry(m, visit, &l);
    if (status == HG_OK) status = l.status;
    if (status == HG_OK) status = list_unexpected(&l);
    free(l.used);
    return status;
}

/* ---- Words ---------------------------------------------------------------------------------------------------------- */

static void add_names(hg_str *out, const char *before, const hg_names *n, int64_t most, const char *separator,
                      const char *quote, const char *after)
{
    if (!n->count) return;
    hg_str_add(out, "\n\t%s", before);
    for (int64_t i = 0; i < n->count && i < most; i++)
        hg_str_add(out, "%s%s%s%s", i ? separator : "", quote, n->items[i], quote);
    if (n->count > most) hg_str_add(out, "%sand %lld more", *after ? " " : "\n\t", (long long)(n->count - most));
    hg_str_add(out, "%s", after);
}

void hg_match_describe(const hg_match *match, bool keys, int64_t most, hg_str *out)
{
    if (keys) {
        add_names(out, "Missing key(s) in state_dict: ", &match->missing, most, ", ", "\"", ". ");
        add_names(out, "Unexpected key(s) in state_dict: ", &match->unexpected, most, ", ", "\"", ". ");
    }
    add_names(out, "", &match->lines, most, "\n\t", "", "");
}
