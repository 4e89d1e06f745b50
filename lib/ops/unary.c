/* y = f(x), one kernel each of kernels/unary.cl. Backward is dx = dy f'(x), from whichever of x and y gives the
 * derivative with less work: y for relu, exp, sqrt, sigmoid and tanh. */
#include <math.h>
#include <stdio.h>

#include "ops/elementwise.h"

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
    return hg_is_float(dtype) ? hg_arg_real(dtype == HG_F64, value) : HG_ARG_I64(value);
}

static hg_status map_into(const char *kernel, const hg_tensor *x, const hg_tensor *y, double p, double q)
{
    char options[64];
    hg_element_options(x->dtype, hg_walk_of(&x, 1).wide, options);
    return hg_launch(x->dev, &hg_source_unary, options, kernel, hg_range_elements(x->dev, x->numel),
                     HG_ARGS(HG_ARG_I64(x->numel), HG_ARG_TENSOR(x), HG_ARG_TENSOR(y), hg_arg_scalar(x->dtype, p),
                             hg_arg_scalar(x->dtype, q)));
}

hg_tensor *hg_map(const char *kernel, hg_tensor *x, double p, double q)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(x->dev, x->dtype, x->ndim, x->size);
    hg_tensor *c = hg_raw_contiguous(x);
    if (!hg_ok(y) || !hg_ok(c) || map_into(kernel, c, y, p, q) != HG_OK) y = hg_failed();
    return hg_scope_return(s, y);
}

hg_tensor *hg_map_backward(const char *kernel, hg_tensor *dy, hg_tensor *saved, double p, double q)
{
    if (!hg_ok(dy) || !hg_ok(saved)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *dx = hg_new_tensor(dy->dev, dy->dtype, dy->ndim, dy->size);
    hg_tensor *g = hg_raw_contiguous(dy), *c = hg_raw_contiguous(saved);
    char options[64];
    if (hg_ok(dx) && hg_ok(g) && hg_ok(c)) {
        hg_element_options(dy->dtype, hg_walk_of((const hg_tensor *[]){dx}, 1).wide, options);
        if (hg_launch(dy->dev, &hg_source_unary, options, kernel, hg_range_elements(dy->dev, dy->numel),
                      HG_ARGS(HG_ARG_I64(dy->numel), HG_ARG_TENSOR(g), HG_ARG_TENSOR(c), HG_ARG_TENSOR(dx),
                              hg_arg_scalar(dy->dtype, p), hg_arg_scalar(dy->dtype, q))) != HG_OK)
            dx = hg_failed();
    } else {
        dx = hg_failed();
    }
    return hg_scope_return(s, dx);
}

/* ---- checks ---- */

static bool check_number(const char *op, hg_tensor *x)
{
    if (!hg_check_operands(op, &x, 1, false)) return false;
    if (x->dtype != HG_BOOL) return true;
    hg_error(HG_E_DTYPE, "%s: not for bool tensors; hg_cast it to a number first", op);
    return false;
}

/* ---- relu ---- */

static hg_status relu_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    dx[0] = hg_map_backward("relu_bwd", dy, hg_node_saved(n, 0), 0, 0);
    return HG_OK;
}
static const hg_op relu_op = {"ReluBackward0", relu_backward};

hg_tensor *hg_relu(hg_tensor *x)
{
    if (!check_number("relu", x)) return hg_failed();
    hg_tensor *y = hg_map("relu", x, 0, 0);
    return hg_record(y, &relu_op, HG_LIST(x), HG_LIST(y), NULL, 0);
}

static hg_status relu_in_place(const hg_tensor *x)
{
    char options[64];
    hg_element_options(x->dtype, hg_walk_of(&x, 1).wide, options);
    return hg_launch(x->dev, &hg_source_unary, options, "relu_in_place", hg_range_elements(x->dev, x->numel),
                     HG_ARGS(HG_ARG_I64(x->numel), HG_ARG_TENSOR(x)));
}

hg_tensor *hg_relu_(hg_tensor *x)
{
    if (!check_number("relu_", x) || hg_begin_inplace("relu_", x) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_is_contiguous(x) ? x : hg_map("relu", x, 0, 0);
    hg_status status = !hg_ok(y) ? hg_last_status() : y == x ? relu_in_place(x) : hg_raw_copy(x, y);
    hg_scope_end(s);
    return status == HG_OK ? hg_record_inplace(x, &relu_op, HG_LIST(x), HG_LIST(x), NULL, 0) : hg_failed();
}

/* ---- with a number ---- */

static hg_status same_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    (void)n;
    dx[0] = dy;
    return HG_OK;
}
static const hg_op add_scalar_op = {"AddBackward0", same_backward};

static hg_status mul_scalar_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    dx[0] = hg_mul_scalar(dy, *(const double *)hg_node_context(n));
    return HG_OK;
}
static const hg_op mul_scalar_op = {"MulBackward0", mul_scalar_backward};

static hg_tensor *with_number(const char *name, const char *kernel, const hg_op *op, hg_tensor *x, double b)
{
    if (!check_number(name, x)) return hg_failed();
    if (!hg_is_float(x->dtype) && !(b == trunc(b) && fabs(b) < 9e18))
        return hg_fail(HG_E_ARG, "%s: %g is not an integer of %s; hg_cast the tensor to float32 first", name, b,
                       hg_dtype_name(x->dtype));
    return hg_record(hg_map(kernel, x, b, 0), op, HG_LIST(x), HG_NO_LIST, &b, sizeof b);
}

hg_tensor *hg_add_scalar(hg_tensor *a, double b)
{
    return with_number("add_scalar", "add_scalar", &add_scalar_op, a, b);
}

hg_tensor *hg_mul_scalar(hg_tensor *a, double b)
{
    return with_number("mul_scalar", "mul_scalar", &mul_scalar_op, a, b);
}
