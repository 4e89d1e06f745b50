/* Copies that have a gradient: contiguous, clone, cast. Backward is the identity, cast back where the type changed. */
#include "autograd/autograd.h"

static hg_status clone_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    (void)n;
    dx[0] = dy;
    return HG_OK;
}
static const hg_op clone_op = {"CloneBackward0", clone_backward};

hg_tensor *hg_clone(hg_tensor *t)
{
    if (!HG_CHECK_OPERANDS("clone", t)) return hg_failed();
    return hg_record(hg_raw_clone(t), &clone_op, HG_LIST(t), HG_NO_LIST, NULL, 0);
}

/* `t` once more, with a reference of its own for the scope or the caller. */
static hg_tensor *same(hg_tensor *t)
{
    return hg_to_scope(hg_retain(t));
}

hg_tensor *hg_contiguous(hg_tensor *t)
{
    if (!HG_CHECK_OPERANDS("contiguous", t)) return hg_failed();
    return hg_is_contiguous(t) ? same(t) : hg_clone(t);
}

static hg_status cast_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    dx[0] = hg_cast(dy, *(const hg_dtype *)hg_node_context(n));
    return HG_OK;
}
static const hg_op cast_op = {"ToCopyBackward0", cast_backward};

hg_tensor *hg_cast(hg_tensor *t, hg_dtype dtype)
{
    if (!HG_CHECK_OPERANDS("cast", t)) return hg_failed();
    if (!hg_dtype_size(dtype)) return hg_fail(HG_E_DTYPE, "cast: unknown dtype %d", (int)dtype);
    if (t->dtype == dtype) return same(t);
    hg_tensor *y = hg_new_tensor(t->dev, dtype, t->ndim, t->size);
    if (!hg_ok(y) || hg_raw_copy(y, t) != HG_OK) return hg_failed();
    if (!hg_is_float(dtype) || !hg_is_float(t->dtype)) return y;
    return hg_record(y, &cast_op, HG_LIST(t), HG_NO_LIST, &t->dtype, sizeof t->dtype);
}
