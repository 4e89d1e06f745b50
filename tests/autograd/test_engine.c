/* What backward does: sums, order, modes, errors. */
#include <stdlib.h>

#include "suites.h"

START_TEST(gradients_of_two_walks_add_up)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3);
    ck_assert_hg(hg_backward(hg_mul_scalar(x, 2)));
    ck_assert(grad_of(x) == 2);
    ck_assert_hg(hg_backward(hg_mul_scalar(x, 5)));
    ck_assert(grad_of(x) == 7);
    ck_assert_hg(hg_set_grad(x, NULL));
    ck_assert_ptr_null(hg_grad(x));
    ck_assert_hg(hg_backward(hg_mul_scalar(x, 4)));
    ck_assert(grad_of(x) == 4);
    hg_scope_end(s);
}
END_TEST

START_TEST(a_tensor_used_twice_gets_both_gradients)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3);
    ck_assert_hg(hg_backward(hg_mul(x, x)));
    ck_assert(grad_of(x) == 6);
    hg_tensor *y = leaf_of(HG_SHAPE(2), (double[]){1, 2});
    ck_assert_hg(hg_backward(hg_sum(hg_mul(hg_mul(y, y), y), HG_ALL, false)));
    test_equal(hg_grad(y), HG_SHAPE(2), ((double[]){3, 12}));
    hg_scope_end(s);
}
END_TEST

START_TEST(a_diamond_visits_its_top_once_with_the_sum)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(2), *top = hg_mul(x, x);         /* 4 */
    hg_tensor *left = hg_mul_scalar(top, 3), *right = hg_add_scalar(top, 1);
    ck_assert_hg(hg_backward(hg_mul(left, right)));             /* 3t (t + 1): 6t + 3 = 27, times 2x */
    ck_assert(grad_of(x) == 108);
    hg_scope_end(s);
}
END_TEST

START_TEST(the_graph_is_used_up_unless_retained)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3), *y = hg_mul(x, x);
    ck_assert_hg(hg_backward_with(y, NULL, true));
    ck_assert_hg(hg_backward_with(y, NULL, true));
    ck_assert(grad_of(x) == 12);
    ck_assert_hg(hg_backward(y));
    ck_assert(grad_of(x) == 18);
    ck_assert_int_eq(hg_backward(y), HG_E_STATE);
    test_error(HG_E_STATE, "Trying to backward through the graph a second time");
    ck_assert(grad_of(x) == 18);
    ck_assert_int_eq(hg_backward(hg_mul_scalar(y, 2)), HG_E_STATE);     /* a new node above a used one */
    test_error(HG_E_STATE, "Specify retain_graph=True");
    ck_assert_hg(hg_backward(hg_mul(x, x)));                            /* the leaf itself is as good as ever */
    ck_assert(grad_of(x) == 24);
    hg_scope_end(s);
}
END_TEST

START_TEST(backward_from_what_has_no_history_or_no_single_element_says_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *plain = hg_zeros(test_device(), HG_F32, HG_SCALAR), *x = leaf_of(HG_SHAPE(2), (double[]){1, 2});
    ck_assert_int_eq(hg_backward(plain), HG_E_STATE);
    test_error(HG_E_STATE, "element 0 of tensors does not require grad and does not have a grad_fn");
    ck_assert_int_eq(hg_backward(hg_mul(x, x)), HG_E_SHAPE);
    test_error(HG_E_SHAPE, "grad can be implicitly created only for scalar outputs");
    ck_assert_int_eq(hg_backward_with(hg_mul(x, x), plain, false), HG_E_SHAPE);
    test_error(HG_E_SHAPE, "Mismatch in shape: grad_output has a shape of [] and output has a shape of [2].");
    ck_assert_int_eq(hg_backward(NULL), HG_E_ARG);
    test_error(HG_E_ARG, "backward: operand 0 is NULL");
    ck_assert_int_lt(hg_backward(hg_select(x, 0, 7)), 0);               /* the error tensor */
    test_error(HG_E_ARG, "index 7 out of range");
    ck_assert_ptr_null(hg_grad(x));
    hg_scope_end(s);
}
END_TEST

START_TEST(backward_with_a_gradient_of_ones_own)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){1, 2}), *g = test_tensor(HG_F32, HG_SHAPE(2), (double[]){10, 100});
    ck_assert_hg(hg_backward_with(hg_mul(x, x), g, false));
    test_equal(hg_grad(x), HG_SHAPE(2), ((double[]){20, 400}));
    ck_assert_hg(hg_backward_with(x, g, false));                        /* a leaf's own backward */
    test_equal(hg_grad(x), HG_SHAPE(2), ((double[]){30, 500}));
    test_equal(g, HG_SHAPE(2), ((double[]){10, 100}));                  /* the caller's tensor stays */
    hg_scope_end(s);
}
END_TEST

START_TEST(nothing_is_recorded_in_a_no_grad_part_or_for_frozen_inputs)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3), *frozen = test_tensor(HG_F32, HG_SCALAR, (double[]){5});
    ck_assert(hg_grad_enabled());
    hg_no_grad_begin();
    hg_no_grad_begin();
    hg_no_grad_end();
    ck_assert(!hg_grad_enabled());
    hg_tensor *y = hg_mul(x, x);
    hg_no_grad_end();
    ck_assert(hg_grad_enabled());
    ck_assert(!hg_requires_grad(y) && hg_is_leaf(y));
    ck_assert(!hg_requires_grad(hg_mul(frozen, frozen)));
    hg_tensor *z = hg_mul(hg_mul(x, y), frozen);
    ck_assert(hg_requires_grad(z) && !hg_is_leaf(z));
    ck_assert_hg(hg_backward(z));
    ck_assert(grad_of(x) == 45);
    ck_assert_ptr_null(hg_grad(frozen));
    ck_assert_ptr_null(hg_grad(y));
    ck_assert(!hg_requires_grad(hg_mul(hg_detach(x), frozen)));
    hg_scope_end(s);
}
END_TEST

START_TEST(requires_grad_is_for_floating_leaves)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3);
    ck_assert_int_eq(hg_set_requires_grad(hg_zeros(test_device(), HG_I64, HG_SCALAR), true), HG_E_DTYPE);
    test_error(HG_E_DTYPE, "only Tensors of floating point dtype can require gradients");
    ck_assert_int_eq(hg_set_requires_grad(hg_mul(x, x), false), HG_E_ARG);
    test_error(HG_E_ARG, "you can only change requires_grad flags of leaf variables");
    ck_assert_hg(hg_set_requires_grad(x, false));
    ck_assert(!hg_requires_grad(hg_mul(x, x)));
    hg_scope_end(s);
}
END_TEST

START_TEST(retain_grad_keeps_the_gradient_of_what_is_no_leaf)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3), *y = hg_mul(x, x);
    ck_assert_hg(hg_retain_grad(y));
    ck_assert_hg(hg_retain_grad(x));
    hg_tensor *z = hg_mul(y, y);
    ck_assert_hg(hg_backward_with(z, NULL, true));
    ck_assert(grad_of(y) == 18);
    ck_assert(grad_of(x) == 108);
    ck_assert_ptr_null(hg_grad(z));
    ck_assert_hg(hg_backward(z));
    ck_assert(grad_of(y) == 36);
    ck_assert_int_eq(hg_retain_grad(hg_detach(x)), HG_E_STATE);
    test_error(HG_E_STATE, "can't retain_grad on Tensor that has requires_grad=False");
    hg_scope_end(s);
}
END_TEST

START_TEST(a_leaf_keeps_a_gradient_of_its_own)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = leaf_of(HG_SHAPE(2), (double[]){1, 2}), *b = leaf_of(HG_SHAPE(2), (double[]){3, 4});
    ck_assert_hg(hg_backward(hg_sum(hg_add(a, b), HG_ALL, false)));     /* one tensor of ones went both ways */
    ck_assert_hg(hg_fill_(hg_grad(a), 9));
    test_equal(hg_grad(b), HG_SHAPE(2), ((double[]){1, 1}));
    ck_assert(hg_is_contiguous(hg_grad(a)));
    hg_scope_end(s);
}
END_TEST

START_TEST(a_deep_chain_needs_no_stack)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(1), *y = x;
    for (int i = 0; i < 20000; i++) {
        hg_scope *inner = hg_scope_begin(test_device());
        y = hg_scope_return(inner, hg_add_scalar(y, 1));
    }
    ck_assert_hg(hg_backward(y));
    ck_assert(grad_of(x) == 1);
    y = x;
    for (int i = 0; i < 20000; i++) y = hg_add_scalar(y, 1);           /* never walked: freed with the scope */
    hg_scope_end(s);
}
END_TEST

static uint64_t in_use(void)
{
    hg_memory_info info;
    ck_assert_hg(hg_sync(test_device()));
    ck_assert_hg(hg_memory_get_info(test_device(), &info));
    return info.in_use;
}

START_TEST(memory_returns_to_where_it_was)
{
    hg_scope *outer = hg_scope_begin(test_device());
    double *v = test_values(3000);
    hg_tensor *x = leaf_of(HG_SHAPE(30, 100), v), *w = leaf_of(HG_SHAPE(100), v);
    free(v);
    uint64_t before = 0;
    for (int i = 0; i < 4; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *y = hg_relu(hg_mul(hg_tanh(hg_mul(x, w)), w));
        hg_tensor *loss = hg_mean(hg_mul(y, hg_exp(y)), HG_ALL, false);
        if (i % 2) ck_assert_hg(hg_backward(loss));                     /* the others are dropped unwalked */
        hg_scope_end(s);
        if (i == 1) before = in_use();                                  /* with the gradients */
        if (i > 1) ck_assert_uint_eq(in_use(), before);
    }
    hg_scope_end(outer);
}
END_TEST

START_TEST(backward_frees_what_was_saved_on_its_way)
{
    hg_scope *outer = hg_scope_begin(test_device());
    hg_tensor *x = hg_zeros(test_device(), HG_F32, HG_SHAPE(1 << 18));
    ck_assert_hg(hg_set_requires_grad(x, true));
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *y = x;
    for (int i = 0; i < 8; i++) y = hg_tanh(y);
    hg_tensor *loss = hg_scope_return(s, hg_sum(y, HG_ALL, false));
    uint64_t recorded = in_use();
    ck_assert_hg(hg_backward(loss));
    ck_assert_uint_le(in_use() + 6 * (sizeof(float) << 18), recorded);  /* 8 saved; the gradient stays */
    hg_scope_end(outer);
}
END_TEST

Suite *engine_suite(void)
{
    return TEST_SUITE("engine", gradients_of_two_walks_add_up, a_tensor_used_twice_gets_both_gradients,
                      a_diamond_visits_its_top_once_with_the_sum, the_graph_is_used_up_unless_retained,
                      backward_from_what_has_no_history_or_no_single_element_says_why, backward_with_a_gradient_of_ones_own,
                      nothing_is_recorded_in_a_no_grad_part_or_for_frozen_inputs, requires_grad_is_for_floating_leaves,
                      retain_grad_keeps_the_gradient_of_what_is_no_leaf, a_leaf_keeps_a_gradient_of_its_own,
                      a_deep_chain_needs_no_stack, memory_returns_to_where_it_was, backward_frees_what_was_saved_on_its_way);
}
