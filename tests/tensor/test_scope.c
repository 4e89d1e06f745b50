/* Lifetimes: scopes, references, the error tensor. */
#include "suites.h"

static uint64_t in_use(void)
{
    hg_memory_info info;
    ck_assert_hg(hg_memory_get_info(test_device(), &info));
    return info.in_use;
}

START_TEST(scopes_nest_and_drop_what_was_made_inside)
{
    uint64_t before = in_use();
    hg_scope *outer = hg_scope_begin(test_device());
    hg_zeros(test_device(), HG_F32, HG_SHAPE(1000));
    uint64_t one = in_use();
    ck_assert_uint_gt(one, before);
    hg_scope *inner = hg_scope_begin(test_device());
    hg_zeros(test_device(), HG_F32, HG_SHAPE(1000));
    hg_tensor *kept = hg_scope_return(inner, hg_full(test_device(), HG_F32, HG_SHAPE(1000), 3));
    ck_assert_uint_eq(in_use(), before + 2 * (one - before));
    ck_assert_hg_ok(kept);
    hg_scope_begin(test_device());      /* left open: ends with the one around it */
    hg_zeros(test_device(), HG_F32, HG_SHAPE(1000));
    hg_scope_end(outer);
    ck_assert_uint_eq(in_use(), before);
    hg_scope_end(outer);                /* ending it again is harmless */
}
END_TEST

START_TEST(without_a_scope_the_caller_holds)
{
    uint64_t before = in_use();
    hg_tensor *t = hg_zeros(test_device(), HG_F32, HG_SHAPE(1000));
    hg_tensor *view = hg_select(t, 0, 5);
    hg_release(t);
    ck_assert_uint_gt(in_use(), before);        /* the view keeps the memory */
    ck_assert_double_eq(hg_item(view), 0);
    hg_release(view);
    ck_assert_uint_eq(in_use(), before);
    hg_release(NULL);
}
END_TEST

START_TEST(a_chain_needs_one_check)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *bad = hg_view(hg_zeros(test_device(), HG_F32, HG_SHAPE(6)), HG_SHAPE(4));
    hg_tensor *end = hg_clone(hg_select(hg_transpose(bad, 0, 1), 0, 0));
    ck_assert(!hg_ok(end));
    ck_assert_int_eq(hg_numel(end), 0);
    test_error(HG_E_SHAPE, "view: shape '[4]' is invalid for input of size 6");
    hg_scope_end(s);
    ck_assert(!hg_ok(hg_clone(NULL)));
    test_error(HG_E_ARG, "clone: operand 0 is NULL");
}
END_TEST

START_TEST(an_outermost_scope_clears_the_error_and_inner_ones_do_not)
{
    hg_clone(NULL);
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert_int_eq(hg_last_status(), HG_OK);
    hg_clone(NULL);
    hg_scope *inner = hg_scope_begin(test_device());
    ck_assert_int_eq(hg_last_status(), HG_E_ARG);
    hg_scope_end(inner);
    hg_scope_end(s);
    ck_assert_int_eq(hg_last_status(), HG_E_ARG);
    hg_clear_error();
}
END_TEST

START_TEST(a_device_outlives_its_close_while_tensors_live)
{
    hg_device *dev = hg_device_open(NULL);
    hg_tensor *t = hg_full(dev, HG_F32, HG_SHAPE(3), 4);
    hg_device_close(dev);
    hg_tensor *copy = hg_clone(t), *first = hg_select(copy, 0, 0);
    hg_release(t);
    hg_release(copy);
    ck_assert_double_eq(hg_item(first), 4);
    hg_release(first);
}
END_TEST

START_TEST(operands_on_two_devices_are_refused)
{
    hg_device *other = hg_device_open(NULL);
    hg_scope *s = hg_scope_begin(NULL);
    ck_assert_int_eq(hg_copy_(hg_zeros(test_device(), HG_F32, HG_SHAPE(1)), hg_zeros(other, HG_F32, HG_SHAPE(1))), HG_E_DEVICE);
    test_error(HG_E_DEVICE, "Expected all tensors to be on the same device");
    hg_scope_end(s);
    hg_device_close(other);
}
END_TEST

Suite *scope_suite(void)
{
    return TEST_SUITE("scope", scopes_nest_and_drop_what_was_made_inside, without_a_scope_the_caller_holds, a_chain_needs_one_check,
                      an_outermost_scope_clears_the_error_and_inner_ones_do_not,
                      a_device_outlives_its_close_while_tensors_live, operands_on_two_devices_are_refused);
}
