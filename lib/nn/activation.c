/* ReLU as a layer: seen in print and by hooks, unlike hg_relu(). */
#include "nn/layer.h"

typedef struct relu_state {
    bool inplace;
} relu_state;

static hg_tensor *relu_forward(hg_module *m, hg_tensor *x)
{
    const relu_state *s = m->state;
    return s->inplace ? hg_relu_(x) : hg_relu(x);
}

static char *relu_text(const hg_module *m)
{
    const relu_state *s = m->state;
    return hg_extra_text("%s", s->inplace ? "inplace=True" : "");
}

static const hg_module_class relu_class = {
    .name = "ReLU", .state_size = sizeof(relu_state), .forward = relu_forward, .extra_text = relu_text};

bool hg_is_relu(const hg_module *m)
{
    return m->cls == &relu_class;
}

hg_module *hg_relu_module(hg_device *dev, bool inplace)
{
    hg_module *m = hg_module_new(dev, &relu_class);
    if (m) *(relu_state *)m->state = (relu_state){inplace};
    return m;
}
