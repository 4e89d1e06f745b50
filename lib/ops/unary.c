/* y = f(x), one kernel each of kernels/unary.cl. Backward is dx = dy f'(s) with s = y for relu, exp, sqrt, sigmoid and
 * tanh, s = x for the others: whichever gives the derivative with less work. */
#include <math.h>

#include "ops/elementwise.h"

/* How a function goes back: by which kernel, from which of x and y. */
typedef struct unary {
    const char *name, *kernel, *backward;
    enum { SAVE_NOTHING, SAVE_X, SAVE_Y } save;
    bool integers;
    const char *node;
} unary;

typedef struct parameters {
    const char *kernel;     /* of the backward */
    double p, q;
} parameters;

static hg_status unary_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const parameters *c = hg_node_context(n);
    dx[0] = hg_map_backward(c->kernel, dy, hg_node_saved(n, 0), c->p, c->q);
    return HG_OK;
}

static bool check(const unary *u, hg_tensor *x)
{
    if (!HG_CHECK_OPERANDS(u->name, x)) return false;
    if (hg_is_float(x->dtype) || (u->integers && x->dtype != HG_BOOL)) return true;
    hg_error(HG_E_DTYPE, "%s: not for %s tensors; hg_cast it to float32 first", u->name, hg_dtype_name(x->dtype));
    return false;
}

static hg_tensor *apply(const unary *u, hg_tensor *x, double p, double q)
{
    if (!check(u, x)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_map(u->kernel, x, p, q);
    parameters c = {u->backward, p, q};
    y = hg_record(y, &(hg_op){u->node, unary_backward}, HG_LIST(x), HG_LIST(u->save == SAVE_X ? x : y), &c, sizeof c);
    return hg_scope_return(s, y);
}

#define UNARY(function, ...)                                                                                           \
    hg_tensor *hg_##function(hg_tensor *x)                                                                             \
    {                                                                                                                  \
        return apply(&(const unary){#function, __VA_ARGS__}, x, 0, 0);                                                 \
    }
UNARY(relu, "relu", "relu_bwd", SAVE_Y, true, "ReluBackward0")
UNARY(abs, "absolute", "abs_bwd", SAVE_X, true, "AbsBackward0")
UNARY(exp, "exponential", "exp_bwd", SAVE_Y, false, "ExpBackward0")
UNARY(log, "logarithm", "log_bwd", SAVE_X, false, "LogBackward0")
UNARY(sqrt, "square_root", "sqrt_bwd", SAVE_Y, false, "SqrtBackward0")
UNARY(sigmoid, "sigmoid", "sigmoid_bwd", SAVE_Y, false, "SigmoidBackward0")
UNARY(tanh, "hyperbolic", "tanh_bwd", SAVE_Y, false, "TanhBackward0")

/* ---- relu in place ---- */

static hg_status relu_in_place(hg_tensor *x)
{
    if (hg_is_contiguous(x)) {
        char options[64];
        hg_element_options(x->dtype, x->numel > INT32_MAX / 2, options);
        return hg_launch(x->dev, &hg_source_unary, options, "relu_in_place", hg_range_elements(x->dev, x->numel),
                         HG_ARGS(HG_ARG_I64(x->numel), HG_ARG_TENSOR(x)));
    }
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_map("relu", x, 0, 0);
    hg_status status = hg_ok(y) ? hg_raw_copy(x, y) : hg_last_status();
    hg_scope_end(s);
    return status;
}

hg_tensor *hg_relu_(hg_tensor *x)
{
    static const unary u = {.name = "relu_", .integers = true};
    static const hg_op op = {"ReluBackward0", unary_backward};
    if (!check(&u, x) || hg_begin_inplace("relu_", x) != HG_OK || relu_in_place(x) != HG_OK) return hg_failed();
    parameters c = {"relu_bwd", 0, 0};
    return hg_record_inplace(x, &op, HG_LIST(x), HG_LIST(x), &c, sizeof c);
}

/* ---- clamp, pow ---- */

hg_tensor *hg_clamp(hg_tensor *x, double low, double high)
{
    static const unary u = {.name = "clamp", .integers = true};
    static const hg_op op = {"ClampBackward1", unary_backward};
    if (!check(&u, x)) return hg_failed();
    if (isnan(low) || isnan(high)) return hg_fail(HG_E_ARG, "clamp: a bound is NaN; use -INFINITY or INFINITY for none");
    double p = low > high ? high : low, q = high;       /* as PyTorch: all become `high` */
    if (x->dtype != HG_F32 && x->dtype != HG_F64) {
        int bits = x->dtype == HG_I64 ? 63 : x->dtype == HG_I32 ? 31 : 8;
        double least = x->dtype == HG_U8 ? 0 : -ldexp(1, bits), most = x->dtype == HG_I64 ? INFINITY : ldexp(1, bits) - 1;
        p = fmin(fmax(ceil(p), least), most);
        q = fmin(fmax(floor(q), least), most);
    }
    hg_scope *s = hg_scope_inner();
    parameters c = {"clamp_bwd", low, high};
    return hg_scope_return(s, hg_record(hg_map("clamp_to", x, p, q), &op, HG_LIST(x), HG_LIST(x), &c, sizeof c));
}

/* d/dx x^e = e x^(e - 1), nothing for e = 0. Integer types take exponents 0, 1, 2, ... */
static hg_status pow_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    double e = *(const double *)hg_node_context(n);
    if (e == 0)
        dx[0] = hg_zeros_like(dy);
    else if (e == 1)
        dx[0] = dy;
    else
        dx[0] = hg_map_backward(e == 2 ? "square_bwd" : "power_bwd", dy, hg_node_saved(n, 0), e, e - 1);
    return HG_OK;
}
static const hg_op pow_op = {"PowBackward0", pow_backward};

hg_tensor *hg_pow(hg_tensor *x, double exponent)
{
    static const unary u = {.name = "pow", .integers = true};
    if (!check(&u, x) || !hg_check_number("pow", x->dtype, exponent)) return hg_failed();
    bool real = hg_is_float(x->dtype);
    if (!real && exponent < 0) return hg_fail(HG_E_ARG, "pow: Integers to negative integer powers are not allowed.");
    hg_scope *s = hg_scope_inner();
    hg_tensor *y;
    if (real && exponent == 0)
        y = hg_full(x->dev, x->dtype, hg_tensor_shape(x), 1);
    else if (real && exponent == 1)
        y = hg_raw_clone(x);
    else if (real && exponent == 2)
        y = hg_map("square", x, 0, 0);
    else if (real && exponent == 0.5)
        y = hg_map("square_root", x, 0, 0);
    else
        y = hg_map("power", x, exponent, 0);
    int saved = exponent != 0 && exponent != 1;
    return hg_scope_return(s, hg_record(y, &pow_op, HG_LIST(x), &x, saved, &exponent, sizeof exponent));
}

/* ---- with a number ---- */

static hg_status same_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    (void)n;
    dx[0] = dy;
    return HG_OK;
}
static const hg_op add_scalar_op = {"AddBackward0", same_backward};

static hg_status times_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    dx[0] = hg_map("mul_scalar", dy, *(const double *)hg_node_context(n), 0);
    return HG_OK;
}
static const hg_op mul_scalar_op = {"MulBackward0", times_backward};
static const hg_op neg_op = {"NegBackward0", times_backward};

static hg_tensor *with_number(const char *name, const char *kernel, const hg_op *op, hg_tensor *x, double b)
{
    const unary u = {.name = name, .integers = true};
    if (!check(&u, x) || !hg_check_number(name, x->dtype, b)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, hg_record(hg_map(kernel, x, b, 0), op, HG_LIST(x), HG_NO_LIST, &b, sizeof b));
}

hg_tensor *hg_add_scalar(hg_tensor *a, double b)
{
    return with_number("add_scalar", "add_scalar", &add_scalar_op, a, b);
}

hg_tensor *hg_mul_scalar(hg_tensor *a, double b)
{
    return with_number("mul_scalar", "mul_scalar", &mul_scalar_op, a, b);
}

hg_tensor *hg_neg(hg_tensor *x)
{
    return with_number("neg", "mul_scalar", &neg_op, x, -1);
}
