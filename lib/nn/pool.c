/* Pooling layers. */
#include "nn/layer.h"

/* ---- max and average ---- */

static hg_tensor *max_forward(hg_module *m, hg_tensor *x)
{
    return hg_max_pool2d(x, m->state, NULL);
}

static hg_tensor *avg_forward(hg_module *m, hg_tensor *x)
{
    return hg_avg_pool2d(x, m->state);
}

static char *max_text(const hg_module *m)
{
    const hg_pool_options *o = m->state;
    char k[HG_TUPLE_SIZE], s[HG_TUPLE_SIZE], p[HG_TUPLE_SIZE], d[HG_TUPLE_SIZE];
    return hg_extra_text("kernel_size=%s, stride=%s, padding=%s, dilation=%s, ceil_mode=%s",
                         hg_sizes_text(o->kernel, 2, k), hg_sizes_text(o->stride, 2, s),
                         hg_sizes_text(o->padding, 2, p), hg_sizes_text(o->dilation, 2, d),
                         o->ceil_mode ? "True" : "False");
}

static char *avg_text(const hg_module *m)
{
    const hg_pool_options *o = m->state;
    char k[HG_TUPLE_SIZE], s[HG_TUPLE_SIZE], p[HG_TUPLE_SIZE];
    return hg_extra_text("kernel_size=%s, stride=%s, padding=%s", hg_sizes_text(o->kernel, 2, k),
                         hg_sizes_text(o->stride, 2, s), hg_sizes_text(o->padding, 2, p));
}

static const hg_module_class max_class = {
    .name = "MaxPool2d", .state_size = sizeof(hg_pool_options), .forward = max_forward, .extra_text = max_text};
static const hg_module_class avg_class = {
    .name = "AvgPool2d", .state_size = sizeof(hg_pool_options), .forward = avg_forward, .extra_text = avg_text};

static hg_status check(const char *name, const hg_pool_options *o)
{
    for (int d = 0; d < 2; d++) {
        HG_TRY(hg_check_least(name, "kernel_size", o->kernel[d], 1));
        HG_TRY(hg_check_least(name, "stride", o->stride[d], 1));
        HG_TRY(hg_check_least(name, "padding", o->padding[d], 0));
        HG_TRY(hg_check_least(name, "dilation", o->dilation[d], 1));
        if (o->padding[d] > o->kernel[d] / 2)
            return hg_error(HG_E_ARG,
                            "%s: pad should be at most half of kernel size, but got pad=%lld and kernel_size=%lld",
                            name, (long long)o->padding[d], (long long)o->kernel[d]);
    }
    return HG_OK;
}

static hg_module *pool_module(hg_device *dev, const hg_module_class *cls, const hg_pool_options *given)
{
    hg_pool_options o = given ? *given : HG_POOL_DEFAULTS;
    for (int d = 0; d < 2; d++)
        if (!o.stride[d]) o.stride[d] = o.kernel[d];
    if (check(cls->name, &o) != HG_OK) return NULL;
    hg_module *m = hg_module_new(dev, cls);
    if (m) *(hg_pool_options *)m->state = o;
    return m;
}

hg_module *hg_max_pool2d_module(hg_device *dev, const hg_pool_options *o)
{
    return pool_module(dev, &max_class, o);
}

const hg_pool_options *hg_max_pool2d_options(const hg_module *m)
{
    return m->cls == &max_class ? m->state : NULL;
}

hg_module *hg_avg_pool2d_module(hg_device *dev, const hg_pool_options *o)
{
    return pool_module(dev, &avg_class, o);
}

/* ---- average to a fixed size ---- */

typedef struct adaptive_state {
    int64_t size[2];
} adaptive_state;

static hg_tensor *adaptive_forward(hg_module *m, hg_tensor *x)
{
    const adaptive_state *s = m->state;
    return hg_adaptive_avg_pool2d(x, s->size[0], s->size[1]);
}

/* A size that is kept is PyTorch's None. */
static char *adaptive_text(const hg_module *m)
{
    const adaptive_state *s = m->state;
    long long h = s->size[0], w = s->size[1];
    if (h && w) return hg_extra_text("output_size=(%lld, %lld)", h, w);
    if (h) return hg_extra_text("output_size=(%lld, None)", h);
    return w ? hg_extra_text("output_size=(None, %lld)", w) : hg_extra_text("output_size=(None, None)");
}

static const hg_module_class adaptive_class = {.name = "AdaptiveAvgPool2d",
                                               .state_size = sizeof(adaptive_state),
                                               .forward = adaptive_forward,
                                               .extra_text = adaptive_text};

hg_module *hg_adaptive_avg_pool2d_module(hg_device *dev, int64_t height, int64_t width)
{
    if (hg_check_least("AdaptiveAvgPool2d", "height", height, 0) != HG_OK ||
        hg_check_least("AdaptiveAvgPool2d", "width", width, 0) != HG_OK)
        return NULL;
    hg_module *m = hg_module_new(dev, &adaptive_class);
    if (m) *(adaptive_state *)m->state = (adaptive_state){{height, width}};
    return m;
}
