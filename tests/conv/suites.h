#ifndef TESTS_CONV_SUITES_H
#define TESTS_CONV_SUITES_H

#include "conv/solver.h"
#include "support.h"

Suite *database_suite(void);
Suite *problem_suite(void);
Suite *selector_suite(void);
Suite *solvers_suite(void);
Suite *random_suite(void);
Suite *tuning_suite(void);
Suite *measure_suite(void);
Suite *exchange_suite(void);
Suite *fft_suite(void);
Suite *winograd_suite(void);

#endif
