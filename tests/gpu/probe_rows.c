/* Sums, extremes, running sums, sorting, softmax, each along and across memory. */
#include "probe.h"

static const hg_dims dims[] = {{1, {0}}, {1, {1}}};

START_TEST(sums)
{
    hg_scope *s = hg_scope_begin(test_device());
    const hg_shape shapes[] = {HG_SHAPE(8, 1024), HG_SHAPE(1024, 8), HG_SHAPE(64, 128)};
    for (int i = 0; i < 3; i++) {
        hg_tensor *x = probe_leaf(shapes[i]);
        for (int dim = 0; dim < 2; dim++) {
            hg_tensor *y = hg_sum(x, dims[dim], false);
            probe_backward(y);
            probe_result(y, 1e-6);
        }
        hg_tensor *mean = hg_mean(x, HG_DIMS(1), false);
        probe_backward(mean);
        probe_result(mean, 1e-5);
        probe_result(hg_grad(x), 1e-6);
    }
    probe_result(hg_sum(probe_tensor(PROBE_IMAGES), HG_DIMS(0, 2, 3), false), 2e-6);
    hg_scope_end(s);
}
END_TEST

START_TEST(extremes)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = probe_leaf(HG_SHAPE(8, 1024)), *at;
    for (int dim = 0; dim < 2; dim++) {
        hg_tensor *y = hg_max_dim(x, dim, false, &at);
        probe_backward(y);
        probe_result(y, 0);
        probe_result(at, 0);
        probe_result(hg_min_dim(x, dim, false, &at), 0);
    }
    hg_tensor *most = hg_max(x), *least = hg_min(x);
    probe_backward(most);
    probe_result(most, 0);
    probe_result(least, 0);
    probe_result(hg_grad(x), 1e-6);
    hg_tensor *one = probe_leaf(HG_SHAPE(1));       /* as many elements as the value it is compared with */
    probe_backward(hg_max(one));
    probe_result(hg_grad(one), 1e-6);
    hg_scope_end(s);
}
END_TEST

START_TEST(running_sums)
{
    hg_scope *s = hg_scope_begin(test_device());
    const hg_shape shapes[] = {HG_SHAPE(1, 8192), HG_SHAPE(32, 128)};
    for (int i = 0; i < 2; i++) {
        for (int dim = !i; dim < 2; dim++) {
            hg_tensor *x = probe_leaf(shapes[i]), *y = hg_cumsum(x, dim);
            probe_backward(y);
            probe_result(y, 1e-6);
            probe_result(hg_grad(x), 1e-6);
        }
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(sorting)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = probe_leaf(HG_SHAPE(2, 2048)), *at, *y = hg_sort(x, 1, false, &at);
    probe_backward(y);
    probe_result(y, 0);
    probe_result(at, 0);
    probe_result(hg_grad(x), 0);
    hg_scope_end(s);
}
END_TEST

/* Rows of 1,024; of more than the simulated cache has; of 10; 16 values at a distance of 256 */
START_TEST(softmaxes)
{
    const hg_shape shapes[] = {HG_SHAPE(8, 1024), HG_SHAPE(3, 2304), HG_SHAPE(512, 10), HG_SHAPE(4, 16, 16, 16)};
    for (int i = 0; i < 4; i++) {
        for (int logs = 0; logs < 2; logs++) {
            hg_scope *s = hg_scope_begin(test_device());
            hg_tensor *x = probe_leaf(shapes[i]), *y = logs ? hg_log_softmax(x, 1) : hg_softmax(x, 1);
            probe_backward(y);
            probe_result(y, 2e-6);
            probe_result(hg_grad(x), 2e-6);
            hg_scope_end(s);
        }
    }
}
END_TEST

Suite *probe_rows_suite(void)
{
    return TEST_SUITE("rows", sums, extremes, running_sums, sorting, softmaxes);
}
