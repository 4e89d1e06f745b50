#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        device_suite(),
        limits_suite(),
        memory_suite(),
        program_suite(),
        wrap_suite(),
    };
    return test_main("cl", suites, (int)(sizeof suites / sizeof *suites));
}
