/* Resampling: PyTorch's values and gradients, exact doubling, random sizes against the definition, errors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"

/* As tests/oracle/interpolate.py has them: for nearest, bilinear, bilinear with aligned corners. */
static const struct { int64_t size[2]; double scale[2]; } cases[] = {
    {{8, 10}, {0, 0}}, {{3, 4}, {0, 0}}, {{0, 0}, {2.5, 1.7}}, {{0, 0}, {0.6, 0}}, {{3, 1}, {0, 0}}};
enum { CASES = sizeof cases / sizeof *cases };

static double *golden(int number, const char *what, hg_shape *shape)
{
    char name[64];
    snprintf(name, sizeof name, "interpolate/%d_%s", number, what);
    return test_golden_values(name, shape);
}

START_TEST(resampling_is_pytorchs)
{
    for (int k = 0; k < 3 * CASES; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_shape in, out;
        double *x = golden(k, "x", &in), *y = golden(k, "y", &out), *dy = golden(k, "dy", NULL),
               *dx = golden(k, "dx", NULL);
        hg_interpolate_options o = {.mode = k / CASES ? HG_INTERPOLATE_BILINEAR : HG_INTERPOLATE_NEAREST,
                                    .align_corners = k / CASES == 2};
        for (int i = 0; i < 2; i++) {
            o.size[i] = cases[k % CASES].size[i];
            o.scale[i] = cases[k % CASES].scale[i];
        }
        hg_tensor *t = test_layout(k % TEST_LAYOUTS, HG_F32, in, x);
        ck_assert_hg(hg_set_requires_grad(t, true));
        hg_tensor *got = hg_interpolate(t, &o);
        test_close(got, out, y, 1e-6, 1e-6);
        ck_assert_hg(hg_backward_with(got, test_layout(3 - k % TEST_LAYOUTS, HG_F32, out, dy), false));
        test_close(hg_grad(t), in, dx, 2e-6, 2e-6);
        free(x), free(y), free(dy), free(dx);
        hg_scope_end(s);
    }
}
END_TEST

/* The weight of element i in result o: hat functions about the position, or the element under it. */
static double weight(int64_t size, int64_t out, bool bilinear, bool align, int64_t o, int64_t i)
{
    if (!bilinear) return (o * size) / out == i;
    double p = align ? (out > 1 ? (double)(o * (size - 1)) / (double)(out - 1) : 0)
                     : fmax(((double)o + 0.5) * (double)size / (double)out - 0.5, 0);
    return fmax(0, 1 - fabs(fmin(p, (double)(size - 1)) - (double)i));
}

/* y = V x U', dx = V' dy U */
static void check(int64_t h, int64_t w, int64_t oh, int64_t ow, bool bilinear, bool align)
{
    hg_scope *s = hg_scope_begin(test_device());
    double *x = test_values(h * w), *dy = test_values(oh * ow), *y = calloc((size_t)(oh * ow), 8),
           *dx = calloc((size_t)(h * w), 8);
    for (int64_t a = 0; a < oh; a++)
        for (int64_t b = 0; b < ow; b++)
            for (int64_t i = 0; i < h; i++)
                for (int64_t k = 0; k < w; k++) {
                    double share = weight(h, oh, bilinear, align, a, i) * weight(w, ow, bilinear, align, b, k);
                    y[a * ow + b] += share * x[i * w + k];
                    dx[i * w + k] += share * dy[a * ow + b];
                }
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(1, 1, h, w), x);
    ck_assert_hg(hg_set_requires_grad(t, true));
    hg_interpolate_options o = {{oh, ow}, {0, 0}, bilinear ? HG_INTERPOLATE_BILINEAR : HG_INTERPOLATE_NEAREST, align};
    hg_tensor *got = hg_interpolate(t, &o);
    test_close(got, HG_SHAPE(1, 1, oh, ow), y, 2e-5, 2e-5);
    ck_assert_hg(hg_backward_with(got, test_tensor(HG_F32, HG_SHAPE(1, 1, oh, ow), dy), false));
    test_close(hg_grad(t), HG_SHAPE(1, 1, h, w), dx, 1e-4, 2e-5);
    free(x), free(dy), free(y), free(dx);
    hg_scope_end(s);
}

START_TEST(resampling_agrees_with_its_definition)
{
    /* For nearest, sizes whose quotient is exact: elsewhere rounding decides which neighbour is taken. */
    static const int64_t exact[][4] = {{8, 4, 4, 8}, {3, 6, 12, 3}, {1, 16, 5, 2}, {4, 4, 4, 4}};
    for (int k = 0; k < 4; k++) check(exact[k][0], exact[k][1], exact[k][2], exact[k][3], false, false);
    for (int k = 0; k < 12; k++)
        check(test_between(1, 17), test_between(1, 17), test_between(1, 40), test_between(1, 40), true, k % 2);
    check(1, 300, 1, 7, true, false);
    check(2, 1, 1, 150, true, true);
}
END_TEST

START_TEST(doubling_is_exact)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(1, 1, 1, 3), (double[]){4, 8, 0});
    hg_interpolate_options o = HG_INTERPOLATE_DEFAULTS;
    o.scale[0] = 2;
    test_equal(hg_interpolate(x, &o), HG_SHAPE(1, 1, 2, 6), ((double[]){4, 4, 8, 8, 0, 0, 4, 4, 8, 8, 0, 0}));
    o.mode = HG_INTERPOLATE_BILINEAR;
    test_equal(hg_interpolate(x, &o), HG_SHAPE(1, 1, 2, 6), ((double[]){4, 5, 7, 6, 2, 0, 4, 5, 7, 6, 2, 0}));
    hg_tensor *none = hg_zeros(test_device(), HG_F32, HG_SHAPE(0, 2, 3, 3));
    test_equal(hg_interpolate(none, &o), HG_SHAPE(0, 2, 6, 6), (NULL));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *resampled(hg_tensor **in, int n, void *user)
{
    (void)n;
    return hg_interpolate(in[0], user);
}

START_TEST(resampling_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(24);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(2, 1, 3, 4), v);
    hg_interpolate_options o[] = {{{7, 2}, {0, 0}, HG_INTERPOLATE_NEAREST, false},
                                  {{2, 9}, {0, 0}, HG_INTERPOLATE_BILINEAR, false},
                                  {{5, 3}, {0, 0}, HG_INTERPOLATE_BILINEAR, true},
                                  {{0, 0}, {1.3, 0.7}, HG_INTERPOLATE_BILINEAR, false}};
    for (int k = 0; k < 4; k++) test_gradient(resampled, &x, 1, &o[k]);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(resampling_says_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(1, 1, 4, 4));
    const struct { hg_interpolate_options o; hg_status code; const char *text;
    } bad[] = {
        {{{0, 0}, {0, 0}, HG_INTERPOLATE_NEAREST, false},
         HG_E_ARG,
         "interpolate: either size or scale should be defined"},
        {{{2, 2}, {2, 2}, HG_INTERPOLATE_NEAREST, false},
         HG_E_ARG,
         "interpolate: only one of size or scale should be defined"},
        {{{2, 2}, {0, 0}, HG_INTERPOLATE_NEAREST, true},
         HG_E_ARG,
         "align_corners can only be set with the bilinear mode"},
        {{{0, 1}, {0, 0}, HG_INTERPOLATE_NEAREST, false},
         HG_E_SHAPE,
         "Input and output sizes should be greater than 0, but got input (H: 4, W: 4) output (H: 0, W: 1)"},
        {{{-1, 1}, {0, 0}, HG_INTERPOLATE_NEAREST, false}, HG_E_SHAPE, "output (H: -1, W: 1)"},
        {{{0, 0}, {-1, 0}, HG_INTERPOLATE_NEAREST, false}, HG_E_ARG, "scale -1 does not fit size 4"},
        {{{0, 0}, {NAN, 0}, HG_INTERPOLATE_NEAREST, false}, HG_E_ARG, "does not fit size 4"},
        {{{0, 0}, {1e300, 0}, HG_INTERPOLATE_NEAREST, false}, HG_E_ARG, "does not fit size 4"},
        {{{2000000, 1}, {0, 0}, HG_INTERPOLATE_NEAREST, false},
         HG_E_UNSUPPORTED,
         "sides of at most 1048576, got 4 to 2000000"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        ck_assert(!hg_ok(hg_interpolate(x, &bad[k].o)));
        test_error(bad[k].code, bad[k].text);
    }
    hg_interpolate_options o = {{2, 2}, {0, 0}, HG_INTERPOLATE_BILINEAR, false};
    ck_assert(!hg_ok(hg_interpolate(hg_zeros(dev, HG_F32, HG_SHAPE(1, 4, 4)), &o)));
    test_error(HG_E_SHAPE, "interpolate: Got 3D input, but needs 4D input, N x C x H x W");
    ck_assert(!hg_ok(hg_interpolate(hg_zeros(dev, HG_I32, HG_SHAPE(1, 1, 4, 4)), &o)));
    test_error(HG_E_DTYPE, "interpolate: expected float32 or float64, got int32");
    hg_scope_end(s);
}
END_TEST

Suite *interpolate_suite(void)
{
    return TEST_SUITE("interpolate", resampling_is_pytorchs, resampling_agrees_with_its_definition, doubling_is_exact,
                      resampling_gradients_agree_with_differences, resampling_says_what_is_wrong);
}
