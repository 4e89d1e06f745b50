/* Layer and group normalisation with their weight and bias. */
#include "base/repr.h"
#include "nn/layer.h"

static hg_status check_eps(const char *layer, double eps)
{
    if (eps >= 0) return HG_OK;
    return hg_error(HG_E_ARG, "%s: eps must not be negative, got %g", layer, eps);
}

/* Weights of 1 and biases of 0, if `affine`. */
static hg_module *with_weights(hg_module *m, hg_shape shape, bool affine)
{
    hg_status status = affine ? hg_add_filled(m, "weight", false, HG_F32, shape, 1) : HG_OK;
    if (affine && status == HG_OK) status = hg_add_filled(m, "bias", false, HG_F32, shape, 0);
    return hg_module_built(m, status);
}

/* ---- layer norm ---- */

typedef struct layer_norm_state {
    hg_shape shape;
    double eps;
    bool affine;
} layer_norm_state;

static hg_tensor *layer_norm_forward(hg_module *m, hg_tensor *x)
{
    const layer_norm_state *s = m->state;
    return hg_layer_norm(x, s->shape, hg_own_tensor(m, "weight"), hg_own_tensor(m, "bias"), s->eps);
}

static char *layer_norm_text(const hg_module *m)
{
    const layer_norm_state *s = m->state;
    char shape[HG_TUPLE_SIZE], eps[HG_REPR_SIZE];
    hg_repr_double(s->eps, eps);
    return hg_extra_text("%s, eps=%s, elementwise_affine=%s", hg_tuple_text(s->shape.size, s->shape.ndim, shape), eps,
                         s->affine ? "True" : "False");
}

static const hg_module_class layer_norm_class = {.name = "LayerNorm",
                                                 .state_size = sizeof(layer_norm_state),
                                                 .forward = layer_norm_forward,
                                                 .extra_text = layer_norm_text};

hg_module *hg_layer_norm_module(hg_device *dev, hg_shape shape, double eps, bool affine)
{
    if (shape.ndim < 1 || shape.ndim > HG_MAX_DIMS) {
        hg_error(HG_E_ARG, "LayerNorm: normalized_shape must have 1 to %d dimensions, got %d", HG_MAX_DIMS, shape.ndim);
        return NULL;
    }
    for (int d = 0; d < shape.ndim; d++)
        if (hg_check_least("LayerNorm", "normalized_shape", shape.size[d], 0) != HG_OK) return NULL;
    if (check_eps("LayerNorm", eps) != HG_OK) return NULL;
    hg_module *m = hg_module_new(dev, &layer_norm_class);
    if (!m) return NULL;
    *(layer_norm_state *)m->state = (layer_norm_state){shape, eps, affine};
    return with_weights(m, shape, affine);
}

/* ---- group norm ---- */

typedef struct group_norm_state {
    int64_t groups, channels;
    double eps;
    bool affine;
} group_norm_state;

static hg_tensor *group_norm_forward(hg_module *m, hg_tensor *x)
{
    const group_norm_state *s = m->state;
    return hg_group_norm(x, s->groups, hg_own_tensor(m, "weight"), hg_own_tensor(m, "bias"), s->eps);
}

static char *group_norm_text(const hg_module *m)
{
    const group_norm_state *s = m->state;
    char eps[HG_REPR_SIZE];
    hg_repr_double(s->eps, eps);
    return hg_extra_text("%lld, %lld, eps=%s, affine=%s", (long long)s->groups, (long long)s->channels, eps,
                         s->affine ? "True" : "False");
}

static const hg_module_class group_norm_class = {.name = "GroupNorm",
                                                 .state_size = sizeof(group_norm_state),
                                                 .forward = group_norm_forward,
                                                 .extra_text = group_norm_text};

hg_module *hg_group_norm_module(hg_device *dev, int64_t groups, int64_t channels, double eps, bool affine)
{
    if (hg_check_least("GroupNorm", "num_groups", groups, 1) != HG_OK ||
        hg_check_least("GroupNorm", "num_channels", channels, 0) != HG_OK || check_eps("GroupNorm", eps) != HG_OK)
        return NULL;
    if (channels % groups) {
        hg_error(HG_E_ARG, "GroupNorm: num_channels must be divisible by num_groups, got %lld and %lld",
                 (long long)channels, (long long)groups);
        return NULL;
    }
    hg_module *m = hg_module_new(dev, &group_norm_class);
    if (!m) return NULL;
    *(group_norm_state *)m->state = (group_norm_state){groups, channels, eps, affine};
    return with_weights(m, HG_SHAPE(channels), affine);
}
