#include "ops/product.h"

#include "blas/gemm.h"
#include "tensor/iterate.h"

hg_tensor *hg_transposed(const hg_tensor *t)
{
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];
    for (int d = 0; d < t->ndim; d++) {
        int from = d < t->ndim - 2 ? d : 2 * t->ndim - 3 - d;
        size[d] = t->size[from];
        stride[d] = t->stride[from];
    }
    return hg_new_view(t, t->ndim, size, stride, t->offset);
}

hg_tensor *hg_as_rows(hg_tensor *t)
{
    int64_t width = t->ndim ? t->size[t->ndim - 1] : 1, rows = 1, step = 0;
    bool joined = true; /* the leading dims lie one behind another */
    for (int d = t->ndim - 2; d >= 0; d--) {
        if (t->size[d] != 1) {
            if (step && t->stride[d] != step * rows) joined = false;
            if (!step) step = t->stride[d];
            if (!step) joined = false;
        }
        rows *= t->size[d];
    }
    if (!joined) t = hg_raw_contiguous(t);
    if (!hg_ok(t)) return t;
    int64_t size[2] = {rows, width};
    int64_t stride[2] = {joined && step ? step : width, t->ndim ? t->stride[t->ndim - 1] : 1};
    return hg_new_view(t, 2, size, stride, t->offset);
}

/* How the last two dims lie: rows contiguous, or columns (*trans). False if neither. */
static bool layout(const hg_tensor *t, bool *trans, int64_t *ld)
{
    int64_t rows = t->size[t->ndim - 2], columns = t->size[t->ndim - 1];
    int64_t row = t->stride[t->ndim - 2], column = t->stride[t->ndim - 1];
    *trans = false;
    *ld = rows == 1 ? hg_max_i64(columns, 1) : row;
    if ((column == 1 || columns == 1) && *ld >= hg_max_i64(columns, 1)) return true;
    *trans = true;
    *ld = columns == 1 ? hg_max_i64(rows, 1) : column;
    return (row == 1 || rows == 1) && *ld >= hg_max_i64(rows, 1);
}

typedef struct operand {
    hg_matrix matrix;
    bool trans;
    hg_tensor *batch; /* a view of its batch dims alone */
} operand;

static hg_status prepare(operand *x, hg_tensor *t)
{
    if (!layout(t, &x->trans, &x->matrix.ld)) {
        t = hg_raw_clone(t);
        if (!hg_ok(t)) return hg_last_status();
        layout(t, &x->trans, &x->matrix.ld);
    }
    x->matrix.mem = t->storage->mem;
    x->matrix.offset = t->offset;
    x->batch = hg_new_view(t, t->ndim - 2, t->size, t->stride, t->offset);
    return hg_ok(x->batch) ? HG_OK : hg_last_status();
}

hg_status hg_product(hg_tensor *a, hg_tensor *b, hg_tensor *bias, hg_tensor *c)
{
    operand x[3] = {0};
    HG_TRY(prepare(&x[0], c));
    HG_TRY(prepare(&x[1], a));
    HG_TRY(prepare(&x[2], b));
    if (bias) bias = hg_raw_contiguous(bias);
    if (bias && !hg_ok(bias)) return hg_last_status();
    /* The innermost run of batch dims that every operand walks with one step is a strided batch; the host walks the
     * rest. */
    hg_walk w = hg_walk_of((const hg_tensor *[]){x[0].batch, x[1].batch, x[2].batch}, 3);
    hg_gemm_problem p = {.f64 = c->dtype == HG_F64,
                         .trans_a = x[1].trans,
                         .trans_b = x[2].trans,
                         .m = c->size[c->ndim - 2],
                         .n = c->size[c->ndim - 1],
                         .k = a->size[a->ndim - 1],
                         .batch = w.n ? w.size[0] : 0,
                         .alpha = 1,
                         .bias_along = bias ? HG_BIAS_COLUMNS : HG_BIAS_NONE,
                         .bias = bias ? bias->storage->mem : NULL,
                         .bias_offset = bias ? bias->offset : 0};
    for (int64_t outer = 0; outer < (w.n ? w.n / w.size[0] : 0); outer++) {
        hg_matrix *matrices[3] = {&p.c, &p.a, &p.b};
        for (int i = 0; i < 3; i++) {
            *matrices[i] = x[i].matrix;
            matrices[i]->step = w.stride[i][0];
            int64_t rest = outer;
            for (int d = 1; d < w.ndim; d++) {
                matrices[i]->offset += rest % w.size[d] * w.stride[i][d];
                rest /= w.size[d];
            }
        }
        HG_TRY(hg_gemm(c->dev, &p));
    }
    return HG_OK;
}
