#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

void test_error(hg_status code, const char *part)
{
    ck_assert_msg(hg_last_status() == code, "expected %s, got %s: %s", hg_status_name(code),
                  hg_status_name(hg_last_status()), hg_last_error());
    ck_assert_msg(strstr(hg_last_error(), part) != NULL, "\"%s\" is not in: %s", part, hg_last_error());
    hg_clear_error();
}

static double *read_shaped(hg_tensor *t, hg_shape shape)
{
    ck_assert_hg_ok(t);
    hg_shape got = hg_tensor_shape(t);
    ck_assert_msg(got.ndim == shape.ndim, "%d dimensions, expected %d", got.ndim, shape.ndim);
    for (int d = 0; d < shape.ndim; d++)
        ck_assert_msg(got.size[d] == shape.size[d], "size %lld at dimension %d, expected %lld", (long long)got.size[d], d,
                      (long long)shape.size[d]);
    return test_read(t);
}

void test_close(hg_tensor *t, hg_shape shape, const double *expected, double atol, double rtol)
{
    double *v = read_shaped(t, shape);
    for (int64_t i = 0; i < test_numel(shape); i++) {
        bool same = v[i] == expected[i] || (isnan(v[i]) && isnan(expected[i]));
        ck_assert_msg(same || fabs(v[i] - expected[i]) <= atol + rtol * fabs(expected[i]),
                      "element %lld is %.9g, expected %.9g", (long long)i, v[i], expected[i]);
    }
    free(v);
}

void test_rms(hg_tensor *t, hg_shape shape, const double *expected, double limit)
{
    double *v = read_shaped(t, shape), sum = 0, largest = 0;
    int64_t n = test_numel(shape);
    for (int64_t i = 0; i < n; i++) {
        sum += (v[i] - expected[i]) * (v[i] - expected[i]);
        largest = fmax(largest, fabs(expected[i]));
    }
    free(v);
    double error = n ? sqrt(sum / (double)n) : 0;
    ck_assert_msg(error <= limit * largest, "RMS error %.3g of the largest value, allowed %.3g",
                  largest > 0 ? error / largest : error, limit);
}

void test_gradient(hg_gradcheck_fn fn, hg_tensor **inputs, int n, void *user)
{
    if (!test_has_f64()) return;
    for (int i = 0; i < n; i++)
        if (hg_tensor_dtype(inputs[i]) == HG_F64) ck_assert_hg(hg_set_requires_grad(inputs[i], true));
    ck_assert_hg(hg_gradcheck(fn, inputs, n, user, 1e-6, 1e-6, 1e-5));
}
