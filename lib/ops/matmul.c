/* C = A B as torch.matmul does: a vector on the left is a row, one on the right a column, and the dimension that this
 * adds is dropped again; batch dims broadcast. dA = dC B^T and dB = A^T dC, summed over what was broadcast. */
#include <string.h>

#include "ops/elementwise.h"
#include "ops/product.h"

/* The operand with at least two dims: a view. */
static hg_tensor *as_matrix(hg_tensor *t, bool column)
{
    if (!hg_ok(t) || t->ndim != 1) return t;
    int64_t size[2] = {column ? t->size[0] : 1, column ? 1 : t->size[0]};
    int64_t stride[2] = {column ? t->stride[0] : t->size[0], column ? 1 : t->stride[0]};
    return hg_new_view(t, 2, size, stride, t->offset);
}

/* The shape of C before vectors lose their dimension. */
static hg_status full_shape(const hg_tensor *a, const hg_tensor *b, int *ndim, int64_t *size)
{
    int64_t rows = a->size[a->ndim - 2], k = a->size[a->ndim - 1];
    if (k != b->size[b->ndim - 2])
        return hg_error(HG_E_SHAPE, "matmul: mat1 and mat2 shapes cannot be multiplied (%lldx%lld and %lldx%lld)",
                        (long long)rows, (long long)k, (long long)b->size[b->ndim - 2],
                        (long long)b->size[b->ndim - 1]);
    hg_tensor *batch_a = hg_new_view(a, a->ndim - 2, a->size, a->stride, a->offset);
    hg_tensor *batch_b = hg_new_view(b, b->ndim - 2, b->size, b->stride, b->offset);
    if (!hg_ok(batch_a) || !hg_ok(batch_b)) return hg_last_status();
    HG_TRY(hg_broadcast_shape("matmul", batch_a, batch_b, ndim, size));
    size[(*ndim)++] = rows;
    size[(*ndim)++] = b->size[b->ndim - 1];
    return HG_OK;
}

/* A new tensor of the product; a batch of matrices times one matrix is one product with long rows. */
static hg_tensor *product(hg_tensor *a, hg_tensor *b, int ndim, const int64_t *size)
{
    hg_tensor *y = hg_new_tensor(a->dev, a->dtype, ndim, size);
    if (!hg_ok(y)) return y;
    bool rows = a->ndim > 2 && b->ndim == 2 && hg_is_contiguous(a);
    hg_tensor *c = rows ? hg_as_rows(y) : y;
    hg_tensor *left = rows ? hg_as_rows(a) : a;
    if (!hg_ok(c) || !hg_ok(left)) return hg_failed();
    return hg_product(left, b, NULL, c) == HG_OK ? y : hg_failed();
}

/* left right, summed to the shape that input `input` has as a matrix, then in the input's own shape. */
static hg_tensor *gradient(hg_node *n, int input, hg_tensor *left, hg_tensor *right)
{
    int ndim;
    int64_t size[HG_MAX_DIMS];
    if (!hg_ok(left) || !hg_ok(right) || full_shape(left, right, &ndim, size) != HG_OK) return hg_failed();
    hg_shape own = {.ndim = hg_node_input_ndim(n, input)};
    memcpy(own.size, hg_node_input_size(n, input), sizeof own.size);
    hg_tensor *d = product(left, right, ndim, size);
    d = own.ndim == 1 ? hg_sum_to(d, 2, &size[ndim - 2]) : hg_sum_to(d, own.ndim, own.size);
    return hg_reshape(d, own);
}

/* dB of one matrix B that a batch (... m k) was multiplied with: A^T dC over all rows at once. */
static hg_tensor *gradient_of_one(hg_node *n, hg_tensor *a, hg_tensor *dc)
{
    hg_tensor *rows = hg_as_rows(a), *dc_rows = hg_as_rows(dc);
    if (!hg_ok(rows) || !hg_ok(dc_rows)) return hg_failed();
    return gradient(n, 1, hg_transposed(rows), dc_rows);
}

/* dC with the dimensions that vectors lost. */
static hg_tensor *with_vectors(hg_node *n, hg_tensor *dy)
{
    hg_shape shape = {.ndim = dy->ndim};
    memcpy(shape.size, dy->size, sizeof shape.size);
    if (hg_node_input_ndim(n, 1) == 1) shape.size[shape.ndim++] = 1;
    if (hg_node_input_ndim(n, 0) == 1) {
        shape.size[shape.ndim] = shape.size[shape.ndim - 1];
        shape.size[shape.ndim++ - 1] = 1;
    }
    return hg_reshape(dy, shape);
}

static hg_status matmul_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *dc = with_vectors(n, dy);
    if (!hg_ok(dc)) return hg_last_status();
    if (hg_node_wants(n, 0)) {
        hg_tensor *b = as_matrix(hg_node_saved(n, 1), true);
        dx[0] = hg_ok(b) ? gradient(n, 0, dc, hg_transposed(b)) : b;
    }
    if (hg_node_wants(n, 1)) {
        hg_tensor *a = as_matrix(hg_node_saved(n, 0), false);
        bool one = hg_ok(a) && a->ndim > 2 && hg_node_input_ndim(n, 1) <= 2;
        dx[1] = !hg_ok(a) ? a : one ? gradient_of_one(n, a, dc) : gradient(n, 1, hg_transposed(a), dc);
    }
    return HG_OK;
}

/* PyTorch computes these in different ways, and prints the last step's name. */
static const hg_op *op_of(const hg_tensor *a, const hg_tensor *b)
{
    static const hg_op dot = {"DotBackward0", matmul_backward}, mv = {"MvBackward0", matmul_backward},
                       vm = {"SqueezeBackward3", matmul_backward}, mm = {"MmBackward0", matmul_backward},
                       folded = {"CloneBackward0", matmul_backward}, batch = {"UnsafeViewBackward0", matmul_backward};
    if (a->ndim == 1 && b->ndim == 1) return &dot;
    if (a->ndim == 2 && b->ndim == 1) return &mv;
    if (a->ndim == 1 && b->ndim == 2) return &vm;
    if (a->ndim == 2) return b->ndim == 2 ? &mm : &folded;
    return &batch;
}

static bool check(hg_tensor *a, hg_tensor *b)
{
    if (!HG_CHECK_OPERANDS("matmul", a, b)) return false;
    if (!hg_is_float(a->dtype) || a->dtype != b->dtype)
        hg_error(HG_E_DTYPE, "matmul: operands are %s and %s; both must be float32, or both float64",
                 hg_dtype_name(a->dtype), hg_dtype_name(b->dtype));
    else if (!a->ndim || !b->ndim)
        hg_error(HG_E_SHAPE, "matmul: both arguments to matmul need to be at least 1D, but they are %dD and %dD",
                 a->ndim, b->ndim);
    else
        return true;
    return false;
}

static hg_tensor *forward(hg_tensor *a, hg_tensor *b)
{
    hg_tensor *left = as_matrix(a, false), *right = as_matrix(b, true);
    int ndim;
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];
    if (!hg_ok(left) || !hg_ok(right) || full_shape(left, right, &ndim, size) != HG_OK) return hg_failed();
    hg_tensor *c = product(left, right, ndim, size);
    if (!hg_ok(c) || (a->ndim > 1 && b->ndim > 1)) return c;
    if (a->ndim == 1) { /* the rows go */
        size[ndim - 2] = size[ndim - 1];
        ndim--;
    }
    if (b->ndim == 1) ndim--;
    hg_contiguous_strides(ndim, size, stride);
    return hg_new_view(c, ndim, size, stride, c->offset);
}

hg_tensor *hg_matmul(hg_tensor *a, hg_tensor *b)
{
    if (!check(a, b)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_scope_return(s, forward(a, b));
    hg_tensor *saved[2] = {hg_requires_grad(b) ? a : NULL, hg_requires_grad(a) ? b : NULL};
    return hg_record(y, op_of(a, b), HG_LIST(a, b), saved, 2, NULL, 0);
}
