/* Tensors for tests, in several layouts, and golden files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "weights/npy.h"

static void *must(void *p)
{
    ck_assert_ptr_nonnull(p);
    return p;
}

int64_t test_numel(hg_shape shape)
{
    int64_t n = 1;
    for (int d = 0; d < shape.ndim; d++) n *= shape.size[d];
    return n;
}

double *test_values(int64_t n)
{
    double *v = must(malloc(sizeof *v * (size_t)(n + 1)));
    for (int64_t i = 0; i < n; i++) v[i] = (float)test_uniform(-1, 1);  /* the same in f32 and f64 */
    return v;
}

double *test_integers(int64_t n, int limit)
{
    double *v = must(malloc(sizeof *v * (size_t)(n + 1)));
    for (int64_t i = 0; i < n; i++) v[i] = (double)test_between(-limit, limit);
    return v;
}

hg_tensor *test_tensor(hg_dtype dtype, hg_shape shape, const double *values)
{
    int64_t n = test_numel(shape);
    char *data = must(malloc((size_t)n * 8 + 1));
    for (int64_t i = 0; i < n; i++) {
        switch (dtype) {
        case HG_F32: ((float *)data)[i] = (float)values[i]; break;
        case HG_F64: ((double *)data)[i] = values[i]; break;
        case HG_I32: ((int32_t *)data)[i] = (int32_t)values[i]; break;
        case HG_I64: ((int64_t *)data)[i] = (int64_t)values[i]; break;
        case HG_U8: ((uint8_t *)data)[i] = (uint8_t)(int64_t)values[i]; break;
        case HG_BOOL: ((uint8_t *)data)[i] = values[i] != 0; break;
        }
    }
    hg_tensor *t = hg_from_data(test_device(), dtype, shape, data);
    free(data);
    ck_assert_hg_ok(t);
    return t;
}

/* A tensor of `shape` filled with what no result may contain, whose part `view` is then overwritten. */
static hg_tensor *poisoned(hg_dtype dtype, hg_shape shape)
{
    hg_tensor *t = hg_full(test_device(), dtype, shape, 77);
    ck_assert_hg_ok(t);
    return t;
}

hg_tensor *test_layout(int layout, hg_dtype dtype, hg_shape shape, const double *values)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *plain = test_tensor(dtype, shape, values), *view = plain;
    if (layout && shape.ndim) {
        hg_shape larger = shape;
        int last = shape.ndim - 1;
        if (layout == 1) {
            larger.size[0] += 1;
            view = hg_slice(poisoned(dtype, larger), 0, 1, larger.size[0], 1);
        } else if (layout == 2) {
            larger.size[0] = shape.size[last];
            larger.size[last] = shape.size[0];
            view = hg_transpose(poisoned(dtype, larger), 0, last);
        } else {
            larger.size[last] *= 2;
            view = hg_slice(poisoned(dtype, larger), last, 0, larger.size[last], 2);
        }
        ck_assert_hg_ok(view);
        ck_assert_hg(hg_copy_(view, plain));
    }
    return hg_scope_return(s, view);
}

const char *test_layout_name(int layout)
{
    return (const char *[]){"contiguous", "x[1:]", "transposed", "strided"}[layout];
}

double *test_read(hg_tensor *t)
{
    ck_assert_hg_ok(t);
    int64_t n = hg_numel(t);
    char *data = must(malloc((size_t)n * 8 + 1));
    double *v = must(malloc(sizeof *v * (size_t)(n + 1)));
    ck_assert_hg(hg_read(t, data));
    for (int64_t i = 0; i < n; i++) {
        switch (hg_tensor_dtype(t)) {
        case HG_F32: v[i] = ((float *)data)[i]; break;
        case HG_F64: v[i] = ((double *)data)[i]; break;
        case HG_I32: v[i] = ((int32_t *)data)[i]; break;
        case HG_I64: v[i] = (double)((int64_t *)data)[i]; break;
        default: v[i] = ((uint8_t *)data)[i];
        }
    }
    free(data);
    return v;
}

static hg_array golden_array(const char *name)
{
    char path[512];
    hg_array array;
    snprintf(path, sizeof path, "%s/%s.npy", TEST_DATA, name);
    ck_assert_hg(hg_npy_read(path, &array));
    ck_assert_int_le((int)array.dtype, HG_BOOL);
    return array;
}

hg_tensor *test_golden(const char *name)
{
    hg_array array = golden_array(name);
    hg_tensor *t = hg_from_data(test_device(), (hg_dtype)array.dtype, array.shape, array.data);
    hg_array_free(&array);
    ck_assert_hg_ok(t);
    return t;
}

double *test_golden_values(const char *name, hg_shape *shape)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = test_golden(name);
    if (shape) *shape = hg_tensor_shape(t);
    double *v = test_read(t);
    hg_scope_end(s);
    return v;
}
