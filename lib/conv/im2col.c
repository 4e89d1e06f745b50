/* im2col-gemm: a convolution as one matrix product for each group. With the columns of kernels/im2col.cl,
 *
 *   forward            output = weight columns        image by image, NCHW as it comes out
 *   backward-data      columns = weight^T output      then col2im
 *   backward-weights   weight = output columns^T      images side by side: one long product a chunk
 *
 * The batch goes in chunks of `value[0]` images, so that the columns fit the workspace; backward-weights adds the
 * chunks in order. A kernel of 1 with stride 1 and no padding has the input itself for columns. */
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "blas/gemm.h"
#include "conv/solver.h"

/* Columns of one chunk that still lie in the caches of a CPU when the product reads them; bytes. */
static const int64_t CPU_CHUNK = 4 << 20;

static size_t element_of(const hg_conv_problem *p)
{
    return p->dtype == HG_F64 ? 8 : 4;
}

/* Whether the input is its own matrix of columns. */
static bool is_pointwise(const hg_conv_problem *p)
{
    for (int d = 0; d < p->rank; d++)
        if (p->kernel[d] != 1 || p->stride[d] != 1 || p->begin[d] || p->end[d]) return false;
    return true;
}

/* Elements of workspace for a chunk of `images`: columns, and what backward-weights lays side by side. */
static int64_t columns_of(const hg_conv_problem *p, int64_t images)
{
    bool copied = p->direction == HG_CONV_BACKWARD_WEIGHTS && images > 1;
    return is_pointwise(p) && !copied ? 0 : images * p->channels * hg_conv_kernel_area(p) * hg_conv_output_area(p);
}

static int64_t gathered_of(const hg_conv_problem *p, int64_t images)
{
    return p->direction == HG_CONV_BACKWARD_WEIGHTS && images > 1 ? images * p->outputs * hg_conv_output_area(p) : 0;
}

static bool im2col_applicable(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY])
{
    (void)dev;
    int64_t rows = p->channels / p->groups * hg_conv_kernel_area(p), area = hg_conv_output_area(p);
    if (rows * p->groups < INT_MAX / 2 && area < INT_MAX / 4 && p->outputs < INT_MAX / 2) return true;
    snprintf(why, HG_WHY, "columns of %lld x %lld are too large for the matrix product", (long long)rows,
             (long long)area);
    return false;
}

static int im2col_configs(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max)
{
    (void)max;
    int64_t one = hg_conv_kernel_area(p) * p->channels * hg_conv_output_area(p) * (int64_t)element_of(p);
    int64_t images = hg_min_i64(p->batch, hg_max_i64(1, INT_MAX / 4 / hg_conv_output_area(p)));
    if (hg_is_cpu(dev)) images = hg_min_i64(images, hg_max_i64(1, CPU_CHUNK / one));
    hg_conv_config c;
    do {
        c = (hg_conv_config){{(int32_t)images}};
        images = hg_ceil_div(images, 2);
    } while (c.value[0] > 1 &&
             (columns_of(p, c.value[0]) + gathered_of(p, c.value[0])) * (int64_t)element_of(p) > p->workspace_limit);
    /* Chunks of one size, as far as possible. */
    c.value[0] = (int32_t)hg_ceil_div(p->batch, hg_ceil_div(p->batch, c.value[0]));
    configs[0] = c;
    return 1;
}

static size_t im2col_workspace(const hg_conv_problem *p, const hg_conv_config *c)
{
    return (size_t)(columns_of(p, c->value[0]) + gathered_of(p, c->value[0])) * element_of(p);
}

static double im2col_cost(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev)
{
    /* The product wastes what is missing to whole tiles of 8 x 32. */
    int64_t m = p->outputs / p->groups, n = hg_conv_output_area(p);
    if (p->direction == HG_CONV_BACKWARD_DATA) m = p->channels / p->groups * hg_conv_kernel_area(p);
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS) n = p->channels / p->groups * hg_conv_kernel_area(p);
    double share = 0.7 * (double)(m * n) / (double)(hg_round_up(m, 8) * hg_round_up(n, 32));
    double traffic = 4.0 * (double)element_of(p) * (double)p->batch * (double)p->channels *
                     (double)hg_conv_kernel_area(p) * (double)hg_conv_output_area(p);
    if (is_pointwise(p)) traffic = p->direction == HG_CONV_BACKWARD_WEIGHTS ? traffic / 4 : 0;
    if (p->direction == HG_CONV_BACKWARD_WEIGHTS)
        traffic += 2.0 * (double)element_of(p) * (double)hg_conv_output_numel(p);
    int64_t chunks = hg_ceil_div(p->batch, c->value[0]);
    return hg_conv_flops(p) / (hg_conv_peak(dev, p->dtype == HG_F64) * share) + traffic / hg_conv_bandwidth(dev) +
           2e-5 * (double)(chunks * p->groups);
}

/* ---- running ---- */

/* One chunk: images first .. first + count - 1, and the matrices that stand for them. */
typedef struct chunk {
    hg_device *dev;
    const hg_conv_problem *p;
    const hg_conv_buffers *b;
    int64_t first, count;
    int64_t rows, area; /* of the columns of a group: C/G K; pixels of an image */
    hg_matrix columns;  /* of the first group and image */
    int64_t step;       /* from an image to the next in it */
    char options[40];
} chunk;

static hg_status launch_im2col(const chunk *c)
{
    const hg_conv_problem *p = c->p;
    hg_arg g[3];
    hg_conv_geometry(p, g);
    int64_t last = hg_conv_kernel_area(p) / p->kernel[p->rank - 1];
    hg_range range = hg_is_cpu(c->dev) ? hg_range_items(c->dev, last, p->channels, c->count, 1)
                                       : hg_range_elements(c->dev, c->rows * p->groups * c->count * c->area);
    return hg_launch(c->dev, &hg_source_im2col, c->options, "im2col", range,
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(c->first), HG_ARG_I64(c->count), HG_ARG_TENSOR(c->b->input),
                             HG_ARG_MEM(c->columns.mem), HG_ARG_I64(c->columns.offset), HG_ARG_I64(c->columns.ld),
                             HG_ARG_I64(c->step)));
}

static hg_status launch_col2im(const chunk *c)
{
    const hg_conv_problem *p = c->p;
    hg_arg g[3];
    hg_conv_geometry(p, g);
    int64_t area = hg_conv_input_area(p);
    hg_range range = hg_is_cpu(c->dev) ? hg_range_items(c->dev, area / p->size[p->rank - 1], p->channels, c->count, 1)
                                       : hg_range_elements(c->dev, c->count * p->channels * area);
    return hg_launch(c->dev, &hg_source_im2col, c->options, "col2im", range,
                     HG_ARGS(g[0], g[1], g[2], HG_ARG_I64(c->first), HG_ARG_I64(c->count), HG_ARG_MEM(c->columns.mem),
                             HG_ARG_I64(c->columns.offset), HG_ARG_I64(c->columns.ld), HG_ARG_I64(c->step),
                             HG_ARG_TENSOR(c->b->input)));
}

/* The chunk's images of `t` (rows planes each) behind one another in each row, at `to` of the workspace. */
static hg_status launch_side_by_side(const chunk *c, const hg_tensor *t, int64_t rows, int64_t to)
{
    hg_range range = hg_is_cpu(c->dev) ? hg_range_items(c->dev, rows, c->count, 1, 1)
                                       : hg_range_elements(c->dev, rows * c->count * c->area);
    return hg_launch(c->dev, &hg_source_im2col, c->options, "side_by_side", range,
                     HG_ARGS(HG_ARG_I64(rows), HG_ARG_I64(c->count), HG_ARG_I64(c->area), HG_ARG_MEM(t->storage->mem),
                             HG_ARG_I64(t->offset + c->first * rows * c->area), HG_ARG_MEM(c->b->workspace),
                             HG_ARG_I64(to)));
}

/* A tensor of `planes` planes an image, from plane `plane` of the chunk's first image on: a matrix a plane a row. */
static hg_matrix planes_of(const chunk *c, const hg_tensor *t, int64_t planes, int64_t plane)
{
    return (hg_matrix){t->storage->mem, t->offset + (c->first * planes + plane) * c->area, c->area, planes * c->area};
}

static hg_matrix columns_of_group(const chunk *c, int64_t g)
{
    hg_matrix m = c->columns;
    m.offset += g * c->rows * m.ld;
    m.step = c->step;
    return m;
}

static hg_matrix weight_of_group(const chunk *c, int64_t g)
{
    int64_t size = c->p->outputs / c->p->groups * c->rows;
    return (hg_matrix){c->b->weight->storage->mem, c->b->weight->offset + g * size, c->rows, 0};
}

static hg_status forward(const chunk *c)
{
    const hg_conv_problem *p = c->p;
    int64_t og = p->outputs / p->groups;
    if (!is_pointwise(p)) HG_TRY(launch_im2col(c));
    for (int64_t g = 0; g < p->groups; g++) {
        hg_gemm_problem q = {
            .f64 = p->dtype == HG_F64, .m = og, .n = c->area, .k = c->rows, .batch = c->count, .alpha = 1};
        q.beta = p->epilogue & HG_CONV_RESIDUAL ? 1 : 0;
        q.a = weight_of_group(c, g);
        q.b = columns_of_group(c, g);
        q.c = planes_of(c, c->b->output, p->outputs, g * og);
        q.relu = p->epilogue & HG_CONV_RELU;
        if (p->epilogue & HG_CONV_BIAS) {
            q.bias_along = HG_BIAS_ROWS;
            q.bias = c->b->bias->storage->mem;
            q.bias_offset = c->b->bias->offset + g * og;
        }
        HG_TRY(hg_gemm(c->dev, &q));
    }
    return HG_OK;
}

static hg_status backward_data(const chunk *c)
{
    const hg_conv_problem *p = c->p;
    int64_t og = p->outputs / p->groups;
    for (int64_t g = 0; g < p->groups; g++) {
        hg_gemm_problem q = {.f64 = p->dtype == HG_F64,
                             .trans_a = true,
                             .m = c->rows,
                             .n = c->area,
                             .k = og,
                             .batch = c->count,
                             .alpha = 1};
        q.a = weight_of_group(c, g);
        q.b = planes_of(c, c->b->output, p->outputs, g * og);
        q.c = columns_of_group(c, g);
        HG_TRY(hg_gemm(c->dev, &q));
    }
    return is_pointwise(p) ? HG_OK : launch_col2im(c);
}

static hg_status backward_weights(const chunk *c)
{
    const hg_conv_problem *p = c->p;
    int64_t og = p->outputs / p->groups, length = c->count * c->area;
    hg_matrix gradient = {c->b->output->storage->mem, c->b->output->offset + c->first * p->outputs * c->area, length,
                          0};
    if (!is_pointwise(p))
        HG_TRY(launch_im2col(c));
    else if (c->count > 1)
        HG_TRY(launch_side_by_side(c, c->b->input, p->channels, 0));
    if (c->count > 1) {
        gradient.mem = c->b->workspace;
        gradient.offset = columns_of(p, c->count);
        HG_TRY(launch_side_by_side(c, c->b->output, p->outputs, gradient.offset));
    }
    hg_gemm_problem q = {.f64 = p->dtype == HG_F64,
                         .trans_b = true,
                         .m = og,
                         .n = c->rows,
                         .k = length,
                         .batch = p->groups,
                         .alpha = 1,
                         .beta = c->first > 0};
    q.a = gradient;
    q.a.step = og * length;
    q.b = c->columns;
    q.b.step = c->rows * length;
    q.c = weight_of_group(c, 0);
    q.c.step = og * c->rows;
    return hg_gemm(c->dev, &q);
}

/* Where the chunk's columns lie. */
static void place_columns(chunk *c)
{
    const hg_conv_problem *p = c->p;
    bool weights = p->direction == HG_CONV_BACKWARD_WEIGHTS;
    if (columns_of(p, c->count)) {
        c->columns = (hg_matrix){c->b->workspace, 0, weights ? c->count * c->area : c->area, 0};
        c->step = weights ? c->area : c->rows * p->groups * c->area;
    } else {
        c->columns = planes_of(c, c->b->input, p->channels, 0);
        c->step = c->columns.step;
    }
}

static hg_status im2col_run(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b)
{
    const hg_conv_problem *p = &plan->problem;
    chunk c = {.dev = dev, .p = p, .b = b};
    c.rows = p->channels / p->groups * hg_conv_kernel_area(p);
    c.area = hg_conv_output_area(p);
    bool wide = hg_conv_wide(p) || plan->workspace / element_of(p) > INT_MAX / 2;
    snprintf(c.options, sizeof c.options, "%s%s", hg_real_options((hg_dtype)p->dtype), wide ? " -DHG_WIDE=1" : "");
    if (p->epilogue & HG_CONV_RESIDUAL) HG_TRY(hg_raw_copy((hg_tensor *)b->output, b->residual));
    for (c.first = 0; c.first < p->batch; c.first += plan->config.value[0]) {
        c.count = hg_min_i64(plan->config.value[0], p->batch - c.first);
        place_columns(&c);
        switch (p->direction) {
        case HG_CONV_FORWARD:
            HG_TRY(forward(&c));
            break;
        case HG_CONV_BACKWARD_DATA:
            HG_TRY(backward_data(&c));
            break;
        default:
            HG_TRY(backward_weights(&c));
        }
    }
    return HG_OK;
}

const hg_conv_solver hg_conv_im2col = {
    .name = "im2col-gemm",
    .applicable = im2col_applicable,
    .configs = im2col_configs,
    .workspace = im2col_workspace,
    .cost = im2col_cost,
    .run = im2col_run,
};
