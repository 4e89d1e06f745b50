/* Dropout: PyTorch's masks from its stream, statistics and repeatability of the device's generator, gradients, and what
 * must not draw. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static const float quarter = 1.0f / 0.75f;      /* 1.3333334 */

START_TEST(masks_are_pytorchs_after_the_same_seed)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_arange(test_device(), HG_F32, 1, 97, 1);
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_TORCH));
    hg_tensor *maps = hg_view(x, HG_SHAPE(4, 6, 2, 2)), *rows = hg_view(x, HG_SHAPE(8, 12));
    hg_tensor *y[] = {
        hg_dropout(rows, .25, true), hg_dropout2d(maps, .25, true), hg_dropout2d(rows, .4, true),
        hg_dropout2d(hg_view(x, HG_SHAPE(4, 6, 4)), .5, true), hg_dropout(x, 1, true), hg_dropout(x, .3, true),
    };
    for (int i = 0; i < 6; i++) {
        char name[32];
        hg_shape shape;
        snprintf(name, sizeof name, "dropout/y_%d", i);
        double *expected = test_golden_values(name, &shape);
        test_equal(y[i], shape, expected);
        free(expected);
    }
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_PHILOX));
    hg_scope_end(s);
}
END_TEST

START_TEST(the_devices_generator_drops_the_right_share_and_repeats)
{
    hg_scope *s = hg_scope_begin(test_device());
    enum { N = 40000 };
    const hg_shape shape = HG_SHAPE(N);
    hg_tensor *x = hg_full(test_device(), HG_F32, shape, 1);
    ck_assert_hg(hg_manual_seed(test_device(), 7, HG_RNG_PHILOX));
    double *first = test_read(hg_dropout(x, .25, true)), *second = test_read(hg_dropout(x, .25, true));
    ck_assert_hg(hg_manual_seed(test_device(), 7, HG_RNG_PHILOX));
    test_equal(hg_dropout(x, .25, true), shape, first);
    int zeros = 0, differ = 0;
    for (int i = 0; i < N; i++) {
        ck_assert_msg(first[i] == 0 || first[i] == (double)quarter, "element %d is %.9g", i, first[i]);
        zeros += first[i] == 0;
        differ += first[i] != second[i];
    }
    double sigma = sqrt(N * .25 * .75);
    ck_assert_msg(fabs(zeros - N * .25) < 5 * sigma, "%d zeros", zeros);
    ck_assert_msg(fabs(differ - N * .375) < 5 * sigma, "%d differ between two calls", differ);
    free(first);
    free(second);
    hg_scope_end(s);
}
END_TEST

START_TEST(the_gradient_has_the_same_mask_in_any_layout)
{
    for (int layout = 0; layout < TEST_LAYOUTS; layout++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_shape shape = HG_SHAPE(6, 5, 3, 7);
        double *v = test_values(630);
        for (int i = 0; i < 630; i++) v[i] += 3;
        hg_tensor *x = test_layout(layout, HG_F32, shape, v), *dy = test_layout(3 - layout, HG_F32, shape, v);
        ck_assert_hg(hg_set_requires_grad(x, true));
        for (int maps = 0; maps < 2; maps++) {
            hg_tensor *y = maps ? hg_dropout2d(x, .25, true) : hg_dropout(x, .25, true);
            ck_assert_hg(hg_set_grad(x, NULL));
            ck_assert_hg(hg_backward_with(y, dy, false));
            double *kept = test_read(y);
            for (int i = 0; i < 630; i++) {
                if (maps) ck_assert(kept[i / 21 * 21] == 0 ? kept[i] == 0 : kept[i] != 0);
                ck_assert(kept[i] == 0 || kept[i] == (double)((float)v[i] * quarter));
            }
            test_equal(hg_grad(x), shape, kept);    /* x and dy have the same values */
            free(kept);
        }
        free(v);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(evaluation_and_probability_0_return_the_input_and_draw_nothing)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_full(test_device(), HG_F32, HG_SHAPE(3, 2), 2), *one = hg_full(test_device(), HG_F32, HG_SHAPE(3), 2);
    size_t size = hg_rng_get_state(test_device(), NULL);
    char *before = malloc(size), *after = malloc(size);
    ck_assert(before && after);
    hg_rng_get_state(test_device(), before);
    ck_assert_ptr_eq(hg_dropout(x, .5, false), x);
    ck_assert_ptr_eq(hg_dropout(x, 0, true), x);
    ck_assert_ptr_eq(hg_dropout2d(x, .5, false), x);
    ck_assert_ptr_eq(hg_dropout2d(one, .5, false), one);
    hg_tensor *none = hg_empty(test_device(), HG_F32, HG_SHAPE(0, 2));
    ck_assert_ptr_eq(hg_dropout(none, .5, true), none);
    test_equal(hg_dropout(test_tensor(HG_F32, HG_SHAPE(3), (double[]){1, NAN, -2}), 1, true), HG_SHAPE(3),
               ((double[]){0, NAN, 0}));
    hg_rng_get_state(test_device(), after);
    ck_assert_int_eq(memcmp(before, after, size), 0);
    ck_assert_hg_ok(hg_dropout(x, .5, true));
    hg_rng_get_state(test_device(), after);
    ck_assert_int_ne(memcmp(before, after, size), 0);
    free(before);
    free(after);
    hg_scope_end(s);
    hg_tensor *alone = hg_full(test_device(), HG_F32, HG_SHAPE(2), 1);     /* with no scope the result is the caller's */
    hg_tensor *again = hg_dropout(alone, .5, false);
    hg_release(alone);
    test_equal(again, HG_SHAPE(2), ((double[]){1, 1}));
    hg_release(again);
}
END_TEST

START_TEST(impossible_probabilities_and_shapes_are_named)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_full(test_device(), HG_F32, HG_SHAPE(3), 2);
    ck_assert(!hg_ok(hg_dropout(x, 1.5, true)));
    test_error(HG_E_ARG, "dropout probability has to be between 0 and 1, but got 1.5");
    ck_assert(!hg_ok(hg_dropout2d(x, NAN, false)));
    test_error(HG_E_ARG, "dropout probability has to be between 0 and 1");
    ck_assert(!hg_ok(hg_dropout2d(x, .5, true)));
    test_error(HG_E_SHAPE, "Feature dropout requires at least 2 dimensions in the input");
    ck_assert(!hg_ok(hg_dropout(hg_full(test_device(), HG_I64, HG_SHAPE(3), 2), .5, true)));
    test_error(HG_E_DTYPE, "dropout: expected float32 or float64, got int64");
    hg_scope_end(s);
}
END_TEST

static hg_tensor *half(hg_tensor **in, int n, void *user)
{
    (void)n;
    (void)user;
    if (hg_manual_seed(test_device(), 3, HG_RNG_PHILOX) != HG_OK) return NULL;
    return hg_mul(hg_dropout(in[0], .3, true), hg_dropout2d(in[0], .4, true));
}

START_TEST(dropout_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(24);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(2, 3, 2, 2), v);
    test_gradient(half, &x, 1, NULL);
    free(v);
    hg_scope_end(s);
}
END_TEST

Suite *dropout_suite(void)
{
    return TEST_SUITE("dropout", masks_are_pytorchs_after_the_same_seed,
                      the_devices_generator_drops_the_right_share_and_repeats,
                      the_gradient_has_the_same_mask_in_any_layout,
                      evaluation_and_probability_0_return_the_input_and_draw_nothing,
                      impossible_probabilities_and_shapes_are_named, dropout_gradients_agree_with_differences);
}
