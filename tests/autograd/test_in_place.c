/* Changes in place: refused where they would make a gradient wrong, recorded elsewhere. */
#include "suites.h"

START_TEST(a_saved_tensor_that_changed_stops_backward)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){1, 2}), *w = test_tensor(HG_F32, HG_SHAPE(2), (double[]){3, 4});
    hg_tensor *y = hg_sum(hg_mul(x, w), HG_ALL, false);
    ck_assert_hg(hg_fill_(w, 0));
    ck_assert_int_eq(hg_backward(y), HG_E_STATE);
    test_error(HG_E_STATE, "one of the variables needed for gradient computation has been modified by an inplace operation: "
                           "[float32 [2]] is at version 1; expected version 0 instead.");
    ck_assert_ptr_null(hg_grad(x));
    hg_scope_end(s);
}
END_TEST

START_TEST(every_way_to_change_a_tensor_counts)
{
    hg_scope *s = hg_scope_begin(test_device());
    for (int way = 0; way < 6; way++) {
        hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){1, 2}), *w = test_tensor(HG_F32, HG_SHAPE(2), (double[]){3, 4});
        hg_tensor *y = hg_sum(hg_mul(x, w), HG_ALL, false);
        switch (way) {
        case 0: ck_assert_hg(hg_copy_(w, x)); break;
        case 1: ck_assert_hg(hg_zero_(hg_slice(w, 0, 0, 1, 1))); break;
        case 2: ck_assert_hg(hg_write(w, (float[]){5, 6})); break;
        case 3: ck_assert_hg_ok(hg_relu_(w)); break;
        case 4: ck_assert_hg_ok(hg_masked_fill_(w, hg_lt_scalar(w, 0), 0)); break;
        default: ck_assert_hg(hg_uniform_(hg_detach(w), 0, 1));
        }
        ck_assert_msg(hg_backward(y) == HG_E_STATE, "way %d went unnoticed", way);
        test_error(HG_E_STATE, "modified by an inplace operation");
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(leaves_and_their_views_are_not_changed_in_place)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){-1, 2});
    ck_assert(!hg_ok(hg_relu_(x)));
    test_error(HG_E_STATE, "relu_: a leaf Variable that requires grad is being used in an in-place operation.");
    ck_assert(!hg_ok(hg_relu_(hg_slice(x, 0, 0, 1, 1))));
    test_error(HG_E_STATE, "relu_: in-place operation on a tensor that is, or has, a view with a gradient; clone it first");
    test_equal(x, HG_SHAPE(2), ((double[]){-1, 2}));
    hg_tensor *y = hg_mul_scalar(x, 1), *view = hg_view(y, HG_SHAPE(2, 1));
    ck_assert(!hg_ok(hg_relu_(y)));
    test_error(HG_E_STATE, "that is, or has, a view with a gradient");
    ck_assert(!hg_ok(hg_relu_(view)));
    test_error(HG_E_STATE, "that is, or has, a view with a gradient");
    hg_no_grad_begin();
    ck_assert_ptr_eq(hg_relu_(x), x);       /* as an optimizer does */
    hg_no_grad_end();
    test_equal(x, HG_SHAPE(2), ((double[]){0, 2}));
    ck_assert(hg_is_leaf(x) && hg_requires_grad(x));
    hg_scope_end(s);
}
END_TEST

START_TEST(once_the_view_is_gone_the_tensor_may_change)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){-1, 2}), *y = hg_mul_scalar(x, 3);
    hg_scope *inner = hg_scope_begin(test_device());
    ck_assert_hg_ok(hg_view(y, HG_SHAPE(2, 1)));
    hg_scope_end(inner);
    ck_assert_hg_ok(hg_relu_(y));
    ck_assert_hg(hg_backward(hg_sum(y, HG_ALL, false)));
    test_equal(hg_grad(x), HG_SHAPE(2), ((double[]){0, 3}));
    hg_scope_end(s);
}
END_TEST

START_TEST(a_chain_of_changes_in_place_has_a_gradient)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = leaf_of(HG_SHAPE(4), (double[]){-1, 2, 3, -4}), *y = hg_mul_scalar(x, 2);
    ck_assert_hg(hg_retain_grad(y));
    ck_assert_hg_ok(hg_masked_fill_(hg_relu_(y), hg_ge_scalar(y, 5), 7));
    test_equal(y, HG_SHAPE(4), ((double[]){0, 4, 7, 0}));
    ck_assert_int_eq(hg_backward(hg_sum(y, HG_ALL, false)), HG_E_STATE);    /* relu_ kept y, then y changed */
    test_error(HG_E_STATE, "ReluBackward0: one of the variables");
    ck_assert_ptr_null(hg_grad(x));
    hg_tensor *z = hg_mul_scalar(x, 2);
    ck_assert_hg(hg_backward(hg_sum(hg_mul_scalar(hg_masked_fill_(z, hg_ge_scalar(z, 5), 7), 3), HG_ALL, false)));
    test_equal(hg_grad(x), HG_SHAPE(4), ((double[]){6, 6, 0, 6}));
    hg_scope_end(s);
}
END_TEST

Suite *in_place_suite(void)
{
    return TEST_SUITE("in_place", a_saved_tensor_that_changed_stops_backward, every_way_to_change_a_tensor_counts,
                      leaves_and_their_views_are_not_changed_in_place, once_the_view_is_gone_the_tensor_may_change,
                      a_chain_of_changes_in_place_has_a_gradient);
}
