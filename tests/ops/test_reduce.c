/* Sums and means over any dimensions: values, rounding, gradients, empty tensors, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

/* The sum of `x` over the dims whose bit is set, row-major with the summed dims of size 1. */
static double *sums_of(hg_shape shape, const double *x, unsigned mask, hg_shape *kept)
{
    *kept = shape;
    for (int d = 0; d < shape.ndim; d++)
        if (mask >> d & 1) kept->size[d] = 1;
    double *y = calloc((size_t)test_numel(*kept) + 1, sizeof *y);
    ck_assert_ptr_nonnull(y);
    for (int64_t i = 0; i < test_numel(shape); i++) {
        int64_t rest = i, index = 0, step = 1;
        for (int d = shape.ndim - 1; d >= 0; d--) {
            int64_t at = rest % shape.size[d];
            rest /= shape.size[d];
            if (!(mask >> d & 1)) index += at * step;
            step *= kept->size[d];
        }
        y[index] += x[i];
    }
    return y;
}

static hg_shape dropped(hg_shape shape, unsigned mask)
{
    hg_shape y = {0};
    for (int d = 0; d < shape.ndim; d++)
        if (!(mask >> d & 1)) y.size[y.ndim++] = shape.size[d];
    return y;
}

static hg_dims dims_of(unsigned mask, int ndim)
{
    hg_dims dims = {0};
    for (int d = 0; d < ndim; d++)
        if (mask >> d & 1) dims.dim[dims.count++] = test_between(0, 1) ? d : d - ndim;
    return dims;
}

static void check_sum(hg_dtype dtype, int layout, hg_shape shape, unsigned mask)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_shape kept;
    double *x = test_integers(test_numel(shape), 9);
    for (int64_t i = 0; i < test_numel(shape); i++) {
        if (dtype == HG_U8) x[i] = fabs(x[i]) * 28;
        if (dtype == HG_BOOL) x[i] = x[i] > 0;
    }
    double *y = sums_of(shape, x, mask, &kept);
    bool keepdim = test_between(0, 1);
    hg_tensor *t = hg_sum(test_layout(layout, dtype, shape, x), dims_of(mask, shape.ndim), keepdim);
    ck_assert_hg_ok(t);
    ck_assert_int_eq(hg_tensor_dtype(t), dtype == HG_F32 || dtype == HG_F64 ? dtype : HG_I64);
    ck_assert(hg_is_contiguous(t));
    test_equal(t, keepdim ? kept : dropped(shape, mask), y);
    free(x);
    free(y);
    hg_scope_end(s);
}

START_TEST(sums_over_any_dims_are_exact_for_integers)
{
    static const hg_dtype dtypes[] = {HG_F32, HG_F64, HG_I32, HG_I64, HG_U8, HG_BOOL};
    for (unsigned mask = 1; mask < 16; mask++) {
        hg_shape shape = HG_SHAPE(test_between(1, 5), test_between(1, 20), test_between(1, 5), test_between(1, 40));
        hg_dtype dtype = dtypes[test_between(0, 5)];
        if (dtype == HG_F64 && !test_has_f64()) dtype = HG_F32;
        check_sum(dtype, (int)test_between(0, 3), shape, mask);
        check_sum(HG_F32, 0, HG_SHAPE(3, 2, 4, 65), mask);
    }
}
END_TEST

START_TEST(long_rows_and_columns_go_in_segments)
{
    check_sum(HG_F32, 0, HG_SHAPE(2, 70001), 2);
    check_sum(HG_F32, 1, HG_SHAPE(3, 33000), 3);
    check_sum(HG_I32, 0, HG_SHAPE(1, 40000), 2);
    check_sum(HG_F32, 0, HG_SHAPE(1500, 10), 1);
    check_sum(HG_F32, 1, HG_SHAPE(1030, 133), 1);
    check_sum(HG_U8, 0, HG_SHAPE(2, 600, 19), 2);
    check_sum(HG_F32, 0, HG_SHAPE(30, 8, 900), 5);
    check_sum(HG_F32, 0, HG_SHAPE(3000, 7), 2);
}
END_TEST

START_TEST(all_dims_and_no_dims)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6});
    test_equal(hg_sum(x, HG_ALL, false), HG_SCALAR, ((double[]){21}));
    test_equal(hg_sum(x, HG_ALL, true), HG_SHAPE(1, 1), ((double[]){21}));
    test_equal(hg_mean(x, HG_DIMS(-1), false), HG_SHAPE(2), ((double[]){2, 5}));
    test_equal(hg_mean(x, HG_DIMS(0), true), HG_SHAPE(1, 3), ((double[]){2.5, 3.5, 4.5}));
    hg_tensor *scalar = test_tensor(HG_F32, HG_SCALAR, (double[]){7});
    test_equal(hg_sum(scalar, HG_DIMS(-1), false), HG_SCALAR, ((double[]){7}));
    hg_tensor *ones = test_tensor(HG_F32, HG_SHAPE(1, 2, 1), (double[]){3, 4}), *y = hg_sum(ones, HG_DIMS(0, 2), false);
    test_equal(y, HG_SHAPE(2), ((double[]){3, 4}));
    ck_assert_hg(hg_fill_(y, 0));       /* a sum never shares memory with what it sums */
    test_equal(ones, HG_SHAPE(1, 2, 1), ((double[]){3, 4}));
    hg_scope_end(s);
}
END_TEST

START_TEST(sum_of_nothing_is_zero_and_mean_of_nothing_nan)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_empty(test_device(), HG_F32, HG_SHAPE(2, 0));
    test_equal(hg_sum(x, HG_ALL, false), HG_SCALAR, ((double[]){0}));
    test_equal(hg_sum(x, HG_DIMS(1), false), HG_SHAPE(2), ((double[]){0, 0}));
    test_equal(hg_mean(x, HG_DIMS(1), false), HG_SHAPE(2), ((double[]){NAN, NAN}));
    test_equal(hg_mean(x, HG_ALL, false), HG_SCALAR, ((double[]){NAN}));
    test_equal(hg_sum(x, HG_DIMS(0), false), HG_SHAPE(0), (NULL));
    hg_scope_end(s);
}
END_TEST

START_TEST(nan_and_infinity_reach_the_sum)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(3, 2), (double[]){1, INFINITY, NAN, 1, INFINITY, -INFINITY});
    test_equal(hg_sum(x, HG_DIMS(1), false), HG_SHAPE(3), ((double[]){INFINITY, NAN, NAN}));
    hg_scope_end(s);
}
END_TEST

/* The largest error of a sum relative to the largest expected value. */
static double sum_error(hg_tensor *x, const float *v, hg_dims dims, int64_t outer, int64_t inner, int64_t by_outer, int64_t by_inner)
{
    double *expected = calloc((size_t)(by_outer ? outer : inner), sizeof *expected), largest = 0, error = 0;
    ck_assert_ptr_nonnull(expected);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) expected[o * by_outer + i * by_inner] += v[o * inner + i];
    double *got = test_read(hg_sum(x, dims, false));
    for (int64_t k = 0; k < (by_outer ? outer : inner); k++) {
        largest = fmax(largest, fabs(expected[k]));
        error = fmax(error, fabs(got[k] - expected[k]));
    }
    free(got);
    free(expected);
    return error / largest;
}

START_TEST(ten_million_elements_keep_five_digits)
{
    const int64_t outer = 2500, inner = 4000;
    float *v = malloc(sizeof *v * (size_t)(outer * inner));
    ck_assert_ptr_nonnull(v);
    for (int64_t i = 0; i < outer * inner; i++) v[i] = (float)test_uniform(0, 1);
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_from_data(test_device(), HG_F32, HG_SHAPE(outer, inner), v);
    ck_assert_double_le(sum_error(x, v, HG_ALL, 1, outer * inner, 1, 0), 1e-6);
    ck_assert_double_le(sum_error(x, v, HG_DIMS(1), outer, inner, 1, 0), 1e-6);
    ck_assert_double_le(sum_error(x, v, HG_DIMS(0), outer, inner, 0, 1), 1e-6);
    hg_tensor *tall = hg_reshape(x, HG_SHAPE(outer * inner / 5, 5));
    ck_assert_double_le(sum_error(tall, v, HG_DIMS(0), outer * inner / 5, 5, 0, 1), 1e-6);
    hg_scope_end(s);
    free(v);
}
END_TEST

START_TEST(sums_repeat_bit_for_bit)
{
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(90000);
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(900, 100), v);
    double first = hg_item(hg_sum(x, HG_ALL, false));
    for (int i = 0; i < 5; i++) ck_assert(hg_item(hg_sum(x, HG_ALL, false)) == first);
    free(v);
    hg_scope_end(s);
}
END_TEST

static hg_tensor *weighted_mean(hg_tensor **in, int n, void *user)
{
    (void)n;
    const hg_dims *dims = user;
    return hg_mul(hg_mean(in[0], *dims, false), hg_sum(in[0], *dims, false));
}

START_TEST(gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    static const hg_dims dims[] = {{0, {0}}, {1, {1}}, {2, {0, -1}}, {3, {2, 1, 0}}};
    for (size_t k = 0; k < sizeof dims / sizeof *dims; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        double *v = test_values(24);
        hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(2, 3, 4), v);
        test_gradient(weighted_mean, &x, 1, (void *)(uintptr_t)&dims[k]);
        free(v);
        hg_scope_end(s);
    }
}
END_TEST

static hg_tensor *expanded(hg_tensor **in, int n, void *user)
{
    (void)n;
    (void)user;
    return hg_mul(hg_expand(in[0], HG_SHAPE(2, 3, -1)), in[1]);
}

START_TEST(expand_repeats_and_its_gradient_sums)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){1, 2}), *y = hg_expand(x, HG_SHAPE(2, 2, 3));
    test_equal(y, HG_SHAPE(2, 2, 3), ((double[]){1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}));
    ck_assert_int_eq(hg_stride(y, 0), 0);
    ck_assert(!hg_ok(hg_expand(x, HG_SHAPE(3, 3))));
    test_error(HG_E_SHAPE, "The expanded size of the tensor (3) must match the existing size (2) at non-singleton dimension 0");
    if (test_has_f64()) {
        double *v = test_values(24);
        hg_tensor *in[2] = {test_tensor(HG_F64, HG_SHAPE(1, 4), v), test_tensor(HG_F64, HG_SHAPE(2, 3, 4), v)};
        test_gradient(expanded, in, 2, NULL);
        free(v);
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(impossible_sums_say_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_zeros(test_device(), HG_I32, HG_SHAPE(2, 3));
    ck_assert(!hg_ok(hg_sum(x, HG_DIMS(2), false)));
    test_error(HG_E_ARG, "sum: Dimension out of range (expected to be in range of [-2, 1], but got 2)");
    ck_assert(!hg_ok(hg_sum(x, HG_DIMS(1, -1), false)));
    test_error(HG_E_ARG, "sum: dim 1 appears multiple times");
    ck_assert(!hg_ok(hg_mean(x, HG_ALL, false)));
    test_error(HG_E_DTYPE, "mean: the dtype must be a floating point one, got int32");
    hg_scope_end(s);
}
END_TEST

Suite *reduce_suite(void)
{
    return TEST_SUITE("reduce", sums_over_any_dims_are_exact_for_integers, long_rows_and_columns_go_in_segments,
                      all_dims_and_no_dims, sum_of_nothing_is_zero_and_mean_of_nothing_nan, nan_and_infinity_reach_the_sum,
                      ten_million_elements_keep_five_digits, sums_repeat_bit_for_bit, gradients_agree_with_differences,
                      expand_repeats_and_its_gradient_sums, impossible_sums_say_why);
}
