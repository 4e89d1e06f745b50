/* conv_transpose1d, 2d and 3d: PyTorch's values, gradients and words, and random shapes against the definition. */
#include <stdlib.h>
#include <string.h>

#include "conv_golden.h"
#include "conv_reference.h"

static hg_tensor *in_1d(hg_tensor *x, hg_tensor *w, hg_tensor *b, const void *o)
{
    return hg_conv_transpose1d(x, w, b, o);
}

static hg_tensor *in_2d(hg_tensor *x, hg_tensor *w, hg_tensor *b, const void *o)
{
    return hg_conv_transpose2d(x, w, b, o);
}

static hg_tensor *in_3d(hg_tensor *x, hg_tensor *w, hg_tensor *b, const void *o)
{
    return hg_conv_transpose3d(x, w, b, o);
}

START_TEST(values_and_gradients_are_those_of_pytorch)
{
    conv_golden("transposed", in_2d, HG_SHAPE(2, 3, 4, 5), HG_SHAPE(3, 2, 3, 2), 2, NULL, HG_SHAPE(2, 2, 6, 6));
    hg_conv_transpose_options o = {{2, 3}, {1, 2}, {1, 2}, {1, 1}, 2};
    conv_golden("transposed_strided", in_2d, HG_SHAPE(2, 4, 4, 3), HG_SHAPE(4, 3, 3, 4), 6, &o, HG_SHAPE(2, 6, 8, 8));
    o = (hg_conv_transpose_options){{3}, {1}, {1}, {1}, 1};
    conv_golden("transposed_1d", in_1d, HG_SHAPE(3, 4, 6), HG_SHAPE(4, 2, 3), 2, &o, HG_SHAPE(3, 2, 17));
    o = (hg_conv_transpose_options){{2, 1, 2}, {0}, {1, HG_NO_PADDING, 1}, {1, 2, 1}, 1};
    conv_golden("transposed_3d", in_3d, HG_SHAPE(2, 3, 2, 3, 4), HG_SHAPE(3, 2, 2, 3, 1), 2, &o,
                HG_SHAPE(2, 2, 5, 7, 8));
    o = HG_CONV_TRANSPOSE_DEFAULTS;
    o.stride[0] = 4;
    o.stride[1] = 0;
    conv_golden("transposed_unbatched", in_2d, HG_SHAPE(2, 3, 3), HG_SHAPE(2, 2, 2, 2), 2, &o, HG_SHAPE(2, 10, 10));
}
END_TEST

/* Output padding past what the products reach: the bias alone, and no gradient but the bias's. */
START_TEST(output_padding_up_to_the_dilation_is_that_of_pytorch)
{
    hg_conv_transpose_options o = {{1, 2}, {0, 1}, {2, 3}, {3, 4}, 1};
    conv_golden("transposed_tail", in_2d, HG_SHAPE(1, 2, 3, 4), HG_SHAPE(2, 3, 2, 3), 3, &o, HG_SHAPE(1, 3, 8, 16));
}
END_TEST

/* Whole numbers, so that every solver is exact. */
START_TEST(random_shapes_and_layouts_follow_the_definition)
{
    for (int round = 0; round < 12; round++) {
        hg_conv_transpose_options o = HG_CONV_TRANSPOSE_DEFAULTS;
        hg_conv_problem p = {
            .rank = 2, .dtype = HG_F32, .direction = HG_CONV_BACKWARD_DATA, .groups = test_between(1, 2)};
        p.batch = test_between(1, 3);
        p.outputs = p.groups * test_between(1, 4);
        p.channels = p.groups * test_between(1, 4);
        int64_t in[2];
        for (int d = 0; d < 2; d++) {
            in[d] = test_between(2, 9);
            p.kernel[d] = test_between(1, 4);
            p.stride[d] = o.stride[d] = test_between(1, 4);
            p.dilation[d] = o.dilation[d] = test_between(1, 2);
            p.begin[d] = test_between(0, (p.dilation[d] * (p.kernel[d] - 1)) / 2);
            o.padding[d] = p.begin[d] || !d ? p.begin[d] : HG_NO_PADDING;
            int64_t more = test_between(0, p.stride[d] - 1);
            o.output_padding[d] = more || !d ? more : HG_NO_PADDING;
            p.end[d] = p.begin[d];
            p.size[d] = (in[d] - 1) * p.stride[d] - 2 * p.begin[d] + p.dilation[d] * (p.kernel[d] - 1) + more + 1;
        }
        o.groups = p.groups;
        ck_assert_hg(hg_conv_check(&p));
        hg_shape xs = HG_SHAPE(p.batch, p.outputs, in[0], in[1]),
                 ws = HG_SHAPE(p.outputs, p.channels / p.groups, p.kernel[0], p.kernel[1]),
                 ys = HG_SHAPE(p.batch, p.channels, p.size[0], p.size[1]);
        double *x = test_integers(test_numel(xs), 4), *w = test_integers(test_numel(ws), 4),
               *y = test_integers(test_numel(ys), 0);
        test_conv_reference(&p, y, w, x);
        hg_scope *s = hg_scope_begin(test_device());
        int layout = round % TEST_LAYOUTS;
        test_equal(
            hg_conv_transpose2d(test_layout(layout, HG_F32, xs, x), test_layout(layout, HG_F32, ws, w), NULL, &o), ys,
            y);
        hg_scope_end(s);
        free(x);
        free(w);
        free(y);
    }
}
END_TEST

static hg_tensor *with_options(hg_tensor **in, int n, void *user)
{
    return hg_conv_transpose2d(in[0], in[1], n > 2 ? in[2] : NULL, user);
}

static hg_tensor *in_depth(hg_tensor **in, int n, void *user)
{
    (void)n;
    return hg_conv_transpose3d(in[0], in[1], in[2], user);
}

START_TEST(gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_transpose_options o = {{2, 1}, {1, 1}, {1, HG_NO_PADDING}, {1, 2}, 1};
    hg_tensor *in[] = {conv_random_f64(HG_SHAPE(2, 2, 3, 3)), conv_random_f64(HG_SHAPE(2, 3, 3, 2)),
                       conv_random_f64(HG_SHAPE(3))};
    test_gradient(with_options, in, 3, &o);
    o = (hg_conv_transpose_options){{1, 1}, {0}, {2, 1}, {3, 2}, 2};
    test_gradient(with_options, in, 2, &o);
    hg_tensor *deep[] = {conv_random_f64(HG_SHAPE(2, 2, 3, 2)), conv_random_f64(HG_SHAPE(2, 2, 2, 1, 2)),
                         conv_random_f64(HG_SHAPE(2))};
    o = (hg_conv_transpose_options){{2}, {0}, {0}, {1}, 1};
    test_gradient(in_depth, deep, 3, &o);
    hg_scope_end(s);
}
END_TEST

static hg_tensor *zeros(hg_shape shape)
{
    return hg_zeros(test_device(), HG_F32, shape);
}

START_TEST(an_empty_batch_has_a_result_and_gradients)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = conv_leaf(HG_SHAPE(0, 3, 4, 4), 1), *w = conv_leaf(HG_SHAPE(3, 2, 3, 3), 1),
              *b = conv_leaf(HG_SHAPE(2), 1), *y = hg_conv_transpose2d(x, w, b, NULL);
    conv_has_shape(y, HG_SHAPE(0, 2, 6, 6));
    ck_assert_hg(hg_backward_with(y, zeros(HG_SHAPE(0, 2, 6, 6)), false));
    double none[54] = {0};
    conv_has_shape(hg_grad(x), HG_SHAPE(0, 3, 4, 4));
    test_equal(hg_grad(w), HG_SHAPE(3, 2, 3, 3), none);
    test_equal(hg_grad(b), HG_SHAPE(2), none);
    hg_scope_end(s);
}
END_TEST

/* It is the gradient of a convolution to its input. */
START_TEST(it_undoes_the_shape_of_the_convolution_of_the_same_options)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_options forward = HG_CONV_DEFAULTS;
    hg_conv_transpose_options back = HG_CONV_TRANSPOSE_DEFAULTS;
    forward.stride[0] = forward.stride[1] = back.stride[0] = back.stride[1] = 2;
    forward.padding[0] = back.padding[0] = back.output_padding[0] = 1;
    hg_tensor *x = conv_leaf(HG_SHAPE(2, 3, 8, 8), 7), *w = conv_leaf(HG_SHAPE(4, 3, 3, 3), 3),
              *y = hg_conv2d(x, w, NULL, &forward), *dy = conv_leaf(HG_SHAPE(2, 4, 4, 4), 4);
    ck_assert_hg(hg_backward_with(y, dy, false));
    double *dx = test_read(hg_grad(x));
    test_equal(hg_conv_transpose2d(dy, w, NULL, &back), HG_SHAPE(2, 3, 8, 8), dx);
    free(dx);
    hg_scope_end(s);
}
END_TEST

START_TEST(wrong_shapes_are_refused_in_the_words_of_pytorch)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_conv_transpose_options o = HG_CONV_TRANSPOSE_DEFAULTS;
    hg_tensor *x = zeros(HG_SHAPE(1, 2, 4, 4)), *w = zeros(HG_SHAPE(2, 3, 3, 3));
    conv_fails(
        hg_conv_transpose2d(zeros(HG_SHAPE(1, 3, 4, 4)), w, NULL, NULL), HG_E_SHAPE,
        "conv_transpose2d: Given transposed=1, weight of size [2, 3, 3, 3], expected input[1, 3, 4, 4] to have 2 "
        "channels, but got 3 channels instead");
    conv_fails(
        hg_conv_transpose2d(x, w, zeros(HG_SHAPE(4)), NULL), HG_E_SHAPE,
        "Given transposed=1, weight of size [2, 3, 3, 3], expected bias to be 1-dimensional with 3 elements, but "
        "got bias of size [4] instead");
    conv_fails(hg_conv_transpose2d(zeros(HG_SHAPE(4, 4)), w, NULL, NULL), HG_E_SHAPE,
               "Expected 3D (unbatched) or 4D (batched) input to conv_transpose2d, but got input of size: [4, 4]");
    conv_fails(hg_conv_transpose2d(x, zeros(HG_SHAPE(2, 3, 3)), NULL, NULL), HG_E_SHAPE, "Expected 4D weight");
    conv_fails(hg_conv_transpose2d(zeros(HG_SHAPE(1, 2, 0, 4)), w, NULL, NULL), HG_E_SHAPE,
               "Only zero batch or zero channel inputs are supported, but got input shape: [1, 2, 0, 4]");
    conv_fails(hg_conv_transpose2d(x, zeros(HG_SHAPE(2, 3, 0, 3)), NULL, NULL), HG_E_SHAPE,
               "kernel size should be greater");
    o.padding[0] = 4;
    conv_fails(
        hg_conv_transpose2d(x, w, NULL, &o), HG_E_SHAPE,
        "Given input size per channel: (4 x 4). Calculated output size per channel: (-2 x -2). Output size is too "
        "small");
    o = HG_CONV_TRANSPOSE_DEFAULTS;
    o.groups = 4;
    conv_fails(hg_conv_transpose2d(x, w, NULL, &o), HG_E_SHAPE, "expected weight to be at least 4 at dimension 0");
    o.groups = 2;
    conv_fails(hg_conv_transpose2d(zeros(HG_SHAPE(1, 3, 4, 4)), zeros(HG_SHAPE(3, 3, 3, 3)), NULL, &o), HG_E_SHAPE,
               "expected weight to be divisible by 2 at dimension 0");
    conv_has_shape(hg_conv_transpose2d(x, w, NULL, &o), HG_SHAPE(1, 6, 6, 6));
    hg_scope_end(s);
}
END_TEST

static void option_fails(hg_conv_transpose_options o, const char *part)
{
    conv_fails(hg_conv_transpose2d(zeros(HG_SHAPE(1, 2, 4, 4)), zeros(HG_SHAPE(2, 3, 3, 3)), NULL, &o), HG_E_ARG, part);
}

START_TEST(wrong_options_and_types_are_refused)
{
    hg_scope *s = hg_scope_begin(test_device());
    option_fails((hg_conv_transpose_options){{0}, {0}, {0}, {1}, 1}, "non-positive stride is not supported");
    option_fails((hg_conv_transpose_options){{1}, {-1}, {0}, {1}, 1}, "negative padding is not supported");
    option_fails((hg_conv_transpose_options){{1}, {0}, {-1}, {1}, 1}, "negative output_padding is not supported");
    option_fails((hg_conv_transpose_options){{1}, {0}, {0}, {0}, 1}, "dilation should be greater than zero");
    option_fails((hg_conv_transpose_options){{1}, {0}, {0}, {1}, 0}, "non-positive groups is not supported");
    option_fails((hg_conv_transpose_options){{2}, {0}, {2}, {1}, 1},
                 "output padding must be smaller than either stride or dilation, but got output_padding 2, stride 2, "
                 "dilation 1");
    option_fails((hg_conv_transpose_options){{INT64_MAX / 2}, {0}, {0}, {1}, 1}, "go up to");
    hg_tensor *x = zeros(HG_SHAPE(1, 2, 4, 4)), *w = zeros(HG_SHAPE(2, 3, 3, 3));
    conv_fails(hg_conv_transpose2d(x, hg_cast(w, HG_I32), NULL, NULL), HG_E_DTYPE, "weight type (int32)");
    conv_fails(hg_conv_transpose2d(NULL, w, NULL, NULL), HG_E_ARG, "NULL");
    conv_has_shape(hg_conv_transpose2d(x, w, NULL, NULL), HG_SHAPE(1, 3, 6, 6));
    hg_scope_end(s);
}
END_TEST

Suite *conv_transpose_suite(void)
{
    return TEST_SUITE("conv_transpose", values_and_gradients_are_those_of_pytorch,
                      output_padding_up_to_the_dilation_is_that_of_pytorch,
                      random_shapes_and_layouts_follow_the_definition, gradients_agree_with_differences,
                      an_empty_batch_has_a_result_and_gradients,
                      it_undoes_the_shape_of_the_convolution_of_the_same_options,
                      wrong_shapes_are_refused_in_the_words_of_pytorch, wrong_options_and_types_are_refused);
}
