/* Clipping gradients by their common norm. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

START_TEST(a_large_norm_is_scaled_down_and_a_small_one_left_alone)
{
    hg_module *m = test_box(HG_F32);
    double norm, squares = 0;
    for (int k = 0; k < 2; k++) {       /* c has no gradient */
        hg_tensor *p = hg_parameter(m, k ? "b" : "a");
        test_set_grad(p, 20 + k);
        double *g = test_numbers(hg_numel(p), 20 + k);
        for (int64_t i = 0; i < hg_numel(p); i++) squares += g[i] * g[i];
        free(g);
    }
    double expected = sqrt(squares), *g = test_numbers(17, 20);
    ck_assert_hg(hg_clip_grad_norm(m, 1000, &norm));
    ck_assert_double_eq_tol(norm, expected, 1e-6 * expected);
    test_equal(hg_grad(hg_parameter(m, "a")), HG_SHAPE(17), g);
    ck_assert_hg(hg_clip_grad_norm(m, 0.5, NULL));
    for (int i = 0; i < 17; i++) g[i] *= 0.5 / (expected + 1e-6);
    test_close(hg_grad(hg_parameter(m, "a")), HG_SHAPE(17), g, 1e-8, 1e-6);
    ck_assert_hg(hg_clip_grad_norm(m, INFINITY, &norm));
    ck_assert_double_eq_tol(norm, 0.5, 1e-6);
    free(g);
    hg_module_free(m);
}
END_TEST

START_TEST(many_segments_and_any_strides_give_the_same_norm_each_time)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_dtype dtype = test_has_f64() ? HG_F64 : HG_F32;
    int64_t rows = 401, columns = 517;
    double *v = test_values(rows * columns), squares = 0, first = 0;
    for (int64_t i = 0; i < rows * columns; i++) squares += v[i] * v[i];
    for (int layout = 0; layout < TEST_LAYOUTS; layout++) {
        hg_module *m = hg_sequential(test_device());
        hg_tensor *p = hg_zeros(test_device(), dtype, HG_SHAPE(rows, columns));
        ck_assert_hg(hg_add_parameter(m, "p", p));
        hg_tensor *g = test_layout(layout, dtype, HG_SHAPE(rows, columns), v);
        ck_assert_hg(hg_set_grad(p, g));
        double norm;
        ck_assert_hg(hg_clip_grad_norm(m, 1, &norm));
        ck_assert_double_eq_tol(norm, sqrt(squares), (dtype == HG_F64 ? 1e-12 : 1e-5) * norm);
        if (layout == 0) first = norm;
        ck_assert_double_eq(norm, first);
        double *scaled = test_read(g);
        ck_assert_double_eq_tol(scaled[7], v[7] / norm, 1e-6);
        ck_assert_double_eq_tol(scaled[rows * columns - 1], v[rows * columns - 1] / norm, 1e-6);
        free(scaled);
        hg_module_free(m);
    }
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(a_million_equal_gradients_add_up)
{
    hg_module *m = hg_sequential(test_device());
    hg_tensor *p = hg_zeros(test_device(), HG_F32, HG_SHAPE(1000003));
    hg_tensor *g = hg_full(test_device(), HG_F32, HG_SHAPE(1000003), 0.01);
    double norm;
    ck_assert_hg(hg_add_parameter(m, "p", p));
    ck_assert_hg(hg_set_grad(p, g));
    ck_assert_hg(hg_clip_grad_norm(m, 100, &norm));
    ck_assert_double_eq_tol(norm, 0.01f * sqrt(1000003), 2e-6 * norm);
    hg_release(g);
    hg_module_free(m);
}
END_TEST

START_TEST(nothing_to_clip_and_bad_arguments)
{
    hg_module *m = test_box(HG_F32);
    double norm = 7;
    ck_assert_hg(hg_clip_grad_norm(m, 1, &norm));
    ck_assert_double_eq(norm, 0);
    ck_assert_int_eq(hg_clip_grad_norm(m, -1, &norm), HG_E_ARG);
    test_error(HG_E_ARG, "max_norm must not be negative");
    ck_assert_int_eq(hg_clip_grad_norm(m, NAN, &norm), HG_E_ARG);
    test_error(HG_E_ARG, "max_norm must not be negative");
    ck_assert_int_eq(hg_clip_grad_norm(NULL, 1, &norm), HG_E_ARG);
    test_error(HG_E_ARG, "module is NULL");
    double *g = test_numbers(17, 3);
    g[5] = NAN;
    hg_tensor *grad = test_tensor(HG_F32, HG_SHAPE(17), g);
    ck_assert_hg(hg_set_grad(hg_parameter(m, "a"), grad));
    ck_assert_hg(hg_clip_grad_norm(m, 1, &norm));
    ck_assert(isnan(norm));
    hg_release(grad);
    free(g);
    hg_module_free(m);
}
END_TEST

START_TEST(gradients_of_two_types_are_refused)
{
    if (!test_has_f64()) return;
    hg_module *m = test_box(HG_F32);
    double *v = test_values(2);
    hg_tensor *d = test_tensor(HG_F64, HG_SHAPE(2), v);
    ck_assert_hg(hg_add_parameter(m, "d", d));
    test_set_grad(hg_parameter(m, "a"), 0);
    test_set_grad(d, 0);
    ck_assert_int_eq(hg_clip_grad_norm(m, 1, NULL), HG_E_DTYPE);
    test_error(HG_E_DTYPE, "the gradient of d is float64, those before it float32");
    free(v);
    hg_module_free(m);
}
END_TEST

Suite *clip_suite(void)
{
    return TEST_SUITE("clip", a_large_norm_is_scaled_down_and_a_small_one_left_alone,
                      many_segments_and_any_strides_give_the_same_norm_each_time,
                      a_million_equal_gradients_add_up, nothing_to_clip_and_bad_arguments,
                      gradients_of_two_types_are_refused);
}
