/* y = x W^T + b */
#include "nn/layer.h"

typedef struct linear_state {
    int64_t in_features, out_features;
} linear_state;

static hg_tensor *linear_forward(hg_module *m, hg_tensor *x)
{
    return hg_linear(x, hg_own_tensor(m, "weight"), hg_own_tensor(m, "bias"));
}

static char *linear_text(const hg_module *m)
{
    const linear_state *s = m->state;
    return hg_extra_text("in_features=%lld, out_features=%lld, bias=%s", (long long)s->in_features,
                         (long long)s->out_features, hg_own_tensor(m, "bias") ? "True" : "False");
}

static const hg_module_class linear_class = {
    .name = "Linear", .state_size = sizeof(linear_state), .forward = linear_forward, .extra_text = linear_text};

bool hg_is_linear(const hg_module *m)
{
    return m->cls == &linear_class;
}

hg_module *hg_linear_module(hg_device *dev, int64_t in_features, int64_t out_features, bool bias)
{
    if (hg_check_least("Linear", "in_features", in_features, 0) != HG_OK ||
        hg_check_least("Linear", "out_features", out_features, 0) != HG_OK)
        return NULL;
    hg_module *m = hg_module_new(dev, &linear_class);
    if (!m) return NULL;
    *(linear_state *)m->state = (linear_state){in_features, out_features};
    return hg_module_built(m, hg_add_weight_and_bias(m, HG_SHAPE(out_features, in_features), out_features, bias));
}
