/* Open files of weights. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/str.h"
#include "hapgop/weights.h"
#include "nn/module.h"
#include "weights/match.h"
#include "weights/read.h"
#include "weights/rename.h"
#include "weights/state.h"
#include "weights/write.h"

typedef struct entry {
    char *name;
    const hg_array *array;
} entry;

struct hg_weights {
    char *path;
    const char *format;
    hg_value *root, *part;      /* what the file holds, and what of it was opened */
    entry *entries;             /* the tensors of the part */
    size_t count, capacity;
};

static hg_status no_memory(const hg_weights *w)
{
    return hg_error(HG_E_MEMORY, "%s: out of memory", w->path);
}

/* ---- Opening -------------------------------------------------------------------------------------------------------- */

static hg_status find_part(hg_weights *w, const char *key)
{
    w->part = w->root;
    while (key && *key) {
        const char *slash = strchr(key, '/');
        char *part = strndup(key, slash ? (size_t)(slash - key) : strlen(key));
        if (!part) return no_memory(w);
        hg_value *next = hg_value_find(w->part, part);
        hg_status status = next ? HG_OK : hg_error(HG_E_FORMAT, "%s: key '%s' is missing", w->path, part);
        free(part);
        HG_TRY(status);
        w->part = next;
        key = slash ? slash + 1 : NULL;
    }
    return HG_OK;
}

static hg_status add_entries(hg_weights *w, const hg_value *v, const char *name);

static hg_status add_child(hg_weights *w, const hg_value *v, const char *name, const char *key, int64_t number)
{
    hg_str path = {0};
    hg_str_add(&path, "%s%s", name, *name ? "/" : "");
    if (key) hg_str_add(&path, "%s", key);
    else hg_str_add(&path, "%" PRId64, number);
    char *text = hg_str_take(&path);
    hg_status status = text ? add_entries(w, v, text) : no_memory(w);
    free(text);
    return status;
}

static hg_status add_entries(hg_weights *w, const hg_value *v, const char *name)
{
    if (v->kind == HG_VALUE_LIST || v->kind == HG_VALUE_TUPLE)
        for (size_t i = 0; i < v->list.count; i++) HG_TRY(add_child(w, v->list.items[i], name, NULL, (int64_t)i));
    for (size_t i = 0; v->kind == HG_VALUE_DICT && i < v->dict.count; i++) {
        const hg_value *key = v->dict.entries[i].key;
        bool string = key->kind == HG_VALUE_STRING;
        HG_TRY(add_child(w, v->dict.entries[i].item, name, string ? key->string : NULL, string ? 0 : key->integer));
    }
    if (v->kind != HG_VALUE_ARRAY) return HG_OK;
    entry *entries = hg_grow(w->entries, w->count, 1, &w->capacity, sizeof *entries);
    char *copy = strdup(name);
    if (entries) w->entries = entries;
    if (!entries || !copy) {
        free(copy);
        return no_memory(w);
    }
    entries[w->count++] = (entry){copy, &v->array};
    return HG_OK;
}

hg_weights *hg_weights_open(const char *path, const hg_weights_options *o)
{
    static const hg_weights_options none = {0};
    if (!path) return hg_error(HG_E_ARG, "weights: the path is NULL"), NULL;
    if (!o) o = &none;
    hg_weights *w = calloc(1, sizeof *w);
    if (w) w->path = strdup(path);
    hg_status status = w && w->path ? HG_OK : hg_error(HG_E_MEMORY, "%s: out of memory", path);
    if (status == HG_OK) status = hg_weights_parse(path, &w->format, &w->root);
    if (status == HG_OK) status = find_part(w, o->key);
    if (status == HG_OK && w->part->kind == HG_VALUE_DICT) status = hg_rename_keys(w->part, o, path);
    if (status == HG_OK) status = add_entries(w, w->part, "");
    if (status == HG_OK) return w;
    hg_weights_close(w);
    return NULL;
}

void hg_weights_close(hg_weights *w)
{
    if (!w) return;
    for (size_t i = 0; i < w->count; i++) free(w->entries[i].name);
    free(w->entries);
    hg_value_free(w->root);
    free(w->path);
    free(w);
}

/* ---- What is in it --------------------------------------------------------------------------------------------------- */

const char *hg_weights_format(const hg_weights *w)
{
    return w->format;
}

int64_t hg_weights_count(const hg_weights *w)
{
    return (int64_t)w->count;
}

hg_weights_tensor hg_weights_at(const hg_weights *w, int64_t index)
{
    if (index < 0 || index >= (int64_t)w->count) return (hg_weights_tensor){0};
    const hg_array *a = w->entries[index].array;
    return (hg_weights_tensor){w->entries[index].name, hg_array_dtype_name(a->dtype), hg_array_dtype_size(a->dtype),
                               a->shape, hg_array_count(a)};
}

static hg_status find_elements(const hg_weights *w, int64_t index, int64_t first, int64_t count, const hg_array **out)
{
    if (index < 0 || index >= (int64_t)w->count)
        return hg_error(HG_E_ARG, "%s: there are %zu tensors, none at %" PRId64, w->path, w->count, index);
    *out = w->entries[index].array;
    int64_t all = hg_array_count(*out);
    if (first < 0 || count < 0 || first > all || count > all - first)
        return hg_error(HG_E_ARG, "%s: '%s' has %" PRId64 " elements; %" PRId64 " from %" PRId64 " on are not there",
                        w->path, w->entries[index].name, all, count, first);
    return HG_OK;
}

hg_status hg_weights_read(const hg_weights *w, int64_t index, int64_t first, int64_t count, void *out)
{
    const hg_array *a;
    HG_TRY(find_elements(w, index, first, count, &a));
    return hg_array_read(a, first, count, out);
}

hg_status hg_weights_read_as(const hg_weights *w, int64_t index, int64_t first, int64_t count, hg_dtype dtype, void *out)
{
    const hg_array *a;
    HG_TRY(find_elements(w, index, first, count, &a));
    return hg_array_convert(a, first, count, dtype, out);
}

hg_status hg_weights_save(const hg_weights *w, const char *path)
{
    if (!w || !path) return hg_error(HG_E_ARG, "weights: the %s to write is NULL", w ? "path" : "file");
    return hg_weights_write(path, w->part);
}

/* ---- A module -------------------------------------------------------------------------------------------------------- */

hg_status hg_weights_load(const hg_weights *w, hg_module *m, bool strict)
{
    if (!w) return hg_error(HG_E_ARG, "weights: the file to load from is NULL");
    return hg_module_load_value(m, w->part, w->path, strict);
}

/* Moves the names over. */
static void take_names(hg_names *from, char ***names, int64_t *count)
{
    *names = from->items;
    *count = from->count;
    *from = (hg_names){0};
}

static char *describe(const hg_match *match, const char *module)
{
    hg_str text = {0}, problems = {0};
    hg_match_describe(match, true, INT64_MAX, &problems);
    if (problems.length)
        hg_str_add(&text, "Error(s) in loading state_dict for %s:%s", module, problems.text);
    else
        hg_str_add(&text, "<All keys matched successfully>");
    text.failed |= problems.failed;
    hg_str_free(&problems);
    return hg_str_take(&text);
}

hg_weights_report *hg_weights_check(const hg_weights *w, hg_module *m)
{
    hg_match match;
    if (!w) return hg_error(HG_E_ARG, "weights: the file to check is NULL"), NULL;
    hg_status status = hg_match_state(m, w->part, w->path, &match);
    hg_weights_report *r = status == HG_OK ? calloc(1, sizeof *r) : NULL;
    if (r) r->text = describe(&match, m->cls->name);
    if (r && r->text) {
        take_names(&match.missing, &r->missing, &r->missing_count);
        take_names(&match.unexpected, &r->unexpected, &r->unexpected_count);
        take_names(&match.mismatched, &r->mismatched, &r->mismatched_count);
    } else if (status == HG_OK) {
        no_memory(w);
        free(r);
        r = NULL;
    }
    hg_match_free(&match);
    return r;
}

static void free_names(char **names, int64_t count)
{
    for (int64_t i = 0; i < count; i++) free(names[i]);
    free(names);
}

void hg_weights_report_free(hg_weights_report *r)
{
    if (!r) return;
    free_names(r->missing, r->missing_count);
    free_names(r->unexpected, r->unexpected_count);
    free_names(r->mismatched, r->mismatched_count);
    free(r->text);
    free(r);
}
