/* Winograd's algorithm for devices of class GPU (kernels/winograd_gpu.cl): the products are a batch, one of each point,
 * a chunk of rows of tiles at a time. Workspace: the chunk's input and output in points, after the gradient's points in
 * backward-weights. The packed weight is a plain matrix for each point. */
#include <limits.h>

#include "base/error.h"
#include "blas/gemm.h"
#include "conv/winograd.h"

int64_t hg_winograd_gpu_workspace(const hg_winograd_cut *w, const hg_conv_config *c)
{
    int64_t tiles = c->value[HG_WINOGRAD_ROWS] * w->across;
    int64_t gradient = w->f.direction == HG_CONV_BACKWARD_WEIGHTS ? w->f.outputs * w->f.channels : 0;
    return w->points * (gradient + (w->f.outputs + w->f.channels) * tiles);
}

int64_t hg_winograd_gpu_packed(const hg_winograd_cut *w)
{
    return w->points * w->f.outputs * w->f.channels;
}

/* As im2col-gemm's: what the product leaves of the peak, and points that go through memory twice. */
double hg_winograd_gpu_cost(const hg_winograd_cut *w, const hg_conv_config *c, const hg_device *dev)
{
    double tiles = (double)(w->rows * w->across), deep = (double)w->f.channels, wide = (double)w->f.outputs;
    double chunks = (double)hg_ceil_div(w->rows, c->value[HG_WINOGRAD_ROWS]), points = (double)w->points;
    return points * 2 * tiles * deep * wide / (0.5 * hg_conv_peak(dev, false)) +
           4 * points * (2 * tiles * (deep + wide) + deep * wide) / hg_conv_bandwidth(dev) + 6e-5 * (chunks + 1);
}

/* The fewest chunks that keep to the workspace. */
int hg_winograd_gpu_configs(const hg_winograd_cut *w, const hg_device *dev, hg_conv_config *configs, int max)
{
    int64_t most = hg_max_i64(1, INT_MAX / 64 / w->across);
    hg_conv_config c = {{1}, (int32_t)w->side};
    (void)dev;
    (void)max;
    for (int64_t chunks = hg_ceil_div(w->rows, most); c.value[HG_WINOGRAD_ROWS] == 1 && chunks < w->rows; chunks *= 2) {
        hg_conv_config larger = {{(int32_t)hg_ceil_div(w->rows, chunks)}, (int32_t)w->side};
        if (hg_winograd_fits(w, &larger)) c = larger;
    }
    configs[0] = c;
    return 1;
}

hg_status hg_winograd_gpu_weight(const hg_winograd_job *j)
{
    const int64_t o = j->cut->f.outputs, c = j->cut->f.channels, taps = j->cut->taps;
    return hg_launch(j->dev, &hg_source_winograd_gpu, j->options, "gpu_weights", hg_range_elements(j->dev, o * c),
                     HG_ARGS(HG_ARG_I64(o), HG_ARG_I64(c), HG_ARG_I64(j->mirrored ? taps : c * taps),
                             HG_ARG_I64(j->mirrored ? o * taps : taps), HG_ARG_I32(j->mirrored),
                             HG_ARG_TENSOR(j->b->weight), HG_ARG_MEM(j->b->packed)));
}

/* One kernel of a chunk: the transform of x, by the tiles of so many planes. */
static hg_status transform(const hg_winograd_job *j, const char *name, int64_t planes, int64_t t0, int64_t tiles,
                           const hg_tensor *x, int64_t at)
{
    hg_arg g[3];
    hg_conv_geometry(&j->cut->f, g);
    return hg_launch(j->dev, &hg_source_winograd_gpu, j->options, name, hg_range_elements(j->dev, planes * tiles),
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(t0), HG_ARG_I64(tiles), HG_ARG_TENSOR(x),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_I64(at)));
}

hg_status hg_winograd_gpu_forward(const hg_winograd_job *j, const hg_tensor *x, const hg_tensor *y)
{
    const hg_conv_problem *p = &j->cut->f;
    const int64_t o = p->outputs, c = p->channels, all = j->cut->rows * j->cut->across, points = j->cut->points,
                  most = j->c->value[HG_WINOGRAD_ROWS] * j->cut->across, m = points * c * most;
    const cl_mem ws = j->b->workspace;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? j->b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? j->b->residual : x;
    hg_arg g[3];
    hg_conv_geometry(p, g);
    for (int64_t t = 0, tiles; t < all; t += tiles) {
        tiles = hg_min_i64(most, all - t);
        HG_TRY(transform(j, "gpu_input", c, t, tiles, x, 0));
        hg_gemm_problem q = {.m = o, .n = tiles, .k = c, .batch = points, .alpha = 1};
        q.a = (hg_matrix){j->b->packed, 0, c, o * c};
        q.b = (hg_matrix){ws, 0, tiles, c * tiles};
        q.c = (hg_matrix){ws, m, tiles, o * tiles};
        HG_TRY(hg_gemm(j->dev, &q));
        HG_TRY(hg_launch(
            j->dev, &hg_source_winograd_gpu, j->options, "gpu_output", hg_range_elements(j->dev, o * tiles),
            HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(t), HG_ARG_I64(tiles), HG_ARG_MEM(ws), HG_ARG_I64(m),
                    HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y), HG_ARG_I32(p->epilogue))));
    }
    return HG_OK;
}

hg_status hg_winograd_gpu_gradient(const hg_winograd_job *j)
{
    const int64_t o = j->cut->f.outputs, c = j->cut->f.channels, all = j->cut->rows * j->cut->across,
                  points = j->cut->points, most = j->c->value[HG_WINOGRAD_ROWS] * j->cut->across, v = points * o * c,
                  d = v + points * c * most;
    const cl_mem ws = j->b->workspace;
    for (int64_t t = 0, tiles; t < all; t += tiles) {
        tiles = hg_min_i64(most, all - t);
        HG_TRY(transform(j, "gpu_input", c, t, tiles, j->b->input, v));
        HG_TRY(transform(j, "gpu_gradient", o, t, tiles, j->b->output, d));
        hg_gemm_problem q = {.trans_b = true, .m = o, .n = c, .k = tiles, .batch = points, .alpha = 1, .beta = t > 0};
        q.a = (hg_matrix){ws, d, tiles, o * tiles};
        q.b = (hg_matrix){ws, v, tiles, c * tiles};
        q.c = (hg_matrix){ws, 0, c, o * c};
        HG_TRY(hg_gemm(j->dev, &q));
    }
    return hg_launch(j->dev, &hg_source_winograd_gpu, j->options, "gpu_dw", hg_range_elements(j->dev, o * c),
                     HG_ARGS(HG_ARG_I64(o * c), HG_ARG_MEM(ws), HG_ARG_TENSOR(j->b->weight)));
}
