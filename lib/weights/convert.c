/* Elements of files as elements of tensors. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "weights/array.h"

static float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* IEEE 754 half precision: 5 bits of exponent, 10 of fraction. */
static float half(uint16_t h)
{
    uint32_t sign = (uint32_t)h >> 15 << 31, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31) return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
}

/* The i-th element as a number; i64 beyond 2^53 is rounded. */
static double number(hg_array_dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    case HG_ARRAY_F32: return ((const float *)data)[i];
    case HG_ARRAY_F64: return ((const double *)data)[i];
    case HG_ARRAY_I32: return ((const int32_t *)data)[i];
    case HG_ARRAY_I64: return (double)((const int64_t *)data)[i];
    case HG_ARRAY_U8:
    case HG_ARRAY_BOOL: return ((const uint8_t *)data)[i];
    case HG_ARRAY_I8: return ((const int8_t *)data)[i];
    case HG_ARRAY_I16: return ((const int16_t *)data)[i];
    case HG_ARRAY_F16: return half(((const uint16_t *)data)[i]);
    case HG_ARRAY_BF16: return float_of((uint32_t)((const uint16_t *)data)[i] << 16);
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

hg_status hg_array_convert(const hg_array *a, int64_t first, int64_t count, hg_dtype to, void *out)
{
    enum { ROOM = 1024 };
    if (a->dtype == (hg_array_dtype)to) return hg_array_read(a, first, count, out);
    for (int64_t done = 0; done < count; done += ROOM) {
        uint64_t room[ROOM];
        int64_t n = hg_min_i64(count - done, ROOM);
        HG_TRY(hg_array_read(a, first + done, n, room));
        for (int64_t i = 0; i < n; i++) put_number(to, out, done + i, number(a->dtype, room, i));
    }
    return HG_OK;
}
