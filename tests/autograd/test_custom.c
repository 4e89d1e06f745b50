/* Operations of one's own, and the check of gradients, which must catch wrong ones. */
#include "suites.h"

/* y = factor * x^2; backward is right for `slope` 2. */
typedef struct square {
    double factor, slope;
} square;

static hg_status square_backward(hg_node *node, hg_tensor *dy, hg_tensor **dx)
{
    const square *c = hg_node_context(node);
    hg_tensor *x = hg_node_saved(node, 0);
    ck_assert(hg_node_wants(node, 0));
    ck_assert(!hg_node_wants(node, 1));     /* there is no such input */
    ck_assert(!hg_ok(hg_node_saved(node, 1)));
    hg_clear_error();
    dx[0] = hg_mul_scalar(hg_mul(dy, x), c->slope * c->factor);
    return HG_OK;
}

static hg_tensor *squared(hg_tensor *x, square c)
{
    hg_no_grad_begin();
    hg_tensor *y = hg_mul_scalar(hg_mul(x, x), c.factor);
    hg_no_grad_end();
    return hg_record_custom(y, "SquareBackward", square_backward, &x, 1, &x, 1, &c, sizeof c);
}

static hg_tensor *squared_of(hg_tensor **in, int n, void *user)
{
    (void)n;
    return squared(in[0], *(const square *)user);
}

START_TEST(an_operation_of_ones_own_has_a_gradient)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){3, -1});
    ck_assert_hg(hg_backward(hg_sum(squared(hg_mul_scalar(x, 2), (square){5, 2}), HG_ALL, false)));
    test_equal(hg_grad(x), HG_SHAPE(2), ((double[]){120, -40}));
    hg_tensor *plain = hg_detach(x);
    ck_assert(!hg_requires_grad(squared(plain, (square){5, 2})));
    hg_scope_end(s);
}
END_TEST

START_TEST(gradcheck_accepts_right_gradients_and_catches_wrong_ones)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(3), (double[]){1, -2, 0.5});
    ck_assert_hg(hg_set_requires_grad(x, true));
    square right = {3, 2}, wrong = {3, 2.001};
    ck_assert_hg(hg_gradcheck(squared_of, &x, 1, &right, 1e-6, 1e-6, 1e-5));
    test_equal(x, HG_SHAPE(3), ((double[]){1, -2, 0.5}));
    ck_assert_int_eq(hg_gradcheck(squared_of, &x, 1, &wrong, 1e-6, 1e-6, 1e-5), HG_E_STATE);
    test_error(HG_E_STATE, "gradcheck: input 0, element 0: backward gives 3.0015, differences give 3");
    test_equal(x, HG_SHAPE(3), ((double[]){1, -2, 0.5}));
    hg_tensor *f = leaf_of(HG_SHAPE(1), (double[]){1});
    ck_assert_int_eq(hg_gradcheck(squared_of, &f, 1, &right, 1e-6, 1e-6, 1e-5), HG_E_ARG);
    test_error(HG_E_ARG, "gradcheck: input 0 is not a contiguous float64 leaf");
    hg_scope_end(s);
}
END_TEST

typedef enum mistake { SHAPE, DTYPE, STATUS, NOTHING } mistake;

static hg_status bad_backward(hg_node *node, hg_tensor *dy, hg_tensor **dx)
{
    switch (*(const mistake *)hg_node_context(node)) {
    case SHAPE: dx[0] = hg_reshape(dy, HG_SHAPE(1, 2)); break;
    case DTYPE: dx[0] = hg_cast(dy, HG_I32); break;
    case STATUS: return hg_fill_(NULL, 0);
    case NOTHING: break;
    }
    return HG_OK;
}

START_TEST(a_backward_that_fails_leaves_the_gradients_of_leaves_alone)
{
    hg_scope *s = hg_scope_begin(test_device());
    static const struct {
        mistake what;
        hg_status code;
        const char *text;
    } cases[] = {
        {SHAPE, HG_E_SHAPE, "backward: BadBackward returned a gradient of shape [1, 2] at index 0, expected [2]"},
        {DTYPE, HG_E_DTYPE, "backward: BadBackward returned a gradient of int32 at index 0, expected float32"},
        {STATUS, HG_E_ARG, "fill_: operand 0 is NULL"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){1, 2}), *w = leaf_of(HG_SHAPE(2), (double[]){3, 4});
        ck_assert_hg(hg_backward(hg_sum(hg_mul(x, w), HG_ALL, false)));
        hg_tensor *y = hg_record_custom(hg_clone(hg_detach(x)), "BadBackward", bad_backward, &x, 1, NULL, 0, &cases[k].what,
                                        sizeof cases[k].what);
        ck_assert_int_eq(hg_backward(hg_sum(hg_mul(y, w), HG_ALL, false)), cases[k].code);    /* w's part is done first */
        test_error(cases[k].code, cases[k].text);
        test_equal(hg_grad(x), HG_SHAPE(2), ((double[]){3, 4}));
        test_equal(hg_grad(w), HG_SHAPE(2), ((double[]){1, 2}));
        ck_assert(hg_grad_enabled());
        ck_assert_hg(hg_backward(hg_sum(hg_mul(x, w), HG_ALL, false)));                       /* all is usable */
        test_equal(hg_grad(x), HG_SHAPE(2), ((double[]){6, 8}));
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(no_gradient_given_is_none)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = leaf_of(HG_SHAPE(2), (double[]){1, 2}), *z = hg_mul_scalar(x, 3);
    mistake nothing = NOTHING;
    hg_tensor *y = hg_record_custom(hg_clone(hg_detach(x)), "NoBackward", bad_backward, &z, 1, NULL, 0, &nothing, sizeof nothing);
    ck_assert_hg(hg_backward(hg_sum(y, HG_ALL, false)));
    ck_assert_ptr_null(hg_grad(x));
    hg_scope_end(s);
}
END_TEST

START_TEST(record_custom_says_what_it_needs)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = scalar_leaf(1);
    ck_assert(!hg_ok(hg_record_custom(hg_detach(x), NULL, square_backward, &x, 1, NULL, 0, NULL, 0)));
    test_error(HG_E_ARG, "record_custom: name, backward, and what the counts promise must be given");
    ck_assert(!hg_ok(hg_record_custom(hg_mul(x, x), "Twice", square_backward, &x, 1, NULL, 0, NULL, 0)));
    test_error(HG_E_STATE, "record_custom: the output has a history already; compute it under hg_no_grad_begin()");
    hg_scope_end(s);
}
END_TEST

Suite *custom_suite(void)
{
    return TEST_SUITE("custom", an_operation_of_ones_own_has_a_gradient,
                      gradcheck_accepts_right_gradients_and_catches_wrong_ones,
                      a_backward_that_fails_leaves_the_gradients_of_leaves_alone, no_gradient_given_is_none,
                      record_custom_says_what_it_needs);
}
