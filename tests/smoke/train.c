/* A step of training of a small network by each optimizer; clipping of gradients. */
#include <math.h>
#include <stdlib.h>

#include "hapgop/optim.h"
#include "smoke.h"

/* conv 3 -> 4, batch norm, ReLU, max pooling, linear 64 -> 3; convolution by its definition */
static hg_module *network(void)
{
    hg_device *dev = test_device();
    hg_module *net = hg_sequential(dev);
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.padding[0] = 1;
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    hg_module *layers[] = {
        hg_conv2d_module(dev, 3, 4, 3, 3, &o, true),
        hg_batch_norm2d_module(dev, 4, NULL),
        hg_relu_module(dev, true),
        hg_max_pool2d_module(dev, NULL),
        hg_flatten_module(dev, 1, -1),
        hg_linear_module(dev, 64, 3, true),
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) ck_assert_hg(hg_append(net, layers[i]));
    return net;
}

static double loss_and_gradients(hg_module *net)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *target = test_tensor(HG_I64, HG_SHAPE(2), (double[]){2, 0});
    hg_tensor *loss = hg_cross_entropy(hg_forward(net, smoke_tensor(HG_F32, SMOKE_SHAPE, 1)), target, NULL);
    ck_assert_hg(hg_backward(loss));
    double value = hg_item(loss);
    ck_assert_hg(hg_last_status());
    hg_scope_end(s);
    return value;
}

enum { SGD, MOMENTUM, ADAM, AMSGRAD, ADAMW, OPTIMIZERS };

static hg_optimizer *optimizer(int kind, hg_module *net)
{
    hg_sgd_options sgd = HG_SGD_DEFAULTS;
    hg_adam_options adam = HG_ADAM_DEFAULTS;
    sgd.lr = 0.01;
    sgd.momentum = kind == MOMENTUM ? 0.9 : 0;
    sgd.nesterov = kind == MOMENTUM;
    adam.amsgrad = kind == AMSGRAD;
    return kind == ADAMW ? hg_adamw(net, NULL) : kind < ADAM ? hg_sgd(net, &sgd) : hg_adam(net, &adam);
}

/* Two steps each lower the loss; the first of SGD is p - lr g to the last bits. */
START_TEST(training_steps)
{
    ck_assert_int_eq(setenv("HAPGOP_CONV", "direct", 1), 0);
    for (int kind = 0; kind < OPTIMIZERS; kind++) {
        hg_module *net = network();
        hg_optimizer *opt = optimizer(kind, net);
        ck_assert_msg(opt != NULL, "%s", hg_last_error());
        double before = loss_and_gradients(net);
        double *p = test_read(hg_parameter(net, "0.weight")), *g = test_read(hg_grad(hg_parameter(net, "0.weight")));
        ck_assert_hg(hg_step(opt));
        double *q = test_read(hg_parameter(net, "0.weight"));
        for (int i = 0; i < 108 && kind == SGD; i++) ck_assert(fabs(q[i] - (p[i] - 0.01 * g[i])) <= 2e-7);
        free(p);
        free(g);
        free(q);
        for (int step = 0; step < 2; step++) {
            hg_zero_grad(opt);
            double now = loss_and_gradients(net);
            ck_assert_msg(now < before, "optimizer %d: loss %g after %g", kind, now, before);
            before = now;
            ck_assert_hg(hg_step(opt));
        }
        hg_optimizer_free(opt);
        hg_module_free(net);
    }
    unsetenv("HAPGOP_CONV");
}
END_TEST

START_TEST(clipped_gradients)
{
    hg_module *net = network();
    double norm, squares = 0;
    loss_and_gradients(net);
    ck_assert_hg(hg_clip_grad_norm(net, 0.125, &norm));
    ck_assert(norm > 0.125);
    for (int k = 0; k < 6; k++) {
        const char *name = (const char *[]){"0.weight", "0.bias", "1.weight", "1.bias", "5.weight", "5.bias"}[k];
        hg_tensor *g = hg_grad(hg_parameter(net, name));
        double *v = test_read(g);
        for (int64_t i = 0; i < hg_numel(g); i++) squares += v[i] * v[i];
        free(v);
    }
    ck_assert_msg(fabs(sqrt(squares) - 0.125) < 1e-5, "norm %g", sqrt(squares));
    hg_module_free(net);
}
END_TEST

/* Batch normalisation folded into the convolution, ReLU in its epilogue. */
START_TEST(compiled_network)
{
    ck_assert_int_eq(setenv("HAPGOP_CONV", "direct", 1), 0);
    hg_module *net = network();
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = smoke_tensor(HG_F32, SMOKE_SHAPE, 1);
    ck_assert_hg_ok(hg_forward(net, x)); /* statistics other than 0 and 1 */
    hg_eval(net);
    double *expected = test_read(hg_forward(net, x));
    hg_module *fast = hg_compile(net, NULL);
    ck_assert_msg(fast != NULL, "%s", hg_last_error());
    test_rms(hg_forward(fast, x), HG_SHAPE(2, 3), expected, 2e-6);
    unsetenv("HAPGOP_CONV");
    free(expected);
    hg_scope_end(s);
    hg_module_free(fast);
    hg_module_free(net);
}
END_TEST

Suite *train_suite(void)
{
    return TEST_SUITE("train", training_steps, clipped_gradients, compiled_network);
}
