/* Batch normalisation: y = (x - mean) inv weight + bias with inv = 1 / sqrt(var + eps), a mean and variance a channel.
 * Training: those of the batch (biased), and running = (1 - momentum) running + momentum batch (unbiased variance).
 * Backward with xh = (x - mean) inv, m values a channel: dweight = sum(dy xh), dbias = sum(dy),
 * dx = weight inv (dy - dbias / m - xh dweight / m) in training, weight inv dy in evaluation. */
#include "autograd/autograd.h"
#include "cl/fault.h"
#include "hapgop/ops.h"
#include "ops/softmax.h"

typedef struct bn_context {
    bool train;
} bn_context;

/* How a channel's m values are cut for the teams of a GPU. */
typedef struct bn_parts {
    int64_t count, chunk;
} bn_parts;

typedef struct bn_size {
    int64_t n, c, s;
} bn_size;
#define ARG_SIZE(z) HG_ARG_I64((z).n), HG_ARG_I64((z).c), HG_ARG_I64((z).s)
/* An absent operand goes to the kernel as another one that it then does not read. */
#define ARG_OR(t, other) HG_ARG_TENSOR((t) ? (t) : (other))

static bn_size size_of(const hg_tensor *x)
{
    bn_size z = {x->size[0], x->size[1], 1};
    for (int d = 2; d < x->ndim; d++) z.s *= x->size[d];
    return z;
}

static bn_parts parts_of(const hg_device *dev, bn_size z)
{
    int64_t m = z.n * z.s, wanted = hg_ceil_div((int64_t)dev->info.units * 8, hg_max_i64(z.c, 1));
    int64_t chunk = hg_max_i64(hg_ceil_div(m, wanted), 2048);
    return (bn_parts){hg_max_i64(1, hg_ceil_div(m, chunk)), chunk};
}

static hg_status launch(const hg_tensor *x, const char *kernel, hg_range range, const hg_arg *args, int nargs)
{
    const char *options = x->numel > INT32_MAX ? x->dtype == HG_F64 ? "-DHG_F64=1 -DHG_WIDE=1" : "-DHG_WIDE=1"
                                               : hg_real_options(x->dtype);
    return hg_launch(x->dev, &hg_source_batch_norm, options, kernel, range, args, nargs);
}

/* ---- backward ---- */

static hg_status backward_gpu(bn_size z, bool train, bool sums, hg_tensor *x, hg_tensor *weight, hg_tensor *stats,
                              hg_tensor *dy, hg_tensor *dweight, hg_tensor *dbias, hg_tensor *dx)
{
    hg_device *dev = x->dev;
    bn_parts parts = parts_of(dev, z);
    if (sums) {
        hg_tensor *partial = hg_new_tensor(dev, x->dtype, 3, (int64_t[]){z.c, parts.count, 2});
        if (!hg_ok(partial)) return hg_last_status();
        HG_TRY(launch(x, "bn_bwd_sums", hg_range_teams(dev, parts.count, z.c),
                      HG_ARGS(ARG_SIZE(z), HG_ARG_I64(parts.chunk), HG_ARG_TENSOR(x), HG_ARG_TENSOR(stats), HG_ARG_TENSOR(dy),
                              HG_ARG_TENSOR(partial))));
        HG_TRY(launch(x, "bn_bwd_merge", hg_range_elements(dev, z.c),
                      HG_ARGS(HG_ARG_I64(z.c), HG_ARG_I64(parts.count), HG_ARG_TENSOR(partial), HG_ARG_TENSOR(dweight),
                              HG_ARG_TENSOR(dbias))));
    }
    if (!dx) return HG_OK;
    return launch(x, "bn_bwd_apply", hg_range_elements(dev, x->numel),
                  HG_ARGS(ARG_SIZE(z), HG_ARG_I32(train), HG_ARG_TENSOR(x), HG_ARG_I32(weight != NULL), ARG_OR(weight, x),
                          HG_ARG_TENSOR(stats), HG_ARG_TENSOR(dy), HG_ARG_TENSOR(dweight), HG_ARG_TENSOR(dbias),
                          HG_ARG_TENSOR(dx)));
}

static hg_status bn_backward(hg_node *n, hg_tensor *dy, hg_tensor **grads)
{
    bool train = ((const bn_context *)hg_node_context(n))->train;
    hg_tensor *x = hg_node_saved(n, 0), *weight = hg_node_saved(n, 1), *stats = hg_node_saved(n, 2);
    if (!hg_ok(x) || !hg_ok(stats) || (weight && !hg_ok(weight))) return hg_last_status();
    bn_size z = size_of(x);
    bool to_input = hg_node_wants(n, 0), sums = train || hg_node_wants(n, 1) || hg_node_wants(n, 2);
    dy = hg_raw_contiguous(dy);
    hg_tensor *dx = to_input ? hg_new_tensor(x->dev, x->dtype, x->ndim, x->size) : NULL;
    hg_tensor *dweight = hg_new_tensor(x->dev, x->dtype, 1, &z.c), *dbias = hg_new_tensor(x->dev, x->dtype, 1, &z.c);
    if (!hg_ok(dy) || (dx && !hg_ok(dx)) || !hg_ok(dweight) || !hg_ok(dbias)) return hg_last_status();
    if (!hg_is_cpu(x->dev))
        HG_TRY(backward_gpu(z, train, sums, x, weight, stats, dy, dweight, dbias, dx));
    else
        HG_TRY(launch(x, "bn_bwd", hg_range_teams(x->dev, z.c, 1),
                      HG_ARGS(ARG_SIZE(z), HG_ARG_I32(train), HG_ARG_I32(sums), HG_ARG_I32(to_input), HG_ARG_TENSOR(x),
                              HG_ARG_I32(weight != NULL), ARG_OR(weight, x), HG_ARG_TENSOR(stats), HG_ARG_TENSOR(dy),
                              HG_ARG_TENSOR(dweight), HG_ARG_TENSOR(dbias), ARG_OR(dx, dweight))));
    grads[0] = dx;
    if (hg_node_wants(n, 1)) grads[1] = dweight;
    if (hg_node_wants(n, 2)) grads[2] = dbias;
    return HG_OK;
}
static const hg_op bn_op = {"NativeBatchNormBackward0", bn_backward};

/* ---- forward ---- */

typedef struct bn_operands {
    hg_tensor *x, *mean, *var, *weight, *bias;      /* mean and var: running ones */
} bn_operands;

static hg_status train_gpu(bn_size z, const bn_operands *o, double momentum, double eps, hg_tensor *stats)
{
    hg_device *dev = o->x->dev;
    bool f64 = o->x->dtype == HG_F64;
    bn_parts parts = parts_of(dev, z);
    hg_tensor *partial = hg_new_tensor(dev, o->x->dtype, 3, (int64_t[]){z.c, parts.count, 3});
    if (!hg_ok(partial)) return hg_last_status();
    HG_TRY(launch(o->x, "bn_moments", hg_range_teams(dev, parts.count, z.c),
                  HG_ARGS(ARG_SIZE(z), HG_ARG_I64(parts.chunk), HG_ARG_TENSOR(o->x), HG_ARG_TENSOR(partial))));
    return launch(o->x, "bn_merge", hg_range_elements(dev, z.c),
                  HG_ARGS(ARG_SIZE(z), HG_ARG_I64(parts.chunk), HG_ARG_I64(parts.count), HG_ARG_TENSOR(partial),
                          hg_arg_real(f64, eps), hg_arg_real(f64, momentum), HG_ARG_I32(o->mean != NULL),
                          ARG_OR(o->mean, partial), ARG_OR(o->var, partial), HG_ARG_MEM(hg_fault_buffer(dev)),
                          HG_ARG_TENSOR(stats)));
}

static hg_status forward(bn_size z, const bn_operands *o, bool train, double momentum, double eps, hg_tensor *stats,
                         hg_tensor *y)
{
    hg_device *dev = y->dev;
    bool f64 = y->dtype == HG_F64, cpu = hg_is_cpu(dev);
    int affine = (o->weight ? 1 : 0) | (o->bias ? 2 : 0);
    if (train && cpu)
        return launch(y, "bn_train", hg_range_teams(dev, z.c, 1),
                      HG_ARGS(ARG_SIZE(z), hg_arg_real(f64, eps), hg_arg_real(f64, momentum), HG_ARG_I32(o->mean != NULL),
                              ARG_OR(o->mean, stats), ARG_OR(o->var, stats), HG_ARG_MEM(hg_fault_buffer(dev)),
                              HG_ARG_TENSOR(o->x), HG_ARG_I32(affine), ARG_OR(o->weight, stats), ARG_OR(o->bias, stats),
                              HG_ARG_TENSOR(stats), HG_ARG_TENSOR(y)));
    if (train)
        HG_TRY(train_gpu(z, o, momentum, eps, stats));
    else
        HG_TRY(launch(y, "bn_from_running", hg_range_elements(dev, z.c),
                      HG_ARGS(HG_ARG_I64(z.c), hg_arg_real(f64, eps), HG_ARG_TENSOR(o->mean), HG_ARG_TENSOR(o->var),
                              HG_ARG_TENSOR(stats))));
    return launch(y, "bn_apply", hg_range_elements(dev, y->numel),
                  HG_ARGS(ARG_SIZE(z), HG_ARG_TENSOR(o->x), HG_ARG_I32(affine), ARG_OR(o->weight, stats),
                          ARG_OR(o->bias, stats), HG_ARG_TENSOR(stats), HG_ARG_TENSOR(y)));
}

static hg_status check_channels(const char *name, const hg_tensor *t, const hg_tensor *x)
{
    if (!t) return HG_OK;
    if (t->ndim != 1 || t->size[0] != x->size[1])
        return hg_error(HG_E_SHAPE, "batch_norm: %s should contain %lld elements not %lld", name, (long long)x->size[1],
                        (long long)t->numel);
    if (t->dtype != x->dtype)
        return hg_error(HG_E_DTYPE, "batch_norm: %s is %s, the input is %s; cast one of them", name,
                        hg_dtype_name(t->dtype), hg_dtype_name(x->dtype));
    return HG_OK;
}

static hg_status check(const bn_operands *o, bool train)
{
    const hg_tensor *x = o->x;
    if (!hg_check_operands("batch_norm", (hg_tensor *[]){o->x, o->mean, o->var, o->weight, o->bias}, 5, true) ||
        !hg_check_float("batch_norm", x))
        return hg_last_status();
    if (x->ndim < 2) return hg_error(HG_E_SHAPE, "batch_norm: expected at least 2D input (got %dD input)", x->ndim);
    HG_TRY(check_channels("running_mean", o->mean, x));
    HG_TRY(check_channels("running_var", o->var, x));
    HG_TRY(check_channels("weight", o->weight, x));
    HG_TRY(check_channels("bias", o->bias, x));
    if (!o->mean != !o->var)
        return hg_error(HG_E_ARG, "batch_norm: running_mean and running_var go together; give both or neither");
    if (o->mean && (!hg_is_contiguous(o->mean) || !hg_is_contiguous(o->var)))
        return hg_error(HG_E_ARG, "batch_norm: running_mean and running_var must be contiguous");
    if (train && x->numel == x->size[1] && x->numel)
        return hg_error(HG_E_SHAPE, "batch_norm: Expected more than 1 value per channel when training, got input size "
                                    "torch.Size(%s)", HG_SHAPE_TEXT(x));
    return HG_OK;
}

hg_tensor *hg_batch_norm(hg_tensor *input, hg_tensor *running_mean, hg_tensor *running_var, hg_tensor *weight,
                         hg_tensor *bias, bool training, double momentum, double eps)
{
    bn_operands o = {input, running_mean, running_var, weight, bias};
    bool train = training || !running_mean;
    if (!HG_CHECK_OPERANDS("batch_norm", input) || check(&o, train) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    bn_size z = size_of(input);
    hg_tensor *x = o.x = hg_raw_contiguous(input);
    if (weight) o.weight = hg_raw_contiguous(weight);
    if (bias) o.bias = hg_raw_contiguous(bias);
    hg_tensor *y = hg_new_tensor(input->dev, input->dtype, input->ndim, input->size);
    hg_tensor *stats = hg_new_tensor(input->dev, input->dtype, 2, (int64_t[]){3, z.c});
    if (!hg_ok(x) || (weight && !hg_ok(o.weight)) || (bias && !hg_ok(o.bias)) || !hg_ok(y) || !hg_ok(stats) ||
        forward(z, &o, train, momentum, eps, stats, y) != HG_OK)
        return hg_scope_return(s, hg_failed());
    if (train && running_mean) {
        running_mean->storage->version++;
        running_var->storage->version++;
    }
    bn_context c = {train};
    return hg_scope_return(s, hg_record(y, &bn_op, HG_LIST(input, weight, bias), HG_LIST(x, o.weight, stats), &c, sizeof c));
}
