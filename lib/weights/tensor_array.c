/* Between tensors and arrays, converting element types. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "cl/transfer.h"
#include "tensor/tensor.h"
#include "weights/state.h"

hg_status hg_tensor_to_value(hg_tensor *t, hg_value **out)
{
    hg_array a;
    *out = NULL;
    HG_TRY(hg_array_alloc(&a, (hg_array_dtype)t->dtype, hg_tensor_shape(t)));
    hg_status status = hg_read(t, a.data);
    if (status != HG_OK) {
        hg_array_free(&a);
        return status;
    }
    *out = hg_value_array(&a);
    return *out ? HG_OK : hg_error(HG_E_MEMORY, "checkpoint: out of memory");
}

bool hg_array_fits(const hg_array *a, const hg_tensor *t)
{
    if (!t->ndim && a->shape.ndim == 1) return a->shape.size[0] == 1;
    return a->shape.ndim == t->ndim && !memcmp(a->shape.size, t->size, sizeof *t->size * (size_t)t->ndim);
}

hg_tensor *hg_tensor_from_array(hg_device *dev, const hg_array *a, hg_dtype dtype, hg_shape shape)
{
    hg_tensor *t = hg_empty(dev, dtype, shape);
    if (!hg_ok(t)) return t;
    size_t size = hg_dtype_size(dtype);
    int64_t count = hg_array_count(a);
    void *chunk = malloc((size_t)hg_min_i64(count, HG_ARRAY_CHUNK) * size + 1);
    if (!chunk) return hg_fail(HG_E_MEMORY, "checkpoint: out of memory");
    hg_status status = HG_OK;
    for (int64_t first = 0; first < count && status == HG_OK; first += HG_ARRAY_CHUNK) {
        int64_t n = hg_min_i64(count - first, HG_ARRAY_CHUNK);
        status = hg_array_convert(a, first, n, dtype, chunk);
        if (status == HG_OK)
            status = hg_upload(dev, t->storage->mem, (size_t)(t->offset + first) * size, chunk, (size_t)n * size);
    }
    free(chunk);
    return status == HG_OK ? t : hg_failed();
}
