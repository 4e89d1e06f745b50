/* y = max_pool2d(relu(batch_norm(x))) without what lies between in memory. Saved are x and, a byte a window, where the
 * maximum came from. By kernels/batch_norm_relu.cl for 2 x 2 windows side by side; other windows pool the result of
 * batch normalisation and ReLU, which are always one. */
#include "autograd/autograd.h"
#include "cl/fault.h"
#include "ops/batch_norm.h"
#include "ops/pool.h"

typedef struct fused_context {
    bool train;
} fused_context;

static hg_status launch(const hg_tensor *x, const char *kernel, hg_range range, const hg_arg *args, int nargs)
{
    return hg_bn_launch(x, &hg_source_batch_norm_relu, "", kernel, range, args, nargs);
}

/* n, c, h, w: the first arguments of a kernel. */
#define ARG_IMAGES(x)                                                                                                  \
    HG_ARG_I64((x)->size[0]), HG_ARG_I64((x)->size[1]), HG_ARG_I64((x)->size[2]), HG_ARG_I64((x)->size[3])

/* ---- backward ---- */

typedef struct fused_back {
    hg_tensor *x, *weight, *stats, *winner, *dy, *dweight, *dbias, *dx;
} fused_back;

static hg_status backward_cpu(const fused_back *b, bool train, bool sums)
{
    return launch(b->x, "bn_relu_pool_bwd", hg_range_teams(b->x->dev, b->x->size[1], 1),
                  HG_ARGS(ARG_IMAGES(b->x), HG_ARG_I32(train), HG_ARG_I32(sums), HG_ARG_I32(b->dx != NULL), HG_ARG_TENSOR(b->x),
                          HG_ARG_I32(b->weight != NULL), HG_ARG_OR(b->weight, b->x), HG_ARG_TENSOR(b->stats),
                          HG_ARG_TENSOR(b->winner), HG_ARG_TENSOR(b->dy), HG_ARG_TENSOR(b->dweight), HG_ARG_TENSOR(b->dbias),
                          HG_ARG_OR(b->dx, b->dweight)));
}

static hg_status backward_gpu(const fused_back *b, bool train, bool sums)
{
    hg_device *dev = b->x->dev;
    int64_t c = b->x->size[1];
    hg_bn_parts parts = hg_bn_parts_of(dev, b->dy->numel / c, c);
    if (sums) {
        hg_tensor *partial = hg_new_tensor(dev, b->x->dtype, 3, (int64_t[]){c, parts.count, 2});
        if (!hg_ok(partial)) return hg_last_status();
        HG_TRY(launch(b->x, "bn_relu_pool_bwd_sums", hg_range_teams(dev, parts.count, c),
                      HG_ARGS(ARG_IMAGES(b->x), HG_ARG_I64(parts.chunk), HG_ARG_TENSOR(b->x), HG_ARG_TENSOR(b->stats),
                              HG_ARG_TENSOR(b->winner), HG_ARG_TENSOR(b->dy), HG_ARG_TENSOR(partial))));
        HG_TRY(hg_bn_merge_sums(partial, b->dweight, b->dbias));
    }
    if (!b->dx) return HG_OK;
    return launch(b->x, "bn_relu_pool_bwd_apply", hg_range_elements(dev, b->x->numel),
                  HG_ARGS(ARG_IMAGES(b->x), HG_ARG_I32(train), HG_ARG_TENSOR(b->x), HG_ARG_I32(b->weight != NULL),
                          HG_ARG_OR(b->weight, b->x), HG_ARG_TENSOR(b->stats), HG_ARG_TENSOR(b->winner),
                          HG_ARG_TENSOR(b->dy), HG_ARG_TENSOR(b->dweight), HG_ARG_TENSOR(b->dbias), HG_ARG_TENSOR(b->dx)));
}

static hg_status fused_backward(hg_node *n, hg_tensor *dy, hg_tensor **grads)
{
    bool train = ((const fused_context *)hg_node_context(n))->train;
    fused_back b = {.x = hg_node_saved(n, 0), .weight = hg_node_saved(n, 1), .stats = hg_node_saved(n, 2),
                    .winner = hg_node_saved(n, 3)};
    if (!hg_ok(b.x) || !hg_ok(b.stats) || (b.weight && !hg_ok(b.weight)) || !hg_ok(b.winner)) return hg_last_status();
    bool sums = train || hg_node_wants(n, 1) || hg_node_wants(n, 2);
    b.dy = hg_raw_contiguous(dy);
    if (hg_node_wants(n, 0)) b.dx = hg_new_tensor(b.x->dev, b.x->dtype, b.x->ndim, b.x->size);
    b.dweight = hg_new_tensor(b.x->dev, b.x->dtype, 1, &b.x->size[1]);
    b.dbias = hg_new_tensor(b.x->dev, b.x->dtype, 1, &b.x->size[1]);
    if (!hg_ok(b.dy) || (b.dx && !hg_ok(b.dx)) || !hg_ok(b.dweight) || !hg_ok(b.dbias)) return hg_last_status();
    HG_TRY(hg_is_cpu(b.x->dev) ? backward_cpu(&b, train, sums) : backward_gpu(&b, train, sums));
    grads[0] = b.dx;
    if (hg_node_wants(n, 1)) grads[1] = b.dweight;
    if (hg_node_wants(n, 2)) grads[2] = b.dbias;
    return HG_OK;
}
static const hg_op fused_op = {"BatchNormReluMaxPool2DBackward0", fused_backward};

/* ---- forward ---- */

static hg_status forward(const hg_bn *b, hg_tensor *y, bool keep, hg_tensor *winner)
{
    if (b->train && hg_is_cpu(y->dev))
        return launch(b->x, "bn_relu_pool_train", hg_range_teams(y->dev, b->c, 1),
                      HG_ARGS(ARG_IMAGES(b->x), HG_ARG_BN_RUNNING(b, b->stats), HG_ARG_TENSOR(b->x), HG_ARG_BN_AFFINE(b),
                              HG_ARG_TENSOR(b->stats), HG_ARG_TENSOR(y), HG_ARG_I32(keep), HG_ARG_TENSOR(winner)));
    HG_TRY(hg_bn_statistics(b));
    hg_range range = hg_is_cpu(y->dev) ? hg_range_teams(y->dev, hg_min_i64(b->n * b->c, (int64_t)y->dev->info.units * 16), 1)
                                       : hg_range_elements(y->dev, y->numel);
    return launch(b->x, "bn_relu_pool_apply", range,
                  HG_ARGS(ARG_IMAGES(b->x), HG_ARG_TENSOR(b->x), HG_ARG_BN_AFFINE(b), HG_ARG_TENSOR(b->stats),
                          HG_ARG_TENSOR(y), HG_ARG_I32(keep), HG_ARG_TENSOR(winner)));
}

static bool is_fused(const hg_pool_problem *p, int ndim)
{
    bool fits = ndim == 4;
    for (int d = 0; d < 2; d++)
        fits = fits && p->o.kernel[d] == 2 && p->o.stride[d] == 2 && !p->o.padding[d] && p->o.dilation[d] == 1 &&
               p->out[d] == p->in[d] / 2;
    return fits;
}

static hg_tensor *fused(hg_bn *b, const hg_pool_problem *p)
{
    hg_tensor *input = b->x, *weight = b->weight, *bias = b->bias;
    bool keep = hg_will_record((hg_tensor *[]){input, weight, bias}, 3);
    hg_tensor *y = hg_new_tensor(input->dev, input->dtype, p->ndim, p->size);
    hg_tensor *winner = keep ? hg_new_tensor(input->dev, HG_U8, p->ndim, p->size) : y;
    if (!hg_ok(y) || !hg_ok(winner) || hg_bn_prepare(b) != HG_OK || forward(b, y, keep, winner) != HG_OK) return hg_failed();
    hg_bn_updated(b);
    fused_context c = {b->train};
    return hg_record(y, &fused_op, HG_LIST(input, weight, bias), HG_LIST(b->x, b->weight, b->stats, winner), &c, sizeof c);
}

hg_tensor *hg_batch_norm_relu(hg_tensor *input, hg_tensor *running_mean, hg_tensor *running_var, hg_tensor *weight,
                              hg_tensor *bias, bool training, double momentum, double eps, const hg_pool_options *pool)
{
    hg_bn b = {.op = "batch_norm_relu", .x = input, .mean = running_mean, .var = running_var, .weight = weight,
               .bias = bias, .train = training || !running_mean, .momentum = momentum, .eps = eps};
    hg_pool_problem p = {0};
    if (!pool) return hg_bn_apply(&b, true);
    if (hg_bn_check(&b) != HG_OK || hg_pool_plan("max_pool2d", input, pool, &p) != HG_OK) return hg_failed();
    hg_scope *s = hg_scope_inner();
    if (is_fused(&p, input->ndim)) return hg_scope_return(s, fused(&b, &p));
    return hg_scope_return(s, hg_max_pool2d(hg_bn_apply(&b, true), pool, NULL));
}
