/* The pool: reuse, accounting, the budget. */
#include <stdlib.h>

#include "cl/device.h"
#include "suites.h"

/* A device under HAPGOP_MEMORY. */
static hg_device *with_budget(const char *budget)
{
    setenv("HAPGOP_MEMORY", budget, 1);
    hg_device *dev = hg_device_open(NULL);
    unsetenv("HAPGOP_MEMORY");
    return dev;
}

START_TEST(blocks_are_used_again)
{
    hg_device *dev = hg_device_open(NULL);
    hg_block *a = hg_pool_take(dev, 1000), *b = hg_pool_take(dev, 0);
    ck_assert(a && b && a->size >= 1000 && a->size < 1300);
    hg_memory_info info;
    ck_assert_hg(hg_memory_get_info(dev, &info));
    ck_assert_uint_eq(info.in_use, a->size + b->size);
    hg_pool_give(dev, a);
    ck_assert_ptr_eq(hg_pool_take(dev, 990), a);
    hg_pool_give(dev, a);
    hg_pool_give(dev, b);
    ck_assert_hg(hg_memory_get_info(dev, &info));
    ck_assert_uint_eq(info.in_use, 0);
    ck_assert_uint_gt(info.held, 0);
    ck_assert_uint_gt(info.peak, 1000);
    hg_memory_trim(dev);
    hg_memory_reset_peak(dev);
    ck_assert_hg(hg_memory_get_info(dev, &info));
    ck_assert_uint_eq(info.held, 0);
    ck_assert_uint_eq(info.peak, 0);
    hg_device_close(dev);
}
END_TEST

START_TEST(size_classes_waste_little)
{
    for (int i = 0; i < 200; i++) {
        size_t bytes = (size_t)test_between(257, 10000000);
        hg_block *block = hg_pool_take(test_device(), bytes);
        ck_assert(block && block->size >= bytes && (double)block->size <= 1.25 * (double)bytes);
        hg_pool_give(test_device(), block);
    }
}
END_TEST

START_TEST(the_budget_gives_a_clear_error_and_the_device_goes_on)
{
    hg_device *dev = with_budget("4M");
    hg_scope *s = hg_scope_begin(dev);
    hg_tensor *kept = hg_full(dev, HG_F32, HG_SHAPE(500000), 2);
    ck_assert_hg_ok(kept);
    ck_assert(!hg_ok(hg_zeros(dev, HG_F32, HG_SHAPE(1000000))));
    test_error(HG_E_MEMORY, "out of device memory: 4.0 MB wanted with 2.1 MB in use of HAPGOP_MEMORY's 4.2 MB");
    ck_assert_double_eq(hg_item(hg_select(kept, 0, 499999)), 2);
    hg_scope_end(s);
    s = hg_scope_begin(dev);    /* what is cached makes room for another size */
    ck_assert_hg_ok(hg_zeros(dev, HG_F32, HG_SHAPE(900000)));
    hg_scope_end(s);
    hg_memory_info info;
    ck_assert_hg(hg_memory_get_info(dev, &info));
    ck_assert_uint_eq(info.in_use, 0);
    ck_assert_uint_eq(info.budget, 4 << 20);
    hg_device_close(dev);
}
END_TEST

START_TEST(a_budget_that_is_no_size_is_refused)
{
    ck_assert_ptr_null(with_budget("plenty"));
    test_error(HG_E_ARG, "HAPGOP_MEMORY=plenty is not a size");
}
END_TEST

START_TEST(many_uploads_stay_within_staging_and_arrive)
{
    enum { N = 4 << 20 };
    hg_scope *s = hg_scope_begin(test_device());
    float *data = malloc(sizeof *data * N);
    ck_assert_ptr_nonnull(data);
    hg_tensor *t[6];
    for (int k = 0; k < 6; k++) {       /* 96 MiB: more than staging holds */
        for (int i = 0; i < N; i++) data[i] = (float)k;
        t[k] = hg_from_data(test_device(), HG_F32, HG_SHAPE(N), data);
    }
    for (int k = 0; k < 6; k++) ck_assert_double_eq(hg_item(hg_select(t[k], 0, N - 1)), k);
    free(data);
    hg_scope_end(s);
}
END_TEST

Suite *memory_suite(void)
{
    return TEST_SUITE("memory", blocks_are_used_again, size_classes_waste_little,
                      the_budget_gives_a_clear_error_and_the_device_goes_on, a_budget_that_is_no_size_is_refused,
                      many_uploads_stay_within_staging_and_arrive);
}
