/* where(c, a, b) = c ? a : b, broadcasting; masked_fill(x, m, v) = where(m, v, x). The gradient goes where the element
 * came from. */
#include <string.h>

#include "ops/elementwise.h"

static hg_tensor *choose(const char *op, hg_tensor *condition, hg_tensor *a, hg_tensor *b)
{
    return HG_ZIP(op, ternary, "choose", a->dtype, condition, a, b);
}

static bool check_mask(const char *op, hg_tensor *mask)
{
    if (mask->dtype == HG_BOOL) return true;
    hg_error(HG_E_DTYPE, "%s: expected condition to be a boolean tensor, but got a tensor with dtype %s", op,
             hg_dtype_name(mask->dtype));
    return false;
}

/* A number of like's dtype, to broadcast. */
static hg_tensor *number(const hg_tensor *like, double value)
{
    return hg_full(like->dev, like->dtype, HG_SCALAR, value);
}

static hg_status where_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *condition = hg_node_saved(n, 0), *zero = number(dy, 0);
    if (!hg_ok(condition) || !hg_ok(zero)) return hg_last_status();
    if (hg_node_wants(n, 1)) dx[1] = hg_sum_to_input(n, 1, choose("where", condition, dy, zero));
    if (hg_node_wants(n, 2)) dx[2] = hg_sum_to_input(n, 2, choose("where", condition, zero, dy));
    return HG_OK;
}
static const hg_op where_op = {"WhereBackward0", where_backward};

hg_tensor *hg_where(hg_tensor *condition, hg_tensor *a, hg_tensor *b)
{
    if (!HG_CHECK_OPERANDS("where", condition, a, b) || !check_mask("where", condition) ||
        !hg_check_pair("where", a, b, true))
        return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = choose("where", condition, a, b);
    return hg_scope_return(s, hg_record(y, &where_op, HG_LIST(condition, a, b), HG_LIST(condition), NULL, 0));
}

/* ---- masked_fill ---- */

static hg_status masked_fill_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    hg_tensor *mask = hg_node_saved(n, 0), *zero = number(dy, 0);
    if (!hg_ok(mask) || !hg_ok(zero)) return hg_last_status();
    dx[0] = hg_sum_to_input(n, 0, choose("masked_fill", mask, zero, dy));
    return HG_OK;
}
static const hg_op masked_fill_op = {"MaskedFillBackward0", masked_fill_backward};

static bool check_fill(const char *op, hg_tensor *x, hg_tensor *mask, double value)
{
    return HG_CHECK_OPERANDS(op, x, mask) && check_mask(op, mask) && hg_check_number(op, x->dtype, value);
}

static hg_tensor *filled(const char *op, hg_tensor *x, hg_tensor *mask, double value)
{
    hg_tensor *v = number(x, value);
    return hg_ok(v) ? choose(op, mask, v, x) : v;
}

hg_tensor *hg_masked_fill(hg_tensor *x, hg_tensor *mask, double value)
{
    if (!check_fill("masked_fill", x, mask, value)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = filled("masked_fill", x, mask, value);
    return hg_scope_return(s, hg_record(y, &masked_fill_op, HG_LIST(x), HG_LIST(mask), NULL, 0));
}

hg_tensor *hg_masked_fill_(hg_tensor *x, hg_tensor *mask, double value)
{
    if (!check_fill("masked_fill_", x, mask, value)) return hg_failed();
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = filled("masked_fill_", x, mask, value);
    if (hg_ok(y) && !hg_same_shape(y, x))
        y = hg_fail(HG_E_SHAPE, "masked_fill_: mask %s does not broadcast to %s", HG_SHAPE_TEXT(mask), HG_SHAPE_TEXT(x));
    hg_status status = hg_ok(y) ? hg_begin_inplace("masked_fill_", x) : hg_last_status();
    if (status == HG_OK) status = hg_raw_copy(x, y);
    hg_scope_end(s);
    if (status != HG_OK) return hg_failed();
    return hg_record_inplace(x, &masked_fill_op, HG_LIST(x), HG_LIST(mask), NULL, 0);
}
