#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        create_suite(),
        random_suite(),
        scope_suite(),
    };
    return test_main("tensor", suites, (int)(sizeof suites / sizeof *suites));
}
