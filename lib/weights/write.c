#include "weights/write.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "weights/npz.h"
#include "weights/pth.h"
#include "weights/safetensors.h"

hg_status hg_array_each_chunk(const hg_array *a, hg_status (*put)(void *user, const void *bytes, size_t size), void *user)
{
    if (a->data) return put(user, a->data, hg_array_bytes(a));
    int64_t count = hg_array_count(a);
    size_t size = hg_array_dtype_size(a->dtype);
    void *chunk = malloc((size_t)hg_min_i64(count, HG_ARRAY_CHUNK) * size + 1);
    if (!chunk) return hg_error(HG_E_MEMORY, "writing an array: out of memory");
    hg_status status = HG_OK;
    for (int64_t first = 0; first < count && status == HG_OK; first += HG_ARRAY_CHUNK) {
        int64_t n = hg_min_i64(count - first, HG_ARRAY_CHUNK);
        status = hg_array_read(a, first, n, chunk);
        if (status == HG_OK) status = put(user, chunk, (size_t)n * size);
    }
    free(chunk);
    return status;
}

hg_status hg_put_chunk(void *user, const void *bytes, size_t size)
{
    return hg_new_file_put(user, bytes, size);
}

hg_status hg_check_flat(const char *path, const hg_value *v)
{
    if (v->kind != HG_VALUE_DICT)
        return hg_error(HG_E_ARG, "cannot write %s: the format holds named tensors alone, this is %s; write .pth", path,
                        hg_value_kind_name(v->kind));
    for (size_t i = 0; i < v->dict.count; i++) {
        const hg_value_entry *e = &v->dict.entries[i];
        if (e->key->kind != HG_VALUE_STRING)
            return hg_error(HG_E_ARG, "cannot write %s: the format holds named tensors alone, a key is %s; write .pth",
                            path, hg_value_kind_name(e->key->kind));
        if (e->item->kind != HG_VALUE_ARRAY)
            return hg_error(HG_E_ARG,
                            "cannot write %s: the format holds named tensors alone, '%.100s' is %s; choose a part of "
                            "the file by its key, or write .pth", path, e->key->string,
                            hg_value_kind_name(e->item->kind));
        if (!hg_is_utf8(e->key->string, strlen(e->key->string)))
            return hg_error(HG_E_FORMAT, "cannot write %s: the name '%.100s' is not UTF-8; convert it", path,
                            e->key->string);
    }
    return HG_OK;
}

static hg_status write_npy(const char *path, const hg_value *v)
{
    HG_TRY(hg_check_flat(path, v));
    if (v->dict.count != 1)
        return hg_error(HG_E_ARG, "cannot write %s: .npy holds one tensor, there are %zu; write .npz", path,
                        v->dict.count);
    return hg_npy_write(path, &v->dict.entries[0].item->array);
}

static const struct format {
    const char *extension;
    hg_status (*write)(const char *path, const hg_value *v);
} formats[] = {{".pth", hg_pth_write}, {".pt", hg_pth_write}, {".safetensors", hg_safetensors_write},
               {".npz", hg_npz_write}, {".npy", write_npy}};

static const struct format *find_format(const char *path)
{
    const char *name = strrchr(path, '/');
    const char *dot = strrchr(name ? name : path, '.');
    for (size_t i = 0; dot && i < sizeof formats / sizeof *formats; i++)
        if (!strcasecmp(dot, formats[i].extension)) return &formats[i];
    return NULL;
}

bool hg_weights_names_format(const char *path)
{
    return find_format(path) != NULL;
}

hg_status hg_weights_write(const char *path, const hg_value *v)
{
    const struct format *f = find_format(path);
    if (f) return f->write(path, v);
    return hg_error(HG_E_ARG, "cannot write %s: the extension tells the format: .pth, .pt, .safetensors, .npz or .npy",
                    path);
}
