#ifndef TESTS_OPS_SUITES_H
#define TESTS_OPS_SUITES_H

#include "support.h"

Suite *activation_suite(void);
Suite *batch_norm_suite(void);
Suite *batch_norm_relu_suite(void);
Suite *binary_suite(void);
Suite *cat_suite(void);
Suite *compare_suite(void);
Suite *conv_suite(void);
Suite *conv_fused_suite(void);
Suite *conv_transpose_suite(void);
Suite *cumsum_suite(void);
Suite *dropout_suite(void);
Suite *extreme_suite(void);
Suite *index_suite(void);
Suite *interpolate_suite(void);
Suite *loss_suite(void);
Suite *matmul_suite(void);
Suite *pad_suite(void);
Suite *pair_loss_suite(void);
Suite *pool_suite(void);
Suite *reduce_suite(void);
Suite *row_norm_suite(void);
Suite *softmax_suite(void);
Suite *sort_suite(void);
Suite *split_suite(void);
Suite *unary_suite(void);
Suite *view_suite(void);

#endif
