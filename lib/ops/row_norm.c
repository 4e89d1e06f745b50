/* Layer and group normalisation: y = (x - mean) inv weight + bias with inv = 1 / sqrt(var + eps), mean and biased
 * variance of a row: the trailing dims of a layer norm, a group of channels of one image of a group norm. Backward is
 * in kernels/row_norm.cl; dweight = sum(dy xh) and dbias = sum(dy) are sums over all rows. */
#include <stdio.h>

#include "autograd/autograd.h"
#include "hapgop/ops.h"
#include "ops/softmax.h"

/* How the kernels see a contiguous input. */
typedef struct norm_rows {
    int64_t rows, groups, channels, run;
    bool per_element;
    hg_shape shape;     /* [outer][weights][inner]: what dweight and dbias sum over */
    hg_shape weight;    /* of weight and bias */
} norm_rows;

#define ARG_NORM(z) HG_ARG_I64((z)->rows), HG_ARG_I64((z)->groups), HG_ARG_I64((z)->channels), HG_ARG_I64((z)->run)
/* An absent operand goes to the kernel as another one that it then does not read. */
#define ARG_OR(t, other) HG_ARG_TENSOR((t) ? (t) : (other))

static hg_status launch(const norm_rows *z, const hg_tensor *x, const char *kernel, const hg_arg *args, int nargs)
{
    char options[64];
    int64_t groups = hg_is_cpu(x->dev) ? hg_min_i64(z->rows, (int64_t)x->dev->info.units * 16) : z->rows;
    snprintf(options, sizeof options, "-DPER_ELEMENT=%d %s", z->per_element, hg_real_options(x->dtype));
    return hg_launch(x->dev, &hg_source_row_norm, options, kernel, hg_range_teams(x->dev, groups, 1), args, nargs);
}

/* sum over all but the weights' dim, in the weight's shape */
static hg_tensor *summed(const norm_rows *z, hg_tensor *t)
{
    return hg_reshape(hg_sum(hg_reshape(t, z->shape), HG_DIMS(0, 2), false), z->weight);
}

static hg_status norm_backward(hg_node *n, hg_tensor *dy, hg_tensor **grads)
{
    const norm_rows *z = hg_node_context(n);
    hg_tensor *x = hg_node_saved(n, 0), *weight = hg_node_saved(n, 1), *stats = hg_node_saved(n, 2);
    if (!hg_ok(x) || !hg_ok(stats) || (weight && !hg_ok(weight))) return hg_last_status();
    bool to_input = hg_node_wants(n, 0), to_weight = hg_node_wants(n, 1);
    hg_tensor *dx = to_input ? hg_new_tensor(x->dev, x->dtype, x->ndim, x->size) : NULL;
    hg_tensor *product = to_weight ? hg_new_tensor(x->dev, x->dtype, x->ndim, x->size) : NULL;
    dy = hg_raw_contiguous(dy);
    if (!hg_ok(dy) || (dx && !hg_ok(dx)) || (product && !hg_ok(product))) return hg_last_status();
    if (to_input || to_weight)
        HG_TRY(launch(z, x, "row_norm_bwd",
                      HG_ARGS(ARG_NORM(z), HG_ARG_TENSOR(x), HG_ARG_I32(weight != NULL), ARG_OR(weight, x),
                              HG_ARG_TENSOR(stats), HG_ARG_TENSOR(dy), HG_ARG_I32(to_input), ARG_OR(dx, stats),
                              HG_ARG_I32(to_weight), ARG_OR(product, stats))));
    grads[0] = dx;
    if (to_weight) grads[1] = summed(z, product);
    if (hg_node_wants(n, 2)) grads[2] = summed(z, dy);
    return HG_OK;
}
static const hg_op layer_norm_op = {"NativeLayerNormBackward0", norm_backward};
static const hg_op group_norm_op = {"NativeGroupNormBackward0", norm_backward};

static hg_tensor *normalised(const hg_op *op, const norm_rows *z, hg_tensor *input, hg_tensor *weight, hg_tensor *bias,
                             double eps)
{
    hg_tensor *x = hg_raw_contiguous(input), *w = weight ? hg_raw_contiguous(weight) : NULL;
    hg_tensor *b = bias ? hg_raw_contiguous(bias) : NULL;
    hg_tensor *y = hg_new_tensor(input->dev, input->dtype, input->ndim, input->size);
    hg_tensor *stats = hg_new_tensor(input->dev, input->dtype, 2, (int64_t[]){3, z->rows});
    if (!hg_ok(x) || (w && !hg_ok(w)) || (b && !hg_ok(b)) || !hg_ok(y) || !hg_ok(stats) ||
        launch(z, x, "row_norm_fwd",
               HG_ARGS(ARG_NORM(z), hg_arg_real(x->dtype == HG_F64, eps), HG_ARG_TENSOR(x),
                       HG_ARG_I32((w ? 1 : 0) | (b ? 2 : 0)), ARG_OR(w, stats), ARG_OR(b, stats), HG_ARG_TENSOR(stats),
                       HG_ARG_TENSOR(y))) != HG_OK)
        return hg_failed();
    return hg_record(y, op, HG_LIST(input, weight, bias), HG_LIST(x, w, stats), z, sizeof *z);
}

/* ---- layer norm ---- */

static hg_status check_weight(const char *op, const char *what, const hg_tensor *t, const hg_tensor *x, hg_shape shape,
                              const char *must)
{
    if (!t) return HG_OK;
    bool same = t->ndim == shape.ndim;
    for (int d = 0; same && d < t->ndim; d++) same = t->size[d] == shape.size[d];
    if (!same)
        return hg_error(HG_E_SHAPE, "%s: Expected %s to be %s, but got %s of shape %s; it needs %s", op, what, must,
                        what, HG_SHAPE_TEXT(t), hg_shape_text(shape.ndim, shape.size, (char[160]){0}, 160));
    if (t->dtype != x->dtype)
        return hg_error(HG_E_DTYPE, "%s: %s is %s, the input is %s; cast one of them", op, what,
                        hg_dtype_name(t->dtype), hg_dtype_name(x->dtype));
    return HG_OK;
}

hg_tensor *hg_layer_norm(hg_tensor *input, hg_shape shape, hg_tensor *weight, hg_tensor *bias, double eps)
{
    if (!HG_CHECK_OPERANDS("layer_norm", input) ||
        !hg_check_operands("layer_norm", (hg_tensor *[]){input, weight, bias}, 3, true) ||
        !hg_check_float("layer_norm", input))
        return hg_failed();
    if (shape.ndim < 1 || shape.ndim > HG_MAX_DIMS)
        return hg_fail(HG_E_SHAPE, "layer_norm: Expected normalized_shape to be of 1 to %d dimensions, got %d",
                       HG_MAX_DIMS, shape.ndim);
    int lead = input->ndim - shape.ndim;
    bool fits = lead >= 0;
    for (int d = 0; fits && d < shape.ndim; d++) fits = input->size[lead + d] == shape.size[d];
    if (!fits)
        return hg_fail(HG_E_SHAPE,
                       "layer_norm: Given normalized_shape=%s, the input's last sizes must be these, but got "
                       "input of size %s",
                       hg_shape_text(shape.ndim, shape.size, (char[160]){0}, 160), HG_SHAPE_TEXT(input));
    const char *must = "of same shape as normalized_shape";
    if (check_weight("layer_norm", "weight", weight, input, shape, must) != HG_OK ||
        check_weight("layer_norm", "bias", bias, input, shape, must) != HG_OK)
        return hg_failed();
    norm_rows z = {.rows = 1, .groups = 1, .channels = 1, .run = 1, .per_element = true, .weight = shape};
    for (int d = 0; d < input->ndim; d++) *(d < lead ? &z.rows : &z.run) *= input->size[d];
    z.shape = HG_SHAPE(z.rows, z.run, 1);
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, normalised(&layer_norm_op, &z, input, weight, bias, eps));
}

/* ---- group norm ---- */

hg_tensor *hg_group_norm(hg_tensor *input, int64_t groups, hg_tensor *weight, hg_tensor *bias, double eps)
{
    if (!HG_CHECK_OPERANDS("group_norm", input) ||
        !hg_check_operands("group_norm", (hg_tensor *[]){input, weight, bias}, 3, true) ||
        !hg_check_float("group_norm", input))
        return hg_failed();
    if (input->ndim < 2)
        return hg_fail(HG_E_SHAPE, "group_norm: expected at least 2D input (got %dD input)", input->ndim);
    if (groups < 1 || input->size[1] % groups)
        return hg_fail(HG_E_SHAPE,
                       "group_norm: Expected number of channels in input to be divisible by num_groups, but got "
                       "input of shape %s and num_groups=%lld",
                       HG_SHAPE_TEXT(input), (long long)groups);
    hg_shape c = HG_SHAPE(input->size[1]);
    const char *must = "a vector of size equal to the number of channels in input";
    if (check_weight("group_norm", "weight", weight, input, c, must) != HG_OK ||
        check_weight("group_norm", "bias", bias, input, c, must) != HG_OK)
        return hg_failed();
    norm_rows z = {
        .rows = input->size[0] * groups, .groups = groups, .channels = c.size[0] / groups, .run = 1, .weight = c};
    for (int d = 2; d < input->ndim; d++) z.run *= input->size[d];
    z.shape = HG_SHAPE(input->size[0], c.size[0], z.run);
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, normalised(&group_norm_op, &z, input, weight, bias, eps));
}
