#ifndef TESTS_OPS_SUITES_H
#define TESTS_OPS_SUITES_H

#include "support.h"

Suite *view_suite(void);

#endif
