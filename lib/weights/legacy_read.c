/* .pth files from before PyTorch 1.6, which _use_new_zipfile_serialization=False still writes: five pickles (a magic
 * number, the protocol's number, the machine, the document, the keys of the storages) and, for each key, an int64 count
 * and the elements, all little endian whatever the machine was. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "weights/pickle.h"
#include "weights/pth.h"

typedef struct reader {
    hg_map *map;
    const char *path;
    const unsigned char *bytes;
    size_t size, at;
    hg_pickle document;
    const hg_pickle_storage **sorted;   /* the document's storages, by key */
    hg_extent **extents;          /* of each storage, NULL until its key comes */
} reader;

static hg_status damaged(const reader *r, const char *what)
{
    return hg_error(HG_E_FORMAT, "%s: %s; was the download complete?", r->path, what);
}

static hg_status no_memory(const reader *r)
{
    return hg_error(HG_E_MEMORY, "%s: out of memory", r->path);
}

/* Protocols from 4 on put a frame around it. */
static hg_status read_magic(reader *r)
{
    static const char magic[] = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    size_t start = r->size > 2 && r->bytes[2] == 0x95 ? 11 : 2, length = sizeof magic - 1;
    if (r->size < start + length || memcmp(r->bytes + start, magic, length))
        return hg_error(HG_E_FORMAT, "%s: a pickle, but not of torch.save; save the tensors with torch.save", r->path);
    r->at = start + length;
    return HG_OK;
}

static hg_status next_pickle(reader *r, hg_pickle *out)
{
    size_t used;
    HG_TRY(hg_pickle_parse(r->path, r->bytes + r->at, r->size - r->at, &used, out));
    r->at += used;
    return HG_OK;
}

static hg_status skip_pickles(reader *r, int count)
{
    for (int i = 0; i < count; i++) {
        hg_pickle p;
        HG_TRY(next_pickle(r, &p));
        hg_pickle_free(&p);
    }
    return HG_OK;
}

static int compare_keys(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length != b_length) return a_length < b_length ? -1 : 1;
    return memcmp(a, b, a_length);
}

static int compare_storages(const void *a, const void *b)
{
    const hg_pickle_storage *x = *(const hg_pickle_storage *const *)a, *y = *(const hg_pickle_storage *const *)b;
    return compare_keys(x->key, x->key_length, y->key, y->key_length);
}

/* The first of the storages with this key, in `sorted`; their number if there is none. */
static size_t find(const reader *r, const char *key)
{
    size_t low = 0, high = r->document.storage_count, length = strlen(key);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const hg_pickle_storage *s = r->sorted[middle];
        if (compare_keys(s->key, s->key_length, key, length) < 0) low = middle + 1;
        else high = middle;
    }
    if (low == r->document.storage_count) return low;
    const hg_pickle_storage *s = r->sorted[low];
    return compare_keys(s->key, s->key_length, key, length) ? r->document.storage_count : low;
}

static hg_status read_storage(reader *r, const char *key)
{
    size_t first = find(r, key), need;
    if (first == r->document.storage_count) return damaged(r, "it has a storage that no tensor uses");
    const hg_pickle_storage *s = r->sorted[first];
    int64_t count;
    if (r->size - r->at < sizeof count) return damaged(r, "the tensors are cut off");
    memcpy(&count, r->bytes + r->at, sizeof count);
    r->at += sizeof count;
    if (count != s->count) return damaged(r, "a storage's size is not what the pickle says");
    if (!hg_mul_size((size_t)count, hg_array_dtype_size(s->dtype), &need) || r->size - r->at < need)
        return damaged(r, "the tensors are cut off");
    hg_extent *b = hg_extent_new(r->map, r->bytes + r->at, need, NULL, 0);
    if (!b) return HG_E_MEMORY;
    hg_status status = HG_OK;
    for (size_t i = first; i < r->document.storage_count && !compare_storages(&r->sorted[i], &s); i++) {
        hg_extent **place = &r->extents[r->sorted[i] - r->document.storages];
        if (*place) status = damaged(r, "it has a storage twice");
        else if (r->sorted[i]->dtype != s->dtype || r->sorted[i]->count != s->count)
            status = damaged(r, "two tensors disagree about the type of a storage");
        if (status != HG_OK) break;
        *place = hg_extent_retain(b);
    }
    hg_extent_release(b);
    r->at += need;
    return status;
}

static hg_status read_storages(reader *r, const hg_value *keys)
{
    size_t count = r->document.storage_count;
    r->sorted = calloc(count + 1, sizeof *r->sorted);
    r->extents = calloc(count + 1, sizeof *r->extents);
    if (!r->sorted || !r->extents) return no_memory(r);
    for (size_t i = 0; i < count; i++) r->sorted[i] = &r->document.storages[i];
    qsort(r->sorted, count, sizeof *r->sorted, compare_storages);
    if (keys->kind != HG_VALUE_LIST) return damaged(r, "the list of storages is no list");
    for (size_t i = 0; i < keys->list.count; i++) {
        const hg_value *key = keys->list.items[i];
        if (key->kind != HG_VALUE_STRING) return damaged(r, "the key of a storage is no string");
        HG_TRY(read_storage(r, key->string));
    }
    return r->at == r->size ? HG_OK : damaged(r, "bytes follow the last storage");
}

static hg_status set_source(reader *r, const hg_pickle_view *view)
{
    hg_extent *b = r->extents[view->storage];
    return b ? hg_array_set_source(view->array, b, view->offset, view->stride)
             : damaged(r, "the storage of a tensor is missing");
}

static hg_status read_document(reader *r)
{
    HG_TRY(read_magic(r));
    HG_TRY(skip_pickles(r, 2));
    HG_TRY(next_pickle(r, &r->document));
    hg_pickle keys;
    HG_TRY(next_pickle(r, &keys));
    hg_status status = read_storages(r, keys.root);
    hg_pickle_free(&keys);
    for (size_t i = 0; i < r->document.view_count && status == HG_OK; i++) status = set_source(r, &r->document.views[i]);
    return status == HG_OK ? hg_pickle_expansion(r->path, &r->document, r->size) : status;
}

bool hg_is_pth_legacy(const unsigned char *start, size_t size)
{
    return size >= 4 && start[0] == 0x80 && start[1] >= 2 && start[1] <= 5;
}

hg_status hg_pth_legacy(hg_map *map, hg_value **out)
{
    reader r = {.map = map, .path = map->path, .bytes = map->bytes, .size = map->size};
    *out = NULL;
    hg_status status = read_document(&r);
    if (status == HG_OK) {
        *out = r.document.root;
        r.document.root = NULL;
    }
    for (size_t i = 0; r.extents && i < r.document.storage_count; i++) hg_extent_release(r.extents[i]);
    hg_pickle_free(&r.document);
    free(r.sorted);
    free(r.extents);
    return status;
}
