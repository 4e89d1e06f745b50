/* Launching the element-wise kernels. */
#include "ops/elementwise.h"

#include <math.h>
#include <stdio.h>

void hg_element_options(hg_dtype dtype, bool wide, char out[64])
{
    const char *more = wide ? " -DHG_WIDE=1" : "";
    if (hg_is_float(dtype))
        snprintf(out, 64, "%s%s", hg_real_options(dtype), more);
    else
        snprintf(out, 64, "-DT=%s -DT_INT=1%s", hg_dtype_cl(dtype), more);
}

hg_arg hg_arg_scalar(hg_dtype dtype, double value)
{
    if (hg_is_float(dtype)) return hg_arg_real(dtype == HG_F64, value);
    return HG_ARG_I64(value >= 0x1p63 ? INT64_MAX : value <= -0x1p63 ? INT64_MIN : (int64_t)value);
}

bool hg_check_number(const char *op, hg_dtype dtype, double value)
{
    if (hg_is_float(dtype) || (value == trunc(value) && fabs(value) < 0x1p63)) return true;
    hg_error(HG_E_ARG, "%s: %g is not an integer of %s; hg_cast the tensor to float32 first", op, value,
             hg_dtype_name(dtype));
    return false;
}

hg_range hg_range_lines(const hg_device *dev, int64_t results)
{
    if (!hg_is_cpu(dev)) return hg_range_elements(dev, results);
    return (hg_range){1, {(size_t)hg_min_i64(hg_ceil_div(results, 16), (int64_t)dev->info.units * 16)}, {1}};
}

bool hg_check_pair(const char *op, hg_tensor *a, hg_tensor *b, bool bools)
{
    if (!HG_CHECK_OPERANDS(op, a, b)) return false;
    if (a->dtype != b->dtype) {
        hg_error(HG_E_DTYPE, "%s: operands are %s and %s; hg_cast one of them", op, hg_dtype_name(a->dtype),
                 hg_dtype_name(b->dtype));
        return false;
    }
    if (bools || a->dtype != HG_BOOL) return true;
    hg_error(HG_E_DTYPE, "%s: not for bool tensors; hg_cast them to numbers first", op);
    return false;
}

hg_tensor *hg_map_from(const hg_source *source, const char *kernel, hg_tensor *x, double p, double q)
{
    if (!hg_ok(x)) return x;
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(x->dev, x->dtype, x->ndim, x->size), *c = hg_raw_contiguous(x);
    hg_status status = hg_ok(y) && hg_ok(c) ? HG_OK : hg_last_status();
    if (status == HG_OK) {
        char options[64];
        hg_element_options(x->dtype, hg_walk_of((const hg_tensor *[]){y}, 1).wide, options);
        status = hg_launch(x->dev, source, options, kernel, hg_range_elements(x->dev, x->numel),
                           HG_ARGS(HG_ARG_I64(x->numel), HG_ARG_TENSOR(c), HG_ARG_TENSOR(y), hg_arg_scalar(x->dtype, p),
                                   hg_arg_scalar(x->dtype, q)));
    }
    return hg_scope_return(s, status == HG_OK ? y : hg_failed());
}

hg_tensor *hg_map_backward_from(const hg_source *source, const char *kernel, hg_tensor *dy, hg_tensor *saved, double p,
                                double q)
{
    if (!hg_ok(dy) || !hg_ok(saved)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *dx = hg_new_tensor(dy->dev, dy->dtype, dy->ndim, dy->size);
    hg_tensor *g = hg_raw_contiguous(dy), *c = hg_raw_contiguous(saved);
    hg_status status = hg_ok(dx) && hg_ok(g) && hg_ok(c) ? HG_OK : hg_last_status();
    if (status == HG_OK) {
        char options[64];
        hg_element_options(dy->dtype, hg_walk_of((const hg_tensor *[]){dx}, 1).wide, options);
        status = hg_launch(dy->dev, source, options, kernel, hg_range_elements(dy->dev, dy->numel),
                           HG_ARGS(HG_ARG_I64(dy->numel), HG_ARG_TENSOR(g), HG_ARG_TENSOR(c), HG_ARG_TENSOR(dx),
                                   hg_arg_scalar(dy->dtype, p), hg_arg_scalar(dy->dtype, q)));
    }
    return hg_scope_return(s, status == HG_OK ? dx : hg_failed());
}

hg_tensor *hg_map(const char *kernel, hg_tensor *x, double p, double q)
{
    return hg_map_from(&hg_source_unary, kernel, x, p, q);
}

hg_tensor *hg_map_backward(const char *kernel, hg_tensor *dy, hg_tensor *saved, double p, double q)
{
    return hg_map_backward_from(&hg_source_unary, kernel, dy, saved, p, q);
}

/* The kernel's run: contiguous if every operand is, else with strides. */
static hg_status launch_zip(const hg_function *f, hg_dtype dtype, const hg_tensor *y, hg_tensor **x, int n)
{
    const hg_tensor *all[HG_MAX_OPERANDS] = {y};
    for (int i = 0; i < n && i + 1 < HG_MAX_OPERANDS; i++) all[i + 1] = x[i];
    hg_walk w = hg_walk_of(all, n + 1);
    hg_arg args[16];
    int k = 0;
    args[k++] = HG_ARG_I64(w.n);
    if (!w.contiguous) {
        args[k++] = HG_ARG_I32(w.ndim);
        args[k++] = hg_arg_dims(w.size);
    }
    for (int i = 0; i < n && i + 1 < HG_MAX_OPERANDS; i++) {
        args[k++] = HG_ARG_MEM(x[i]->storage->mem);
        args[k++] = HG_ARG_I64(x[i]->offset);
        if (!w.contiguous) args[k++] = hg_arg_dims(w.stride[i + 1]);
    }
    args[k++] = HG_ARG_MEM(y->storage->mem);
    args[k++] = HG_ARG_I64(y->offset);
    char options[64];
    hg_element_options(dtype, w.wide, options);
    return hg_launch(y->dev, f->source, options, w.contiguous ? f->kernel : f->strided, hg_range_elements(y->dev, w.n),
                     args, k);
}

/* On GPUs an operand of full size whose neighbours lie far apart is copied first: hg_raw_copy reads it in runs. */
static hg_tensor *in_order(hg_tensor *x, const hg_tensor *y)
{
    if (hg_is_cpu(x->dev) || x->numel != y->numel) return x;
    hg_walk w = hg_walk_of((const hg_tensor *[]){y, x}, 2);
    return w.stride[1][0] > 1 ? hg_raw_contiguous(x) : x;
}

hg_tensor *hg_zip(const char *op, const hg_function *f, hg_dtype result, hg_tensor **operands, int n)
{
    hg_tensor shape = {.ndim = 0};      /* of what was broadcast so far; only ndim and size are looked at */
    for (int i = 0; i < n; i++) {
        int ndim;
        int64_t size[HG_MAX_DIMS];
        if (!hg_ok(operands[i])) return hg_failed();
        if (hg_broadcast_shape(op, &shape, operands[i], &ndim, size) != HG_OK) return hg_failed();
        shape.ndim = ndim;
        for (int d = 0; d < ndim; d++) shape.size[d] = size[d];
    }
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(operands[0]->dev, result, shape.ndim, shape.size);
    hg_tensor *x[HG_MAX_OPERANDS] = {NULL};
    for (int i = 0; i < n && hg_ok(y); i++)
        if (!hg_ok(x[i] = in_order(operands[i], y))) y = hg_failed();
    if (hg_ok(y) && y->numel && launch_zip(f, x[n - 1]->dtype, y, x, n) != HG_OK) y = hg_failed();
    return hg_scope_return(s, y);
}
