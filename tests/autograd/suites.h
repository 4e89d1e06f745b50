#ifndef TESTS_AUTOGRAD_SUITES_H
#define TESTS_AUTOGRAD_SUITES_H

#include "support.h"

Suite *custom_suite(void);
Suite *engine_suite(void);
Suite *graphs_suite(void);
Suite *hooks_suite(void);
Suite *in_place_suite(void);

/* A leaf that requires a gradient. */
static inline hg_tensor *leaf_of(hg_shape shape, const double *values)
{
    hg_tensor *x = test_tensor(HG_F32, shape, values);
    ck_assert_hg(hg_set_requires_grad(x, true));
    return x;
}
static inline hg_tensor *scalar_leaf(double value)
{
    return leaf_of(HG_SCALAR, &value);
}
/* What a tensor's gradient, a single number, is. */
static inline double grad_of(hg_tensor *x)
{
    ck_assert_msg(hg_grad(x) != NULL, "there is no gradient");
    double g = hg_item(hg_grad(x));
    ck_assert_msg(hg_last_status() == HG_OK, "%s", hg_last_error());
    return g;
}

#endif
