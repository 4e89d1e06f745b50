/* Dtypes, shapes as text, and the checks that operations share. */
#include <stdio.h>
#include <string.h>

#include "tensor/tensor.h"

static const struct {
    const char *name, *cl;
    size_t size;
} dtypes[] = {
    [HG_F32] = {"float32", "float", 4}, [HG_F64] = {"float64", "double", 8}, [HG_I32] = {"int32", "int", 4},
    [HG_I64] = {"int64", "long", 8},    [HG_U8] = {"uint8", "uchar", 1},     [HG_BOOL] = {"bool", "uchar", 1},
};

const char *hg_dtype_name(hg_dtype dtype)
{
    return (unsigned)dtype <= HG_BOOL ? dtypes[dtype].name : "unknown";
}

size_t hg_dtype_size(hg_dtype dtype)
{
    return (unsigned)dtype <= HG_BOOL ? dtypes[dtype].size : 0;
}

const char *hg_dtype_cl(hg_dtype dtype)
{
    return dtypes[dtype].cl;
}

const char *hg_real_options(hg_dtype dtype)
{
    return dtype == HG_F64 ? "-DHG_F64=1" : "";
}

char *hg_shape_text(int ndim, const int64_t *size, char *out, size_t out_size)
{
    size_t used = (size_t)snprintf(out, out_size, "[");
    for (int d = 0; d < ndim && d < HG_MAX_DIMS && used < out_size; d++)
        used += (size_t)snprintf(out + used, out_size - used, "%s%lld", d ? ", " : "", (long long)size[d]);
    if (used < out_size) snprintf(out + used, out_size - used, "]");
    return out;
}

bool hg_check_operands(const char *op, hg_tensor **operands, int n, bool optional)
{
    hg_device *dev = NULL;
    for (int i = 0; i < n; i++) {
        hg_tensor *t = operands[i];
        if (!t && optional) continue;
        if (!t) {
            hg_error(HG_E_ARG, "%s: operand %d is NULL", op, i);
            return false;
        }
        if (!hg_ok(t)) return false;
        if (dev && t->dev != dev) {
            hg_error(HG_E_DEVICE,
                     "%s: Expected all tensors to be on the same device, but found at least two devices, %s and %s!",
                     op, dev->info.name, t->dev->info.name);
            return false;
        }
        dev = t->dev;
    }
    return true;
}

int hg_check_dim(const char *op, const hg_tensor *t, int dim)
{
    int n = t->ndim > 0 ? t->ndim : 1;
    if (dim < -n || dim >= n) {
        hg_error(HG_E_ARG, "%s: Dimension out of range (expected to be in range of [%d, %d], but got %d)", op, -n, n - 1,
                 dim);
        return -1;
    }
    return dim < 0 ? dim + n : dim;
}

bool hg_same_shape(const hg_tensor *a, const hg_tensor *b)
{
    return a->ndim == b->ndim && !memcmp(a->size, b->size, sizeof *a->size * (size_t)a->ndim);
}
