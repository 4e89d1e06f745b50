/* gemm-1x1: kernels of 1 in every dimension are products of the weight and the images as they lie.
 *
 *   forward            output[n] = weight input[n]           one product for all images of a group
 *   backward-data      input[n] = weight^T output[n]
 *   backward-weights   weight = sum over n of output[n] input[n]^T
 *
 * With a stride or padding, the pixels that count are gathered first, and in backward-data spread afterwards, a chunk
 * of `value[CHUNK]` images at a time. Backward-weights has two forms: each image of a chunk adds to a gradient of its
 * own, and these are summed at the end (no copy of stride 1); or, with value[JOINED], the images of a chunk lie side by
 * side for one long product, which pays where the weight has more elements than an image. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "blas/gemm.h"
#include "conv/solver.h"

/* Of a configuration: images of a chunk; whether backward-weights lays them side by side. */
enum { CHUNK, JOINED };

/* Bytes of gathered pixels and of separate gradients that stay in the caches of a CPU. */
static const int64_t GATHERED = 4 << 20, APART = 1 << 20;

static int64_t element_of(const hg_conv_problem *p)
{
    return p->dtype == HG_F64 ? 8 : 4;
}

/* Whether every pixel of the input counts once. */
static bool is_plain(const hg_conv_problem *p)
{
    for (int d = 0; d < p->rank; d++)
        if (p->stride[d] != 1 || p->begin[d] || p->end[d]) return false;
    return true;
}

static bool pointwise_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    (void)dev;
    for (int d = 0; d < p->rank; d++) {
        if (p->kernel[d] == 1) continue;
        snprintf(why, HG_WHY, "kernel of %lld in dimension %d", (long long)p->kernel[d], d);
        return false;
    }
    int64_t area = hg_conv_output_area(p);
    if (p->channels < INT_MAX / 2 && p->outputs < INT_MAX / 2 && area < INT_MAX / 4) return true;
    snprintf(why, HG_WHY, "%lld channels, %lld outputs of %lld pixels are too large for the matrix product",
             (long long)p->channels, (long long)p->outputs, (long long)area);
    return false;
}

/* Elements of workspace: gathered input, then the output's gradient side by side, then gradients of the weight. */
static int64_t gathered_of(const hg_conv_problem *p, const hg_conv_config *c)
{
    bool copied = !is_plain(p) || (c->value[JOINED] && c->value[CHUNK] > 1);
    return copied ? c->value[CHUNK] * p->channels * hg_conv_output_area(p) : 0;
}

static int64_t joined_of(const hg_conv_problem *p, const hg_conv_config *c)
{
    return c->value[JOINED] && c->value[CHUNK] > 1 ? c->value[CHUNK] * p->outputs * hg_conv_output_area(p) : 0;
}

static int64_t apart_of(const hg_conv_problem *p, const hg_conv_config *c)
{
    bool apart = p->direction == HG_CONV_BACKWARD_WEIGHTS && !c->value[JOINED] && c->value[CHUNK] > 1;
    return apart ? c->value[CHUNK] * hg_conv_weight_numel(p) : 0;
}

static size_t pointwise_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    return (size_t)((gathered_of(p, c) + joined_of(p, c) + apart_of(p, c)) * element_of(p));
}

/* Chunks of `images` at most that keep to the workspace, of one size as far as possible. */
static hg_conv_config config_of(const hg_conv_problem *p, int64_t images, bool joined)
{
    hg_conv_config c = {{0, joined}};
    images = hg_max_i64(1, hg_min_i64(images, p->batch));
    do {
        c.value[CHUNK] = (int32_t)images;
        images = hg_ceil_div(images, 2);
    } while (c.value[CHUNK] > 1 && pointwise_workspace(p, &c) > (uint64_t)p->workspace_limit);
    c.value[CHUNK] = (int32_t)hg_ceil_div(p->batch, hg_ceil_div(p->batch, c.value[CHUNK]));
    return c;
}

static int pointwise_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    bool cpu = hg_is_cpu(dev);
    int64_t area = hg_conv_output_area(p), most = hg_min_i64(INT_MAX / 2, INT_MAX / 4 / area), images = most;
    (void)max;
    if (cpu && !is_plain(p)) images = GATHERED / (p->channels * area * element_of(p));
    if (p->direction != HG_CONV_BACKWARD_WEIGHTS) {
        configs[0] = config_of(p, is_plain(p) ? p->batch : images, false);
        return 1;
    }
    int64_t own = (cpu ? APART : 16 * APART) / (hg_conv_weight_numel(p) * element_of(p));
    configs[0] = config_of(p, hg_min_i64(own, images), false);
    configs[1] = config_of(p, cpu ? GATHERED / (p->channels * area * element_of(p)) : most, true);
    return configs[1].value[CHUNK] > 1 ? 2 : 1;
}

static double pointwise_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    int64_t og = p->outputs / p->groups, cg = p->channels / p->groups, area = hg_conv_output_area(p);
    int64_t m = p->direction == HG_CONV_BACKWARD_DATA ? cg : og, n = area;
    double chunks = (double)hg_ceil_div(p->batch, c->value[CHUNK]), element = (double)element_of(p), traffic = 0;
    double joined = c->value[JOINED] && c->value[CHUNK] > 1, weights = (double)hg_conv_weight_numel(p);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) {
        n = cg;
        traffic = joined ? 2.0 * (double)hg_conv_output_numel(p) : 2.0 * (double)p->batch * weights;
    }
    if (!is_plain(p) || joined) traffic += 3.0 * (double)p->batch * (double)p->channels * (double)area;
    if (!is_plain(p) && p->direction == HG_CONV_BACKWARD_DATA) traffic += 0.5 * (double)hg_conv_input_numel(p);
    if (p->epilogue & HG_CONV_RESIDUAL) traffic += 3.0 * (double)hg_conv_output_numel(p);
    /* Tiles of 8 x 32 are computed whole. */
    double share = (p->direction == HG_CONV_BACKWARD_WEIGHTS ? 0.75 : 0.9) * (double)(m * n) / (double)(hg_round_up(m, 8) * hg_round_up(n, 32));
    return hg_conv_flops(p) / (hg_conv_peak(dev, p->dtype == HG_F64) * share) +
           element * traffic / hg_conv_bandwidth(dev) + 1.5e-5 * chunks * (double)p->groups;
}

/* ---- running ---- */

/* One chunk: images first .. first + count - 1, and the pixels of theirs that count. */
typedef struct chunk {
    hg_device *dev;
    const hg_conv_problem *p;
    const hg_conv_config *c;
    const hg_conv_buffers *b;
    int64_t first, count, area;
    hg_matrix pixels; /* C x area of the first image; step: to the next */
    char options[40];
} chunk;

static hg_status launch_gather(const chunk *k)
{
    const hg_conv_problem *p = k->p;
    hg_arg g[3];
    hg_conv_geometry(p, g);
    hg_range range = hg_is_cpu(k->dev) ? hg_range_items(k->dev, 1, p->channels, k->count, 1)
                                       : hg_range_elements(k->dev, p->channels * k->count * k->area);
    return hg_launch(k->dev, &hg_source_im2col, k->options, "im2col", range,
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(k->first), HG_ARG_I64(k->count), HG_ARG_TENSOR(k->b->input),
                             HG_ARG_MEM(k->pixels.mem), HG_ARG_I64(k->pixels.offset), HG_ARG_I64(k->pixels.ld),
                             HG_ARG_I64(k->pixels.step)));
}

static hg_status launch_spread(const chunk *k)
{
    const hg_conv_problem *p = k->p;
    hg_arg g[3];
    hg_conv_geometry(p, g);
    int64_t area = hg_conv_input_area(p), rows = area / p->size[p->rank - 1];
    hg_range range = hg_is_cpu(k->dev) ? hg_range_items(k->dev, rows, p->channels, k->count, 1)
                                       : hg_range_elements(k->dev, p->channels * k->count * area);
    return hg_launch(k->dev, &hg_source_gemm_1x1, k->options, "spread", range,
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(k->first), HG_ARG_I64(k->count), HG_ARG_MEM(k->pixels.mem),
                             HG_ARG_I64(k->pixels.offset), HG_ARG_I64(k->pixels.ld), HG_ARG_I64(k->pixels.step),
                             HG_ARG_TENSOR(k->b->input)));
}

/* The chunk's images of `t`, `rows` planes each, behind one another in each row, at `to` of the workspace. */
static hg_status launch_side_by_side(const chunk *k, const hg_tensor *t, int64_t rows, int64_t to)
{
    hg_range range = hg_is_cpu(k->dev) ? hg_range_items(k->dev, rows, k->count, 1, 1)
                                       : hg_range_elements(k->dev, rows * k->count * k->area);
    return hg_launch(k->dev, &hg_source_im2col, k->options, "side_by_side", range,
                     HG_ARGS(HG_ARG_I64(rows), HG_ARG_I64(k->count), HG_ARG_I64(k->area), HG_ARG_MEM(t->storage->mem),
                             HG_ARG_I64(t->offset + k->first * rows * k->area), HG_ARG_MEM(k->b->workspace),
                             HG_ARG_I64(to)));
}

static hg_matrix weight_of(const chunk *k, int64_t g)
{
    int64_t og = k->p->outputs / k->p->groups, cg = k->p->channels / k->p->groups;
    return (hg_matrix){k->b->weight->storage->mem, k->b->weight->offset + g * og * cg, cg, 0};
}

static hg_matrix output_of(const chunk *k, int64_t g)
{
    const hg_tensor *y = k->b->output;
    int64_t og = k->p->outputs / k->p->groups, step = k->p->outputs * k->area;
    return (hg_matrix){y->storage->mem, y->offset + k->first * step + g * og * k->area, k->area, step};
}

static hg_matrix pixels_of(const chunk *k, int64_t g)
{
    hg_matrix m = k->pixels;
    m.offset += g * (k->p->channels / k->p->groups) * m.ld;
    return m;
}

static hg_status forward(const chunk *k)
{
    const hg_conv_problem *p = k->p;
    int64_t og = p->outputs / p->groups;
    hg_gemm_problem q = {.f64 = p->dtype == HG_F64,
                         .m = og,
                         .n = k->area,
                         .k = p->channels / p->groups,
                         .batch = k->count,
                         .alpha = 1,
                         .beta = p->epilogue & HG_CONV_RESIDUAL ? 1 : 0,
                         .relu = p->epilogue & HG_CONV_RELU};
    if (!is_plain(p)) HG_TRY(launch_gather(k));
    for (int64_t g = 0; g < p->groups; g++) {
        q.a = weight_of(k, g);
        q.b = pixels_of(k, g);
        q.c = output_of(k, g);
        if (p->epilogue & HG_CONV_BIAS) {
            q.bias_along = HG_BIAS_ROWS;
            q.bias = k->b->bias->storage->mem;
            q.bias_offset = k->b->bias->offset + g * og;
        }
        HG_TRY(hg_gemm(k->dev, &q));
    }
    return HG_OK;
}

static hg_status backward_data(const chunk *k)
{
    const hg_conv_problem *p = k->p;
    hg_gemm_problem q = {.f64 = p->dtype == HG_F64,
                         .trans_a = true,
                         .m = p->channels / p->groups,
                         .n = k->area,
                         .k = p->outputs / p->groups,
                         .batch = k->count,
                         .alpha = 1};
    for (int64_t g = 0; g < p->groups; g++) {
        q.a = weight_of(k, g);
        q.b = output_of(k, g);
        q.c = pixels_of(k, g);
        HG_TRY(hg_gemm(k->dev, &q));
    }
    return is_plain(p) ? HG_OK : launch_spread(k);
}

/* The images of the chunk add to a gradient each; a chunk of one image is the whole sum. */
static hg_status backward_weights_apart(const chunk *k)
{
    const hg_conv_problem *p = k->p;
    int64_t own = apart_of(p, k->c) ? hg_conv_weight_numel(p) : 0;
    hg_gemm_problem q = {.f64 = p->dtype == HG_F64,
                         .trans_b = true,
                         .m = p->outputs / p->groups,
                         .n = p->channels / p->groups,
                         .k = k->area,
                         .batch = k->count,
                         .alpha = 1,
                         .beta = k->first > 0};
    if (!is_plain(p)) HG_TRY(launch_gather(k));
    for (int64_t g = 0; g < p->groups; g++) {
        q.a = output_of(k, g);
        q.b = pixels_of(k, g);
        q.c = weight_of(k, g);
        if (own)
            q.c = (hg_matrix){k->b->workspace, gathered_of(p, k->c) + g * q.m * q.n, q.n, own};
        HG_TRY(hg_gemm(k->dev, &q));
    }
    if (!own || k->first + k->count < p->batch) return HG_OK;
    return hg_launch(k->dev, &hg_source_conv_sum, k->options, "conv_sum", hg_range_elements(k->dev, own),
                     HG_ARGS(HG_ARG_I64(own), HG_ARG_I64(k->c->value[CHUNK]), HG_ARG_MEM(k->b->workspace),
                             HG_ARG_I64(gathered_of(p, k->c)), HG_ARG_TENSOR(k->b->weight)));
}

static hg_status backward_weights_joined(const chunk *k)
{
    const hg_conv_problem *p = k->p;
    int64_t og = p->outputs / p->groups, cg = p->channels / p->groups, length = k->count * k->area;
    hg_matrix gradient = output_of(k, 0);
    if (!is_plain(p))
        HG_TRY(launch_gather(k));
    else if (k->c->value[CHUNK] > 1)
        HG_TRY(launch_side_by_side(k, k->b->input, p->channels, 0));
    if (k->c->value[CHUNK] > 1) {
        gradient = (hg_matrix){k->b->workspace, gathered_of(p, k->c), length, 0};
        HG_TRY(launch_side_by_side(k, k->b->output, p->outputs, gradient.offset));
    }
    hg_gemm_problem q = {.f64 = p->dtype == HG_F64,
                         .trans_b = true,
                         .m = og,
                         .n = cg,
                         .k = length,
                         .batch = p->groups,
                         .alpha = 1,
                         .beta = k->first > 0};
    q.a = gradient;
    q.a.step = og * length;
    q.b = k->pixels;
    q.b.step = cg * length;
    q.c = weight_of(k, 0);
    q.c.step = og * cg;
    return hg_gemm(k->dev, &q);
}

static void place_pixels(chunk *k)
{
    const hg_tensor *x = k->b->input;
    int64_t step = k->p->channels * k->area;
    if (!gathered_of(k->p, k->c))
        k->pixels = (hg_matrix){x->storage->mem, x->offset + k->first * step, k->area, step};
    else if (k->c->value[JOINED])
        k->pixels = (hg_matrix){k->b->workspace, 0, k->count * k->area, k->area};
    else
        k->pixels = (hg_matrix){k->b->workspace, 0, k->area, step};
}

static hg_status pointwise_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    chunk k = {.dev = dev, .p = p, .c = &plan->config, .b = b, .area = hg_conv_output_area(p)};
    bool wide = hg_conv_wide(p) || (int64_t)plan->workspace / element_of(p) > INT_MAX / 2;
    snprintf(k.options, sizeof k.options, "%s%s", hg_real_options((hg_dtype)p->dtype), wide ? " -DHG_WIDE=1" : "");
    if (p->epilogue & HG_CONV_RESIDUAL) HG_TRY(hg_raw_copy((hg_tensor *)b->output, b->residual));
    for (k.first = 0; k.first < p->batch; k.first += plan->config.value[CHUNK]) {
        k.count = hg_min_i64(plan->config.value[CHUNK], p->batch - k.first);
        place_pixels(&k);
        switch (p->direction) {
        case HG_CONV_FORWARD:
            HG_TRY(forward(&k));
            break;
        case HG_CONV_BACKWARD_DATA:
            HG_TRY(backward_data(&k));
            break;
        default:
            HG_TRY(plan->config.value[JOINED] ? backward_weights_joined(&k) : backward_weights_apart(&k));
        }
    }
    return HG_OK;
}

const hg_conv_solver hg_conv_gemm_1x1 = {
    .name = "gemm-1x1",
    .applicable = pointwise_applicable,
    .configs = pointwise_configs,
    .workspace = pointwise_workspace,
    .cost = pointwise_cost,
    .run = pointwise_run,
};
