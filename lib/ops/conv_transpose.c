/* Transposed convolution: y[n,o,j] = b[o] + the sum of w[c,o,u] x[n,c,i] over all i and u with iS - P + uL = j. It is
 * what lib/conv calls backward-data of the convolution that takes y's shape to x's: there x is the "output" and y the
 * "input". So dx = the forward convolution of dy, dw is its backward-weights with dy as the input and x as the output's
 * gradient, db[o] = sum_{n,j} dy[n,o,j].
 *
 * Elements that output padding adds behind the last one that a product reaches are the bias alone; as far as that
 * convolution cannot have them they are a tail, filled with zeros. */
#include <string.h>

#include "base/error.h"
#include "ops/conv.h"
#include "ops/elementwise.h"

typedef struct call {
    const char *op; /* "conv_transpose2d" */
    int rank;
    hg_tensor *input, *weight, *bias;
    bool batched;
} call;

typedef struct transpose_context {
    hg_conv_problem problem; /* of the convolution from y, without its tail, to x */
    int64_t tail[HG_CONV_RANK];
    bool has_tail;
} transpose_context;

/* ---- options and shapes ---- */

static int64_t at_place(const int64_t *v, int d)
{
    return v[d] == HG_NO_PADDING && d ? 0 : v[d] || !d ? v[d] : v[0];
}

/* Output padding of one dimension: what the convolution takes, and the tail. `size` is x's. */
static hg_status set_size(const call *c, transpose_context *t, int d, int64_t size, int64_t more)
{
    hg_conv_problem *p = &t->problem;
    int64_t reach = (size - 1) * p->stride[d] + p->dilation[d] * (p->kernel[d] - 1) + 1 - 2 * p->begin[d];
    int64_t taken = hg_min_i64(more, p->begin[d] + p->stride[d] - 1);
    if (more < 0) return hg_error(HG_E_ARG, "%s: negative output_padding is not supported", c->op);
    if (more >= p->stride[d] && more >= p->dilation[d])
        return hg_error(
            HG_E_ARG,
            "%s: output padding must be smaller than either stride or dilation, but got output_padding %lld, "
            "stride %lld, dilation %lld in dimension %d",
            c->op, (long long)more, (long long)p->stride[d], (long long)p->dilation[d], d);
    p->size[d] = reach + taken;
    p->end[d] = p->begin[d] - hg_max_i64(0, taken - (p->stride[d] - 1)); /* so that it gives x's size, no more */
    t->tail[d] = more - taken;
    t->has_tail = t->has_tail || t->tail[d];
    return HG_OK;
}

static hg_status read_options(const call *c, const hg_conv_transpose_options *o, transpose_context *t)
{
    hg_conv_problem *p = &t->problem;
    const int64_t *size = c->input->size + c->input->ndim - c->rank;
    p->groups = o->groups;
    if (p->groups <= 0) return hg_error(HG_E_ARG, "%s: non-positive groups is not supported", c->op);
    for (int d = 0; d < c->rank; d++) {
        int64_t more = at_place(o->output_padding, d);
        p->stride[d] = at_place(o->stride, d);
        p->dilation[d] = at_place(o->dilation, d);
        p->begin[d] = at_place(o->padding, d);
        if (p->stride[d] <= 0) return hg_error(HG_E_ARG, "%s: non-positive stride is not supported", c->op);
        if (p->dilation[d] <= 0)
            return hg_error(HG_E_ARG, "%s: dilation should be greater than zero, but got %lld", c->op,
                            (long long)p->dilation[d]);
        if (p->begin[d] < 0) return hg_error(HG_E_ARG, "%s: negative padding is not supported", c->op);
        if (p->stride[d] > INT32_MAX || p->dilation[d] > INT32_MAX || p->begin[d] > INT32_MAX || more > INT32_MAX ||
            size[d] > INT32_MAX || p->kernel[d] > INT32_MAX)
            return hg_error(HG_E_ARG, "%s: sizes, stride, dilation and padding go up to %d", c->op, INT32_MAX);
        if (p->kernel[d] < 1)
            return hg_error(HG_E_SHAPE, "%s: kernel size should be greater than zero, but got %s", c->op,
                            hg_area_text(p->kernel, c->rank, (char[96]){0}));
        if (!size[d])
            return hg_error(HG_E_SHAPE,
                            "%s: Only zero batch or zero channel inputs are supported, but got input shape: %s", c->op,
                            HG_SHAPE_TEXT(c->input));
        HG_TRY(set_size(c, t, d, size[d], more));
    }
    return HG_OK;
}

/* Channels against groups, and the bias. */
static hg_status check_channels(const call *c, int64_t groups)
{
    const hg_tensor *x = c->input, *w = c->weight, *b = c->bias;
    int64_t channels = x->size[x->ndim - c->rank - 1];
    HG_TRY(hg_conv_check_groups(c->op, w, groups));
    if (channels != w->size[0])
        return hg_error(HG_E_SHAPE,
                        "%s: Given transposed=1, weight of size %s, expected input%s to have %lld channels, but got "
                        "%lld channels instead",
                        c->op, HG_SHAPE_TEXT(w), HG_SHAPE_TEXT(x), (long long)w->size[0], (long long)channels);
    if (b && (b->ndim != 1 || b->size[0] != w->size[1] * groups))
        return hg_error(HG_E_SHAPE,
                        "%s: Given transposed=1, weight of size %s, expected bias to be 1-dimensional with %lld "
                        "elements, but got bias of size %s instead",
                        c->op, HG_SHAPE_TEXT(w), (long long)(w->size[1] * groups), HG_SHAPE_TEXT(b));
    return HG_OK;
}

static hg_status check_output(const call *c, const transpose_context *t)
{
    int64_t size[HG_CONV_RANK];
    char a[96], b[96];
    bool empty = false;
    for (int d = 0; d < c->rank; d++) {
        size[d] = t->problem.size[d] + t->tail[d];
        empty = empty || size[d] < 1;
    }
    if (empty)
        return hg_error(HG_E_SHAPE,
                        "%s: Given input size per channel: %s. Calculated output size per channel: %s. Output size is "
                        "too small",
                        c->op, hg_area_text(c->input->size + c->input->ndim - c->rank, c->rank, a),
                        hg_area_text(size, c->rank, b));
    return hg_conv_check(&t->problem);
}

static hg_status check(const call *c, const hg_conv_transpose_options *o, transpose_context *t)
{
    const hg_tensor *x = c->input, *w = c->weight;
    if (x->ndim != c->rank + 1 && x->ndim != c->rank + 2)
        return hg_error(HG_E_SHAPE,
                        "%s: Expected %dD (unbatched) or %dD (batched) input to %s, but got input of size: %s", c->op,
                        c->rank + 1, c->rank + 2, c->op, HG_SHAPE_TEXT(x));
    if (w->ndim != c->rank + 2)
        return hg_error(HG_E_SHAPE,
                        "%s: Expected %dD weight (inputs x outputs/groups x kernel), but got weight of size: %s", c->op,
                        c->rank + 2, HG_SHAPE_TEXT(w));
    HG_TRY(hg_conv_check_types(c->op, x, w, c->bias));
    t->problem = (hg_conv_problem){.direction = HG_CONV_BACKWARD_DATA,
                                   .rank = c->rank,
                                   .dtype = (int32_t)x->dtype,
                                   .batch = c->batched ? x->size[0] : 1,
                                   .outputs = w->size[0]};
    memcpy(t->problem.kernel, w->size + 2, sizeof *w->size * (size_t)c->rank);
    HG_TRY(read_options(c, o, t));
    HG_TRY(check_channels(c, o->groups));
    t->problem.channels = w->size[1] * o->groups;
    return check_output(c, t);
}

/* ---- backward ---- */

/* `t` without its tail: a view, or itself. Its last dimensions are y's. */
static hg_tensor *without_tail(const transpose_context *c, hg_tensor *t)
{
    int64_t size[HG_MAX_DIMS];
    int first = t->ndim - c->problem.rank;
    if (!c->has_tail) return t;
    memcpy(size, t->size, sizeof size);
    for (int d = 0; d < c->problem.rank; d++) size[first + d] -= c->tail[d];
    return hg_new_view(t, t->ndim, size, t->stride, t->offset);
}

/* The sum of dy over all but channels. */
static hg_tensor *bias_gradient(const transpose_context *c, hg_tensor *dy)
{
    hg_dims dims = {0, {0}};
    for (int d = 0; d < dy->ndim; d++)
        if (d != dy->ndim - c->problem.rank - 1) dims.dim[dims.count++] = d;
    return hg_sum(dy, dims, false);
}

static hg_tensor *like_input(hg_node *n, int input, const hg_tensor *dy)
{
    return hg_new_tensor(dy->dev, dy->dtype, hg_node_input_ndim(n, input), hg_node_input_size(n, input));
}

/* Inputs: input, weight, bias. Saved: what the wanted gradients need of input and weight, contiguous. */
static hg_status transpose_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const transpose_context *c = hg_node_context(n);
    hg_conv_problem p = c->problem;
    hg_tensor *part = without_tail(c, dy);
    part = hg_ok(part) ? hg_raw_contiguous(part) : part;
    if (!hg_ok(part)) return hg_last_status();
    if (hg_node_wants(n, 0)) {
        dx[0] = like_input(n, 0, dy);
        hg_conv_buffers b = {.input = part, .weight = hg_node_saved(n, 1), .output = dx[0]};
        b.weight_stands = !hg_node_wants(n, 1);
        if (!hg_ok(dx[0]) || !hg_ok(b.weight)) return hg_last_status();
        p.direction = HG_CONV_FORWARD;
        HG_TRY(hg_conv_run(&p, &b));
    }
    if (hg_node_wants(n, 1)) {
        dx[1] = like_input(n, 1, dy);
        hg_conv_buffers b = {.input = part, .weight = dx[1], .output = hg_node_saved(n, 0)};
        if (!hg_ok(dx[1]) || !hg_ok(b.output)) return hg_last_status();
        p.direction = HG_CONV_BACKWARD_WEIGHTS;
        HG_TRY(hg_conv_run(&p, &b));
    }
    if (hg_node_wants(n, 2)) dx[2] = bias_gradient(c, dy);
    return HG_OK;
}
static const hg_op transpose_op = {"ConvolutionBackward0", transpose_backward};

/* ---- forward ---- */

/* y of `ndim` dims from what the convolution gave. */
static hg_tensor *add_tail(const transpose_context *c, hg_tensor *part)
{
    int64_t size[HG_MAX_DIMS];
    int first = part->ndim - c->problem.rank;
    if (!c->has_tail) return part;
    memcpy(size, part->size, sizeof size);
    for (int d = 0; d < c->problem.rank; d++) size[first + d] += c->tail[d];
    hg_tensor *y = hg_new_tensor(part->dev, part->dtype, part->ndim, size);
    hg_tensor *view = hg_ok(y) ? without_tail(c, y) : y;
    if (!hg_ok(view) || hg_raw_fill(y, 0) != HG_OK || hg_raw_copy(view, part) != HG_OK) return hg_failed();
    return y;
}

/* b as O x 1 x 1, which broadcasts to y. */
static hg_tensor *add_bias(const call *c, hg_tensor *y)
{
    int64_t size[HG_MAX_DIMS] = {c->bias->size[0], 1, 1, 1}, stride[HG_MAX_DIMS] = {c->bias->stride[0], 1, 1, 1};
    hg_tensor *b = hg_new_view(c->bias, c->rank + 1, size, stride, c->bias->offset);
    if (!hg_ok(b)) return b;
    return HG_ZIP(c->op, binary, "plus", y->dtype, y, b);
}

static hg_tensor *transpose(const call *c, const transpose_context *t)
{
    int64_t size[HG_MAX_DIMS];
    int ndim = 0;
    if (c->batched) size[ndim++] = t->problem.batch;
    size[ndim++] = t->problem.channels;
    for (int d = 0; d < c->rank; d++) size[ndim++] = t->problem.size[d];
    hg_tensor *x = hg_raw_contiguous(c->input), *w = hg_raw_contiguous(c->weight);
    hg_tensor *y = hg_new_tensor(c->input->dev, c->input->dtype, ndim, size);
    if (!hg_ok(x) || !hg_ok(w) || !hg_ok(y)) return hg_failed();
    hg_conv_buffers b = {.input = y, .weight = w, .output = x};
    b.weight_stands = !hg_requires_grad(c->weight);
    if (hg_conv_run(&t->problem, &b) != HG_OK) return hg_failed();
    y = add_tail(t, y);
    if (hg_ok(y) && c->bias) y = add_bias(c, y);
    hg_tensor *saved[] = {hg_requires_grad(c->weight) ? x : NULL, hg_requires_grad(c->input) ? w : NULL};
    return hg_record(y, &transpose_op, HG_LIST(c->input, c->weight, c->bias), saved, 2, t, sizeof *t);
}

static hg_tensor *conv_transpose(call c, const hg_conv_transpose_options *o)
{
    hg_conv_transpose_options defaults = HG_CONV_TRANSPOSE_DEFAULTS;
    transpose_context t = {.has_tail = false};
    if (!HG_CHECK_OPERANDS(c.op, c.input, c.weight) || (c.bias && !HG_CHECK_OPERANDS(c.op, c.input, c.bias)))
        return hg_failed();
    c.batched = c.input->ndim == c.rank + 2;
    if (check(&c, o ? o : &defaults, &t) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    return hg_scope_return(s, transpose(&c, &t));
}

hg_tensor *hg_conv_transpose1d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_transpose_options *o)
{
    return conv_transpose((call){"conv_transpose1d", 1, input, weight, bias, false}, o);
}

hg_tensor *hg_conv_transpose2d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_transpose_options *o)
{
    return conv_transpose((call){"conv_transpose2d", 2, input, weight, bias, false}, o);
}

hg_tensor *hg_conv_transpose3d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_transpose_options *o)
{
    return conv_transpose((call){"conv_transpose3d", 3, input, weight, bias, false}, o);
}
