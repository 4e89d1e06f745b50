/* Convolution: y[n,o,i] = b[o] + sum_{c,u} w[o,c,u] x[n,c,iS-P+uL], cross-correlation with zero padding; other padding
 * is hg_pad() before it. Fused, y = max(0, that + residual). Gradients, dy = 0 where ReLU gave 0: dx is the same sum
 * seen from x, dw[o,c,u] = sum_{n,i} dy[n,o,i] x[n,c,iS-P+uL], db[o] = sum_{n,i} dy[n,o,i], the residual's is dy.
 * Shapes, PyTorch's rules and words are here; lib/conv computes. */
#include "ops/conv.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ops/elementwise.h"

/* ---- options and shapes ---- */

/* The three operands as they are checked, with the names that messages need. */
typedef struct call {
    const char *op; /* "conv2d" */
    hg_tensor *input, *weight, *bias;
    bool batched;
    int rank;
    hg_tensor *residual; /* NULL: none */
    bool relu;
} call;

/* Fills strides, dilations, padding and groups: 0 in a later place means the first one's value. */
static hg_status read_options(const call *c, const hg_conv_options *o, hg_conv_problem *p)
{
    p->groups = o->groups;
    if ((unsigned)o->padding_mode > HG_PAD_CIRCULAR)
        return hg_error(HG_E_ARG, "%s: padding_mode must be zeros (HG_PAD_CONSTANT), reflect, replicate or circular",
                        c->op);
    for (int d = 0; d < c->rank; d++) {
        p->stride[d] = o->stride[d] || !d ? o->stride[d] : p->stride[0];
        p->dilation[d] = o->dilation[d] || !d ? o->dilation[d] : p->dilation[0];
        p->begin[d] = o->padding[d] || !d ? o->padding[d] : p->begin[0];
        if (d && p->begin[d] == HG_NO_PADDING) p->begin[d] = 0;
        if (p->stride[d] <= 0) return hg_error(HG_E_ARG, "%s: non-positive stride is not supported", c->op);
        if (p->dilation[d] <= 0)
            return hg_error(HG_E_ARG, "%s: dilation should be greater than zero, but got %lld", c->op,
                            (long long)p->dilation[d]);
        if (p->begin[d] < 0) return hg_error(HG_E_ARG, "%s: negative padding is not supported", c->op);
        if (p->stride[d] > INT32_MAX || p->dilation[d] > INT32_MAX || p->begin[d] > INT32_MAX)
            return hg_error(HG_E_ARG, "%s: stride, dilation and padding go up to %d", c->op, INT32_MAX);
        p->end[d] = p->begin[d];
        if (!o->same) continue;
        if (p->stride[d] != 1)
            return hg_error(HG_E_ARG, "%s: padding='same' is not supported for strided convolutions", c->op);
        int64_t total = p->dilation[d] * (c->weight->size[2 + d] - 1);
        p->begin[d] = total / 2;
        p->end[d] = total - p->begin[d];
    }
    return p->groups > 0 ? HG_OK : hg_error(HG_E_ARG, "%s: non-positive groups is not supported", c->op);
}

hg_status hg_conv_check_types(const char *op, const hg_tensor *x, const hg_tensor *w, const hg_tensor *b)
{
    if (!hg_is_float(x->dtype))
        return hg_error(HG_E_DTYPE, "%s: float32 or float64 is needed, the input is %s; hg_cast() it", op,
                        hg_dtype_name(x->dtype));
    if (w->dtype != x->dtype)
        return hg_error(HG_E_DTYPE, "%s: Input type (%s) and weight type (%s) should be the same", op,
                        hg_dtype_name(x->dtype), hg_dtype_name(w->dtype));
    if (b && b->dtype != x->dtype)
        return hg_error(HG_E_DTYPE, "%s: Input type (%s) and bias type (%s) should be the same", op,
                        hg_dtype_name(x->dtype), hg_dtype_name(b->dtype));
    return HG_OK;
}

hg_status hg_conv_check_groups(const char *op, const hg_tensor *w, int64_t groups)
{
    if (w->size[0] < groups)
        return hg_error(HG_E_SHAPE,
                        "%s: Given groups=%lld, expected weight to be at least %lld at dimension 0, but got weight of "
                        "size %s instead",
                        op, (long long)groups, (long long)groups, HG_SHAPE_TEXT(w));
    if (w->size[0] % groups)
        return hg_error(HG_E_SHAPE,
                        "%s: Given groups=%lld, expected weight to be divisible by %lld at dimension 0, but got weight "
                        "of size %s instead",
                        op, (long long)groups, (long long)groups, HG_SHAPE_TEXT(w));
    return HG_OK;
}

/* Ranks, and channels against groups. */
static hg_status check_shapes(const call *c, int64_t groups)
{
    const hg_tensor *x = c->input, *w = c->weight, *b = c->bias;
    int64_t channels = x->size[x->ndim - c->rank - 1];
    HG_TRY(hg_conv_check_groups(c->op, w, groups));
    if (channels % groups || channels / groups != w->size[1])
        return hg_error(HG_E_SHAPE,
                        "%s: Given groups=%lld, weight of size %s, expected input%s to have %lld channels, but got "
                        "%lld channels instead",
                        c->op, (long long)groups, HG_SHAPE_TEXT(w), HG_SHAPE_TEXT(x), (long long)(w->size[1] * groups),
                        (long long)channels);
    if (b && (b->ndim != 1 || b->size[0] != w->size[0]))
        return hg_error(HG_E_SHAPE,
                        "%s: Given weight of size %s, expected bias to be 1-dimensional with %lld elements, but got "
                        "bias of size %s instead",
                        c->op, HG_SHAPE_TEXT(w), (long long)w->size[0], HG_SHAPE_TEXT(b));
    return HG_OK;
}

char *hg_area_text(const int64_t *size, int rank, char out[96])
{
    int used = snprintf(out, 96, "(");
    for (int d = 0; d < rank && used < 96; d++)
        used += snprintf(out + used, 96 - (size_t)used, d ? " x %lld" : "%lld", (long long)size[d]);
    if (used < 96) snprintf(out + used, 96 - (size_t)used, ")");
    return out;
}

/* The kernel must be something, and fit. */
static hg_status check_kernel(const call *c, const hg_conv_problem *p)
{
    int64_t padded[HG_CONV_RANK];
    bool fits = true;
    char a[96], k[96];
    for (int d = 0; d < c->rank; d++) {
        if (p->kernel[d] < 1)
            return hg_error(HG_E_SHAPE, "%s: kernel size should be greater than zero, but got %s", c->op,
                            hg_area_text(p->kernel, c->rank, k));
        padded[d] = p->size[d] + p->begin[d] + p->end[d];
        fits &= p->dilation[d] * (p->kernel[d] - 1) < padded[d];
    }
    if (!fits)
        return hg_error(
            HG_E_SHAPE,
            "%s: Calculated padded input size per channel: %s. Kernel size: %s. Kernel size can't be greater than "
            "actual input size",
            c->op, hg_area_text(padded, c->rank, a), hg_area_text(p->kernel, c->rank, k));
    for (int d = 0; d < c->rank; d++)
        if (!p->size[d])
            return hg_error(HG_E_SHAPE,
                            "%s: Only zero batch or zero channel inputs are supported, but got input shape: %s", c->op,
                            HG_SHAPE_TEXT(c->input));
    return HG_OK;
}

/* The whole call as a problem, checked. */
static hg_status problem_of(const call *c, const hg_conv_options *o, hg_conv_problem *p)
{
    hg_tensor *x = c->input, *w = c->weight;
    if (x->ndim != c->rank + 1 && x->ndim != c->rank + 2)
        return hg_error(HG_E_SHAPE,
                        "%s: Expected %dD (unbatched) or %dD (batched) input to %s, but got input of size: %s", c->op,
                        c->rank + 1, c->rank + 2, c->op, HG_SHAPE_TEXT(x));
    if (w->ndim != c->rank + 2)
        return hg_error(HG_E_SHAPE,
                        "%s: Expected %dD weight (outputs x channels/groups x kernel), but got weight of size: %s",
                        c->op, c->rank + 2, HG_SHAPE_TEXT(w));
    HG_TRY(hg_conv_check_types(c->op, x, w, c->bias));
    *p = (hg_conv_problem){.rank = c->rank, .dtype = (int32_t)x->dtype, .outputs = w->size[0]};
    HG_TRY(read_options(c, o, p));
    HG_TRY(check_shapes(c, p->groups));
    const int64_t *size = x->size + x->ndim - c->rank;
    p->batch = c->batched ? x->size[0] : 1;
    p->channels = size[-1];
    memcpy(p->size, size, sizeof *size * (size_t)c->rank);
    memcpy(p->kernel, w->size + 2, sizeof *size * (size_t)c->rank);
    HG_TRY(check_kernel(c, p));
    p->epilogue = (c->bias ? HG_CONV_BIAS : 0) | (c->relu ? HG_CONV_RELU : 0) | (c->residual ? HG_CONV_RESIDUAL : 0);
    return hg_conv_check(p);
}

/* The output's sizes, with N before them if the input has it; returns how many. */
static int output_size(const call *c, const hg_conv_problem *p, int64_t size[HG_MAX_DIMS])
{
    int ndim = 0;
    if (c->batched) size[ndim++] = p->batch;
    size[ndim++] = p->outputs;
    for (int d = 0; d < p->rank; d++) size[ndim++] = hg_conv_output(p, d);
    return ndim;
}

static hg_status check_residual(const call *c, const hg_conv_problem *p)
{
    int64_t size[HG_MAX_DIMS];
    const hg_tensor *r = c->residual;
    if (!r) return HG_OK;
    int ndim = output_size(c, p, size);
    if (r->dtype != c->input->dtype)
        return hg_error(HG_E_DTYPE, "%s: Input type (%s) and residual type (%s) should be the same", c->op,
                        hg_dtype_name(c->input->dtype), hg_dtype_name(r->dtype));
    if (r->ndim != ndim || memcmp(r->size, size, sizeof *size * (size_t)ndim))
        return hg_error(HG_E_SHAPE, "%s: the residual is %s, the output it is added to %s; they must be the same",
                        c->op, HG_SHAPE_TEXT(r), hg_shape_text(ndim, size, (char[160]){0}, 160));
    return HG_OK;
}

int64_t hg_conv_output_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation)
{
    const int64_t most = INT64_C(1) << 40;
    int64_t extent;
    if (size < 0 || kernel < 1 || stride < 1 || padding < 0 || dilation < 1 || size > most || padding > most ||
        !hg_mul_i64(dilation, kernel - 1, &extent)) {
        hg_error(
            HG_E_ARG,
            "conv_output_size: size %lld, kernel %lld, stride %lld, padding %lld, dilation %lld; size and padding must "
            "not be negative, the others must be positive",
            (long long)size, (long long)kernel, (long long)stride, (long long)padding, (long long)dilation);
        return -1;
    }
    if (extent >= size + 2 * padding) {
        hg_error(HG_E_SHAPE,
                 "conv_output_size: Calculated padded input size per channel: (%lld). Kernel size: (%lld). Kernel size "
                 "can't be "
                 "greater than actual input size",
                 (long long)(size + 2 * padding), (long long)kernel);
        return -1;
    }
    return (size + 2 * padding - extent - 1) / stride + 1;
}

/* ---- backward ---- */

static hg_status gradient_of(int direction, const hg_conv_problem *forward, hg_conv_buffers *b)
{
    hg_conv_problem p = *forward;
    p.direction = direction;
    p.epilogue = 0;
    return hg_conv_run(&p, b);
}

/* Inputs: input, weight, bias, residual. Saved: what the wanted gradients need of input and weight, contiguous, and the
 * output of ReLU. */
static hg_status conv_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const hg_conv_problem *p = hg_node_context(n);
    if (p->epilogue & HG_CONV_RELU) dy = hg_map_backward("relu_bwd", dy, hg_node_saved(n, 2), 0, 0);
    dy = hg_ok(dy) ? hg_raw_contiguous(dy) : dy;
    if (!hg_ok(dy)) return hg_last_status();
    if (hg_node_wants(n, 3)) dx[3] = dy;
    for (int i = 0; i < 3; i++) {
        if (!hg_node_wants(n, i)) continue;
        dx[i] = hg_new_tensor(dy->dev, dy->dtype, hg_node_input_ndim(n, i), hg_node_input_size(n, i));
        if (!hg_ok(dx[i])) return hg_last_status();
    }
    if (dx[0]) {
        hg_conv_buffers b = {.input = dx[0], .weight = hg_node_saved(n, 1), .output = dy, .weight_stands = !dx[1]};
        if (!hg_ok(b.weight)) return hg_last_status();
        HG_TRY(gradient_of(HG_CONV_BACKWARD_DATA, p, &b));
    }
    if (dx[1]) {
        hg_conv_buffers b = {.input = hg_node_saved(n, 0), .weight = dx[1], .output = dy};
        if (!hg_ok(b.input)) return hg_last_status();
        HG_TRY(gradient_of(HG_CONV_BACKWARD_WEIGHTS, p, &b));
    }
    return dx[2] ? hg_conv_bias_gradient(p, dy, dx[2]) : HG_OK;
}
static const hg_op conv_op = {"ConvolutionBackward0", conv_backward};

/* ---- forward ---- */

static hg_tensor *convolve(const call *c, const hg_conv_problem *p)
{
    int64_t size[HG_MAX_DIMS];
    int ndim = output_size(c, p, size);
    hg_tensor *x = hg_raw_contiguous(c->input), *w = hg_raw_contiguous(c->weight),
              *b = c->bias ? hg_raw_contiguous(c->bias) : NULL,
              *r = c->residual ? hg_raw_contiguous(c->residual) : NULL;
    hg_tensor *y = hg_new_tensor(c->input->dev, c->input->dtype, ndim, size);
    if (!hg_ok(x) || !hg_ok(w) || (b && !hg_ok(b)) || (r && !hg_ok(r)) || !hg_ok(y)) return hg_failed();
    hg_conv_buffers buffers = {.input = x, .weight = w, .output = y, .bias = b, .residual = r};
    buffers.weight_stands = !hg_requires_grad(c->weight);
    if (hg_conv_run(p, &buffers) != HG_OK) return hg_failed();
    hg_tensor *saved[] = {hg_requires_grad(c->weight) ? x : NULL, hg_requires_grad(c->input) ? w : NULL,
                          c->relu ? y : NULL};
    return hg_record(y, &conv_op, HG_LIST(c->input, c->weight, c->bias, c->residual), saved, 3, p, sizeof *p);
}

/* Other padding than zeros is done before: the problem becomes the padded one, without padding. */
static hg_status pad(call *c, hg_pad_mode mode, hg_conv_problem *p)
{
    hg_pads pads = {.count = 2 * p->rank};
    bool any = false;
    for (int d = 0; d < p->rank; d++) {
        int64_t *pair = &pads.pad[2 * (p->rank - 1 - d)];
        any = any || p->begin[d] || p->end[d];
        pair[0] = p->begin[d];
        pair[1] = p->end[d];
        p->size[d] += p->begin[d] + p->end[d];
        p->begin[d] = p->end[d] = 0;
    }
    if (any) c->input = hg_pad(c->input, pads, mode, 0);
    return hg_ok(c->input) ? HG_OK : hg_last_status();
}

static hg_tensor *conv(call c, const hg_conv_options *o)
{
    hg_tensor *operands[] = {c.input, c.weight, c.bias, c.residual};
    hg_conv_options defaults = HG_CONV_DEFAULTS;
    hg_conv_problem p;
    if (!HG_CHECK_OPERANDS(c.op, c.input, c.weight) || !hg_check_operands(c.op, operands, 4, true)) return hg_failed();
    if (!o) o = &defaults;
    c.batched = c.input->ndim == c.rank + 2;
    if (problem_of(&c, o, &p) != HG_OK || check_residual(&c, &p) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    if (o->padding_mode != HG_PAD_CONSTANT && pad(&c, o->padding_mode, &p) != HG_OK)
        return hg_scope_return(s, hg_failed());
    return hg_scope_return(s, convolve(&c, &p));
}

hg_tensor *hg_conv1d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_options *o)
{
    return conv((call){.op = "conv1d", .rank = 1, .input = input, .weight = weight, .bias = bias}, o);
}

hg_tensor *hg_conv2d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_options *o)
{
    return conv((call){.op = "conv2d", .rank = 2, .input = input, .weight = weight, .bias = bias}, o);
}

hg_tensor *hg_conv3d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_options *o)
{
    return conv((call){.op = "conv3d", .rank = 3, .input = input, .weight = weight, .bias = bias}, o);
}

hg_tensor *hg_conv2d_fused(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, hg_tensor *residual, bool relu,
                           const hg_conv_options *o)
{
    return conv((call){.op = "conv2d_fused",
                       .rank = 2,
                       .input = input,
                       .weight = weight,
                       .bias = bias,
                       .residual = residual,
                       .relu = relu},
                o);
}
