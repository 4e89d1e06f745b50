#ifndef TESTS_OPTIM_SUITES_H
#define TESTS_OPTIM_SUITES_H

#include "hapgop/optim.h"
#include "support.h"

Suite *clip_suite(void);
Suite *groups_suite(void);
Suite *optimizer_suite(void);
Suite *scheduler_suite(void);

/* A module "Box" of three parameters a, b, c of 17, 4 and 3 elements from numbers(n, 0), (n, 1), (n, 2). */
enum { TEST_BOX = 17 + 4 + 3 };
hg_module *test_box(hg_dtype dtype);
/* Its parameters, one after the other. */
void test_read_box(hg_module *m, double out[TEST_BOX]);
/* n values in [-2, 2], as tests/oracle/optim.py makes them; free() them. */
double *test_numbers(int64_t n, int64_t salt);
/* Sets the gradient of a parameter to numbers(n, salt). */
void test_set_grad(hg_tensor *param, int64_t salt);

#endif
