/* What layers share: checks of sizes, and their text. */
#ifndef HG_NN_LAYER_H
#define HG_NN_LAYER_H

#include "nn/module.h"

/* `value` must be at least `least`: "Linear: in_features must be at least 0, got -3". */
hg_status hg_check_least(const char *layer, const char *what, int64_t value, int64_t least);

/* malloc'ed printf for extra_text, at most 511 bytes; NULL with an error. */
char *hg_extra_text(const char *format, ...) HG_PRINTF(1, 2);

/* "(3, 3)", "(3,)" as Python prints a tuple of `n` (1 to HG_MAX_DIMS) sizes; hg_sizes_text: "3" if all are equal, as for an int
 * that was given. Both return `out`. */
enum { HG_TUPLE_SIZE = 192 };
char *hg_tuple_text(const int64_t *v, int n, char out[HG_TUPLE_SIZE]);
char *hg_sizes_text(const int64_t *v, int n, char out[HG_TUPLE_SIZE]);

/* ---- layers that may run as one: which module is what ---- */

bool hg_is_batch_norm2d(const hg_module *m);
bool hg_is_relu(const hg_module *m);
bool hg_is_linear(const hg_module *m);
bool hg_is_dropout(const hg_module *m);     /* of elements or of channels */
bool hg_is_sequential(const hg_module *m);
double hg_batch_norm_eps(const hg_module *m);   /* of a BatchNorm */
const hg_conv_options *hg_conv2d_options(const hg_module *m);   /* NULL if it is no Conv2d */
const hg_pool_options *hg_max_pool2d_options(const hg_module *m);   /* NULL if it is no MaxPool2d */
/* A batch normalisation, then ReLU, then max pooling unless `pool` is NULL, at once. No hook is called. */
hg_tensor *hg_forward_batch_norm_relu(hg_module *m, hg_tensor *x, const hg_pool_options *pool);

#endif
