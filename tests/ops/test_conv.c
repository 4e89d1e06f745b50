/* conv1d, conv2d and conv3d: PyTorch's values, shapes, options, layouts, gradients and error texts. What the solvers
 * compute is tested in tests/conv. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conv_golden.h"
#include "conv_reference.h"

static hg_tensor *zeros(hg_shape shape)
{
    return hg_zeros(test_device(), HG_F32, shape);
}

static hg_tensor *in_1d(hg_tensor *x, hg_tensor *w, hg_tensor *b, const void *o)
{
    return hg_conv1d(x, w, b, o);
}

static hg_tensor *in_2d(hg_tensor *x, hg_tensor *w, hg_tensor *b, const void *o)
{
    return hg_conv2d(x, w, b, o);
}

static hg_tensor *in_3d(hg_tensor *x, hg_tensor *w, hg_tensor *b, const void *o)
{
    return hg_conv3d(x, w, b, o);
}

static void golden(const char *name, conv_fn fn, hg_shape input, hg_shape kernel, const hg_conv_options *o,
                   hg_shape output)
{
    conv_golden(name, fn, input, kernel, kernel.size[0], o, output);
}

START_TEST(values_and_gradients_are_those_of_pytorch)
{
    hg_conv_options o = HG_CONV_DEFAULTS;
    golden("unbatched", in_2d, HG_SHAPE(2, 5, 5), HG_SHAPE(3, 2, 3, 3), NULL, HG_SHAPE(3, 3, 3));
    o.stride[0] = 2;
    o.padding[0] = 1;
    o.padding[1] = 2;
    golden("strided", in_2d, HG_SHAPE(2, 3, 7, 6), HG_SHAPE(4, 3, 3, 2), &o, HG_SHAPE(2, 4, 4, 9));
    o.padding[1] = 0;
    golden("one_dimension", in_1d, HG_SHAPE(3, 4, 12), HG_SHAPE(6, 4, 3), &o, HG_SHAPE(3, 6, 6));
    o = HG_CONV_DEFAULTS;
    o.groups = 2;
    o.dilation[1] = 2;
    o.padding[0] = 2;
    golden("grouped", in_2d, HG_SHAPE(2, 4, 6, 6), HG_SHAPE(6, 2, 3, 3), &o, HG_SHAPE(2, 6, 8, 6));
    o = HG_CONV_DEFAULTS;
    o.same = true;
    golden("same", in_2d, HG_SHAPE(1, 2, 5, 6), HG_SHAPE(3, 2, 2, 4), &o, HG_SHAPE(1, 3, 5, 6));
    o = (hg_conv_options){{2, 1, 2}, {0, 1, 1}, {1, 1, 1}, 1, false, HG_PAD_CONSTANT};
    golden("three_dimensions", in_3d, HG_SHAPE(2, 2, 5, 4, 6), HG_SHAPE(3, 2, 1, 2, 3), &o, HG_SHAPE(2, 3, 3, 5, 3));
}
END_TEST

START_TEST(other_padding_than_zeros_is_that_of_pytorch)
{
    hg_conv_options o = {{2, 2}, {1, 2}, {1, 1}, 1, false, HG_PAD_REFLECT};
    golden("reflect", in_2d, HG_SHAPE(2, 2, 4, 5), HG_SHAPE(3, 2, 3, 3), &o, HG_SHAPE(2, 3, 2, 4));
    o = (hg_conv_options){{1, 1}, {0}, {1, 1}, 1, true, HG_PAD_CIRCULAR};
    golden("circular_same", in_2d, HG_SHAPE(1, 2, 5, 6), HG_SHAPE(3, 2, 2, 4), &o, HG_SHAPE(1, 3, 5, 6));
    o = (hg_conv_options){{1}, {3}, {2}, 1, false, HG_PAD_REPLICATE};
    golden("replicate", in_1d, HG_SHAPE(2, 3, 5), HG_SHAPE(4, 3, 2), &o, HG_SHAPE(2, 4, 9));
    o = (hg_conv_options){{1, 1, 1}, {2, 1, 1}, {1, 1, 1}, 1, false, HG_PAD_CIRCULAR};
    golden("circular_3d", in_3d, HG_SHAPE(1, 2, 3, 4, 3), HG_SHAPE(2, 2, 3, 2, 2), &o, HG_SHAPE(1, 2, 5, 5, 4));
    hg_scope *s = hg_scope_begin(test_device());
    o = HG_CONV_DEFAULTS;
    o.padding_mode = HG_PAD_REFLECT;
    hg_tensor *x = conv_leaf(HG_SHAPE(2, 5, 4), 7), *w = conv_leaf(HG_SHAPE(3, 2, 3, 3), 3);
    double *plain = test_read(hg_conv2d(x, w, NULL, NULL));
    test_equal(hg_conv2d(x, w, NULL, &o), HG_SHAPE(3, 3, 2), plain); /* no padding, nothing to reflect */
    free(plain);
    o.padding[0] = 4;
    conv_fails(hg_conv2d(x, w, NULL, &o), HG_E_ARG,
               "Padding size should be less than the corresponding input dimension");
    o.padding_mode = HG_PAD_CIRCULAR;
    o.padding[0] = 6;
    conv_fails(hg_conv2d(x, w, NULL, &o), HG_E_ARG, "Padding value causes wrapping around more than once");
    o.padding_mode = 9;
    conv_fails(hg_conv2d(x, w, NULL, &o), HG_E_ARG,
               "padding_mode must be zeros (HG_PAD_CONSTANT), reflect, replicate or");
    o.padding_mode = HG_PAD_REPLICATE;
    o.padding[0] = 1;
    conv_has_shape(hg_conv2d(zeros(HG_SHAPE(0, 2, 5, 4)), w, NULL, &o), HG_SHAPE(0, 3, 5, 4));
    hg_scope_end(s);
}
END_TEST

/* No flip of the kernel: a filter of three channels gives one map. */
START_TEST(it_is_a_cross_correlation_over_all_channels)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_reshape(hg_arange(test_device(), HG_F32, 0, 9, 1), HG_SHAPE(1, 1, 3, 3));
    hg_tensor *w = hg_reshape(hg_arange(test_device(), HG_F32, 1, 5, 1), HG_SHAPE(1, 1, 2, 2));
    test_equal(hg_conv2d(x, w, NULL, NULL), HG_SHAPE(1, 1, 2, 2), ((double[]){27, 37, 57, 67}));
    test_equal(hg_conv2d(hg_full(test_device(), HG_F32, HG_SHAPE(1, 3, 4, 4), 1),
                         hg_full(test_device(), HG_F32, HG_SHAPE(1, 3, 3, 3), 1), NULL, NULL),
               HG_SHAPE(1, 1, 2, 2), ((double[]){27, 27, 27, 27}));
    hg_scope_end(s);
}
END_TEST

START_TEST(options_of_a_later_place_follow_the_first_where_they_are_0)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_options o = HG_CONV_DEFAULTS;
    hg_tensor *x = zeros(HG_SHAPE(1, 1, 20, 20)), *w = zeros(HG_SHAPE(1, 1, 3, 3));
    o.padding[0] = 3;
    conv_has_shape(hg_conv2d(x, w, NULL, &o), HG_SHAPE(1, 1, 24, 24));
    o.padding[1] = 1;
    conv_has_shape(hg_conv2d(x, w, NULL, &o), HG_SHAPE(1, 1, 24, 20));
    o.padding[1] = HG_NO_PADDING;
    conv_has_shape(hg_conv2d(x, w, NULL, &o), HG_SHAPE(1, 1, 24, 18));
    o = HG_CONV_DEFAULTS;
    o.stride[0] = 2;
    conv_has_shape(hg_conv2d(x, w, NULL, &o), HG_SHAPE(1, 1, 9, 18));
    o.stride[1] = 0;
    conv_has_shape(hg_conv2d(x, w, NULL, &o), HG_SHAPE(1, 1, 9, 9));
    o = HG_CONV_DEFAULTS;
    o.dilation[0] = 4;
    o.dilation[1] = 0;
    conv_has_shape(hg_conv2d(x, w, NULL, &o), HG_SHAPE(1, 1, 12, 12));
    hg_scope_end(s);
}
END_TEST

START_TEST(an_empty_batch_has_a_result_and_gradients)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = conv_leaf(HG_SHAPE(0, 3, 8, 8), 1), *w = conv_leaf(HG_SHAPE(4, 3, 3, 3), 1),
              *b = conv_leaf(HG_SHAPE(4), 1);
    hg_tensor *y = hg_conv2d(x, w, b, NULL);
    conv_has_shape(y, HG_SHAPE(0, 4, 6, 6));
    ck_assert_hg(hg_backward_with(y, zeros(HG_SHAPE(0, 4, 6, 6)), false));
    double none[108] = {0};
    conv_has_shape(hg_grad(x), HG_SHAPE(0, 3, 8, 8));
    test_equal(hg_grad(w), HG_SHAPE(4, 3, 3, 3), none);
    test_equal(hg_grad(b), HG_SHAPE(4), none);
    hg_scope_end(s);
}
END_TEST

START_TEST(any_layout_of_the_operands_and_of_the_gradient_will_do)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 2x3x9x10 4x3x3 s2x1 p1x1", &p));
    double *x = test_integers(540, 4), *w = test_integers(108, 4), *y = test_integers(400, 4),
           *dx = test_integers(540, 4);
    hg_conv_problem back = p;
    back.direction = HG_CONV_BACKWARD_DATA;
    test_conv_reference(&p, x, w, y);
    test_conv_reference(&back, dx, w, y);
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.stride[0] = 2;
    o.padding[0] = 1;
    for (int layout = 0; layout < TEST_LAYOUTS; layout++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *in = test_layout(layout, HG_F32, HG_SHAPE(2, 3, 9, 10), x);
        hg_tensor *weight = test_layout(layout, HG_F32, HG_SHAPE(4, 3, 3, 3), w);
        ck_assert_hg(hg_set_requires_grad(in, true));
        hg_tensor *out = hg_conv2d(in, weight, NULL, &o);
        test_equal(out, HG_SHAPE(2, 4, 5, 10), y);
        ck_assert_hg(hg_backward_with(out, test_layout(layout, HG_F32, HG_SHAPE(2, 4, 5, 10), y), false));
        test_equal(hg_grad(in), HG_SHAPE(2, 3, 9, 10), dx);
        hg_scope_end(s);
    }
    free(x);
    free(w);
    free(y);
    free(dx);
}
END_TEST

/* Both gradients and the bias's through one call, by solvers whose transforms round. */
START_TEST(winograd_is_within_its_error_in_all_directions)
{
    hg_conv_problem p;
    ck_assert_hg(hg_conv_parse("fwd 3x17x13x10 24x3x3 p1x1", &p));
    double *x = test_values(6630), *w = test_values(3672), *y = test_values(9360), *dy = test_values(9360),
           *dx = test_values(6630), *dw = test_values(3672);
    test_conv_reference(&p, x, w, y);
    p.direction = HG_CONV_BACKWARD_DATA;
    test_conv_reference(&p, dx, w, dy);
    p.direction = HG_CONV_BACKWARD_WEIGHTS;
    test_conv_reference(&p, x, dw, dy);
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.padding[0] = 1;
    ck_assert_int_eq(setenv("HAPGOP_CONV", "winograd-f4x4,im2col-gemm", 1), 0);
    for (int layout = 0; layout < TEST_LAYOUTS; layout++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *in = test_layout(layout, HG_F32, HG_SHAPE(3, 17, 13, 10), x);
        hg_tensor *weight = test_layout(layout, HG_F32, HG_SHAPE(24, 17, 3, 3), w);
        ck_assert_hg(hg_set_requires_grad(in, true));
        ck_assert_hg(hg_set_requires_grad(weight, true));
        hg_tensor *out = hg_conv2d(in, weight, NULL, &o);
        test_rms(out, HG_SHAPE(3, 24, 13, 10), y, 2e-6);
        ck_assert_hg(hg_backward_with(out, test_layout(layout, HG_F32, HG_SHAPE(3, 24, 13, 10), dy), false));
        test_rms(hg_grad(in), HG_SHAPE(3, 17, 13, 10), dx, 2e-6);
        test_rms(hg_grad(weight), HG_SHAPE(24, 17, 3, 3), dw, 2e-6);
        hg_scope_end(s);
    }
    unsetenv("HAPGOP_CONV");
    free(x);
    free(w);
    free(y);
    free(dy);
    free(dx);
    free(dw);
}
END_TEST

static hg_tensor *with_options(hg_tensor **in, int n, void *user)
{
    return hg_conv2d(in[0], in[1], n > 2 ? in[2] : NULL, user);
}

static hg_tensor *in_three_dimensions(hg_tensor **in, int n, void *user)
{
    (void)n;
    return hg_conv3d(in[0], in[1], in[2], user);
}

static hg_tensor *in_one_dimension(hg_tensor **in, int n, void *user)
{
    (void)n;
    return hg_conv1d(in[0], in[1], in[2], user);
}

static uint64_t in_use(void)
{
    hg_memory_info info;
    ck_assert_hg(hg_memory_get_info(test_device(), &info));
    return info.in_use;
}

/* The transform of a weight that stands is kept with it, remade when the weight changes, and freed with it. */
START_TEST(a_packed_weight_is_kept_while_the_weight_stands)
{
    uint64_t before = in_use();
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_full(test_device(), HG_F32, HG_SHAPE(1, 16, 8, 8), 1);
    hg_tensor *w = hg_full(test_device(), HG_F32, HG_SHAPE(16, 16, 3, 3), 1);
    ck_assert_hg(hg_set_requires_grad(w, true));
    ck_assert_int_eq(setenv("HAPGOP_CONV", "winograd-f4x4", 1), 0);
    uint64_t bare = in_use();
    hg_tensor *trained = hg_conv2d(x, w, NULL, NULL);
    uint64_t one = in_use() - bare; /* the result, and nothing of the weight, which will change */
    ck_assert_hg(hg_set_requires_grad(w, false));
    hg_tensor *still = hg_conv2d(x, w, NULL, NULL);
    ck_assert_uint_gt(in_use(), bare + 2 * one);
    uint64_t kept = in_use();
    hg_tensor *again = hg_conv2d(x, w, NULL, NULL);
    ck_assert_uint_eq(in_use(), kept + one);
    ck_assert_hg(hg_fill_(w, 2));
    hg_tensor *changed = hg_conv2d(x, w, NULL, NULL);
    double sums[16 * 36];
    for (int i = 0; i < 16 * 36; i++) sums[i] = 144;
    test_rms(trained, HG_SHAPE(1, 16, 6, 6), sums, 2e-6);
    test_rms(still, HG_SHAPE(1, 16, 6, 6), sums, 2e-6);
    test_rms(again, HG_SHAPE(1, 16, 6, 6), sums, 2e-6);
    for (int i = 0; i < 16 * 36; i++) sums[i] = 288;
    test_rms(changed, HG_SHAPE(1, 16, 6, 6), sums, 2e-6);
    unsetenv("HAPGOP_CONV");
    hg_scope_end(s);
    ck_assert_uint_eq(in_use(), before);
}
END_TEST

START_TEST(gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_options o = HG_CONV_DEFAULTS;
    hg_tensor *in[] = {conv_random_f64(HG_SHAPE(2, 2, 5, 4)), conv_random_f64(HG_SHAPE(3, 2, 3, 2)),
                       conv_random_f64(HG_SHAPE(3))};
    o.stride[0] = 2;
    o.padding[0] = 1;
    test_gradient(with_options, in, 3, &o);
    hg_tensor *grouped[] = {conv_random_f64(HG_SHAPE(1, 4, 5, 6)), conv_random_f64(HG_SHAPE(2, 2, 2, 2))};
    o = HG_CONV_DEFAULTS;
    o.groups = 2;
    o.same = true;
    test_gradient(with_options, grouped, 2, &o);
    hg_tensor *line[] = {conv_random_f64(HG_SHAPE(2, 7)), conv_random_f64(HG_SHAPE(3, 2, 3)),
                         conv_random_f64(HG_SHAPE(3))};
    o = HG_CONV_DEFAULTS;
    o.padding[0] = 1;
    test_gradient(in_one_dimension, line, 3, &o);
    hg_tensor *cube[] = {conv_random_f64(HG_SHAPE(1, 2, 3, 4, 3)), conv_random_f64(HG_SHAPE(2, 2, 2, 2, 2)),
                         conv_random_f64(HG_SHAPE(2))};
    o.stride[1] = 2;
    test_gradient(in_three_dimensions, cube, 3, &o);
    o.padding_mode = HG_PAD_REFLECT;
    test_gradient(in_one_dimension, line, 3, &o);
    hg_tensor *plane[] = {in[0], in[1], in[2]};
    o = HG_CONV_DEFAULTS;
    o.same = true;
    o.padding_mode = HG_PAD_REPLICATE;
    test_gradient(with_options, plane, 3, &o);
    hg_scope_end(s);
}
END_TEST

/* A frozen operand gets no gradient and the other one is not kept for it: it may change before the walk back. */
START_TEST(only_wanted_gradients_are_computed_and_only_their_operands_kept)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = conv_leaf(HG_SHAPE(1, 2, 5, 5), 7), *w = conv_leaf(HG_SHAPE(3, 2, 3, 3), 3);
    ck_assert_hg(hg_set_requires_grad(w, false));
    hg_tensor *y = hg_conv2d(x, w, NULL, NULL);
    ck_assert_hg(hg_fill_(hg_detach(x), 0));
    ck_assert_hg(hg_backward_with(y, hg_full(test_device(), HG_F32, HG_SHAPE(1, 3, 3, 3), 1), false));
    ck_assert_ptr_nonnull(hg_grad(x));
    ck_assert_ptr_null(hg_grad(w));
    y = hg_conv2d(x, w, NULL, NULL);
    ck_assert_hg(hg_fill_(w, 0));
    ck_assert_int_eq(hg_backward_with(y, hg_full(test_device(), HG_F32, HG_SHAPE(1, 3, 3, 3), 1), false), HG_E_STATE);
    test_error(HG_E_STATE, "modified by an inplace operation");
    ck_assert_hg(hg_set_requires_grad(x, false));
    ck_assert(!hg_requires_grad(hg_conv2d(x, w, NULL, NULL)));
    hg_scope_end(s);
}
END_TEST

START_TEST(wrong_shapes_are_refused_in_the_words_of_pytorch)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_options o = HG_CONV_DEFAULTS;
    hg_tensor *x = zeros(HG_SHAPE(1, 3, 8, 8)), *w = zeros(HG_SHAPE(4, 3, 3, 3));
    conv_fails(
        hg_conv2d(zeros(HG_SHAPE(1, 2, 8, 8)), w, NULL, NULL), HG_E_SHAPE,
        "conv2d: Given groups=1, weight of size [4, 3, 3, 3], expected input[1, 2, 8, 8] to have 3 channels, but got "
        "2 channels instead");
    conv_fails(hg_conv2d(zeros(HG_SHAPE(3, 3)), w, NULL, NULL), HG_E_SHAPE,
               "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [3, 3]");
    conv_fails(hg_conv1d(zeros(HG_SHAPE(3)), zeros(HG_SHAPE(4, 3, 3)), NULL, NULL), HG_E_SHAPE,
               "Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: [3]");
    conv_fails(hg_conv2d(x, zeros(HG_SHAPE(4, 3, 3)), NULL, NULL), HG_E_SHAPE, "Expected 4D weight");
    conv_fails(hg_conv3d(x, zeros(HG_SHAPE(4, 2, 3, 3, 3)), NULL, NULL), HG_E_SHAPE,
               "Given groups=1, weight of size [4, 2, 3, 3, 3], expected input[1, 3, 8, 8] to have 2 channels");
    conv_fails(hg_conv3d(zeros(HG_SHAPE(3, 3, 3)), zeros(HG_SHAPE(4, 3, 3, 3, 3)), NULL, NULL), HG_E_SHAPE,
               "Expected 4D (unbatched) or 5D (batched) input to conv3d, but got input of size: [3, 3, 3]");
    conv_fails(
        hg_conv2d(x, w, zeros(HG_SHAPE(5)), NULL), HG_E_SHAPE,
        "Given weight of size [4, 3, 3, 3], expected bias to be 1-dimensional with 4 elements, but got bias of size "
        "[5] instead");
    conv_fails(hg_conv2d(x, w, zeros(HG_SHAPE(4, 1)), NULL), HG_E_SHAPE, "bias of size [4, 1] instead");
    conv_fails(
        hg_conv2d(zeros(HG_SHAPE(3, 2, 2)), w, NULL, NULL), HG_E_SHAPE,
        "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3). Kernel size can't be greater than "
        "actual input size");
    conv_fails(hg_conv1d(zeros(HG_SHAPE(2, 2)), zeros(HG_SHAPE(4, 2, 3)), NULL, NULL), HG_E_SHAPE,
               "per channel: (2). Kernel size: (3).");
    conv_fails(hg_conv2d(x, zeros(HG_SHAPE(4, 3, 0, 3)), NULL, NULL), HG_E_SHAPE,
               "kernel size should be greater than zero");
    conv_fails(hg_conv2d(x, zeros(HG_SHAPE(0, 3, 3, 3)), NULL, NULL), HG_E_SHAPE,
               "expected weight to be at least 1 at dimension 0");
    o.padding[0] = 2;
    conv_fails(hg_conv2d(zeros(HG_SHAPE(1, 3, 0, 8)), w, NULL, &o), HG_E_SHAPE,
               "Only zero batch or zero channel inputs are supported, but got input shape: [1, 3, 0, 8]");
    o = HG_CONV_DEFAULTS;
    o.groups = 3;
    conv_fails(
        hg_conv2d(zeros(HG_SHAPE(1, 4, 8, 8)), zeros(HG_SHAPE(4, 2, 3, 3)), NULL, &o), HG_E_SHAPE,
        "Given groups=3, expected weight to be divisible by 3 at dimension 0, but got weight of size [4, 2, 3, 3] "
        "instead");
    o.groups = 4;
    conv_fails(
        hg_conv2d(zeros(HG_SHAPE(1, 4, 8, 8)), zeros(HG_SHAPE(2, 1, 3, 3)), NULL, &o), HG_E_SHAPE,
        "Given groups=4, expected weight to be at least 4 at dimension 0, but got weight of size [2, 1, 3, 3] instead");
    hg_scope_end(s);
}
END_TEST

static void option_fails(hg_conv_options o, const char *part)
{
    conv_fails(hg_conv2d(zeros(HG_SHAPE(1, 4, 8, 8)), zeros(HG_SHAPE(4, 4, 3, 3)), NULL, &o), HG_E_ARG, part);
}

START_TEST(wrong_options_and_types_are_refused)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_options o = HG_CONV_DEFAULTS;
    option_fails((hg_conv_options){{0, 0}, {0}, {1, 1}, 1, false, 0}, "non-positive stride is not supported");
    option_fails((hg_conv_options){{1, -1}, {0}, {1, 1}, 1, false, 0}, "non-positive stride is not supported");
    option_fails((hg_conv_options){{1, 1}, {-1, 0}, {1, 1}, 1, false, 0}, "negative padding is not supported");
    option_fails((hg_conv_options){{1, 1}, {1, -2}, {1, 1}, 1, false, 0}, "negative padding is not supported");
    option_fails((hg_conv_options){{1, 1}, {0}, {0, 0}, 1, false, 0}, "dilation should be greater than zero");
    option_fails((hg_conv_options){{1, 1}, {0}, {1, 1}, 0, false, 0}, "non-positive groups is not supported");
    option_fails((hg_conv_options){{2, 1}, {0}, {1, 1}, 1, true, 0},
                 "padding='same' is not supported for strided convolutions");
    option_fails((hg_conv_options){{1, 1}, {INT64_MAX / 2}, {1, 1}, 1, false, 0}, "go up to");
    option_fails((hg_conv_options){{1, 1}, {0}, {INT64_MAX / 2, 1}, 1, false, 0}, "go up to");
    hg_tensor *x = zeros(HG_SHAPE(1, 3, 8, 8)), *w = zeros(HG_SHAPE(4, 3, 3, 3));
    conv_fails(hg_conv2d(hg_cast(x, HG_I32), hg_cast(w, HG_I32), NULL, NULL), HG_E_DTYPE,
               "float32 or float64 is needed");
    conv_fails(hg_conv2d(x, hg_cast(w, HG_I32), NULL, NULL), HG_E_DTYPE,
               "Input type (float32) and weight type (int32) should be the same");
    conv_fails(hg_conv2d(x, w, hg_cast(zeros(HG_SHAPE(4)), HG_I64), NULL), HG_E_DTYPE, "bias type (int64)");
    conv_fails(hg_conv2d(x, NULL, NULL, &o), HG_E_ARG, "NULL");
    hg_tensor *bad = hg_reshape(x, HG_SHAPE(7));
    ck_assert(!hg_ok(hg_conv2d(x, w, bad, NULL)));
    ck_assert(!hg_ok(hg_conv2d(bad, w, NULL, NULL)));
    test_error(HG_E_SHAPE, "reshape:");
    conv_has_shape(hg_conv2d(x, w, NULL, NULL), HG_SHAPE(1, 4, 6, 6));
    hg_scope_end(s);
}
END_TEST

START_TEST(output_sizes_follow_the_formula)
{
    ck_assert_int_eq(hg_conv_output_size(28, 3, 1, 1, 1), 28);
    ck_assert_int_eq(hg_conv_output_size(14, 3, 1, 0, 1), 12);
    ck_assert_int_eq(hg_conv_output_size(8, 3, 2, 0, 1), 3);
    ck_assert_int_eq(hg_conv_output_size(224, 7, 2, 3, 1), 112);
    ck_assert_int_eq(hg_conv_output_size(9, 3, 1, 0, 4), 1);
    ck_assert_int_eq(hg_conv_output_size(8, 3, 1, 0, 4), -1);
    test_error(HG_E_SHAPE, "padded input size per channel: (8). Kernel size: (3)");
    ck_assert_int_eq(hg_conv_output_size(8, 3, 0, 0, 1), -1);
    test_error(HG_E_ARG, "stride 0");
    ck_assert_int_eq(hg_conv_output_size(8, INT64_MAX, 1, 0, INT64_MAX), -1);
    test_error(HG_E_ARG, "conv_output_size");
}
END_TEST

Suite *conv_suite(void)
{
    return TEST_SUITE("conv", values_and_gradients_are_those_of_pytorch, other_padding_than_zeros_is_that_of_pytorch,
                      it_is_a_cross_correlation_over_all_channels,
                      options_of_a_later_place_follow_the_first_where_they_are_0,
                      an_empty_batch_has_a_result_and_gradients, any_layout_of_the_operands_and_of_the_gradient_will_do,
                      winograd_is_within_its_error_in_all_directions, a_packed_weight_is_kept_while_the_weight_stands,
                      gradients_agree_with_differences, only_wanted_gradients_are_computed_and_only_their_operands_kept,
                      wrong_shapes_are_refused_in_the_words_of_pytorch, wrong_options_and_types_are_refused,
                      output_sizes_follow_the_formula);
}
