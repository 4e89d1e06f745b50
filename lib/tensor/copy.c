/* Copy, fill and add on the device, without gradients. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "cl/transfer.h"
#include "tensor/iterate.h"
#include "tensor/tensor.h"

static void copy_options(hg_dtype from, hg_dtype to, bool wide, char *out, size_t size)
{
    bool f64 = from == HG_F64 || to == HG_F64;
    snprintf(out, size, "-DFROM=%s -DTO=%s%s%s%s", hg_dtype_cl(from), hg_dtype_cl(to),
             to == HG_BOOL && from != HG_BOOL ? " -DTO_BOOL=1" : "", f64 ? " -DHG_F64=1" : "", wide ? " -DHG_WIDE=1" : "");
}

/* The dimension in which elements of x, operand 1, lie side by side, if those of y do in another one; else 0. */
static int turned_dim(const hg_walk *w)
{
    if (w->stride[0][0] != 1 || w->stride[1][0] <= 1) return 0;
    for (int d = 1; d < w->ndim; d++)
        if (w->stride[1][d] == 1 && w->size[d] > 1) return d;
    return 0;
}

enum { TILE = 1024, SIDE = 32 };    /* TILE is TURNED in kernels/copy.cl */

static bool takes_tiles(const hg_tensor *dst)
{
    return !hg_is_cpu(dst->dev) && dst->dev->info.local_memory >= TILE * hg_dtype_size(dst->dtype);
}

/* On GPUs: tiles of up to 1,024 elements, square where both dimensions allow it. */
static hg_status copy_turned(hg_tensor *dst, const hg_tensor *src, const hg_walk *w, int k, const char *options)
{
    int64_t n0 = w->size[0], nk = w->size[k], rest = 1;
    int64_t b = nk < SIDE ? nk : n0 < SIDE ? hg_min_i64(nk, TILE / n0) : SIDE, a = hg_min_i64(n0, n0 < SIDE ? SIDE : TILE / b);
    if (n0 >= SIDE && nk >= SIDE) a = SIDE;
    hg_walk others = *w;
    others.ndim = 0;
    for (int d = 1; d < w->ndim; d++) {
        if (d == k) continue;
        others.size[others.ndim] = w->size[d];
        for (int i = 0; i < 2; i++) others.stride[i][others.ndim] = w->stride[i][d];
        rest *= w->size[d];
        others.ndim++;
    }
    return hg_launch(dst->dev, &hg_source_copy, options, "copy_turned",
                     hg_range_teams(dst->dev, hg_ceil_div(n0, a) * hg_ceil_div(nk, b) * rest, 1),
                     HG_ARGS(HG_ARG_I64(n0), HG_ARG_I64(nk), HG_ARG_I32(a), HG_ARG_I32(b), HG_ARG_I64(w->stride[1][0]),
                             HG_ARG_I64(w->stride[0][k]), HG_ARG_I32(others.ndim), hg_arg_dims(others.size),
                             HG_ARG_TENSOR(src), hg_arg_dims(others.stride[1]), HG_ARG_TENSOR(dst),
                             hg_arg_dims(others.stride[0])));
}

hg_status hg_raw_copy(hg_tensor *dst, const hg_tensor *src)
{
    int ndim;
    int64_t size[HG_MAX_DIMS];
    HG_TRY(hg_broadcast_shape("copy_", dst, src, &ndim, size));
    if (ndim != dst->ndim || memcmp(size, dst->size, sizeof *size * (size_t)ndim))
        return hg_error(HG_E_SHAPE, "copy_: source %s does not broadcast to %s", HG_SHAPE_TEXT(src), HG_SHAPE_TEXT(dst));
    hg_walk w = hg_walk_of((const hg_tensor *[]){dst, src}, 2);
    if (!w.n) return HG_OK;
    size_t element = hg_dtype_size(dst->dtype);
    if (w.contiguous && dst->dtype == src->dtype)
        return hg_copy_buffer(dst->dev, src->storage->mem, (size_t)src->offset * element, dst->storage->mem,
                              (size_t)dst->offset * element, (size_t)w.n * element);
    char options[96];
    copy_options(src->dtype, dst->dtype, w.wide, options, sizeof options);
    hg_range range = hg_range_elements(dst->dev, w.n);
    if (w.contiguous)
        return hg_launch(dst->dev, &hg_source_copy, options, "copy", range,
                         HG_ARGS(HG_ARG_I64(w.n), HG_ARG_TENSOR(src), HG_ARG_TENSOR(dst)));
    int k = takes_tiles(dst) ? turned_dim(&w) : 0;
    if (k) return copy_turned(dst, src, &w, k, options);
    return hg_launch(dst->dev, &hg_source_copy, options, "copy_strided", range,
                     HG_ARGS(HG_ARG_I64(w.n), HG_ARG_I32(w.ndim), hg_arg_dims(w.size), HG_ARG_TENSOR(src),
                             hg_arg_dims(w.stride[1]), HG_ARG_TENSOR(dst), hg_arg_dims(w.stride[0])));
}

/* The element's bytes, as the kernel takes them. */
static uint64_t bits_of(hg_dtype dtype, double value)
{
    uint64_t bits = 0;
    float f = (float)value;
    int32_t i32 = (int32_t)value;
    int64_t i64 = (int64_t)value;
    switch (dtype) {
    case HG_F32: memcpy(&bits, &f, 4); break;
    case HG_F64: memcpy(&bits, &value, 8); break;
    case HG_I32: memcpy(&bits, &i32, 4); break;
    case HG_I64: memcpy(&bits, &i64, 8); break;
    case HG_U8: bits = (uint8_t)i64; break;
    case HG_BOOL: bits = value != 0; break;
    }
    return bits;
}

hg_status hg_raw_fill(hg_tensor *t, double value)
{
    hg_walk w = hg_walk_of((const hg_tensor *[]){t}, 1);
    if (!w.n) return HG_OK;
    char options[48];
    char variant[16] = "";      /* four bytes are the default */
    if (hg_dtype_size(t->dtype) != 4) snprintf(variant, sizeof variant, "-DSIZE=%d", (int)hg_dtype_size(t->dtype));
    snprintf(options, sizeof options, "%s%s", variant, w.wide ? " -DHG_WIDE=1" : "");
    hg_range range = hg_range_elements(t->dev, w.n);
    hg_arg bits = HG_ARG_U64(bits_of(t->dtype, value));
    if (w.contiguous)
        return hg_launch(t->dev, &hg_source_fill, options, "fill", range, HG_ARGS(HG_ARG_I64(w.n), bits, HG_ARG_TENSOR(t)));
    return hg_launch(t->dev, &hg_source_fill, options, "fill_strided", range,
                     HG_ARGS(HG_ARG_I64(w.n), HG_ARG_I32(w.ndim), hg_arg_dims(w.size), bits, HG_ARG_TENSOR(t),
                             hg_arg_dims(w.stride[0])));
}

hg_status hg_raw_add(hg_tensor *dst, const hg_tensor *a, const hg_tensor *b)
{
    return hg_launch(dst->dev, &hg_source_add, hg_real_options(dst->dtype), "add", hg_range_elements(dst->dev, dst->numel),
                     HG_ARGS(HG_ARG_I64(dst->numel), HG_ARG_TENSOR(a), HG_ARG_TENSOR(b), HG_ARG_TENSOR(dst)));
}

hg_tensor *hg_raw_clone(hg_tensor *t)
{
    hg_tensor *y = hg_new_tensor(t->dev, t->dtype, t->ndim, t->size);
    if (hg_ok(y) && hg_raw_copy(y, t) != HG_OK) return hg_failed();
    return y;
}

hg_tensor *hg_raw_contiguous(hg_tensor *t)
{
    return hg_is_contiguous(t) ? t : hg_raw_clone(t);
}

hg_status hg_copy_(hg_tensor *dst, hg_tensor *src)
{
    if (!HG_CHECK_OPERANDS("copy_", dst, src)) return hg_last_status();
    dst->storage->version++;
    return hg_raw_copy(dst, src);
}

hg_status hg_fill_(hg_tensor *t, double value)
{
    if (!HG_CHECK_OPERANDS("fill_", t)) return hg_last_status();
    t->storage->version++;
    return hg_raw_fill(t, value);
}

hg_status hg_zero_(hg_tensor *t)
{
    return hg_fill_(t, 0);
}
