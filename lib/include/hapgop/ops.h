/* Operations: forward here, backward recorded. Names, defaults and rules are PyTorch's (torch 1.13).
 *
 * Unless said otherwise operands are f32 or f64 (both the same), any strides, and results are new and contiguous.
 * Errors: HG_E_DTYPE, HG_E_SHAPE with the shapes, HG_E_ARG, HG_E_DEVICE for operands on two devices. */
#ifndef HAPGOP_OPS_H
#define HAPGOP_OPS_H

#include "hapgop/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Element by element, broadcasting ------------------------------------------------------------------------- */
/* Also i32, i64, u8 (both operands the same), with whole numbers as `b`, but for exp, log, sqrt, sigmoid and tanh. */
HG_API hg_tensor *hg_add(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_sub(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_mul(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_div(hg_tensor *a, hg_tensor *b);           /* integers: true division to f32; x / 0 as in IEEE 754 */
HG_API hg_tensor *hg_minimum(hg_tensor *a, hg_tensor *b);       /* NaN wins; ties halve the gradient */
HG_API hg_tensor *hg_maximum(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_add_scalar(hg_tensor *a, double b);
HG_API hg_tensor *hg_mul_scalar(hg_tensor *a, double b);
HG_API hg_tensor *hg_pow(hg_tensor *a, double exponent);        /* gradient 0 at exponent 0 */
HG_API hg_tensor *hg_neg(hg_tensor *x);
HG_API hg_tensor *hg_abs(hg_tensor *x);                         /* gradient sign(x), 0 at 0 */
HG_API hg_tensor *hg_exp(hg_tensor *x);
HG_API hg_tensor *hg_log(hg_tensor *x);
HG_API hg_tensor *hg_sqrt(hg_tensor *x);
HG_API hg_tensor *hg_sigmoid(hg_tensor *x);
HG_API hg_tensor *hg_tanh(hg_tensor *x);
HG_API hg_tensor *hg_relu(hg_tensor *x);                        /* relu(NaN) = NaN, its gradient there 1; gradient at 0 is 0 */
HG_API hg_tensor *hg_relu_(hg_tensor *x);                       /* in place; returns x */
HG_API hg_tensor *hg_clamp(hg_tensor *x, double low, double high);  /* gradient 1 on the bounds too */

/* Activation functions; f32 and f64. */
HG_API hg_tensor *hg_leaky_relu(hg_tensor *x, double negative_slope);   /* x > 0 ? x : slope x */
/* x P(X < x) of a standard normal X, by erf; tanh_form: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
HG_API hg_tensor *hg_gelu(hg_tensor *x, bool tanh_form);
HG_API hg_tensor *hg_silu(hg_tensor *x);                        /* x sigmoid(x) */
/* log(1 + exp(beta x)) / beta, x itself where beta x > threshold. PyTorch's defaults: 1, 20. HG_E_ARG if beta is 0. */
HG_API hg_tensor *hg_softplus(hg_tensor *x, double beta, double threshold);
HG_API hg_tensor *hg_hardsigmoid(hg_tensor *x);                 /* min(max(x + 3, 0), 6) / 6 */
HG_API hg_tensor *hg_hardswish(hg_tensor *x);                   /* x hardsigmoid(x) */

/* Comparisons give bool; operands of any one dtype. */
HG_API hg_tensor *hg_eq(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_ne(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_lt(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_le(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_gt(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_ge(hg_tensor *a, hg_tensor *b);
HG_API hg_tensor *hg_ge_scalar(hg_tensor *a, double b);         /* an integer `a` is compared as a number */
HG_API hg_tensor *hg_lt_scalar(hg_tensor *a, double b);
/* condition ? a : b, broadcasting all three; condition is bool */
HG_API hg_tensor *hg_where(hg_tensor *condition, hg_tensor *a, hg_tensor *b);
/* value where the bool mask, which broadcasts, holds; any dtype of x, for integers a whole number */
HG_API hg_tensor *hg_masked_fill(hg_tensor *x, hg_tensor *mask, double value);
HG_API hg_tensor *hg_masked_fill_(hg_tensor *x, hg_tensor *mask, double value); /* in place; returns x */

/* ---- Reductions over any dims; HG_ALL is all of them -------------------------------------------------------- */
HG_API hg_tensor *hg_sum(hg_tensor *x, hg_dims dims, bool keepdim);     /* integers and bool sum to i64 */
HG_API hg_tensor *hg_mean(hg_tensor *x, hg_dims dims, bool keepdim);    /* of nothing: NaN */
/* The largest (smallest) of all elements; ties share the gradient evenly; NaN wins. HG_E_SHAPE if empty. */
HG_API hg_tensor *hg_max(hg_tensor *x);
HG_API hg_tensor *hg_min(hg_tensor *x);
/* Along one dim, with the i64 index of the first maximum (the first NaN wins); the gradient goes to that index.
 * Any dtype but bool. *indices may be NULL if not wanted. */
HG_API hg_tensor *hg_max_dim(hg_tensor *x, int dim, bool keepdim, hg_tensor **indices);
HG_API hg_tensor *hg_min_dim(hg_tensor *x, int dim, bool keepdim, hg_tensor **indices);
HG_API hg_tensor *hg_argmax(hg_tensor *x, int dim, bool keepdim);

/* ---- Along one dim: order, running sums, elements by index ---------------------------------------------------------
 * Any dtype unless said otherwise. */
/* Stable; NaN is the largest. *indices (i64) may be NULL if not wanted. */
HG_API hg_tensor *hg_sort(hg_tensor *x, int dim, bool descending, hg_tensor **indices);
HG_API hg_tensor *hg_argsort(hg_tensor *x, int dim, bool descending);
/* The k largest or smallest, in order; the first of equals comes first. HG_E_ARG if the dim has fewer. */
HG_API hg_tensor *hg_topk(hg_tensor *x, int64_t k, int dim, bool largest, hg_tensor **indices);
HG_API hg_tensor *hg_cumsum(hg_tensor *x, int dim);     /* integers and bool sum to i64 */
/* y[.., k, ..] = x[.., index[k], ..] for a vector `index`, i64, whose elements may repeat. An index below 0 or out of
 * range is found on the device: nothing is read out of range, HG_E_ARG comes at the next wait. */
HG_API hg_tensor *hg_index_select(hg_tensor *x, int dim, hg_tensor *index);
/* y[.., k, ..] = x[.., index[.., k, ..], ..]: index has x's number of dims and nowhere but in `dim` more than x; y has
 * the shape of index. Out of range: as above. */
HG_API hg_tensor *hg_gather(hg_tensor *x, int dim, hg_tensor *index);

/* ---- Joining ---------------------------------------------------------------------------------------------------- */
HG_API hg_tensor *hg_cat(hg_tensor **tensors, int n, int dim);  /* any one dtype */
HG_API hg_tensor *hg_stack(hg_tensor **tensors, int n, int dim);    /* of one shape, along a new dim */

/* ---- Cutting: views in parts[], which are the error tensor after an error --------------------------------------- */
/* Parts of `size`, the last one what is left. Returns their number, or an error's hg_status (below 0); HG_E_ARG if they
 * are more than `max`. */
HG_API int hg_split(hg_tensor *t, int64_t size, int dim, hg_tensor **parts, int max);
HG_API hg_status hg_split_sizes(hg_tensor *t, const int64_t *sizes, int n, int dim, hg_tensor **parts);
/* Up to `chunks` parts, all but the last of one size: there may be fewer, as in PyTorch. Returns as hg_split. */
HG_API int hg_chunk(hg_tensor *t, int chunks, int dim, hg_tensor **parts);

/* ---- Products ----------------------------------------------------------------------------------------------------- */
/* torch.matmul: vectors, matrices, and batches of matrices with broadcast batch dims. */
HG_API hg_tensor *hg_matmul(hg_tensor *a, hg_tensor *b);
/* y = x W^T + b.  x: * x in;  weight: out x in;  bias: out or NULL;  y: * x out. Any leading dims, none too. */
HG_API hg_tensor *hg_linear(hg_tensor *x, hg_tensor *weight, hg_tensor *bias);

/* ---- Convolution -------------------------------------------------------------------------------------------------
 * Cross-correlation, as PyTorch's: y[n,o,i,j] = b[o] + sum_{c,u,v} w[o,c,u,v] x[n,c,iS-P+uD,jS-P+vD], zero padding.
 * input  N x C x H x W (or C x H x W);  weight O x C/groups x KH x KW;  bias O or NULL; conv1d without H, conv3d with
 *        a depth before it
 * output N x O x H' x W', H' = floor((H + 2P - D(KH - 1) - 1) / S) + 1
 * Errors: channels that do not fit, a kernel larger than the padded input, groups that do not divide. */
typedef enum hg_pad_mode { HG_PAD_CONSTANT, HG_PAD_REFLECT, HG_PAD_REPLICATE, HG_PAD_CIRCULAR } hg_pad_mode;
#define HG_NO_PADDING (-1)     /* in a later place of `padding`: none there, whatever the first one is */
typedef struct hg_conv_options {
    int64_t stride[3], padding[3], dilation[3];     /* the first 1 to 3 are used; 0 in a place means its first one's value */
                                                    /* padding 3 x 0 is {3, HG_NO_PADDING} */
    int64_t groups;
    bool same;                                      /* padding='same': stride 1 only; an odd pixel goes to the end */
    hg_pad_mode padding_mode;                       /* HG_PAD_CONSTANT: zeros; the others as in hg_pad() */
} hg_conv_options;
#define HG_CONV_DEFAULTS ((hg_conv_options){{1, 1, 1}, {0, 0, 0}, {1, 1, 1}, 1, false, HG_PAD_CONSTANT})
HG_API hg_tensor *hg_conv1d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_options *o);
HG_API hg_tensor *hg_conv2d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_options *o);
HG_API hg_tensor *hg_conv3d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, const hg_conv_options *o);
/* conv2d, then + residual (the output's shape; NULL: none), then ReLU if `relu`, in one pass: nothing between is in
 * memory. Gradients go to all four; that of ReLU is 1 where the output is above 0. */
HG_API hg_tensor *hg_conv2d_fused(hg_tensor *input, hg_tensor *weight, hg_tensor *bias, hg_tensor *residual, bool relu,
                                  const hg_conv_options *o);
/* floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1; -1 with an error if there is no output. */
HG_API int64_t hg_conv_output_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation);

/* Transposed: how a convolution of the same weight and options gives its gradient back to its input.
 * input  N x C x H x W (or C x H x W);  weight C x O/groups x KH x KW;  bias O or NULL
 * output N x O x H' x W', H' = (H - 1) S - 2P + D(KH - 1) + output_padding + 1
 * Errors: channels that do not fit, an output of no size, output padding not below stride or dilation. */
typedef struct hg_conv_transpose_options {
    int64_t stride[3], padding[3], output_padding[3], dilation[3];      /* places as in hg_conv_options */
    int64_t groups;
} hg_conv_transpose_options;
#define HG_CONV_TRANSPOSE_DEFAULTS ((hg_conv_transpose_options){{1, 1, 1}, {0, 0, 0}, {0, 0, 0}, {1, 1, 1}, 1})
HG_API hg_tensor *hg_conv_transpose1d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias,
                                      const hg_conv_transpose_options *o);
HG_API hg_tensor *hg_conv_transpose2d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias,
                                      const hg_conv_transpose_options *o);
HG_API hg_tensor *hg_conv_transpose3d(hg_tensor *input, hg_tensor *weight, hg_tensor *bias,
                                      const hg_conv_transpose_options *o);

/* ---- Pooling ------------------------------------------------------------------------------------------------------
 * input N x C x H x W (or C x H x W). stride 0 means the kernel's size. */
typedef struct hg_pool_options {
    int64_t kernel[2], stride[2], padding[2], dilation[2];  /* dilation for max only */
    bool ceil_mode;
    bool count_include_pad;     /* average only */
    int64_t divisor_override;   /* average only; 0: none */
} hg_pool_options;
#define HG_POOL_DEFAULTS ((hg_pool_options){{2, 2}, {0, 0}, {0, 0}, {1, 1}, false, true, 0})
/* NaN wins (the last one), the first maximum wins a tie, padding never wins; the gradient goes to the winner alone.
 * *indices (NULL if not wanted): i64, flat h * W + w in the input's plane. HG_E_ARG if padding > kernel / 2. */
HG_API hg_tensor *hg_max_pool2d(hg_tensor *input, const hg_pool_options *o, hg_tensor **indices);
HG_API hg_tensor *hg_avg_pool2d(hg_tensor *input, const hg_pool_options *o);
/* Output height x width; cell i covers floor(i H / h) up to ceil((i + 1) H / h). 0 in a place keeps that size. */
HG_API hg_tensor *hg_adaptive_avg_pool2d(hg_tensor *input, int64_t height, int64_t width);

/* ---- Borders and sizes ------------------------------------------------------------------------------------------- */
/* Pairs of elements before and after, from the last dim on: HG_PADS(left, right, top, bottom). */
typedef struct hg_pads {
    int count;
    int64_t pad[2 * HG_MAX_DIMS];
} hg_pads;
#define HG_PADS(...) ((hg_pads){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
/* Constant: any dims, `value` around; negative pads cut off. The others take from x, `value` does not matter: mirrored
 * without the edge, the edge itself, or the other end; of the last 1 to 3 dims, with N and C or C alone before them.
 * Any dtype. HG_E_ARG for a reflection of the whole size, or going round more than once. */
HG_API hg_tensor *hg_pad(hg_tensor *x, hg_pads pads, hg_pad_mode mode, double value);

/* Resamples N x C x H x W to N x C x size[0] x size[1], or to floor(H scale[0]) x floor(W scale[1]): one of the two is
 * given, 0 in the second place means the first one's value. torch.nn.functional.interpolate has the rules. */
typedef enum hg_interpolation { HG_INTERPOLATE_NEAREST, HG_INTERPOLATE_BILINEAR } hg_interpolation;
typedef struct hg_interpolate_options {
    int64_t size[2];
    double scale[2];
    hg_interpolation mode;
    bool align_corners;         /* bilinear only: corners keep their values */
} hg_interpolate_options;
#define HG_INTERPOLATE_DEFAULTS ((hg_interpolate_options){{0, 0}, {0, 0}, HG_INTERPOLATE_NEAREST, false})
HG_API hg_tensor *hg_interpolate(hg_tensor *x, const hg_interpolate_options *o);

/* ---- Normalisation ------------------------------------------------------------------------------------------------
 * input N x C x ... (2 dims: N x C); weight, bias C or NULL; running_mean, running_var C or NULL (no running
 * statistics: batch statistics are always used). Training: normalises with the biased batch variance and updates the
 * running ones, r = (1 - momentum) r + momentum * batch (unbiased variance). HG_E_SHAPE with PyTorch's words for one
 * value per channel in training. */
HG_API hg_tensor *hg_batch_norm(hg_tensor *input, hg_tensor *running_mean, hg_tensor *running_var, hg_tensor *weight,
                                hg_tensor *bias, bool training, double momentum, double eps);
/* max_pool2d(relu(batch_norm(input))) at once: values equal to the bit, gradients to rounding; pool NULL: no pooling.
 * The result of batch_norm alone is never in memory. For 4-D input and windows of 2 x 2 side by side (kernel and stride
 * 2, no padding, dilation or ceil_mode) neither is relu's; other pooling follows as an operation of its own. Errors: those
 * of the three, before anything is changed. */
HG_API hg_tensor *hg_batch_norm_relu(hg_tensor *input, hg_tensor *running_mean, hg_tensor *running_var,
                                     hg_tensor *weight, hg_tensor *bias, bool training, double momentum, double eps,
                                     const hg_pool_options *pool);

/* Each row of the trailing dims `shape` on its own, by its mean and biased variance; weight, bias that shape or NULL. */
HG_API hg_tensor *hg_layer_norm(hg_tensor *input, hg_shape shape, hg_tensor *weight, hg_tensor *bias, double eps);
/* The same for each group of C / groups channels of each image of N x C x ...; weight, bias C or NULL. One value a
 * group gives 0 (PyTorch refuses some of these). HG_E_SHAPE if groups do not divide C. */
HG_API hg_tensor *hg_group_norm(hg_tensor *input, int64_t groups, hg_tensor *weight, hg_tensor *bias, double eps);

/* ---- Dropout ------------------------------------------------------------------------------------------------------
 * Each element is 0 with probability p, the others are multiplied by 1 / (1 - p); identity (no draw) if not training
 * or p is 0. HG_E_ARG for p outside [0, 1]. */
HG_API hg_tensor *hg_dropout(hg_tensor *x, double p, bool training);
/* Whole channels of N x C x ...; for N x F it is hg_dropout with a warning once, as torch 1.13 does. */
HG_API hg_tensor *hg_dropout2d(hg_tensor *x, double p, bool training);

/* ---- Softmax and losses --------------------------------------------------------------------------------------------- */
HG_API hg_tensor *hg_softmax(hg_tensor *x, int dim);
HG_API hg_tensor *hg_log_softmax(hg_tensor *x, int dim);

typedef enum hg_reduction { HG_REDUCE_MEAN, HG_REDUCE_SUM, HG_REDUCE_NONE } hg_reduction;
typedef struct hg_loss_options {
    hg_tensor *weight;          /* C, per class; NULL: none */
    int64_t ignore_index;
    hg_reduction reduction;
    double label_smoothing;     /* cross entropy only */
} hg_loss_options;
#define HG_LOSS_DEFAULTS ((hg_loss_options){NULL, -100, HG_REDUCE_MEAN, 0.0})
/* -log_probs[target], weighted. log_probs N x C (or C, or N x C x d...); target i64 N (or none, or N x d...).
 * Mean divides by the sum of weights of what is not ignored; all ignored gives NaN. A target out of range is found on
 * the device: nothing is read out of range, HG_E_ARG comes at the next wait, and no optimizer changes a weight before
 * that. */
HG_API hg_tensor *hg_nll_loss(hg_tensor *log_probs, hg_tensor *target, const hg_loss_options *o);
/* log_softmax and nll_loss in one. A float target of the input's shape gives class probabilities. */
HG_API hg_tensor *hg_cross_entropy(hg_tensor *input, hg_tensor *target, const hg_loss_options *o);
HG_API hg_tensor *hg_mse_loss(hg_tensor *input, hg_tensor *target, hg_reduction reduction);
/* z = input - target, broadcasting: z^2 / (2 beta) where |z| < beta, else |z| - beta / 2. HG_E_ARG if beta < 0. */
HG_API hg_tensor *hg_smooth_l1_loss(hg_tensor *input, hg_tensor *target, double beta, hg_reduction reduction);
/* z^2 / 2 where |z| <= delta, else delta (|z| - delta / 2). HG_E_ARG unless delta > 0. */
HG_API hg_tensor *hg_huber_loss(hg_tensor *input, hg_tensor *target, double delta, hg_reduction reduction);
/* target (log(target) - input), broadcasting; the target's logarithm is given if log_target. Mean is over elements:
 * for PyTorch's "batchmean" take the sum and divide it by the batch. */
HG_API hg_tensor *hg_kl_div(hg_tensor *input, hg_tensor *target, bool log_target, hg_reduction reduction);
/* -weight (pos_weight target log(sigmoid(input)) + (1 - target) log(1 - sigmoid(input))), stable for large inputs.
 * target has the input's shape; the weights broadcast to it and need no gradient. */
typedef struct hg_bce_options {
    hg_tensor *weight, *pos_weight;     /* NULL: 1 */
    hg_reduction reduction;
} hg_bce_options;
#define HG_BCE_DEFAULTS ((hg_bce_options){NULL, NULL, HG_REDUCE_MEAN})
HG_API hg_tensor *hg_binary_cross_entropy_with_logits(hg_tensor *input, hg_tensor *target, const hg_bce_options *o);

#ifdef __cplusplus
}
#endif
#endif
