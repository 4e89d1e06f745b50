#include "weights/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

static hg_value *make(hg_value_kind kind)
{
    hg_value *v = calloc(1, sizeof *v);
    if (v) v->kind = kind;
    return v;
}

hg_value *hg_value_none(void)
{
    return make(HG_VALUE_NONE);
}

hg_value *hg_value_bool(bool x)
{
    hg_value *v = make(HG_VALUE_BOOL);
    if (v) v->boolean = x;
    return v;
}

hg_value *hg_value_int(int64_t x)
{
    hg_value *v = make(HG_VALUE_INT);
    if (v) v->integer = x;
    return v;
}

hg_value *hg_value_double(double x)
{
    hg_value *v = make(HG_VALUE_DOUBLE);
    if (v) v->real = x;
    return v;
}

hg_value *hg_value_string(const char *text)
{
    hg_value *v = make(HG_VALUE_STRING);
    if (v && !(v->string = strdup(text))) {
        free(v);
        return NULL;
    }
    return v;
}

hg_value *hg_value_list(void)
{
    return make(HG_VALUE_LIST);
}

hg_value *hg_value_tuple(void)
{
    return make(HG_VALUE_TUPLE);
}

hg_value *hg_value_dict(void)
{
    return make(HG_VALUE_DICT);
}

hg_value *hg_value_ordered_dict(void)
{
    hg_value *v = make(HG_VALUE_DICT);
    if (v) v->dict.ordered = true;
    return v;
}

hg_value *hg_value_array(hg_array *a)
{
    hg_value *v = make(HG_VALUE_ARRAY);
    if (v) v->array = *a;
    else hg_array_free(a);
    *a = (hg_array){0};
    return v;
}

void hg_value_free(hg_value *v)
{
    if (!v) return;
    switch (v->kind) {
    case HG_VALUE_STRING: free(v->string); break;
    case HG_VALUE_LIST:
    case HG_VALUE_TUPLE:
        for (size_t i = 0; i < v->list.count; i++) hg_value_free(v->list.items[i]);
        free(v->list.items);
        break;
    case HG_VALUE_DICT:
        for (size_t i = 0; i < v->dict.count; i++) {
            hg_value_free(v->dict.entries[i].key);
            hg_value_free(v->dict.entries[i].item);
        }
        free(v->dict.entries);
        hg_value_free(v->dict.metadata);
        break;
    case HG_VALUE_ARRAY: hg_array_free(&v->array); break;
    case HG_VALUE_NONE:
    case HG_VALUE_BOOL:
    case HG_VALUE_INT:
    case HG_VALUE_DOUBLE: break;
    }
    free(v);
}

static hg_status no_memory(void)
{
    return hg_error(HG_E_MEMORY, "checkpoint: out of memory");
}

hg_status hg_value_append(hg_value *list, hg_value *item)
{
    hg_status status = HG_OK;
    if (!list || !item) {
        status = no_memory();
    } else if (list->kind != HG_VALUE_LIST && list->kind != HG_VALUE_TUPLE) {
        status = hg_error(HG_E_ARG, "checkpoint: cannot append to %s", hg_value_kind_name(list->kind));
    } else {
        hg_value **items = hg_grow(list->list.items, list->list.count, 1, &list->list.capacity, sizeof *items);
        if (items) {
            list->list.items = items;
            items[list->list.count++] = item;
            return HG_OK;
        }
        status = no_memory();
    }
    hg_value_free(item);
    return status;
}

hg_status hg_value_add_entry(hg_value *dict, hg_value *key, hg_value *item)
{
    hg_status status = HG_OK;
    if (!dict || !key || !item) {
        status = no_memory();
    } else if (dict->kind != HG_VALUE_DICT) {
        status = hg_error(HG_E_ARG, "checkpoint: cannot set a key of %s", hg_value_kind_name(dict->kind));
    } else {
        hg_value_entry *entries = hg_grow(dict->dict.entries, dict->dict.count, 1, &dict->dict.capacity,
                                          sizeof *entries);
        if (entries) {
            dict->dict.entries = entries;
            entries[dict->dict.count++] = (hg_value_entry){key, item};
            return HG_OK;
        }
        status = no_memory();
    }
    hg_value_free(key);
    hg_value_free(item);
    return status;
}

static hg_value_entry *find(const hg_value *dict, const char *text, int64_t number)
{
    if (!dict || dict->kind != HG_VALUE_DICT) return NULL;
    for (size_t i = 0; i < dict->dict.count; i++) {
        const hg_value *key = dict->dict.entries[i].key;
        if (text ? key->kind == HG_VALUE_STRING && !strcmp(key->string, text)
                 : key->kind == HG_VALUE_INT && key->integer == number)
            return &dict->dict.entries[i];
    }
    return NULL;
}

static hg_status set(hg_value *dict, const char *text, int64_t number, hg_value *item)
{
    hg_value_entry *old = item ? find(dict, text, number) : NULL;
    if (!old) return hg_value_add_entry(dict, text ? hg_value_string(text) : hg_value_int(number), item);
    hg_value_free(old->item);
    old->item = item;
    return HG_OK;
}

hg_status hg_value_set(hg_value *dict, const char *key, hg_value *item)
{
    return set(dict, key, 0, item);
}

hg_status hg_value_set_at(hg_value *dict, int64_t key, hg_value *item)
{
    return set(dict, NULL, key, item);
}

hg_status hg_value_set_metadata(hg_value *dict, hg_value *metadata)
{
    hg_status status = HG_OK;
    if (!dict || !metadata)
        status = no_memory();
    else if (dict->kind != HG_VALUE_DICT || !dict->dict.ordered || metadata->kind != HG_VALUE_DICT)
        status = hg_error(HG_E_ARG, "checkpoint: metadata is a dict that belongs to an ordered dict");
    if (status != HG_OK) {
        hg_value_free(metadata);
        return status;
    }
    hg_value_free(dict->dict.metadata);
    dict->dict.metadata = metadata;
    return HG_OK;
}

const char *hg_value_kind_name(hg_value_kind kind)
{
    static const char *const names[] = {"None", "a bool", "an int", "a float", "a string", "a list", "a tuple",
                                        "a dict", "a tensor"};
    return names[kind];
}

hg_value *hg_value_find(const hg_value *dict, const char *key)
{
    hg_value_entry *entry = find(dict, key, 0);
    return entry ? entry->item : NULL;
}

hg_value *hg_value_find_at(const hg_value *dict, int64_t key)
{
    hg_value_entry *entry = find(dict, NULL, key);
    return entry ? entry->item : NULL;
}

static hg_status wrong_kind(const char *where, const char *key, const hg_value *v, hg_value_kind kind)
{
    return hg_error(HG_E_FORMAT, "%s: key '%s' is %s, not %s", where, key, hg_value_kind_name(v->kind),
                    hg_value_kind_name(kind));
}

static hg_status need(const char *where, const hg_value *dict, const char *key, hg_value **out)
{
    if (!dict || dict->kind != HG_VALUE_DICT)
        return hg_error(HG_E_FORMAT, "%s: key '%s' was looked for in %s, not a dict", where, key,
                        dict ? hg_value_kind_name(dict->kind) : "nothing");
    hg_value *v = hg_value_find(dict, key);
    if (!v) return hg_error(HG_E_FORMAT, "%s: key '%s' is missing", where, key);
    *out = v;
    return HG_OK;
}

hg_status hg_value_get(const char *where, const hg_value *dict, const char *key, hg_value_kind kind, hg_value **out)
{
    hg_value *v;
    HG_TRY(need(where, dict, key, &v));
    if (v->kind != kind) return wrong_kind(where, key, v, kind);
    *out = v;
    return HG_OK;
}

hg_status hg_value_get_bool(const char *where, const hg_value *dict, const char *key, bool *out)
{
    hg_value *v;
    HG_TRY(hg_value_get(where, dict, key, HG_VALUE_BOOL, &v));
    *out = v->boolean;
    return HG_OK;
}

hg_status hg_value_get_int(const char *where, const hg_value *dict, const char *key, int64_t *out)
{
    hg_value *v;
    HG_TRY(hg_value_get(where, dict, key, HG_VALUE_INT, &v));
    *out = v->integer;
    return HG_OK;
}

hg_status hg_value_get_double(const char *where, const hg_value *dict, const char *key, double *out)
{
    hg_value *v;
    HG_TRY(need(where, dict, key, &v));
    if (v->kind != HG_VALUE_INT && v->kind != HG_VALUE_DOUBLE) return wrong_kind(where, key, v, HG_VALUE_DOUBLE);
    *out = v->kind == HG_VALUE_INT ? (double)v->integer : v->real;
    return HG_OK;
}

hg_status hg_value_get_string(const char *where, const hg_value *dict, const char *key, const char **out)
{
    hg_value *v;
    HG_TRY(hg_value_get(where, dict, key, HG_VALUE_STRING, &v));
    *out = v->string;
    return HG_OK;
}

hg_status hg_value_get_array(const char *where, const hg_value *dict, const char *key, const hg_array **out)
{
    hg_value *v;
    HG_TRY(hg_value_get(where, dict, key, HG_VALUE_ARRAY, &v));
    *out = &v->array;
    return HG_OK;
}

hg_status hg_value_check(const hg_value *v)
{
    if (v->kind == HG_VALUE_ARRAY) return hg_array_check(&v->array);
    if (v->kind == HG_VALUE_LIST || v->kind == HG_VALUE_TUPLE)
        for (size_t i = 0; i < v->list.count; i++) HG_TRY(hg_value_check(v->list.items[i]));
    if (v->kind == HG_VALUE_DICT)
        for (size_t i = 0; i < v->dict.count; i++) HG_TRY(hg_value_check(v->dict.entries[i].item));
    return HG_OK;
}

bool hg_is_utf8(const char *bytes, size_t size)
{
    const unsigned char *b = (const unsigned char *)bytes;
    for (size_t i = 0; i < size;) {
        unsigned c = b[i];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 9;
        if (!c || more == 9 || size - i <= more) return false;
        for (size_t k = 1; k <= more; k++)
            if ((b[i + k] & 0xc0) != 0x80) return false;
        /* overlong forms, surrogates, beyond U+10FFFF */
        if ((c == 0xe0 && b[i + 1] < 0xa0) || (c == 0xed && b[i + 1] > 0x9f) || (c == 0xf0 && b[i + 1] < 0x90) ||
            (c == 0xf4 && b[i + 1] > 0x8f))
            return false;
        i += more + 1;
    }
    return true;
}
