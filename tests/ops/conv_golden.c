#include "conv_golden.h"

#include <stdio.h>
#include <stdlib.h>

double *conv_numbers(int64_t n, int step)
{
    double *v = malloc(sizeof *v * (size_t)(n + 1));
    ck_assert_ptr_nonnull(v);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * step + step) % 11 - 5);
    return v;
}

hg_tensor *conv_leaf(hg_shape shape, int step)
{
    double *v = conv_numbers(test_numel(shape), step);
    hg_tensor *t = test_tensor(HG_F32, shape, v);
    free(v);
    ck_assert_hg(hg_set_requires_grad(t, true));
    return t;
}

void conv_golden(const char *name, conv_fn fn, hg_shape input, hg_shape kernel, int64_t biases, const void *options,
                 hg_shape output)
{
    hg_scope *s = hg_scope_begin(test_device());
    char file[64];
    snprintf(file, sizeof file, "conv/%s", name);
    hg_tensor *x = conv_leaf(input, 7), *w = conv_leaf(kernel, 3), *b = conv_leaf(HG_SHAPE(biases), 5),
              *y = fn(x, w, b, options);
    ck_assert_msg(hg_ok(y), "%s: %s", name, hg_last_error());
    double *dy = conv_numbers(hg_numel(y), 4), *all = test_golden_values(file, NULL), *at = all;
    test_equal(y, output, at);
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, output, dy), false));
    at += test_numel(output);
    test_equal(hg_grad(x), input, at);
    at += test_numel(input);
    test_equal(hg_grad(w), kernel, at);
    at += test_numel(kernel);
    test_equal(hg_grad(b), HG_SHAPE(biases), at);
    free(all);
    free(dy);
    hg_scope_end(s);
}

void conv_fails(hg_tensor *y, hg_status code, const char *part)
{
    ck_assert(!hg_ok(y));
    test_error(code, part);
}

void conv_has_shape(hg_tensor *t, hg_shape shape)
{
    ck_assert_hg_ok(t);
    hg_shape got = hg_tensor_shape(t);
    ck_assert_int_eq(got.ndim, shape.ndim);
    for (int d = 0; d < shape.ndim; d++) ck_assert_int_eq(got.size[d], shape.size[d]);
}

hg_tensor *conv_random_f64(hg_shape shape)
{
    double *v = test_values(test_numel(shape));
    hg_tensor *t = test_tensor(HG_F64, shape, v);
    free(v);
    return t;
}
