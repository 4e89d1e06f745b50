/* What the solvers by Winograd's algorithm share. One is a tile: 4 x 4 or 2 x 2 outputs of a 3 x 3 convolution of stride
 * 1, or 4 or 2 of one of kernel 3 in one dimension. Backward-data is the forward convolution of the output's gradient by
 * the mirrored weight. On CPUs, tiles of 4 x 4 do 3 x 3 of stride 2 too, forward and, if the padding is odd,
 * backward-data; tiles of 2 x 2 do kernels of 5 x 5, or of 5, forward and backward-data; and each does the slices of
 * three dimensions, forward and backward-data.
 *
 * A configuration's `layout` is the tile's side; its values are in winograd_cpu.c and winograd_gpu.c. */
#ifndef HG_CONV_WINOGRAD_H
#define HG_CONV_WINOGRAD_H

#include "conv/solver.h"

/* A problem in tiles. */
typedef struct hg_winograd_cut {
    hg_conv_problem f;      /* backward-data as the forward convolution that it is; its padding may be negative */
    int64_t down, side;     /* a tile's outputs */
    int64_t stride;         /* 1, or 2 */
    int64_t points, taps;   /* of the weight; of the kernel, but for its depth */
    int64_t depth;          /* of the kernel of three dimensions, or 1 */
    int64_t patch, line;    /* columns of a patch, the input's pixels of a tile, and of what it becomes */
    int64_t planes, sums;   /* what a patch becomes; what becomes a tile's outputs. Of stride 1, as many as points */
    int64_t pixels, odd;    /* of an output of f along each dimension: backward-data of stride 2 has two, but for the last
                               one of each row (+ 1) or column (+ 2) */
    int64_t across, rows;   /* tiles of a row; rows of tiles, of all images */
    const char *options;    /* of the kernels, with 32-bit indices */
    const char *wide;       /* with 64-bit ones */
} hg_winograd_cut;

hg_winograd_cut hg_winograd_cut_of(const hg_conv_problem *p, int side);

/* The solvers' functions, but for their configurations. */
bool hg_winograd_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY]);
size_t hg_winograd_workspace(const hg_conv_problem *p, const hg_conv_config *c);
size_t hg_winograd_packed(const hg_conv_problem *p, const hg_conv_config *c);
double hg_winograd_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev);
bool hg_winograd_in_flight(const hg_conv_plan *plan);
hg_status hg_winograd_prepare(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b);
hg_status hg_winograd_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b);

/* The best configurations of a tile of that side that keep to the workspace; if none does, the smallest. */
int hg_winograd_configs(const hg_conv_problem *p, const hg_device *dev, int side, hg_conv_config *configs, int max);

/* ---- the two forms, for devices of class CPU (winograd_cpu.c) and GPU (winograd_gpu.c) ---- */

/* Of a configuration of either: rows of tiles in a block or chunk; slices, 0: the form for GPUs. */
enum { HG_WINOGRAD_ROWS, HG_WINOGRAD_SLICES };

static inline bool hg_winograd_is_cpu(const hg_conv_config *c)
{
    return c->value[HG_WINOGRAD_SLICES];
}

/* What all launches of a run share. */
typedef struct hg_winograd_job {
    hg_device *dev;
    const hg_winograd_cut *cut;
    const hg_conv_config *c;
    const hg_conv_buffers *b;
    const char *options;
    bool mirrored; /* the weight, of backward-data */
} hg_winograd_job;

/* Elements. */
int64_t hg_winograd_cpu_workspace(const hg_winograd_cut *w, const hg_conv_config *c);
int64_t hg_winograd_cpu_packed(const hg_winograd_cut *w);
int64_t hg_winograd_gpu_workspace(const hg_winograd_cut *w, const hg_conv_config *c);
int64_t hg_winograd_gpu_packed(const hg_winograd_cut *w);

double hg_winograd_cpu_cost(const hg_winograd_cut *w, const hg_conv_config *c, const hg_device *dev);
double hg_winograd_gpu_cost(const hg_winograd_cut *w, const hg_conv_config *c, const hg_device *dev);
int hg_winograd_cpu_configs(const hg_winograd_cut *w, const hg_device *dev, hg_conv_config *configs, int max);
int hg_winograd_gpu_configs(const hg_winograd_cut *w, const hg_device *dev, hg_conv_config *configs, int max);

/* The configurations' workspace and packed weight within the problem's limit. */
bool hg_winograd_fits(const hg_winograd_cut *w, const hg_conv_config *c);

/* Queue: the transform of the weight; the forward convolution of x; the gradient of the weight. */
hg_status hg_winograd_cpu_weight(const hg_winograd_job *j);
hg_status hg_winograd_gpu_weight(const hg_winograd_job *j);
hg_status hg_winograd_cpu_forward(const hg_winograd_job *j, const hg_tensor *x, const hg_tensor *y);
hg_status hg_winograd_gpu_forward(const hg_winograd_job *j, const hg_tensor *x, const hg_tensor *y);
hg_status hg_winograd_cpu_gradient(const hg_winograd_job *j);
hg_status hg_winograd_gpu_gradient(const hg_winograd_job *j);

#endif
