/* From the graph of nodes to a tree of values. What is in several places of the graph becomes several values; a cycle,
 * a nesting too deep, and sharing that multiplies without end are errors. */
#include <string.h>

#include "base/grow.h"
#include "weights/pickle_nodes.h"

static hg_status make(pickle_reader *r, uint32_t index, int depth, hg_value **out);

static int compare_keys(const void *a, const void *b)
{
    const hg_value *x = *(hg_value *const *)a, *y = *(hg_value *const *)b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    if (x->kind == HG_VALUE_STRING) return strcmp(x->string, y->string);
    return x->integer < y->integer ? -1 : x->integer > y->integer;
}

static hg_status no_key_twice(const pickle_reader *r, const hg_value *dict)
{
    size_t count = dict->dict.count;
    if (count < 2) return HG_OK;
    const hg_value **keys = reallocarray(NULL, count, sizeof *keys);
    if (!keys) return pickle_no_memory(r);
    for (size_t i = 0; i < count; i++) keys[i] = dict->dict.entries[i].key;
    qsort(keys, count, sizeof *keys, compare_keys);
    hg_status status = HG_OK;
    for (size_t i = 1; i < count && status == HG_OK; i++)
        if (!compare_keys(&keys[i - 1], &keys[i])) status = pickle_damaged(r, "a dict has one key twice");
    free(keys);
    return status;
}

static hg_status make_items(pickle_reader *r, uint32_t index, int depth, hg_value *v)
{
    const pickle_node *node = &r->nodes[index];     /* nodes do not move any more */
    for (size_t i = 0; i < node->count; i++) {
        hg_value *item;
        HG_TRY(make(r, node->items[i], depth + 1, &item));
        HG_TRY(hg_value_append(v, item));
    }
    return HG_OK;
}

static hg_status make_entries(pickle_reader *r, uint32_t index, int depth, hg_value *v)
{
    const pickle_node *node = &r->nodes[index];
    for (size_t i = 0; i < node->count; i += 2) {
        pickle_kind kind = r->nodes[node->items[i]].kind;
        if (kind != PICKLE_STRING && kind != PICKLE_INT)
            return hg_error(HG_E_FORMAT, "%s: a dict has a key that is neither a string nor an int; name its entries",
                            r->name);
        hg_value *key, *item;
        HG_TRY(make(r, node->items[i], depth + 1, &key));
        hg_status status = make(r, node->items[i + 1], depth + 1, &item);
        if (status != HG_OK) {
            hg_value_free(key);
            return status;
        }
        HG_TRY(hg_value_add_entry(v, key, item));
    }
    if (node->metadata != PICKLE_NO_NODE) {
        hg_value *metadata;
        HG_TRY(make(r, node->metadata, depth + 1, &metadata));
        HG_TRY(hg_value_set_metadata(v, metadata));
    }
    return no_key_twice(r, v);
}

static hg_status make_tensor(pickle_reader *r, size_t view, hg_value **out)
{
    const struct pickle_view *v = &r->views[view];
    hg_pickle_view *views = hg_grow(r->out_views, r->out_view_count, 1, &r->out_view_capacity, sizeof *views);
    if (!views) return pickle_no_memory(r);
    r->out_views = views;
    hg_array array = {.dtype = r->storages[v->storage].dtype, .shape = v->shape};
    hg_value *value = hg_value_array(&array);
    if (!value) return pickle_no_memory(r);
    hg_pickle_view *place = &views[r->out_view_count++];
    *place = (hg_pickle_view){.array = &value->array, .storage = v->storage, .offset = v->offset};
    memcpy(place->stride, v->stride, sizeof place->stride);
    *out = value;
    return HG_OK;
}

/* A string in the pickle has no NUL at its end. */
static hg_value *make_string(const pickle_node *node)
{
    char *text = strndup(node->text, node->count);
    hg_value *v = text ? hg_value_string(text) : NULL;
    free(text);
    return v;
}

static hg_status make_container(pickle_reader *r, uint32_t index, int depth, hg_value **out)
{
    pickle_node *node = &r->nodes[index];
    if (node->open) return hg_error(HG_E_FORMAT, "%s: a list or dict contains itself", r->name);
    bool dict = node->kind == PICKLE_DICT;
    hg_value *v = node->kind == PICKLE_LIST    ? hg_value_list()
                  : node->kind == PICKLE_TUPLE ? hg_value_tuple()
                  : node->ordered              ? hg_value_ordered_dict()
                                               : hg_value_dict();
    if (!v) return pickle_no_memory(r);
    node->open = true;
    hg_status status = dict ? make_entries(r, index, depth, v) : make_items(r, index, depth, v);
    node->open = false;
    if (status != HG_OK) {
        hg_value_free(v);
        return status;
    }
    *out = v;
    return HG_OK;
}

static hg_status make(pickle_reader *r, uint32_t index, int depth, hg_value **out)
{
    const pickle_node *node = &r->nodes[index];
    if (depth > HG_VALUE_DEPTH)
        return hg_error(HG_E_FORMAT, "%s: lists and dicts nested deeper than %d", r->name, HG_VALUE_DEPTH);
    if (!r->budget--) return hg_error(HG_E_FORMAT, "%s: shared lists and dicts unfold without end", r->name);
    *out = NULL;
    switch ((pickle_kind)node->kind) {
    case PICKLE_NONE: *out = hg_value_none(); break;
    case PICKLE_BOOL: *out = hg_value_bool(node->integer); break;
    case PICKLE_INT: *out = hg_value_int(node->integer); break;
    case PICKLE_DOUBLE: *out = hg_value_double(node->real); break;
    case PICKLE_STRING: *out = make_string(node); break;
    case PICKLE_LIST:
    case PICKLE_TUPLE:
    case PICKLE_DICT: return make_container(r, index, depth, out);
    case PICKLE_TENSOR: return make_tensor(r, (size_t)node->integer, out);
    case PICKLE_GLOBAL:
    case PICKLE_STORAGE:
        return hg_error(HG_E_FORMAT, "%s: holds a class or a bare storage where a value belongs; leave it out",
                        r->name);
    }
    return *out ? HG_OK : pickle_no_memory(r);
}

hg_status pickle_tree(pickle_reader *r, uint32_t root, hg_value **out)
{
    return make(r, root, 1, out);
}
