/* The chapter's two networks: sizes, independence, training beside PyTorch, and the head that is one affine map. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hapgop/optim.h"
#include "suites.h"

static hg_tensor *numbers(hg_shape shape, int salt)
{
    int64_t n = test_numel(shape);
    double *v = malloc(sizeof *v * (size_t)n);
    ck_assert_ptr_nonnull(v);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * 7919 + salt * 104729) % 2001) / 2000.0;
    hg_tensor *t = test_tensor(HG_F32, shape, v);
    free(v);
    return t;
}

typedef struct counts {
    int entries;
    int64_t buffers;
    char names[2048];
} counts;

static bool count(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    counts *c = user;
    c->entries++;
    if (is_buffer) c->buffers += hg_numel(t);
    strcat(strcat(c->names, name), " ");
    return true;
}

START_TEST(names_and_numbers_of_parameters)
{
    hg_module *dnn = hg_fashion_dnn(test_device()), *cnn = hg_fashion_cnn(test_device(), NULL);
    counts d = {0}, c = {0};
    hg_each_state(dnn, count, &d);
    hg_each_state(cnn, count, &c);
    ck_assert_int_eq(hg_count_parameters(dnn, true), 235146);
    ck_assert_int_eq(d.buffers, 0);
    ck_assert_str_eq(d.names, "fc1.weight fc1.bias fc2.weight fc2.bias fc3.weight fc3.bias ");
    ck_assert_int_eq(hg_count_parameters(cnn, true), 1475338);
    ck_assert_int_eq(c.buffers, 194);
    ck_assert_int_eq(c.entries, 20);
    ck_assert_str_eq(c.names,
                     "layer1.0.weight layer1.0.bias layer1.1.weight layer1.1.bias layer1.1.running_mean "
                     "layer1.1.running_var layer1.1.num_batches_tracked layer2.0.weight layer2.0.bias layer2.1.weight "
                     "layer2.1.bias layer2.1.running_mean layer2.1.running_var layer2.1.num_batches_tracked fc1.weight "
                     "fc1.bias fc2.weight fc2.bias fc3.weight fc3.bias ");
    hg_module_free(dnn);
    hg_module_free(cnn);
}
END_TEST

START_TEST(two_networks_share_nothing)
{
    uint64_t before = test_memory();
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *a = hg_fashion_dnn(test_device()), *b = hg_fashion_dnn(test_device());
    hg_eval(b);
    hg_tensor *x = numbers(HG_SHAPE(3, 1, 28, 28), 0), *y = hg_forward(b, x);
    double *expected = test_read(y);
    ck_assert_ptr_ne(hg_tensor_mem(hg_parameter(a, "fc1.weight"), NULL),
                     hg_tensor_mem(hg_parameter(b, "fc1.weight"), NULL));
    ck_assert_hg(hg_zero_(hg_parameter(a, "fc3.weight")));
    hg_module_free(a);
    test_equal(hg_forward(b, x), HG_SHAPE(3, 10), expected);
    free(expected);
    hg_scope_end(s);
    hg_module_free(b);
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

static double train_one(hg_module *net, hg_optimizer *opt, int batch, int step)
{
    hg_scope *s = hg_scope_begin(test_device());
    double labels[100];
    for (int i = 0; i < batch; i++) labels[i] = i * 3 % 10;
    hg_tensor *target = test_tensor(HG_I64, HG_SHAPE(batch), labels);
    hg_tensor *loss = hg_cross_entropy(hg_forward(net, numbers(HG_SHAPE(batch, 1, 28, 28), step)), target, NULL);
    hg_zero_grad(opt);
    ck_assert_hg(hg_backward(loss));
    ck_assert_hg(hg_step(opt));
    double value = hg_item(loss);
    hg_scope_end(s);
    return value;
}

/* Losses of Adam's steps from seed 0, dropout included, as tests/oracle/nn.py has them. */
static void follow(const char *golden, hg_module *net, int batch, double limit)
{
    hg_shape shape;
    double *losses = test_golden_values(golden, &shape);
    hg_optimizer *opt = hg_adam(net, NULL);
    for (int step = 0; step < shape.size[0]; step++) {
        double loss = train_one(net, opt, batch, step);
        ck_assert_msg(fabs(loss - losses[step]) <= limit * losses[step], "%s, step %d: loss %.9g, not %.9g", golden,
                      step, loss, losses[step]);
    }
    free(losses);
    hg_optimizer_free(opt);
    hg_module_free(net);
}

START_TEST(training_from_seed_0_gives_pytorchs_losses)
{
    hg_device *dev = test_device();
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    follow("nn/dnn_losses", hg_fashion_dnn(dev), 100, 1e-5);
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    follow("nn/cnn_losses", hg_fashion_cnn(dev, NULL), 20, 1e-3);
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_PHILOX));
}
END_TEST

static void compare_logits(const char *golden, hg_module *net)
{
    double *expected = test_golden_values(golden, NULL);
    hg_eval(net);
    hg_scope *s = hg_scope_begin(test_device());
    test_close(hg_forward(net, numbers(HG_SHAPE(2, 1, 28, 28), 9)), HG_SHAPE(2, 10), expected, 2e-6, 1e-5);
    hg_scope_end(s);
    free(expected);
    hg_module_free(net);
}

START_TEST(evaluation_gives_pytorchs_logits)
{
    hg_device *dev = test_device();
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    compare_logits("nn/dnn_logits", hg_fashion_dnn(dev));
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    compare_logits("nn/cnn_logits", hg_fashion_cnn(dev, NULL));
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_PHILOX));
}
END_TEST

/* The network with its convolutions taken out: what fc1, fc2 and fc3 make of 2304 numbers. */
static hg_module *head_of_cnn(bool fc_relu)
{
    hg_device *dev = test_device();
    hg_module *net = hg_fashion_cnn(dev, &(hg_fashion_cnn_options){fc_relu});
    ck_assert_hg(hg_replace_child(net, "layer1", hg_sequential(dev)));
    ck_assert_hg(hg_replace_child(net, "layer2", hg_sequential(dev)));
    hg_eval(net);
    return net;
}

/* The largest |f(u + v) - f(u) - f(v) + f(0)|: 0 for an affine map. */
static double bend(hg_module *f)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_shape shape = HG_SHAPE(4, 64, 6, 6);
    hg_tensor *u = hg_randn(test_device(), shape), *v = hg_randn(test_device(), shape);
    hg_tensor *zero = hg_zeros(test_device(), HG_F32, shape);
    hg_tensor *d =
        hg_sub(hg_sub(hg_forward(f, hg_add(u, v)), hg_forward(f, u)), hg_sub(hg_forward(f, v), hg_forward(f, zero)));
    double *values = test_read(d), most = 0;
    for (int64_t i = 0; i < hg_numel(d); i++) most = fmax(most, fabs(values[i]));
    free(values);
    hg_scope_end(s);
    hg_module_free(f);
    return most;
}

START_TEST(the_chapters_head_is_one_affine_map_and_fc_relu_mends_it)
{
    ck_assert_double_lt(bend(head_of_cnn(false)), 1e-4);
    ck_assert_double_gt(bend(head_of_cnn(true)), 1e-2);
}
END_TEST

START_TEST(frozen_layers_get_no_gradient)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *net = hg_fashion_dnn(test_device());
    ck_assert_int_eq(hg_module_requires_grad(net, "fc[12].*", false), 4);
    ck_assert_int_eq(hg_count_parameters(net, true), 1290);
    hg_optimizer *opt = hg_adam(net, NULL);
    ck_assert_hg(hg_backward(hg_sum(hg_forward(net, numbers(HG_SHAPE(2, 784), 0)), HG_ALL, false)));
    ck_assert_ptr_null(hg_grad(hg_parameter(net, "fc1.weight")));
    ck_assert_ptr_nonnull(hg_grad(hg_parameter(net, "fc3.weight")));
    hg_optimizer_free(opt);
    hg_module_free(net);
    hg_scope_end(s);
}
END_TEST

START_TEST(images_of_another_size_say_so)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *dnn = hg_fashion_dnn(test_device()), *cnn = hg_fashion_cnn(test_device(), NULL);
    ck_assert(!hg_ok(hg_forward(dnn, numbers(HG_SHAPE(1, 1, 28, 27), 0))));
    test_error(HG_E_SHAPE, "shape '[-1, 784]' is invalid for input of size 756");
    ck_assert(!hg_ok(hg_forward(cnn, numbers(HG_SHAPE(1, 3, 28, 28), 0))));
    test_error(HG_E_SHAPE, "to have 1 channels, but got 3 channels instead");
    hg_module_free(dnn);
    hg_module_free(cnn);
    hg_scope_end(s);
}
END_TEST

Suite *fashion_suite(void)
{
    return TEST_SUITE("fashion", names_and_numbers_of_parameters, two_networks_share_nothing,
                      training_from_seed_0_gives_pytorchs_losses, evaluation_gives_pytorchs_logits,
                      the_chapters_head_is_one_affine_map_and_fc_relu_mends_it, frozen_layers_get_no_gradient,
                      images_of_another_size_say_so);
}
