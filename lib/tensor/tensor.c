#include "tensor/tensor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* refs never reaches zero: retain and release leave it alone. */
static hg_tensor error_tensor;

hg_tensor *hg_error_tensor(void)
{
    return &error_tensor;
}

hg_tensor *hg_fail(hg_status code, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    hg_error(code, "%s", text);
    return &error_tensor;
}

bool hg_ok(const hg_tensor *t)
{
    return t && t->storage;
}

/* ---- storage ---- */

hg_storage *hg_storage_retain(hg_storage *storage)
{
    atomic_fetch_add(&storage->refs, 1);
    return storage;
}

void hg_storage_release(hg_storage *storage)
{
    if (!storage || atomic_fetch_sub(&storage->refs, 1) != 1) return;
    hg_device *dev = storage->dev;
    if (storage->derived) storage->derived_free(storage);
    if (storage->block)
        hg_pool_give(dev, storage->block);
    else
        clReleaseMemObject(storage->mem);
    free(storage);
    hg_device_close(dev);
}

static hg_storage *new_storage(hg_device *dev, size_t bytes)
{
    hg_storage *storage = calloc(1, sizeof *storage);
    if (!storage) {
        hg_error(HG_E_MEMORY, "tensor: out of host memory");
        return NULL;
    }
    storage->block = hg_pool_take(dev, bytes);
    if (!storage->block) {
        free(storage);
        return NULL;
    }
    storage->refs = 1;
    storage->mem = storage->block->mem;
    storage->bytes = bytes;
    storage->dev = hg_device_retain(dev);
    return storage;
}

/* ---- tensors ---- */

int64_t hg_checked_numel(const char *op, int ndim, const int64_t *size)
{
    int64_t n = 1;
    char text[160];
    if (ndim < 0 || ndim > HG_MAX_DIMS) {
        hg_error(HG_E_SHAPE, "%s: %d dimensions; 0 to %d are possible", op, ndim, HG_MAX_DIMS);
        return -1;
    }
    for (int d = 0; d < ndim; d++) {
        if (size[d] < 0) {
            hg_error(HG_E_SHAPE, "%s: negative size in shape %s", op, hg_shape_text(ndim, size, text, sizeof text));
            return -1;
        }
    }
    for (int d = 0; d < ndim; d++) {
        if (!hg_mul_i64(n, size[d], &n) || n > (INT64_C(1) << 59)) {
            hg_error(HG_E_SHAPE, "%s: shape %s has too many elements", op, hg_shape_text(ndim, size, text, sizeof text));
            return -1;
        }
    }
    return n;
}

void hg_contiguous_strides(int ndim, const int64_t *size, int64_t *stride)
{
    int64_t step = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        stride[d] = step;
        step *= size[d] > 1 ? size[d] : 1;
    }
}

hg_tensor *hg_new_view_on(hg_storage *storage, hg_dtype dtype, int ndim, const int64_t *size, const int64_t *stride,
                          int64_t offset)
{
    hg_tensor *t = calloc(1, sizeof *t);
    if (!t) return hg_fail(HG_E_MEMORY, "tensor: out of host memory");
    *t = (hg_tensor){.refs = 1, .dev = storage->dev, .storage = hg_storage_retain(storage), .dtype = dtype,
                     .ndim = ndim, .offset = offset, .numel = 1};
    for (int d = 0; d < ndim; d++) {
        t->size[d] = size[d];
        t->stride[d] = stride[d];
        t->numel *= size[d];
    }
    return hg_to_scope(t);
}

hg_tensor *hg_new_view(const hg_tensor *base, int ndim, const int64_t *size, const int64_t *stride, int64_t offset)
{
    return hg_new_view_on(base->storage, base->dtype, ndim, size, stride, offset);
}

hg_tensor *hg_new_tensor(hg_device *dev, hg_dtype dtype, int ndim, const int64_t *size)
{
    int64_t n = hg_checked_numel("tensor", ndim, size), stride[HG_MAX_DIMS];
    if (n < 0) return hg_failed();
    if (dtype == HG_F64 && !dev->info.fp64)
        return hg_fail(HG_E_UNSUPPORTED, "tensor: float64 is not supported by %s; use float32", dev->info.name);
    hg_storage *storage = new_storage(dev, (size_t)n * hg_dtype_size(dtype));
    if (!storage) return hg_failed();
    hg_contiguous_strides(ndim, size, stride);
    hg_tensor *t = hg_new_view_on(storage, dtype, ndim, size, stride, 0);
    hg_storage_release(storage);
    return t;
}

hg_tensor *hg_retain(hg_tensor *t)
{
    if (hg_ok(t)) atomic_fetch_add(&t->refs, 1);
    return t;
}

void hg_release(hg_tensor *t)
{
    if (!hg_ok(t) || atomic_fetch_sub(&t->refs, 1) != 1) return;
    if (t->meta_free) t->meta_free(t);
    hg_storage_release(t->storage);
    free(t);
}

hg_device *hg_tensor_device(const hg_tensor *t)
{
    return hg_ok(t) ? t->dev : NULL;
}

hg_dtype hg_tensor_dtype(const hg_tensor *t)
{
    return hg_ok(t) ? t->dtype : HG_F32;
}

hg_shape hg_tensor_shape(const hg_tensor *t)
{
    hg_shape shape = {0};
    if (!hg_ok(t)) return shape;
    shape.ndim = t->ndim;
    memcpy(shape.size, t->size, sizeof shape.size);
    return shape;
}

int hg_ndim(const hg_tensor *t)
{
    return hg_ok(t) ? t->ndim : 0;
}

static bool dim_in_range(const hg_tensor *t, int *dim)
{
    if (!hg_ok(t)) return false;
    if (*dim < 0) *dim += t->ndim;
    return *dim >= 0 && *dim < t->ndim;
}

int64_t hg_size(const hg_tensor *t, int dim)
{
    return dim_in_range(t, &dim) ? t->size[dim] : 0;
}

int64_t hg_stride(const hg_tensor *t, int dim)
{
    return dim_in_range(t, &dim) ? t->stride[dim] : 0;
}

int64_t hg_numel(const hg_tensor *t)
{
    return hg_ok(t) ? t->numel : 0;
}

bool hg_is_contiguous(const hg_tensor *t)
{
    if (!hg_ok(t)) return false;
    int64_t step = 1;
    for (int d = t->ndim - 1; d >= 0; d--) {
        if (t->size[d] != 1 && t->stride[d] != step && t->numel) return false;
        step *= t->size[d];
    }
    return true;
}

struct _cl_mem *hg_tensor_mem(hg_tensor *t, size_t *offset)
{
    if (offset) *offset = hg_ok(t) ? (size_t)t->offset * hg_dtype_size(t->dtype) : 0;
    return hg_ok(t) ? t->storage->mem : NULL;
}

hg_tensor *hg_tensor_wrap(hg_device *dev, cl_mem mem, size_t offset, hg_dtype dtype, hg_shape shape)
{
    if (!dev || !mem) return hg_fail(HG_E_ARG, "tensor_wrap: NULL device or memory");
    int64_t n = hg_checked_numel("tensor_wrap", shape.ndim, shape.size), stride[HG_MAX_DIMS];
    if (n < 0) return hg_failed();
    size_t element = hg_dtype_size(dtype), bytes = 0;
    cl_int code = clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    if (code != CL_SUCCESS) return hg_cl_error(code, "tensor_wrap: the memory's size"), hg_failed();
    if (offset % element) return hg_fail(HG_E_ARG, "tensor_wrap: offset %zu is no multiple of %zu", offset, element);
    if (offset > bytes || (size_t)n > (bytes - offset) / element)
        return hg_fail(HG_E_SHAPE, "tensor_wrap: shape %s needs %zu bytes behind offset %zu, the memory has %zu",
                       hg_shape_text(shape.ndim, shape.size, (char[160]){0}, 160), (size_t)n * element, offset, bytes);
    hg_storage *storage = calloc(1, sizeof *storage);
    if (!storage) return hg_fail(HG_E_MEMORY, "tensor_wrap: out of host memory");
    clRetainMemObject(mem);
    *storage = (hg_storage){.refs = 1, .dev = hg_device_retain(dev), .mem = mem, .bytes = bytes};
    hg_contiguous_strides(shape.ndim, shape.size, stride);
    hg_tensor *t = hg_new_view_on(storage, dtype, shape.ndim, shape.size, stride, (int64_t)(offset / element));
    hg_storage_release(storage);
    return t;
}
