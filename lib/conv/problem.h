/* A convolution as a problem: everything a solver needs to know before it sees a buffer. */
#ifndef HG_CONV_PROBLEM_H
#define HG_CONV_PROBLEM_H

#include "cl/launch.h"
#include "hapgop/tensor.h"

enum { HG_CONV_KEY = 256, HG_CONV_NAME = 64, HG_CONV_RANK = 3 };

typedef enum hg_conv_direction {
    HG_CONV_FORWARD,         /* input, weight -> output */
    HG_CONV_BACKWARD_DATA,   /* gradient of output, weight -> gradient of input */
    HG_CONV_BACKWARD_WEIGHTS /* gradient of output, input -> gradient of weight */
} hg_conv_direction;

/* Forward only: output = relu(convolution + bias + residual), each part if its flag is set. */
enum { HG_CONV_BIAS = 1, HG_CONV_RELU = 2, HG_CONV_RESIDUAL = 4 };

/* Tensors are contiguous: input N x C x size..., weight O x C/groups x kernel..., output N x O x output size....
 * The members leave no gap: problems are equal when their bytes are. */
typedef struct hg_conv_problem {
    int64_t batch, channels, outputs, groups; /* N, C, O, G */
    /* The first `rank` of each, outermost first; the others are 0. begin, end: padding before and after. */
    int64_t size[HG_CONV_RANK], kernel[HG_CONV_RANK], stride[HG_CONV_RANK], begin[HG_CONV_RANK], end[HG_CONV_RANK],
        dilation[HG_CONV_RANK];
    int64_t workspace_limit;   /* bytes; 0: $HAPGOP_WORKSPACE, else what the device class gets */
    int32_t direction, rank;   /* hg_conv_direction; 1 to 3 */
    int32_t dtype, epilogue;   /* HG_F32 or HG_F64; HG_CONV_* */
    char solver[HG_CONV_NAME]; /* the solver to use, or solvers to try in this order, separated by commas; "": any */
} hg_conv_problem;

_Static_assert(sizeof(hg_conv_problem) == 23 * 8 + 4 * 4 + HG_CONV_NAME, "hg_conv_problem has gaps");

/* HG_E_ARG or HG_E_SHAPE, naming what is wrong, for sizes that make no convolution or overflow. A batch, channels or
 * outputs of 0 are allowed. */
hg_status hg_conv_check(const hg_conv_problem *p);

/* The output's size along dimension d < rank; 0 or less if the kernel does not fit. */
int64_t hg_conv_output(const hg_conv_problem *p, int d);

/* Backward-data of stride 1 as the forward convolution that it is, whose input is the output's gradient and whose padding
 * may be negative; the other directions as they stand. */
hg_conv_problem hg_conv_as_forward(const hg_conv_problem *p);

/* Products of the last `rank` dimensions: of the input, the output and the kernel. */
int64_t hg_conv_input_area(const hg_conv_problem *p);
int64_t hg_conv_output_area(const hg_conv_problem *p);
int64_t hg_conv_kernel_area(const hg_conv_problem *p);

/* Elements of the three tensors. */
int64_t hg_conv_input_numel(const hg_conv_problem *p);
int64_t hg_conv_output_numel(const hg_conv_problem *p);
int64_t hg_conv_weight_numel(const hg_conv_problem *p);

/* Multiplications and additions of the definition, padding included: the same in all three directions. */
double hg_conv_flops(const hg_conv_problem *p);

/* The problem as text, without the choice of solver:
 *   fwd 8x64x56x56 64x3x3 s1x1 p1x1 f32 [d2x2] [g4] [bias] [residual] [relu] [w1048576]
 * direction (fwd, bwd-data, bwd-weights), batch x channels x sizes, outputs x kernel, stride, padding (p0:1x1 where the
 * end differs from the beginning), dtype; then, if they are not the default, dilation, groups, epilogue, workspace
 * limit. Returns `out`. */
char *hg_conv_key(const hg_conv_problem *p, char out[HG_CONV_KEY]);

/* Reads what hg_conv_key writes, optional fields in any order, and checks it. HG_E_FORMAT names the field that cannot
 * be read. */
hg_status hg_conv_parse(const char *key, hg_conv_problem *p);

/* True if an element index of one of its tensors does not fit an int (HG_WIDE). */
bool hg_conv_wide(const hg_conv_problem *p);

/* The geometry as kernels take it (kernels/conv.clh): three long8, dimensions of lower ranks padded with 1. */
#define HG_CONV_GEOMETRY(g) (g)[0], (g)[1], (g)[2]
void hg_conv_geometry(const hg_conv_problem *p, hg_arg g[3]);

#endif
