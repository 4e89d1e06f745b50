/* fft: convolutions of stride 1 in tiles that overlap, as products of their spectra; for kernels so large that this
 * saves more than the transforms cost. kernels/conv_fft.cl, lib/blas/fft.h.
 *
 *   forward            Y = conj(W) X for each frequency, summed over channels: a real product of 2 O x C by C x 2 tiles
 *   backward-data      forward of the output's gradient by the mirrored weight
 *   backward-weights   DW = conj(DY) X, summed over tiles: a real product of O x 2 tiles by 2 tiles x 2 C
 *
 * One dimension is a plane of one row. A dilated kernel is a larger one with zeros. Tiles of 16, 32 or 64 (squared) go in
 * chunks whose numbers of planes are rounded up to 64, 256, 1024 and so on: plans of transforms take seconds to make, and
 * shapes share them. The packed weight is its spectra.
 * Not a number, or an infinity, in a tile spreads over the tile. clFFT transforms two arrays of one dimension as a single
 * complex one: it spreads over a second tile then, rounding errors are relative to both, and the planes that only fill
 * a batch must be zeros. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "blas/fft.h"
#include "blas/gemm.h"
#include "conv/solver.h"

/* Of a configuration: pixels of a tile along a dimension, tiles of a chunk. layout: the tile and the dilation. */
enum { TILE, TILES };
enum { LARGEST = 64, SMALLEST = 16, PLANE_FLOATS = 1 << 20, LEAST_BATCH = 64, BATCH_STEP = 4 };

/* One dimension is two with one row. Index of a problem's arrays: the last dimension, or the one before. */
enum { ROWS, COLUMNS };

static int64_t along(const hg_conv_problem *p, int axis, const int64_t *values, int64_t of_one)
{
    return axis == COLUMNS ? values[p->rank - 1] : p->rank == 2 ? values[0] : of_one;
}

static int64_t output_of(const hg_conv_problem *p, int axis)
{
    return axis == COLUMNS ? hg_conv_output(p, p->rank - 1) : p->rank == 2 ? hg_conv_output(p, 0) : 1;
}

static int64_t extent_of(const hg_conv_problem *p, int axis)
{
    return along(p, axis, p->dilation, 1) * (along(p, axis, p->kernel, 1) - 1) + 1;
}

static int64_t largest_extent(const hg_conv_problem *p)
{
    return hg_max_i64(extent_of(p, ROWS), extent_of(p, COLUMNS));
}

/* How a convolution f is cut: tile height and width, what of it counts, tiles down and across an image, all tiles. */
typedef struct cut {
    int64_t th, tw, vh, vw, ah, aw, all, size, frequencies;
} cut;

static cut cut_of(const hg_conv_problem *f, int64_t tile)
{
    cut t = {.th = f->rank == 2 ? tile : 1, .tw = tile};
    t.vh = t.th - extent_of(f, ROWS) + 1;
    t.vw = t.tw - extent_of(f, COLUMNS) + 1;
    t.ah = hg_ceil_div(output_of(f, ROWS), t.vh);
    t.aw = hg_ceil_div(output_of(f, COLUMNS), t.vw);
    t.all = f->batch * t.ah * t.aw;
    t.size = t.th * t.tw;
    t.frequencies = t.th * (t.tw / 2 + 1);
    return t;
}

static bool fft_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    (void)dev;
    why[0] = 0;
    for (int d = 0; d < p->rank; d++)
        if (p->stride[d] != 1) snprintf(why, HG_WHY, "stride %lld", (long long)p->stride[d]);
    if (why[0]) return false;
    if (p->rank > 2)
        snprintf(why, HG_WHY, "%d dimensions", (int)p->rank);
    else if (p->dtype != HG_F32)
        snprintf(why, HG_WHY, "only for float32");
    else if (p->groups != 1)
        snprintf(why, HG_WHY, "%lld groups", (long long)p->groups);
    else if (largest_extent(p) > LARGEST)
        snprintf(why, HG_WHY, "a kernel that spans %lld pixels, more than a tile of %d", (long long)largest_extent(p),
                 LARGEST);
    else if (hg_conv_wide(p) || hg_max_i64(p->channels, p->outputs) > 1 << 16 ||
             p->channels * p->outputs > INT_MAX / (2 * LARGEST * (LARGEST / 2 + 1)))
        snprintf(why, HG_WHY, "%lld channels and %lld outputs are too many", (long long)p->channels,
                 (long long)p->outputs);
    return !why[0];
}

/* ---- workspace, in floats; every part begins where clFFT takes it ---- */

/* Planes that are transformed together, for `n`: one of few numbers. */
static int64_t batch_of(int64_t n)
{
    int64_t batch = LEAST_BATCH;
    while (batch < n) batch *= BATCH_STEP;
    return batch;
}

static int64_t part_size(int64_t floats)
{
    return hg_round_up(floats, HG_FFT_ALIGN / 4);
}

/* Planes that are transformed together: of `count` channels a tile each, or at most of the weight's pairs. */
static int64_t planes_of(int64_t count, const hg_conv_config *c)
{
    return batch_of(count * c->value[TILES]);
}

static int64_t pairs_of(const hg_conv_problem *f, const cut *t)
{
    return hg_min_i64(batch_of(f->channels * f->outputs), batch_of(PLANE_FLOATS / t->size));
}

/* Tiles as pixels; spectra of the input, of the output or its gradient; products, or the input's pairs; the weight's
 * gradient as products. The weight's pairs go through the first two. */
typedef struct places {
    int64_t spectra, other, products, sums, end;
} places;

static places places_of(const hg_conv_problem *f, const hg_conv_config *c)
{
    cut t = cut_of(f, c->value[TILE]);
    bool weights = f->direction == HG_CONV_BACKWARD_WEIGHTS;
    int64_t in = planes_of(f->channels, c), out = planes_of(f->outputs, c), most = hg_max_i64(in, out);
    if (weights) most = hg_max_i64(most, pairs_of(f, &t));
    places at = {part_size(most * t.size), 0, 0, 0, 0};
    at.other = at.spectra + part_size(2 * t.frequencies * hg_fft_pitch(most));
    at.products = at.other + (weights ? part_size(2 * t.frequencies * hg_fft_pitch(out)) : 0);
    at.sums = at.products + part_size(4 * t.frequencies * c->value[TILES] * (weights ? f->channels : f->outputs));
    at.end = at.sums + (weights ? part_size(2 * t.frequencies * f->channels * f->outputs) : 0);
    return at;
}

static size_t fft_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    hg_conv_problem f = hg_conv_as_forward(p);
    return (size_t)places_of(&f, c).end * 4;
}

static size_t fft_packed(const hg_conv_problem *p, const hg_conv_config *c)
{
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) return 0;
    cut t = cut_of(p, c->value[TILE]);
    return (size_t)(2 * t.frequencies * p->channels * p->outputs) * 4;
}

static int fft_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    hg_conv_problem f = hg_conv_as_forward(p);
    int n = 0;
    (void)dev;
    for (int tile = SMALLEST; tile <= LARGEST && n < max; tile *= 2) {
        if (largest_extent(p) > tile) continue;
        cut t = cut_of(&f, tile);
        int64_t tiles = PLANE_FLOATS / t.size / hg_max_i64(f.channels, f.outputs);
        int64_t dilation = along(p, ROWS, p->dilation, 1) << 8 | along(p, COLUMNS, p->dilation, 1) << 16;
        hg_conv_config c = {.layout = (int32_t)(tile | dilation)};
        c.value[TILE] = tile;
        c.value[TILES] = (int32_t)hg_max_i64(1, hg_min_i64(tiles, t.all));
        while (c.value[TILES] > 1 && fft_workspace(p, &c) + fft_packed(p, &c) > (uint64_t)p->workspace_limit)
            c.value[TILES] = (c.value[TILES] + 1) / 2;
        configs[n++] = c;
    }
    return n;
}

/* Seconds. A pixel of a tile costs 12 ns to gather, transform and store on a CPU of two units through clFFT. */
static double fft_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    hg_conv_problem f = hg_conv_as_forward(p);
    cut t = cut_of(&f, c->value[TILE]);
    double units = dev->info.units ? dev->info.units : 1, pixel = hg_is_cpu(dev) ? 28e-9 / units : 1.5e-10;
    double chunks = (double)hg_ceil_div(t.all, c->value[TILES]), share = (double)c->value[TILES];
    double in = (double)planes_of(f.channels, c) / share, out = (double)planes_of(f.outputs, c) / share;
    double pairs = (double)f.channels * (double)f.outputs, tiles = chunks * share;
    double product = 8 * pairs * tiles * (double)t.frequencies / (0.5 * hg_conv_peak(dev, false));
    return pixel * (double)t.size * (tiles * (in + out) + pairs) + product + 1e-4 * chunks + 2e-4;
}

/* ---- running ---- */

/* What all launches of a run share. */
typedef struct job {
    hg_device *dev;
    const hg_conv_problem *f;
    const hg_conv_config *c;
    const hg_conv_buffers *b;
    cut t;
    places at;
    int64_t first, tiles; /* of the chunk */
} job;

static hg_arg shape_of(const job *j)
{
    const cut *t = &j->t;
    return (hg_arg){.size = sizeof(cl_long8),
                    .value.i64x8 = {{t->th, t->tw, t->vh, t->vw, t->ah, t->aw, j->first, j->tiles}}};
}

#define LAUNCH(j, name, n, ...)                                                                                        \
    hg_launch((j)->dev, &hg_source_conv_fft, "", name, hg_range_elements((j)->dev, n), HG_ARGS(__VA_ARGS__))

/* Planes that are written of `n` in a batch. */
static int64_t filled(const job *j, int64_t n, int64_t batch)
{
    return j->f->rank == 1 ? batch : n;
}

static hg_status transform(const job *j, int64_t batch, bool inverse, cl_mem mem, int64_t spectra)
{
    hg_fft t = {j->f->rank, (int32_t)j->t.tw, batch, inverse};
    return hg_fft_run(j->dev, &t, mem, inverse ? 4 * spectra : 0, mem, inverse ? 0 : 4 * spectra);
}

/* Spectra at `to` of the chunk's tiles of x: `channels` planes an image from (oh, ow) on, height x width pixels each. */
static hg_status spectra_of(const job *j, const hg_tensor *x, int64_t channels, bool whole, int64_t to)
{
    const hg_conv_problem *f = j->f;
    int64_t rows = whole ? along(f, ROWS, f->size, 1) : output_of(f, ROWS);
    int64_t columns = whole ? along(f, COLUMNS, f->size, 1) : output_of(f, COLUMNS);
    int64_t oh = whole ? -along(f, ROWS, f->begin, 0) : 0, ow = whole ? -along(f, COLUMNS, f->begin, 0) : 0;
    int64_t planes = filled(j, channels * j->tiles, planes_of(channels, j->c));
    HG_TRY(LAUNCH(j, "fft_tiles", planes * j->t.size, shape_of(j), HG_ARG_I64(planes), HG_ARG_I64(channels),
                  HG_ARG_I64(rows), HG_ARG_I64(columns), HG_ARG_I64(oh), HG_ARG_I64(ow),
                  HG_ARG_I64(whole ? j->t.th : j->t.vh), HG_ARG_I64(whole ? j->t.tw : j->t.vw), HG_ARG_TENSOR(x), HG_ARG_MEM(j->b->workspace), HG_ARG_I64(0)));
    return transform(j, planes_of(channels, j->c), false, j->b->workspace, to);
}

static hg_status forward_chunk(const job *j, const hg_tensor *x, const hg_tensor *y)
{
    const hg_conv_problem *f = j->f;
    const int64_t o = f->outputs, c = f->channels, n = j->tiles, out = planes_of(o, j->c), frequencies = j->t.frequencies;
    const hg_tensor *bias = f->epilogue & HG_CONV_BIAS ? j->b->bias : x,
                    *residual = f->epilogue & HG_CONV_RESIDUAL ? j->b->residual : x;
    const cl_mem w = j->b->workspace;
    HG_TRY(spectra_of(j, x, c, true, j->at.spectra));
    hg_gemm_problem q = {.m = 2 * o, .n = 2 * n, .k = c, .batch = frequencies, .alpha = 1};
    q.a = (hg_matrix){j->b->packed, 0, c, 2 * o * c};
    q.b = (hg_matrix){w, j->at.spectra, 2 * n, 2 * hg_fft_pitch(planes_of(c, j->c))};
    q.c = (hg_matrix){w, j->at.products, 2 * n, 4 * o * n};
    HG_TRY(hg_gemm(j->dev, &q));
    const int64_t planes = filled(j, o * n, out);
    HG_TRY(LAUNCH(j, "fft_combine", frequencies * planes, HG_ARG_I64(frequencies), HG_ARG_I64(planes),
                  HG_ARG_I64(hg_fft_pitch(out)), HG_ARG_I64(o), HG_ARG_I64(n), HG_ARG_MEM(w),
                  HG_ARG_I64(j->at.products), HG_ARG_MEM(w), HG_ARG_I64(j->at.spectra)));
    HG_TRY(transform(j, out, true, w, j->at.spectra));
    return LAUNCH(j, "fft_store", o * n * j->t.vh * j->t.vw, shape_of(j), HG_ARG_I64(o),
                  HG_ARG_I64(output_of(f, ROWS)), HG_ARG_I64(output_of(f, COLUMNS)),
                  HG_ARG_MEM(w), HG_ARG_I64(0), HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y),
                  HG_ARG_I32(f->epilogue));
}

static hg_status weights_chunk(const job *j)
{
    const hg_conv_problem *f = j->f;
    const int64_t o = f->outputs, c = f->channels, n = j->tiles, frequencies = j->t.frequencies;
    const cl_mem w = j->b->workspace;
    HG_TRY(spectra_of(j, j->b->input, c, true, j->at.spectra));
    HG_TRY(LAUNCH(j, "fft_pairs", frequencies * c * n, HG_ARG_I64(frequencies),
                  HG_ARG_I64(hg_fft_pitch(planes_of(c, j->c))), HG_ARG_I64(c), HG_ARG_I64(n), HG_ARG_MEM(w),
                  HG_ARG_I64(j->at.spectra), HG_ARG_MEM(w), HG_ARG_I64(j->at.products)));
    HG_TRY(spectra_of(j, j->b->output, o, false, j->at.other));
    hg_gemm_problem q = {.trans_b = true,
                         .m = o,
                         .n = 2 * c,
                         .k = 2 * n,
                         .batch = frequencies,
                         .alpha = 1,
                         .beta = j->first > 0};
    q.a = (hg_matrix){w, j->at.other, 2 * n, 2 * hg_fft_pitch(planes_of(o, j->c))};
    q.b = (hg_matrix){w, j->at.products, 2 * n, 4 * c * n};
    q.c = (hg_matrix){w, j->at.sums, 2 * c, 2 * o * c};
    return hg_gemm(j->dev, &q);
}

/* The weight's gradient from its spectra, a batch of pairs of channels at a time. */
static hg_status weights_finish(const job *j)
{
    const hg_conv_problem *f = j->f;
    const int64_t all = f->outputs * f->channels, batch = pairs_of(f, &j->t), frequencies = j->t.frequencies;
    const cl_mem w = j->b->workspace;
    hg_arg g[3];
    hg_conv_geometry(f, g);
    for (int64_t first = 0, n; first < all; first += n) {
        n = hg_min_i64(batch, all - first);
        const int64_t planes = filled(j, n, batch);
        HG_TRY(LAUNCH(j, "fft_gradient", frequencies * planes, HG_ARG_I64(frequencies), HG_ARG_I64(planes),
                      HG_ARG_I64(hg_fft_pitch(batch)), HG_ARG_I64(first), HG_ARG_I64(n), HG_ARG_I64(f->outputs),
                      HG_ARG_I64(f->channels), HG_ARG_MEM(w), HG_ARG_I64(j->at.sums), HG_ARG_MEM(w),
                      HG_ARG_I64(j->at.spectra)));
        HG_TRY(transform(j, batch, true, w, j->at.spectra));
        HG_TRY(LAUNCH(j, "fft_taps", n * hg_conv_kernel_area(f), shape_of(j), g[1],
                      HG_ARG_I64(first), HG_ARG_I64(n), HG_ARG_MEM(w), HG_ARG_I64(0), HG_ARG_TENSOR(j->b->weight)));
    }
    return HG_OK;
}

/* Tiles and spectra of a batch of the weight's pairs in `own`, into the packed weight. */
static hg_status pack_with(const job *j, bool mirrored, cl_mem own, int64_t spectra)
{
    const hg_conv_problem *f = j->f;
    const int64_t o = f->outputs, c = f->channels, batch = pairs_of(f, &j->t), frequencies = j->t.frequencies;
    hg_arg g[3];
    hg_conv_geometry(f, g);
    for (int64_t first = 0, n; first < o * c; first += n) {
        n = hg_min_i64(batch, o * c - first);
        const int64_t planes = filled(j, n, batch);
        HG_TRY(LAUNCH(j, "fft_weights", planes * j->t.size, shape_of(j), g[1], HG_ARG_I64(planes),
                      HG_ARG_I64(first), HG_ARG_I64(n), HG_ARG_I64(o), HG_ARG_I64(c), HG_ARG_I32(mirrored),
                      HG_ARG_TENSOR(j->b->weight), HG_ARG_MEM(own), HG_ARG_I64(0)));
        HG_TRY(transform(j, batch, false, own, spectra));
        HG_TRY(LAUNCH(j, "fft_matrix", frequencies * n, HG_ARG_I64(frequencies), HG_ARG_I64(hg_fft_pitch(batch)),
                      HG_ARG_I64(first), HG_ARG_I64(n), HG_ARG_I64(o), HG_ARG_I64(c), HG_ARG_MEM(own),
                      HG_ARG_I64(spectra), HG_ARG_MEM(j->b->packed)));
    }
    return HG_OK;
}

static hg_status fft_prepare(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    hg_conv_problem f = hg_conv_as_forward(&plan->problem);
    job j = {.dev = dev, .f = &f, .c = &plan->config, .b = b, .t = cut_of(&f, plan->config.value[TILE])};
    int64_t batch = pairs_of(&f, &j.t), spectra = part_size(batch * j.t.size);
    hg_block *own = hg_pool_take(dev, (size_t)(spectra + 2 * j.t.frequencies * hg_fft_pitch(batch)) * 4);
    if (!own) return hg_last_status();
    hg_status status = pack_with(&j, plan->problem.direction == HG_CONV_BACKWARD_DATA, own->mem, spectra);
    hg_pool_give(dev, own);
    return status;
}

static hg_status fft_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    hg_conv_problem f = hg_conv_as_forward(&plan->problem);
    const hg_conv_config *c = &plan->config;
    job j = {.dev = dev, .f = &f, .c = c, .b = b, .t = cut_of(&f, c->value[TILE]), .at = places_of(&f, c)};
    const bool data = plan->problem.direction == HG_CONV_BACKWARD_DATA, weights = f.direction != HG_CONV_FORWARD;
    for (; j.first < j.t.all; j.first += j.tiles) {
        j.tiles = hg_min_i64(c->value[TILES], j.t.all - j.first);
        HG_TRY(weights ? weights_chunk(&j)
                       : forward_chunk(&j, data ? b->output : b->input, data ? b->input : b->output));
    }
    return weights ? weights_finish(&j) : HG_OK;
}

const hg_conv_solver hg_conv_fft = {
    .name = "fft",
    .applicable = fft_applicable,
    .configs = fft_configs,
    .workspace = fft_workspace,
    .packed = fft_packed,
    .prepare = fft_prepare,
    .cost = fft_cost,
    .run = fft_run,
};
