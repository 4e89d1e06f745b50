/* Kernels of the caller's own. */
#include "tensor/tensor.h"

enum { MAX_ARGS = 64 };

/* The arguments as the launch takes them: a tensor becomes two. Returns their number, or -1 with an error. */
static int translate(hg_device *dev, const char *kernel, const hg_kernel_arg *args, int nargs, hg_arg *out)
{
    int n = 0;
    for (int i = 0; i < nargs; i++) {
        const hg_kernel_arg *a = &args[i];
        switch (a->kind) {
        case HG_KERNEL_TENSOR:
            if (!HG_CHECK_OPERANDS("run_kernel", a->value.tensor)) return -1;
            if (a->value.tensor->dev != dev) {
                hg_error(HG_E_DEVICE, "run_kernel: argument %d of %s is on another device", i, kernel);
                return -1;
            }
            out[n++] = HG_ARG_MEM(a->value.tensor->storage->mem);
            out[n++] = HG_ARG_I64(a->value.tensor->offset);
            break;
        case HG_KERNEL_INT: out[n++] = HG_ARG_I32(a->value.i); break;
        case HG_KERNEL_LONG: out[n++] = HG_ARG_I64(a->value.l); break;
        case HG_KERNEL_FLOAT: out[n++] = HG_ARG_F32(a->value.f); break;
        case HG_KERNEL_DOUBLE: out[n++] = HG_ARG_F64(a->value.d); break;
        case HG_KERNEL_LOCAL: out[n++] = HG_ARG_LOCAL(a->value.bytes); break;
        }
    }
    return n;
}

hg_status hg_run_kernel(hg_device *dev, const char *source, const char *options, const char *kernel, int dims,
                        const size_t *global, const size_t *local, const hg_kernel_arg *args, int nargs)
{
    if (!dev || !source || !kernel || !global || dims < 1 || dims > 3 || nargs < 0 || nargs > MAX_ARGS || (nargs && !args))
        return hg_error(HG_E_ARG, "run_kernel: a device, source, kernel, 1 to 3 dimensions and up to %d arguments are needed",
                        MAX_ARGS);
    hg_arg translated[2 * MAX_ARGS];
    int n = translate(dev, kernel, args, nargs, translated);
    if (n < 0) return hg_last_status();
    hg_range range = {.dims = (cl_uint)dims};
    for (int d = 0; d < dims; d++) {
        range.global[d] = global[d];
        range.local[d] = local ? local[d] : 0;
    }
    hg_source text = {"the caller's source", source, true};
    return hg_launch(dev, &text, options, kernel, range, translated, n);
}
