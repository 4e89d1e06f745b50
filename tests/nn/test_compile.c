/* Compiled networks give what the networks give, with fewer kernels and less memory, and follow every change. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

#define LIMIT 2e-6

static hg_tensor *image(int64_t batch, int64_t channels, int64_t size)
{
    double *v = test_values(batch * channels * size * size);
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(batch, channels, size, size), v);
    free(v);
    return t;
}

/* Statistics and weights of normalisations as training leaves them: without it folding would change nothing. */
static bool draw_norm(const char *name, hg_module *m, void *user)
{
    (void)name;
    (void)user;
    if (strncmp(hg_module_get_class(m)->name, "BatchNorm", 9)) return true;
    if (hg_buffer(m, "running_mean")) {
        ck_assert_hg(hg_uniform_(hg_buffer(m, "running_mean"), -0.5, 0.5));
        ck_assert_hg(hg_uniform_(hg_buffer(m, "running_var"), 0.5, 2));
    }
    if (hg_parameter(m, "weight")) {
        ck_assert_hg(hg_uniform_(hg_parameter(m, "weight"), 0.5, 1.5));
        ck_assert_hg(hg_uniform_(hg_parameter(m, "bias"), -0.5, 0.5));
    }
    hg_clear_error();
    return true;
}

static hg_module *trained(hg_module *m)
{
    ck_assert_msg(m != NULL, "%s", hg_last_error());
    hg_each_module(m, draw_norm, NULL);
    hg_eval(m);
    return m;
}

static hg_module *compile(hg_module *net, hg_tensor *example)
{
    hg_module *fast = hg_compile(net, example);
    ck_assert_msg(fast != NULL, "%s", hg_last_error());
    return fast;
}

static void same(hg_module *fast, hg_module *net, hg_tensor *x)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_no_grad_begin();
    hg_tensor *y = hg_forward(net, x);
    hg_no_grad_end();
    double *expected = test_read(y);
    test_rms(hg_forward(fast, x), hg_tensor_shape(y), expected, LIMIT);
    free(expected);
    hg_scope_end(s);
}

START_TEST(networks_give_the_same_in_other_batches_too)
{
    static const struct {
        const char *name;
        int64_t channels, size;
    } nets[] = {{"fashion-dnn", 1, 28}, {"fashion-cnn", 1, 28}, {"lenet5", 1, 32},   {"xai", 3, 70},
                {"resnet18", 3, 64},    {"resnet50", 3, 64},    {"vgg11_bn", 3, 32}, {"googlenet", 3, 64}};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_module *net = trained(hg_model(test_device(), nets[i].name, NULL));
        hg_module *fast = compile(net, image(2, nets[i].channels, nets[i].size));
        same(fast, net, image(2, nets[i].channels, nets[i].size));
        same(fast, net, image(3, nets[i].channels, nets[i].size));
        if (nets[i].channels == 3) same(fast, net, image(1, 3, nets[i].size + 9));
        hg_module_free(fast);
        hg_module_free(net);
        hg_scope_end(s);
        hg_memory_trim(test_device());
    }
}
END_TEST

/* The profile's table of one run. */
static char *profile(hg_module *m, hg_tensor *x)
{
    char *text = NULL;
    size_t size = 0;
    hg_device *dev = test_device();
    FILE *stream = open_memstream(&text, &size);
    hg_scope *s = hg_scope_begin(dev);
    ck_assert_hg(hg_profile_begin(dev));
    hg_no_grad_begin();
    ck_assert_hg_ok(hg_forward(m, x));
    hg_no_grad_end();
    ck_assert_hg(hg_profile_write(dev, stream));
    ck_assert_hg(hg_profile_end(dev));
    hg_scope_end(s);
    fclose(stream);
    return text;
}

static int launches(const char *table)
{
    int n = 0;
    ck_assert_int_eq(sscanf(strstr(table, "\nall "), " all %d", &n), 1);
    return n;
}

static uint64_t peak_of(hg_module *m, hg_tensor *x)
{
    hg_memory_info info;
    uint64_t before = test_memory();
    hg_memory_reset_peak(test_device());
    hg_scope *s = hg_scope_begin(test_device());
    hg_no_grad_begin();
    ck_assert_hg_ok(hg_forward(m, x));
    hg_no_grad_end();
    ck_assert_hg(hg_memory_get_info(test_device(), &info));
    hg_scope_end(s);
    return info.peak - before;
}

START_TEST(fewer_kernels_and_less_memory)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *net = trained(hg_model(test_device(), "resnet18", NULL));
    hg_tensor *x = image(2, 3, 160);
    hg_module *fast = compile(net, x);
    char *text = hg_module_to_text(fast);
    ck_assert_str_eq(text, "Compiled(ResNet, 24 steps, fused into convolutions: 20 BatchNorm2d, 17 ReLU, 8 sums)");
    free(text);
    char *eager = profile(net, x), *compiled = profile(fast, x);
    ck_assert_ptr_nonnull(strstr(eager, "bn_"));
    const char *const kernels[] = {"bn_", "relu", "plus", "conv_fold"};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        ck_assert_msg(!strstr(compiled, kernels[i]), "%s in\n%s", kernels[i], compiled);
    ck_assert_ptr_nonnull(strstr(compiled, "layer4.0.downsample.0"));
    ck_assert_int_le(launches(compiled) + 20 + 8 + 8, launches(eager));
    ck_assert_int_eq(setenv("HAPGOP_CONV", "direct", 1), 0); /* without workspace: what is passed on alone */
    uint64_t least = peak_of(fast, x), most = peak_of(net, x);
    unsetenv("HAPGOP_CONV");
    ck_assert_uint_lt(2 * least, most);
    free(eager);
    free(compiled);
    hg_module_free(fast);
    hg_module_free(net);
    hg_scope_end(s);
}
END_TEST

/* What a hook saw: how often, and the sum of the last output. */
typedef struct seen {
    int calls;
    double sum;
} seen;

static hg_tensor *look(hg_module *m, hg_tensor *input, hg_tensor *output, void *user)
{
    seen *s = user;
    (void)m;
    (void)input;
    s->calls++;
    s->sum = hg_item(hg_sum(output, HG_ALL, false));
    return NULL;
}

static hg_tensor *halve(hg_module *m, hg_tensor *input, hg_tensor *output, void *user)
{
    (void)m;
    (void)input;
    (void)user;
    return hg_mul_scalar(output, 0.5);
}

START_TEST(hooks_run_whenever_they_were_added)
{
    static const char *const names[] = {"layer1.0.conv2", "layer1.0.bn1", "layer2.0.relu", "layer2.0.downsample",
                                        "layer3.1",       "layer4",       "maxpool",       "fc"};
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *net = trained(hg_model(test_device(), "resnet18", &(hg_model_options){.classes = 7}));
    hg_tensor *x = image(1, 3, 64);
    hg_module *fast = compile(net, x);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        seen eager = {0}, compiled = {0};
        hg_module *m = hg_child(net, names[i]);
        hg_module_hook *hook = hg_add_forward_hook(m, look, &eager);
        hg_no_grad_begin();
        ck_assert_hg_ok(hg_forward(net, x));
        hg_no_grad_end();
        hg_module_hook_remove(hook);
        same(fast, net, x);
        hook = hg_add_forward_hook(m, look, &compiled);
        ck_assert_hg_ok(hg_forward(fast, x));
        hg_module_hook_remove(hook);
        ck_assert_int_eq(compiled.calls, eager.calls);
        ck_assert_msg(fabs(compiled.sum - eager.sum) <= 1e-3 * fabs(eager.sum) + 1e-3, "%s: %g, not %g", names[i],
                      compiled.sum, eager.sum);
        hook = hg_add_forward_hook(m, halve, NULL);
        same(fast, net, x);
        hg_module_hook_remove(hook);
    }
    same(fast, net, x);
    hg_module_free(fast);
    hg_module_free(net);
    hg_scope_end(s);
}
END_TEST

START_TEST(changed_weights_statistics_and_children_are_followed)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_module *net = trained(hg_model(dev, "resnet18", &(hg_model_options){.classes = 5}));
    hg_tensor *x = image(2, 3, 64);
    hg_module *fast = compile(net, x);
    const char *const changed[] = {"conv1.weight", "layer1.0.bn2.weight", "layer2.0.downsample.1.bias", "fc.bias"};
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        double *before = test_read(hg_forward(fast, x));
        ck_assert_hg(hg_uniform_(hg_parameter(net, changed[i]), -0.3, 0.5));
        double *after = test_read(hg_forward(fast, x));
        ck_assert_msg(memcmp(before, after, 10 * sizeof *before), "%s changes nothing", changed[i]);
        same(fast, net, x);
        free(before);
        free(after);
    }
    ck_assert_hg(hg_fill_(hg_buffer(net, "layer3.0.bn1.running_var"), 3));
    ck_assert_hg(hg_fill_(hg_buffer(net, "layer4.1.bn2.running_mean"), -0.25));
    same(fast, net, x);
    hg_train(net, true); /* a step's statistics */
    ck_assert_hg_ok(hg_forward(net, x));
    hg_eval(net);
    same(fast, net, x);
    ck_assert_hg(hg_replace_child(net, "fc", hg_linear_module(dev, 512, 3, true)));
    ck_assert_hg(hg_replace_child(net, "layer1.0.conv1", hg_conv2d_module(dev, 64, 64, 1, 1, NULL, true)));
    same(fast, net, x);
    hg_module_free(fast);
    hg_module_free(net);
    hg_scope_end(s);
}
END_TEST

static hg_tensor *own_forward(hg_module *m, hg_tensor *x)
{
    return hg_relu(hg_add(hg_forward(hg_child(m, "conv"), x), x));
}

static hg_module *own_module(hg_device *dev)
{
    static const hg_module_class own = {.name = "Own", .forward = own_forward};
    hg_module *m = hg_module_new(dev, &own);
    ck_assert_hg(hg_add_child(m, "conv", hg_conv2d_module(dev, 4, 4, 1, 1, NULL, true)));
    return m;
}

/* A Sequential of all that is near to what is fused, and is not. */
static hg_module *odd_network(hg_device *d)
{
    hg_conv_options around = HG_CONV_DEFAULTS, grouped = HG_CONV_DEFAULTS;
    around.same = true;
    around.padding_mode = HG_PAD_REFLECT;
    grouped.groups = 2;
    hg_batch_norm_options plain = {1e-3, 0.1, false, true}, batch = {1e-5, 0.1, true, false};
    hg_module *net = hg_sequential(d);
    hg_module *all[] = {hg_relu_module(d, false),
                        hg_conv2d_module(d, 3, 4, 3, 3, &around, true),
                        hg_batch_norm2d_module(d, 4, &plain),
                        hg_dropout_module(d, 0.5),
                        hg_relu_module(d, false),
                        hg_relu_module(d, true),
                        own_module(d),
                        hg_batch_norm2d_module(d, 4, NULL),
                        hg_conv2d_module(d, 4, 4, 3, 3, &grouped, false),
                        hg_batch_norm2d_module(d, 4, &batch),
                        hg_gelu_module(d, false),
                        hg_conv2d_module(d, 4, 6, 1, 1, NULL, false),
                        hg_batch_norm2d_module(d, 6, NULL),
                        hg_batch_norm2d_module(d, 6, NULL),
                        hg_avg_pool2d_module(d, NULL),
                        hg_flatten_module(d, 1, -1),
                        hg_linear_module(d, 6 * 9, 8, true),
                        hg_relu_module(d, true),
                        hg_batch_norm1d_module(d, 8, NULL),
                        hg_linear_module(d, 8, 4, true)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ck_assert_hg(hg_append(net, all[i]));
    return trained(net);
}

START_TEST(other_modules_run_as_they_are)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *net = odd_network(test_device());
    hg_tensor *x = image(3, 3, 8);
    double *before = test_read(x);
    hg_module *fast = compile(net, NULL);
    char *text = hg_module_to_text(fast);
    ck_assert_str_eq(text, "Compiled(Sequential, 16 steps, fused into convolutions: 2 BatchNorm2d, 1 ReLU, 0 sums)");
    free(text);
    same(fast, net, x);
    test_equal(x, hg_tensor_shape(x), before);
    free(before);
    hg_module *outer = hg_sequential(test_device()); /* a compiled network is a module like others */
    ck_assert_hg(hg_append(outer, fast));
    hg_eval(outer);
    same(outer, net, x);
    hg_module_free(outer);
    hg_module_free(net);
    hg_scope_end(s);
}
END_TEST

START_TEST(no_gradient_is_recorded_and_all_memory_comes_back)
{
    uint64_t before = test_memory();
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *net = trained(hg_model(test_device(), "fashion-cnn", NULL));
    hg_tensor *x = image(2, 1, 28);
    ck_assert_hg(hg_set_requires_grad(x, true));
    hg_module *fast = compile(net, x);
    hg_tensor *first = hg_forward(fast, x);
    ck_assert(!hg_requires_grad(first));
    ck_assert(hg_grad_enabled());
    double *values = test_read(first);
    ck_assert_hg_ok(hg_forward(fast, image(2, 1, 28)));
    test_equal(first, HG_SHAPE(2, 10), values); /* a result is the caller's: later runs leave it alone */
    free(values);
    hg_module_free(fast);
    hg_module_free(net);
    hg_scope_end(s);
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

START_TEST(what_cannot_be_run_says_why)
{
    uint64_t before = test_memory();
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *net = trained(hg_model(test_device(), "resnet18", &(hg_model_options){.classes = 2}));
    hg_tensor *x = image(1, 3, 32);
    ck_assert_ptr_null(hg_compile(NULL, x));
    test_error(HG_E_ARG, "compile: the network is NULL");
    hg_train(hg_child(net, "layer2.1.bn1"), true);
    ck_assert_ptr_null(hg_compile(net, x));
    test_error(HG_E_STATE, "compile: the BatchNorm2d 'bn1' is in training mode; hg_eval() the network");
    hg_eval(net);
    ck_assert_ptr_null(hg_compile(net, image(1, 1, 32)));
    test_error(HG_E_SHAPE, "expected input[1, 1, 32, 32] to have 3 channels");
    hg_module *fast = compile(net, x);
    hg_train(net, true);
    ck_assert(!hg_ok(hg_forward(fast, x)));
    test_error(HG_E_STATE, "compile: the ResNet is in training mode");
    hg_eval(net);
    hg_train(fast, true);
    ck_assert(!hg_ok(hg_forward(fast, x)));
    test_error(HG_E_STATE, "compile: the Compiled is in training mode");
    hg_eval(fast);
    ck_assert(!hg_ok(hg_forward(fast, image(1, 2, 32))));
    test_error(HG_E_SHAPE, "to have 3 channels");
    same(fast, net, x);
    hg_module_free(fast);
    hg_module_free(net);
    hg_scope_end(s);
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

Suite *compile_suite(void)
{
    return TEST_SUITE("compile", networks_give_the_same_in_other_batches_too, fewer_kernels_and_less_memory,
                      hooks_run_whenever_they_were_added, changed_weights_statistics_and_children_are_followed,
                      other_modules_run_as_they_are, no_gradient_is_recorded_and_all_memory_comes_back,
                      what_cannot_be_run_says_why);
}
