/* Running suites, the device, the stream of random test data. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "support.h"

static hg_device *device;
static uint64_t run_seed, state;

hg_device *test_device(void)
{
    if (!device) device = hg_device_open(NULL);
    ck_assert_msg(device != NULL, "%s", hg_last_error());
    return device;
}

bool test_has_f64(void)
{
    hg_device_info info;
    ck_assert_hg(hg_device_get_info(test_device(), &info));
    return info.fp64;
}

/* SplitMix64, https://prng.di.unimi.it/splitmix64.c */
uint32_t test_random(void)
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

int64_t test_between(int64_t low, int64_t high)
{
    return low + (int64_t)(test_random() % (uint64_t)(high - low + 1));
}

double test_uniform(double low, double high)
{
    return low + (high - low) * (test_random() / 4294967296.0);
}

static void begin(void)
{
    hg_clear_error();
    state = run_seed;
}

Suite *test_suite(const char *name, const TTest *const *tests, int n)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, begin, NULL);
    for (int i = 0; i < n; i++) tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return suite;
}

int test_main(const char *name, Suite **suites, int n)
{
    const char *seed = getenv("HAPGOP_TEST_SEED");
    setenv("HAPGOP_TUNE", "0", 0); /* what the user has measured changes no test */
    run_seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    printf("%s: HAPGOP_TEST_SEED=%llu\n", name, (unsigned long long)run_seed);
    fflush(stdout);
    SRunner *runner = srunner_create(NULL);
    for (int i = 0; i < n; i++) srunner_add_suite(runner, suites[i]);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    hg_device_close(device);
    return failed != 0;
}
