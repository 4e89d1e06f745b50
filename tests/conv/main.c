#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        problem_suite(),
        selector_suite(),
        solvers_suite(),
        random_suite(),
    };
    return test_main("conv", suites, (int)(sizeof suites / sizeof *suites));
}
