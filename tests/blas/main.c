#include "suites.h"

int main(void)
{
    Suite *suites[] = {
        gemm_suite(),
        clblast_suite(),
        fft_suite(),
    };
    return test_main("blas", suites, (int)(sizeof suites / sizeof *suites));
}
