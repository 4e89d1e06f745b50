/* Winograd's algorithm for devices of class GPU (kernels/winograd_gpu.cl): the products are a batch, one of each point,
 * a chunk of rows of tiles at a time. Workspace: the chunk's input and output in points, after the gradient's points in
 * backward-weights; tiles x channels, padded to whole sectors. The packed weight is a matrix for each point, of the
 * weight's own outputs x channels, padded likewise. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "blas/gemm.h"
#include "conv/winograd.h"

enum { SECTOR = 8, STAGE = 7904 /* elements of local memory */, OPTIONS = 96 };

static int64_t padded(int64_t channels)
{
    return hg_round_up(channels, SECTOR);
}

int64_t hg_winograd_gpu_workspace(const hg_winograd_cut *w, const hg_conv_config *c)
{
    int64_t tiles = c->value[HG_WINOGRAD_ROWS] * w->across, o = padded(w->f.outputs), ch = padded(w->f.channels);
    return w->points * ((w->f.direction == HG_CONV_BACKWARD_WEIGHTS ? o * ch : 0) + (o + ch) * tiles);
}

int64_t hg_winograd_gpu_packed(const hg_winograd_cut *w)
{
    return w->points * padded(w->f.outputs) * padded(w->f.channels);
}

/* As im2col-gemm's: what the product leaves of the peak, and points that go through memory twice. */
double hg_winograd_gpu_cost(const hg_winograd_cut *w, const hg_conv_config *c, const hg_device *dev)
{
    double tiles = (double)(w->rows * w->across), deep = (double)w->f.channels, wide = (double)w->f.outputs;
    double chunks = (double)hg_ceil_div(w->rows, c->value[HG_WINOGRAD_ROWS]), points = (double)w->points;
    return points * 2 * tiles * deep * wide / (0.5 * hg_conv_peak(dev, false)) +
           4 * points * (2 * tiles * (deep + wide) + deep * wide) / hg_conv_bandwidth(dev) + 6e-5 * (chunks + 1);
}

/* Rows of tiles of an image. */
static int64_t lines_of(const hg_winograd_cut *w)
{
    return w->rows / w->f.batch;
}

/* Rows of tiles of a chunk: of whole images, or of a part of one. */
static int64_t most_of(const hg_winograd_cut *w, int64_t rows)
{
    return rows > lines_of(w) ? rows / lines_of(w) * lines_of(w) : rows;
}

/* The fewest chunks that keep to the workspace, of whole images where they have room. */
int hg_winograd_gpu_configs(const hg_winograd_cut *w, const hg_device *dev, hg_conv_config *configs, int max)
{
    int64_t most = hg_max_i64(1, INT_MAX / 64 / w->across);
    hg_conv_config c = {{1}, (int32_t)w->side};
    (void)dev;
    (void)max;
    for (int64_t chunks = hg_ceil_div(w->rows, most); c.value[HG_WINOGRAD_ROWS] == 1 && chunks < w->rows; chunks *= 2) {
        hg_conv_config larger = {{(int32_t)most_of(w, hg_ceil_div(w->rows, chunks))}, (int32_t)w->side};
        if (hg_winograd_fits(w, &larger)) c = larger;
    }
    configs[0] = c;
    return 1;
}

/* ---- strips ---- */

/* How a transform cuts planes into strips and gives them to work-groups; see the kernels. */
typedef struct strips {
    int64_t across, down, images; /* tiles, rows of tiles, images of a strip */
    int64_t rows, cb, pitch;      /* of local memory; channels */
    bool all_rows, all_columns;
} strips;

/* The planes that a transform reads or writes: `halo_h` and `halo_w` more pixels than tiles have outputs. */
typedef struct planes {
    int64_t count, h, w, halo_h, halo_w;
} planes;

static planes planes_of(const hg_winograd_cut *w, bool input)
{
    const hg_conv_problem *p = &w->f;
    const bool plane = p->rank == 2;
    if (input) return (planes){p->channels, plane ? p->size[0] : 1, p->size[p->rank - 1], plane ? 2 : 0, 2};
    return (planes){p->outputs, plane ? hg_conv_output(p, 0) : 1, hg_conv_output(p, p->rank - 1), 0, 0};
}

static int64_t stage_of(const hg_device *dev)
{
    return hg_min_i64(STAGE, (int64_t)dev->info.local_memory / 4 - 16);
}

/* Whole planes, of so many images that each work-item has two tiles. Where a row ends within an access to local memory,
 * the next one goes on in the next bank: its pitch is congruent to the plane. */
static bool whole_planes(const hg_winograd_cut *w, const planes *x, int64_t items, int64_t room, strips *s)
{
    const int64_t area = x->h * x->w, tiles = w->across * lines_of(w);
    if (area > room) return false;
    s->across = w->across;
    s->down = lines_of(w);
    s->all_rows = s->all_columns = true;
    s->images = hg_min_i64(hg_min_i64(w->f.batch, room / area), hg_ceil_div(2 * items, tiles));
    for (;; s->images--) {
        int64_t words = s->images * area;
        s->pitch = area % 2 ? area + hg_round_up(words - area, 32) : words + 1 - words % 2;
        if (s->pitch <= room) return true;
    }
}

/* Parts of planes, as many tiles across as `across`; returns how many elements are read for each that is needed, 0 if
 * there is no room. Parts of rows begin and end within sectors. Chunks of `most` rows of tiles are whole strips. */
static double cut_planes(const hg_winograd_cut *w, const planes *x, int64_t most, int64_t room, int64_t across, strips *s)
{
    const int64_t high = w->down, lines = hg_min_i64(most, lines_of(w)),
                  wide = s->all_columns ? x->w : across * w->side + x->halo_w;
    const bool in_sectors = s->all_columns || (!x->halo_w && across * w->side % SECTOR == 0);
    s->across = across;
    s->images = 1;
    s->all_rows = false;
    s->down = hg_min_i64(lines, (room / wide - x->halo_h) / high);
    if (s->down < 1) return 0;
    s->down = hg_ceil_div(lines, hg_ceil_div(lines, s->down));
    while (lines < lines_of(w) && lines % s->down) s->down--;
    s->pitch = (s->down * high + x->halo_h) * wide | 1;
    return (double)((s->down * high + x->halo_h) * (wide + (in_sectors ? 0 : SECTOR - 1))) /
           (double)(s->down * high * across * w->side);
}

static strips strips_of(const hg_winograd_cut *w, const hg_device *dev, const planes *x, int64_t most)
{
    const int64_t lanes = hg_lanes(dev), least = (w->down + x->halo_h) * (w->side + x->halo_w), step = SECTOR / w->side;
    strips best = {.rows = hg_min_i64(32, lanes)};
    while (best.rows > 1 && stage_of(dev) / best.rows <= least) best.rows /= 2;
    const int64_t room = (stage_of(dev) / best.rows - 1) | 1;
    for (best.cb = best.rows; best.cb > SECTOR && padded(x->count) % best.cb;) best.cb /= 2;
    if (most >= lines_of(w) && whole_planes(w, x, lanes / best.rows, room, &best)) return best;
    strips s = best;
    s.all_columns = true;
    double least_cost = cut_planes(w, x, most, room, w->across, &s);
    if (least_cost > 0) best = s;
    s.all_columns = false;
    for (int64_t parts = 1, across = INT64_MAX; across > 1 && parts <= 64; parts++) {
        across = parts == 64 ? 1 : hg_min_i64(w->across, hg_round_up(hg_ceil_div(w->across, parts), step));
        double cost = cut_planes(w, x, most, room, across, &s);
        if (cost > 0 && (least_cost == 0 || cost < least_cost)) {
            least_cost = cost;
            best = s;
        }
    }
    return best;
}

/* The chunk of rows of tiles that is transformed. */
typedef struct chunk {
    const hg_winograd_job *j;
    int64_t most, first, lines; /* rows of tiles: of any chunk; of this one */
} chunk;

/* The next chunk; false after the last one. */
static bool next(chunk *k)
{
    const int64_t all = k->j->cut->rows, lines = lines_of(k->j->cut);
    k->first += k->lines;
    k->lines = hg_min_i64(k->most, all - k->first);
    if (k->most < lines) k->lines = hg_min_i64(k->lines, lines - k->first % lines);
    return k->lines > 0;
}

static const char *options_of(const hg_winograd_job *j, char out[OPTIONS])
{
    if (stage_of(j->dev) == STAGE) return j->options;
    snprintf(out, OPTIONS, "%s -DSTAGE=%d", j->options, (int)stage_of(j->dev));
    return out;
}

/* The kernels' arguments `gs` and `gl`; returns the launch's range. */
static hg_range cut(const chunk *k, bool input, hg_arg g[2])
{
    const hg_winograd_cut *w = k->j->cut;
    const planes x = planes_of(w, input);
    const strips s = strips_of(w, k->j->dev, &x, k->most);
    const int64_t lines = lines_of(w), image = k->first / lines, end = hg_ceil_div(k->first + k->lines, lines);
    const int64_t segments = hg_ceil_div(w->across, s.across), block = k->first % lines / s.down;
    const int64_t blocks = hg_ceil_div(hg_min_i64(lines, k->first % lines + k->lines), s.down) - block;
    const int64_t count = segments * blocks * hg_ceil_div(end - image, s.images), ld = padded(x.count);
    g[0] = (hg_arg){.size = sizeof(cl_long8), .value.i64x8 = {{s.across, s.down, s.images, segments, block, blocks, image,
                                                               count}}};
    g[1] = (hg_arg){.size = sizeof(cl_long8), .value.i64x8 = {{k->first, k->lines, ld, s.rows, s.cb, s.pitch,
                                                               s.all_rows + 2 * s.all_columns, end}}};
    return hg_range_teams(k->j->dev, hg_ceil_div(count, s.rows / s.cb), hg_ceil_div(ld, s.cb));
}

/* ---- passes ---- */

/* Of kernels that transform pairs of outputs and channels: a group takes PAIRS of them. */
static hg_range pairs_range(const hg_winograd_job *j, int64_t outputs, int64_t channels)
{
    int64_t lanes = hg_lanes(j->dev), most = stage_of(j->dev) / j->cut->taps / SECTOR * SECTOR;
    return hg_range_teams(j->dev, hg_ceil_div(padded(outputs) * padded(channels), hg_min_i64(lanes, most)), 1);
}

hg_status hg_winograd_gpu_weight(const hg_winograd_job *j)
{
    int64_t o = j->cut->f.outputs, c = j->cut->f.channels;
    char options[OPTIONS];
    if (j->mirrored) { /* the weight as it lies in memory */
        int64_t outputs = o;
        o = c;
        c = outputs;
    }
    return hg_launch(j->dev, &hg_source_winograd_gpu, options_of(j, options), "gpu_weights", pairs_range(j, o, c),
                     HG_ARGS(HG_ARG_I64(o), HG_ARG_I64(c), HG_ARG_I32(j->mirrored), HG_ARG_TENSOR(j->b->weight),
                             HG_ARG_MEM(j->b->packed)));
}

/* x, the input or the output's gradient, to points. */
static hg_status transform(const chunk *k, bool input, const hg_tensor *x, int64_t at)
{
    hg_arg g[5];
    char options[OPTIONS];
    hg_conv_geometry(&k->j->cut->f, g);
    hg_range range = cut(k, input, g + 3);
    return hg_launch(k->j->dev, &hg_source_winograd_gpu, options_of(k->j, options), input ? "gpu_input" : "gpu_gradient",
                     range, HG_ARGS(g[0], g[1], g[2], g[3], g[4], HG_ARG_TENSOR(x), HG_ARG_MEM(k->j->b->workspace),
                                    HG_ARG_I64(at)));
}

static hg_status output(const chunk *k, const hg_tensor *x, const hg_tensor *y, int64_t at)
{
    const hg_conv_problem *p = &k->j->cut->f;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? k->j->b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? k->j->b->residual : x;
    hg_arg g[5];
    char options[OPTIONS];
    hg_conv_geometry(p, g);
    hg_range range = cut(k, false, g + 3);
    return hg_launch(k->j->dev, &hg_source_winograd_gpu, options_of(k->j, options), "gpu_output", range,
                     HG_ARGS(g[0], g[1], g[2], g[3], g[4], HG_ARG_MEM(k->j->b->workspace), HG_ARG_I64(at),
                             HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual), HG_ARG_TENSOR(y), HG_ARG_I32(p->epilogue)));
}

/* m[][T][O] = v[][T][C] u, which lies [O][C], or mirrored [C][O]. */
hg_status hg_winograd_gpu_forward(const hg_winograd_job *j, const hg_tensor *x, const hg_tensor *y)
{
    const int64_t o = padded(j->cut->f.outputs), c = padded(j->cut->f.channels), points = j->cut->points,
                  most = most_of(j->cut, j->c->value[HG_WINOGRAD_ROWS]), m = points * c * most * j->cut->across;
    const cl_mem ws = j->b->workspace;
    for (chunk k = {j, most, 0, 0}; next(&k);) {
        const int64_t tiles = k.lines * j->cut->across;
        HG_TRY(transform(&k, true, x, 0));
        hg_gemm_problem q = {.trans_b = !j->mirrored, .m = tiles, .n = o, .k = c, .batch = points, .alpha = 1};
        q.a = (hg_matrix){ws, 0, c, c * tiles};
        q.b = (hg_matrix){j->b->packed, 0, j->mirrored ? o : c, o * c};
        q.c = (hg_matrix){ws, m, o, o * tiles};
        HG_TRY(hg_gemm(j->dev, &q));
        HG_TRY(output(&k, x, y, m));
    }
    return HG_OK;
}

hg_status hg_winograd_gpu_gradient(const hg_winograd_job *j)
{
    const hg_conv_problem *p = &j->cut->f;
    const int64_t o = padded(p->outputs), c = padded(p->channels), points = j->cut->points,
                  most = most_of(j->cut, j->c->value[HG_WINOGRAD_ROWS]), v = points * o * c, d = v + points * c * most * j->cut->across;
    const cl_mem ws = j->b->workspace;
    char options[OPTIONS];
    for (chunk k = {j, most, 0, 0}; next(&k);) {
        const int64_t tiles = k.lines * j->cut->across;
        HG_TRY(transform(&k, true, j->b->input, v));
        HG_TRY(transform(&k, false, j->b->output, d));
        hg_gemm_problem q = {.trans_a = true, .m = o, .n = c, .k = tiles, .batch = points, .alpha = 1};
        q.beta = k.first > 0;
        q.a = (hg_matrix){ws, d, o, o * tiles};
        q.b = (hg_matrix){ws, v, c, c * tiles};
        q.c = (hg_matrix){ws, 0, c, o * c};
        HG_TRY(hg_gemm(j->dev, &q));
    }
    return hg_launch(j->dev, &hg_source_winograd_gpu, options_of(j, options), "gpu_dw",
                     pairs_range(j, p->outputs, p->channels),
                     HG_ARGS(HG_ARG_I64(p->outputs), HG_ARG_I64(p->channels), HG_ARG_MEM(ws),
                             HG_ARG_TENSOR(j->b->weight)));
}
