#ifndef TESTS_NN_SUITES_H
#define TESTS_NN_SUITES_H

#include "hapgop/nn.h"
#include "support.h"

Suite *compile_suite(void);
Suite *fashion_suite(void);
Suite *finetune_suite(void);
Suite *forward_suite(void);
Suite *layers_suite(void);
Suite *memory_suite(void);
Suite *module_suite(void);
Suite *norms_suite(void);
Suite *zoo_suite(void);

/* A module with parameters weight (3) and bias (1) and the buffer seen (1); forward gives x * 2 as a new tensor. */
hg_module *test_unit(void);
/* y = 2 x with the gradient 2 dy; counts its calls. */
hg_tensor *test_twice(hg_tensor *x);
/* Device memory in use, after a wait. */
uint64_t test_memory(void);

#endif
