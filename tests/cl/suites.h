#ifndef TESTS_CL_SUITES_H
#define TESTS_CL_SUITES_H

#include "support.h"

Suite *device_suite(void);
Suite *limits_suite(void);
Suite *memory_suite(void);
Suite *program_suite(void);
Suite *wrap_suite(void);

#endif
