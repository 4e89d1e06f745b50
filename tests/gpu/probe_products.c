/* Products of matrices: whole tiles and not, each operand as it lies and transposed. */
#include "probe.h"

static void product(int64_t m, int64_t n, int64_t k)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = probe_leaf(HG_SHAPE(m, k)), *b = probe_leaf(HG_SHAPE(k, n)), *y = hg_matmul(a, b);
    probe_backward(y);
    probe_result(y, 1e-6);
    probe_result(hg_grad(a), 1e-6);
    probe_result(hg_grad(b), 1e-6);
    hg_scope_end(s);
}

START_TEST(of_matrices)
{
    product(64, 64, 32);
    product(33, 65, 17);
}
END_TEST

START_TEST(with_a_bias)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = probe_leaf(HG_SHAPE(64, 32)), *w = probe_leaf(HG_SHAPE(64, 32)), *b = probe_leaf(HG_SHAPE(64));
    hg_tensor *y = hg_linear(x, w, b);
    probe_backward(y);
    probe_result(y, 1e-6);
    probe_result(hg_grad(w), 1e-6);
    probe_result(hg_grad(b), 1e-6);
    hg_scope_end(s);
}
END_TEST

Suite *probe_products_suite(void)
{
    return TEST_SUITE("products", of_matrices, with_a_bias);
}
