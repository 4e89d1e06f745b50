/* The zip of a .pth file: PREFIX/data.pkl is the pickle, PREFIX/data/KEY the storages, PREFIX/byteorder (PyTorch 2.1)
 * "little" or "big". The pickle is read; of the storages only where they are. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/str.h"
#include "weights/pickle.h"
#include "weights/pth.h"

static const char pickle_name[] = "/data.pkl";

typedef struct reader {
    const hg_zip_reader *zip;
    const char *path;
    char *prefix;               /* with its slash */
    bool big_endian;
} reader;

/* Where one tensor comes from. */
typedef struct source {
    const hg_zip_entry *entry;
    const hg_pickle_view *view;
    const hg_pickle_storage *storage;
} source;

static hg_status no_memory(const reader *r)
{
    return hg_error(HG_E_MEMORY, "%s: out of memory", r->path);
}

static bool is_pickle(const hg_zip_entry *e)
{
    size_t length = sizeof pickle_name - 1;
    return e->name_length > length && !memcmp(e->name + e->name_length - length, pickle_name, length);
}

bool hg_is_pth_zip(const hg_zip_reader *z)
{
    for (size_t i = 0; i < z->count; i++)
        if (is_pickle(&z->entries[i])) return true;
    return false;
}

static hg_status find_pickle(reader *r, const hg_zip_entry **out)
{
    *out = NULL;
    for (size_t i = 0; i < r->zip->count; i++) {
        const hg_zip_entry *e = &r->zip->entries[i];
        if (!is_pickle(e)) continue;
        if (*out) return hg_error(HG_E_FORMAT, "%s: has several data.pkl; it is no file of torch.save", r->path);
        *out = e;
    }
    if (!*out) return hg_error(HG_E_FORMAT, "%s: a zip without data.pkl; it is no file of torch.save", r->path);
    r->prefix = strndup((*out)->name, (*out)->name_length - (sizeof pickle_name - 1) + 1);
    return r->prefix ? HG_OK : no_memory(r);
}

/* PREFIX + folder + name; *out is NULL if there is no such entry. */
static hg_status locate(reader *r, const char *folder, const char *name, size_t length, const hg_zip_entry **out)
{
    hg_str s = {0};
    hg_str_add(&s, "%s%s", r->prefix, folder);
    hg_str_add_bytes(&s, name, length);
    size_t full_length = s.length;
    char *full = hg_str_take(&s);
    if (!full) return no_memory(r);
    *out = hg_zip_find(r->zip, full, full_length);
    free(full);
    return HG_OK;
}

static hg_status read_byte_order(reader *r)
{
    const hg_zip_entry *e;
    HG_TRY(locate(r, "", "byteorder", strlen("byteorder"), &e));
    if (!e) return HG_OK;
    hg_extent *b;
    const unsigned char *bytes;
    HG_TRY(hg_zip_extent(r->zip, e, &b));
    hg_status status = hg_extent_open(b, &bytes);
    if (status == HG_OK) {
        r->big_endian = b->size == 3 && !memcmp(bytes, "big", 3);
        bool little = b->size == 6 && !memcmp(bytes, "little", 6);
        if (!little && !r->big_endian) status = hg_extent_damaged(b, "neither little nor big");
    }
    hg_extent_release(b);
    return status;
}

static int compare_sources(const void *a, const void *b)
{
    const hg_zip_entry *x = ((const source *)a)->entry, *y = ((const source *)b)->entry;
    return x < y ? -1 : x > y;
}

static hg_status find_sources(reader *r, const hg_pickle *p, source *sources)
{
    for (size_t i = 0; i < p->view_count; i++) {
        source *s = &sources[i];
        s->view = &p->views[i];
        s->storage = &p->storages[s->view->storage];
        HG_TRY(locate(r, "data/", s->storage->key, s->storage->key_length, &s->entry));
        if (!s->entry)
            return hg_error(HG_E_FORMAT, "%s: the entry %sdata/%.*s is missing; was the download complete?", r->path,
                            r->prefix, (int)hg_min_i64((int64_t)s->storage->key_length, 100), s->storage->key);
    }
    qsort(sources, p->view_count, sizeof *sources, compare_sources);
    return HG_OK;
}

/* All tensors of one entry. */
static hg_status set_group(reader *r, const source *s, size_t count)
{
    hg_extent *b;
    size_t need;
    HG_TRY(hg_zip_extent(r->zip, s->entry, &b));
    b->big_endian = r->big_endian;
    hg_status status = HG_OK;
    for (size_t i = 1; i < count && status == HG_OK; i++)
        if (s[i].storage->dtype != s->storage->dtype || s[i].storage->count != s->storage->count)
            status = hg_extent_damaged(b, "two tensors disagree about its type");
    bool fits = hg_mul_size((size_t)s->storage->count, hg_array_dtype_size(s->storage->dtype), &need);
    if (status == HG_OK && (!fits || b->size != need))
        status = hg_extent_damaged(b, "its size is not what the pickle says");
    for (size_t i = 0; i < count && status == HG_OK; i++)
        status = hg_array_set_source(s[i].view->array, b, s[i].view->offset, s[i].view->stride);
    hg_extent_release(b);
    return status;
}

static hg_status set_all(reader *r, const hg_pickle *p)
{
    if (!p->view_count) return HG_OK;
    source *sources = calloc(p->view_count, sizeof *sources);
    if (!sources) return no_memory(r);
    hg_status status = find_sources(r, p, sources);
    for (size_t first = 0, end; first < p->view_count && status == HG_OK; first = end) {
        for (end = first + 1; end < p->view_count && sources[end].entry == sources[first].entry; end++) {}
        status = set_group(r, &sources[first], end - first);
    }
    free(sources);
    return status;
}

static hg_status read_pickle(reader *r, const hg_extent *b, const unsigned char *bytes, hg_value **out)
{
    hg_pickle p;
    HG_TRY(hg_pickle_parse(r->path, bytes, b->size, NULL, &p));
    hg_status status = set_all(r, &p);
    if (status == HG_OK) status = hg_pickle_expansion(r->path, &p, r->zip->map->size);
    if (status == HG_OK) {
        *out = p.root;
        p.root = NULL;
    }
    hg_pickle_free(&p);
    return status;
}

static hg_status read_document(reader *r, hg_value **out)
{
    const hg_zip_entry *e;
    hg_extent *b;
    const unsigned char *bytes;
    HG_TRY(find_pickle(r, &e));
    HG_TRY(read_byte_order(r));
    HG_TRY(hg_zip_extent(r->zip, e, &b));
    hg_status status = hg_extent_open(b, &bytes);
    if (status == HG_OK) status = read_pickle(r, b, bytes, out);
    hg_extent_release(b);
    return status;
}

hg_status hg_pth_zip(const hg_zip_reader *z, hg_value **out)
{
    reader r = {.zip = z, .path = z->map->path};
    *out = NULL;
    hg_status status = read_document(&r, out);
    free(r.prefix);
    return status;
}

hg_status hg_pth_read(const char *path, hg_value **out)
{
    hg_map *map;
    *out = NULL;
    HG_TRY(hg_map_open(path, &map));
    hg_status status;
    if (hg_is_pth_legacy(map->bytes, map->size)) {
        status = hg_pth_legacy(map, out);
    } else if (hg_is_zip(map->bytes, map->size)) {
        hg_zip_reader z;
        status = hg_zip_open(map, &z);
        if (status == HG_OK) status = hg_pth_zip(&z, out);
        hg_zip_close(&z);
    } else {
        status = hg_error(HG_E_FORMAT, "%s: not a file of torch.save (no zip); was the download complete?", path);
    }
    hg_map_release(map);
    return status;
}
