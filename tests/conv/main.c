#include "cache.h"
#include "suites.h"

int main(void)
{
    cache_keep_pocl();
    Suite *suites[] = {
        database_suite(), /* forks: before a device is open */
        problem_suite(),
        selector_suite(),
        solvers_suite(),
        random_suite(),
        tuning_suite(),
        measure_suite(),
        exchange_suite(),
        fft_suite(),
        winograd_suite(),
    };
    return test_main("conv", suites, (int)(sizeof suites / sizeof *suites));
}
