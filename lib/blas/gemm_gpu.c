/* Products on GPU-class devices by our own tiles (kernels/gemm_gpu.cl), for devices that CLBlast has no tuned
 * parameters for. The tile depends on the sizes and on the device's work-group limit alone. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "blas/gemm.h"
#include "cl/launch.h"

typedef struct tile {
    int rows, columns, depth, items;
    const char *name, *options;
} tile;

/* A large GPU; a small one, or a product too small to fill a large one; few rows; few columns; tiny. */
static const tile large = {128, 128, 8, 256, "128x128", ""};
static const tile small = {64, 64, 8, 64, "64x64", " -DBM=64 -DBN=64 -DBK=8 -DTM=8 -DTN=8"};
static const tile few_rows = {32, 128, 16, 128, "32x128", " -DBM=32 -DBN=128 -DBK=16 -DTM=4 -DTN=8"};
static const tile few_columns = {128, 32, 16, 128, "128x32", " -DBM=128 -DBN=32 -DBK=16 -DTM=8 -DTN=4"};
static const tile tiny = {32, 32, 8, 64, "32x32", " -DBM=32 -DBN=32 -DBK=8 -DTM=4 -DTN=4"};

/* Work-groups that keep a compute unit busy. */
enum { GROUPS = 2 };

static int64_t groups_of(const hg_gemm_problem *p, const tile *t)
{
    return hg_ceil_div(p->m, t->rows) * hg_ceil_div(p->n, t->columns) * p->batch;
}

static bool is_aligned(const hg_matrix *x, int64_t extent)
{
    return !(x->offset % 4 || x->ld % 4 || x->step % 4 || extent % 4);
}

/* Of A and B; extents that lie along memory. */
static bool reads_aligned(const hg_gemm_problem *p)
{
    return is_aligned(&p->a, p->trans_a ? p->m : p->k) && is_aligned(&p->b, p->trans_b ? p->k : p->n);
}

/* Loads of single elements leave too few registers for two large groups on a unit of NVIDIA's. */
static const tile *choose(const hg_device *dev, const hg_gemm_problem *p)
{
    int64_t wanted = GROUPS * (int64_t)(dev->info.units ? dev->info.units : 1);
    const bool takes_128 = dev->info.max_work_group >= 128;
    if (p->m <= 32 && p->n <= 32) return &tiny;
    if (p->m <= 32) return takes_128 ? &few_rows : &tiny;
    if (p->n <= 32) return takes_128 ? &few_columns : &tiny;
    const bool aligned = reads_aligned(p) && is_aligned(&p->c, p->n);
    return aligned && dev->info.max_work_group >= 256 && groups_of(p, &large) >= wanted ? &large : &small;
}

/* CLBlast 1.5.3 has tuned parameters for these; others get an average of all, on new devices a poor one. */
bool hg_gemm_clblast_knows(const hg_device *dev)
{
    static const char *const names[] = {"GTX",    "TITAN",  "Tesla",   "Quadro",  "RTX 20",      "V100",
                                        "A100",   "Tahiti", "Hawaii",  "Fiji",    "Tonga",       "Ellesmere",
                                        "gfx803", "gfx900", "gfx1030", "gfx1034", "HD Graphics", "Iris"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(dev->info.name, names[i])) return true;
    return false;
}

bool hg_gemm_gpu_takes(const hg_device *dev, const hg_gemm_problem *p)
{
    return !p->f64 && dev->info.max_work_group >= 64 && dev->info.local_memory >= 32 << 10;
}

const char *hg_gemm_gpu_algorithm(hg_device *dev, const hg_gemm_problem *p)
{
    return choose(dev, p)->name;
}

/* Elements of a matrix that an index may reach. */
static bool is_wide(const hg_matrix *x, int64_t rows)
{
    return rows * x->ld > INT_MAX / 2;
}

/* Slices of k, whole steps each, where the tiles of C alone would leave most of the device idle. */
static int64_t slices_of(const hg_device *dev, const hg_gemm_problem *p, const tile *t, int64_t *k_slice)
{
    int64_t wanted = GROUPS * (int64_t)(dev->info.units ? dev->info.units : 1), groups = groups_of(p, t);
    int64_t slices = groups < wanted / 2 ? hg_min_i64(wanted / groups, p->k / (16 * t->depth)) : 1;
    *k_slice = hg_round_up(hg_ceil_div(p->k, hg_max_i64(1, slices)), t->depth);
    return hg_ceil_div(p->k, *k_slice);
}

hg_status hg_gemm_gpu(hg_device *dev, const hg_gemm_problem *p)
{
    const tile *t = choose(dev, p);
    char options[128];
    int64_t k_slice, slices = slices_of(dev, p, t, &k_slice);
    hg_block *partial = NULL;
    if (slices > 1) {
        partial = hg_pool_take(dev, (size_t)(p->batch * slices * p->m * p->n) * 4);
        if (!partial) return hg_last_status();
    }
    hg_matrix c = partial ? (hg_matrix){partial->mem, 0, p->n, p->m * p->n} : p->c;
    bool aligned = reads_aligned(p) && is_aligned(&c, p->n);
    bool wide =
        is_wide(&p->a, p->trans_a ? p->k : p->m) || is_wide(&p->b, p->trans_b ? p->n : p->k) || is_wide(&c, p->m);
    snprintf(options, sizeof options, "-DTRANS_A=%d -DTRANS_B=%d -DALIGNED=%d%s%s", p->trans_a, p->trans_b, aligned,
             t->options, wide ? " -DHG_WIDE=1" : "");
    hg_range range = {3,
                      {(size_t)(hg_ceil_div(p->n, t->columns) * t->items), (size_t)hg_ceil_div(p->m, t->rows),
                       (size_t)(p->batch * slices)},
                      {(size_t)t->items, 1, 1}};
    hg_status status =
        hg_launch(dev, &hg_source_gemm_gpu, options, "gemm_tiles", range,
                  HG_ARGS(HG_ARG_I32(p->m), HG_ARG_I32(p->n), HG_ARG_I32(p->k), HG_ARG_I32(k_slice), HG_ARG_I32(slices),
                          HG_ARG_F32(partial ? 1 : p->alpha), HG_ARG_F32(partial ? 0 : p->beta), HG_ARG_MEM(p->a.mem),
                          HG_ARG_I64(p->a.offset), HG_ARG_I64(p->a.ld), HG_ARG_I64(p->a.step), HG_ARG_MEM(p->b.mem),
                          HG_ARG_I64(p->b.offset), HG_ARG_I64(p->b.ld), HG_ARG_I64(p->b.step), HG_ARG_MEM(c.mem),
                          HG_ARG_I64(c.offset), HG_ARG_I64(c.ld), HG_ARG_I64(c.step),
                          HG_ARG_I32(partial ? 0 : hg_gemm_epilogue(p)), HG_ARG_MEM(p->bias ? p->bias : p->c.mem),
                          HG_ARG_I64(p->bias_offset)));
    if (partial && status == HG_OK) status = hg_gemm_finish(dev, p, p->alpha, partial->mem, slices, p->beta);
    hg_pool_give(dev, partial);
    return status;
}
