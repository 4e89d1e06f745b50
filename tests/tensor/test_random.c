/* The device's two generators: known answers, statistics, states. The torch stream itself: test_torch_random.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "tensor/random.h"

/* Known answers of Random123's kat_vectors for philox4x32-10; ours uses counters {block, 0}. */
START_TEST(philox_gives_the_published_numbers)
{
    uint32_t words[4];
    hg_philox(0, 0, words);
    ck_assert_uint_eq(words[0], 0x6627e8d5u);
    ck_assert_uint_eq(words[1], 0xe169c58du);
    ck_assert_uint_eq(words[2], 0xbc57ac4cu);
    ck_assert_uint_eq(words[3], 0x9b00dbd8u);
}
END_TEST

START_TEST(device_and_host_philox_agree)
{
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert_hg(hg_manual_seed(test_device(), 0x123456789abcdefull, HG_RNG_PHILOX));
    enum { N = 1003 };
    double expected[N];
    uint32_t words[4];
    for (int i = 0; i < N; i++) {
        hg_philox(0x123456789abcdefull, (uint64_t)i / 4, words);
        expected[i] = (words[i % 4] >> 8) * 0x1p-24;
    }
    test_equal(hg_rand(test_device(), HG_SHAPE(N)), HG_SHAPE(N), expected);
    hg_philox(0x123456789abcdefull, (N + 3) / 4, words);
    uint64_t draw;
    ck_assert_hg(hg_rng_draw64(test_device(), &draw));
    ck_assert_uint_eq(draw, (uint64_t)words[0] << 32 | words[1]);
    hg_scope_end(s);
}
END_TEST

START_TEST(same_seed_same_numbers_next_call_others)
{
    for (int kind = HG_RNG_PHILOX; kind <= HG_RNG_TORCH; kind++) {
        hg_scope *s = hg_scope_begin(test_device());
        ck_assert_hg(hg_manual_seed(test_device(), 5, kind));
        double *a = test_read(hg_randn(test_device(), HG_SHAPE(100))),
               *b = test_read(hg_randn(test_device(), HG_SHAPE(100)));
        ck_assert_hg(hg_manual_seed(test_device(), 5, kind));
        test_equal(hg_randn(test_device(), HG_SHAPE(100)), HG_SHAPE(100), a);
        ck_assert(memcmp(a, b, 100 * sizeof *a));
        free(a);
        free(b);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(statistics_hold)
{
    enum { N = 200000 };
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert_hg(hg_manual_seed(test_device(), test_random(), HG_RNG_PHILOX));
    double *u = test_read(hg_rand(test_device(), HG_SHAPE(N))), *z = test_read(hg_randn(test_device(), HG_SHAPE(N)));
    hg_tensor *mask = hg_empty(test_device(), HG_BOOL, HG_SHAPE(N));
    ck_assert_hg(hg_rng_bernoulli(mask, 0.25));
    double *m = test_read(mask), *k = test_read(hg_randint(test_device(), -3, 4, HG_SHAPE(N)));
    double mean_u = 0, mean_z = 0, var_z = 0, ones = 0, counts[7] = {0};
    for (int i = 0; i < N; i++) {
        ck_assert(u[i] >= 0 && u[i] < 1 && isfinite(z[i]) && k[i] >= -3 && k[i] <= 3);
        mean_u += u[i] / N;
        mean_z += z[i] / N;
        var_z += z[i] * z[i] / N;
        ones += m[i];
        counts[(int)k[i] + 3]++;
    }
    ck_assert_double_le(fabs(mean_u - 0.5), 5 * sqrt(1.0 / 12 / N));
    ck_assert_double_le(fabs(mean_z), 5 / sqrt(N));
    ck_assert_double_le(fabs(var_z - 1), 5 * sqrt(2.0 / N));
    ck_assert_double_le(fabs(ones - 0.25 * N), 5 * sqrt(N * 0.25 * 0.75));
    for (int i = 0; i < 7; i++) ck_assert_double_le(fabs(counts[i] - N / 7.0), 5 * sqrt(N * 6.0 / 49));
    free(u);
    free(z);
    free(m);
    free(k);
    hg_scope_end(s);
}
END_TEST

/* Whole blocks of a vector, what is left over, and p = 1. */
START_TEST(each_bernoulli_bit_is_that_of_its_own_word)
{
    enum { N = 1003 };
    const double p[] = {0, 0.25, 0.75, 1};
    for (int k = 0; k < 4; k++) {
        hg_scope *s = hg_scope_begin(test_device());
        uint64_t seed = (uint64_t)test_random() << 32 | test_random();
        ck_assert_hg(hg_manual_seed(test_device(), seed, HG_RNG_PHILOX));
        hg_tensor *mask = hg_empty(test_device(), HG_BOOL, HG_SHAPE(N));
        ck_assert_hg(hg_rng_bernoulli(mask, p[k]));
        double *m = test_read(mask);
        for (int i = 0; i < N; i++) {
            uint32_t words[4];
            hg_philox(seed, (uint64_t)i / 4, words);
            ck_assert_msg(m[i] == (words[i % 4] < p[k] * 0x1p32), "element %d with p = %g", i, p[k]);
        }
        free(m);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(permutations_hold_every_number_once)
{
    for (int kind = HG_RNG_PHILOX; kind <= HG_RNG_TORCH; kind++) {
        int64_t p[100], seen[100] = {0};
        ck_assert_hg(hg_manual_seed(test_device(), 1, kind));
        ck_assert_hg(hg_randperm(test_device(), 100, p));
        for (int i = 0; i < 100; i++) seen[p[i]]++;
        for (int i = 0; i < 100; i++) ck_assert_int_eq(seen[i], 1);
    }
    ck_assert_hg(hg_randperm(test_device(), 0, NULL));
}
END_TEST

START_TEST(a_state_restores_the_stream)
{
    for (int kind = HG_RNG_PHILOX; kind <= HG_RNG_TORCH; kind++) {
        hg_scope *s = hg_scope_begin(test_device());
        ck_assert_hg(hg_manual_seed(test_device(), 9, kind));
        hg_rand(test_device(), HG_SHAPE(7));
        size_t size = hg_rng_get_state(test_device(), NULL);
        void *state = malloc(size);
        ck_assert_uint_eq(hg_rng_get_state(test_device(), state), size);
        double *a = test_read(hg_rand(test_device(), HG_SHAPE(50)));
        ck_assert_hg(hg_manual_seed(test_device(), 0, !kind));
        ck_assert_hg(hg_rng_set_state(test_device(), state, size));
        test_equal(hg_rand(test_device(), HG_SHAPE(50)), HG_SHAPE(50), a);
        ck_assert_int_eq(hg_rng_set_state(test_device(), state, size - 1), HG_E_FORMAT);
        test_error(HG_E_FORMAT, "no generator's state");
        free(state);
        free(a);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(bad_arguments_are_named)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = hg_zeros(test_device(), HG_F32, HG_SHAPE(4, 4));
    ck_assert_int_eq(hg_uniform_(t, 1, 0), HG_E_ARG);
    test_error(HG_E_ARG, "from=1 > to=0");
    ck_assert_int_eq(hg_normal_(hg_transpose(t, 0, 1), 0, 1), HG_E_ARG);
    test_error(HG_E_ARG, "not contiguous");
    ck_assert(!hg_ok(hg_randint(test_device(), 3, 3, HG_SHAPE(1))));
    test_error(HG_E_ARG, "from=3 >= to=3");
    hg_scope_end(s);
}
END_TEST

Suite *random_suite(void)
{
    return TEST_SUITE("random", philox_gives_the_published_numbers, device_and_host_philox_agree,
                      same_seed_same_numbers_next_call_others, statistics_hold,
                      each_bernoulli_bit_is_that_of_its_own_word, permutations_hold_every_number_once,
                      a_state_restores_the_stream, bad_arguments_are_named);
}
