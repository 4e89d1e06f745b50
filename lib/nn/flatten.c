/* Flatten as a layer. */
#include "nn/layer.h"

typedef struct flatten_state {
    int start_dim, end_dim;
} flatten_state;

static hg_tensor *flatten_forward(hg_module *m, hg_tensor *x)
{
    const flatten_state *s = m->state;
    return hg_flatten(x, s->start_dim, s->end_dim);
}

static char *flatten_text(const hg_module *m)
{
    const flatten_state *s = m->state;
    return hg_extra_text("start_dim=%d, end_dim=%d", s->start_dim, s->end_dim);
}

static const hg_module_class flatten_class = {
    .name = "Flatten", .state_size = sizeof(flatten_state), .forward = flatten_forward, .extra_text = flatten_text};

hg_module *hg_flatten_module(hg_device *dev, int start_dim, int end_dim)
{
    hg_module *m = hg_module_new(dev, &flatten_class);
    if (m) *(flatten_state *)m->state = (flatten_state){start_dim, end_dim};
    return m;
}
