#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        binary_suite(),
        reduce_suite(),
        unary_suite(),
        loss_suite(),
        softmax_suite(),
        view_suite(),
    };
    return test_main("ops", suites, (int)(sizeof suites / sizeof *suites));
}
