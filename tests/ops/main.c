#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        view_suite(),
    };
    return test_main("ops", suites, (int)(sizeof suites / sizeof *suites));
}
