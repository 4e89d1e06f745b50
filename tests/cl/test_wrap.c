/* Living on the caller's context and queue. */
#include "cl/device.h"
#include "suites.h"
#include <unistd.h>

static cl_uint references(cl_command_queue queue)
{
    cl_uint n = 0;
    ck_assert_int_eq(clGetCommandQueueInfo(queue, CL_QUEUE_REFERENCE_COUNT, sizeof n, &n, NULL), CL_SUCCESS);
    return n;
}

/* A driver may give up a finished command's own reference a moment after clFinish: PoCL's worker does. */
static cl_uint settled_references(cl_command_queue queue, cl_uint wanted)
{
    for (int i = 0; i < 2000 && references(queue) != wanted; i++) usleep(1000);
    return references(queue);
}

START_TEST(work_goes_to_the_callers_queue)
{
    cl_int code;
    cl_device_id id = hg_device_id(test_device());
    cl_context context = clCreateContext(NULL, 1, &id, NULL, NULL, &code);
    ck_assert_int_eq(code, CL_SUCCESS);
    cl_command_queue queue = clCreateCommandQueue(context, id, 0, &code);
    cl_mem mem = clCreateBuffer(context, CL_MEM_READ_WRITE, 64, NULL, &code);
    float zero = 0;
    clEnqueueWriteBuffer(queue, mem, CL_TRUE, 0, sizeof zero, &zero, 0, NULL, NULL);
    cl_uint before = settled_references(queue, 1);
    hg_device *dev = hg_device_wrap(context, id, queue);
    ck_assert_uint_gt(references(queue), before);
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    ck_assert_ptr_eq(hg_device_context(dev), context);
    ck_assert_ptr_eq(hg_device_queue(dev), queue);
    hg_scope *s = hg_scope_begin(dev);
    float value = 5;
    clEnqueueFillBuffer(queue, mem, &value, 4, 0, 64, 0, NULL, NULL);   /* ordered before what comes */
    hg_tensor *t = hg_tensor_wrap(dev, mem, 0, HG_F32, HG_SHAPE(16));
    ck_assert_double_eq(hg_item(hg_select(hg_clone(t), 0, 15)), 5);
    ck_assert_int_eq(hg_profile_begin(dev), HG_E_UNSUPPORTED);
    test_error(HG_E_UNSUPPORTED, "CL_QUEUE_PROFILING_ENABLE");
    hg_scope_end(s);
    hg_device_close(dev);
    ck_assert_uint_eq(settled_references(queue, before), before);       /* given back */
    clReleaseMemObject(mem);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
}
END_TEST

START_TEST(queues_that_cannot_serve_are_refused)
{
    cl_int code;
    hg_device *dev = test_device();
    ck_assert_ptr_null(hg_device_wrap(hg_device_context(dev), hg_device_id(dev), NULL));
    test_error(HG_E_ARG, "NULL context, device or queue");
    cl_command_queue queue = clCreateCommandQueue(hg_device_context(dev), hg_device_id(dev), CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    if (code != CL_SUCCESS) return;
    ck_assert_ptr_null(hg_device_wrap(hg_device_context(dev), hg_device_id(dev), queue));
    test_error(HG_E_ARG, "out of order");
    clReleaseCommandQueue(queue);
}
END_TEST

Suite *wrap_suite(void)
{
    return TEST_SUITE("wrap", work_goes_to_the_callers_queue, queues_that_cannot_serve_are_refused);
}
