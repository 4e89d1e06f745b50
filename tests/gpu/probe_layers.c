/* Pooling and normalisation. */
#include "probe.h"

/* Windows of 2 x 2; of 3 x 3 that overlap, with a border; all of a plane */
START_TEST(pooling)
{
    hg_pool_options overlapping = HG_POOL_DEFAULTS;
    for (int d = 0; d < 2; d++) overlapping.kernel[d] = 3, overlapping.stride[d] = 2, overlapping.padding[d] = 1;
    for (int i = 0; i < 5; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        const hg_pool_options *o = i % 2 ? &overlapping : NULL;
        hg_tensor *x = probe_leaf(PROBE_IMAGES);
        hg_tensor *y = i < 2 ? hg_max_pool2d(x, o, NULL) : i < 4 ? hg_avg_pool2d(x, o) : hg_adaptive_avg_pool2d(x, 1, 1);
        probe_backward(y);
        probe_result(y, 1e-6);
        probe_result(hg_grad(x), 1e-6);
        hg_scope_end(s);
    }
}
END_TEST

/* batch_norm alone, with ReLU, with ReLU and pooling; training and not */
START_TEST(batch_normalisation)
{
    hg_pool_options pool = HG_POOL_DEFAULTS;
    for (int i = 0; i < 6; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        const bool training = i < 3;
        hg_tensor *x = probe_leaf(PROBE_IMAGES), *weight = probe_leaf(HG_SHAPE(2)), *bias = probe_leaf(HG_SHAPE(2));
        hg_tensor *mean = hg_zeros(test_device(), HG_F32, HG_SHAPE(2)), *var = hg_full(test_device(), HG_F32, HG_SHAPE(2), 1);
        hg_tensor *y = i % 3 ? hg_batch_norm_relu(x, mean, var, weight, bias, training, 0.1, 1e-5, i % 3 == 2 ? &pool : NULL)
                             : hg_batch_norm(x, mean, var, weight, bias, training, 0.1, 1e-5);
        probe_backward(y);
        probe_result(y, 2e-6);
        probe_result(hg_grad(x), 1e-5);
        probe_result(hg_grad(weight), 1e-5);
        probe_result(hg_grad(bias), 1e-5);
        probe_result(mean, 1e-5);
        probe_result(var, 1e-5);
        hg_scope_end(s);
    }
}
END_TEST

/* Many channels: what merges their statistics has full warps. */
START_TEST(batch_normalisation_of_many_channels)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = probe_leaf(HG_SHAPE(4, 64, 8, 8)), *mean = hg_zeros(test_device(), HG_F32, HG_SHAPE(64));
    hg_tensor *var = hg_full(test_device(), HG_F32, HG_SHAPE(64), 1), *one = probe_leaf(HG_SHAPE(64));
    for (int training = 1; training >= 0; training--) {
        hg_tensor *y = hg_batch_norm(x, mean, var, one, one, training, 0.1, 1e-5);
        probe_backward(y);
        probe_result(y, 1e-5);
    }
    probe_result(hg_grad(x), 1e-5);
    probe_result(var, 1e-5);
    hg_scope_end(s);
}
END_TEST

START_TEST(rows_normalised)
{
    for (int groups = 0; groups < 2; groups++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *x = probe_leaf(PROBE_IMAGES), *weight = probe_leaf(groups ? HG_SHAPE(2) : HG_SHAPE(2, 32, 32));
        hg_tensor *bias = probe_leaf(hg_tensor_shape(weight));
        hg_tensor *y = groups ? hg_group_norm(x, 2, weight, bias, 1e-5)
                              : hg_layer_norm(x, HG_SHAPE(2, 32, 32), weight, bias, 1e-5);
        probe_backward(y);
        probe_result(y, 2e-6);
        probe_result(hg_grad(x), 1e-5);
        probe_result(hg_grad(weight), 1e-5);
        hg_scope_end(s);
    }
}
END_TEST

Suite *probe_layers_suite(void)
{
    return TEST_SUITE("layers", pooling, batch_normalisation, batch_normalisation_of_many_channels, rows_normalised);
}
