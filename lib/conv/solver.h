/* How convolutions are computed: one problem, many solvers, one choice.
 *
 * A solver is one file of this room with its kernels. It says whether it can do a problem (or why not), in which
 * configurations, with how much workspace, how long it should take, and does it. hg_conv_run chooses and runs. */
#ifndef HG_CONV_SOLVER_H
#define HG_CONV_SOLVER_H

#include "conv/problem.h"
#include "tensor/tensor.h"

enum { HG_WHY = 160, HG_CONV_CONFIGS = 8 };

/* A solver's own parameters; what they mean is said in its file. */
typedef struct hg_conv_config {
    int32_t value[4];
    int32_t layout; /* of the packed weight: configurations with the same one share it */
} hg_conv_config;

/* The tensors, contiguous, of the problem's shapes and dtype. The one that the direction computes is written, the other
 * two are read: forward writes output, backward-data input, backward-weights weight. bias (O) and residual (the
 * output's shape) are read if the problem's epilogue has them. */
typedef struct hg_conv_buffers {
    const hg_tensor *input, *weight, *output, *bias, *residual;
    bool weight_stands; /* the weight is expected to stay: what is packed of it is kept with its storage */
    cl_mem workspace, packed; /* set by hg_conv_run */
} hg_conv_buffers;

typedef struct hg_conv_solver hg_conv_solver;

/* A problem with the choice that was made for it. */
typedef struct hg_conv_plan {
    hg_conv_problem problem; /* its workspace_limit is the one in force */
    const hg_conv_solver *solver;
    hg_conv_config config;
    size_t workspace, packed; /* bytes; of the packed weight */
    double seconds;           /* expected */
} hg_conv_plan;

struct hg_conv_solver {
    const char *name; /* "im2col-gemm" */
    /* False, and the reason in `why` ("stride 2"), for a problem that it cannot do on this device. Problems have at
     * least one image, channel and output, and a workspace limit. */
    bool (*applicable)(const hg_conv_problem *p, const hg_device *dev, char why[HG_WHY]);
    /* Writes up to `max` configurations, returns how many: at least one. */
    int (*configs)(const hg_conv_problem *p, const hg_device *dev, hg_conv_config *configs, int max);
    size_t (*workspace)(const hg_conv_problem *p, const hg_conv_config *c); /* bytes, without the packed weight */
    /* Bytes of the weight in the form that run() reads instead of it: 0 if run() reads the weight itself. It depends on
     * nothing but direction, outputs, channels, groups, kernel, dtype and the configuration's layout, and so does what
     * prepare() queues: reading b->weight and writing b->packed. Both NULL: as 0. */
    size_t (*packed)(const hg_conv_problem *p, const hg_conv_config *c);
    /* Whether run() reads the weight itself, b->packed being NULL, unless the weight stands. NULL: never. */
    bool (*in_flight)(const hg_conv_plan *plan);
    hg_status (*prepare)(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b);
    /* Seconds by fixed properties of the device: the same in every run. */
    double (*cost)(const hg_conv_problem *p, const hg_conv_config *c, const hg_device *dev);
    /* Queues the work. */
    hg_status (*run)(hg_device *dev, const hg_conv_plan *plan, const hg_conv_buffers *b);
};

extern const hg_conv_solver hg_conv_direct, hg_conv_im2col, hg_conv_implicit_gemm, hg_conv_winograd_f4x4,
    hg_conv_winograd_f2x2, hg_conv_gemm_1x1, hg_conv_depthwise, hg_conv_fft, hg_conv_lines;

/* Every solver there is; NULL after the last. */
const hg_conv_solver *const *hg_conv_solvers(void);

/* Chooses: solvers named by the problem, else by $HAPGOP_CONV=name[,name] (the first applicable one; if none is, the
 * error has the reason of each), else the least expected time. Plans are kept with the device, so that choosing again
 * costs a look-up. HAPGOP_LOG=conv tells what was chosen and why others were not. The plan lives until the device
 * closes or one of the environment variables HAPGOP_CONV and HAPGOP_WORKSPACE (bytes, or with K, M, G) changes.
 * Errors: hg_conv_check's; HG_E_ARG (an unknown name); HG_E_UNSUPPORTED (refused). */
hg_status hg_conv_choose(hg_device *dev, const hg_conv_problem *p, const hg_conv_plan **plan);

/* The packed weight for a plan that has one: kept with the weight's storage while its version stands if
 * b->weight_stands, else made in a block that the caller gives back, or not made (in_flight). Sets b->packed. What is
 * kept of an older version is dropped. */
hg_status hg_conv_pack(hg_device *dev, const hg_conv_plan *plan, hg_conv_buffers *b, hg_block **own);

/* Chooses and queues. A problem without images, channels or outputs is done too: sums of nothing are 0. */
hg_status hg_conv_run(const hg_conv_problem *p, const hg_conv_buffers *b);

/* bias (O) = the sum of `output` (a gradient) over images and area. */
hg_status hg_conv_bias_gradient(const hg_conv_problem *p, const hg_tensor *output, const hg_tensor *bias);

/* What solvers' costs are made of: operations a second with every unit busy, and bytes a second of memory. Rough, the
 * same for every device of a class with as many units and the same clock. */
double hg_conv_peak(const hg_device *dev, bool f64);
double hg_conv_bandwidth(const hg_device *dev);

#endif
