/* The layers: their text and first values against PyTorch's, what they compute, their rules. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cl/fault.h"
#include "suites.h"

/* Every layer with every option that shows, as tests/oracle/nn.py has them. */
static hg_module *make_layers(void)
{
    hg_device *d = test_device();
    hg_module *net = hg_sequential(d), *inner = hg_sequential(d), *innermost = hg_sequential(d);
    hg_conv_options around = HG_CONV_DEFAULTS, flat = HG_CONV_DEFAULTS;
    hg_conv_transpose_options twice = {{2}, {1}, {1}, {1, 2}, 2},
                              deep = {{2}, {0}, {1, HG_NO_PADDING, HG_NO_PADDING}, {1}, 1};
    around.same = true;
    flat.padding[0] = 0;
    flat.padding[1] = 1;
    flat.padding[2] = HG_NO_PADDING;
    flat.groups = 2;
    flat.padding_mode = HG_PAD_REPLICATE;
    around.padding_mode = HG_PAD_CIRCULAR;
    hg_conv_options padded = HG_CONV_DEFAULTS, grouped = HG_CONV_DEFAULTS, wide = HG_CONV_DEFAULTS,
                    same = HG_CONV_DEFAULTS;
    padded.padding[0] = 1;
    grouped = (hg_conv_options){{2}, {0}, {3}, 2, false, 0};
    wide = (hg_conv_options){{1, 2}, {3, HG_NO_PADDING}, {2}, 4, false, 0};
    same.same = true;
    hg_pool_options tall = {{3, 2}, {2, 1}, {1, 1}, {1, 2}, true, true, 0},
                    near = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, false, true, 0};
    hg_pool_options odd = {{2, 3}, {0, 0}, {0, 0}, {1, 1}, false, true, 0};
    hg_batch_norm_options plain = {0.001, -1, false, true}, untracked = {1e-5, 0.25, true, false};
    ck_assert_hg(hg_append(innermost, hg_relu_module(d, false)));
    ck_assert_hg(hg_append(inner, innermost));
    hg_module *all[] = {hg_linear_module(d, 3, 4, true),
                        hg_linear_module(d, 2, 1, false),
                        hg_conv1d_module(d, 4, 6, 3, &padded, true),
                        hg_conv1d_module(d, 4, 6, 1, &grouped, false),
                        hg_conv2d_module(d, 3, 8, 3, 3, NULL, true),
                        hg_conv2d_module(d, 4, 8, 3, 5, &wide, false),
                        hg_conv2d_module(d, 1, 2, 3, 3, &same, true),
                        hg_batch_norm1d_module(d, 5, NULL),
                        hg_batch_norm2d_module(d, 7, &plain),
                        hg_batch_norm2d_module(d, 1, &untracked),
                        hg_relu_module(d, false),
                        hg_relu_module(d, true),
                        hg_max_pool2d_module(d, NULL),
                        hg_max_pool2d_module(d, &tall),
                        hg_avg_pool2d_module(d, &near),
                        hg_avg_pool2d_module(d, &odd),
                        hg_adaptive_avg_pool2d_module(d, 1, 1),
                        hg_adaptive_avg_pool2d_module(d, 0, 7),
                        hg_dropout_module(d, 0.5),
                        hg_dropout2d_module(d, 0.25),
                        hg_flatten_module(d, 1, -1),
                        hg_flatten_module(d, 0, -2),
                        inner,
                        hg_sequential(d),
                        hg_conv3d_module(d, 4, 6, 3, 3, 3, NULL, true),
                        hg_conv3d_module(d, 4, 8, 1, 2, 3, &flat, true),
                        hg_conv2d_module(d, 4, 6, 3, 3, &around, false),
                        hg_conv_transpose1d_module(d, 4, 6, 3, NULL, true),
                        hg_conv_transpose2d_module(d, 4, 6, 3, 2, &twice, false),
                        hg_conv_transpose3d_module(d, 4, 6, 3, 3, 3, &deep, true)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ck_assert_msg(hg_append(net, all[i]) == HG_OK, "%s", hg_last_error());
    return net;
}

START_TEST(modules_print_as_pytorch_prints_them)
{
    char expected[8192], *text = calloc(1, 16384);
    hg_module *nets[] = {hg_fashion_dnn(test_device()), hg_fashion_cnn(test_device(), NULL), make_layers()};
    FILE *f = fopen(TEST_DATA "/nn/repr.txt", "r");
    ck_assert_ptr_nonnull(f);
    expected[fread(expected, 1, sizeof expected - 1, f)] = 0;
    fclose(f);
    for (int i = 0; i < 3; i++) {
        char *one = hg_module_to_text(nets[i]);
        strcat(strcat(text, one), "\n");
        free(one);
        hg_module_free(nets[i]);
    }
    ck_assert_str_eq(text, expected);
    free(text);
}
END_TEST

typedef struct rows {
    const double *expected;
    int count;
} rows;

static bool compare_first(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    rows *r = user;
    ck_assert(!is_buffer);
    double *v = test_read(t);
    for (int64_t i = 0; i < 3 && i < hg_numel(t); i++)
        ck_assert_msg(v[i] == r->expected[3 * r->count + i], "%s[%d]: %.9g, not %.9g", name, (int)i, v[i],
                      r->expected[3 * r->count + i]);
    free(v);
    r->count++;
    return true;
}

static void check_first(const char *golden, hg_module *net)
{
    hg_shape shape;
    double *expected = test_golden_values(golden, &shape);
    rows r = {expected, 0};
    hg_each_parameter(net, compare_first, &r);
    ck_assert_int_eq(r.count, shape.size[0]);
    free(expected);
    hg_module_free(net);
}

START_TEST(seed_0_draws_the_parameters_that_it_draws_in_pytorch)
{
    hg_device *dev = test_device();
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    check_first("nn/first_dnn", hg_fashion_dnn(dev));
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    check_first("nn/first_cnn", hg_fashion_cnn(dev, NULL));
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_TORCH));
    check_first("nn/first_layers", make_layers());
    ck_assert_hg(hg_manual_seed(dev, 0, HG_RNG_PHILOX));
}
END_TEST

static hg_tensor *random_tensor(hg_shape shape)
{
    double *v = test_values(test_numel(shape));
    hg_tensor *t = test_tensor(HG_F32, shape, v);
    free(v);
    return t;
}

static void same_bits(hg_tensor *a, hg_tensor *b)
{
    double *v = test_read(b);
    test_equal(a, hg_tensor_shape(b), v);
    free(v);
}

/* The module's result is bit by bit the function's. */
static void compare(hg_module *m, hg_tensor *x, hg_tensor *expected)
{
    ck_assert_msg(m != NULL, "%s", hg_last_error());
    same_bits(hg_forward(m, x), expected);
    hg_module_free(m);
}

START_TEST(a_layer_computes_what_its_function_computes)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *d = test_device();
    hg_tensor *image = random_tensor(HG_SHAPE(2, 3, 7, 6)), *rows_ = random_tensor(HG_SHAPE(5, 3)),
              *line = random_tensor(HG_SHAPE(2, 3, 9));
    hg_module *fc = hg_linear_module(d, 3, 4, true), *conv1 = hg_conv1d_module(d, 3, 2, 3, NULL, false);
    hg_conv_options o = {{2, 1}, {1, HG_NO_PADDING}, {1, 1}, 3, false};
    hg_module *conv2 = hg_conv2d_module(d, 3, 6, 3, 2, &o, true);
    compare(fc, rows_, hg_linear(rows_, hg_parameter(fc, "weight"), hg_parameter(fc, "bias")));
    compare(conv1, line, hg_conv1d(line, hg_parameter(conv1, "weight"), NULL, NULL));
    hg_tensor *y = hg_conv2d(image, hg_parameter(conv2, "weight"), hg_parameter(conv2, "bias"), &o);
    ck_assert_int_eq(hg_size(y, 2), 4);
    ck_assert_int_eq(hg_size(y, 3), 5);
    compare(conv2, image, y);
    compare(hg_relu_module(d, false), image, hg_relu(image));
    compare(hg_flatten_module(d, 1, -1), image, hg_flatten(image, 1, -1));
    hg_pool_options p = {{3, 2}, {2, 0}, {1, 0}, {1, 1}, true, false, 0};
    compare(hg_max_pool2d_module(d, &p), image, hg_max_pool2d(image, &p, NULL));
    compare(hg_avg_pool2d_module(d, &p), image, hg_avg_pool2d(image, &p));
    compare(hg_adaptive_avg_pool2d_module(d, 2, 0), image, hg_adaptive_avg_pool2d(image, 2, 0));
    hg_tensor *clone = hg_clone(image);
    hg_module *inplace = hg_relu_module(d, true);
    same_bits(hg_forward(inplace, clone), hg_relu(image));
    same_bits(clone, hg_relu(image));
    hg_module_free(inplace);
    hg_scope_end(s);
}
END_TEST

START_TEST(dropout_works_in_training_only)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_full(test_device(), HG_F32, HG_SHAPE(40, 30, 2, 2), 1);
    hg_module *layers[] = {hg_dropout_module(test_device(), 0.5), hg_dropout2d_module(test_device(), 0.5)};
    for (int k = 0; k < 2; k++) {
        hg_eval(layers[k]);
        same_bits(hg_forward(layers[k], x), x);
        hg_train(layers[k], true);
        double *v = test_read(hg_forward(layers[k], x));
        int zero = 0, mixed = 0;
        for (int i = 0; i < 4800; i++) {
            ck_assert(v[i] == 0 || v[i] == 2);
            zero += v[i] == 0;
            mixed += v[i] != v[i / 4 * 4];
        }
        ck_assert_int_gt(zero, 1900);
        ck_assert_int_lt(zero, 2900);
        ck_assert_int_eq(k == 1, mixed == 0); /* whole channels */
        free(v);
        hg_module_free(layers[k]);
    }
    hg_scope_end(s);
}
END_TEST

static hg_tensor *numbers(hg_shape shape, int salt)
{
    int64_t n = test_numel(shape);
    double *v = malloc(sizeof *v * (size_t)n);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * 7919 + salt * 104729) % 2001) / 2000.0;
    hg_tensor *t = test_tensor(HG_F32, shape, v);
    free(v);
    return t;
}

START_TEST(batch_norm_counts_and_averages)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = hg_batch_norm1d_module(test_device(), 2, NULL);
    double expected[] = {0, 0};
    for (int step = 0; step < 3; step++) {
        hg_tensor *x = numbers(HG_SHAPE(5, 2), step);
        double *v = test_read(x);
        for (int c = 0; c < 2; c++)
            expected[c] = 0.9 * expected[c] + 0.1 * (v[c] + v[2 + c] + v[4 + c] + v[6 + c] + v[8 + c]) / 5;
        ck_assert_hg_ok(hg_forward(m, x));
        free(v);
    }
    ck_assert_int_eq(hg_item_i64(hg_buffer(m, "num_batches_tracked")), 3);
    test_close(hg_buffer(m, "running_mean"), HG_SHAPE(2), expected, 1e-7, 1e-6);
    hg_eval(m);
    hg_tensor *x = numbers(HG_SHAPE(1, 2), 0), *var = hg_buffer(m, "running_var");
    double *in = test_read(x), *v = test_read(var), out[2];
    for (int c = 0; c < 2; c++) out[c] = (in[c] - expected[c]) / sqrt(v[c] + 1e-5);
    test_close(hg_forward(m, x), HG_SHAPE(1, 2), out, 1e-6, 1e-5);
    ck_assert_int_eq(hg_item_i64(hg_buffer(m, "num_batches_tracked")), 3);
    free(in);
    free(v);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(batch_norm_without_momentum_is_a_mean_over_batches)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_batch_norm_options o = {1e-5, -1, true, true};
    hg_module *m = hg_batch_norm1d_module(test_device(), 2, &o);
    double *golden = test_golden_values("nn/cumulative", NULL);
    for (int step = 0; step < 3; step++) {
        if (step == 2) { /* a count that was written from outside is seen */
            ck_assert_hg(hg_fill_(hg_buffer(m, "num_batches_tracked"), 7));
            ck_assert_hg(hg_write(hg_buffer(m, "num_batches_tracked"), &(int64_t){2}));
        }
        ck_assert_hg_ok(hg_forward(m, numbers(HG_SHAPE(5, 2), step)));
        test_close(hg_buffer(m, "running_mean"), HG_SHAPE(2), golden + 4 * step, 1e-7, 1e-6);
        test_close(hg_buffer(m, "running_var"), HG_SHAPE(2), golden + 4 * step + 2, 1e-7, 1e-6);
    }
    ck_assert_int_eq(hg_item_i64(hg_buffer(m, "num_batches_tracked")), 3);
    free(golden);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(batch_norm_counts_nothing_after_bad_data)
{
    const cl_int bad[4] = {HG_FAULT_TARGET, 12, 10, 3};
    hg_device *dev = test_device();
    hg_batch_norm_options o = {1e-5, -1, true, true};
    hg_scope *s = hg_scope_begin(dev);
    hg_module *m = hg_batch_norm1d_module(dev, 2, &o);
    double *golden = test_golden_values("nn/cumulative", NULL);
    ck_assert_hg_ok(hg_forward(m, numbers(HG_SHAPE(5, 2), 0)));
    hg_tensor *x = numbers(HG_SHAPE(5, 2), 7);
    cl_mem fault = hg_fault_watch(dev);
    ck_assert_int_eq(clEnqueueWriteBuffer(dev->queue, fault, CL_TRUE, 0, sizeof bad, bad, 0, NULL, NULL), 0);
    ck_assert_hg_ok(hg_forward(m, x));
    ck_assert_int_eq(hg_sync(dev), HG_E_ARG);
    test_error(HG_E_ARG, "Target 12 is out of bounds");
    for (int step = 1; step < 3; step++) ck_assert_hg_ok(hg_forward(m, numbers(HG_SHAPE(5, 2), step)));
    ck_assert_int_eq(hg_item_i64(hg_buffer(m, "num_batches_tracked")), 3);
    test_close(hg_buffer(m, "running_mean"), HG_SHAPE(2), golden + 8, 1e-7, 1e-6);
    free(golden);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(batch_norm_without_statistics_uses_the_batchs_always)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_batch_norm_options o = {1e-5, 0.1, false, false};
    hg_module *m = hg_batch_norm2d_module(test_device(), 3, &o);
    ck_assert_int_eq(hg_count_parameters(m, false), 0);
    ck_assert_ptr_null(hg_buffer(m, "running_mean"));
    test_error(HG_E_ARG, "it has none");
    hg_tensor *x = random_tensor(HG_SHAPE(2, 3, 2, 2)), *y = hg_forward(m, x);
    hg_eval(m);
    same_bits(hg_forward(m, x), y);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(batch_norm_refuses_other_ranks)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *one = hg_batch_norm1d_module(test_device(), 3, NULL),
              *two = hg_batch_norm2d_module(test_device(), 3, NULL);
    ck_assert(!hg_ok(hg_forward(one, random_tensor(HG_SHAPE(2, 3, 4, 5)))));
    test_error(HG_E_SHAPE, "expected 2D or 3D input (got 4D input)");
    ck_assert(!hg_ok(hg_forward(two, random_tensor(HG_SHAPE(2, 3)))));
    test_error(HG_E_SHAPE, "expected 4D input (got 2D input)");
    ck_assert(!hg_ok(hg_forward(two, random_tensor(HG_SHAPE(1, 3, 1, 1)))));
    test_error(HG_E_SHAPE, "Expected more than 1 value per channel when training");
    ck_assert_int_eq(hg_item_i64(hg_buffer(two, "num_batches_tracked")), 0);
    hg_module_free(one);
    hg_module_free(two);
    hg_scope_end(s);
}
END_TEST

#define refused(call, text)                                                                                            \
    do {                                                                                                               \
        ck_assert_ptr_null(call);                                                                                      \
        test_error(HG_E_ARG, text);                                                                                    \
    } while (0)

START_TEST(convolutions_of_any_rank_run_with_their_options)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *d = test_device();
    hg_conv_options o = {{2, 1, 1}, {1, 1, 1}, {1, 1, 1}, 2, false, HG_PAD_REPLICATE};
    hg_conv_transpose_options t = {{2, 3, 1}, {1, 0, 0}, {1, 0, 0}, {1, 1, 2}, 2};
    hg_module *deep = hg_conv3d_module(d, 4, 6, 2, 3, 2, &o, true),
              *line = hg_conv_transpose1d_module(d, 4, 6, 3, &t, true),
              *plane = hg_conv_transpose2d_module(d, 4, 6, 3, 2, &t, true),
              *back = hg_conv_transpose3d_module(d, 4, 6, 2, 3, 2, &t, false);
    hg_tensor *x = random_tensor(HG_SHAPE(2, 4, 3, 4, 5)), *flat = hg_select(x, 2, 0), *row = hg_select(flat, 2, 0);
    same_bits(hg_forward(deep, x), hg_conv3d(x, hg_parameter(deep, "weight"), hg_parameter(deep, "bias"), &o));
    same_bits(hg_forward(line, row),
              hg_conv_transpose1d(row, hg_parameter(line, "weight"), hg_parameter(line, "bias"), &t));
    same_bits(hg_forward(plane, flat),
              hg_conv_transpose2d(flat, hg_parameter(plane, "weight"), hg_parameter(plane, "bias"), &t));
    same_bits(hg_forward(back, x), hg_conv_transpose3d(x, hg_parameter(back, "weight"), NULL, &t));
    hg_module *all[] = {deep, line, plane, back};
    for (int i = 0; i < 4; i++) hg_module_free(all[i]);
    hg_scope_end(s);
}
END_TEST

START_TEST(constructors_refuse_what_makes_no_layer)
{
    hg_device *d = test_device();
    hg_conv_options o = HG_CONV_DEFAULTS;
    hg_pool_options p = HG_POOL_DEFAULTS;
    uint64_t before = test_memory();
    refused(hg_linear_module(d, -1, 2, true), "in_features must be at least 0, got -1");
    refused(hg_linear_module(NULL, 1, 2, true), "a device");
    o.groups = 2;
    refused(hg_conv2d_module(d, 3, 4, 3, 3, &o, true), "in_channels must be divisible by groups");
    refused(hg_conv2d_module(d, 4, 3, 3, 3, &o, true), "out_channels must be divisible by groups");
    o.groups = 0;
    refused(hg_conv1d_module(d, 4, 3, 3, &o, true), "groups must be a positive integer");
    o = (hg_conv_options){{2, 2}, {0}, {1, 1}, 1, true, 0};
    refused(hg_conv2d_module(d, 4, 3, 3, 3, &o, true), "padding='same' is not supported for strided convolutions");
    o = (hg_conv_options){{1}, {0}, {-1}, 1, false, 0};
    refused(hg_conv2d_module(d, 4, 3, 3, 3, &o, true), "dilation must be at least 1, got -1");
    refused(hg_conv2d_module(d, 4, 3, 3, 0, NULL, true), "kernel size must be at least 1, got 0");
    o = HG_CONV_DEFAULTS;
    o.padding_mode = 7;
    refused(hg_conv3d_module(d, 4, 3, 3, 3, 3, &o, true),
            "Conv3d: padding_mode must be one of HG_PAD_CONSTANT (zeros)");
    hg_conv_transpose_options t = {{1}, {0}, {-2}, {1}, 2};
    refused(hg_conv_transpose1d_module(d, 4, 4, 3, &t, true),
            "ConvTranspose1d: output_padding must be at least 0, got -2");
    refused(hg_conv_transpose2d_module(d, 4, 3, 3, 3, &t, true), "out_channels must be divisible by groups; 3 and 2");
    p.padding[1] = 2;
    refused(hg_max_pool2d_module(d, &p), "pad should be at most half of kernel size, but got pad=2 and kernel_size=2");
    refused(hg_adaptive_avg_pool2d_module(d, 1, -2), "width must be at least 0, got -2");
    refused(hg_dropout_module(d, 1.5), "dropout probability has to be between 0 and 1, but got 1.5");
    refused(hg_dropout2d_module(d, NAN), "dropout probability has to be between 0 and 1, but got nan");
    refused(hg_batch_norm1d_module(d, -1, NULL), "num_features must be at least 0");
    refused(hg_batch_norm2d_module(d, 1, &(hg_batch_norm_options){-1, 0.1, true, true}), "eps must not be negative");
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

Suite *layers_suite(void)
{
    return TEST_SUITE("layers", modules_print_as_pytorch_prints_them,
                      seed_0_draws_the_parameters_that_it_draws_in_pytorch, a_layer_computes_what_its_function_computes,
                      dropout_works_in_training_only, batch_norm_counts_and_averages,
                      batch_norm_without_momentum_is_a_mean_over_batches, batch_norm_counts_nothing_after_bad_data,
                      batch_norm_without_statistics_uses_the_batchs_always, batch_norm_refuses_other_ranks,
                      convolutions_of_any_rank_run_with_their_options, constructors_refuse_what_makes_no_layer);
}
