#include "tensor/host_array.h"

hg_host_array hg_host_array_of(hg_dtype dtype, hg_shape shape, const void *data)
{
    hg_host_array a = {.dtype = dtype, .shape = shape, .data = data, .numel = 1};
    for (int d = shape.ndim - 1; d >= 0; d--) {
        a.stride[d] = a.numel;
        a.numel *= shape.size[d];
    }
    a.summary = a.numel > HG_SUMMARY_THRESHOLD;
    return a;
}

bool hg_host_is_float(const hg_host_array *a)
{
    return a->dtype == HG_F32 || a->dtype == HG_F64;
}

double hg_host_f64(const hg_host_array *a, int64_t index)
{
    if (a->dtype == HG_F32) return ((const float *)a->data)[index];
    if (a->dtype == HG_F64) return ((const double *)a->data)[index];
    return (double)hg_host_i64(a, index);
}

int64_t hg_host_i64(const hg_host_array *a, int64_t index)
{
    if (a->dtype == HG_I32) return ((const int32_t *)a->data)[index];
    if (a->dtype == HG_I64) return ((const int64_t *)a->data)[index];
    return ((const uint8_t *)a->data)[index];
}

bool hg_host_cut(const hg_host_array *a, int dim)
{
    return a->summary && a->shape.size[dim] > 2 * HG_EDGE_ITEMS;
}

static void visit_dim(const hg_host_array *a, int dim, int64_t index,
    void (*visit)(const hg_host_array *, int64_t, void *), void *user)
{
    if (dim == a->shape.ndim) {
        visit(a, index, user);
        return;
    }
    int64_t size = a->shape.size[dim];
    for (int64_t i = 0; i < size; i++) {
        if (hg_host_cut(a, dim) && i == HG_EDGE_ITEMS) i = size - HG_EDGE_ITEMS;
        visit_dim(a, dim + 1, index + i * a->stride[dim], visit, user);
    }
}

void hg_host_visit(const hg_host_array *a, void (*visit)(const hg_host_array *, int64_t, void *), void *user)
{
    if (a->numel) visit_dim(a, 0, 0, visit, user);
}
