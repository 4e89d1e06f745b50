#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        gemm_suite(),
    };
    return test_main("blas", suites, (int)(sizeof suites / sizeof *suites));
}
