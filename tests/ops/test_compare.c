/* Comparisons, where, masked_fill: values in every dtype and layout, NaN, numbers, gradients, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

static const hg_dtype dtypes[] = {HG_F32, HG_F64, HG_I32, HG_I64, HG_U8, HG_BOOL};

static bool has(hg_dtype dtype)
{
    return dtype != HG_F64 || test_has_f64();
}

START_TEST(comparisons_of_every_dtype)
{
    hg_tensor *(*const ops[])(hg_tensor *, hg_tensor *) = {hg_eq, hg_ne, hg_lt, hg_le, hg_gt, hg_ge};
    for (int k = 0; k < 6; k++) {
        if (!has(dtypes[k])) continue;
        hg_scope *s = hg_scope_begin(test_device());
        hg_shape sa = HG_SHAPE(3, 5, 7), sb = HG_SHAPE(5, 1);
        double *a = test_integers(105, 2), *b = test_integers(5, 2), y[6][105];
        for (int i = 0; i < 105; i++) a[i] = dtypes[k] >= HG_U8 ? fabs(a[i]) : a[i];
        for (int i = 0; i < 5; i++) b[i] = dtypes[k] >= HG_U8 ? fabs(b[i]) : b[i];
        for (int i = 0; i < 105; i++) {
            double u = dtypes[k] == HG_BOOL ? a[i] != 0 : a[i], v = b[i / 7 % 5];
            if (dtypes[k] == HG_BOOL) v = v != 0;
            y[0][i] = u == v, y[1][i] = u != v, y[2][i] = u < v, y[3][i] = u <= v, y[4][i] = u > v, y[5][i] = u >= v;
        }
        for (int o = 0; o < 6; o++) {
            hg_tensor *got = ops[o](test_layout((int)test_between(0, 3), dtypes[k], sa, a), test_tensor(dtypes[k], sb, b));
            ck_assert_int_eq(hg_tensor_dtype(got), HG_BOOL);
            test_equal(got, sa, y[o]);
        }
        free(a);
        free(b);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(nan_compares_unequal_to_everything)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(3), (double[]){NAN, NAN, INFINITY});
    hg_tensor *b = test_tensor(HG_F32, HG_SHAPE(3), (double[]){NAN, 1, INFINITY});
    test_equal(hg_eq(a, b), HG_SHAPE(3), ((double[]){0, 0, 1}));
    test_equal(hg_ne(a, b), HG_SHAPE(3), ((double[]){1, 1, 0}));
    test_equal(hg_le(a, b), HG_SHAPE(3), ((double[]){0, 0, 1}));
    test_equal(hg_ge_scalar(a, 1), HG_SHAPE(3), ((double[]){0, 0, 1}));
    test_equal(hg_lt_scalar(a, NAN), HG_SHAPE(3), ((double[]){0, 0, 0}));
    test_equal(hg_eq(hg_slice(a, 0, 0, 0, 1), hg_slice(b, 0, 0, 0, 1)), HG_SHAPE(0), (NULL));
    hg_scope_end(s);
}
END_TEST

START_TEST(an_integer_is_compared_with_a_number_as_a_number)
{
    hg_scope *s = hg_scope_begin(test_device());
    double x[] = {1, 2, 3, 200};
    for (int k = 2; k < 5; k++) {
        hg_tensor *t = test_tensor(dtypes[k], HG_SHAPE(4), x);
        test_equal(hg_ge_scalar(t, 2.5), HG_SHAPE(4), ((double[]){0, 0, 1, 1}));
        test_equal(hg_lt_scalar(t, 2.5), HG_SHAPE(4), ((double[]){1, 1, 0, 0}));
        test_equal(hg_ge_scalar(t, 2), HG_SHAPE(4), ((double[]){0, 1, 1, 1}));
        test_equal(hg_lt_scalar(t, 1e30), HG_SHAPE(4), ((double[]){1, 1, 1, 1}));
        test_equal(hg_ge_scalar(t, 1e30), HG_SHAPE(4), ((double[]){0, 0, 0, 0}));
        test_equal(hg_ge_scalar(t, -INFINITY), HG_SHAPE(4), ((double[]){1, 1, 1, 1}));
        test_equal(hg_lt_scalar(t, -1e30), HG_SHAPE(4), ((double[]){0, 0, 0, 0}));
        test_equal(hg_ge_scalar(t, NAN), HG_SHAPE(4), ((double[]){0, 0, 0, 0}));
    }
    hg_tensor *f = test_layout(3, HG_F32, HG_SHAPE(4), x);
    test_equal(hg_ge_scalar(f, 2.5), HG_SHAPE(4), ((double[]){0, 0, 1, 1}));
    test_equal(hg_lt_scalar(f, 2), HG_SHAPE(4), ((double[]){1, 0, 0, 0}));
    hg_scope_end(s);
}
END_TEST

START_TEST(where_chooses_in_every_dtype_and_broadcasts)
{
    for (int k = 0; k < 6; k++) {
        if (!has(dtypes[k])) continue;
        hg_scope *s = hg_scope_begin(test_device());
        double c[] = {1, 0, 1}, a[] = {1, 2, 3, 4, 5, 6}, b[] = {9, 8}, y[] = {1, 9, 3, 4, 8, 6}, ones[] = {1, 1, 1, 1, 1, 1};
        hg_tensor *got = hg_where(test_tensor(HG_BOOL, HG_SHAPE(3), c), test_layout(k % 4, dtypes[k], HG_SHAPE(2, 3), a),
                                  test_tensor(dtypes[k], HG_SHAPE(2, 1), b));
        ck_assert_int_eq(hg_tensor_dtype(got), dtypes[k]);
        test_equal(got, HG_SHAPE(2, 3), dtypes[k] == HG_BOOL ? ones : y);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(where_of_many_shapes)
{
    static const hg_shape shapes[][3] = {
        {{1, {5000}}, {1, {5000}}, {1, {5000}}}, {{1, {5000}}, {0, {0}}, {1, {5000}}}, {{1, {5000}}, {1, {5000}}, {0, {0}}},
        {{0, {0}}, {1, {5000}}, {1, {5000}}},    {{2, {40, 1}}, {1, {70}}, {0, {0}}},
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        const hg_shape *h = shapes[k];
        double *v[3];
        for (int i = 0; i < 3; i++) v[i] = test_integers(test_numel(h[i]), 5);
        hg_tensor *got = hg_where(hg_ge_scalar(test_tensor(HG_F32, h[0], v[0]), 0), test_tensor(HG_F32, h[1], v[1]),
                                  test_tensor(HG_F32, h[2], v[2]));
        double *y = test_read(got);
        int64_t columns = k == 4 ? 70 : 5000;
        for (int64_t i = 0; i < hg_numel(got); i++) {
            int64_t row = i / columns, column = i % columns, at[3];
            for (int j = 0; j < 3; j++) at[j] = test_numel(h[j]) == 1 ? 0 : h[j].ndim == 2 ? row : column;
            ck_assert(y[i] == (v[0][at[0]] >= 0 ? v[1][at[1]] : v[2][at[2]]));
        }
        free(y);
        for (int i = 0; i < 3; i++) free(v[i]);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(masked_fill_in_every_dtype)
{
    for (int k = 0; k < 6; k++) {
        if (!has(dtypes[k])) continue;
        hg_scope *s = hg_scope_begin(test_device());
        double x[] = {0, 1, 0, 1, 0, 1}, m[] = {0, 1, 1}, y[] = {0, 1, 1, 1, 1, 1};
        hg_tensor *t = test_layout(k % 4, dtypes[k], HG_SHAPE(2, 3), x), *mask = test_tensor(HG_BOOL, HG_SHAPE(3), m);
        test_equal(hg_masked_fill(t, mask, 1), HG_SHAPE(2, 3), y);
        test_equal(t, HG_SHAPE(2, 3), x);
        ck_assert_ptr_eq(hg_masked_fill_(t, mask, 1), t);
        test_equal(t, HG_SHAPE(2, 3), y);
        hg_scope_end(s);
    }
}
END_TEST

static hg_tensor *chosen(hg_tensor **in, int n, void *user)
{
    (void)n;
    (void)user;
    hg_tensor *mask = hg_lt(in[0], in[1]), *x = hg_mul(hg_where(mask, in[0], in[1]), in[1]);
    return hg_masked_fill_(hg_mul(x, hg_masked_fill(in[0], hg_ge_scalar(in[1], 0), 3)), hg_lt_scalar(in[1], -0.5), 0);
}

START_TEST(gradients_go_where_elements_came_from)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *a = test_values(12), b[] = {0.9, -0.2, 0.1, -0.8};
    hg_tensor *in[2] = {test_tensor(HG_F64, HG_SHAPE(3, 4), a), test_tensor(HG_F64, HG_SHAPE(4), b)};
    test_gradient(chosen, in, 2, NULL);
    free(a);
    hg_scope_end(s);
}
END_TEST

START_TEST(wrong_masks_and_numbers_say_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_zeros(test_device(), HG_I32, HG_SHAPE(2, 3)), *mask = hg_zeros(test_device(), HG_BOOL, HG_SHAPE(4));
    ck_assert(!hg_ok(hg_eq(x, hg_cast(x, HG_F32))));
    test_error(HG_E_DTYPE, "eq: operands are int32 and float32");
    ck_assert(!hg_ok(hg_where(x, x, x)));
    test_error(HG_E_DTYPE, "where: expected condition to be a boolean tensor, but got a tensor with dtype int32");
    ck_assert(!hg_ok(hg_masked_fill(x, mask, 0)));
    test_error(HG_E_SHAPE, "masked_fill: The size of tensor a (4) must match the size of tensor b (3)");
    ck_assert(!hg_ok(hg_masked_fill_(x, hg_zeros(test_device(), HG_BOOL, HG_SHAPE(5, 2, 3)), 0)));
    test_error(HG_E_SHAPE, "masked_fill_: mask [5, 2, 3] does not broadcast to [2, 3]");
    ck_assert(!hg_ok(hg_masked_fill(x, hg_cast(x, HG_BOOL), 0.5)));
    test_error(HG_E_ARG, "masked_fill: 0.5 is not an integer of int32");
    hg_tensor *leaf = hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 3));
    ck_assert_hg(hg_set_requires_grad(leaf, true));
    ck_assert(!hg_ok(hg_masked_fill_(leaf, hg_cast(x, HG_BOOL), 1)));
    test_error(HG_E_STATE, "masked_fill_: a leaf Variable that requires grad");
    hg_scope_end(s);
}
END_TEST

Suite *compare_suite(void)
{
    return TEST_SUITE("compare", comparisons_of_every_dtype, nan_compares_unequal_to_everything,
                      an_integer_is_compared_with_a_number_as_a_number, where_chooses_in_every_dtype_and_broadcasts,
                      where_of_many_shapes, masked_fill_in_every_dtype, gradients_go_where_elements_came_from,
                      wrong_masks_and_numbers_say_why);
}
