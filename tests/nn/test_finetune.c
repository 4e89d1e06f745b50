/* Freezing: what is left out, what goes on drifting, and which parts the four cases of fine-tuning train. */
#include <stdlib.h>
#include <string.h>

#include "cl/device.h"
#include "hapgop/optim.h"
#include "nn/module.h"
#include "suites.h"

static hg_module *network(const char *name)
{
    hg_module *m = hg_model(test_device(), name, NULL);
    ck_assert_msg(m != NULL, "%s", hg_last_error());
    return m;
}

static void check_blocks(const char *network_name, const char *const *names, const int *blocks, int count)
{
    hg_module *m = network(network_name);
    for (int i = 0; i < count; i++)
        ck_assert_msg(hg_finetune_block(m, names[i]) == blocks[i], "%s: %s is in block %d, not %d; %s", network_name,
                      names[i], hg_finetune_block(m, names[i]), blocks[i], hg_last_error());
    hg_module_free(m);
}
#define BLOCKS(network, names, ...)                                                                                    \
    check_blocks(network, (const char *const[])names, (const int[]){__VA_ARGS__},                                      \
                 (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))
#define NAMES(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

START_TEST(blocks_are_counted_from_the_classifier)
{
    BLOCKS("resnet18",
           NAMES("fc.weight", "layer4", "layer4.0.downsample.0.weight", "layer3", "layer1", "bn1", "conv1.weight"), 0,
           1, 1, 2, 4, 5, 5);
    BLOCKS("lenet5", NAMES("classifier", "features.3.bias", "features.0"), 0, 1, 2);
    BLOCKS("fashion-cnn", NAMES("fc1", "fc3.bias", "layer2", "layer1.1.running_mean"), 0, 0, 1, 2);
    BLOCKS("fashion-dnn", NAMES("fc1.weight", "fc3"), 0, 0);
    BLOCKS("xai", NAMES("classifier.2", "features.48.weight", "features.40", "features.36", "features.0"), 0, 1, 1, 2,
           5);
    BLOCKS("googlenet",
           NAMES("fc", "inception5a.branch2.0.conv", "inception4e", "inception4a", "inception3b", "conv3", "conv1.bn"),
           0, 1, 2, 2, 3, 4, 5);
    hg_module *m = network("lenet5");
    ck_assert_int_eq(hg_finetune_block(m, "features.1"), -1);
    test_error(HG_E_ARG, "LeNet5 has no parameter and no module with parameters 'features.1'");
    ck_assert_int_eq(hg_finetune_block(m, NULL), -1);
    test_error(HG_E_ARG, "finetune_block");
    hg_module_free(m);
}
END_TEST

START_TEST(the_four_cases_train_what_the_chapter_says)
{
    hg_module *m = network("resnet18");
    const hg_finetune_options more = {4, 2, false};
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_HIGH, NULL), 2);
    ck_assert(hg_requires_grad(hg_parameter(m, "fc.bias")) && !hg_requires_grad(hg_parameter(m, "layer4.1.bn2.bias")));
    ck_assert_int_eq(hg_count_parameters(m, true), 512 * 1000 + 1000);
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_LOW, NULL), 17);
    ck_assert(hg_requires_grad(hg_parameter(m, "layer4.0.conv1.weight")) &&
              !hg_requires_grad(hg_parameter(m, "layer3.0.conv1.weight")));
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_LARGE, HG_SIMILARITY_HIGH, NULL), 32);
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_LARGE, HG_SIMILARITY_LOW, NULL), 62);
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_LARGE, HG_SIMILARITY_HIGH, &more), 59); /* all but the stem */
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_LOW, &more), 32);
    ck_assert_int_eq(hg_finetune_policy(NULL, HG_DATA_SMALL, HG_SIMILARITY_LOW, NULL), -1);
    test_error(HG_E_ARG, "finetune_policy: the module is NULL");
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_LOW, &(hg_finetune_options){-1, 1, false}), -1);
    test_error(HG_E_ARG, "must not be negative");
    hg_module_free(m);
    m = hg_sequential(test_device());
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_LOW, NULL), -1);
    test_error(HG_E_ARG, "Sequential has no Linear layer");
    hg_module_free(m);
}
END_TEST

START_TEST(patterns_may_be_several)
{
    hg_module *m = network("resnet18");
    ck_assert_int_eq(hg_module_requires_grad(m, "conv1.*,bn1.*,layer1.*", false), 3 + 12);
    ck_assert_int_eq(hg_module_requires_grad(hg_child(m, "layer1"), NULL, true), 12);
    ck_assert_int_eq(hg_module_requires_grad(m, "nothing,,fc.bias", false), 1);
    ck_assert(!hg_requires_grad(hg_parameter(m, "fc.bias")) && hg_requires_grad(hg_parameter(m, "fc.weight")) &&
              !hg_requires_grad(hg_parameter(m, "bn1.weight")) &&
              hg_requires_grad(hg_parameter(m, "layer1.0.bn1.bias")));
    hg_module_free(m);
}
END_TEST

START_TEST(a_new_classifier_has_the_old_ones_inputs)
{
    static const struct {
        const char *network, *layer;
        int64_t inputs;
    } cases[] = {{"resnet18", "fc", 512}, {"lenet5", "classifier.4", 84}, {"xai", "classifier.5", 512}};
    char name[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hg_module *m = network(cases[i].network);
        hg_module_requires_grad(m, NULL, false);
        ck_assert_str_eq(hg_classifier_name(m, name), cases[i].layer);
        ck_assert_hg(hg_replace_classifier(m, 3));
        hg_tensor *weight = hg_parameter(m, strcat(name, ".weight"));
        ck_assert(hg_size(weight, 0) == 3 && hg_size(weight, 1) == cases[i].inputs);
        ck_assert_int_eq(hg_count_parameters(m, true), 3 * cases[i].inputs + 3);
        ck_assert_int_eq(hg_replace_classifier(m, 0), HG_E_ARG);
        test_error(HG_E_ARG, "at least one class, got 0");
        hg_module_free(m);
    }
    hg_module *m = hg_linear_module(test_device(), 2, 2, true);
    ck_assert_int_eq(hg_replace_classifier(m, 3), HG_E_ARG); /* it is the layer itself, in nothing */
    test_error(HG_E_ARG, "no Linear layer below it");
    hg_module_free(m);
}
END_TEST

/* ---- what a frozen part leaves out ---- */

enum { BATCH = 4 };

/* Convolution, batch normalisation and ReLU twice, pooling, then a classifier. */
static hg_module *small_network(void)
{
    hg_device *dev = test_device();
    hg_module *m = hg_sequential(dev);
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.padding[0] = o.padding[1] = 1;
    for (int i = 0; i < 2; i++) {
        ck_assert_hg(hg_append(m, hg_conv2d_module(dev, i ? 8 : 3, 8, 3, 3, &o, true)));
        ck_assert_hg(hg_append(m, hg_batch_norm2d_module(dev, 8, NULL)));
        ck_assert_hg(hg_append(m, hg_relu_module(dev, true)));
    }
    ck_assert_hg(hg_append(m, hg_adaptive_avg_pool2d_module(dev, 1, 1)));
    ck_assert_hg(hg_append(m, hg_flatten_module(dev, 1, -1)));
    ck_assert_hg(hg_append(m, hg_linear_module(dev, 8, 2, true)));
    return m;
}

static hg_tensor *loss_of(hg_module *m, hg_tensor *x)
{
    hg_tensor *labels = hg_zeros(test_device(), HG_I64, HG_SHAPE(BATCH));
    return hg_cross_entropy(hg_forward(m, x), labels, NULL);
}

typedef struct cost {
    int launches;   /* of the backward pass */
    uint64_t bytes; /* that the graph keeps for it */
} cost;

static cost cost_of(hg_module *m)
{
    hg_device *dev = test_device();
    cost c;
    hg_scope *s = hg_scope_begin(dev);
    hg_tensor *x = hg_full(dev, HG_F32, HG_SHAPE(BATCH, 3, 32, 32), 0.5);
    uint64_t before = test_memory();
    hg_tensor *loss = loss_of(m, x);
    ck_assert_hg_ok(loss);
    c.bytes = test_memory() - before;
    ck_assert_hg(hg_profile_begin(dev));
    ck_assert_hg(hg_backward(loss));
    c.launches = dev->profile.count;
    ck_assert_hg(hg_profile_end(dev));
    hg_scope_end(s);
    return c;
}

START_TEST(what_is_frozen_keeps_nothing_and_launches_nothing)
{
    enum { MAP = BATCH * 8 * 32 * 32 * 4 }; /* bytes of what a layer gives */
    hg_module *m = small_network();
    cost_of(m); /* gradients of parameters are made, they stay */
    cost whole = cost_of(m);
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_HIGH, NULL), 2);
    cost_of(m); /* weights that stand are packed once, and kept */
    cost classifier = cost_of(m);
    hg_module_requires_grad(m, NULL, true);
    ck_assert_int_eq(hg_module_requires_grad(m, "0.*,1.*", false), 4);
    cost half = cost_of(m);
    /* Cross entropy, the product for the weight and the sum for the bias, each added to the gradient that is there. */
    ck_assert_int_le(classifier.launches, 6);
    ck_assert_uint_lt(classifier.bytes, MAP / 4);
    ck_assert_int_lt(half.launches, whole.launches);
    ck_assert_uint_ge(whole.bytes, half.bytes + MAP); /* what the first normalisation gets, at least */
    ck_assert_uint_ge(half.bytes, 2 * MAP);
    ck_assert_ptr_nonnull(hg_grad(hg_parameter(m, "3.weight")));
    hg_module_free(m);
}
END_TEST

START_TEST(a_frozen_layer_amid_others_passes_gradients_on_and_keeps_no_input)
{
    for (int relu = 0; relu < 2; relu++) {
        double *v = test_values(2 * 3 * 5 * 5), *g = test_values(2 * 3 * 5 * 5), *dx[2];
        uint64_t kept[2];
        for (int frozen = 0; frozen < 2; frozen++) {
            hg_scope *s = hg_scope_begin(test_device());
            hg_shape shape = HG_SHAPE(2, 3, 5, 5), channels = HG_SHAPE(3);
            hg_tensor *x = test_tensor(HG_F32, shape, v), *dy = test_tensor(HG_F32, shape, g);
            hg_tensor *mean = hg_full(test_device(), HG_F32, channels, 0.25),
                      *weight = hg_full(test_device(), HG_F32, channels, 0.75);
            ck_assert_hg(hg_set_requires_grad(x, true));
            ck_assert_hg(hg_set_requires_grad(weight, !frozen));
            uint64_t before = test_memory();
            hg_scope *inner = hg_scope_begin(test_device());
            hg_tensor *in = hg_mul_scalar(x, 1), *y;
            y = relu ? hg_batch_norm_relu(in, mean, weight, weight, mean, false, 0.1, 1e-5, NULL)
                     : hg_batch_norm(in, mean, weight, weight, mean, false, 0.1, 1e-5);
            y = hg_scope_return(inner, y);
            kept[frozen] = test_memory() - before;
            ck_assert_hg(hg_backward_with(y, dy, false));
            dx[frozen] = test_read(hg_grad(x));
            hg_scope_end(s);
        }
        ck_assert_mem_eq(dx[0], dx[1], sizeof(double) * 2 * 3 * 5 * 5);
        ck_assert_uint_lt(kept[1], kept[0]); /* the input went with its scope */
        free(v);
        free(g);
        free(dx[0]);
        free(dx[1]);
    }
}
END_TEST

/* ---- batch normalisation in a frozen trunk ---- */

static void step(hg_module *m, hg_tensor *x)
{
    hg_optimizer *opt = hg_sgd(m, NULL);
    ck_assert_msg(opt != NULL, "%s", hg_last_error());
    ck_assert_hg(hg_backward(loss_of(m, x)));
    ck_assert_hg(hg_step(opt));
    hg_optimizer_free(opt);
}

START_TEST(a_frozen_trunk_drifts_in_training_unless_its_statistics_are_frozen)
{
    hg_module *m = small_network();
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_rand(test_device(), HG_SHAPE(BATCH, 3, 32, 32));
    hg_tensor *tracked = hg_buffer(m, "1.num_batches_tracked"), *mean = hg_buffer(m, "1.running_mean");
    ck_assert_int_eq(hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_HIGH, NULL), 2);
    double *conv = test_read(hg_parameter(m, "0.weight")), *before = test_read(mean);
    for (int i = 0; i < 3; i++) step(m, x);
    double *drifted = test_read(mean);
    ck_assert_int_eq(hg_item_i64(tracked), 3);
    ck_assert_mem_ne(before, drifted, sizeof *before * 8);
    test_equal(hg_parameter(m, "0.weight"), hg_tensor_shape(hg_parameter(m, "0.weight")), conv);
    ck_assert_ptr_null(hg_grad(hg_parameter(m, "0.weight")));

    ck_assert_int_eq(hg_freeze_batch_norm(m, "1", true), 1);
    ck_assert_int_eq(hg_freeze_batch_norm(m, NULL, true), 2);
    hg_train(m, true); /* does not take it back */
    for (int i = 0; i < 3; i++) step(m, x);
    ck_assert_int_eq(hg_item_i64(tracked), 3);
    test_equal(mean, HG_SHAPE(8), drifted);
    double *trained = test_read(hg_forward(m, x));
    hg_eval(m);
    test_equal(hg_forward(m, x), HG_SHAPE(BATCH, 2), trained);

    hg_train(m, true);
    hg_finetune_options o = HG_FINETUNE_DEFAULTS;
    o.freeze_batch_norm = true;
    hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_LOW, &o); /* one block, for there is no pooling between */
    step(m, x);
    ck_assert_int_eq(hg_item_i64(tracked), 4);
    hg_finetune_policy(m, HG_DATA_SMALL, HG_SIMILARITY_HIGH, &o);
    step(m, x);
    ck_assert_int_eq(hg_item_i64(tracked), 4);
    free(conv);
    free(before);
    free(drifted);
    free(trained);
    hg_scope_end(s);
    hg_module_free(m);
}
END_TEST

Suite *finetune_suite(void)
{
    return TEST_SUITE("finetune", blocks_are_counted_from_the_classifier, the_four_cases_train_what_the_chapter_says,
                      patterns_may_be_several, a_new_classifier_has_the_old_ones_inputs,
                      what_is_frozen_keeps_nothing_and_launches_nothing,
                      a_frozen_layer_amid_others_passes_gradients_on_and_keeps_no_input,
                      a_frozen_trunk_drifts_in_training_unless_its_statistics_are_frozen);
}
