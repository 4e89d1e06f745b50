/* An operation of one's own: swish(x) = x * sigmoid(x), with its own OpenCL kernels and its own gradient.
 * Build: cc custom_op.c $(pkg-config --cflags --libs hapgop) -lm */
#include <math.h>
#include <stdio.h>

#include <hapgop/hapgop.h>

static const char *source =
    "__kernel void swish_fwd(__global const float *x, long xo, __global float *y, long yo)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    float v = x[xo + i];\n"
    "    y[yo + i] = v / (1.0f + exp(-v));\n"
    "}\n"
    "__kernel void swish_bwd(__global const float *x, long xo, __global const float *dy, long dyo,\n"
    "                        __global float *dx, long dxo)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    float v = x[xo + i], s = 1.0f / (1.0f + exp(-v));\n"
    "    dx[dxo + i] = dy[dyo + i] * s * (1.0f + v * (1.0f - s));\n"
    "}\n";

static hg_status swish_backward(hg_node *node, hg_tensor *grad_output, hg_tensor **grad_inputs)
{
    hg_tensor *x = hg_node_saved(node, 0), *dy = hg_contiguous(grad_output), *dx = hg_empty_like(dy);
    if (!hg_ok(x) || !hg_ok(dx)) return hg_last_status();
    size_t n = (size_t)hg_numel(x);
    grad_inputs[0] = dx;
    return hg_run_kernel(hg_tensor_device(x), source, NULL, "swish_bwd", 1, &n, NULL,
                         (hg_kernel_arg[]){HG_TENSOR_ARG(x), HG_TENSOR_ARG(dy), HG_TENSOR_ARG(dx)}, 3);
}

static hg_tensor *swish(hg_tensor *x)
{
    x = hg_contiguous(x);
    hg_tensor *y = hg_empty_like(x);
    size_t n = (size_t)hg_numel(x);
    if (!hg_ok(y)) return y;
    if (hg_run_kernel(hg_tensor_device(x), source, NULL, "swish_fwd", 1, &n, NULL,
                      (hg_kernel_arg[]){HG_TENSOR_ARG(x), HG_TENSOR_ARG(y)}, 2) != HG_OK)
        return hg_error_tensor();
    return hg_record_custom(y, "SwishBackward", swish_backward, &x, 1, &x, 1, NULL, 0);
}

int main(void)
{
    hg_device *dev = hg_device_open(NULL);
    if (!dev) {
        fprintf(stderr, "%s\n", hg_last_error());
        return 1;
    }
    hg_scope *s = hg_scope_begin(dev);
    float values[] = {-2, -0.5f, 0, 1, 3}, y[5], dx[5];
    hg_tensor *x = hg_from_data(dev, HG_F32, HG_SHAPE(5), values);
    hg_set_requires_grad(x, true);
    hg_tensor *out = swish(x);
    hg_status status = hg_backward(hg_sum(out, HG_ALL, false));
    if (status == HG_OK) status = hg_read(out, y);
    if (status == HG_OK) status = hg_read(hg_grad(x), dx);
    int wrong = 0;
    for (int i = 0; status == HG_OK && i < 5; i++) {
        double sigmoid = 1 / (1 + exp(-values[i])), slope = sigmoid * (1 + values[i] * (1 - sigmoid));
        printf("swish(%5.2f) = %8.5f   slope %8.5f\n", values[i], y[i], dx[i]);
        wrong += fabs(y[i] - values[i] * sigmoid) > 1e-6 || fabs(dx[i] - slope) > 1e-6;
    }
    if (status != HG_OK) fprintf(stderr, "%s\n", hg_last_error());
    hg_scope_end(s);
    hg_device_close(dev);
    return status != HG_OK || wrong;
}
