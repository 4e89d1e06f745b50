/* Matrix products: every layout, edge, epilogue and special size; repeatability; bad input. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cl/transfer.h"
#include "suites.h"

/* The sanitizers and CLBlast's own compilations leave time for the small sizes only. */
static bool gpu_class(void)
{
    return test_device()->info.device_class == HG_CLASS_GPU;
}

START_TEST(every_transpose_at_every_edge_of_the_tiles)
{
    const int64_t sizes[][3] = {{1, 1, 1},   {8, 32, 16},   {7, 31, 15}, {9, 33, 17},
                                {16, 10, 5}, {17, 100, 40}, {64, 64, 1}, {3, 65, 129},
                                {33, 10, 900}, {260, 16, 64}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int trans = 0; trans < 4; trans++)
            check_product(&(product){PRODUCT(sizes[s][0], sizes[s][1], sizes[s][2], 1), .trans_a = trans & 1,
                                     .trans_b = trans & 2});
}
END_TEST

/* The path of its own that a batch of one to four images takes through a linear layer. */
START_TEST(few_rows_by_a_matrix_that_lies_transposed)
{
    for (int m = 1; m <= 5; m++) {
        int64_t n = test_between(1, 80), k = test_between(1, 100), z = test_between(1, 3);
        check_product(&(product){PRODUCTS(z, m, n, k), .trans_b = true, .offset = {1, 3, 5}, .gap = {3, 1, 2},
                                 .bias_along = m % 2 ? HG_BIAS_COLUMNS : HG_BIAS_ROWS, .relu = m > 2, .beta = m == 3});
        check_product(&(product){PRODUCT(m, 7, 16, 1), .trans_b = true});
    }
}
END_TEST

START_TEST(offsets_and_leading_dimensions_leave_the_rest_alone)
{
    for (int trans = 0; trans < 4; trans++) {
        check_product(&(product){PRODUCT(19, 45, 23, 1), .trans_a = trans & 1, .trans_b = trans & 2,
                                 .offset = {1, 3, 5}, .gap = {3, 1, 2}});
        check_product(&(product){PRODUCT(40, 12, 700, 1), .trans_a = trans & 1, .trans_b = trans & 2,
                                 .offset = {7, 0, 1}, .gap = {0, 4, 20}, .beta = 1});
    }
}
END_TEST

START_TEST(alpha_and_beta)
{
    const double values[][2] = {{1, 0}, {2, 0}, {1, 1}, {-1, 2}, {0.5, -0.5}, {0, 1}, {0, 0}, {0, 3}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        check_product(&(product){PRODUCT(18, 50, 7, values[i][0]), .beta = values[i][1]});
        check_product(&(product){PRODUCT(45, 12, 600, values[i][0]), .trans_b = true, .beta = values[i][1]});
    }
}
END_TEST

START_TEST(bias_and_relu)
{
    for (int relu = 0; relu < 2; relu++)
        for (int along = HG_BIAS_NONE; along <= HG_BIAS_ROWS; along++) {
            check_product(&(product){PRODUCT(21, 70, 9, 1), .bias_along = along, .relu = relu, .offset = {0, 0, 3}});
            check_product(
                &(product){PRODUCT(43, 10, 700, 1), .trans_a = true, .bias_along = along, .relu = relu, .beta = 1});
            check_product(&(product){PRODUCT(5, 6, 0, 1), .bias_along = along, .relu = relu, .beta = 2});
        }
}
END_TEST

START_TEST(batches_share_an_operand_or_have_their_own)
{
    for (int one = 0; one < 4; one++)
        for (int trans = 0; trans < 4; trans++)
            check_product(&(product){PRODUCTS(3, 11, 37, 20), .one_a = one & 1, .one_b = one & 2, .trans_a = trans & 1,
                                     .trans_b = trans & 2, .offset = {2, 1, 3}, .gap = {1, 2, 3}, .beta = one == 3});
    check_product(&(product){PRODUCTS(200, 4, 5, 6), .bias_along = HG_BIAS_ROWS, .relu = true});
}
END_TEST

START_TEST(empty_sizes)
{
    check_product(&(product){PRODUCT(0, 5, 3, 1)});
    check_product(&(product){PRODUCT(5, 0, 3, 1)});
    check_product(&(product){PRODUCTS(0, 5, 4, 3)});
    check_product(&(product){PRODUCT(5, 40, 0, 1)});
    check_product(&(product){PRODUCTS(2, 5, 40, 0), .beta = -2, .gap = {0, 0, 3}});
}
END_TEST

START_TEST(a_long_sum_is_split)
{
    check_product(&(product){PRODUCT(10, 40, 50000, 1), .beta = 1, .bias_along = HG_BIAS_COLUMNS, .relu = true});
    check_product(&(product){PRODUCTS(2, 3, 2, 50001), .trans_a = true, .trans_b = true, .gap = {1, 1, 1}});
    if (gpu_class()) return;
    check_product(&(product){PRODUCT(64, 288, 1440, 1), .trans_b = true});
    check_product(&(product){PRODUCT(120, 600, 100, 1), .trans_a = true, .beta = 1});
}
END_TEST

START_TEST(large_products_have_several_work_items_and_pieces_of_k)
{
    if (gpu_class()) return; /* they are the CPU path's */
    for (int trans = 0; trans < 4; trans++)
        check_product(&(product){PRODUCT(270, 77, 333, 2), .trans_a = trans & 1, .trans_b = trans & 2,
                                 .gap = {1, 2, 3}, .beta = trans == 3});
    check_product(&(product){PRODUCT(20, 500, 643, 1), .bias_along = HG_BIAS_ROWS, .relu = true});
    check_product(&(product){PRODUCT(9, 200, 65000, 1), .rough = true, .trans_b = true, .bias_along = HG_BIAS_COLUMNS});
    check_product(&(product){PRODUCT(2, 66000, 3, 1), .bias_along = HG_BIAS_COLUMNS, .relu = true});
    check_product(&(product){PRODUCT(66000, 2, 3, 1), .bias_along = HG_BIAS_ROWS, .beta = 1});
    check_product(
        &(product){PRODUCT(1, 40000, 900, 1), .trans_b = true, .bias_along = HG_BIAS_COLUMNS, .relu = true, .beta = 1});
    check_product(&(product){PRODUCTS(30, 1, 5000, 300), .one_a = true});
}
END_TEST

/* Each of gemm_gpu.c's, in every layout, with operands that vectors of 4 may be read of and without. */
START_TEST(tiles_of_gpus_cover_products_of_any_size)
{
    static const struct {
        int64_t m, n, k;
        const char *tile;
    } sizes[] = {{260, 392, 20, "128x128"}, {76, 60, 36, "64x64"}, {20, 140, 36, "32x128"}, {140, 28, 20, "128x32"},
                 {12, 28, 20, "32x32"}};
    if (!gpu_class()) return;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int trans = 0; trans < 4; trans++) {
            int64_t m = sizes[s].m, n = sizes[s].n, k = sizes[s].k;
            hg_gemm_problem q = {.trans_a = trans & 1, .trans_b = trans & 2, .m = m, .n = n, .k = k, .batch = 1};
            q.a.ld = trans & 1 ? m : k;
            q.b.ld = trans & 2 ? k : n;
            q.c.ld = n;
            ck_assert_str_eq(hg_gemm_algorithm(test_device(), &q), sizes[s].tile);
            check_product(&(product){PRODUCT(m, n, k, 1), .trans_a = trans & 1, .trans_b = trans & 2,
                                     .bias_along = HG_BIAS_ROWS, .relu = true});
            check_product(&(product){PRODUCT(m - 3, n - 3, k - 3, 1), .trans_a = trans & 1, .trans_b = trans & 2,
                                     .beta = 1});
        }
    check_product(&(product){PRODUCTS(2, 36, 40, 2000), .trans_b = true, .bias_along = HG_BIAS_COLUMNS});
}
END_TEST

/* The tile of 16 x 16 is a kernel more to compile, which a small product does not ask for. */
START_TEST(few_columns_have_a_tile_of_their_own_if_there_is_work)
{
    hg_gemm_problem q = {.m = 100, .n = 10, .k = 120, .batch = 1, .a.ld = 120, .b.ld = 10, .c.ld = 10};
    if (gpu_class()) return;
    ck_assert_str_eq(hg_gemm_algorithm(test_device(), &q), "8x32");
    q.k = q.a.ld = 300;
    ck_assert_str_eq(hg_gemm_algorithm(test_device(), &q), "16x16");
    q.n = q.b.ld = q.c.ld = 17;
    ck_assert_str_eq(hg_gemm_algorithm(test_device(), &q), "8x32");
}
END_TEST

START_TEST(thirty_two_kib_of_local_memory_and_many_units_do)
{
    hg_device *dev = test_device();
    hg_device_info info = dev->info;
    if (gpu_class()) return;
    for (int i = 0; i < 4; i++) {
        if (i % 2) dev->info.local_memory = 32 << 10;
        if (i / 2) dev->info.units = 96;
        check_product(&(product){PRODUCT(101, 77, 150, 1), .trans_a = i & 1, .trans_b = i & 2, .gap = {1, 2, 3}});
        check_product(&(product){PRODUCT(35, 10, 3000, 1), .bias_along = HG_BIAS_COLUMNS});
        check_product(&(product){PRODUCTS(2, 9, 40, 100), .f64 = test_has_f64(), .beta = 1});
    }
    dev->info = info;
}
END_TEST

START_TEST(random_products)
{
    for (int i = 0; i < (gpu_class() ? 40 : 100); i++) {
        product p = {.m = test_between(1, 70),
                     .n = test_between(1, 150),
                     .k = test_between(1, 90),
                     .batch = test_between(1, 3),
                     .trans_a = test_between(0, 1),
                     .trans_b = test_between(0, 1),
                     .one_a = test_between(0, 1),
                     .one_b = test_between(0, 1),
                     .alpha = (double)test_between(-2, 2),
                     .beta = (double)test_between(-1, 1),
                     .bias_along = (hg_gemm_bias)test_between(0, 2),
                     .relu = test_between(0, 1),
                     .rough = test_between(0, 3) == 0};
        for (int x = 0; x < 3; x++) {
            p.offset[x] = test_between(0, 9);
            p.gap[x] = test_between(0, 5);
        }
        check_product(&p);
    }
}
END_TEST

START_TEST(rounding_stays_within_the_metric)
{
    check_product(&(product){PRODUCT(65, 130, 1100, 1), .rough = true});
    check_product(&(product){PRODUCT(5, 40, 9000, 0.3), .trans_b = true, .rough = true, .beta = 0.7});
}
END_TEST

START_TEST(double_precision)
{
    if (!test_has_f64() || gpu_class()) return; /* CLBlast's doubles have a test of their own */
    for (int trans = 0; trans < 4; trans++) {
        check_product(&(product){PRODUCT(19, 45, 23, 1), .f64 = true, .trans_a = trans & 1, .trans_b = trans & 2,
                                 .offset = {1, 3, 5}, .gap = {3, 1, 2}, .beta = 2, .rough = true});
        check_product(&(product){PRODUCTS(2, 9, 10, 1300), .f64 = true, .trans_a = trans & 1, .trans_b = trans & 2,
                                 .bias_along = HG_BIAS_ROWS, .relu = true, .rough = true});
    }
}
END_TEST

START_TEST(double_precision_on_gpus)
{
    if (!test_has_f64() || !gpu_class()) return;
    check_product(
        &(product){PRODUCT(9, 13, 31, 1), .f64 = true, .trans_b = true, .gap = {1, 2, 3}, .beta = 2, .rough = true});
}
END_TEST

/* C of a product of `problem` on one stream of random data. */
static float *product_bits(int64_t m, int64_t n, int64_t k, float *c)
{
    hg_device *dev = test_device();
    hg_block *blocks[3];
    int64_t elements[3] = {m * k, k * n, m * n};
    for (int x = 0; x < 3; x++) {
        blocks[x] = hg_pool_take(dev, (size_t)elements[x] * 4);
        ck_assert_ptr_nonnull(blocks[x]);
        for (int64_t i = 0; i < elements[x] && x < 2; i++) c[i] = (float)sin((double)(i * (x + 1)));
        if (x < 2) ck_assert_hg(hg_upload(dev, blocks[x]->mem, 0, c, (size_t)elements[x] * 4));
    }
    hg_gemm_problem p = {.m = m,
                         .n = n,
                         .k = k,
                         .batch = 1,
                         .alpha = 1,
                         .a = {blocks[0]->mem, 0, k, 0},
                         .b = {blocks[1]->mem, 0, n, 0},
                         .c = {blocks[2]->mem, 0, n, 0}};
    ck_assert_hg(hg_gemm(dev, &p));
    ck_assert_hg(hg_download(dev, blocks[2]->mem, 0, c, (size_t)elements[2] * 4));
    for (int x = 0; x < 3; x++) hg_pool_give(dev, blocks[x]);
    return c;
}

START_TEST(the_same_product_gives_the_same_bits)
{
    const int64_t sizes[][3] = {{33, 100, 257}, {4, 20, 40000}};
    float *first = malloc(800000 * sizeof *first), *again = malloc(800000 * sizeof *again);
    for (size_t s = 0; s < 2; s++) {
        int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
        product_bits(m, n, k, first);
        for (int run = 0; run < 5; run++) ck_assert_mem_eq(product_bits(m, n, k, again), first, (size_t)(m * n) * 4);
    }
    free(first);
    free(again);
}
END_TEST

START_TEST(relu_keeps_nan)
{
    hg_device *dev = test_device();
    float data[4] = {NAN, 1, -1, 2}, c[4];
    hg_block *a = hg_pool_take(dev, sizeof data), *b = hg_pool_take(dev, sizeof c);
    ck_assert_hg(hg_upload(dev, a->mem, 0, data, sizeof data));
    hg_gemm_problem p = {.m = 4,
                         .n = 1,
                         .k = 1,
                         .batch = 1,
                         .alpha = 1,
                         .a = {a->mem, 0, 1, 0},
                         .b = {a->mem, 1, 1, 0},
                         .c = {b->mem, 0, 1, 0},
                         .relu = true};
    ck_assert_hg(hg_gemm(dev, &p));
    ck_assert_hg(hg_download(dev, b->mem, 0, c, sizeof c));
    ck_assert(isnan(c[0]) && c[1] == 1 && c[2] == 0 && c[3] == 2);
    hg_pool_give(dev, a);
    hg_pool_give(dev, b);
}
END_TEST

START_TEST(bad_problems_say_what_is_wrong)
{
    hg_device *dev = test_device();
    hg_block *x = hg_pool_take(dev, 256);
    hg_matrix ok = {x->mem, 0, 4, 16};
    hg_gemm_problem good = {.m = 4, .n = 4, .k = 4, .batch = 1, .alpha = 1, .a = ok, .b = ok, .c = ok}, p = good;
    p.m = -1;
    ck_assert_int_eq(hg_gemm(dev, &p), HG_E_ARG);
    test_error(HG_E_ARG, "negative size");
    p = good;
    p.a.ld = 3;
    hg_gemm(dev, &p);
    test_error(HG_E_ARG, "A is 4 x 4 in memory, but its leading dimension is 3");
    p = good;
    p.b.offset = 200;
    hg_gemm(dev, &p);
    test_error(HG_E_ARG, "B ends at element 216 of a buffer of");
    p = good;
    p.c.offset = -1;
    hg_gemm(dev, &p);
    test_error(HG_E_ARG, "C has offset -1");
    p = good;
    p.batch = 2;
    p.c.step = 15;
    hg_gemm(dev, &p);
    test_error(HG_E_ARG, "matrices of C overlap");
    p = good;
    p.n = INT64_C(1) << 40;
    hg_gemm(dev, &p);
    test_error(HG_E_ARG, "at most");
    p = good;
    p.bias_along = HG_BIAS_ROWS;
    p.bias = x->mem;
    p.bias_offset = 1000;
    hg_gemm(dev, &p);
    test_error(HG_E_ARG, "the bias ends at element 1004");
    ck_assert_hg(hg_gemm(dev, &good));
    hg_pool_give(dev, x);
}
END_TEST

Suite *gemm_suite(void)
{
    return TEST_SUITE(
        "gemm", every_transpose_at_every_edge_of_the_tiles, few_rows_by_a_matrix_that_lies_transposed,
        offsets_and_leading_dimensions_leave_the_rest_alone, alpha_and_beta, bias_and_relu,
        batches_share_an_operand_or_have_their_own, empty_sizes, a_long_sum_is_split,
        large_products_have_several_work_items_and_pieces_of_k, few_columns_have_a_tile_of_their_own_if_there_is_work,
        tiles_of_gpus_cover_products_of_any_size, thirty_two_kib_of_local_memory_and_many_units_do, random_products,
        rounding_stays_within_the_metric, double_precision, double_precision_on_gpus,
        the_same_product_gives_the_same_bits, relu_keeps_nan, bad_problems_say_what_is_wrong);
}
