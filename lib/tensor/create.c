/* Tensors from nothing and from host memory, and back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cl/transfer.h"
#include "tensor/tensor.h"

hg_tensor *hg_empty(hg_device *dev, hg_dtype dtype, hg_shape shape)
{
    if (!dev) return hg_fail(HG_E_ARG, "empty: the device is NULL");
    if (!hg_dtype_size(dtype)) return hg_fail(HG_E_DTYPE, "empty: unknown dtype %d", (int)dtype);
    return hg_new_tensor(dev, dtype, shape.ndim, shape.size);
}

hg_tensor *hg_full(hg_device *dev, hg_dtype dtype, hg_shape shape, double value)
{
    hg_tensor *t = hg_empty(dev, dtype, shape);
    if (hg_ok(t) && hg_raw_fill(t, value) != HG_OK) return hg_failed();
    return t;
}

hg_tensor *hg_zeros(hg_device *dev, hg_dtype dtype, hg_shape shape)
{
    return hg_full(dev, dtype, shape, 0);
}

hg_tensor *hg_empty_like(hg_tensor *t)
{
    if (!HG_CHECK_OPERANDS("empty_like", t)) return hg_failed();
    return hg_new_tensor(t->dev, t->dtype, t->ndim, t->size);
}

hg_tensor *hg_zeros_like(hg_tensor *t)
{
    hg_tensor *y = hg_empty_like(t);
    if (hg_ok(y) && hg_raw_fill(y, 0) != HG_OK) return hg_failed();
    return y;
}

hg_tensor *hg_from_data(hg_device *dev, hg_dtype dtype, hg_shape shape, const void *data)
{
    hg_tensor *t = hg_empty(dev, dtype, shape);
    if (!hg_ok(t)) return t;
    if (!data && t->numel) return hg_fail(HG_E_ARG, "from_data: the data is NULL");
    if (hg_upload(dev, t->storage->mem, 0, data, (size_t)t->numel * hg_dtype_size(dtype)) != HG_OK) return hg_failed();
    return t;
}

static void put_element(hg_dtype dtype, void *data, int64_t i, double value)
{
    switch (dtype) {
    case HG_F32: ((float *)data)[i] = (float)value; break;
    case HG_F64: ((double *)data)[i] = value; break;
    case HG_I32: ((int32_t *)data)[i] = (int32_t)value; break;
    case HG_I64: ((int64_t *)data)[i] = (int64_t)value; break;
    case HG_U8: ((uint8_t *)data)[i] = (uint8_t)(int64_t)value; break;
    case HG_BOOL: ((uint8_t *)data)[i] = value != 0; break;
    }
}

hg_tensor *hg_arange(hg_device *dev, hg_dtype dtype, double start, double end, double step)
{
    if (step == 0 || !isfinite(start) || !isfinite(end) || !isfinite(step))
        return hg_fail(HG_E_ARG, "arange: start, end and step must be finite, step not 0; got %g, %g, %g", start, end, step);
    double count = ceil((end - start) / step);
    if (count > 1e15) return hg_fail(HG_E_SHAPE, "arange: %g elements", count);
    int64_t n = count > 0 ? (int64_t)count : 0;
    hg_tensor *t = hg_empty(dev, dtype, HG_SHAPE(n));
    if (!hg_ok(t)) return t;
    void *data = malloc((size_t)n * hg_dtype_size(dtype) + 1);
    if (!data) return hg_fail(HG_E_MEMORY, "arange: out of host memory");
    for (int64_t i = 0; i < n; i++) put_element(dtype, data, i, start + (double)i * step);
    hg_status status = hg_upload(dev, t->storage->mem, 0, data, (size_t)n * hg_dtype_size(dtype));
    free(data);
    return status == HG_OK ? t : hg_failed();
}

hg_status hg_read(hg_tensor *t, void *out)
{
    if (!HG_CHECK_OPERANDS("read", t)) return hg_last_status();
    if (!out && t->numel) return hg_error(HG_E_ARG, "read: the destination is NULL");
    hg_scope *s = hg_scope_inner();
    hg_tensor *c = hg_raw_contiguous(t);
    size_t element = hg_dtype_size(t->dtype);
    hg_status status = hg_ok(c) ? hg_download(t->dev, c->storage->mem, (size_t)c->offset * element, out,
                                              (size_t)c->numel * element)
                                : hg_last_status();
    hg_scope_end(s);
    return status;
}

hg_status hg_write(hg_tensor *t, const void *data)
{
    if (!HG_CHECK_OPERANDS("write", t)) return hg_last_status();
    if (!hg_is_contiguous(t)) return hg_error(HG_E_ARG, "write: the tensor is not contiguous");
    if (!data && t->numel) return hg_error(HG_E_ARG, "write: the data is NULL");
    size_t element = hg_dtype_size(t->dtype);
    t->storage->version++;
    return hg_upload(t->dev, t->storage->mem, (size_t)t->offset * element, data, (size_t)t->numel * element);
}

/* The one element's bytes. */
static hg_status read_item(hg_tensor *t, void *out)
{
    if (!HG_CHECK_OPERANDS("item", t)) return hg_last_status();
    if (t->numel != 1)
        return hg_error(HG_E_SHAPE, "item: only one element tensors can be converted to a number; shape is %s",
                        HG_SHAPE_TEXT(t));
    return hg_read(t, out);
}

double hg_item(hg_tensor *t)
{
    union {
        float f32;
        double f64;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
    } v;
    if (read_item(t, &v) != HG_OK) return NAN;
    switch (t->dtype) {
    case HG_F32: return v.f32;
    case HG_F64: return v.f64;
    case HG_I32: return v.i32;
    case HG_I64: return (double)v.i64;
    default: return v.u8;
    }
}

int64_t hg_item_i64(hg_tensor *t)
{
    int64_t v;
    if (hg_ok(t) && t->dtype != HG_I64) return (int64_t)hg_item(t);
    return read_item(t, &v) == HG_OK ? v : 0;
}

hg_tensor *hg_resized(hg_tensor *t, hg_shape shape)
{
    if (!HG_CHECK_OPERANDS("resized", t)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_zeros(t->dev, t->dtype, shape), *x = hg_raw_contiguous(t);
    if (hg_ok(y) && hg_ok(x)) {
        size_t element = hg_dtype_size(t->dtype);
        size_t bytes = (size_t)hg_min_i64(x->numel, y->numel) * element;
        if (hg_copy_buffer(t->dev, x->storage->mem, (size_t)x->offset * element, y->storage->mem, 0, bytes) != HG_OK)
            y = hg_failed();
    } else {
        y = hg_failed();
    }
    return hg_scope_return(s, y);
}
