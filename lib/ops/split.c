/* Parts of a tensor along a dimension: views, each a slice with its gradient. */
#include "autograd/autograd.h"
#include "hapgop/ops.h"

/* The dim, or -1. */
static int check(const char *op, hg_tensor *t, int dim)
{
    if (!HG_CHECK_OPERANDS(op, t)) return -1;
    if (t->ndim) return hg_check_dim(op, t, dim);
    hg_error(HG_E_SHAPE, "%s: split expects at least a 1-dimensional tensor", op);
    return -1;
}

/* n parts; part i has sizes[i] elements, or `each` if sizes is NULL (the last one what is left). */
static hg_status cut(hg_tensor *t, int dim, const int64_t *sizes, int64_t each, int n, hg_tensor **parts)
{
    hg_scope *s = hg_scope_inner();
    hg_status status = HG_OK;
    int made = 0;
    int64_t at = 0;
    for (; made < n && status == HG_OK; made++) {
        int64_t end = at + (sizes ? sizes[made] : each);
        parts[made] = hg_slice(t, dim, at, end, 1);
        at = end;
        if (hg_ok(parts[made]))
            hg_retain(parts[made]);
        else
            status = hg_last_status();
    }
    hg_scope_end(s);
    for (int i = 0; i < n; i++) {
        if (status != HG_OK && i < made - 1) hg_release(parts[i]);
        parts[i] = status == HG_OK ? hg_to_scope(parts[i]) : hg_error_tensor();
    }
    return status;
}

hg_status hg_split_sizes(hg_tensor *t, const int64_t *sizes, int n, int dim, hg_tensor **parts)
{
    for (int i = 0; parts && i < n; i++) parts[i] = hg_error_tensor();
    int d = check("split_sizes", t, dim);
    if (d < 0) return hg_last_status();
    if (n < 0 || (n > 0 && (!sizes || !parts))) return hg_error(HG_E_ARG, "split_sizes: sizes or parts are missing");
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        if (sizes[i] < 0)
            return hg_error(HG_E_ARG, "split_sizes: sizes must be non-negative, but got %lld for part %d",
                            (long long)sizes[i], i);
        if (!hg_add_i64(sum, sizes[i], &sum)) return hg_error(HG_E_ARG, "split_sizes: the sizes are too large");
    }
    if (sum != t->size[d])
        return hg_error(HG_E_ARG,
                        "split_sizes: expects sizes to sum exactly to %lld (input tensor's size at dimension %d), "
                        "but they sum to %lld",
                        (long long)t->size[d], d, (long long)sum);
    return cut(t, d, sizes, 0, n, parts);
}

/* The number of parts that `each` gives, checked against max. */
static int parts_of(const char *op, int64_t size, int64_t each, int max)
{
    int64_t n = each ? hg_max_i64(1, hg_ceil_div(size, each)) : 1;
    if (n <= max) return (int)n;
    return hg_error(HG_E_ARG, "%s: %lld parts, but there is room for %d", op, (long long)n, max);
}

int hg_split(hg_tensor *t, int64_t size, int dim, hg_tensor **parts, int max)
{
    for (int i = 0; i < max; i++) parts[i] = hg_error_tensor();
    int d = check("split", t, dim);
    if (d < 0) return hg_last_status();
    if (size < 0)
        return hg_error(HG_E_ARG, "split: expects the size to be non-negative, but got %lld", (long long)size);
    if (!size && t->size[d])
        return hg_error(HG_E_ARG,
                        "split: the size can only be 0 if dimension size is 0, but got dimension size of %lld",
                        (long long)t->size[d]);
    int n = parts_of("split", t->size[d], size, max);
    hg_status status = n > 0 ? cut(t, d, NULL, size, n, parts) : (hg_status)n;
    return status == HG_OK ? n : (int)status;
}

int hg_chunk(hg_tensor *t, int chunks, int dim, hg_tensor **parts)
{
    for (int i = 0; i < chunks; i++) parts[i] = hg_error_tensor();
    int d = check("chunk", t, dim);
    if (d < 0) return hg_last_status();
    if (chunks < 1) return hg_error(HG_E_ARG, "chunk: expects `chunks` to be greater than 0, got: %d", chunks);
    int64_t size = t->size[d], each = hg_ceil_div(size, chunks);
    int n = size ? (int)hg_ceil_div(size, each) : chunks;
    hg_status status = cut(t, d, NULL, each, n, parts);
    return status == HG_OK ? n : (int)status;
}
