#include "weights/npz.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "weights/write.h"
#include "weights/zip_write.h"

#define EXTENSION ".npy"

static bool is_npy(const hg_zip_entry *e)
{
    size_t length = sizeof EXTENSION - 1;
    return e->name_length > length && !memcmp(e->name + e->name_length - length, EXTENSION, length);
}

bool hg_is_npz_zip(const hg_zip_reader *z)
{
    for (size_t i = 0; i < z->count; i++)
        if (is_npy(&z->entries[i])) return true;
    return false;
}

/* The name without ".npy"; NULL with an error. */
static char *name_of(const hg_zip_reader *z, const hg_zip_entry *e)
{
    size_t length = e->name_length - (sizeof EXTENSION - 1);
    if (!is_npy(e) || !hg_is_utf8(e->name, length)) {
        hg_error(HG_E_FORMAT, "%s: the entry %.*s is no .npy file with a name in UTF-8; write it with numpy.savez",
                 z->map->path, (int)(e->name_length < 100 ? e->name_length : 100), e->name);
        return NULL;
    }
    char *name = strndup(e->name, length);
    if (!name) hg_error(HG_E_MEMORY, "%s: out of memory", z->map->path);
    return name;
}

static hg_status read_entry(const hg_zip_reader *z, const hg_zip_entry *e, hg_value *dict)
{
    char *name = name_of(z, e);
    if (!name) return hg_last_status();
    hg_str where = {0};
    hg_str_add(&where, "%s: %s", z->map->path, name);
    hg_array a = {0};
    hg_extent *b = NULL;
    hg_status status = where.failed ? hg_error(HG_E_MEMORY, "%s: out of memory", z->map->path)
                                    : hg_zip_extent(z, e, &b);
    if (status == HG_OK) status = hg_npy_view(where.text, b, &a);
    if (status == HG_OK) status = hg_value_add_entry(dict, hg_value_string(name), hg_value_array(&a));
    hg_extent_release(b);
    hg_str_free(&where);
    free(name);
    return status;
}

hg_status hg_npz_zip(const hg_zip_reader *z, hg_value **out)
{
    *out = NULL;
    hg_value *dict = hg_value_ordered_dict();
    if (!dict) return hg_error(HG_E_MEMORY, "%s: out of memory", z->map->path);
    hg_status status = HG_OK;
    for (size_t i = 0; i < z->count && status == HG_OK; i++) status = read_entry(z, &z->entries[i], dict);
    if (status == HG_OK) *out = dict;
    else hg_value_free(dict);
    return status;
}

static hg_status put_entry(void *user, const void *bytes, size_t size)
{
    return hg_zip_put(user, bytes, size);
}

static hg_status write_entry(hg_zip_writer *z, const char *path, const char *key, const hg_array *a)
{
    hg_str name = {0}, header = {0};
    hg_str_add(&name, "%s" EXTENSION, key);
    hg_status status = hg_npy_header(path, a, &header);
    if (status == HG_OK && name.failed) status = hg_error(HG_E_MEMORY, "cannot write %s: out of memory", path);
    if (status == HG_OK) status = hg_zip_begin_entry(z, name.text, header.length + hg_array_bytes(a));
    if (status == HG_OK) status = hg_zip_put(z, header.text, header.length);
    if (status == HG_OK) status = hg_array_each_chunk(a, put_entry, z);
    if (status == HG_OK) status = hg_zip_end_entry(z);
    hg_str_free(&name);
    hg_str_free(&header);
    return status;
}

hg_status hg_npz_write(const char *path, const hg_value *dict)
{
    HG_TRY(hg_check_flat(path, dict));
    hg_zip_writer z;
    HG_TRY(hg_zip_begin(&z, path));
    for (size_t i = 0; i < dict->dict.count; i++) {
        const hg_value_entry *e = &dict->dict.entries[i];
        hg_status status = write_entry(&z, path, e->key->string, &e->item->array);
        if (status == HG_OK) continue;
        hg_zip_abandon(&z);
        return status;
    }
    return hg_zip_finish(&z);
}
