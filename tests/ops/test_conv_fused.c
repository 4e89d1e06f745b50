/* conv2d_fused: convolution, residual and ReLU at once, against PyTorch's values and the three operations one by one.
 */
#include <math.h>
#include <stdlib.h>

#include "conv_golden.h"

static const hg_conv_options padded = {{1, 1}, {1, 0}, {1, 1}, 1, false, HG_PAD_CONSTANT};

START_TEST(values_and_the_four_gradients_are_those_of_pytorch)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_shape out = HG_SHAPE(2, 4, 5, 6);
    hg_tensor *in[] = {conv_leaf(HG_SHAPE(2, 3, 5, 6), 7), conv_leaf(HG_SHAPE(4, 3, 3, 3), 3),
                       conv_leaf(HG_SHAPE(4), 5), NULL};
    double *r = conv_numbers(240, 2), *dy = conv_numbers(240, 4), *all = test_golden_values("conv/fused", NULL),
           *at = all + 240;
    for (int i = 0; i < 240; i++) r[i] *= 8;
    in[3] = test_tensor(HG_F32, out, r);
    ck_assert_hg(hg_set_requires_grad(in[3], true));
    hg_tensor *y = hg_conv2d_fused(in[0], in[1], in[2], in[3], true, &padded);
    test_equal(y, out, all);
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, out, dy), false));
    for (int i = 0; i < 4; i++) {
        test_equal(hg_grad(in[i]), hg_tensor_shape(in[i]), at);
        at += hg_numel(in[i]);
    }
    free(r);
    free(dy);
    free(all);
    hg_scope_end(s);
}
END_TEST

/* Whole numbers: equal to the bit, each part alone too, by every solver that there is, in any layout. */
START_TEST(it_equals_the_operations_one_by_one)
{
    static const char *const solvers[] = {"", "direct", "im2col-gemm", "implicit-gemm,direct"};
    double *x = test_integers(2 * 3 * 9 * 10, 4), *w = test_integers(108, 4), *b = test_integers(4, 4),
           *r = test_integers(720, 90);
    for (int round = 0; round < 16; round++) {
        hg_scope *s = hg_scope_begin(test_device());
        int layout = round % TEST_LAYOUTS;
        bool relu = test_between(0, 1), bias = test_between(0, 1);
        hg_tensor *in = test_layout(layout, HG_F32, HG_SHAPE(2, 3, 9, 10), x),
                  *weight = test_layout(layout, HG_F32, HG_SHAPE(4, 3, 3, 3), w),
                  *shift = bias ? test_layout(layout, HG_F32, HG_SHAPE(4), b) : NULL,
                  *more = test_between(0, 2) ? test_layout(layout, HG_F32, HG_SHAPE(2, 4, 9, 10), r) : NULL;
        hg_tensor *expected = hg_conv2d(in, weight, shift, &padded);
        if (more) expected = hg_add(expected, more);
        if (relu) expected = hg_relu(expected);
        double *values = test_read(expected);
        if (*solvers[round / 4]) ck_assert_int_eq(setenv("HAPGOP_CONV", solvers[round / 4], 1), 0);
        test_equal(hg_conv2d_fused(in, weight, shift, more, relu, &padded), HG_SHAPE(2, 4, 9, 10), values);
        unsetenv("HAPGOP_CONV");
        free(values);
        hg_scope_end(s);
    }
    free(x);
    free(w);
    free(b);
    free(r);
}
END_TEST

static hg_tensor *fused(hg_tensor **in, int n, void *user)
{
    return hg_conv2d_fused(in[0], in[1], in[2], n > 3 ? in[3] : NULL, user != NULL, &padded);
}

START_TEST(gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *in[] = {conv_random_f64(HG_SHAPE(1, 2, 4, 3)), conv_random_f64(HG_SHAPE(2, 2, 3, 3)),
                       conv_random_f64(HG_SHAPE(2)), conv_random_f64(HG_SHAPE(1, 2, 4, 3))};
    test_gradient(fused, in, 4, NULL);
    test_gradient(fused, in, 4, in);
    test_gradient(fused, in, 3, in);
    hg_scope_end(s);
}
END_TEST

START_TEST(nan_stays_and_an_empty_batch_is_empty)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *w = hg_full(test_device(), HG_F32, HG_SHAPE(2, 1, 1, 1), 1);
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(1, 1, 1, 3), (double[]){NAN, -1, 2});
    test_equal(hg_conv2d_fused(x, w, NULL, NULL, true, NULL), HG_SHAPE(1, 2, 1, 3), ((double[]){NAN, 0, 2, NAN, 0, 2}));
    hg_tensor *none = hg_zeros(test_device(), HG_F32, HG_SHAPE(0, 1, 4, 4));
    conv_has_shape(hg_conv2d_fused(none, w, NULL, hg_zeros(test_device(), HG_F32, HG_SHAPE(0, 2, 4, 4)), true, NULL),
                   HG_SHAPE(0, 2, 4, 4));
    hg_scope_end(s);
}
END_TEST

START_TEST(a_residual_that_does_not_fit_is_refused)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = conv_leaf(HG_SHAPE(1, 2, 5, 5), 7), *w = conv_leaf(HG_SHAPE(3, 2, 3, 3), 3);
    conv_fails(
        hg_conv2d_fused(x, w, NULL, conv_leaf(HG_SHAPE(1, 3, 5, 5), 1), true, NULL), HG_E_SHAPE,
        "conv2d_fused: the residual is [1, 3, 5, 5], the output it is added to [1, 3, 3, 3]; they must be the same");
    conv_fails(hg_conv2d_fused(x, w, NULL, conv_leaf(HG_SHAPE(3, 3, 3), 1), true, NULL), HG_E_SHAPE, "[3, 3, 3]");
    conv_fails(hg_conv2d_fused(x, w, NULL, hg_cast(conv_leaf(HG_SHAPE(1, 3, 3, 3), 1), HG_I32), true, NULL), HG_E_DTYPE,
               "residual type (int32)");
    conv_fails(hg_conv2d_fused(NULL, w, NULL, NULL, true, NULL), HG_E_ARG, "conv2d_fused");
    hg_scope_end(s);
}
END_TEST

Suite *conv_fused_suite(void)
{
    return TEST_SUITE("conv_fused", values_and_the_four_gradients_are_those_of_pytorch,
                      it_equals_the_operations_one_by_one, gradients_agree_with_differences,
                      nan_stays_and_an_empty_batch_is_empty, a_residual_that_does_not_fit_is_refused);
}
