/* The host generator against numbers drawn by PyTorch (tests/oracle/torch_random.py), byte for byte. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/torch_random.h"

#define MOST 5000

static uint64_t fnv(const void *data, size_t n)
{
    const unsigned char *bytes = data;
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++) h = (h ^ bytes[i]) * 0x100000001b3;
    return h;
}

/* Runs the call `name`; returns the size of an element, 0 if there is no such call. */
static size_t draw(hg_mt19937 *g, const char *name, double a, double b, int64_t n, void *out)
{
    if (!strcmp(name, "uniform")) return hg_torch_uniform_f32(g, a, b, n, out), sizeof(float);
    if (!strcmp(name, "rand64")) return hg_torch_rand_f64(g, n, out), sizeof(double);
    if (!strcmp(name, "bernoulli")) return hg_torch_bernoulli_f32(g, a, n, out), sizeof(float);
    if (!strcmp(name, "randint")) return hg_torch_randint(g, (int64_t)a, (int64_t)b, n, out), sizeof(int64_t);
    if (!strcmp(name, "randperm")) return hg_torch_randperm(g, n, out), sizeof(int64_t);
    if (!strcmp(name, "normal")) return hg_torch_normal_f32(g, a, b, n, out), sizeof(float);
    if (strcmp(name, "random")) return 0;
    for (int64_t i = 0; i < n; i++) ((int64_t *)out)[i] = hg_torch_random_i64(g);
    return sizeof(int64_t);
}

static void check_call(hg_mt19937 *g, const char *line, int number)
{
    static uint64_t out[MOST];
    char name[16], first[65], got[65] = "";
    double a, b;
    int64_t n;
    uint64_t hash;
    ck_assert_msg(sscanf(line, "%15s %lf %lf %" SCNd64 " %64s %" SCNx64, name, &a, &b, &n, first, &hash) == 6,
        "line %d", number);
    ck_assert_int_le(n, MOST);
    memset(out, 0xff, sizeof out);
    size_t size = draw(g, name, a, b, n, out);
    ck_assert_uint_ne(size, 0);
    for (size_t i = 0; i < size * (size_t)(n < 4 ? n : 4); i++)
        snprintf(got + 2 * i, 3, "%02x", ((unsigned char *)out)[i]);
    ck_assert_msg(!strcmp(got, first), "line %d: %s\ngot %s", number, line, got);
    ck_assert_msg(fnv(out, size * (size_t)n) == hash, "line %d: %s", number, line);
}

START_TEST(draws_and_state_are_those_of_pytorch)
{
    FILE *f = fopen(TEST_DATA "/torch_random.txt", "r");
    ck_assert_ptr_nonnull(f);
    hg_mt19937 g;
    char line[256], state[HG_TORCH_STATE_BYTES];
    uint64_t value;
    int number = 0;
    while (fgets(line, sizeof line, f)) {
        number++;
        if (sscanf(line, "seed %" SCNu64, &value) == 1) {
            hg_mt19937_seed(&g, value);
        } else if (sscanf(line, "state %" SCNx64, &value) == 1) {
            hg_torch_save_state(&g, state);
            ck_assert_msg(fnv(state, sizeof state) == value, "line %d: the state differs", number);
        } else {
            check_call(&g, line, number);
        }
    }
    fclose(f);
    ck_assert_int_eq(number, 234);
}
END_TEST

/* The 10000th word for the default seed is fixed in the C++ standard (std::mt19937). */
START_TEST(twister_is_the_standard_one)
{
    hg_mt19937 g;
    hg_mt19937_seed(&g, 5489);
    uint32_t word = 0;
    for (int i = 0; i < 10000; i++) word = hg_mt19937_next32(&g);
    ck_assert_uint_eq(word, 4123659995u);
}
END_TEST

START_TEST(words_in_a_row_are_words_one_by_one)
{
    hg_mt19937 one, many;
    uint32_t words[1700];
    hg_mt19937_seed(&one, 7);
    hg_mt19937_seed(&many, 7);
    size_t counts[] = {1, 0, 623, 624, 5, 1700, 3};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        hg_mt19937_fill32(&many, words, counts[k]);
        for (size_t i = 0; i < counts[k]; i++) ck_assert_uint_eq(words[i], hg_mt19937_next32(&one));
        ck_assert_mem_eq(&one, &many, sizeof one);
    }
    uint64_t high = hg_mt19937_next32(&one), low = hg_mt19937_next32(&one);
    ck_assert_uint_eq(hg_mt19937_next64(&many), high << 32 | low);
}
END_TEST

START_TEST(loaded_state_goes_on_bit_for_bit)
{
    for (int drawn = 0; drawn < 1300; drawn += 13) {
        hg_mt19937 g, h;
        uint32_t words[1300];
        char state[HG_TORCH_STATE_BYTES];
        float a[21], b[21];
        hg_mt19937_seed(&g, (uint64_t)drawn << 20);
        hg_mt19937_fill32(&g, words, (size_t)drawn);
        hg_torch_normal_f32(&g, 0, 1, drawn % 3, a);    /* a cached number in some of them */
        hg_torch_save_state(&g, state);
        memset(&h, 0xff, sizeof h);
        ck_assert_int_eq(hg_torch_load_state(&h, state, sizeof state), HG_OK);
        ck_assert_mem_eq(&g, &h, sizeof g);
        for (int n = 1; n <= 21; n += 20) {
            hg_torch_normal_f32(&g, 0, 1, n, a);
            hg_torch_normal_f32(&h, 0, 1, n, b);
            ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
        }
    }
}
END_TEST

START_TEST(bytes_that_are_no_state_are_refused)
{
    hg_mt19937 g, before;
    hg_mt19937_seed(&g, 3);
    hg_mt19937_next32(&g);
    before = g;
    char good[HG_TORCH_STATE_BYTES], bad[HG_TORCH_STATE_BYTES];
    hg_torch_save_state(&g, good);
    hg_clear_error();
    ck_assert_int_eq(hg_torch_load_state(&g, good, sizeof good - 1), HG_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(hg_last_error(), "5055 bytes"));
    struct { int at; unsigned char value; } damage[] = {{8, 0}, {11, 0x80}, {8, 7}, {12, 0}, {16, 200}, {19, 1},
        {30, 1}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        memcpy(bad, good, sizeof bad);
        bad[damage[i].at] = (char)damage[i].value;
        hg_clear_error();
        ck_assert_int_eq(hg_torch_load_state(&g, bad, sizeof bad), HG_E_FORMAT);
        ck_assert_ptr_nonnull(strstr(hg_last_error(), "not a PyTorch"));
    }
    hg_clear_error();
    ck_assert_mem_eq(&g, &before, sizeof g);
}
END_TEST

START_TEST(nothing_drawn_for_no_elements)
{
    hg_mt19937 g, before;
    hg_mt19937_seed(&g, 3);
    before = g;
    const char *names[] = {"uniform", "rand64", "bernoulli", "randint", "randperm", "normal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) ck_assert_uint_ne(draw(&g, names[i], 0, 1, 0, NULL), 0);
    ck_assert_mem_eq(&g, &before, sizeof g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torch_random");
    TCase *tests = tcase_create("torch_random");
    tcase_add_test(tests, draws_and_state_are_those_of_pytorch);
    tcase_add_test(tests, twister_is_the_standard_one);
    tcase_add_test(tests, words_in_a_row_are_words_one_by_one);
    tcase_add_test(tests, loaded_state_goes_on_bit_for_bit);
    tcase_add_test(tests, bytes_that_are_no_state_are_refused);
    tcase_add_test(tests, nothing_drawn_for_no_elements);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
