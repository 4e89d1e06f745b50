/* y = f(a, b), broadcasting; one kernel each of kernels/binary.cl. Gradients are summed down to the operand's shape. */
#include "ops/elementwise.h"

#define COMBINE(op, name, a, b)                                                                                        \
    (hg_check_pair(op, a, b, false) ? HG_ZIP(op, binary, name, (a)->dtype, a, b) : hg_failed())

static hg_status add_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    if (hg_node_wants(n, 0)) dx[0] = hg_sum_to_input(n, 0, dy);
    if (hg_node_wants(n, 1)) dx[1] = hg_sum_to_input(n, 1, dy);
    return HG_OK;
}
static const hg_op add_op = {"AddBackward0", add_backward};

hg_tensor *hg_add(hg_tensor *a, hg_tensor *b)
{
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, hg_record(COMBINE("add", "plus", a, b), &add_op, HG_LIST(a, b), HG_NO_LIST, NULL, 0));
}

static hg_status sub_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    if (hg_node_wants(n, 0)) dx[0] = hg_sum_to_input(n, 0, dy);
    if (hg_node_wants(n, 1)) dx[1] = hg_neg(hg_sum_to_input(n, 1, dy));
    return HG_OK;
}
static const hg_op sub_op = {"SubBackward0", sub_backward};

hg_tensor *hg_sub(hg_tensor *a, hg_tensor *b)
{
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, hg_record(COMBINE("sub", "minus", a, b), &sub_op, HG_LIST(a, b), HG_NO_LIST, NULL, 0));
}

/* ---- mul ---- */

static hg_status mul_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    if (hg_node_wants(n, 0)) dx[0] = hg_sum_to_input(n, 0, hg_mul(dy, hg_node_saved(n, 1)));
    if (hg_node_wants(n, 1)) dx[1] = hg_sum_to_input(n, 1, hg_mul(dy, hg_node_saved(n, 0)));
    return HG_OK;
}
static const hg_op mul_op = {"MulBackward0", mul_backward};

/* Each operand is kept only for the other's gradient; an absent one keeps its place. */
hg_tensor *hg_mul(hg_tensor *a, hg_tensor *b)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = COMBINE("mul", "times", a, b);
    hg_tensor *saved[2] = {hg_requires_grad(b) ? a : NULL, hg_requires_grad(a) ? b : NULL};
    return hg_scope_return(s, hg_record(y, &mul_op, HG_LIST(a, b), saved, 2, NULL, 0));
}

/* ---- div ---- */

static hg_status div_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *b = hg_node_saved(n, 1);
    if (hg_node_wants(n, 0)) dx[0] = hg_sum_to_input(n, 0, hg_div(dy, b));
    if (hg_node_wants(n, 1)) {
        hg_tensor *a = hg_node_saved(n, 0);
        dx[1] = hg_sum_to_input(n, 1, HG_ZIP("div", ternary, "over_bwd", dy->dtype, dy, a, b));
    }
    return HG_OK;
}
static const hg_op div_op = {"DivBackward0", div_backward};

hg_tensor *hg_div(hg_tensor *a, hg_tensor *b)
{
    if (!hg_check_pair("div", a, b, false)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    if (!hg_is_float(a->dtype)) {
        a = hg_cast(a, HG_F32);
        b = hg_cast(b, HG_F32);
    }
    hg_tensor *y = COMBINE("div", "over", a, b);
    hg_tensor *saved[2] = {hg_requires_grad(b) ? a : NULL, b};
    return hg_scope_return(s, hg_record(y, &div_op, HG_LIST(a, b), saved, 2, NULL, 0));
}

/* ---- minimum, maximum ---- */

static hg_status choice_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx, const hg_function *f)
{
    hg_tensor *a = hg_node_saved(n, 0), *b = hg_node_saved(n, 1);
    if (hg_node_wants(n, 0)) dx[0] = hg_sum_to_input(n, 0, hg_zip("maximum", f, dy->dtype, HG_LIST(dy, a, b)));
    if (hg_node_wants(n, 1)) dx[1] = hg_sum_to_input(n, 1, hg_zip("maximum", f, dy->dtype, HG_LIST(dy, b, a)));
    return HG_OK;
}

static hg_status minimum_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    return choice_backward(n, dy, dx, HG_FUNCTION(ternary, "smaller_bwd"));
}
static const hg_op minimum_op = {"MinimumBackward0", minimum_backward};

static hg_status maximum_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    return choice_backward(n, dy, dx, HG_FUNCTION(ternary, "larger_bwd"));
}
static const hg_op maximum_op = {"MaximumBackward0", maximum_backward};

hg_tensor *hg_minimum(hg_tensor *a, hg_tensor *b)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = COMBINE("minimum", "smaller", a, b);
    return hg_scope_return(s, hg_record(y, &minimum_op, HG_LIST(a, b), HG_LIST(a, b), NULL, 0));
}

hg_tensor *hg_maximum(hg_tensor *a, hg_tensor *b)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = COMBINE("maximum", "larger", a, b);
    return hg_scope_return(s, hg_record(y, &maximum_op, HG_LIST(a, b), HG_LIST(a, b), NULL, 0));
}
