/* CLBlast, called directly on a device of either class: what hg_gemm hands to it and gets back. */
#include <stdlib.h>

#include "cl/transfer.h"
#include "suites.h"

START_TEST(clblast_takes_every_layout)
{
    for (int trans = 0; trans < 4; trans++)
        check_product(&(product){PRODUCT(19, 45, 23, 2), .beta = trans, .clblast = true, .trans_a = trans & 1,
                                 .trans_b = trans & 2, .offset = {1, 3, 5}, .gap = {3, 1, 2}});
}
END_TEST

START_TEST(clblast_takes_batches_with_and_without_steps)
{
    check_product(&(product){PRODUCTS(3, 11, 37, 20), .clblast = true, .offset = {2, 1, 3}, .gap = {1, 2, 3}});
    check_product(&(product){PRODUCTS(3, 11, 37, 20), .clblast = true, .one_a = true, .beta = 1});
    check_product(&(product){PRODUCTS(3, 11, 37, 20), .clblast = true, .one_b = true, .trans_b = true});
}
END_TEST

START_TEST(replaced_parameters_compute_the_same)
{
    enum { M = 200, N = 130, K = 70 };
    hg_device *dev = hg_device_open(NULL);
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    dev->quirks |= HG_QUIRK_CLBLAST_INTEL_GEMMK1;
    float *ones = malloc(M * N * sizeof *ones), *c = malloc(M * N * sizeof *c);
    for (int i = 0; i < M * N; i++) ones[i] = 1;
    hg_block *x = hg_pool_take(dev, M * N * sizeof *ones), *y = hg_pool_take(dev, M * N * sizeof *c);
    ck_assert(x && y);
    ck_assert_hg(hg_upload(dev, x->mem, 0, ones, M * N * sizeof *ones));
    hg_gemm_problem p = {.m = M,
                         .n = N,
                         .k = K,
                         .batch = 1,
                         .alpha = 1,
                         .a = {x->mem, 0, K, 0},
                         .b = {x->mem, 0, N, 0},
                         .c = {y->mem, 0, N, 0}};
    ck_assert_hg(hg_gemm_clblast(dev, &p));
    ck_assert_hg(hg_download(dev, y->mem, 0, c, M * N * sizeof *c));
    for (int i = 0; i < M * N; i++) ck_assert_msg(c[i] == K, "element %d is %g, expected %d", i, c[i], K);
    hg_pool_give(dev, x);
    hg_pool_give(dev, y);
    hg_device_close(dev);
    free(ones);
    free(c);
}
END_TEST

START_TEST(clblast_errors_come_with_their_names)
{
    hg_device *dev = test_device();
    hg_block *x = hg_pool_take(dev, 256);
    ck_assert_ptr_nonnull(x);
    hg_matrix good = {x->mem, 0, 4, 0}, bad = {x->mem, 0, 2, 0};
    hg_gemm_problem p = {.m = 4, .n = 4, .k = 4, .batch = 1, .alpha = 1, .a = bad, .b = good, .c = good};
    ck_assert_int_eq(hg_gemm_clblast(dev, &p), HG_E_DRIVER);
    test_error(HG_E_DRIVER, "gemm: CLBlast's Gemm failed with CLBlastInvalidLeadDimA (-1016)");
    p.a.offset = INT64_C(1) << 31;
    ck_assert_int_eq(hg_gemm_clblast(dev, &p), HG_E_UNSUPPORTED);
    test_error(HG_E_UNSUPPORTED, "CLBlast cannot address");
    hg_pool_give(dev, x);
}
END_TEST

Suite *clblast_suite(void)
{
    return TEST_SUITE("clblast", clblast_takes_every_layout, clblast_takes_batches_with_and_without_steps,
                      replaced_parameters_compute_the_same, clblast_errors_come_with_their_names);
}
