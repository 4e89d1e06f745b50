/* Devices described as smaller than they are. */
#include <stdlib.h>
#include <string.h>

#include "cl/device.h"
#include "suites.h"

static hg_device *limited(const char *text)
{
    ck_assert_int_eq(setenv("HAPGOP_DEVICE_LIMITS", text, 1), 0);
    hg_device *dev = hg_device_open(NULL);
    unsetenv("HAPGOP_DEVICE_LIMITS");
    return dev;
}

START_TEST(each_limit_is_in_the_description)
{
    hg_device_info info, whole;
    ck_assert_hg(hg_device_get_info(test_device(), &whole));
    hg_device *dev = limited("local_mem=16K,max_wg=32,units=1,fp64=0,max_alloc=1M");
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    ck_assert_hg(hg_device_get_info(dev, &info));
    ck_assert_uint_eq(info.local_memory, 16384);
    ck_assert_uint_eq(info.max_work_group, 32);
    ck_assert_uint_eq(info.units, 1);
    ck_assert_uint_eq(info.max_allocation, 1 << 20);
    ck_assert(!info.fp64);
    ck_assert_uint_eq(info.memory, whole.memory);
    hg_device_close(dev);
    dev = limited("max_wg=1G,units=5G,fp64=1");      /* nothing grows */
    ck_assert_hg(hg_device_get_info(dev, &info));
    ck_assert_uint_eq(info.max_work_group, whole.max_work_group);
    ck_assert_uint_eq(info.units, whole.units);
    ck_assert_int_eq(info.fp64, whole.fp64);
    hg_device_close(dev);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    static const char source[] = "__kernel void k(__global float *x, long xo, __local float *own)\n"
                                 "{ own[0] = x[xo]; x[xo] = own[0] + 1; }\n";
    hg_device *dev = limited("local_mem=1K,max_wg=8,fp64=0,max_alloc=64K");
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(16));
    const size_t n = 16, eight = 8;
    hg_kernel_arg args[] = {HG_TENSOR_ARG(x), HG_LOCAL_ARG(2048)};
    ck_assert_int_eq(hg_run_kernel(dev, source, NULL, "k", 1, &n, &n, args, 2), HG_E_UNSUPPORTED);
    test_error(HG_E_UNSUPPORTED, "kernel k: work-groups of 16 are more than the 8 of HAPGOP_DEVICE_LIMITS");
    ck_assert_int_eq(hg_run_kernel(dev, source, NULL, "k", 1, &n, &eight, args, 2), HG_E_UNSUPPORTED);
    test_error(HG_E_UNSUPPORTED, "bytes of local memory are more than the 1024 of HAPGOP_DEVICE_LIMITS");
    args[1].value.bytes = 512;
    ck_assert_hg(hg_run_kernel(dev, source, NULL, "k", 1, &n, &eight, args, 2));
    ck_assert(!hg_ok(hg_zeros(dev, HG_F64, HG_SHAPE(4))));
    test_error(HG_E_UNSUPPORTED, "float64 is not supported");
    ck_assert(!hg_ok(hg_zeros(dev, HG_F32, HG_SHAPE(65536))));
    test_error(HG_E_MEMORY, "the device's largest allocation is 0.1 MB");
    hg_release(x);
    hg_device_close(dev);
}
END_TEST

START_TEST(text_that_says_nothing_is_refused)
{
    static const char *const texts[][2] = {
        {"local_mem", "\"local_mem\" has no value"},
        {"local_mem=16384,", "\"\" has no value"},
        {"registers=4", "\"registers=4\" is no limit"},
        {"local_memory_of_the_device=4", "is no limit"},
        {"max_wg=many", "\"max_wg=many\" has a value that is no size"},
        {"units=0", "has a value that is no size"},
        {"max_wg=0", "has a value that is no size"},
        {"max_alloc=-5", "has a value that is no size"},
        {"max_alloc=0.1", "has a value that is no size"},
        {"fp64=yes", "\"fp64=yes\" is neither 0 nor 1"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_ptr_null(limited(texts[i][0]));
        test_error(HG_E_ARG, texts[i][1]);
    }
    char many[400] = "";
    for (int i = 0; i < 20; i++) strcat(many, "local_mem=16384,");
    ck_assert_ptr_null(limited(many));
    test_error(HG_E_ARG, "is too long");
    hg_device *dev = limited("");
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    hg_device_close(dev);
}
END_TEST

Suite *limits_suite(void)
{
    return TEST_SUITE("limits", each_limit_is_in_the_description, what_does_not_fit_is_refused,
                      text_that_says_nothing_is_refused);
}
