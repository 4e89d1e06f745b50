/* Activation functions as layers: seen in print and by hooks, unlike hg_relu() and the others. */
#include <math.h>
#include <stdio.h>

#include "base/repr.h"
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

/* ---- with numbers ---- */

typedef struct number_state {
    double p, q;
} number_state;

static hg_module *with_numbers(hg_device *dev, const hg_module_class *cls, double p, double q)
{
    hg_module *m = hg_module_new(dev, cls);
    if (m) *(number_state *)m->state = (number_state){p, q};
    return m;
}

static hg_tensor *leaky_relu_forward(hg_module *m, hg_tensor *x)
{
    const number_state *s = m->state;
    return hg_leaky_relu(x, s->p);
}

static char *leaky_relu_text(const hg_module *m)
{
    const number_state *s = m->state;
    char slope[HG_REPR_SIZE];
    hg_repr_double(s->p, slope);
    return hg_extra_text("negative_slope=%s", slope);
}

static const hg_module_class leaky_relu_class = {.name = "LeakyReLU",
                                                 .state_size = sizeof(number_state),
                                                 .forward = leaky_relu_forward,
                                                 .extra_text = leaky_relu_text};

hg_module *hg_leaky_relu_module(hg_device *dev, double negative_slope)
{
    return with_numbers(dev, &leaky_relu_class, negative_slope, 0);
}

static hg_tensor *softplus_forward(hg_module *m, hg_tensor *x)
{
    const number_state *s = m->state;
    return hg_softplus(x, s->p, s->q);
}

/* Whole numbers as Python's int, which is what the defaults are. */
static const char *whole_text(double v, char out[HG_REPR_SIZE])
{
    if (v == trunc(v) && fabs(v) < 1e15)
        snprintf(out, HG_REPR_SIZE, "%lld", (long long)v);
    else
        hg_repr_double(v, out);
    return out;
}

static char *softplus_text(const hg_module *m)
{
    const number_state *s = m->state;
    char beta[HG_REPR_SIZE], threshold[HG_REPR_SIZE];
    return hg_extra_text("beta=%s, threshold=%s", whole_text(s->p, beta), whole_text(s->q, threshold));
}

static const hg_module_class softplus_class = {
    .name = "Softplus", .state_size = sizeof(number_state), .forward = softplus_forward, .extra_text = softplus_text};

hg_module *hg_softplus_module(hg_device *dev, double beta, double threshold)
{
    if (!(beta != 0)) {
        hg_error(HG_E_ARG, "Softplus: beta must be a number other than 0, got %g", beta);
        return NULL;
    }
    return with_numbers(dev, &softplus_class, beta, threshold);
}

/* ---- without ---- */

static hg_tensor *gelu_forward(hg_module *m, hg_tensor *x)
{
    const number_state *s = m->state;
    return hg_gelu(x, s->p != 0);
}

static char *gelu_text(const hg_module *m)
{
    const number_state *s = m->state;
    return hg_extra_text("approximate='%s'", s->p != 0 ? "tanh" : "none");
}

static const hg_module_class gelu_class = {
    .name = "GELU", .state_size = sizeof(number_state), .forward = gelu_forward, .extra_text = gelu_text};

hg_module *hg_gelu_module(hg_device *dev, bool tanh_form)
{
    return with_numbers(dev, &gelu_class, tanh_form, 0);
}

#define PLAIN(function, printed)                                                                                       \
    static hg_tensor *function##_forward(hg_module *m, hg_tensor *x)                                                   \
    {                                                                                                                  \
        (void)m;                                                                                                       \
        return hg_##function(x);                                                                                       \
    }                                                                                                                  \
    static const hg_module_class function##_class = {.name = printed, .forward = function##_forward};                  \
    hg_module *hg_##function##_module(hg_device *dev)                                                                  \
    {                                                                                                                  \
        return hg_module_new(dev, &function##_class);                                                                  \
    }
PLAIN(silu, "SiLU")
PLAIN(hardsigmoid, "Hardsigmoid")
PLAIN(hardswish, "Hardswish")
