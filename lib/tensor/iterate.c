#include "tensor/iterate.h"

hg_status hg_broadcast_shape(const char *op, const hg_tensor *a, const hg_tensor *b, int *ndim, int64_t *size)
{
    *ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
    for (int d = 0; d < *ndim; d++) {
        int da = d - (*ndim - a->ndim), db = d - (*ndim - b->ndim);
        int64_t sa = da < 0 ? 1 : a->size[da], sb = db < 0 ? 1 : b->size[db];
        if (sa != sb && sa != 1 && sb != 1)
            return hg_error(HG_E_SHAPE,
                            "%s: The size of tensor a (%lld) must match the size of tensor b (%lld) at non-singleton "
                            "dimension %d; shapes are %s and %s",
                            op, (long long)sa, (long long)sb, d, HG_SHAPE_TEXT(a), HG_SHAPE_TEXT(b));
        size[d] = sa == 1 ? sb : sa;
    }
    return HG_OK;
}

/* Whether every operand steps from dim to the one outside it as if they were one. */
static bool joins(const hg_walk *w, int n, int dim, const int64_t *outer)
{
    for (int i = 0; i < n; i++)
        if (outer[i] != w->stride[i][dim] * w->size[dim]) return false;
    return true;
}

/* Indices up to here fit an int, and so does what a kernel's loop adds to the last one before it ends. */
enum { NARROW = INT32_MAX - (1 << 26) };

hg_walk hg_walk_of(const hg_tensor *const *operands, int n)
{
    const hg_tensor *full = operands[0];
    hg_walk w = {.n = full->numel};
    for (int d = 0; d < HG_MAX_DIMS; d++) w.size[d] = 1;
    for (int d = full->ndim - 1; d >= 0; d--) {
        if (full->size[d] == 1) continue;
        int64_t stride[HG_MAX_OPERANDS];
        for (int i = 0; i < n; i++) {
            int od = d - (full->ndim - operands[i]->ndim);
            stride[i] = od < 0 || operands[i]->size[od] == 1 ? 0 : operands[i]->stride[od];
        }
        if (w.ndim && joins(&w, n, w.ndim - 1, stride)) {
            w.size[w.ndim - 1] *= full->size[d];
            continue;
        }
        w.size[w.ndim] = full->size[d];
        for (int i = 0; i < n; i++) w.stride[i][w.ndim] = stride[i];
        w.ndim++;
    }
    if (!w.ndim) {  /* one element */
        w.ndim = 1;
        for (int i = 0; i < n; i++) w.stride[i][0] = 1;
    }
    w.contiguous = w.ndim == 1;
    w.wide = w.n > NARROW;
    for (int i = 0; i < n; i++) {
        int64_t reach = 0;
        for (int d = 0; d < w.ndim; d++) reach += (w.size[d] - 1) * w.stride[i][d];
        w.contiguous = w.contiguous && w.stride[i][0] == 1;
        w.wide = w.wide || reach > NARROW;
    }
    return w;
}

hg_arg hg_arg_dims(const int64_t dims[HG_MAX_DIMS])
{
    hg_arg arg = {.size = sizeof(cl_long8)};
    for (int d = 0; d < HG_MAX_DIMS; d++) arg.value.i64x8.s[d] = dims[d];
    return arg;
}
