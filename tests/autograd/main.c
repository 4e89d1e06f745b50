#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        custom_suite(),
        engine_suite(),
        graphs_suite(),
        hooks_suite(),
        in_place_suite(),
    };
    return test_main("autograd", suites, (int)(sizeof suites / sizeof *suites));
}
