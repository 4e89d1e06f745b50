/* Products on CPU-class devices (kernels/gemm_cpu.cl, gemm_rows.cl). Every choice depends on the problem and on the
 * device's number of units and local memory alone. */
#include "base/checked.h"
#include "blas/gemm.h"
#include "cl/launch.h"

enum {
    K_BLOCK = 256,            /* of k at a time; a panel of B, 32 KB, stays in L1 */
    K_MOST = 320,             /* as deep may a single piece be */
    A_BYTES = 256 << 10,      /* of A that a work-item packs; they stay in L2 */
    LOCAL_MEMORY = 384 << 10, /* bytes that the above need, or else: */
    K_SMALL = 64,
    A_BYTES_SMALL = 20 << 10,
    MOST_ROWS = 4,            /* of A for gemm_rows.cl */
    NARROW_LEAST = 1 << 18    /* products for which a kernel more, a second of PoCL's compiling, is worth it */
};

/* A register tile: MR rows by NV vectors of 16. */
typedef struct tile {
    int rows, columns;
    const char *name, *options, *small_options;
} tile;

static const tile wide = {8, 32, "8x32", "", "-DSMALL=1"};
static const tile narrow = {16, 16, "16x16", "-DMR=16 -DNV=1", "-DMR=16 -DNV=1 -DSMALL=1"};
static const tile double_tile = {8, 16, "8x16", "-DMR=8 -DNV=1 -DHG_F64=1", "-DMR=8 -DNV=1 -DHG_F64=1 -DSMALL=1"};

static const tile *choose(const hg_gemm_problem *p)
{
    if (p->f64) return &double_tile;
    const double products = (double)p->m * (double)p->n * (double)p->k * (double)p->batch;
    return p->n <= 16 && p->m > 8 && products >= NARROW_LEAST ? &narrow : &wide;
}

/* Few rows, and a B whose rows are read whole: gemm_rows.cl. */
static bool by_rows(const hg_gemm_problem *p)
{
    return p->m <= MOST_ROWS && p->trans_b && !p->trans_a;
}

const char *hg_gemm_cpu_algorithm(hg_device *dev, const hg_gemm_problem *p)
{
    (void)dev;
    return by_rows(p) ? "rows" : choose(p)->name;
}

/* How the tiles of C and the sum over k are shared out. */
typedef struct grid {
    int64_t row_tiles, panels; /* of one work-item */
    int64_t x, y;              /* work-items */
    int64_t k_slice, slices, k_piece;
} grid;

/* What the search for a grid needs to know. */
typedef struct terms {
    int64_t rows, panels, batch, k, units;
    int64_t k_block, k_most, a_elements; /* of packed A */
    const tile *tile;
    bool pack;
} terms;

/* Expected cycles of a grid. A unit computes a tile in a cycle for two vectors and each step of k; the other figures
 * were measured on PoCL: packing A, copying B, and a second launch to add slices. While the last work-items run, units
 * are idle: for a tenth of one's time if all are equal. */
static double expected(const terms *t, const grid *g)
{
    const double pack = t->pack ? 6 : 0, copy = 10, launch = 2e5, tile_of_slice = 64;
    double sum = (double)(t->tile->rows * t->tile->columns / 32);
    double turns = (double)hg_ceil_div(g->x * g->y * t->batch * g->slices, t->units) + 0.1;
    double step =
        (double)g->row_tiles * (double)g->panels * sum + pack * (double)g->row_tiles + copy * (double)g->panels;
    double tiles = (double)t->rows * (double)t->panels * (double)(t->batch * g->slices);
    double finish = g->slices > 1 ? launch + tiles * tile_of_slice / (double)t->units : 0;
    return turns * step * (double)g->k_slice + finish;
}

/* 1, 2, 3, 4, 6, 8, 12, 16, ... */
static int64_t next_count(int64_t count)
{
    return count < 3 ? count + 1 : count & (count - 1) ? count / 3 * 4 : count / 2 * 3;
}

/* The best of the grids with so many slices; `best` is kept unless one is better by three per cent. */
static void search(const terms *t, int64_t slices, grid *best, double *least)
{
    grid g = {.k_slice = slices > 1 ? hg_round_up(hg_ceil_div(t->k, slices), 16) : t->k};
    int64_t pieces = g.k_slice <= t->k_most ? 1 : hg_ceil_div(g.k_slice, t->k_block);
    g.slices = hg_ceil_div(t->k, g.k_slice);
    g.k_piece = hg_min_i64(hg_round_up(hg_ceil_div(g.k_slice, pieces), 16), t->k_most);
    int64_t most_tiles = hg_max_i64(1, t->a_elements / (g.k_piece * t->tile->rows));
    int64_t least_x = hg_ceil_div(t->rows, most_tiles), most = 8 * t->units;
    for (int64_t i = 1; i == 1 || (i <= most && i * least_x <= t->rows); i = next_count(i)) {
        g.row_tiles = hg_ceil_div(t->rows, i * least_x);
        g.x = hg_ceil_div(t->rows, g.row_tiles);
        for (int64_t j = 1; j == 1 || (i * j <= most && j <= t->panels); j = next_count(j)) {
            g.panels = hg_ceil_div(t->panels, j);
            g.y = hg_ceil_div(t->panels, g.panels);
            double cycles = expected(t, &g);
            if (*least > 0 && cycles > 0.97 * *least) continue;
            *least = cycles;
            *best = g;
        }
    }
}

static grid share_out(hg_device *dev, const hg_gemm_problem *p, const tile *t, bool small, bool pack)
{
    int64_t bytes = p->f64 ? 8 : 4, most = small ? K_SMALL : K_MOST;
    terms all = {.rows = hg_ceil_div(p->m, t->rows),
                 .panels = hg_ceil_div(p->n, t->columns),
                 .batch = p->batch,
                 .k = p->k,
                 .units = dev->info.units,
                 .k_block = small ? K_SMALL : K_BLOCK,
                 .k_most = most,
                 .a_elements = (small ? A_BYTES_SMALL : A_BYTES) / bytes,
                 .tile = t,
                 .pack = pack};
    grid best = {0};
    double least = 0;
    search(&all, 1, &best, &least);
    if (best.x * best.y * p->batch < 64 * all.units)
        for (int64_t s = 2; s <= all.units && s <= p->k / all.k_block; s *= 2) search(&all, s, &best, &least);
    return best;
}

static hg_status multiply(hg_device *dev, const hg_gemm_problem *p, const tile *t)
{
    /* Packed A pays from the second panel of B on. */
    bool small = dev->info.local_memory < LOCAL_MEMORY;
    bool pack = p->n > t->columns || (small && t->rows == 8);
    grid g = share_out(dev, p, t, small, pack);
    int64_t bytes = p->f64 ? 8 : 4;
    bool split = g.slices > 1;
    hg_block *partial = NULL;
    if (split) {
        partial = hg_pool_take(dev, (size_t)(p->batch * g.slices * p->m * p->n * bytes));
        if (!partial) return hg_last_status();
    }
    hg_matrix c = split ? (hg_matrix){partial->mem, 0, p->n, p->m * p->n} : p->c;
    hg_status status =
        hg_launch(dev, &hg_source_gemm_cpu, small ? t->small_options : t->options, "gemm",
                  (hg_range){3, {(size_t)g.x, (size_t)g.y, (size_t)(p->batch * g.slices)}, {1, 1, 1}},
                  HG_ARGS(HG_ARG_I32(p->m), HG_ARG_I32(p->n), HG_ARG_I32(p->k), HG_ARG_I32(g.k_slice),
                          HG_ARG_I32(g.k_piece), HG_ARG_I32(g.row_tiles), HG_ARG_I32(g.panels), HG_ARG_I32(g.slices),
                          hg_arg_real(p->f64, split ? 1 : p->alpha), hg_arg_real(p->f64, split ? 0 : p->beta),
                          HG_ARG_MEM(p->a.mem), HG_ARG_I64(p->a.offset), HG_ARG_I64(p->trans_a ? 1 : p->a.ld),
                          HG_ARG_I64(p->trans_a ? p->a.ld : 1), HG_ARG_I64(p->a.step), HG_ARG_I32(pack),
                          HG_ARG_MEM(p->b.mem), HG_ARG_I64(p->b.offset), HG_ARG_I64(p->b.ld), HG_ARG_I64(p->b.step),
                          HG_ARG_I32(p->trans_b), HG_ARG_MEM(c.mem), HG_ARG_I64(c.offset), HG_ARG_I64(c.ld),
                          HG_ARG_I64(c.step), HG_ARG_I32(split ? 0 : hg_gemm_epilogue(p)),
                          HG_ARG_MEM(p->bias ? p->bias : p->c.mem), HG_ARG_I64(p->bias_offset)));
    if (split && status == HG_OK) status = hg_gemm_finish(dev, p, p->alpha, partial->mem, g.slices, p->beta);
    hg_pool_give(dev, partial);
    return status;
}

static hg_status multiply_rows(hg_device *dev, const hg_gemm_problem *p)
{
    int64_t columns = hg_round_up(hg_ceil_div(p->n, 8 * (int64_t)dev->info.units), 4);
    return hg_launch(dev, &hg_source_gemm_rows, p->f64 ? "-DHG_F64=1" : NULL, "gemm_rows",
                     (hg_range){2, {(size_t)hg_ceil_div(p->n, columns), (size_t)p->batch}, {1, 1}},
                     HG_ARGS(HG_ARG_I32(p->m), HG_ARG_I32(p->n), HG_ARG_I32(p->k), HG_ARG_I32(columns),
                             hg_arg_real(p->f64, p->alpha), hg_arg_real(p->f64, p->beta), HG_ARG_MEM(p->a.mem),
                             HG_ARG_I64(p->a.offset), HG_ARG_I64(p->a.ld), HG_ARG_I64(p->a.step), HG_ARG_MEM(p->b.mem),
                             HG_ARG_I64(p->b.offset), HG_ARG_I64(p->b.ld), HG_ARG_I64(p->b.step), HG_ARG_MEM(p->c.mem),
                             HG_ARG_I64(p->c.offset), HG_ARG_I64(p->c.ld), HG_ARG_I64(p->c.step),
                             HG_ARG_I32(hg_gemm_epilogue(p)), HG_ARG_MEM(p->bias ? p->bias : p->c.mem),
                             HG_ARG_I64(p->bias_offset)));
}

hg_status hg_gemm_cpu(hg_device *dev, const hg_gemm_problem *p)
{
    return by_rows(p) ? multiply_rows(dev, p) : multiply(dev, p, choose(p));
}
