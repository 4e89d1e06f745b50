/* Products on CPU-class devices: pack A and B into panels, then multiply (kernels/gemm_pack.cl, gemm_cpu.cl). Large
 * products go in chunks of m, n, k and the batch, so that the panels fit a bounded workspace. Every choice depends on
 * the problem and on the device's number of units alone. */
#include "base/checked.h"
#include "blas/gemm.h"
#include "cl/launch.h"

enum {
    K_BLOCK = 256,        /* a piece of a B panel, 32 KB, stays in L1 */
    CHUNK_ROWS = 1 << 16, /* of M or N packed at once */
    PACK_ROWS = 128,
    PACK_DEPTH = 128 /* of a work-item of gemm_pack.cl */
};
static const int64_t WORKSPACE = 128 << 20; /* bytes of panels */

/* A register tile: MR rows by NV vectors of 16. */
typedef struct tile {
    int rows, columns;
    const char *name, *options, *options_f64;
} tile;

static const tile wide = {8, 32, "8x32", "-DMR=8 -DNV=2", NULL};
static const tile narrow = {16, 16, "16x16", "-DMR=16 -DNV=1", NULL};
static const tile double_tile = {8, 16, "8x16", NULL, "-DMR=8 -DNV=1 -DHG_F64=1"};

static const tile *choose(const hg_gemm_problem *p)
{
    if (p->f64) return &double_tile;
    return p->n % 32 > 0 && p->n % 32 <= 16 && p->n < 128 && p->m > 8 ? &narrow : &wide;
}

const char *hg_gemm_cpu_algorithm(hg_device *dev, const hg_gemm_problem *p)
{
    (void)dev;
    return choose(p)->name;
}

/* Elements of the panels of one matrix. */
static int64_t panel_elements(int64_t rows, int64_t k, int width)
{
    return hg_round_up(rows, width) * k;
}

hg_status hg_gemm_pack(hg_device *dev, bool f64, const hg_matrix *x, bool k_unit, int64_t rows, int64_t k, int width,
                       int64_t batch, cl_mem panels)
{
    size_t pieces = (size_t)hg_ceil_div(hg_round_up(rows, width), PACK_ROWS);
    hg_range range = {3, {(size_t)hg_ceil_div(k, PACK_DEPTH), pieces, (size_t)batch}, {1, 1, 1}};
    return hg_launch(dev, &hg_source_gemm_pack, f64 ? "-DHG_F64=1" : NULL, k_unit ? "pack_columns" : "pack_rows", range,
                     HG_ARGS(HG_ARG_I32(rows), HG_ARG_I32(k), HG_ARG_I32(width), HG_ARG_MEM(x->mem),
                             HG_ARG_I64(x->offset), HG_ARG_I64(x->ld), HG_ARG_I64(x->step), HG_ARG_MEM(panels),
                             HG_ARG_I64(panel_elements(rows, k, width))));
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
    /* Blocks of A for one work-item: 256 rows of K_BLOCK elements, 256 KB, stay in L2. */
    grid g = {hg_min_i64(rows, 256 / t->rows), hg_min_i64(columns, 256 / t->columns), p->k, 1, 0, 0};
    while ((g.row_tiles > 1 || g.panels > 1) &&
           hg_ceil_div(rows, g.row_tiles) * hg_ceil_div(columns, g.panels) * p->batch < wanted) {
        if (g.panels == 1 || (g.row_tiles > 1 && g.row_tiles * t->rows >= g.panels * t->columns))
            g.row_tiles = hg_ceil_div(g.row_tiles, 2);
        else
            g.panels = hg_ceil_div(g.panels, 2);
    }
    g.x = (size_t)hg_ceil_div(rows, g.row_tiles);
    g.y = (size_t)hg_ceil_div(columns, g.panels);
    int64_t groups = (int64_t)(g.x * g.y) * p->batch;
    if (groups < wanted / 2 && p->k >= 2 * K_BLOCK) {
        g.slices = hg_min_i64(hg_ceil_div(wanted, groups), p->k / K_BLOCK);
        g.k_slice = hg_round_up(hg_ceil_div(p->k, g.slices), 16);
        g.slices = hg_ceil_div(p->k, g.k_slice);
    }
    return g;
}

static hg_status multiply(hg_device *dev, const hg_gemm_problem *p, const tile *t, cl_mem a, cl_mem b)
{
    grid g = share_out(dev, p, t);
    bool split = g.slices > 1;
    hg_block *partial =
        split ? hg_pool_take(dev, (size_t)(p->batch * g.slices * p->m * p->n) * (p->f64 ? 8 : 4)) : NULL;
    if (split && !partial) return hg_last_status();
    hg_matrix c = split ? (hg_matrix){partial->mem, 0, p->n, p->m * p->n} : p->c;
    hg_status status = hg_launch(
        dev, &hg_source_gemm_cpu, p->f64 ? t->options_f64 : t->options, "gemm",
        (hg_range){3, {g.x, g.y, (size_t)(p->batch * g.slices)}, {1, 1, 1}},
        HG_ARGS(HG_ARG_I32(p->m), HG_ARG_I32(p->n), HG_ARG_I32(p->k), HG_ARG_I32(g.k_slice), HG_ARG_I32(K_BLOCK),
                HG_ARG_I32(g.row_tiles), HG_ARG_I32(g.panels), HG_ARG_I32(g.slices),
                hg_arg_real(p->f64, split ? 1 : p->alpha), hg_arg_real(p->f64, split ? 0 : p->beta), HG_ARG_MEM(a),
                HG_ARG_I64(p->a.step ? panel_elements(p->m, p->k, t->rows) : 0), HG_ARG_MEM(b),
                HG_ARG_I64(p->b.step ? panel_elements(p->n, p->k, t->columns) : 0), HG_ARG_MEM(c.mem),
                HG_ARG_I64(c.offset), HG_ARG_I64(c.ld), HG_ARG_I64(c.step), HG_ARG_I32(split ? 0 : hg_gemm_epilogue(p)),
                HG_ARG_MEM(p->bias ? p->bias : p->c.mem), HG_ARG_I64(p->bias_offset)));
    if (split && status == HG_OK) status = hg_gemm_finish(dev, p, p->alpha, partial->mem, g.slices, p->beta);
    hg_pool_give(dev, partial);
    return status;
}

/* A product whose panels fit the workspace. */
static hg_status whole(hg_device *dev, const hg_gemm_problem *p, const tile *t)
{
    size_t element = p->f64 ? 8 : 4;
    int64_t a = panel_elements(p->m, p->k, t->rows) * (p->a.step ? p->batch : 1);
    int64_t b = panel_elements(p->n, p->k, t->columns) * (p->b.step ? p->batch : 1);
    hg_block *pa = hg_pool_take(dev, (size_t)a * element);
    hg_block *pb = pa ? hg_pool_take(dev, (size_t)b * element) : NULL;
    hg_status status = pb ? HG_OK : hg_last_status();
    if (status == HG_OK)
        status = hg_gemm_pack(dev, p->f64, &p->a, !p->trans_a, p->m, p->k, t->rows, p->a.step ? p->batch : 1, pa->mem);
    if (status == HG_OK)
        status =
            hg_gemm_pack(dev, p->f64, &p->b, p->trans_b, p->n, p->k, t->columns, p->b.step ? p->batch : 1, pb->mem);
    if (status == HG_OK) status = multiply(dev, p, t, pa->mem, pb->mem);
    hg_pool_give(dev, pb);
    hg_pool_give(dev, pa);
    return status;
}

static hg_matrix shifted(hg_matrix x, int64_t rows, int64_t columns, int64_t matrices)
{
    x.offset += rows * x.ld + columns + matrices * x.step;
    return x;
}

/* The part of `p` with these ranges; beta and the epilogue belong to the first and the last piece of k. */
static hg_gemm_problem part(const hg_gemm_problem *p, int64_t z, int64_t batch, int64_t m0, int64_t m, int64_t n0,
                            int64_t n, int64_t k0, int64_t k)
{
    hg_gemm_problem q = *p;
    q.m = m;
    q.n = n;
    q.k = k;
    q.batch = batch;
    q.a = p->trans_a ? shifted(p->a, k0, m0, z) : shifted(p->a, m0, k0, z);
    q.b = p->trans_b ? shifted(p->b, n0, k0, z) : shifted(p->b, k0, n0, z);
    q.c = shifted(p->c, m0, n0, z);
    if (p->bias_along == HG_BIAS_COLUMNS) q.bias_offset += n0;
    if (p->bias_along == HG_BIAS_ROWS) q.bias_offset += m0;
    if (k0 > 0) q.beta = 1;
    if (k0 + k < p->k) {
        q.bias_along = HG_BIAS_NONE;
        q.relu = false;
    }
    return q;
}

hg_status hg_gemm_cpu(hg_device *dev, const hg_gemm_problem *p)
{
    const tile *t = choose(p);
    int64_t m = hg_min_i64(p->m, CHUNK_ROWS), n = hg_min_i64(p->n, CHUNK_ROWS);
    int64_t row =
        (hg_round_up(m, t->rows) + hg_round_up(n, t->columns)) * (p->f64 ? 8 : 4); /* bytes of panels for one of k */
    int64_t k = hg_max_i64(K_BLOCK, WORKSPACE / row / K_BLOCK * K_BLOCK);
    k = hg_min_i64(k, p->k);
    int64_t batch = hg_min_i64(p->batch, hg_max_i64(1, WORKSPACE / (row * k)));
    for (int64_t z = 0; z < p->batch; z += batch)
        for (int64_t n0 = 0; n0 < p->n; n0 += n)
            for (int64_t m0 = 0; m0 < p->m; m0 += m)
                for (int64_t k0 = 0; k0 < p->k; k0 += k) {
                    hg_gemm_problem q = part(p, z, hg_min_i64(batch, p->batch - z), m0, hg_min_i64(m, p->m - m0), n0,
                                             hg_min_i64(n, p->n - n0), k0, hg_min_i64(k, p->k - k0));
                    HG_TRY(whole(dev, &q, t));
                }
    return HG_OK;
}
