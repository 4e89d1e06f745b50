/* Comparisons: bool results, no gradient. */
#include <math.h>

#include "ops/elementwise.h"

#define COMPARE(name)                                                                                                  \
    hg_tensor *hg_##name(hg_tensor *a, hg_tensor *b)                                                                   \
    {                                                                                                                  \
        return hg_check_pair(#name, a, b, true) ? HG_ZIP(#name, compare, #name, HG_BOOL, a, b) : hg_failed();          \
    }
COMPARE(eq)
COMPARE(ne)
COMPARE(lt)
COMPARE(le)
COMPARE(gt)
COMPARE(ge)

/* For integers a >= b is a >= ceil(b), and a < b is a < ceil(b); beyond their range the answer is the same for all. */
static hg_tensor *with_number(const char *op, const char *kernel, hg_tensor *x, double b, bool below, bool above)
{
    if (!HG_CHECK_OPERANDS(op, x)) return hg_failed();
    if (!hg_is_float(x->dtype)) {
        b = ceil(b);
        if (isnan(b) || b >= 0x1p63 || b < -0x1p63)
            return hg_full(x->dev, HG_BOOL, hg_tensor_shape(x), isnan(b) ? 0 : b > 0 ? below : above);
    }
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_new_tensor(x->dev, HG_BOOL, x->ndim, x->size), *c = hg_raw_contiguous(x);
    hg_status status = hg_ok(y) && hg_ok(c) ? HG_OK : hg_last_status();
    if (status == HG_OK) {
        char options[64];
        hg_element_options(x->dtype, hg_walk_of((const hg_tensor *[]){y}, 1).wide, options);
        status = hg_launch(x->dev, &hg_source_compare, options, kernel, hg_range_elements(x->dev, x->numel),
                           HG_ARGS(HG_ARG_I64(x->numel), HG_ARG_TENSOR(c), HG_ARG_TENSOR(y),
                                   hg_arg_scalar(x->dtype, b)));
    }
    return hg_scope_return(s, status == HG_OK ? y : hg_failed());
}

hg_tensor *hg_ge_scalar(hg_tensor *a, double b)
{
    return with_number("ge_scalar", "ge_number", a, b, false, true);
}

hg_tensor *hg_lt_scalar(hg_tensor *a, double b)
{
    return with_number("lt_scalar", "lt_number", a, b, true, false);
}
