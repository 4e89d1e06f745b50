/* Hooks on gradients: of leaves and others, looking, replacing, removed, failing. */
#include "suites.h"

typedef struct seen {
    int calls;
    double value;
} seen;

static hg_tensor *look(hg_tensor *grad, void *user)
{
    seen *s = user;
    s->calls++;
    s->value = hg_item(grad);
    ck_assert(!hg_grad_enabled());
    return NULL;
}

static hg_tensor *tenfold(hg_tensor *grad, void *user)
{
    (void)user;
    return hg_mul_scalar(grad, 10);
}

static hg_tensor *misshapen(hg_tensor *grad, void *user)
{
    (void)user;
    return hg_reshape(grad, HG_SHAPE(1, 1));
}

static hg_tensor *failing(hg_tensor *grad, void *user)
{
    (void)user;
    return hg_select(grad, 0, 5);
}

START_TEST(a_leafs_hook_sees_the_sum_once)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3);
    seen a = {0};
    ck_assert_ptr_nonnull(hg_add_grad_hook(x, look, &a));
    ck_assert_hg(hg_backward(hg_mul(x, x)));
    ck_assert_int_eq(a.calls, 1);
    ck_assert(a.value == 6);
    ck_assert_hg(hg_backward(hg_mul(x, x)));
    ck_assert_int_eq(a.calls, 2);
    ck_assert(a.value == 6 && grad_of(x) == 12);    /* of this walk, not of all */
    hg_scope_end(s);
}
END_TEST

START_TEST(a_replaced_gradient_flows_on)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3), *y = hg_mul(x, x);
    seen before = {0}, after = {0}, leaf = {0};
    ck_assert_ptr_nonnull(hg_add_grad_hook(y, look, &before));
    ck_assert_ptr_nonnull(hg_add_grad_hook(y, tenfold, NULL));
    ck_assert_ptr_nonnull(hg_add_grad_hook(y, look, &after));
    ck_assert_ptr_nonnull(hg_add_grad_hook(x, tenfold, NULL));
    ck_assert_ptr_nonnull(hg_add_grad_hook(x, look, &leaf));
    ck_assert_hg(hg_retain_grad(y));
    ck_assert_hg(hg_backward(hg_mul_scalar(y, 2)));
    ck_assert(before.value == 2 && after.value == 20);
    ck_assert(grad_of(y) == 20);
    ck_assert(leaf.value == 1200 && grad_of(x) == 1200);
    hg_scope_end(s);
}
END_TEST

START_TEST(a_removed_hook_is_silent)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3), *y = hg_mul(x, x);
    seen a = {0}, b = {0}, c = {0};
    hg_hook *first = hg_add_grad_hook(x, look, &a), *second = hg_add_grad_hook(x, look, &b), *third = hg_add_grad_hook(y, look, &c);
    ck_assert(first && second && third);
    hg_hook_remove(first);
    hg_hook_remove(third);
    hg_hook_remove(NULL);
    ck_assert_hg(hg_backward(y));
    ck_assert_int_eq(a.calls, 0);
    ck_assert_int_eq(b.calls, 1);
    ck_assert_int_eq(c.calls, 0);
    hg_scope_end(s);
}
END_TEST

typedef struct once {
    hg_hook *hook;
    int calls;
} once;

static hg_tensor *remove_itself(hg_tensor *grad, void *user)
{
    once *o = user;
    (void)grad;
    o->calls++;
    hg_hook_remove(o->hook);
    return NULL;
}

START_TEST(a_hook_may_remove_itself)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3);
    once o = {0};
    seen a = {0};
    o.hook = hg_add_grad_hook(x, remove_itself, &o);
    ck_assert_ptr_nonnull(hg_add_grad_hook(x, look, &a));
    ck_assert_hg(hg_backward(hg_mul(x, x)));
    ck_assert_hg(hg_backward(hg_mul(x, x)));
    ck_assert_int_eq(o.calls, 1);
    ck_assert_int_eq(a.calls, 2);
    hg_scope_end(s);
}
END_TEST

START_TEST(a_failing_hook_stops_backward)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3), *y = hg_mul(x, x), *z = hg_mul(x, x);
    ck_assert_ptr_nonnull(hg_add_grad_hook(y, misshapen, NULL));
    ck_assert_int_eq(hg_backward(y), HG_E_SHAPE);
    test_error(HG_E_SHAPE, "hook: returned shape [1, 1] for a gradient of shape []");
    ck_assert_ptr_nonnull(hg_add_grad_hook(z, failing, NULL));
    ck_assert_int_lt(hg_backward(z), 0);
    test_error(HG_E_SHAPE, "select() cannot be applied to a 0-dim tensor");
    ck_assert_ptr_null(hg_grad(x));
    hg_scope_end(s);
}
END_TEST

START_TEST(hooks_need_a_function_and_a_gradient_to_come)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(3);
    ck_assert_ptr_null(hg_add_grad_hook(hg_detach(x), look, NULL));
    test_error(HG_E_STATE, "cannot register a hook on a tensor that doesn't require gradient");
    ck_assert_ptr_null(hg_add_grad_hook(x, NULL, NULL));
    test_error(HG_E_ARG, "add_grad_hook: the function is NULL");
    hg_scope_end(s);
}
END_TEST

Suite *hooks_suite(void)
{
    return TEST_SUITE("hooks", a_leafs_hook_sees_the_sum_once, a_replaced_gradient_flows_on, a_removed_hook_is_silent,
                      a_hook_may_remove_itself, a_failing_hook_stops_backward, hooks_need_a_function_and_a_gradient_to_come);
}
