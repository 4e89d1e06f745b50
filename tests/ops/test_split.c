/* stack, split, chunk: parts are views, values and gradients exact, PyTorch's counts, errors. */
#include <stdlib.h>

#include "suites.h"

START_TEST(stack_puts_tensors_along_a_new_dim)
{
    for (int dim = -3; dim < 3; dim++) {
        hg_scope *s = hg_scope_begin(test_device());
        double *v = test_integers(18, 50), y[18];
        int d = dim < 0 ? dim + 3 : dim, stride[3] = {1, 1, 1};
        hg_shape shape = d == 0 ? HG_SHAPE(3, 2, 3) : d == 1 ? HG_SHAPE(2, 3, 3) : HG_SHAPE(2, 3, 3);
        for (int k = 1; k >= 0; k--) stride[k] = stride[k + 1] * (int)shape.size[k + 1];
        hg_tensor *in[3];
        for (int i = 0; i < 3; i++) {
            in[i] = test_layout(i + 1, HG_F32, HG_SHAPE(2, 3), v + 6 * i);
            ck_assert_hg(hg_set_requires_grad(in[i], true));
            for (int a = 0; a < 2; a++)
                for (int b = 0; b < 3; b++) {
                    int at[3] = {a, b, 0};
                    if (d < 2) at[2] = b;
                    if (d < 1) at[1] = a;
                    at[d] = i;
                    y[at[0] * stride[0] + at[1] * stride[1] + at[2] * stride[2]] = v[6 * i + 3 * a + b];
                }
        }
        hg_tensor *t = hg_stack(in, 3, dim);
        test_equal(t, shape, y);
        ck_assert_hg(hg_backward_with(t, test_tensor(HG_F32, shape, y), false));
        for (int i = 0; i < 3; i++) test_equal(hg_grad(in[i]), HG_SHAPE(2, 3), v + 6 * i);
        free(v);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(split_and_chunk_cut_as_pytorch_does)
{
    static const struct { int64_t size; int chunks; int count; int64_t first, last; } chunked[] = {
        {7, 3, 3, 3, 1}, {6, 4, 3, 2, 2}, {5, 5, 5, 1, 1}, {2, 5, 2, 1, 1}, {0, 3, 3, 0, 0}, {4, 1, 1, 4, 4}};
    static const struct { int64_t size, each; int count; int64_t last; } cut[] = {
        {7, 3, 3, 1}, {6, 3, 2, 3}, {2, 5, 1, 2}, {0, 3, 1, 0}, {0, 0, 1, 0}};
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *parts[8];
    for (int k = 0; k < 6; k++) {
        hg_tensor *t = hg_zeros(test_device(), HG_I32, HG_SHAPE(2, chunked[k].size));
        ck_assert_int_eq(hg_chunk(t, chunked[k].chunks, 1, parts), chunked[k].count);
        ck_assert_int_eq(hg_size(parts[0], 1), chunked[k].first);
        ck_assert_int_eq(hg_size(parts[chunked[k].count - 1], 1), chunked[k].last);
        for (int i = chunked[k].count; i < chunked[k].chunks; i++) ck_assert(!hg_ok(parts[i]));
    }
    for (int k = 0; k < 5; k++) {
        hg_tensor *t = hg_zeros(test_device(), HG_I32, HG_SHAPE(cut[k].size, 2));
        ck_assert_int_eq(hg_split(t, cut[k].each, -2, parts, 8), cut[k].count);
        ck_assert_int_eq(hg_size(parts[cut[k].count - 1], 0), cut[k].last);
    }
    hg_scope_end(s);
}
END_TEST

START_TEST(parts_are_views_with_gradients)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 5)), *parts[3];
    ck_assert_hg(hg_split_sizes(x, (int64_t[]){2, 0, 3}, 3, 1, parts));
    ck_assert_hg(hg_fill_(parts[2], 4));
    test_equal(x, HG_SHAPE(2, 5), ((double[]){0, 0, 4, 4, 4, 0, 0, 4, 4, 4}));
    ck_assert_hg(hg_set_requires_grad(x, true));
    ck_assert_hg(hg_split_sizes(x, (int64_t[]){2, 0, 3}, 3, 1, parts));
    ck_assert_hg(hg_backward(hg_sum(hg_mul_scalar(parts[2], 3), HG_ALL, false)));
    test_equal(hg_grad(x), HG_SHAPE(2, 5), ((double[]){0, 0, 3, 3, 3, 0, 0, 3, 3, 3}));
    hg_scope_end(s);
}
END_TEST

START_TEST(without_a_scope_the_caller_holds_the_parts)
{
    hg_tensor *x = hg_zeros(test_device(), HG_F32, HG_SHAPE(4)), *parts[2];
    ck_assert_int_eq(hg_chunk(x, 2, 0, parts), 2);
    hg_release(x);
    test_equal(parts[1], HG_SHAPE(2), ((double[]){0, 0}));
    hg_release(parts[0]);
    hg_release(parts[1]);
}
END_TEST

START_TEST(splitting_says_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(2, 3)), *two = hg_zeros(dev, HG_F32, HG_SHAPE(2)), *parts[4];
    ck_assert_int_eq(hg_split(x, 0, 1, parts, 4), HG_E_ARG);
    test_error(HG_E_ARG, "split: the size can only be 0 if dimension size is 0, but got dimension size of 3");
    ck_assert_int_eq(hg_split(x, -1, 1, parts, 4), HG_E_ARG);
    test_error(HG_E_ARG, "split: expects the size to be non-negative, but got -1");
    ck_assert_int_eq(hg_split(x, 1, 1, parts, 2), HG_E_ARG);
    ck_assert(!hg_ok(parts[0]) && !hg_ok(parts[1]));
    test_error(HG_E_ARG, "split: 3 parts, but there is room for 2");
    ck_assert_int_eq(hg_split(hg_zeros(dev, HG_F32, HG_SCALAR), 1, 0, parts, 2), HG_E_SHAPE);
    test_error(HG_E_SHAPE, "split: split expects at least a 1-dimensional tensor");
    ck_assert_int_eq(hg_split_sizes(x, (int64_t[]){1, 1}, 2, 1, parts), HG_E_ARG);
    test_error(HG_E_ARG,
               "split_sizes: expects sizes to sum exactly to 3 (input tensor's size at dimension 1), but they sum "
               "to 2");
    ck_assert_int_eq(hg_split_sizes(x, (int64_t[]){4, -1}, 2, 1, parts), HG_E_ARG);
    test_error(HG_E_ARG, "split_sizes: sizes must be non-negative, but got -1 for part 1");
    ck_assert_int_eq(hg_chunk(x, 0, 1, parts), HG_E_ARG);
    test_error(HG_E_ARG, "chunk: expects `chunks` to be greater than 0, got: 0");
    ck_assert(!hg_ok(hg_stack((hg_tensor *[]){x, two}, 2, 0)));
    test_error(HG_E_SHAPE, "stack: expects each tensor to be equal size, but got [2, 3] at entry 0 and [2] at entry 1");
    ck_assert(!hg_ok(hg_stack((hg_tensor *[]){x, hg_cast(x, HG_I32)}, 2, 0)));
    test_error(HG_E_DTYPE, "stack: tensors 0 and 1 are float32 and int32; hg_cast one of them");
    ck_assert(!hg_ok(hg_stack(NULL, 0, 0)));
    test_error(HG_E_ARG, "stack: expects a non-empty list of Tensors");
    ck_assert(!hg_ok(hg_stack(&x, 1, 3)));
    test_error(HG_E_ARG, "stack: Dimension out of range (expected to be in range of [-3, 2], but got 3)");
    hg_scope_end(s);
}
END_TEST

Suite *split_suite(void)
{
    return TEST_SUITE("split", stack_puts_tensors_along_a_new_dim, split_and_chunk_cut_as_pytorch_does,
                      parts_are_views_with_gradients, without_a_scope_the_caller_holds_the_parts,
                      splitting_says_what_is_wrong);
}
