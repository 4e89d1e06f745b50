/* Products on CPU-class devices (kernels/gemm_cpu.cl). A that is read by many panels of B is packed first
 * (kernels/gemm_pack.cl), in chunks of rows and of the batch that fit a bounded workspace. Every choice depends on the
 * problem and on the device's number of units alone. */
#include "base/checked.h"
#include "blas/gemm.h"
#include "cl/launch.h"

enum {
    K_BLOCK = 256, /* of gemm_cpu.cl */
    PACK_ROWS = 128,
    PACK_DEPTH = 128,          /* of a work-item of gemm_pack.cl */
    PACK_FROM = 160,           /* columns of C from which packing A pays; */
    PACK_TRANSPOSED_FROM = 48, /* earlier if its columns are far apart */
    ROWS = 512,
    LEAST_ROWS = 128, /* of A for a work-item: K_BLOCK columns of them, 512 KB, stay in L2 */
    PANELS = 8,
    MOST_ROWS = 4 /* of A for gemm_rows.cl */
};
static const int64_t WORKSPACE = 128 << 20; /* bytes of packed A */

/* A register tile: MR rows by NV vectors of 16. */
typedef struct tile {
    int rows, columns;
    const char *name, *options;
} tile;

static const tile wide = {8, 32, "8x32", ""};
static const tile narrow = {16, 16, "16x16", "-DMR=16 -DNV=1"};
static const tile double_tile = {8, 16, "8x16", "-DMR=8 -DNV=1 -DHG_F64=1"};

static const tile *choose(const hg_gemm_problem *p)
{
    if (p->f64) return &double_tile;
    return p->n <= 16 && p->m > 8 ? &narrow : &wide;
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

/* A as the kernel takes it: see gemm_cpu.cl. */
typedef struct rows_of_a {
    cl_mem mem;
    int64_t offset, row, k, tile, deep, piece, step;
} rows_of_a;

static rows_of_a as_it_lies(const hg_gemm_problem *p, const tile *t)
{
    int64_t row = p->trans_a ? 1 : p->a.ld, k = p->trans_a ? p->a.ld : 1;
    return (rows_of_a){p->a.mem, p->a.offset, row, k, row * t->rows, 0, k * K_BLOCK, p->a.step};
}

hg_status hg_gemm_pack(hg_device *dev, bool f64, const hg_matrix *x, bool k_unit, int64_t rows, int64_t k, int width,
                       int64_t batch, cl_mem panels, int64_t panels_offset)
{
    size_t pieces = (size_t)hg_ceil_div(hg_round_up(rows, width), PACK_ROWS);
    hg_range range = {3, {(size_t)hg_ceil_div(k, PACK_DEPTH), pieces, (size_t)batch}, {1, 1, 1}};
    return hg_launch(dev, &hg_source_gemm_pack, f64 ? "-DHG_F64=1" : NULL, k_unit ? "pack_columns" : "pack_rows", range,
                     HG_ARGS(HG_ARG_I32(rows), HG_ARG_I32(k), HG_ARG_I32(width), HG_ARG_MEM(x->mem),
                             HG_ARG_I64(x->offset), HG_ARG_I64(x->ld), HG_ARG_I64(x->step), HG_ARG_MEM(panels),
                             HG_ARG_I64(panels_offset), HG_ARG_I64(hg_round_up(rows, width) * k)));
}

/* How the tiles of C are shared out. */
typedef struct grid {
    int64_t row_tiles, panels; /* of one work-item */
    int64_t k_slice, slices;
    size_t x, y;
} grid;

static grid share_out(hg_device *dev, const hg_gemm_problem *p, const tile *t)
{
    int64_t rows = hg_ceil_div(p->m, t->rows), columns = hg_ceil_div(p->n, t->columns);
    int64_t wanted = 8 * (int64_t)dev->info.units;
    grid g = {hg_min_i64(rows, ROWS / t->rows), hg_min_i64(columns, PANELS), p->k, 1, 0, 0};
    /* Fewer rows for a work-item mean that B is copied more often: columns are cut first. */
    while (hg_ceil_div(rows, g.row_tiles) * hg_ceil_div(columns, g.panels) * p->batch < wanted) {
        if (g.panels > 1)
            g.panels = hg_ceil_div(g.panels, 2);
        else if (g.row_tiles * t->rows > LEAST_ROWS)
            g.row_tiles = hg_ceil_div(g.row_tiles, 2);
        else
            break;
    }
    g.x = (size_t)hg_ceil_div(rows, g.row_tiles);
    g.y = (size_t)hg_ceil_div(columns, g.panels);
    int64_t groups = (int64_t)(g.x * g.y) * p->batch;
    if (groups < wanted / 2 && p->k >= 2 * K_BLOCK) {
        g.slices = hg_min_i64(hg_ceil_div(wanted, groups), p->k / K_BLOCK);
        g.k_slice = hg_round_up(hg_ceil_div(p->k, g.slices), K_BLOCK);
        g.slices = hg_ceil_div(p->k, g.k_slice);
    }
    return g;
}

static hg_status multiply(hg_device *dev, const hg_gemm_problem *p, const tile *t, const rows_of_a *a)
{
    grid g = share_out(dev, p, t);
    bool split = g.slices > 1;
    hg_block *partial = NULL;
    if (split) {
        partial = hg_pool_take(dev, (size_t)(p->batch * g.slices * p->m * p->n) * (p->f64 ? 8 : 4));
        if (!partial) return hg_last_status();
    }
    hg_matrix c = split ? (hg_matrix){partial->mem, 0, p->n, p->m * p->n} : p->c;
    hg_status status = hg_launch(
        dev, &hg_source_gemm_cpu, t->options, "gemm",
        (hg_range){3, {g.x, g.y, (size_t)(p->batch * g.slices)}, {1, 1, 1}},
        HG_ARGS(HG_ARG_I32(p->m), HG_ARG_I32(p->n), HG_ARG_I32(p->k), HG_ARG_I32(g.k_slice), HG_ARG_I32(g.row_tiles),
                HG_ARG_I32(g.panels), HG_ARG_I32(g.slices), hg_arg_real(p->f64, split ? 1 : p->alpha),
                hg_arg_real(p->f64, split ? 0 : p->beta), HG_ARG_MEM(a->mem), HG_ARG_I64(a->offset), HG_ARG_I64(a->row),
                HG_ARG_I64(a->k), HG_ARG_I64(a->tile), HG_ARG_I64(a->deep), HG_ARG_I64(a->piece), HG_ARG_I64(a->step),
                HG_ARG_MEM(p->b.mem), HG_ARG_I64(p->b.offset), HG_ARG_I64(p->b.ld), HG_ARG_I64(p->b.step),
                HG_ARG_I32(p->trans_b), HG_ARG_MEM(c.mem), HG_ARG_I64(c.offset), HG_ARG_I64(c.ld), HG_ARG_I64(c.step),
                HG_ARG_I32(split ? 0 : hg_gemm_epilogue(p)), HG_ARG_MEM(p->bias ? p->bias : p->c.mem),
                HG_ARG_I64(p->bias_offset)));
    if (split && status == HG_OK) status = hg_gemm_finish(dev, p, p->alpha, partial->mem, g.slices, p->beta);
    hg_pool_give(dev, partial);
    return status;
}

/* Packs A to [piece][tile][depth][MR], the last piece being as deep as is left. */
static hg_status pack_pieces(hg_device *dev, const hg_gemm_problem *p, const tile *t, cl_mem panels)
{
    hg_matrix pieces = p->a;
    int64_t whole = p->k / K_BLOCK, rest = p->k % K_BLOCK, piece = hg_round_up(p->m, t->rows) * K_BLOCK;
    pieces.step = p->trans_a ? p->a.ld * K_BLOCK : K_BLOCK;
    if (whole) HG_TRY(hg_gemm_pack(dev, p->f64, &pieces, !p->trans_a, p->m, K_BLOCK, t->rows, whole, panels, 0));
    pieces.offset += whole * pieces.step;
    return rest ? hg_gemm_pack(dev, p->f64, &pieces, !p->trans_a, p->m, rest, t->rows, 1, panels, whole * piece)
                : HG_OK;
}

static hg_status packed(hg_device *dev, const hg_gemm_problem *p, const tile *t)
{
    int64_t elements = hg_round_up(p->m, t->rows) * p->k, count = p->a.step ? p->batch : 1;
    hg_block *panels = hg_pool_take(dev, (size_t)(elements * count) * (p->f64 ? 8 : 4));
    if (!panels) return hg_last_status();
    rows_of_a a = {panels->mem, 0, 1, t->rows, 0, t->rows, hg_round_up(p->m, t->rows) * K_BLOCK, 0};
    hg_status status;
    if (count == 1) {
        status = pack_pieces(dev, p, t, panels->mem);
    } else {
        a = (rows_of_a){panels->mem, 0, 1, t->rows, t->rows * p->k, 0, t->rows * K_BLOCK, elements};
        status = hg_gemm_pack(dev, p->f64, &p->a, !p->trans_a, p->m, p->k, t->rows, count, panels->mem, 0);
    }
    if (status == HG_OK) status = multiply(dev, p, t, &a);
    hg_pool_give(dev, panels);
    return status;
}

static hg_matrix shifted(hg_matrix x, int64_t rows, int64_t columns, int64_t matrices)
{
    x.offset += rows * x.ld + columns + matrices * x.step;
    return x;
}

/* The part of `p` with these matrices of the batch and these rows. */
static hg_gemm_problem part(const hg_gemm_problem *p, int64_t z, int64_t batch, int64_t m0, int64_t m)
{
    hg_gemm_problem q = *p;
    q.m = hg_min_i64(m, p->m - m0);
    q.batch = hg_min_i64(batch, p->batch - z);
    q.a = p->trans_a ? shifted(p->a, 0, m0, z) : shifted(p->a, m0, 0, z);
    q.b = shifted(p->b, 0, 0, z);
    q.c = shifted(p->c, m0, 0, z);
    if (p->bias_along == HG_BIAS_ROWS) q.bias_offset += m0;
    return q;
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
    if (by_rows(p)) return multiply_rows(dev, p);
    const tile *t = choose(p);
    int64_t row = p->k * (p->f64 ? 8 : 4);        /* bytes of a packed row */
    int64_t fits = WORKSPACE / row / ROWS * ROWS; /* rows of a chunk */
    if (p->n < (p->trans_a ? PACK_TRANSPOSED_FROM : PACK_FROM) || !fits) {
        rows_of_a a = as_it_lies(p, t);
        return multiply(dev, p, t, &a);
    }
    int64_t m = hg_min_i64(p->m, fits);
    int64_t batch = p->a.step ? hg_min_i64(p->batch, hg_max_i64(1, fits / hg_round_up(m, t->rows))) : p->batch;
    for (int64_t z = 0; z < p->batch; z += batch)
        for (int64_t m0 = 0; m0 < p->m; m0 += m) {
            hg_gemm_problem q = part(p, z, batch, m0, m);
            HG_TRY(packed(dev, &q, t));
        }
    return HG_OK;
}
