#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        activation_suite(),
        batch_norm_suite(),
        batch_norm_relu_suite(),
        binary_suite(),
        cat_suite(),
        compare_suite(),
        conv_suite(),
        conv_fused_suite(),
        conv_transpose_suite(),
        cumsum_suite(),
        dropout_suite(),
        extreme_suite(),
        index_suite(),
        interpolate_suite(),
        loss_suite(),
        matmul_suite(),
        pad_suite(),
        pair_loss_suite(),
        pool_suite(),
        reduce_suite(),
        row_norm_suite(),
        softmax_suite(),
        sort_suite(),
        split_suite(),
        unary_suite(),
        view_suite(),
    };
    return test_main("ops", suites, (int)(sizeof suites / sizeof *suites));
}
