/* y = f(a, b), broadcasting; one kernel each of kernels/binary.cl. Gradients are summed down to the operand's shape. */
#include "ops/elementwise.h"

static bool check_pair(const char *op, hg_tensor *a, hg_tensor *b)
{
    if (!HG_CHECK_OPERANDS(op, a, b)) return false;
    if (a->dtype == b->dtype && a->dtype != HG_BOOL) return true;
    if (a->dtype != b->dtype)
        hg_error(HG_E_DTYPE, "%s: operands are %s and %s; hg_cast one of them", op, hg_dtype_name(a->dtype),
                 hg_dtype_name(b->dtype));
    else
        hg_error(HG_E_DTYPE, "%s: not for bool tensors; hg_cast them to numbers first", op);
    return false;
}

/* A result for a and b, and the kernel's run over it. */
static hg_tensor *combine(const char *op, const char *kernel, const char *strided, hg_tensor *a, hg_tensor *b)
{
    int ndim;
    int64_t size[HG_MAX_DIMS];
    if (!check_pair(op, a, b) || hg_broadcast_shape(op, a, b, &ndim, size) != HG_OK) return hg_failed();
    hg_tensor *y = hg_new_tensor(a->dev, a->dtype, ndim, size);
    if (!hg_ok(y)) return y;
    hg_walk w = hg_walk_of((const hg_tensor *[]){y, a, b}, 3);
    char options[64];
    hg_element_options(a->dtype, w.wide, options);
    hg_range range = hg_range_elements(y->dev, w.n);
    hg_status status;
    if (w.contiguous)
        status = hg_launch(y->dev, &hg_source_binary, options, kernel, range,
                           HG_ARGS(HG_ARG_I64(w.n), HG_ARG_TENSOR(a), HG_ARG_TENSOR(b), HG_ARG_TENSOR(y)));
    else
        status = hg_launch(y->dev, &hg_source_binary, options, strided, range,
                           HG_ARGS(HG_ARG_I64(w.n), HG_ARG_I32(w.ndim), hg_arg_dims(w.size), HG_ARG_TENSOR(a),
                                   hg_arg_dims(w.stride[1]), HG_ARG_TENSOR(b), hg_arg_dims(w.stride[2]),
                                   HG_ARG_TENSOR(y)));
    return status == HG_OK ? y : hg_failed();
}
#define COMBINE(op, kernel, a, b) combine(op, kernel, kernel "_strided", a, b)

static hg_status add_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    if (hg_node_wants(n, 0)) dx[0] = hg_sum_to_input(n, 0, dy);
    if (hg_node_wants(n, 1)) dx[1] = hg_sum_to_input(n, 1, dy);
    return HG_OK;
}
static const hg_op add_op = {"AddBackward0", add_backward};

hg_tensor *hg_add(hg_tensor *a, hg_tensor *b)
{
    return hg_record(COMBINE("add", "plus", a, b), &add_op, HG_LIST(a, b), HG_NO_LIST, NULL, 0);
}

static hg_status sub_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    if (hg_node_wants(n, 0)) dx[0] = hg_sum_to_input(n, 0, dy);
    if (hg_node_wants(n, 1)) dx[1] = hg_mul_scalar(hg_sum_to_input(n, 1, dy), -1);
    return HG_OK;
}
static const hg_op sub_op = {"SubBackward0", sub_backward};

hg_tensor *hg_sub(hg_tensor *a, hg_tensor *b)
{
    return hg_record(COMBINE("sub", "minus", a, b), &sub_op, HG_LIST(a, b), HG_NO_LIST, NULL, 0);
}

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
    hg_tensor *y = COMBINE("mul", "times", a, b);
    hg_tensor *saved[2] = {hg_requires_grad(b) ? a : NULL, hg_requires_grad(a) ? b : NULL};
    return hg_record(y, &mul_op, HG_LIST(a, b), saved, 2, NULL, 0);
}
