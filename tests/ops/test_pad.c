/* Padding: exact values and gradients of every mode, in every layout and dtype, against index arithmetic; errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

/* Which element of 0..n-1 result j (counted from the first element) shows; -1 for none. */
static int64_t shown(hg_pad_mode mode, int64_t j, int64_t n)
{
    if (j >= 0 && j < n) return j;
    switch (mode) {
    case HG_PAD_REFLECT: return j < 0 ? -j : 2 * n - 2 - j;
    case HG_PAD_REPLICATE: return j < 0 ? 0 : n - 1;
    case HG_PAD_CIRCULAR: return (j + n) % n;
    default: return -1;
    }
}

static void check(hg_dtype dtype, hg_shape shape, hg_pads pads, hg_pad_mode mode, int layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_shape out = shape;
    int64_t low[HG_MAX_DIMS] = {0};
    for (int k = 0; k < pads.count / 2; k++) {
        int d = shape.ndim - 1 - k;
        low[d] = pads.pad[2 * k];
        out.size[d] += pads.pad[2 * k] + pads.pad[2 * k + 1];
    }
    int64_t n = test_numel(shape), m = test_numel(out);
    double *x = test_integers(n, 50), *dy = test_integers(m, 50), *y = test_values(m), *dx = calloc((size_t)n + 1, 8);
    for (int64_t i = 0; i < n; i++)
        if (dtype == HG_U8 || dtype == HG_BOOL) x[i] = dtype == HG_U8 ? fabs(x[i]) : x[i] > 0;
    for (int64_t i = 0; i < m; i++) {
        int64_t left = i, from = 0, step = 1;
        for (int d = shape.ndim - 1; d >= 0; d--) {
            int64_t at = shown(mode, left % out.size[d] - low[d], shape.size[d]);
            left /= out.size[d];
            from = at < 0 || from < 0 ? -1 : from + at * step;
            step *= shape.size[d];
        }
        y[i] = from < 0 ? 1 : x[from];
        if (from >= 0) dx[from] += dy[i];
    }
    hg_tensor *t = test_layout(layout, dtype, shape, x);
    if (dtype == HG_F32) ck_assert_hg(hg_set_requires_grad(t, true));
    hg_tensor *got = hg_pad(t, pads, mode, 1);
    test_equal(got, out, y);
    ck_assert(hg_is_contiguous(got));
    if (dtype == HG_F32) {
        ck_assert_hg(hg_backward_with(got, test_layout(3 - layout, HG_F32, out, dy), false));
        test_equal(hg_grad(t), shape, dx);
    }
    free(x), free(dy), free(y), free(dx);
    hg_scope_end(s);
}

START_TEST(every_mode_pads_one_to_three_dims)
{
    for (int mode = HG_PAD_CONSTANT; mode <= HG_PAD_CIRCULAR; mode++)
        for (int k = 0; k < 12; k++) {
            int count = 1 + k % 3;
            hg_shape shape = {.ndim = count + 1 + k / 6};
            hg_pads pads = {.count = 2 * count};
            for (int d = 0; d < shape.ndim; d++) shape.size[d] = test_between(1, 6);
            for (int i = 0; i < pads.count; i++) {
                int64_t size = shape.size[shape.ndim - 1 - i / 2];
                pads.pad[i] = test_between(0, mode == HG_PAD_REFLECT ? size - 1 : mode == HG_PAD_CIRCULAR ? size : 5);
            }
            check(HG_F32, shape, pads, (hg_pad_mode)mode, k % TEST_LAYOUTS);
        }
}
END_TEST

START_TEST(padding_takes_every_dtype)
{
    static const hg_dtype dtypes[] = {HG_I32, HG_I64, HG_U8, HG_BOOL};
    for (int k = 0; k < 8; k++)
        check(dtypes[k / 2], HG_SHAPE(2, 3, 4), HG_PADS(1, 2, 2, 0), k % 2 ? HG_PAD_REFLECT : HG_PAD_CONSTANT,
              k % TEST_LAYOUTS);
}
END_TEST

START_TEST(a_constant_goes_round_any_dims_and_negative_pads_cut_off)
{
    check(HG_F32, HG_SHAPE(2, 3), HG_PADS(1, 0, 2, 1), HG_PAD_CONSTANT, 0);
    check(HG_F32, HG_SHAPE(5), HG_PADS(-1, -2), HG_PAD_CONSTANT, 1);
    check(HG_F32, HG_SHAPE(4, 5), HG_PADS(-2, 3, 2, -1), HG_PAD_CONSTANT, 2);
    check(HG_F32, HG_SHAPE(1, 2), HG_PADS(-1, -1), HG_PAD_CONSTANT, 0);
    check(HG_F32, HG_SHAPE(0, 2), HG_PADS(1, 1, 1, 1), HG_PAD_CONSTANT, 0);
    check(HG_F32, HG_SHAPE(2, 2), HG_PADS(0, 0), HG_PAD_CONSTANT, 3);
    check(HG_F32, HG_SHAPE(2, 2), HG_PADS(0, 0), HG_PAD_REPLICATE, 3);
    check(HG_F32, HG_SHAPE(0, 2, 3), HG_PADS(1, 1), HG_PAD_REFLECT, 0);
    hg_scope *s = hg_scope_begin(test_device());
    test_equal(hg_pad(hg_zeros(test_device(), HG_F32, HG_SHAPE(1)), HG_PADS(1, 0), HG_PAD_CONSTANT, -INFINITY),
               HG_SHAPE(2), ((double[]){-INFINITY, 0}));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *padded(hg_tensor **in, int n, void *user)
{
    (void)n;
    return hg_pad(in[0], HG_PADS(2, 1, 1, 2), *(hg_pad_mode *)user, 3);
}

START_TEST(padding_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(24);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(1, 2, 3, 4), v);
    for (hg_pad_mode mode = HG_PAD_CONSTANT; mode <= HG_PAD_CIRCULAR; mode++) test_gradient(padded, &x, 1, &mode);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(padding_says_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(1, 2, 3)), *flat = hg_zeros(dev, HG_F32, HG_SHAPE(3));
    const struct { hg_tensor *x; hg_pads pads; hg_pad_mode mode; hg_status code; const char *text;
    } bad[] = {
        {x, HG_PADS(1, 1, 1), HG_PAD_CONSTANT, HG_E_ARG, "pad: Padding length must be divisible by 2"},
        {flat, HG_PADS(1, 1, 1, 1), HG_PAD_CONSTANT, HG_E_ARG, "pad: Padding length too large: 4 for 1 dims"},
        {flat, HG_PADS(-2, -2), HG_PAD_CONSTANT, HG_E_ARG, "pad: padding (-2, -2) does not fit size 3 of dimension 0"},
        {flat, HG_PADS(INT64_MAX, 0), HG_PAD_CONSTANT, HG_E_ARG, "does not fit size 3"},
        {flat, HG_PADS(1, 1), HG_PAD_REFLECT, HG_E_SHAPE,
         "pad: mode reflect pads the last 1, 2 or 3 dims of a tensor with one "
         "or two dims more, got 1 of a tensor of shape [3]"},
        {x, HG_PADS(3, 1), HG_PAD_REFLECT, HG_E_ARG,
         "pad: Padding size should be less than the corresponding input dimension, "
         "but got: padding (3, 1) at dimension 2 of input [1, 2, 3]"},
        {x, HG_PADS(1, 4), HG_PAD_CIRCULAR, HG_E_ARG, "pad: Padding value causes wrapping around more than once"},
        {x, HG_PADS(-1, 1), HG_PAD_REPLICATE, HG_E_ARG, "pad: mode replicate takes no negative padding, got (-1, 1)"},
        {hg_zeros(dev, HG_F32, HG_SHAPE(1, 1, 0)), HG_PADS(1, 1), HG_PAD_REPLICATE, HG_E_SHAPE,
         "needs an element to take"},
        {x, HG_PADS(1, 1), (hg_pad_mode)9, HG_E_ARG, "pad: there is no mode 9"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        ck_assert(!hg_ok(hg_pad(bad[k].x, bad[k].pads, bad[k].mode, 0)));
        test_error(bad[k].code, bad[k].text);
    }
    ck_assert(!hg_ok(hg_pad(hg_zeros(dev, HG_I32, HG_SHAPE(2)), HG_PADS(1, 1), HG_PAD_CONSTANT, 0.5)));
    test_error(HG_E_ARG, "pad: 0.5 is not an integer of int32");
    hg_scope_end(s);
}
END_TEST

Suite *pad_suite(void)
{
    return TEST_SUITE("pad", every_mode_pads_one_to_three_dims, padding_takes_every_dtype,
                      a_constant_goes_round_any_dims_and_negative_pads_cut_off,
                      padding_gradients_agree_with_differences, padding_says_what_is_wrong);
}
