/* matmul and linear: values against plain loops, shapes, views, gradients, errors. */
#include <stdlib.h>
#include <string.h>

#include "suites.h"

typedef struct operand {
    hg_shape shape;
    double *values;
} operand;

static operand random_operand(hg_shape shape)
{
    return (operand){shape, test_integers(test_numel(shape), 4)};
}

/* Size and stride of dim `d` from the end, in a contiguous tensor; absent dims have size 1. */
static int64_t size_at(const hg_shape *s, int d)
{
    return d < s->ndim ? s->size[s->ndim - 1 - d] : 1;
}

static int64_t stride_at(const hg_shape *s, int d)
{
    int64_t stride = 1;
    for (int i = 0; i < d; i++) stride *= size_at(s, i);
    return size_at(s, d) == 1 ? 0 : stride;
}

/* C = A B in double: batch dims 2 and 3 from the end broadcast. Row-major over (batch3, batch2, m, n). */
static double *reference(const hg_shape *a, const double *av, const hg_shape *b, const double *bv, hg_shape *shape)
{
    int64_t m = size_at(a, 1), k = size_at(a, 0), n = size_at(b, 0), outer[2];
    for (int d = 0; d < 2; d++) outer[d] = size_at(a, d + 2) > 1 ? size_at(a, d + 2) : size_at(b, d + 2);
    *shape = HG_SHAPE(outer[1], outer[0], m, n);
    double *c = calloc((size_t)test_numel(*shape) + 1, sizeof *c), *out = c;
    for (int64_t x = 0; x < outer[1]; x++)
        for (int64_t y = 0; y < outer[0]; y++)
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++, out++)
                    for (int64_t q = 0; q < k; q++)
                        *out += av[x * stride_at(a, 3) + y * stride_at(a, 2) + i * k + q] *
                                bv[x * stride_at(b, 3) + y * stride_at(b, 2) + q * n + j];
    return c;
}

static void check_matmul(hg_shape a_shape, hg_shape b_shape, hg_shape result)
{
    operand a = random_operand(a_shape), b = random_operand(b_shape);
    hg_shape a_matrix = a_shape, b_matrix = b_shape, full;
    if (b_shape.ndim == 1) b_matrix = HG_SHAPE(b_shape.size[0], 1);
    double *expected = reference(&a_matrix, a.values, &b_matrix, b.values, &full);
    ck_assert_int_eq(test_numel(full), test_numel(result));
    for (int layout = 0; layout < TEST_LAYOUTS * TEST_LAYOUTS; layout++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *x = test_layout(layout % TEST_LAYOUTS, HG_F32, a_shape, a.values);
        hg_tensor *y = test_layout(layout / TEST_LAYOUTS, HG_F32, b_shape, b.values);
        test_equal(hg_matmul(x, y), result, expected);
        hg_scope_end(s);
    }
    free(expected);
    free(a.values);
    free(b.values);
}

START_TEST(matmul_of_vectors_matrices_and_batches)
{
    check_matmul(HG_SHAPE(5), HG_SHAPE(5), HG_SCALAR);
    check_matmul(HG_SHAPE(4, 5), HG_SHAPE(5), HG_SHAPE(4));
    check_matmul(HG_SHAPE(5), HG_SHAPE(5, 3), HG_SHAPE(3));
    check_matmul(HG_SHAPE(17, 5), HG_SHAPE(5, 33), HG_SHAPE(17, 33));
    check_matmul(HG_SHAPE(1, 1), HG_SHAPE(1, 1), HG_SHAPE(1, 1));
    check_matmul(HG_SHAPE(3, 4, 5), HG_SHAPE(5, 2), HG_SHAPE(3, 4, 2));
    check_matmul(HG_SHAPE(3, 4, 5), HG_SHAPE(5), HG_SHAPE(3, 4));
    check_matmul(HG_SHAPE(5), HG_SHAPE(3, 5, 2), HG_SHAPE(3, 2));
    check_matmul(HG_SHAPE(4, 5), HG_SHAPE(3, 5, 2), HG_SHAPE(3, 4, 2));
    check_matmul(HG_SHAPE(3, 4, 5), HG_SHAPE(3, 5, 2), HG_SHAPE(3, 4, 2));
    check_matmul(HG_SHAPE(2, 1, 4, 5), HG_SHAPE(3, 5, 2), HG_SHAPE(2, 3, 4, 2));
    check_matmul(HG_SHAPE(1, 3, 4, 5), HG_SHAPE(2, 1, 5, 2), HG_SHAPE(2, 3, 4, 2));
}
END_TEST

START_TEST(matmul_of_nothing)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    test_equal(hg_matmul(hg_zeros(dev, HG_F32, HG_SHAPE(0, 3)), hg_zeros(dev, HG_F32, HG_SHAPE(3, 2))), HG_SHAPE(0, 2),
               (NULL));
    test_equal(hg_matmul(hg_zeros(dev, HG_F32, HG_SHAPE(2, 0)), hg_zeros(dev, HG_F32, HG_SHAPE(0, 2))), HG_SHAPE(2, 2),
               ((double[]){0, 0, 0, 0}));
    test_equal(hg_matmul(hg_zeros(dev, HG_F32, HG_SHAPE(0, 4, 3)), hg_zeros(dev, HG_F32, HG_SHAPE(3, 2))),
               HG_SHAPE(0, 4, 2), (NULL));
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(0, 3)), *w = hg_full(dev, HG_F32, HG_SHAPE(2, 3), 1);
    hg_set_requires_grad(w, true);
    hg_tensor *y = hg_linear(x, w, NULL);
    test_equal(y, HG_SHAPE(0, 2), (NULL));
    ck_assert_hg(hg_backward(hg_sum(y, HG_ALL, false)));
    test_equal(hg_grad(w), HG_SHAPE(2, 3), ((double[]){0, 0, 0, 0, 0, 0}));
    hg_scope_end(s);
}
END_TEST

static hg_tensor *matmul_of(hg_tensor **in, int n, void *user)
{
    (void)n;
    (void)user;
    hg_tensor *y = hg_matmul(in[0], in[1]);
    return hg_mul(y, y);
}

static hg_tensor *linear_of(hg_tensor **in, int n, void *user)
{
    (void)user;
    hg_tensor *y = hg_linear(in[0], in[1], n > 2 ? in[2] : NULL);
    return hg_mul(y, y);
}

static hg_tensor *leaf(hg_shape shape)
{
    double *v = test_values(test_numel(shape));
    hg_tensor *t = test_tensor(HG_F64, shape, v);
    free(v);
    return t;
}

START_TEST(matmul_gradients_agree_with_differences)
{
    const hg_shape shapes[][2] = {
        {HG_SHAPE(3), HG_SHAPE(3)},
        {HG_SHAPE(2, 3), HG_SHAPE(3)},
        {HG_SHAPE(3), HG_SHAPE(3, 2)},
        {HG_SHAPE(2, 3), HG_SHAPE(3, 4)},
        {HG_SHAPE(2, 2, 3), HG_SHAPE(3, 2)},
        {HG_SHAPE(2, 2, 3), HG_SHAPE(3)},
        {HG_SHAPE(3), HG_SHAPE(2, 3, 2)},
        {HG_SHAPE(2, 3), HG_SHAPE(2, 3, 2)},
        {HG_SHAPE(2, 1, 2, 3), HG_SHAPE(2, 3, 1)},
    };
    if (!test_has_f64()) return;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *in[2] = {leaf(shapes[i][0]), leaf(shapes[i][1])};
        test_gradient(matmul_of, in, 2, NULL);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(linear_gradients_agree_with_differences)
{
    const hg_shape shapes[] = {HG_SHAPE(3), HG_SHAPE(4, 3), HG_SHAPE(2, 2, 3)};
    if (!test_has_f64()) return;
    for (int i = 0; i < 6; i++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *in[3] = {leaf(shapes[i / 2]), leaf(HG_SHAPE(2, 3)), leaf(HG_SHAPE(2))};
        test_gradient(linear_of, in, 2 + i % 2, NULL);
        hg_scope_end(s);
    }
}
END_TEST

/* y = x W^T + b and its three gradients for dL/dy = g, exactly, in every layout of x, W and g. */
static void check_linear(int64_t rows, int64_t in, int64_t out, int layout)
{
    hg_scope *s = hg_scope_begin(test_device());
    double *x = test_integers(rows * in, 4), *w = test_integers(out * in, 4), *b = test_integers(out, 4),
           *g = test_integers(rows * out, 4);
    double *y = calloc((size_t)(rows * out), sizeof *y), *dx = calloc((size_t)(rows * in), sizeof *dx);
    double *dw = calloc((size_t)(out * in), sizeof *dw), *db = calloc((size_t)out, sizeof *db);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < out; o++) {
            y[r * out + o] = b[o];
            db[o] += g[r * out + o];
            for (int64_t i = 0; i < in; i++) {
                y[r * out + o] += x[r * in + i] * w[o * in + i];
                dx[r * in + i] += g[r * out + o] * w[o * in + i];
                dw[o * in + i] += g[r * out + o] * x[r * in + i];
            }
        }
    hg_tensor *xt = test_layout(layout, HG_F32, HG_SHAPE(rows, in), x),
              *wt = test_layout(layout / 2, HG_F32, HG_SHAPE(out, in), w);
    hg_tensor *bt = test_layout(layout, HG_F32, HG_SHAPE(out), b),
              *gt = test_layout(layout, HG_F32, HG_SHAPE(rows, out), g);
    xt = hg_detach(xt), wt = hg_detach(wt), bt = hg_detach(bt);
    hg_set_requires_grad(xt, true);
    hg_set_requires_grad(wt, true);
    hg_set_requires_grad(bt, true);
    hg_tensor *yt = hg_linear(xt, wt, bt);
    test_equal(yt, HG_SHAPE(rows, out), y);
    ck_assert_hg(hg_backward_with(yt, gt, false));
    test_equal(hg_grad(xt), HG_SHAPE(rows, in), dx);
    test_equal(hg_grad(wt), HG_SHAPE(out, in), dw);
    test_equal(hg_grad(bt), HG_SHAPE(out), db);
    double *all[] = {x, w, b, g, y, dx, dw, db};
    for (int i = 0; i < 8; i++) free(all[i]);
    hg_scope_end(s);
}

START_TEST(linear_and_its_gradients_are_exact_for_integers)
{
    for (int layout = 0; layout < TEST_LAYOUTS; layout++) {
        check_linear(1, 1, 1, layout);
        check_linear(7, 30, 10, layout);
        check_linear(33, 64, 100, layout);
        check_linear(test_between(1, 40), test_between(1, 300), test_between(1, 50), layout);
    }
}
END_TEST

START_TEST(linear_takes_any_leading_dims)
{
    hg_scope *s = hg_scope_begin(test_device());
    double *x = test_integers(24, 4), w[] = {1, 0, 2, 0, 1, 1, -1, 3};
    hg_tensor *wt = test_tensor(HG_F32, HG_SHAPE(2, 4), w), *bt = test_tensor(HG_F32, HG_SHAPE(2), (double[]){5, 7});
    double y[12];
    for (int r = 0; r < 6; r++)
        for (int o = 0; o < 2; o++) {
            y[r * 2 + o] = o ? 7 : 5;
            for (int i = 0; i < 4; i++) y[r * 2 + o] += x[r * 4 + i] * w[o * 4 + i];
        }
    for (int layout = 0; layout < TEST_LAYOUTS; layout++)
        test_equal(hg_linear(test_layout(layout, HG_F32, HG_SHAPE(2, 3, 4), x), wt, bt), HG_SHAPE(2, 3, 2), y);
    test_equal(hg_linear(test_tensor(HG_F32, HG_SHAPE(4), x), wt, bt), HG_SHAPE(2), y);
    free(x);
    hg_scope_end(s);
}
END_TEST

static int kernels_until_now(hg_device *dev)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    ck_assert_hg(hg_profile_write(dev, stream));
    fclose(stream);
    int lines = 0;
    for (char *p = text; (p = strstr(p, "gemm")); p++) lines++;
    free(text);
    return lines;
}

START_TEST(a_frozen_weight_costs_no_product)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *x = hg_full(dev, HG_F32, HG_SHAPE(3, 4), 1), *w = hg_full(dev, HG_F32, HG_SHAPE(2, 4), 1);
    hg_tensor *b = hg_zeros(dev, HG_F32, HG_SHAPE(2));
    hg_set_requires_grad(b, true);
    hg_tensor *y = hg_sum(hg_linear(x, w, b), HG_ALL, false);
    ck_assert_hg(hg_profile_begin(dev));
    ck_assert_hg(hg_backward(y));
    ck_assert_int_eq(kernels_until_now(dev), 0);
    ck_assert_hg_ok(hg_linear(x, w, b));
    ck_assert_int_ge(kernels_until_now(dev), 1);
    ck_assert_hg(hg_profile_end(dev));
    ck_assert(hg_grad(x) == NULL && hg_grad(w) == NULL);
    test_equal(hg_grad(b), HG_SHAPE(2), ((double[]){3, 3}));
    hg_scope_end(s);
}
END_TEST

START_TEST(impossible_products_say_why)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_device *dev = test_device();
    hg_tensor *a = hg_zeros(dev, HG_F32, HG_SHAPE(2, 3)), *b = hg_zeros(dev, HG_F32, HG_SHAPE(4, 5));
    ck_assert(!hg_ok(hg_matmul(a, b)));
    test_error(HG_E_SHAPE, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)");
    ck_assert(!hg_ok(hg_matmul(a, hg_zeros(dev, HG_F32, HG_SCALAR))));
    test_error(HG_E_SHAPE, "both arguments to matmul need to be at least 1D, but they are 2D and 0D");
    ck_assert(!hg_ok(hg_matmul(hg_zeros(dev, HG_F32, HG_SHAPE(2, 2, 3)), hg_zeros(dev, HG_F32, HG_SHAPE(4, 3, 2)))));
    test_error(HG_E_SHAPE, "The size of tensor a (2) must match the size of tensor b (4) at non-singleton dimension 0");
    ck_assert(!hg_ok(hg_matmul(a, hg_zeros(dev, HG_I64, HG_SHAPE(3, 2)))));
    test_error(HG_E_DTYPE, "matmul: operands are float32 and int64");
    ck_assert(!hg_ok(hg_linear(a, b, NULL)));
    test_error(HG_E_SHAPE, "linear: input [2, 3] does not fit weight [4, 5]");
    ck_assert(!hg_ok(hg_linear(a, hg_zeros(dev, HG_F32, HG_SHAPE(4, 3)), hg_zeros(dev, HG_F32, HG_SHAPE(3)))));
    test_error(HG_E_SHAPE, "linear: bias [3] does not fit weight [4, 3]");
    ck_assert(!hg_ok(hg_linear(a, NULL, NULL)));
    test_error(HG_E_ARG, "linear: operand 1 is NULL");
    hg_scope_end(s);
}
END_TEST

Suite *matmul_suite(void)
{
    return TEST_SUITE("matmul", matmul_of_vectors_matrices_and_batches, matmul_of_nothing,
                      matmul_gradients_agree_with_differences, linear_gradients_agree_with_differences,
                      linear_and_its_gradients_are_exact_for_integers, linear_takes_any_leading_dims,
                      a_frozen_weight_costs_no_product, impossible_products_say_why);
}
