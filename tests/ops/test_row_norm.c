/* Layer and group normalisation: double arithmetic in every layout, large means, gradients, rules, errors. */
#include <math.h>
#include <stdlib.h>

#include "suites.h"

/* Rows of m values; the weight of element i of the input is weight[at(i)]. groups 0: a layer norm, whose row is one of
 * m weights. */
typedef struct norm_case {
    hg_shape shape;
    int64_t groups, m, run, weights;
} norm_case;

static norm_case layer_case(hg_shape shape, int lead)
{
    norm_case c = {shape, 0, 1, 1, 1};
    for (int d = lead; d < shape.ndim; d++) c.m *= shape.size[d];
    c.weights = c.m;
    return c;
}

static norm_case group_case(hg_shape shape, int64_t groups)
{
    norm_case c = {shape, groups, 1, 1, shape.size[1]};
    for (int d = 2; d < shape.ndim; d++) c.run *= shape.size[d];
    c.m = c.weights / groups * c.run;
    return c;
}

static int64_t weight_at(const norm_case *c, int64_t i)
{
    return i / c->run % c->weights;
}

static hg_tensor *run_case(const norm_case *c, hg_tensor *x, hg_tensor *w, hg_tensor *b)
{
    if (c->groups) return hg_group_norm(x, c->groups, w, b, 1e-5);
    hg_shape shape = {0};
    int64_t m = 1;
    for (int d = c->shape.ndim; m < c->m; m *= c->shape.size[d]) d--, shape.ndim++;
    for (int d = 0; d < shape.ndim; d++) shape.size[d] = c->shape.size[c->shape.ndim - shape.ndim + d];
    if (!shape.ndim) shape = HG_SHAPE(1);
    return hg_layer_norm(x, shape, w, b, 1e-5);
}

typedef struct results {
    double *x, *dy, *w, *b, *y, *dx, *dw, *db;
} results;

static results reference(const norm_case *c, double mean)
{
    int64_t n = test_numel(c->shape);
    results r = {test_values(n), test_values(n), test_values(c->weights), test_values(c->weights),
                 test_values(n), test_values(n), calloc((size_t)c->weights + 1, 8), calloc((size_t)c->weights + 1, 8)};
    for (int64_t i = 0; i < n; i++) r.x[i] = (float)(2 * r.x[i] + mean);
    for (int64_t row = 0; row < n; row += c->m) {
        double sum = 0, squares = 0, g = 0, gh = 0, m = (double)c->m;
        for (int64_t i = row; i < row + c->m; i++) sum += r.x[i];
        for (int64_t i = row; i < row + c->m; i++) squares += (r.x[i] - sum / m) * (r.x[i] - sum / m);
        double inv = 1 / sqrt(squares / m + 1e-5);
        for (int64_t i = row; i < row + c->m; i++) {
            int64_t k = weight_at(c, i);
            double h = (r.x[i] - sum / m) * inv;
            r.y[i] = h * r.w[k] + r.b[k];
            g += r.dy[i] * r.w[k];
            gh += r.dy[i] * r.w[k] * h;
            r.dw[k] += r.dy[i] * h;
            r.db[k] += r.dy[i];
        }
        for (int64_t i = row; i < row + c->m; i++)
            r.dx[i] = inv * (r.dy[i] * r.w[weight_at(c, i)] - g / m - (r.x[i] - sum / m) * inv * gh / m);
    }
    return r;
}

static void check_case(norm_case c, double mean, int layout)
{
    results r = reference(&c, mean);
    hg_scope *s = hg_scope_begin(test_device());
    hg_shape flat = HG_SHAPE(c.weights);
    hg_tensor *x = test_layout(layout, HG_F32, c.shape, r.x), *w = test_layout(layout % 2 * 3, HG_F32, flat, r.w);
    hg_tensor *b = test_tensor(HG_F32, flat, r.b), *in[] = {x, w, b};
    for (int i = 0; i < 3; i++) ck_assert_hg(hg_set_requires_grad(in[i], true));
    hg_shape shaped = c.shape;
    if (!c.groups) {
        int64_t m = 1;
        int d = shaped.ndim;
        while (m < c.m) m *= shaped.size[--d];
        if (d == shaped.ndim) d--;
        shaped.ndim -= d;
        for (int k = 0; k < shaped.ndim; k++) shaped.size[k] = c.shape.size[d + k];
    }
    hg_tensor *y = run_case(&c, x, c.groups ? w : hg_reshape(w, shaped), c.groups ? b : hg_reshape(b, shaped));
    test_close(y, c.shape, r.y, 3e-6, 1e-5);
    ck_assert_hg(hg_backward_with(y, test_layout(3 - layout, HG_F32, c.shape, r.dy), false));
    test_close(hg_grad(x), c.shape, r.dx, 1e-5, 2e-5);
    test_close(hg_grad(w), flat, r.dw, 5e-5, 2e-5);
    test_close(hg_grad(b), flat, r.db, 5e-5, 2e-5);
    hg_scope_end(s);
    free(r.x), free(r.dy), free(r.w), free(r.b), free(r.y), free(r.dx), free(r.dw), free(r.db);
}

START_TEST(layer_norm_agrees_with_double_arithmetic)
{
    for (int layout = 0; layout < TEST_LAYOUTS; layout++)
        check_case(layer_case(HG_SHAPE(test_between(1, 5), test_between(2, 9), test_between(2, 50)), 1 + layout % 2), 0,
                   layout);
    check_case(layer_case(HG_SHAPE(3, 700), 1), 1e4, 0);
    check_case(layer_case(HG_SHAPE(2, 3, 5), 0), -3, 2);
    check_case(layer_case(HG_SHAPE(100, 4), 1), 0, 0);
}
END_TEST

START_TEST(group_norm_agrees_with_double_arithmetic)
{
    for (int layout = 0; layout < TEST_LAYOUTS; layout++)
        check_case(group_case(HG_SHAPE(test_between(1, 4), 6, test_between(2, 8), test_between(2, 9)), 1 + layout % 3),
                   1, layout);
    check_case(group_case(HG_SHAPE(2, 6, 400), 3), 1e4, 0);
    check_case(group_case(HG_SHAPE(5, 12), 4), 0, 1);
    check_case(group_case(HG_SHAPE(2, 3, 7), 3), 0, 0);
}
END_TEST

static hg_tensor *layer(hg_tensor **in, int n, void *user)
{
    (void)n, (void)user;
    return hg_layer_norm(in[0], HG_SHAPE(3, 7), in[1], in[2], 1e-3);
}

static hg_tensor *group(hg_tensor **in, int n, void *user)
{
    (void)n, (void)user;
    return hg_group_norm(in[0], 2, in[1], in[2], 1e-3);
}

static hg_tensor *plain(hg_tensor **in, int n, void *user)
{
    (void)n, (void)user;
    return hg_add(hg_layer_norm(in[0], HG_SHAPE(7), NULL, NULL, 1e-3), hg_group_norm(in[0], 1, NULL, NULL, 1e-3));
}

START_TEST(norm_gradients_agree_with_differences)
{
    if (!test_has_f64()) return;
    hg_scope *s = hg_scope_begin(test_device());
    double *v = test_values(42 + 84 + 8);
    hg_tensor *x = test_tensor(HG_F64, HG_SHAPE(2, 3, 7), v);
    hg_tensor *a[] = {x, test_tensor(HG_F64, HG_SHAPE(3, 7), v + 42), test_tensor(HG_F64, HG_SHAPE(3, 7), v + 63)};
    hg_tensor *b[] = {test_tensor(HG_F64, HG_SHAPE(2, 4, 5), v + 84), test_tensor(HG_F64, HG_SHAPE(4), v + 124),
                      test_tensor(HG_F64, HG_SHAPE(4), v + 128)};
    test_gradient(layer, a, 3, NULL);
    test_gradient(group, b, 3, NULL);
    test_gradient(plain, &x, 1, NULL);
    free(v);
    hg_scope_end(s);
}
END_TEST

START_TEST(only_wanted_norm_gradients_come_and_empty_inputs_pass)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = test_tensor(HG_F32, HG_SHAPE(1, 2), (double[]){1, 3}), *bias = hg_zeros(dev, HG_F32, HG_SHAPE(2));
    ck_assert_hg(hg_set_requires_grad(bias, true));
    hg_tensor *y = hg_layer_norm(x, HG_SHAPE(2), NULL, bias, 0);
    test_equal(y, HG_SHAPE(1, 2), ((double[]){-1, 1}));
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, HG_SHAPE(1, 2), (double[]){5, 7}), false));
    test_equal(hg_grad(bias), HG_SHAPE(2), ((double[]){5, 7}));
    test_equal(hg_group_norm(x, 2, NULL, bias, 1), HG_SHAPE(1, 2), ((double[]){0, 0}));
    hg_tensor *none = hg_empty(dev, HG_F32, HG_SHAPE(0, 2));
    test_equal(hg_layer_norm(none, HG_SHAPE(2), NULL, bias, 1e-5), HG_SHAPE(0, 2), (NULL));
    test_equal(hg_group_norm(none, 2, NULL, bias, 1e-5), HG_SHAPE(0, 2), (NULL));
    hg_tensor *narrow = hg_empty(dev, HG_F32, HG_SHAPE(2, 0));
    test_equal(hg_layer_norm(narrow, HG_SHAPE(0), NULL, NULL, 1e-5), HG_SHAPE(2, 0), (NULL));
    hg_scope_end(s);
}
END_TEST

START_TEST(norms_say_what_is_wrong)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(2, 3)), *two = hg_zeros(dev, HG_F32, HG_SHAPE(2));
    hg_tensor *ints = hg_zeros(dev, HG_I64, HG_SHAPE(3));
    ck_assert(!hg_ok(hg_layer_norm(x, HG_SHAPE(4), NULL, NULL, 1e-5)));
    test_error(HG_E_SHAPE,
               "layer_norm: Given normalized_shape=[4], the input's last sizes must be these, but got input of "
               "size [2, 3]");
    ck_assert(!hg_ok(hg_layer_norm(x, HG_SCALAR, NULL, NULL, 1e-5)));
    test_error(HG_E_SHAPE, "layer_norm: Expected normalized_shape to be of 1 to 8 dimensions, got 0");
    ck_assert(!hg_ok(hg_layer_norm(x, HG_SHAPE(3), two, NULL, 1e-5)));
    test_error(HG_E_SHAPE,
               "layer_norm: Expected weight to be of same shape as normalized_shape, but got weight of shape [2]");
    ck_assert(!hg_ok(hg_layer_norm(x, HG_SHAPE(3), NULL, ints, 1e-5)));
    test_error(HG_E_DTYPE, "layer_norm: bias is int64, the input is float32; cast one of them");
    ck_assert(!hg_ok(hg_layer_norm(ints, HG_SHAPE(3), NULL, NULL, 1e-5)));
    test_error(HG_E_DTYPE, "layer_norm: expected float32 or float64, got int64");
    ck_assert(!hg_ok(hg_group_norm(x, 2, NULL, NULL, 1e-5)));
    test_error(HG_E_SHAPE,
               "group_norm: Expected number of channels in input to be divisible by num_groups, but got input of "
               "shape [2, 3] and num_groups=2");
    ck_assert(!hg_ok(hg_group_norm(x, 3, two, NULL, 1e-5)));
    test_error(HG_E_SHAPE,
               "group_norm: Expected weight to be a vector of size equal to the number of channels in input, but "
               "got weight of shape [2]");
    ck_assert(!hg_ok(hg_group_norm(two, 1, NULL, NULL, 1e-5)));
    test_error(HG_E_SHAPE, "group_norm: expected at least 2D input (got 1D input)");
    hg_scope_end(s);
}
END_TEST

Suite *row_norm_suite(void)
{
    return TEST_SUITE("row_norm", layer_norm_agrees_with_double_arithmetic, group_norm_agrees_with_double_arithmetic,
                      norm_gradients_agree_with_differences, only_wanted_norm_gradients_come_and_empty_inputs_pass,
                      norms_say_what_is_wrong);
}
