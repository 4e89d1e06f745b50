/* Making, reading, filling, resizing, printing and wrapping tensors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cl/device.h"
#include "suites.h"

START_TEST(what_goes_up_comes_down)
{
    hg_scope *s = hg_scope_begin(test_device());
    double values[] = {0, 1, 2, 3, 4, 5};
    for (hg_dtype dtype = HG_F32; dtype <= HG_BOOL; dtype++) {
        if (dtype == HG_F64 && !test_has_f64()) continue;
        hg_tensor *t = test_tensor(dtype, HG_SHAPE(2, 3), values);
        ck_assert_int_eq(hg_tensor_dtype(t), dtype);
        test_equal(t, HG_SHAPE(2, 3), (dtype == HG_BOOL ? (double[]){0, 1, 1, 1, 1, 1} : values));
    }
    ck_assert_int_eq(hg_numel(hg_empty(test_device(), HG_F32, HG_SHAPE(3, 0, 2))), 0);
    hg_scope_end(s);
}
END_TEST

START_TEST(every_layout_reads_the_same)
{
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(60);
    for (int layout = 0; layout < TEST_LAYOUTS; layout++)
        test_equal(test_layout(layout, HG_F32, HG_SHAPE(3, 4, 5), v), HG_SHAPE(3, 4, 5), v);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(fills_touch_only_the_view)
{
    hg_scope *s = hg_scope_begin(test_device());
    for (hg_dtype dtype = HG_F32; dtype <= HG_BOOL; dtype++) {
        if (dtype == HG_F64 && !test_has_f64()) continue;
        hg_tensor *t = hg_zeros(test_device(), dtype, HG_SHAPE(3, 4));
        ck_assert_hg(hg_fill_(hg_slice(hg_transpose(t, 0, 1), 0, 1, 4, 2), 1));
        test_equal(t, HG_SHAPE(3, 4), ((double[]){0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}));
    }
    test_equal(hg_full(test_device(), HG_I64, HG_SHAPE(2), -3), HG_SHAPE(2), ((double[]){-3, -3}));
    hg_scope_end(s);
}
END_TEST

START_TEST(copy_broadcasts_and_refuses_what_does_not_fit)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 3));
    ck_assert_hg(hg_copy_(t, hg_arange(test_device(), HG_I32, 0, 3, 1)));
    test_equal(t, HG_SHAPE(2, 3), ((double[]){0, 1, 2, 0, 1, 2}));
    ck_assert_int_eq(hg_copy_(t, hg_zeros(test_device(), HG_F32, HG_SHAPE(4))), HG_E_SHAPE);
    test_error(HG_E_SHAPE, "must match the size of tensor b (4)");
    ck_assert_int_eq(hg_copy_(t, hg_zeros(test_device(), HG_F32, HG_SHAPE(5, 2, 3))), HG_E_SHAPE);
    test_error(HG_E_SHAPE, "does not broadcast");
    hg_scope_end(s);
}
END_TEST

/* The chapter's exam = arange(0, 500, 3).resize(3, 5, 5): exam[2][0][3] is 159. */
START_TEST(chapter_33_resize_truncates)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *exam = hg_arange(test_device(), HG_I64, 0, 500, 3);
    ck_assert_int_eq(hg_numel(exam), 167);
    ck_assert(!hg_ok(hg_view(exam, HG_SHAPE(3, 5, 5))));
    hg_clear_error();
    exam = hg_resized(exam, HG_SHAPE(3, 5, 5));
    ck_assert_int_eq(hg_item_i64(hg_select(hg_select(hg_select(exam, 0, 2), 0, 0), 0, 3)), 159);
    char *text = hg_to_numpy_text(exam);
    ck_assert_msg(text && !strncmp(text, "[[[  0   3   6   9  12]\n  [ 15  18", 33), "%s", text);
    free(text);
    test_equal(hg_resized(hg_arange(test_device(), HG_F32, 1, 3, 1), HG_SHAPE(2, 2)), HG_SHAPE(2, 2),
               ((double[]){1, 2, 0, 0}));
    hg_scope_end(s);
}
END_TEST

START_TEST(arange_counts_as_numpy)
{
    hg_scope *s = hg_scope_begin(test_device());
    test_close(hg_arange(test_device(), HG_F32, 0, 1, 0.25), HG_SHAPE(4), ((double[]){0, .25, .5, .75}), 1e-7, 0);
    test_equal(hg_arange(test_device(), HG_I32, 5, 0, -2), HG_SHAPE(3), ((double[]){5, 3, 1}));
    ck_assert_int_eq(hg_numel(hg_arange(test_device(), HG_I32, 5, 0, 1)), 0);
    ck_assert(!hg_ok(hg_arange(test_device(), HG_I32, 0, 5, 0)));
    test_error(HG_E_ARG, "step not 0");
    hg_scope_end(s);
}
END_TEST

START_TEST(items_need_one_element)
{
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert_double_eq(hg_item(hg_full(test_device(), HG_F32, HG_SHAPE(1, 1), 2.5)), 2.5);
    ck_assert_int_eq(hg_item_i64(hg_full(test_device(), HG_I64, HG_SCALAR, 1e15)), 1000000000000000);
    ck_assert(isnan(hg_item(hg_zeros(test_device(), HG_F32, HG_SHAPE(2)))));
    test_error(HG_E_SHAPE, "only one element");
    hg_scope_end(s);
}
END_TEST

START_TEST(torch_prints_name_the_gradient)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(2), (double[]){1.5, -2});
    ck_assert_hg(hg_set_requires_grad(x, true));
    char *text = hg_to_text(x);
    ck_assert_str_eq(text, "tensor([ 1.5000, -2.0000], requires_grad=True)");
    free(text);
    text = hg_to_text(hg_clone(x));
    ck_assert_str_eq(text, "tensor([ 1.5000, -2.0000], grad_fn=<CloneBackward0>)");
    free(text);
    hg_scope_end(s);
}
END_TEST

START_TEST(wrapped_memory_is_shared_and_checked)
{
    hg_device *dev = test_device();
    hg_scope *s = hg_scope_begin(dev);
    float host[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    cl_int code;
    cl_mem mem = clCreateBuffer(hg_device_context(dev), CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof host, host, &code);
    ck_assert_int_eq(code, CL_SUCCESS);
    hg_tensor *t = hg_tensor_wrap(dev, mem, 8, HG_F32, HG_SHAPE(2, 3));
    test_equal(t, HG_SHAPE(2, 3), ((double[]){2, 3, 4, 5, 6, 7}));
    ck_assert_hg(hg_fill_(t, 9));
    ck_assert_hg(hg_sync(dev));
    clEnqueueReadBuffer(hg_device_queue(dev), mem, CL_TRUE, 0, sizeof host, host, 0, NULL, NULL);
    ck_assert(host[1] == 1 && host[2] == 9 && host[7] == 9);
    ck_assert(!hg_ok(hg_tensor_wrap(dev, mem, 8, HG_F32, HG_SHAPE(7))));
    test_error(HG_E_SHAPE, "the memory has 32");
    ck_assert(!hg_ok(hg_tensor_wrap(dev, mem, 2, HG_F32, HG_SHAPE(1))));
    test_error(HG_E_ARG, "no multiple of 4");
    size_t offset;
    ck_assert_ptr_eq(hg_tensor_mem(hg_select(t, 0, 1), &offset), mem);
    ck_assert_uint_eq(offset, 20);
    hg_scope_end(s);
    clReleaseMemObject(mem);
}
END_TEST

START_TEST(impossible_shapes_are_refused)
{
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert(!hg_ok(hg_empty(test_device(), HG_F32, HG_SHAPE(2, -1))));
    test_error(HG_E_SHAPE, "negative size in shape [2, -1]");
    ck_assert(!hg_ok(hg_empty(test_device(), HG_F32, HG_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40))));
    test_error(HG_E_SHAPE, "too many elements");
    ck_assert(!hg_ok(hg_empty(test_device(), HG_U8, HG_SHAPE(INT64_C(1) << 50))));
    test_error(HG_E_MEMORY, "out of device memory");
    ck_assert(!hg_ok(hg_empty(NULL, HG_F32, HG_SHAPE(1))));
    test_error(HG_E_ARG, "device is NULL");
    ck_assert_hg_ok(hg_zeros(test_device(), HG_F32, HG_SHAPE(4)));      /* the device is still usable */
    hg_scope_end(s);
}
END_TEST

Suite *create_suite(void)
{
    return TEST_SUITE("create", what_goes_up_comes_down, every_layout_reads_the_same, fills_touch_only_the_view,
                      copy_broadcasts_and_refuses_what_does_not_fit, chapter_33_resize_truncates, arange_counts_as_numpy,
                      items_need_one_element, torch_prints_name_the_gradient, wrapped_memory_is_shared_and_checked,
                      impossible_shapes_are_refused);
}
