/* Dropout of elements and of channels: active in training mode only. */
#include "base/repr.h"
#include "nn/layer.h"

typedef struct dropout_state {
    double p;
} dropout_state;

static hg_tensor *dropout_forward(hg_module *m, hg_tensor *x)
{
    const dropout_state *s = m->state;
    return hg_dropout(x, s->p, m->training);
}

static hg_tensor *dropout2d_forward(hg_module *m, hg_tensor *x)
{
    const dropout_state *s = m->state;
    return hg_dropout2d(x, s->p, m->training);
}

static char *dropout_text(const hg_module *m)
{
    const dropout_state *s = m->state;
    char p[HG_REPR_SIZE];
    hg_repr_double(s->p, p);
    return hg_extra_text("p=%s, inplace=False", p);
}

static const hg_module_class dropout_class = {
    .name = "Dropout", .state_size = sizeof(dropout_state), .forward = dropout_forward, .extra_text = dropout_text};
static const hg_module_class dropout2d_class = {
    .name = "Dropout2d", .state_size = sizeof(dropout_state), .forward = dropout2d_forward, .extra_text = dropout_text};

bool hg_is_dropout(const hg_module *m)
{
    return m->cls == &dropout_class || m->cls == &dropout2d_class;
}

static hg_module *dropout_module(hg_device *dev, const hg_module_class *cls, double p)
{
    if (!(p >= 0 && p <= 1)) {
        hg_error(HG_E_ARG, "%s: dropout probability has to be between 0 and 1, but got %g", cls->name, p);
        return NULL;
    }
    hg_module *m = hg_module_new(dev, cls);
    if (m) *(dropout_state *)m->state = (dropout_state){p};
    return m;
}

hg_module *hg_dropout_module(hg_device *dev, double p)
{
    return dropout_module(dev, &dropout_class, p);
}

hg_module *hg_dropout2d_module(hg_device *dev, double p)
{
    return dropout_module(dev, &dropout2d_class, p);
}
