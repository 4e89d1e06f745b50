/* Batch normalisation: y = (x - mean) inv weight + bias with inv = 1 / sqrt(var + eps), a mean and variance a channel.
 * Training: those of the batch (biased), and running = (1 - momentum) running + momentum batch (unbiased variance).
 * Backward with xh = (x - mean) inv, m values a channel: dweight = sum(dy xh), dbias = sum(dy),
 * dx = weight inv (dy - dbias / m - xh dweight / m) in training, weight inv dy in evaluation.
 * With ReLU at once: y = relu of that, and dy counts where y is not 0. */
#include "ops/batch_norm.h"

#include <stdio.h>

#include "autograd/autograd.h"
#include "cl/fault.h"
#include "ops/softmax.h"

typedef struct bn_context {
    bool train, relu;
} bn_context;

typedef struct bn_size {
    int64_t n, c, s;
} bn_size;
#define ARG_SIZE(z) HG_ARG_I64((z)->n), HG_ARG_I64((z)->c), HG_ARG_I64((z)->s)

static bn_size size_of(const hg_tensor *x)
{
    bn_size z = {x->size[0], x->size[1], 1};
    for (int d = 2; d < x->ndim; d++) z.s *= x->size[d];
    return z;
}

hg_bn_parts hg_bn_parts_of(const hg_device *dev, int64_t m, int64_t c)
{
    int64_t wanted = hg_ceil_div((int64_t)dev->info.units * 8, hg_max_i64(c, 1));
    int64_t chunk = hg_max_i64(hg_ceil_div(m, wanted), 2048);
    return (hg_bn_parts){hg_max_i64(1, hg_ceil_div(m, chunk)), chunk};
}

hg_status hg_bn_launch(const hg_tensor *x, const hg_source *source, const char *variant, const char *kernel,
                       hg_range range, const hg_arg *args, int nargs)
{
    char options[64];
    snprintf(options, sizeof options, "%s%s%s", variant, x->dtype == HG_F64 ? "-DHG_F64=1 " : "",
             x->numel > INT32_MAX ? "-DHG_WIDE=1" : "");
    return hg_launch(x->dev, source, options, kernel, range, args, nargs);
}

static hg_status launch(const hg_tensor *x, bool relu, const char *kernel, hg_range range, const hg_arg *args, int nargs)
{
    return hg_bn_launch(x, &hg_source_batch_norm, relu ? "-DRELU=1 " : "", kernel, range, args, nargs);
}

/* ---- backward ---- */

/* The operands of a backward; y is NULL without ReLU. */
typedef struct bn_back {
    bn_size z;
    hg_tensor *x, *weight, *stats, *y, *dy, *dweight, *dbias, *dx;
} bn_back;

hg_status hg_bn_merge_sums(hg_tensor *parts, hg_tensor *dweight, hg_tensor *dbias)
{
    int64_t c = parts->size[0];
    return launch(parts, false, "bn_bwd_merge", hg_range_elements(parts->dev, c),
                  HG_ARGS(HG_ARG_I64(c), HG_ARG_I64(parts->size[1]), HG_ARG_TENSOR(parts), HG_ARG_TENSOR(dweight),
                          HG_ARG_TENSOR(dbias)));
}

static hg_status backward_gpu(const bn_back *b, bool train, bool sums)
{
    hg_device *dev = b->x->dev;
    hg_bn_parts parts = hg_bn_parts_of(dev, b->z.n * b->z.s, b->z.c);
    if (sums) {
        hg_tensor *partial = hg_new_tensor(dev, b->x->dtype, 3, (int64_t[]){b->z.c, parts.count, 2});
        if (!hg_ok(partial)) return hg_last_status();
        HG_TRY(launch(b->x, b->y, "bn_bwd_sums", hg_range_teams(dev, parts.count, b->z.c),
                      HG_ARGS(ARG_SIZE(&b->z), HG_ARG_I64(parts.chunk), HG_ARG_TENSOR(b->x), HG_ARG_TENSOR(b->stats),
                              HG_ARG_OR(b->y, b->x), HG_ARG_TENSOR(b->dy), HG_ARG_TENSOR(partial))));
        HG_TRY(hg_bn_merge_sums(partial, b->dweight, b->dbias));
    }
    if (!b->dx) return HG_OK;
    return launch(b->x, b->y, "bn_bwd_apply", hg_range_elements(dev, b->x->numel),
                  HG_ARGS(ARG_SIZE(&b->z), HG_ARG_I32(train), HG_ARG_TENSOR(b->x), HG_ARG_I32(b->weight != NULL),
                          HG_ARG_OR(b->weight, b->x), HG_ARG_TENSOR(b->stats), HG_ARG_OR(b->y, b->x), HG_ARG_TENSOR(b->dy),
                          HG_ARG_TENSOR(b->dweight), HG_ARG_TENSOR(b->dbias), HG_ARG_TENSOR(b->dx)));
}

static hg_status backward_cpu(const bn_back *b, bool train, bool sums)
{
    return launch(b->x, b->y, "bn_bwd", hg_range_teams(b->x->dev, b->z.c, 1),
                  HG_ARGS(ARG_SIZE(&b->z), HG_ARG_I32(train), HG_ARG_I32(sums), HG_ARG_I32(b->dx != NULL), HG_ARG_TENSOR(b->x),
                          HG_ARG_I32(b->weight != NULL), HG_ARG_OR(b->weight, b->x), HG_ARG_TENSOR(b->stats),
                          HG_ARG_OR(b->y, b->x), HG_ARG_TENSOR(b->dy), HG_ARG_TENSOR(b->dweight), HG_ARG_TENSOR(b->dbias),
                          HG_ARG_OR(b->dx, b->dweight)));
}

static hg_status bn_backward(hg_node *n, hg_tensor *dy, hg_tensor **grads)
{
    const bn_context *c = hg_node_context(n);
    bn_back b = {.x = hg_node_saved(n, 0), .weight = hg_node_saved(n, 1), .stats = hg_node_saved(n, 2)};
    if (c->relu) b.y = hg_node_saved(n, 3);
    b.dy = hg_raw_contiguous(dy);
    if (!b.x) b.x = b.dy;       /* which is not read then, and has its shape */
    if (!hg_ok(b.x) || !hg_ok(b.stats) || (b.weight && !hg_ok(b.weight)) || (b.y && !hg_ok(b.y))) return hg_last_status();
    b.z = size_of(b.x);
    bool sums = c->train || hg_node_wants(n, 1) || hg_node_wants(n, 2);
    if (hg_node_wants(n, 0)) b.dx = hg_new_tensor(b.x->dev, b.x->dtype, b.x->ndim, b.x->size);
    b.dweight = hg_new_tensor(b.x->dev, b.x->dtype, 1, &b.z.c);
    b.dbias = hg_new_tensor(b.x->dev, b.x->dtype, 1, &b.z.c);
    if (!hg_ok(b.dy) || (b.dx && !hg_ok(b.dx)) || !hg_ok(b.dweight) || !hg_ok(b.dbias)) return hg_last_status();
    HG_TRY(hg_is_cpu(b.x->dev) ? backward_cpu(&b, c->train, sums) : backward_gpu(&b, c->train, sums));
    grads[0] = b.dx;
    if (hg_node_wants(n, 1)) grads[1] = b.dweight;
    if (hg_node_wants(n, 2)) grads[2] = b.dbias;
    return HG_OK;
}
static const hg_op bn_op = {"NativeBatchNormBackward0", bn_backward};
static const hg_op bn_relu_op = {"BatchNormReluBackward0", bn_backward};

/* ---- forward ---- */

hg_status hg_bn_statistics(const hg_bn *b)
{
    hg_device *dev = b->x->dev;
    if (!b->train)
        return launch(b->x, false, "bn_from_running", hg_range_elements(dev, b->c),
                      HG_ARGS(HG_ARG_I64(b->c), hg_arg_real(b->x->dtype == HG_F64, b->eps), HG_ARG_TENSOR(b->mean),
                              HG_ARG_TENSOR(b->var), HG_ARG_TENSOR(b->stats)));
    hg_bn_parts parts = hg_bn_parts_of(dev, b->n * b->s, b->c);
    hg_tensor *partial = hg_new_tensor(dev, b->x->dtype, 3, (int64_t[]){b->c, parts.count, 3});
    if (!hg_ok(partial)) return hg_last_status();
    HG_TRY(launch(b->x, false, "bn_moments", hg_range_teams(dev, parts.count, b->c),
                  HG_ARGS(ARG_SIZE(b), HG_ARG_I64(parts.chunk), HG_ARG_TENSOR(b->x), HG_ARG_TENSOR(partial))));
    return launch(b->x, false, "bn_merge", hg_range_elements(dev, b->c),
                  HG_ARGS(ARG_SIZE(b), HG_ARG_I64(parts.chunk), HG_ARG_I64(parts.count), HG_ARG_TENSOR(partial),
                          HG_ARG_BN_RUNNING(b, partial), HG_ARG_TENSOR(b->stats)));
}

static hg_status forward(const hg_bn *b, bool relu, hg_tensor *y)
{
    if (b->train && hg_is_cpu(y->dev))
        return launch(y, relu, "bn_train", hg_range_teams(y->dev, b->c, 1),
                      HG_ARGS(ARG_SIZE(b), HG_ARG_BN_RUNNING(b, b->stats), HG_ARG_TENSOR(b->x), HG_ARG_BN_AFFINE(b),
                              HG_ARG_TENSOR(b->stats), HG_ARG_TENSOR(y)));
    HG_TRY(hg_bn_statistics(b));
    return launch(y, relu, "bn_apply", hg_range_elements(y->dev, y->numel),
                  HG_ARGS(ARG_SIZE(b), HG_ARG_TENSOR(b->x), HG_ARG_BN_AFFINE(b), HG_ARG_TENSOR(b->stats), HG_ARG_TENSOR(y)));
}

static hg_status check_channels(const hg_bn *b, const char *name, const hg_tensor *t)
{
    if (!t) return HG_OK;
    if (t->ndim != 1 || t->size[0] != b->x->size[1])
        return hg_error(HG_E_SHAPE, "%s: %s should contain %lld elements not %lld", b->op, name, (long long)b->x->size[1],
                        (long long)t->numel);
    if (t->dtype != b->x->dtype)
        return hg_error(HG_E_DTYPE, "%s: %s is %s, the input is %s; cast one of them", b->op, name,
                        hg_dtype_name(t->dtype), hg_dtype_name(b->x->dtype));
    return HG_OK;
}

hg_status hg_bn_check(const hg_bn *b)
{
    const hg_tensor *x = b->x;
    if (!HG_CHECK_OPERANDS(b->op, b->x) ||
        !hg_check_operands(b->op, (hg_tensor *[]){b->x, b->mean, b->var, b->weight, b->bias}, 5, true) ||
        !hg_check_float(b->op, x))
        return hg_last_status();
    if (x->ndim < 2) return hg_error(HG_E_SHAPE, "%s: expected at least 2D input (got %dD input)", b->op, x->ndim);
    HG_TRY(check_channels(b, "running_mean", b->mean));
    HG_TRY(check_channels(b, "running_var", b->var));
    HG_TRY(check_channels(b, "weight", b->weight));
    HG_TRY(check_channels(b, "bias", b->bias));
    if (!b->mean != !b->var)
        return hg_error(HG_E_ARG, "%s: running_mean and running_var go together; give both or neither", b->op);
    if (b->mean && (!hg_is_contiguous(b->mean) || !hg_is_contiguous(b->var)))
        return hg_error(HG_E_ARG, "%s: running_mean and running_var must be contiguous", b->op);
    if (b->train && x->numel == x->size[1] && x->numel)
        return hg_error(HG_E_SHAPE, "%s: Expected more than 1 value per channel when training, got input size "
                                    "torch.Size(%s)", b->op, HG_SHAPE_TEXT(x));
    return HG_OK;
}

hg_status hg_bn_prepare(hg_bn *b)
{
    bn_size z = size_of(b->x);
    b->n = z.n, b->c = z.c, b->s = z.s;
    b->x = hg_raw_contiguous(b->x);
    if (b->weight) b->weight = hg_raw_contiguous(b->weight);
    if (b->bias) b->bias = hg_raw_contiguous(b->bias);
    if (!hg_ok(b->x) || (b->weight && !hg_ok(b->weight)) || (b->bias && !hg_ok(b->bias))) return hg_last_status();
    b->stats = hg_new_tensor(b->x->dev, b->x->dtype, 2, (int64_t[]){3, z.c});
    return hg_ok(b->stats) ? HG_OK : hg_last_status();
}

void hg_bn_updated(const hg_bn *b)
{
    if (!b->train || !b->mean) return;
    b->mean->storage->version++;
    b->var->storage->version++;
}

hg_tensor *hg_bn_apply(hg_bn *b, bool relu)
{
    hg_tensor *input = b->x, *weight = b->weight, *bias = b->bias;
    if (hg_bn_check(b) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(input->dev, input->dtype, input->ndim, input->size);
    if (!hg_ok(y) || hg_bn_prepare(b) != HG_OK || forward(b, relu, y) != HG_OK) return hg_scope_return(s, hg_failed());
    hg_bn_updated(b);
    bn_context c = {b->train, relu};
    bool sums = b->train || (weight && hg_requires_grad(weight)) || (bias && hg_requires_grad(bias));
    y = hg_record(y, relu ? &bn_relu_op : &bn_op, HG_LIST(input, weight, bias),
                  HG_LIST(sums ? b->x : NULL, b->weight, b->stats, relu ? y : NULL), &c, sizeof c);
    return hg_scope_return(s, y);
}

hg_tensor *hg_batch_norm(hg_tensor *input, hg_tensor *running_mean, hg_tensor *running_var, hg_tensor *weight,
                         hg_tensor *bias, bool training, double momentum, double eps)
{
    hg_bn b = {.op = "batch_norm", .x = input, .mean = running_mean, .var = running_var, .weight = weight, .bias = bias,
               .train = training || !running_mean, .momentum = momentum, .eps = eps};
    return hg_bn_apply(&b, false);
}
