/* Optimizers over a weight of 4,096 elements, and clipping. */
#include "hapgop/optim.h"
#include "probe.h"

enum { SGD, MOMENTUM, ADAM, AMSGRAD, ADAMW, OPTIMIZERS };

static hg_optimizer *optimizer(int kind, hg_module *net)
{
    hg_sgd_options sgd = HG_SGD_DEFAULTS;
    hg_adam_options adam = HG_ADAM_DEFAULTS;
    sgd.momentum = kind == MOMENTUM ? 0.9 : 0;
    adam.amsgrad = kind == AMSGRAD;
    return kind == ADAMW ? hg_adamw(net, NULL) : kind < ADAM ? hg_sgd(net, &sgd) : hg_adam(net, &adam);
}

START_TEST(steps)
{
    for (int kind = 0; kind < OPTIMIZERS; kind++) {
        hg_scope *s = hg_scope_begin(test_device());
        ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_TORCH));
        hg_module *net = hg_linear_module(test_device(), 64, 64, false);
        hg_optimizer *opt = optimizer(kind, net);
        hg_tensor *weight = hg_parameter(net, "weight");
        double norm;
        for (int step = 0; step < 2; step++) {
            ck_assert_hg(hg_set_grad(weight, probe_tensor(HG_SHAPE(64, 64))));
            ck_assert_hg(hg_clip_grad_norm(net, 4, &norm));
            ck_assert_hg(hg_step(opt));
        }
        probe_result(weight, 1e-6);
        hg_optimizer_free(opt);
        hg_module_free(net);
        hg_scope_end(s);
    }
}
END_TEST

/* A module counts its batches. */
START_TEST(running_statistics)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *norm = hg_batch_norm2d_module(test_device(), 2, NULL);
    probe_result(hg_forward(norm, probe_tensor(PROBE_IMAGES)), 1e-5);
    probe_result(hg_buffer(norm, "num_batches_tracked"), 0);
    hg_module_free(norm);
    hg_scope_end(s);
}
END_TEST

Suite *probe_train_suite(void)
{
    return TEST_SUITE("train", steps, running_statistics);
}
