/* y = x W^T + b. dx = dy W, dW = dy^T x, db = the sum of dy over its rows. Leading dims of x are rows. */
#include <string.h>

#include "ops/elementwise.h"
#include "ops/product.h"

static hg_shape shape_of_input(hg_node *n, int input)
{
    hg_shape shape = {.ndim = hg_node_input_ndim(n, input)};
    memcpy(shape.size, hg_node_input_size(n, input), sizeof shape.size);
    return shape;
}

/* A new matrix a b in `shape`. */
static hg_tensor *product_as(hg_tensor *a, hg_tensor *b, hg_shape shape)
{
    if (!hg_ok(a) || !hg_ok(b)) return hg_failed();
    hg_tensor *c = hg_new_tensor(a->dev, a->dtype, 2, (int64_t[]){a->size[0], b->size[1]});
    if (!hg_ok(c) || hg_product(a, b, NULL, c) != HG_OK) return hg_failed();
    return hg_reshape(c, shape);
}

static hg_status linear_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *rows = hg_as_rows(dy);
    if (!hg_ok(rows)) return hg_last_status();
    if (hg_node_wants(n, 0)) dx[0] = product_as(rows, hg_node_saved(n, 1), shape_of_input(n, 0));
    if (hg_node_wants(n, 1)) {
        hg_tensor *x = hg_node_saved(n, 0);
        dx[1] = product_as(hg_transposed(rows), hg_ok(x) ? hg_as_rows(x) : x, shape_of_input(n, 1));
    }
    if (hg_node_wants(n, 2)) dx[2] = hg_sum(rows, HG_DIMS(0), false);
    return HG_OK;
}

/* PyTorch computes these in different ways, and prints the last step's name. */
static const hg_op *op_of(const hg_tensor *x, const hg_tensor *bias)
{
    static const hg_op ops[3][2] = {
        {{"SqueezeBackward3", linear_backward}, {"AddBackward0", linear_backward}},
        {{"MmBackward0", linear_backward}, {"AddmmBackward0", linear_backward}},
        {{"UnsafeViewBackward0", linear_backward}, {"ViewBackward0", linear_backward}},
    };
    return &ops[x->ndim < 3 ? x->ndim - 1 : 2][bias != NULL];
}

static bool check(hg_tensor *x, hg_tensor *weight, hg_tensor *bias)
{
    if (!HG_CHECK_OPERANDS("linear", x, weight)) return false;
    if (bias && !HG_CHECK_OPERANDS("linear", x, bias)) return false;
    if (!hg_is_float(x->dtype) || x->dtype != weight->dtype || (bias && x->dtype != bias->dtype))
        hg_error(HG_E_DTYPE, "linear: input is %s, weight %s%s%s; all must be float32, or all float64",
                 hg_dtype_name(x->dtype), hg_dtype_name(weight->dtype), bias ? ", bias " : "",
                 bias ? hg_dtype_name(bias->dtype) : "");
    else if (weight->ndim != 2 || !x->ndim || x->size[x->ndim - 1] != weight->size[1])
        hg_error(HG_E_SHAPE, "linear: input %s does not fit weight %s; input is * x in, weight out x in",
                 HG_SHAPE_TEXT(x), HG_SHAPE_TEXT(weight));
    else if (bias && (bias->ndim != 1 || bias->size[0] != weight->size[0]))
        hg_error(HG_E_SHAPE, "linear: bias %s does not fit weight %s; it has one element for each output",
                 HG_SHAPE_TEXT(bias), HG_SHAPE_TEXT(weight));
    else
        return true;
    return false;
}

static hg_tensor *forward(hg_tensor *x, hg_tensor *weight, hg_tensor *bias)
{
    int64_t size[HG_MAX_DIMS];
    memcpy(size, x->size, sizeof size);
    size[x->ndim - 1] = weight->size[0];
    hg_tensor *y = hg_new_tensor(x->dev, x->dtype, x->ndim, size), *rows = hg_as_rows(x),
              *across = hg_transposed(weight);
    hg_tensor *c = hg_ok(y) ? hg_as_rows(y) : y;
    if (!hg_ok(rows) || !hg_ok(across) || !hg_ok(c)) return hg_failed();
    return hg_product(rows, across, bias, c) == HG_OK ? y : hg_failed();
}

hg_tensor *hg_linear(hg_tensor *x, hg_tensor *weight, hg_tensor *bias)
{
    if (!check(x, weight, bias)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_scope_return(s, forward(x, weight, bias));
    hg_tensor *saved[2] = {hg_requires_grad(weight) ? x : NULL, hg_requires_grad(x) ? weight : NULL};
    return hg_record(y, op_of(x, bias), HG_LIST(x, weight, bias), saved, 2, NULL, 0);
}
