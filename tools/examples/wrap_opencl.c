/* hapgop beside one's own OpenCL: the application's context, queue and buffers serve both, nothing is copied.
 * Build: cc wrap_opencl.c $(pkg-config --cflags --libs hapgop OpenCL) */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>

#include <hapgop/hapgop.h>

int main(void)
{
    /* The application's own OpenCL: the first device there is, and a buffer that it fills. */
    cl_platform_id platform;
    cl_device_id id;
    cl_int code = clGetPlatformIDs(1, &platform, NULL);
    if (code == CL_SUCCESS) code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &id, NULL);
    if (code != CL_SUCCESS) {
        fprintf(stderr, "no OpenCL device (%d)\n", code);
        return 1;
    }
    cl_context context = clCreateContext(NULL, 1, &id, NULL, NULL, &code);
    cl_command_queue queue = clCreateCommandQueue(context, id, 0, &code);
    cl_mem signal = clCreateBuffer(context, CL_MEM_READ_WRITE, 8 * sizeof(float), NULL, &code);
    float values[8] = {0, 0, 0, 1, 1, 1, 0, 0}, edges[8] = {0};
    clEnqueueWriteBuffer(queue, signal, CL_FALSE, 0, sizeof values, values, 0, NULL, NULL);

    /* The library queues its work behind that, on the same buffer: an edge filter. */
    hg_device *dev = hg_device_wrap(context, id, queue);
    hg_scope *s = hg_scope_begin(dev);
    hg_tensor *x = hg_tensor_wrap(dev, signal, 0, HG_F32, HG_SHAPE(1, 1, 8));
    hg_tensor *w = hg_from_data(dev, HG_F32, HG_SHAPE(1, 1, 3), (float[]){-1, 0, 1});
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.padding[0] = 1;
    hg_tensor *y = hg_conv1d(x, w, NULL, &o);
    size_t offset;
    cl_mem result = hg_tensor_mem(y, &offset);

    /* The application goes on with the result's memory, in the same queue. */
    int wrong = !hg_ok(y);
    if (wrong)
        fprintf(stderr, "%s\n", hg_last_error());
    else
        clEnqueueReadBuffer(queue, result, CL_TRUE, offset, sizeof edges, edges, 0, NULL, NULL);
    for (int i = 0; i < 8; i++) {
        float expected = (i < 7 ? values[i + 1] : 0) - (i ? values[i - 1] : 0);
        printf("%4.0f -> %4.0f\n", values[i], edges[i]);
        wrong += edges[i] != expected;
    }
    hg_scope_end(s);
    hg_device_close(dev);
    clReleaseMemObject(signal);
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    return wrong != 0;
}
