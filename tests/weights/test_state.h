/* What the suites of state dicts share. */
#ifndef TEST_STATE_H
#define TEST_STATE_H

#include "hapgop/weights.h"
#include "support.h"
#include "weights/pth.h"
#include "weights/state.h"

Suite *open_suite(void);
Suite *state_suite(void);
Suite *optimizer_state_suite(void);

/* A path inside the run's own temporary folder; valid until the next call. */
const char *scratch(const char *name);
/* A "Pair" of weight (2 x 3) and bias (2), counting up from `first`. */
hg_module *make_pair(int first);
/* Whether all tensors of both have the same names and bits. */
bool same_state(hg_module *a, hg_module *b);

#endif
