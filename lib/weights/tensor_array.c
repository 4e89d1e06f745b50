/* Between tensors and arrays in host memory, converting element types. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* IEEE 754 half precision: 5 bits of exponent, 10 of fraction. */
static double half(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 31 ? (fraction ? NAN : INFINITY)
               : exponent     ? ldexp(1024 + fraction, exponent - 25)
                              : ldexp(fraction, -24);
    return h >> 15 ? -v : v;
}

static double brain_half(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

double hg_array_number(const hg_array *a, int64_t i)
{
    switch (a->dtype) {
    case HG_ARRAY_F32: return ((const float *)a->data)[i];
    case HG_ARRAY_F64: return ((const double *)a->data)[i];
    case HG_ARRAY_I32: return ((const int32_t *)a->data)[i];
    case HG_ARRAY_I64: return (double)((const int64_t *)a->data)[i];
    case HG_ARRAY_U8:
    case HG_ARRAY_BOOL: return ((const uint8_t *)a->data)[i];
    case HG_ARRAY_I8: return ((const int8_t *)a->data)[i];
    case HG_ARRAY_I16: return ((const int16_t *)a->data)[i];
    case HG_ARRAY_F16: return half(((const uint16_t *)a->data)[i]);
    case HG_ARRAY_BF16: return brain_half(((const uint16_t *)a->data)[i]);
    }
    return NAN;
}

/* What a float gives as an integer: cut, and 0 for what does not fit. */
static int64_t whole(double v)
{
    return v > -9.2e18 && v < 9.2e18 ? (int64_t)v : 0;
}

static void put_number(hg_dtype dtype, void *out, int64_t i, double v)
{
    switch (dtype) {
    case HG_F32: ((float *)out)[i] = (float)v; break;
    case HG_F64: ((double *)out)[i] = v; break;
    case HG_I32: ((int32_t *)out)[i] = (int32_t)whole(v); break;
    case HG_I64: ((int64_t *)out)[i] = whole(v); break;
    case HG_U8: ((uint8_t *)out)[i] = (uint8_t)whole(v); break;
    case HG_BOOL: ((uint8_t *)out)[i] = v != 0; break;
    }
}

hg_tensor *hg_tensor_from_array(hg_device *dev, const hg_array *a, hg_dtype dtype, hg_shape shape)
{
    if (a->dtype == (hg_array_dtype)dtype) return hg_from_data(dev, dtype, shape, a->data);
    int64_t n = hg_array_count(a);
    void *converted = malloc((size_t)n * hg_dtype_size(dtype) + 1);
    if (!converted) return hg_fail(HG_E_MEMORY, "checkpoint: out of memory");
    for (int64_t i = 0; i < n; i++) put_number(dtype, converted, i, hg_array_number(a, i));
    hg_tensor *t = hg_from_data(dev, dtype, shape, converted);
    free(converted);
    return t;
}
