/* Views, copies and casts: values, sharing, gradients, errors. */
#include <stdlib.h>

#include "suites.h"

/* 0, 1, 2, ... in `shape`, f64 if the device has it. */
static hg_tensor *counting(hg_shape shape)
{
    return hg_reshape(hg_arange(test_device(), HG_F32, 0, (double)test_numel(shape), 1), shape);
}

START_TEST(views_see_the_right_elements)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = counting(HG_SHAPE(2, 3, 4));
    test_equal(hg_select(x, 1, -1), HG_SHAPE(2, 4), ((double[]){8, 9, 10, 11, 20, 21, 22, 23}));
    test_equal(hg_slice(x, 2, 1, 100, 2), HG_SHAPE(2, 3, 2), ((double[]){1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23}));
    test_equal(hg_slice(x, 2, -1, 4, 1), HG_SHAPE(2, 3, 1), ((double[]){3, 7, 11, 15, 19, 23}));
    test_equal(hg_slice(x, 0, 2, 1, 1), HG_SHAPE(0, 3, 4), (NULL));
    test_equal(hg_select(hg_permute(x, HG_DIMS(2, 0, 1)), 0, 1), HG_SHAPE(2, 3), ((double[]){1, 5, 9, 13, 17, 21}));
    test_equal(hg_transpose(hg_select(x, 0, 0), 0, 1), HG_SHAPE(4, 3), ((double[]){0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
    test_equal(hg_flatten(hg_slice(x, 2, 0, 1, 1), 0, -1), HG_SHAPE(6), ((double[]){0, 4, 8, 12, 16, 20}));
    test_equal(hg_squeeze(hg_unsqueeze(hg_select(hg_select(x, 0, 1), 0, 0), 1), -1), HG_SHAPE(4), ((double[]){12, 13, 14, 15}));
    test_equal(hg_view(counting(HG_SHAPE(1)), HG_SCALAR), HG_SCALAR, ((double[]){0}));
    hg_scope_end(s);
}
END_TEST

START_TEST(view_shares_memory_and_reshape_copies_only_when_it_must)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = counting(HG_SHAPE(2, 6));
    ck_assert_hg(hg_fill_(hg_select(hg_view(x, HG_SHAPE(3, -1)), 0, 2), 7));
    test_equal(x, HG_SHAPE(2, 6), ((double[]){0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7}));
    hg_tensor *t = hg_transpose(x, 0, 1);
    ck_assert(!hg_ok(hg_view(t, HG_SHAPE(12))));
    test_error(HG_E_SHAPE, "spans across two contiguous subspaces");
    hg_tensor *r = hg_reshape(t, HG_SHAPE(12));
    ck_assert_ptr_ne(hg_tensor_mem(r, NULL), hg_tensor_mem(x, NULL));
    test_equal(r, HG_SHAPE(12), ((double[]){0, 6, 1, 7, 2, 7, 3, 7, 4, 7, 5, 7}));
    ck_assert_hg_ok(hg_view(t, HG_SHAPE(2, 3, 2)));     /* splitting a dimension never needs a copy */
    hg_scope_end(s);
}
END_TEST

START_TEST(impossible_views_say_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = counting(HG_SHAPE(2, 3));
    ck_assert(!hg_ok(hg_view(x, HG_SHAPE(-1, 4))));
    test_error(HG_E_SHAPE, "shape '[-1, 4]' is invalid for input of size 6");
    ck_assert(!hg_ok(hg_view(x, HG_SHAPE(-1, -1))));
    test_error(HG_E_SHAPE, "only one dimension can be inferred");
    ck_assert(!hg_ok(hg_reshape(hg_empty(test_device(), HG_F32, HG_SHAPE(0)), HG_SHAPE(-1, 0))));
    test_error(HG_E_SHAPE, "ambiguous");
    ck_assert(!hg_ok(hg_select(x, 0, 2)));
    test_error(HG_E_ARG, "index 2 out of range for tensor of size [2, 3] at dimension 0");
    ck_assert(!hg_ok(hg_transpose(x, 0, 2)));
    test_error(HG_E_ARG, "expected to be in range of [-2, 1], but got 2");
    ck_assert(!hg_ok(hg_permute(x, HG_DIMS(0, 0))));
    test_error(HG_E_ARG, "repeated dim 0");
    ck_assert(!hg_ok(hg_slice(x, 0, 0, 1, 0)));
    test_error(HG_E_ARG, "step must be positive");
    hg_scope_end(s);
}
END_TEST

START_TEST(copies_and_casts_take_any_layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    static const hg_dtype dtypes[] = {HG_F32, HG_F64, HG_I32, HG_I64, HG_U8, HG_BOOL};
    hg_shape shape = HG_SHAPE(3, 5, 2);
    double values[30], ones[30];
    for (int i = 0; i < 30; i++) {
        values[i] = i % 4;
        ones[i] = i % 4 != 0;
    }
    for (size_t from = 0; from < 6; from++) {
        for (size_t to = 0; to < 6; to++) {
            if (!test_has_f64() && (dtypes[from] == HG_F64 || dtypes[to] == HG_F64)) continue;
            bool truth = dtypes[from] == HG_BOOL || dtypes[to] == HG_BOOL;
            int layout = (int)test_between(0, TEST_LAYOUTS - 1);
            hg_tensor *y = hg_cast(test_layout(layout, dtypes[from], shape, values), dtypes[to]);
            ck_assert_int_eq(hg_tensor_dtype(y), dtypes[to]);
            test_equal(y, shape, truth ? ones : values);
        }
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(float_to_integer_truncates)
{
    hg_scope *s = hg_scope_begin(test_device());
    test_equal(hg_cast(test_tensor(HG_F32, HG_SHAPE(4), (double[]){-1.7, 1.7, 0.2, 0}), HG_I64), HG_SHAPE(4),
               ((double[]){-1, 1, 0, 0}));
    test_equal(hg_cast(test_tensor(HG_F32, HG_SHAPE(2), (double[]){0.2, 0}), HG_BOOL), HG_SHAPE(2), ((double[]){1, 0}));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *chain(hg_tensor **in, int n, void *user)
{
    (void)n;
    (void)user;
    hg_tensor *x = hg_slice(hg_permute(in[0], HG_DIMS(1, 2, 0)), 1, 1, 4, 2);
    return hg_clone(hg_select(hg_reshape(hg_unsqueeze(x, 1), HG_SHAPE(3, -1)), 0, -2));
}

START_TEST(gradients_flow_back_through_views)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(24);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(2, 3, 4), v);
    test_gradient(chain, &x, 1, NULL);
    free(v);
    hg_scope_end(s);
}
END_TEST

Suite *view_suite(void)
{
    return TEST_SUITE("view", views_see_the_right_elements, view_shares_memory_and_reshape_copies_only_when_it_must,
                      impossible_views_say_why, copies_and_casts_take_any_layout, float_to_integer_truncates,
                      gradients_flow_back_through_views);
}
