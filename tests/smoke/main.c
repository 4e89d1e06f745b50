#include "smoke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cl/opencl.h"

double *smoke_values(int64_t n, int k)
{
    double *v = malloc(sizeof *v * (size_t)(n + 1));
    ck_assert_ptr_nonnull(v);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * (7 + k) + i / 25 * 3 + k * 5) % 25 - 12) / 4;
    return v;
}

hg_tensor *smoke_tensor(hg_dtype dtype, hg_shape shape, int k)
{
    double *v = smoke_values(test_numel(shape), k);
    hg_tensor *t = test_tensor(dtype, shape, v);
    free(v);
    return t;
}

hg_tensor *smoke_leaf(hg_dtype dtype, hg_shape shape, int k)
{
    hg_tensor *t = smoke_tensor(dtype, shape, k);
    ck_assert_hg(hg_set_requires_grad(t, true));
    return t;
}

void smoke_backward(hg_tensor *y, int k)
{
    ck_assert_hg_ok(y);
    ck_assert_hg(hg_backward_with(y, smoke_tensor(hg_tensor_dtype(y), hg_tensor_shape(y), k), false));
}

double smoke_ulps(hg_dtype dtype, double ulps)
{
    return ulps * (dtype == HG_F64 ? 0x1p-52 : 0x1p-23);
}

double smoke_division(hg_dtype dtype)
{
    cl_device_fp_config config = 0;
    if (dtype == HG_F64) return smoke_ulps(dtype, 0.5);
    clGetDeviceInfo(hg_device_id(test_device()), CL_DEVICE_SINGLE_FP_CONFIG, sizeof config, &config, NULL);
    return smoke_ulps(dtype, config & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT ? 0.5 : 2.5);
}

void smoke_skipped(const char *what)
{
    static const char *said[16];
    int i = 0;
    while (i < 15 && said[i] && strcmp(said[i], what)) i++;
    if (said[i]) return;
    said[i] = what;
    printf("skipped: %s\n", what);
}

int main(void)
{
    hg_device_info info;
    hg_device *dev = hg_device_open(NULL);
    if (!dev || hg_device_get_info(dev, &info) != HG_OK) {
        fprintf(stderr, "%s\n", hg_last_error());
        return 1;
    }
    hg_device_close(dev);
    printf("%s / %s, class %s, work-groups up to %zu, %llu KiB of local memory, fp64 %s\n", info.platform, info.name,
           info.device_class == HG_CLASS_CPU ? "CPU" : "GPU", info.max_work_group,
           (unsigned long long)info.local_memory / 1024, info.fp64 ? "yes" : "no");
    Suite *suites[] = {
        elements_suite(), layers_suite(), order_suite(), products_suite(), rows_suite(), tensors_suite(), train_suite(),
    };
    return test_main("smoke", suites, (int)(sizeof suites / sizeof *suites));
}
