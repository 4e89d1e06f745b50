/* Losses: of classes by number and by probability, of pairs of values. */
#include "probe.h"

/* C classes of N rows: 10 of 512, as of digits; 1,000 of 8, as of ImageNet; of pixels */
static void classes(hg_shape shape, hg_shape targets)
{
    hg_loss_options plain = HG_LOSS_DEFAULTS, smooth = HG_LOSS_DEFAULTS;
    smooth.label_smoothing = 0.1;
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *target = probe_indices(targets, shape.size[1]), *x = probe_leaf(shape);
    hg_tensor *losses[] = {
        hg_cross_entropy(x, target, &plain),
        hg_cross_entropy(x, target, &smooth),
        hg_cross_entropy(x, hg_softmax(probe_tensor(shape), 1), &plain),
        hg_nll_loss(hg_log_softmax(x, 1), target, &plain),
    };
    for (int i = 0; i < 4; i++) {
        hg_tensor *y = losses[i];
        ck_assert_hg(hg_backward(y));
        probe_result(y, 1e-5);
    }
    probe_result(hg_grad(x), 2e-6);
    hg_scope_end(s);
}

START_TEST(of_classes)
{
    classes(HG_SHAPE(512, 10), HG_SHAPE(512));
    classes(HG_SHAPE(8, 1024), HG_SHAPE(8));
    classes(HG_SHAPE(2, 16, 16, 16), HG_SHAPE(2, 16, 16));
}
END_TEST

START_TEST(of_pairs)
{
    for (int i = 0; i < 6; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *x = probe_leaf(PROBE_SHAPE), *target = hg_sigmoid(probe_tensor(PROBE_SHAPE)), *y = NULL;
        switch (i) {
        case 0: y = hg_mse_loss(x, target, HG_REDUCE_MEAN); break;
        case 1: y = hg_smooth_l1_loss(x, target, 0.5, HG_REDUCE_MEAN); break;
        case 2: y = hg_huber_loss(x, target, 0.5, HG_REDUCE_MEAN); break;
        case 3: y = hg_kl_div(x, target, false, HG_REDUCE_MEAN); break;
        case 4: y = hg_kl_div(x, target, true, HG_REDUCE_MEAN); break;
        case 5: y = hg_binary_cross_entropy_with_logits(x, target, NULL); break;
        }
        ck_assert_hg_ok(y);
        ck_assert_hg(hg_backward(y));
        probe_result(y, 1e-5);
        probe_result(hg_grad(x), 2e-6);
        hg_scope_end(s);
    }
}
END_TEST

Suite *probe_losses_suite(void)
{
    return TEST_SUITE("losses", of_classes, of_pairs);
}
