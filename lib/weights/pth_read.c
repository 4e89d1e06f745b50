/* The zip of a .pth file: PREFIX/data.pkl is the pickle, PREFIX/data/KEY the storages, PREFIX/byteorder (PyTorch 2.1)
 * "little" or "big". The pickle is read first, without the tensors' data; then each storage once, and its tensors are
 * filled from it. A storage with one contiguous tensor is not copied. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "base/checked.h"
#include "base/str.h"
#include "weights/pickle.h"
#include "weights/pth.h"

/* Tensors may share and repeat storage (expand), but not turn a small file into more memory than this. */
#define LARGEST_EXPANSION(file_size) ((file_size) * 16 + (256 << 20))

typedef struct reader {
    const char *path;
    zip_t *zip;
    zip_uint64_t pickle;        /* the entry PREFIX/data.pkl */
    char *prefix;               /* with its slash */
    size_t budget;              /* bytes that may still be allocated */
    bool big_endian;
    bool legacy;                /* no zip: legacy_read.c's */
} reader;

/* Where one tensor comes from. */
typedef struct source {
    zip_uint64_t entry;
    const hg_pickle_view *view;
    const hg_pickle_storage *storage;
} source;

static hg_status no_memory(const reader *r)
{
    return hg_error(HG_E_MEMORY, "%s: out of memory", r->path);
}

static hg_status spend(reader *r, size_t bytes)
{
    if (bytes > r->budget)
        return hg_error(HG_E_FORMAT, "%s: its tensors would need many times the file's size; the file is damaged",
                        r->path);
    r->budget -= bytes;
    return HG_OK;
}

static hg_status open_zip(reader *r)
{
    struct stat info;
    if (stat(r->path, &info)) return hg_error(HG_E_IO, "cannot read %s: %s", r->path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return hg_error(HG_E_IO, "cannot read %s: it is a folder", r->path);
    r->budget = LARGEST_EXPANSION((size_t)info.st_size);
    unsigned char start[4] = {0};
    FILE *stream = fopen(r->path, "rb");
    if (!stream) return hg_error(HG_E_IO, "cannot read %s: %s", r->path, strerror(errno));
    size_t got = fread(start, 1, sizeof start, stream);
    fclose(stream);
    r->legacy = got == sizeof start && start[0] == 0x80 && start[1] >= 2 && start[1] <= 5;
    if (r->legacy) return HG_OK;
    if (got < sizeof start || memcmp(start, "PK\3\4", 4))
        return hg_error(HG_E_FORMAT, "%s: not a file of torch.save (no zip); was the download complete?", r->path);
    int code;
    r->zip = zip_open(r->path, ZIP_RDONLY, &code);
    if (r->zip) return HG_OK;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    hg_status status = code == ZIP_ER_MEMORY ? no_memory(r)
                       : hg_error(HG_E_FORMAT, "%s: the zip is cut off or damaged (%s); was the download complete?",
                                  r->path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

static hg_status find_pickle(reader *r)
{
    static const char name[] = "/data.pkl";
    zip_int64_t count = zip_get_num_entries(r->zip, 0);
    bool found = false;
    for (zip_int64_t i = 0; i < count; i++) {
        const char *entry = zip_get_name(r->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        size_t length = entry ? strlen(entry) : 0;
        if (length < sizeof name || strcmp(entry + length - (sizeof name - 1), name)) continue;
        if (found) return hg_error(HG_E_FORMAT, "%s: has several data.pkl; it is no file of torch.save", r->path);
        found = true;
        r->pickle = (zip_uint64_t)i;
        r->prefix = strndup(entry, length - (sizeof name - 1) + 1);
        if (!r->prefix) return no_memory(r);
    }
    if (!found) return hg_error(HG_E_FORMAT, "%s: a zip without data.pkl; it is no file of torch.save", r->path);
    return HG_OK;
}

/* PREFIX + name of `length` bytes; *found false if there is no such entry. */
static hg_status locate(reader *r, const char *folder, const char *name, size_t length, bool *found,
                        zip_uint64_t *entry)
{
    hg_str s = {0};
    hg_str_add(&s, "%s%s", r->prefix, folder);
    hg_str_add_bytes(&s, name, length);
    char *full = hg_str_take(&s);
    if (!full) return no_memory(r);
    zip_int64_t index = zip_name_locate(r->zip, full, ZIP_FL_ENC_RAW);
    free(full);
    *found = index >= 0;
    *entry = (zip_uint64_t)index;
    return HG_OK;
}

static hg_status damaged_entry(const reader *r, zip_uint64_t entry, const char *why)
{
    return hg_error(HG_E_FORMAT, "%s: the entry %s is damaged (%s); was the download complete?", r->path,
                    zip_get_name(r->zip, entry, ZIP_FL_ENC_RAW), why);
}

/* All bytes of an entry, its checksum compared; free(*bytes). */
static hg_status read_entry(reader *r, zip_uint64_t entry, void **bytes, size_t *size)
{
    zip_stat_t info;
    if (zip_stat_index(r->zip, entry, 0, &info) || !(info.valid & ZIP_STAT_SIZE))
        return damaged_entry(r, entry, zip_strerror(r->zip));
    HG_TRY(spend(r, info.size));
    char *data = malloc(info.size ? info.size : 1);
    if (!data) return no_memory(r);
    zip_file_t *file = zip_fopen_index(r->zip, entry, 0);
    if (!file) {
        free(data);
        return damaged_entry(r, entry, zip_strerror(r->zip));
    }
    size_t done = 0;
    zip_int64_t got;
    while (done < info.size && (got = zip_fread(file, data + done, info.size - done)) > 0) done += (size_t)got;
    char beyond;
    got = done == info.size ? zip_fread(file, &beyond, 1) : -1;     /* compares the checksum */
    hg_status status = HG_OK;
    if (got) status = damaged_entry(r, entry, got < 0 ? zip_file_strerror(file) : "longer than it says");
    zip_fclose(file);
    if (status != HG_OK) {
        free(data);
        return status;
    }
    *bytes = data;
    *size = info.size;
    return HG_OK;
}

static hg_status read_byte_order(reader *r)
{
    bool found;
    zip_uint64_t entry;
    HG_TRY(locate(r, "", "byteorder", strlen("byteorder"), &found, &entry));
    if (!found) return HG_OK;
    void *bytes;
    size_t size;
    HG_TRY(read_entry(r, entry, &bytes, &size));
    r->big_endian = size == 3 && !memcmp(bytes, "big", 3);
    bool little = size == 6 && !memcmp(bytes, "little", 6);
    free(bytes);
    if (!little && !r->big_endian) return damaged_entry(r, entry, "neither little nor big");
    return HG_OK;
}

static void swap_bytes(unsigned char *data, size_t bytes, size_t size)
{
    for (size_t i = 0; i < bytes; i += size) {
        for (size_t a = i, b = i + size - 1; a < b; a++, b--) {
            unsigned char keep = data[a];
            data[a] = data[b];
            data[b] = keep;
        }
    }
}

static hg_status read_storage(reader *r, const source *s, void **bytes)
{
    size_t need, size;
    zip_stat_t info;
    if (zip_stat_index(r->zip, s->entry, 0, &info)) return damaged_entry(r, s->entry, zip_strerror(r->zip));
    if (!hg_mul_size((size_t)s->storage->count, hg_array_dtype_size(s->storage->dtype), &need) || info.size != need)
        return damaged_entry(r, s->entry, "its size is not what the pickle says");
    HG_TRY(read_entry(r, s->entry, bytes, &size));
    if (r->big_endian) swap_bytes(*bytes, size, hg_array_dtype_size(s->storage->dtype));
    return HG_OK;
}

static bool covers_storage(const source *s)
{
    int64_t step = 1;
    for (int d = s->view->array->shape.ndim - 1; d >= 0; d--) {
        if (s->view->array->shape.size[d] != 1 && s->view->stride[d] != step) return false;
        step *= s->view->array->shape.size[d];
    }
    return s->view->offset == 0 && step == s->storage->count;
}

static hg_status fill(reader *r, const source *s, const void *bytes)
{
    hg_array *a = s->view->array;
    size_t size = hg_array_bytes(a);
    HG_TRY(spend(r, size));
    a->data = malloc(size ? size : 1);
    if (!a->data) return no_memory(r);
    hg_array_gather(a, bytes, s->view->offset, s->view->stride);
    hg_array_tidy(a);
    return HG_OK;
}

/* All tensors of one entry. */
static hg_status fill_group(reader *r, const source *s, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (s[i].storage->dtype != s->storage->dtype || s[i].storage->count != s->storage->count)
            return damaged_entry(r, s->entry, "two tensors disagree about its type");
    void *bytes;
    HG_TRY(read_storage(r, s, &bytes));
    if (count == 1 && covers_storage(s)) {
        s->view->array->data = bytes;
        hg_array_tidy(s->view->array);
        return HG_OK;
    }
    hg_status status = HG_OK;
    for (size_t i = 0; i < count && status == HG_OK; i++) status = fill(r, &s[i], bytes);
    free(bytes);
    return status;
}

static int compare_sources(const void *a, const void *b)
{
    zip_uint64_t x = ((const source *)a)->entry, y = ((const source *)b)->entry;
    return x < y ? -1 : x > y;
}

static hg_status find_sources(reader *r, const hg_pickle *p, source *sources)
{
    for (size_t i = 0; i < p->view_count; i++) {
        source *s = &sources[i];
        s->view = &p->views[i];
        s->storage = &p->storages[s->view->storage];
        bool found;
        HG_TRY(locate(r, "data/", s->storage->key, s->storage->key_length, &found, &s->entry));
        if (!found)
            return hg_error(HG_E_FORMAT, "%s: the entry %sdata/%.*s is missing; was the download complete?", r->path,
                            r->prefix, (int)hg_min_i64((int64_t)s->storage->key_length, 100), s->storage->key);
    }
    qsort(sources, p->view_count, sizeof *sources, compare_sources);
    return HG_OK;
}

static hg_status fill_all(reader *r, const hg_pickle *p)
{
    if (!p->view_count) return HG_OK;
    source *sources = calloc(p->view_count, sizeof *sources);
    if (!sources) return no_memory(r);
    hg_status status = find_sources(r, p, sources);
    for (size_t first = 0, end; first < p->view_count && status == HG_OK; first = end) {
        for (end = first + 1; end < p->view_count && sources[end].entry == sources[first].entry; end++) {}
        status = fill_group(r, &sources[first], end - first);
    }
    free(sources);
    return status;
}

static hg_status read_document(reader *r, hg_value **out)
{
    HG_TRY(open_zip(r));
    if (r->legacy) return hg_legacy_read(r->path, out);
    HG_TRY(find_pickle(r));
    HG_TRY(read_byte_order(r));
    void *bytes;
    size_t size;
    HG_TRY(read_entry(r, r->pickle, &bytes, &size));
    hg_pickle p;
    hg_status status = hg_pickle_parse(r->path, bytes, size, NULL, &p);
    if (status == HG_OK) {
        status = fill_all(r, &p);
        if (status == HG_OK) {
            *out = p.root;
            p.root = NULL;
        }
        hg_pickle_free(&p);
    }
    free(bytes);
    return status;
}

hg_status hg_pth_read(const char *path, hg_value **out)
{
    *out = NULL;
    reader r = {.path = path};
    hg_status status = read_document(&r, out);
    if (r.zip) zip_discard(r.zip);
    free(r.prefix);
    return status;
}
