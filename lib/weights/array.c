#include "weights/array.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "weights/source.h"

static const struct {
    const char *name;
    size_t size;
} dtypes[HG_ARRAY_DTYPES] = {
    [HG_ARRAY_F32] = {"float32", 4}, [HG_ARRAY_F64] = {"float64", 8},   [HG_ARRAY_I32] = {"int32", 4},
    [HG_ARRAY_I64] = {"int64", 8},   [HG_ARRAY_U8] = {"uint8", 1},      [HG_ARRAY_BOOL] = {"bool", 1},
    [HG_ARRAY_I8] = {"int8", 1},     [HG_ARRAY_I16] = {"int16", 2},     [HG_ARRAY_F16] = {"float16", 2},
    [HG_ARRAY_BF16] = {"bfloat16", 2},
};

const char *hg_array_dtype_name(hg_array_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t hg_array_dtype_size(hg_array_dtype dtype)
{
    return dtypes[dtype].size;
}

bool hg_array_measure(hg_array_dtype dtype, const hg_shape *shape, int64_t *count, size_t *bytes)
{
    if (shape->ndim < 0 || shape->ndim > HG_MAX_DIMS) return false;
    int64_t n = 1, total;
    bool empty = false;
    for (int d = 0; d < shape->ndim; d++) {
        if (shape->size[d] < 0) return false;
        if (!shape->size[d]) empty = true;
        else if (!hg_mul_i64(n, shape->size[d], &n)) return false;
    }
    if (empty) n = 0;
    if (!hg_mul_i64(n, (int64_t)dtypes[dtype].size, &total)) return false;
    *count = n;
    *bytes = (size_t)total;
    return true;
}

int64_t hg_array_count(const hg_array *a)
{
    int64_t n = 1;
    for (int d = 0; d < a->shape.ndim; d++) n *= a->shape.size[d];
    return n;
}

size_t hg_array_bytes(const hg_array *a)
{
    return (size_t)hg_array_count(a) * dtypes[a->dtype].size;
}

hg_status hg_array_alloc(hg_array *a, hg_array_dtype dtype, hg_shape shape)
{
    *a = (hg_array){0};
    int64_t count;
    size_t bytes;
    if (!hg_array_measure(dtype, &shape, &count, &bytes))
        return hg_error(HG_E_SHAPE, "array: a negative or too large size, or more than %d dimensions", HG_MAX_DIMS);
    void *data = malloc(bytes ? bytes : 1);
    if (!data) return hg_error(HG_E_MEMORY, "array: out of memory for %zu bytes", bytes);
    *a = (hg_array){.dtype = dtype, .shape = shape, .data = data};
    return HG_OK;
}

void hg_array_free(hg_array *a)
{
    if (!a->borrowed) free(a->data);
    hg_array_source_free(a->source);
    *a = (hg_array){0};
}

hg_status hg_array_read(const hg_array *a, int64_t first, int64_t count, void *out)
{
    size_t size = dtypes[a->dtype].size;
    if (!a->data) return hg_array_source_read(a, first, count, out);
    memcpy(out, (const char *)a->data + (size_t)first * size, (size_t)count * size);
    return HG_OK;
}

hg_status hg_array_check(const hg_array *a)
{
    const unsigned char *bytes;
    return a->data ? HG_OK : hg_extent_open(a->source->extent, &bytes);
}

hg_status hg_array_load(hg_array *a)
{
    if (a->data) return HG_OK;
    hg_array loaded;
    HG_TRY(hg_array_alloc(&loaded, a->dtype, a->shape));
    hg_status status = hg_array_read(a, 0, hg_array_count(a), loaded.data);
    hg_array_free(status == HG_OK ? a : &loaded);
    if (status == HG_OK) *a = loaded;
    return status;
}
