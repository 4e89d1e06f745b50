/* Winograd's algorithm for devices of class CPU; kernels/winograd.cl and
 * kernels/winograd_gradient.cl.
 *
 * The packed weight is its transform, in panels of outputs. Workspace of forward and backward-data: a slice for each
 * work-item. Of backward-weights: a slice for each work-item, its own sums in it; or shared sums, if any, a chunk of the
 * transformed input and output's gradient, then the slices. */
#include <math.h>

#include "base/error.h"
#include "conv/winograd.h"

enum { PANEL = 32, HALF_TILE = 4, MOST_TILES = 128, OWN_CHANNELS = 4 };
/* Of a configuration: rows of tiles in a block or chunk, slices, shares of the panels; and forward, how many times 16
 * channels a work-item transforms of the weight at a time, 0 if it reads the packed one; backward-weights, which form. */
enum { ROWS = HG_WINOGRAD_ROWS, SLICES = HG_WINOGRAD_SLICES, SHARES, OWN, FORM = OWN };
enum { SHARED_SUMS, OWN_SUMS, NO_SUMS };

/* Bytes of a chunk that stay in the caches, and of what stays in those of a core. */
static const int64_t CHUNK = 16 << 20, NEAR = 1200 << 10;

/* ---- how it is cut ---- */

static int64_t deep_of(const hg_winograd_cut *w)
{
    return w->depth * hg_round_up(w->f.channels, 16);
}

static int64_t panels_of(const hg_winograd_cut *w)
{
    return hg_ceil_div(w->f.outputs, PANEL);
}

static int64_t patch_rows(const hg_winograd_cut *w)
{
    return w->f.rank >= 2 ? w->patch : 1;
}

/* Pixels of a row of patches. */
static int64_t band_pitch(const hg_winograd_cut *w)
{
    return (w->across - 1) * w->side * (w->stride / w->pixels) + w->patch;
}

int64_t hg_winograd_cpu_packed(const hg_winograd_cut *w)
{
    return panels_of(w) * w->points * (deep_of(w) * PANEL + 16);
}

/* Whether the last tiles of rows or columns have fewer outputs, and then points, than others. */
static bool is_cut(const hg_winograd_cut *w)
{
    const int last = w->f.rank - 1;
    if (w->side != 4) return false;
    return hg_conv_output(&w->f, last) % w->side || (last && hg_conv_output(&w->f, last - 1) % w->side);
}

/* Places for the tiles of a block. A register tile may begin at any tile and end up to three behind the last one. */
static int64_t tiles_of_block(const hg_winograd_cut *w, const hg_conv_config *c)
{
    return hg_round_up(c->value[ROWS] * w->across, HALF_TILE) + (is_cut(w) ? HALF_TILE - 1 : 0);
}

/* Elements of the gradient's sums in points. */
static int64_t sums_elements(const hg_winograd_cut *w)
{
    return hg_winograd_cpu_packed(w);
}

/* How many panels take a point in turn: with few, the transformed input is read again for each few; with many, what is
 * multiplied lies far away when it is needed. */
static int64_t turn_of(const hg_winograd_cut *w, const hg_conv_config *c)
{
    int64_t tiles = tiles_of_block(w, c), share = hg_ceil_div(panels_of(w), c->value[SHARES]);
    if (4 * w->planes * tiles * deep_of(w) <= NEAR) return 1;
    const int64_t near = w->pixels == 2 ? NEAR + NEAR / 6 : NEAR;
    return hg_max_i64(1, hg_min_i64(share, near / (4 * w->sums * tiles * PANEL)));
}

/* Of a work-item: v, m, its part of the weight, bands of rows of pixels before and after. Of the latter, 16 pixels are
 * read at least. */
static int64_t slice_elements(const hg_winograd_cut *w, const hg_conv_config *c)
{
    int64_t tiles = tiles_of_block(w, c), own = c->value[OWN] ? c->value[OWN] * 16 * PANEL + 16 : 0;
    return w->planes * (tiles * deep_of(w) + 16) + w->sums * turn_of(w, c) * (tiles * PANEL + 16) + w->points * own +
           patch_rows(w) * 16 * band_pitch(w) + 16 * hg_max_i64(16, w->down * w->side * w->across * w->pixels * w->pixels);
}

/* Of rows of tiles: transforms of the input and of the output's gradient. A work-item's bands. */
static int64_t input_elements(const hg_winograd_cut *w, int64_t rows)
{
    return w->points * (rows * w->across * deep_of(w) + 16);
}

static int64_t gradient_elements(const hg_winograd_cut *w, int64_t rows)
{
    return w->points * (rows * w->across * panels_of(w) * PANEL + 16);
}

static int64_t bands_elements(const hg_winograd_cut *w)
{
    return (patch_rows(w) + w->down) * 16 * band_pitch(w);
}

static int64_t gradient_slice(const hg_winograd_cut *w, const hg_conv_config *c)
{
    int64_t chunk = input_elements(w, c->value[ROWS]) + gradient_elements(w, c->value[ROWS]);
    switch (c->value[FORM]) {
    case SHARED_SUMS:
        return bands_elements(w);
    case OWN_SUMS:
        return sums_elements(w) + chunk + bands_elements(w);
    default:
        return hg_max_i64(bands_elements(w), w->points * (16 * PANEL + 16));
    }
}

int64_t hg_winograd_cpu_workspace(const hg_winograd_cut *w, const hg_conv_config *c)
{
    if (w->f.direction != HG_CONV_BACKWARD_WEIGHTS) return slice_elements(w, c) * c->value[SLICES] * c->value[SHARES];
    int64_t slices = gradient_slice(w, c) * c->value[SLICES];
    if (c->value[FORM] == OWN_SUMS) return slices;
    return (c->value[FORM] == SHARED_SUMS ? sums_elements(w) : 0) + input_elements(w, c->value[ROWS]) +
           gradient_elements(w, c->value[ROWS]) + slices;
}

bool hg_winograd_in_flight(const hg_conv_plan *plan)
{
    return hg_winograd_is_cpu(&plan->config) && plan->config.value[OWN];
}

/* ---- what it costs ----
 *
 * Fitted to a core of AVX-512 of nominally 2.3 GHz, which does 206 GFLOP/s, with 2 MB of cache of its own; at another
 * peak all is in proportion. */
static const double NOMINAL = 147e9, WHOLE = 1.35, SHORT = 1.05; /* of the nominal peak, in products */

/* Seconds by bytes, of a core: from what all cores share, in order and in strides; from its own cache; of the transformed
 * input that does not stay in it, again; of a transformed weight, written; from memory. */
static const double FAR = 1 / 75e9, STRIDED = 1 / 22e9, AT_HAND = 1 / 140e9, AGAIN = 1 / 54e9, WRITTEN = 1 / 18e9,
                    COLD = 1 / 8e9;
/* Seconds of 16 channels: to transform a tile before and after, or of the gradient, with 36 points; 16 x 16 weights.
 * Seconds of a launch. */
static const double BEFORE = 106e-9, AFTER = 112e-9, WEIGHTS = 1.2e-6, LAUNCH = 30e-6;

/* What a problem's parts come to. */
typedef struct parts {
    double units, pace;         /* pace: of a core, relative to the one above */
    double deep, panels, points, planes, tiles;
    double share;               /* of the points that tiles have which are not whole */
    double scale;               /* of a transform, relative to 36 points */
    double before, after;       /* of one before and after, relative to those of stride 1 */
    double product;             /* seconds of a tile by a panel, on one core */
} parts;

/* The part of its points that a line of n outputs has. */
static double share_of(const hg_winograd_cut *w, int64_t n)
{
    int64_t tiles = hg_ceil_div(n, w->side), rest = n - (tiles - 1) * w->side;
    if (w->side != 4) return 1;
    return (double)((tiles - 1) * w->line + (rest - 1) * w->stride + 3) / (double)(tiles * w->line);
}

static parts parts_of(const hg_winograd_cut *w, const hg_device *dev)
{
    parts q = {.units = dev->info.units ? dev->info.units : 1, .deep = (double)deep_of(w)};
    double core = hg_conv_peak(dev, false) / q.units;
    q.pace = NOMINAL / core;
    q.panels = (double)panels_of(w);
    q.points = (double)w->points;
    q.planes = (double)w->planes;
    q.tiles = (double)(w->rows * w->across);
    q.share = share_of(w, hg_conv_output(&w->f, w->f.rank - 1));
    if (w->f.rank >= 2) q.share *= share_of(w, hg_conv_output(&w->f, w->f.rank - 2));
    q.scale = q.share * pow(q.points / 36, w->f.rank == 1 ? 0.67 : 1.4);
    q.before = w->pixels == 2 ? 1.6 : w->stride == 2 ? 3 : 1;
    q.after = w->pixels == 2 ? 3 : w->stride == 2 ? 0.55 : 1;
    q.product = q.planes * 2 * q.deep * PANEL / core;
    return q;
}

/* How much of `bytes` does not fit the cache of a core, by a smooth step from `room` on. */
static double spilled(double bytes, double room)
{
    return fmin(1, fmax(0, (bytes - room) / 2.4e6));
}

static double gradient_cost(const hg_winograd_cut *w, const hg_conv_config *c, const hg_device *dev)
{
    parts q = parts_of(w, dev);
    double wide = q.panels * PANEL, blocks = (double)hg_ceil_div(w->rows, c->value[ROWS]), sums, part = 0.87 * WHOLE;
    double bytes = 4 * (double)sums_elements(w), chunk = 4 * q.points * q.tiles * (q.deep + wide);
    double tiles = fmax(q.tiles * q.share / blocks, 12) * blocks; /* a short sum costs as much as a longer one */
    double cores = q.units, launches = 3;
    switch (c->value[FORM]) {
    case OWN_SUMS:
        cores = fmin(q.units, c->value[SLICES]);
        sums = (2 * blocks / cores - 1 + c->value[SLICES] / q.units) * bytes;
        sums *= bytes < 1e6 ? AT_HAND : FAR;
        sums += spilled(chunk / blocks + fmin(bytes, 1e6), 1.1e6) * 2 * chunk / cores * FAR;
        launches = 2;
        break;
    case SHARED_SUMS:
        sums = 2 * blocks * bytes / q.units * STRIDED / 2 + 2 * chunk / q.units * STRIDED;
        launches = 2 * blocks + 1;
        break;
    default:
        part = SHORT;
        sums = 2 * chunk / q.units * STRIDED + 4 * q.points * q.tiles * q.deep * q.panels / q.units * FAR;
        if (4 * q.points * q.tiles * PANEL > 1e6) sums += 4 * q.points * q.tiles * wide * q.deep / 16 / q.units * FAR;
    }
    double transforms = q.tiles * q.scale * (BEFORE * q.deep + 0.75 * BEFORE * wide) / 16 / cores;
    double weights = q.deep * wide / 256 * q.scale / q.share * WEIGHTS / q.units;
    return tiles * q.product * q.panels / part / cores + q.pace * (transforms + weights + sums) +
           launches * LAUNCH;
}

/* With a new weight, forward: of the work-item that has most to do. */
double hg_winograd_cpu_cost(const hg_winograd_cut *w, const hg_conv_config *c, const hg_device *dev)
{
    if (w->f.direction == HG_CONV_BACKWARD_WEIGHTS) return gradient_cost(w, c, dev);
    const bool own = c->value[OWN];
    const int64_t blocks = hg_ceil_div(w->rows, c->value[ROWS]), turns = hg_ceil_div(blocks, c->value[SLICES]);
    const int64_t last = w->rows - (blocks - 1) * c->value[ROWS]; /* rows of the last block */
    parts q = parts_of(w, dev);
    double rows = (double)(turns * c->value[ROWS]);
    if ((blocks - 1) % c->value[SLICES] == 0) rows += (double)(last - c->value[ROWS]);
    double tiles = rows * (double)w->across, panels = (double)hg_ceil_div(panels_of(w), c->value[SHARES]);
    const int64_t block = c->value[ROWS] * w->across;
    double spare = is_cut(w) ? 3 : w->stride == 2 ? (double)(hg_round_up(block, HALF_TILE) - block) : 1.5;
    double products = tiles * q.share + (double)turns * spare; /* in whole register tiles */
    double pairs = q.deep / 16 * 2 * panels, u = 4 * q.points * q.deep * PANEL;
    double v = 4 * q.planes * q.share * q.deep * (double)(c->value[ROWS] * w->across);
    double passes = ceil(panels / (own ? 1 : (double)turn_of(w, c)));
    double item = tiles * q.scale * (q.before * BEFORE * q.deep / 16 + q.after * AFTER * 2 * panels);
    item += rows / (double)c->value[ROWS] * spilled(v, 0.6e6) * v * passes * AGAIN;
    if (w->stride == 2) item += rows / (double)c->value[ROWS] * spilled(v, 1.1e6) * v * WRITTEN;
    const bool near = u * panels < 1e6 || u * panels + v < 1.8e6;
    item += (double)turns * (own ? pairs * q.scale / q.share * WEIGHTS : u * panels * (near ? AT_HAND : FAR));
    const bool narrow = c->value[SHARES] == 1 && panels_of(w) * PANEL - w->f.outputs >= PANEL / 2;
    item = q.pace * item + products * q.product * (narrow ? panels - 0.4 : panels) / WHOLE;
    item *= (double)hg_ceil_div((int64_t)c->value[SLICES] * c->value[SHARES], (int64_t)q.units);
    if (w->stride == 2) item = 1.1 * item + 2e-5;
    if (w->stride == 2 && w->pixels == 1) /* a weight that stands, when a network comes to it again */
        item += q.pace * fmax(0, u * panels * COLD - products * q.product * panels / WHOLE);
    if (own) return item + LAUNCH;
    double pack = u * q.panels * WRITTEN + q.deep / 16 * 2 * q.panels * q.scale / q.share * WEIGHTS;
    return item + q.pace * pack / q.units + 2 * LAUNCH;
}

/* ---- configurations ---- */

/* Chunks of one size, as far as possible, that stay in the caches and keep to the workspace. */
static hg_conv_config chunk_config(const hg_winograd_cut *w, int64_t units)
{
    int64_t one = 4 * (input_elements(w, 1) + gradient_elements(w, 1)), most = hg_max_i64(1, CHUNK / one);
    hg_conv_config c = {{1, (int32_t)(8 * units), 1}, (int32_t)w->side};
    for (int64_t chunks = hg_ceil_div(w->rows, most); c.value[ROWS] == 1 && chunks < w->rows; chunks *= 2) {
        hg_conv_config larger = c;
        larger.value[ROWS] = (int32_t)hg_ceil_div(w->rows, chunks);
        if (hg_winograd_fits(w, &larger)) c = larger;
    }
    if (!hg_winograd_fits(w, &c)) c.value[SLICES] = 1;
    return c;
}

/* Sums of each core's own: the blocks that cost least. */
static hg_conv_config own_config(const hg_winograd_cut *w, const hg_device *dev)
{
    int64_t units = dev->info.units ? dev->info.units : 1;
    hg_conv_config best = {{1, 1, 1, OWN_SUMS}, (int32_t)w->side};
    double least = 0;
    for (int64_t r = 1; r <= w->rows && (r == 1 || r * w->across <= 2 * MOST_TILES); r++) {
        int64_t blocks = hg_ceil_div(w->rows, r), slices = hg_min_i64(blocks, units);
        hg_conv_config c = {{(int32_t)hg_ceil_div(w->rows, hg_round_up(blocks, slices)), (int32_t)slices, 1, OWN_SUMS},
                            (int32_t)w->side};
        double seconds = hg_winograd_cpu_cost(w, &c, dev);
        if (!hg_winograd_fits(w, &c) || (least > 0 && seconds >= least)) continue;
        best = c;
        least = seconds;
    }
    return best;
}

/* Each form that keeps to the workspace, the one with shared sums in any case. */
static int gradient_configs(const hg_winograd_cut *w, const hg_device *dev, hg_conv_config *configs, int max)
{
    int64_t units = dev->info.units ? dev->info.units : 1;
    hg_conv_config forms[] = {chunk_config(w, units), own_config(w, dev),
                              {{(int32_t)w->rows, (int32_t)(8 * units), 1, NO_SUMS}, (int32_t)w->side}};
    int n = 0;
    for (int i = 0; i < 3 && n < max; i++)
        if (i == 0 || hg_winograd_fits(w, &forms[i])) configs[n++] = forms[i];
    return n;
}

/* The best cut into blocks that keeps to the workspace, a slice for each core, which stays in its cache; if none does,
 * the smallest. */
static hg_conv_config forward_config(const hg_winograd_cut *w, const hg_device *dev, int32_t own)
{
    int64_t units = dev->info.units ? dev->info.units : 1;
    hg_conv_config best = {{1, 1, 1, own}, (int32_t)w->side};
    double least = 0;
    for (int64_t r = 1; r <= w->rows && (r == 1 || r * w->across <= MOST_TILES); r++) {
        for (int64_t shares = 1; shares <= panels_of(w) && shares <= 2 * units; shares *= 2) {
            int64_t blocks = hg_ceil_div(w->rows, r), slices = hg_min_i64(blocks, hg_ceil_div(units, shares));
            hg_conv_config c = {{(int32_t)r, (int32_t)slices, (int32_t)shares, own}, (int32_t)w->side};
            double seconds = hg_winograd_cpu_cost(w, &c, dev);
            if (!hg_winograd_fits(w, &c) || (least > 0 && seconds >= least)) continue;
            best = c;
            least = seconds;
        }
    }
    return best;
}

int hg_winograd_cpu_configs(const hg_winograd_cut *w, const hg_device *dev, hg_conv_config *configs, int max)
{
    if (w->f.direction == HG_CONV_BACKWARD_WEIGHTS) return gradient_configs(w, dev, configs, max);
    configs[0] = forward_config(w, dev, 0);
    if (max < 2) return 1;
    configs[1] = forward_config(w, dev, OWN_CHANNELS);
    return hg_winograd_fits(w, &configs[1]) ? 2 : 1;
}

/* ---- running ---- */

/* CONV_GEOMETRY and WINOGRAD_GEOMETRY of the kernels. */
#define GEOMETRY(g) (g)[0], (g)[1], (g)[2], (g)[3]
static void geometry_of(const hg_winograd_job *j, int64_t tiles, int64_t slice, int64_t at, hg_arg g[4])
{
    const hg_winograd_cut *w = j->cut;
    const int64_t share = hg_ceil_div(panels_of(w), j->c->value[SHARES]), own = j->b->packed ? 0 : j->c->value[OWN];
    hg_conv_geometry(&w->f, g);
    g[3] = (hg_arg){.size = sizeof(cl_long8),
                    .value.i64x8 = {{j->c->value[ROWS], tiles, slice, at, share, own, own ? 1 : turn_of(w, j->c),
                                     w->odd}}};
}

/* The same of backward-weights. */
static void gradient_geometry(const hg_winograd_job *j, int64_t at, hg_arg g[4])
{
    geometry_of(j, j->c->value[ROWS] * j->cut->across, gradient_slice(j->cut, j->c), at, g);
}

/* How the weight lies: elements from one output to the next, and from one channel. */
static int64_t output_step(const hg_winograd_job *j)
{
    return (j->mirrored ? 1 : j->cut->f.channels) * j->cut->depth * j->cut->taps;
}

static int64_t channel_step(const hg_winograd_job *j)
{
    return (j->mirrored ? j->cut->f.outputs : 1) * j->cut->depth * j->cut->taps;
}

hg_status hg_winograd_cpu_weight(const hg_winograd_job *j)
{
    const int64_t o = j->cut->f.outputs, c = j->cut->f.channels;
    return hg_launch(j->dev, &hg_source_winograd, j->options, "winograd_weights",
                     hg_range_items(j->dev, panels_of(j->cut), deep_of(j->cut) / 16, 1, 1),
                     HG_ARGS(HG_ARG_I64(o), HG_ARG_I64(c), HG_ARG_I64(j->cut->depth), HG_ARG_I64(output_step(j)), HG_ARG_I64(channel_step(j)),
                             HG_ARG_I32(j->mirrored), HG_ARG_TENSOR(j->b->weight), HG_ARG_MEM(j->b->packed)));
}

hg_status hg_winograd_cpu_forward(const hg_winograd_job *j, const hg_tensor *x, const hg_tensor *y)
{
    const hg_conv_problem *p = &j->cut->f;
    const hg_tensor *bias = p->epilogue & HG_CONV_BIAS ? j->b->bias : x,
                    *residual = p->epilogue & HG_CONV_RESIDUAL ? j->b->residual : x;
    const cl_mem u = j->b->packed ? j->b->packed : j->b->workspace;
    hg_arg g[4];
    geometry_of(j, tiles_of_block(j->cut, j->c), slice_elements(j->cut, j->c), 0, g);
    return hg_launch(j->dev, &hg_source_winograd, j->options, "winograd_fwd",
                     hg_range_items(j->dev, j->c->value[SLICES], j->c->value[SHARES], 1, 1),
                     HG_ARGS(GEOMETRY(g), HG_ARG_I64(output_step(j)), HG_ARG_I64(channel_step(j)),
                             HG_ARG_I32(j->mirrored), HG_ARG_TENSOR(x), HG_ARG_TENSOR(j->b->weight), HG_ARG_MEM(u),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_TENSOR(bias), HG_ARG_TENSOR(residual),
                             HG_ARG_TENSOR(y), HG_ARG_I32(p->epilogue)));
}

/* Where a shared chunk of backward-weights lies, in elements: sums first if there are any. */
typedef struct place {
    int64_t v, d, slices;
} place;

static place place_of(const hg_winograd_job *j)
{
    place at = {.v = j->c->value[FORM] == SHARED_SUMS ? sums_elements(j->cut) : 0};
    at.d = at.v + input_elements(j->cut, j->c->value[ROWS]);
    at.slices = at.d + gradient_elements(j->cut, j->c->value[ROWS]);
    return at;
}

/* Rows of tiles to points. */
static hg_status transform_chunk(const hg_winograd_job *j, int64_t row, int64_t rows)
{
    place at = place_of(j);
    hg_arg g[4];
    gradient_geometry(j, at.slices, g);
    return hg_launch(j->dev, &hg_source_winograd_gradient, j->options, "winograd_chunk",
                     hg_range_items(j->dev, j->c->value[SLICES], 1, 1, 1),
                     HG_ARGS(GEOMETRY(g), HG_ARG_I64(row), HG_ARG_I64(rows), HG_ARG_TENSOR(j->b->input),
                             HG_ARG_TENSOR(j->b->output), HG_ARG_MEM(j->b->workspace), HG_ARG_I64(at.v),
                             HG_ARG_I64(at.d)));
}

static hg_status shared_sums(const hg_winograd_job *j)
{
    const hg_winograd_cut *w = j->cut;
    const int64_t most = j->c->value[ROWS];
    const cl_mem ws = j->b->workspace;
    place at = place_of(j);
    hg_arg g[4];
    gradient_geometry(j, at.slices, g);
    for (int64_t row = 0; row < w->rows; row += most) {
        int64_t here = hg_min_i64(most, w->rows - row);
        HG_TRY(transform_chunk(j, row, here));
        HG_TRY(hg_launch(j->dev, &hg_source_winograd_gradient, j->options, "winograd_taps",
                         hg_range_items(j->dev, w->points, panels_of(w), 1, 1),
                         HG_ARGS(GEOMETRY(g), HG_ARG_I64(row), HG_ARG_I64(here), HG_ARG_MEM(ws), HG_ARG_I64(at.v),
                                 HG_ARG_I64(at.d), HG_ARG_MEM(ws))));
    }
    return HG_OK;
}

static hg_status own_sums(const hg_winograd_job *j)
{
    hg_arg g[4];
    gradient_geometry(j, 0, g);
    return hg_launch(j->dev, &hg_source_winograd_gradient, j->options, "winograd_sums",
                     hg_range_items(j->dev, j->c->value[SLICES], 1, 1, 1),
                     HG_ARGS(GEOMETRY(g), HG_ARG_TENSOR(j->b->input), HG_ARG_TENSOR(j->b->output),
                             HG_ARG_MEM(j->b->workspace)));
}

static hg_status no_sums(const hg_winograd_job *j)
{
    const hg_winograd_cut *w = j->cut;
    const cl_mem ws = j->b->workspace;
    place at = place_of(j);
    hg_arg g[4];
    gradient_geometry(j, at.slices, g);
    HG_TRY(transform_chunk(j, 0, w->rows));
    return hg_launch(j->dev, &hg_source_winograd_gradient, j->options, "winograd_gradient",
                     hg_range_items(j->dev, j->c->value[SLICES], 1, 1, 1),
                     HG_ARGS(GEOMETRY(g), HG_ARG_MEM(ws), HG_ARG_I64(at.v), HG_ARG_I64(at.d), HG_ARG_MEM(ws),
                             HG_ARG_TENSOR(j->b->weight)));
}

hg_status hg_winograd_cpu_gradient(const hg_winograd_job *j)
{
    const hg_conv_problem *p = &j->cut->f;
    if (j->c->value[FORM] == NO_SUMS) return no_sums(j);
    const bool own = j->c->value[FORM] == OWN_SUMS;
    HG_TRY(own ? own_sums(j) : shared_sums(j));
    return hg_launch(j->dev, &hg_source_winograd_gradient, j->options, "winograd_dw",
                     hg_range_items(j->dev, hg_ceil_div(p->outputs, 16), hg_ceil_div(p->channels, 16), 1, 1),
                     HG_ARGS(HG_ARG_I64(p->outputs), HG_ARG_I64(p->channels),
                             HG_ARG_I64(own ? j->c->value[SLICES] : 1), HG_ARG_I64(gradient_slice(j->cut, j->c)),
                             HG_ARG_MEM(j->b->workspace), HG_ARG_TENSOR(j->b->weight)));
}
