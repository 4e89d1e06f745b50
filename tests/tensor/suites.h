#ifndef TESTS_TENSOR_SUITES_H
#define TESTS_TENSOR_SUITES_H

#include "support.h"

Suite *create_suite(void);
Suite *random_suite(void);
Suite *scope_suite(void);

#endif
