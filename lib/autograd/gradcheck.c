#include <math.h>
#include <stdlib.h>

#include "autograd/autograd.h"

/* sum(y * v) for a fixed v that treats no element like another, so that errors do not cancel. */
static double weight(int64_t i)
{
    return 0.5 + fmod((double)i * 0.6180339887498949, 1.0);
}

/* The function's weighted sum, in double on the host. */
static hg_status evaluate(hg_gradcheck_fn fn, hg_tensor **inputs, int n, void *user, double *sum)
{
    hg_scope *s = hg_scope_inner();
    hg_no_grad_begin();
    hg_tensor *y = fn(inputs, n, user);
    hg_no_grad_end();
    hg_status status = hg_ok(y) ? HG_OK : hg_last_status();
    double *values = status == HG_OK ? malloc(sizeof(double) * (size_t)(y->numel + 1)) : NULL;
    if (status == HG_OK && !values) status = hg_error(HG_E_MEMORY, "gradcheck: out of host memory");
    if (status == HG_OK) status = hg_read(y, values);
    *sum = 0;
    for (int64_t i = 0; status == HG_OK && i < y->numel; i++) *sum += values[i] * weight(i);
    free(values);
    hg_scope_end(s);
    return status;
}

static hg_status analytic(hg_gradcheck_fn fn, hg_tensor **inputs, int n, void *user)
{
    hg_scope *s = hg_scope_inner();
    hg_status status = HG_OK;
    for (int i = 0; i < n; i++) hg_set_grad(inputs[i], NULL);
    hg_tensor *y = fn(inputs, n, user);
    if (!hg_ok(y)) status = hg_last_status();
    if (status == HG_OK && y->dtype != HG_F64) status = hg_error(HG_E_DTYPE, "gradcheck: the result is %s, not float64", hg_dtype_name(y->dtype));
    double *v = status == HG_OK ? malloc(sizeof(double) * (size_t)(y->numel + 1)) : NULL;
    if (status == HG_OK && !v) status = hg_error(HG_E_MEMORY, "gradcheck: out of host memory");
    if (status == HG_OK) {
        for (int64_t i = 0; i < y->numel; i++) v[i] = weight(i);
        status = hg_backward_with(y, hg_from_data(y->dev, HG_F64, hg_tensor_shape(y), v), false);
    }
    free(v);
    hg_scope_end(s);
    return status;
}

static hg_status check_input(hg_gradcheck_fn fn, hg_tensor **inputs, int n, void *user, int which, double eps, double atol,
                             double rtol)
{
    hg_tensor *x = inputs[which], *grad = hg_grad(x);
    size_t count = (size_t)x->numel;
    double *values = malloc(sizeof(double) * (2 * count + 1));
    if (!values) return hg_error(HG_E_MEMORY, "gradcheck: out of host memory");
    double *grads = values + count;
    hg_status status = hg_read(x, values);
    for (size_t i = 0; i < count; i++) grads[i] = 0;
    if (status == HG_OK && grad) status = hg_read(grad, grads);
    for (size_t i = 0; status == HG_OK && i < count; i++) {
        double up = 0, down = 0, keep = values[i];
        values[i] = keep + eps;
        status = hg_write(x, values);
        if (status == HG_OK) status = evaluate(fn, inputs, n, user, &up);
        values[i] = keep - eps;
        if (status == HG_OK) status = hg_write(x, values);
        if (status == HG_OK) status = evaluate(fn, inputs, n, user, &down);
        values[i] = keep;
        hg_status restored = hg_write(x, values);
        if (status == HG_OK) status = restored;
        double numeric = (up - down) / (2 * eps);
        if (status == HG_OK && !(fabs(numeric - grads[i]) <= atol + rtol * fabs(numeric)))
            status = hg_error(HG_E_STATE, "gradcheck: input %d, element %zu: backward gives %.10g, differences give %.10g", which,
                              i, grads[i], numeric);
    }
    free(values);
    return status;
}

hg_status hg_gradcheck(hg_gradcheck_fn fn, hg_tensor **inputs, int n, void *user, double eps, double atol, double rtol)
{
    if (!fn || n < 0 || (n && !inputs) || !(eps > 0)) return hg_error(HG_E_ARG, "gradcheck: fn, inputs and a positive eps are needed");
    if (!hg_check_operands("gradcheck", inputs, n, false)) return hg_last_status();
    for (int i = 0; i < n; i++)
        if (hg_requires_grad(inputs[i]) && (inputs[i]->dtype != HG_F64 || !hg_is_leaf(inputs[i]) || !hg_is_contiguous(inputs[i])))
            return hg_error(HG_E_ARG, "gradcheck: input %d is not a contiguous float64 leaf", i);
    HG_TRY(analytic(fn, inputs, n, user));
    for (int i = 0; i < n; i++)
        if (hg_requires_grad(inputs[i])) HG_TRY(check_input(fn, inputs, n, user, i, eps, atol, rtol));
    return HG_OK;
}
