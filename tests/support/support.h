/* What every room's tests share: the device, data, views, comparisons, golden files.
 * A room's main.c: int main(void) { return test_main("ops", (Suite *[]){relu_suite(), ...}, N); } */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>

#include "hapgop/autograd.h"
#include "hapgop/ops.h"

/* Runs the suites without forking; returns main's result. Prints the seed of this run's random data
 * (HAPGOP_TEST_SEED sets it). Closes the device at the end. */
int test_main(const char *name, Suite **suites, int n);
/* A suite of one case from its test functions, each begun with a clear error and a seed of its own. */
Suite *test_suite(const char *name, const TTest *const *tests, int n);
#define TEST_SUITE(name, ...)                                                                                          \
    test_suite(name, (const TTest *const[]){__VA_ARGS__}, (int)(sizeof((const TTest *const[]){__VA_ARGS__}) / sizeof(TTest *)))

/* $HAPGOP_DEVICE or the default, opened once a program. */
hg_device *test_device(void);
bool test_has_f64(void);

/* ---- data: a stream of its own, not the library's ---- */
uint32_t test_random(void);
int64_t test_between(int64_t low, int64_t high);        /* both included */
double test_uniform(double low, double high);
/* n values in [-1, 1]; small integers in [-limit, limit] for exact tests. free() them. */
double *test_values(int64_t n);
double *test_integers(int64_t n, int limit);
int64_t test_numel(hg_shape shape);

/* A tensor of any dtype from doubles, row-major. The result goes to the open scope or to the caller. */
hg_tensor *test_tensor(hg_dtype dtype, hg_shape shape, const double *values);
/* The same elements, laid out as: 0 contiguous; 1 x[1:] of a larger tensor (offset); 2 transposed in memory;
 * 3 every second element of a larger one (stride). */
enum { TEST_LAYOUTS = 4 };
hg_tensor *test_layout(int layout, hg_dtype dtype, hg_shape shape, const double *values);
const char *test_layout_name(int layout);
/* Elements as doubles, row-major; free() them. Fails the test if the tensor is the error tensor. */
double *test_read(hg_tensor *t);

/* ---- comparisons; each fails the test with the first difference ---- */
#define ck_assert_hg_ok(t) ck_assert_msg(hg_ok(t), "%s", hg_last_error())
#define ck_assert_hg(expr) ck_assert_msg((expr) == HG_OK, "%s", hg_last_error())
/* Expects this error code and this part of its text, then clears it. */
void test_error(hg_status code, const char *part);
/* |t - expected| <= atol + rtol |expected| for each element (NaN equals NaN), and the shape. */
void test_close(hg_tensor *t, hg_shape shape, const double *expected, double atol, double rtol);
#define test_equal(t, shape, expected) test_close(t, shape, expected, 0, 0)
/* sqrt(mean((t - expected)^2)) / max|expected| <= limit: the project's metric. */
void test_rms(hg_tensor *t, hg_shape shape, const double *expected, double limit);
/* hg_gradcheck with eps 1e-6, atol 1e-6, rtol 1e-5; skipped without fp64. Inputs get requires_grad. */
void test_gradient(hg_gradcheck_fn fn, hg_tensor **inputs, int n, void *user);

/* ---- golden files: tests/data/NAME.npy, made by tests/oracle ---- */
hg_tensor *test_golden(const char *name);
double *test_golden_values(const char *name, hg_shape *shape);      /* free() them */

#endif
