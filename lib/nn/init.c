/* First values of parameters and buffers. Drawing them takes the same numbers, in the same order, as PyTorch does. */
#include <math.h>

#include "nn/module.h"

/* Made in a scope of its own, so that a caller's scope holds nothing of a module. */
hg_status hg_add_filled(hg_module *m, const char *name, bool is_buffer, hg_dtype dtype, hg_shape shape, double value)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *t = hg_full(m->dev, dtype, shape, value);
    hg_status status = !hg_ok(t)   ? hg_last_status()
                       : is_buffer ? hg_add_buffer(m, name, t)
                                   : hg_add_parameter(m, name, t);
    hg_scope_end(s);
    return status;
}

hg_status hg_add_uniform(hg_module *m, const char *name, hg_shape shape, double bound)
{
    hg_scope *s = hg_scope_inner();
    hg_tensor *t = hg_empty(m->dev, HG_F32, shape);
    hg_status status = hg_ok(t) ? hg_uniform_(t, -bound, bound) : hg_last_status();
    if (status == HG_OK) status = hg_add_parameter(m, name, t);
    hg_scope_end(s);
    return status;
}

/* torch.nn.init.kaiming_uniform_(w, a=math.sqrt(5)) in its order of operations: gain = sqrt(2 / (1 + a^2)),
 * bound = sqrt(3) gain / sqrt(fan_in). */
static double kaiming_bound(double fan_in)
{
    double a = sqrt(5.0), gain = sqrt(2.0 / (1.0 + a * a));
    return sqrt(3.0) * (gain / sqrt(fan_in));
}

hg_status hg_add_weight_and_bias(hg_module *m, hg_shape weight, int64_t outputs, bool bias)
{
    double fan_in = 1;
    for (int d = 1; d < weight.ndim; d++) fan_in *= (double)weight.size[d];
    double spread = fan_in > 0 ? 1 / sqrt(fan_in) : 0;
    HG_TRY(hg_add_uniform(m, "weight", weight, fan_in > 0 ? kaiming_bound(fan_in) : 0));
    return bias ? hg_add_uniform(m, "bias", HG_SHAPE(outputs), spread) : HG_OK;
}
