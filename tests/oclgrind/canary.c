/* What Oclgrind has to find: two work-items that write one element, and a third that writes beyond the buffer. */
#include <stdio.h>

#include "hapgop/tensor.h"

static const char source[] =
    "__kernel void canary(__global float *x, long xo)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    x[xo + (i < 2 ? 0 : 1 << 20)] = (float)i;\n"
    "}\n";

int main(void)
{
    hg_device *dev = hg_device_open(NULL);
    hg_tensor *x = dev ? hg_zeros(dev, HG_F32, HG_SHAPE(4)) : hg_error_tensor();
    const size_t global = 3, local = 3;
    const hg_kernel_arg arg = HG_TENSOR_ARG(x);
    hg_status status = hg_ok(x) ? hg_run_kernel(dev, source, NULL, "canary", 1, &global, &local, &arg, 1) : HG_E_DEVICE;
    if (status == HG_OK) status = hg_sync(dev);
    if (status != HG_OK) fprintf(stderr, "%s\n", hg_last_error());
    hg_release(x);
    hg_device_close(dev);
    return status != HG_OK;
}
