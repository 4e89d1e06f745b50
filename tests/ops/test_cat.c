/* cat: values in every dtype and layout, empty parts, gradients, errors. */
#include <stdlib.h>

#include "suites.h"

START_TEST(parts_lie_behind_one_another)
{
    static const hg_dtype dtypes[] = {HG_F32, HG_F64, HG_I32, HG_I64, HG_U8, HG_BOOL};
    for (int k = 0; k < 6; k++) {
        if (dtypes[k] == HG_F64 && !test_has_f64()) continue;
        hg_scope *s = hg_scope_begin(test_device());
        double a[] = {1, 0, 1, 1}, b[] = {0, 1, 1, 0, 1, 0};
        hg_tensor *t[2] = {test_layout(k % 4, dtypes[k], HG_SHAPE(2, 2), a), test_layout((k + 1) % 4, dtypes[k], HG_SHAPE(2, 3), b)};
        hg_tensor *y = hg_cat(t, 2, 1), *u[2] = {t[0], t[0]};
        ck_assert_int_eq(hg_tensor_dtype(y), dtypes[k]);
        test_equal(y, HG_SHAPE(2, 5), ((double[]){1, 0, 0, 1, 1, 1, 1, 0, 1, 0}));
        test_equal(hg_cat(u, 2, -2), HG_SHAPE(4, 2), ((double[]){1, 0, 1, 1, 1, 0, 1, 1}));
        test_equal(hg_cat(t, 1, 0), HG_SHAPE(2, 2), a);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(empty_parts_add_nothing)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(1, 2), (double[]){1, 2});
    hg_tensor *t[3] = {hg_empty(test_device(), HG_F32, HG_SHAPE(0)), x, hg_empty(test_device(), HG_F32, HG_SHAPE(0, 2))};
    test_equal(hg_cat(t, 3, 0), HG_SHAPE(1, 2), ((double[]){1, 2}));
    test_equal(hg_cat(t, 1, 0), HG_SHAPE(0), (NULL));
    hg_tensor *e[2] = {t[2], t[2]};
    test_equal(hg_cat(e, 2, 1), HG_SHAPE(0, 4), (NULL));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *joined(hg_tensor **in, int n, void *user)
{
    hg_tensor *y = hg_cat(in, n, *(const int *)user);
    return hg_mul(y, y);
}

START_TEST(gradients_are_cut_up_again)
{
    for (int dim = 0; test_has_f64() && dim < 3; dim++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_shape shapes[3] = {HG_SHAPE(2, 3, 2), HG_SHAPE(2, 3, 2), HG_SHAPE(2, 3, 2)};
        hg_tensor *in[3];
        for (int i = 0; i < 3; i++) {
            shapes[i].size[dim] = i + 1;
            double *v = test_values(test_numel(shapes[i]));
            in[i] = test_tensor(HG_F64, shapes[i], v);
            free(v);
        }
        test_gradient(joined, in, 3, &dim);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(an_empty_part_gets_an_empty_gradient)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t[2] = {hg_zeros(test_device(), HG_F32, HG_SHAPE(0)), hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 2))};
    ck_assert_hg(hg_set_requires_grad(t[0], true));
    ck_assert_hg(hg_backward(hg_sum(hg_cat(t, 2, 1), HG_ALL, false)));
    test_equal(hg_grad(t[0]), HG_SHAPE(0), (NULL));
    hg_scope_end(s);
}
END_TEST

START_TEST(parts_that_do_not_fit_say_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(2, 2));
    ck_assert(!hg_ok(hg_cat(NULL, 0, 0)));
    test_error(HG_E_ARG, "cat: expected a non-empty list of Tensors");
    ck_assert(!hg_ok(hg_cat((hg_tensor *[]){x, hg_zeros(dev, HG_F32, HG_SHAPE(3, 1))}, 2, 1)));
    test_error(HG_E_SHAPE, "Sizes of tensors must match except in dimension 1. Expected size 2 but got size 3 for tensor number 1");
    ck_assert(!hg_ok(hg_cat((hg_tensor *[]){x, hg_zeros(dev, HG_F32, HG_SHAPE(2))}, 2, 0)));
    test_error(HG_E_SHAPE, "Tensors must have same number of dimensions: got 2 and 1");
    ck_assert(!hg_ok(hg_cat((hg_tensor *[]){hg_zeros(dev, HG_F32, HG_SCALAR)}, 1, 0)));
    test_error(HG_E_SHAPE, "zero-dimensional tensor (at position 0) cannot be concatenated");
    ck_assert(!hg_ok(hg_cat((hg_tensor *[]){x, hg_cast(x, HG_I32)}, 2, 0)));
    test_error(HG_E_DTYPE, "cat: tensors 0 and 1 are float32 and int32");
    ck_assert(!hg_ok(hg_cat((hg_tensor *[]){x, x}, 2, 2)));
    test_error(HG_E_ARG, "expected to be in range of [-2, 1], but got 2");
    hg_scope_end(s);
}
END_TEST

Suite *cat_suite(void)
{
    return TEST_SUITE("cat", parts_lie_behind_one_another, empty_parts_add_nothing, gradients_are_cut_up_again,
                      an_empty_part_gets_an_empty_gradient, parts_that_do_not_fit_say_why);
}
