/* Layers and first values that the networks share. */
#include <math.h>
#include <string.h>

#include "nn/zoo/zoo.h"

hg_module *hg_zoo_conv(hg_device *dev, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding,
                       bool bias)
{
    hg_conv_options o = HG_CONV_DEFAULTS;
    o.stride[0] = o.stride[1] = stride;
    o.padding[0] = o.padding[1] = padding;
    return hg_conv2d_module(dev, in, out, kernel, kernel, &o, bias);
}

hg_module *hg_zoo_max_pool(hg_device *dev, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode)
{
    hg_pool_options o = HG_POOL_DEFAULTS;
    for (int d = 0; d < 2; d++) {
        o.kernel[d] = kernel;
        o.stride[d] = stride;
        o.padding[d] = padding;
    }
    o.ceil_mode = ceil_mode;
    return hg_max_pool2d_module(dev, &o);
}

typedef struct drawing {
    bool linear;
    hg_status status;
} drawing;

static hg_status draw(hg_module *m, double std)
{
    hg_tensor *bias = hg_own_tensor(m, "bias");
    HG_TRY(hg_normal_(hg_own_tensor(m, "weight"), 0, std));
    return bias ? hg_zero_(bias) : HG_OK;
}

static bool draw_one(const char *name, hg_module *m, void *user)
{
    drawing *d = user;
    (void)name;
    if (!strcmp(m->cls->name, "Conv2d")) {
        const hg_tensor *w = hg_own_tensor(m, "weight");
        double fan_out = (double)(w->size[0] * w->size[2] * w->size[3]);
        d->status = draw(m, sqrt(2.0) / sqrt(fan_out));
    } else if (d->linear && !strcmp(m->cls->name, "Linear")) {
        d->status = draw(m, 0.01);
    }
    return d->status == HG_OK;
}

hg_status hg_zoo_draw(hg_module *m, bool linear)
{
    drawing d = {linear, HG_OK};
    hg_each_module(m, draw_one, &d);
    return d.status;
}
