/* Convolution layers in 1 and 2 dimensions. */
#include <string.h>

#include "base/str.h"
#include "nn/layer.h"

typedef struct conv_state {
    int rank;
    int64_t in_channels, out_channels, kernel[2];
    hg_conv_options options;                            /* as given */
    int64_t stride[2], padding[2], dilation[2];         /* what they mean */
} conv_state;

static hg_tensor *conv_forward(hg_module *m, hg_tensor *x)
{
    const conv_state *s = m->state;
    hg_tensor *weight = hg_own_tensor(m, "weight"), *bias = hg_own_tensor(m, "bias");
    return s->rank == 1 ? hg_conv1d(x, weight, bias, &s->options) : hg_conv2d(x, weight, bias, &s->options);
}

static bool all_are(const int64_t *v, int n, int64_t value)
{
    for (int i = 0; i < n; i++)
        if (v[i] != value) return false;
    return true;
}

/* Defaults are left out, as PyTorch does. */
static char *conv_text(const hg_module *m)
{
    const conv_state *s = m->state;
    const hg_conv_options *o = &s->options;
    char a[HG_TUPLE_SIZE], b[HG_TUPLE_SIZE];
    hg_str out = {0};
    hg_str_add(&out, "%lld, %lld, kernel_size=%s, stride=%s", (long long)s->in_channels, (long long)s->out_channels,
               hg_tuple_text(s->kernel, s->rank, a), hg_tuple_text(s->stride, s->rank, b));
    if (o->same)
        hg_str_add(&out, ", padding=same");
    else if (!all_are(s->padding, s->rank, 0))
        hg_str_add(&out, ", padding=%s", hg_tuple_text(s->padding, s->rank, a));
    if (!all_are(s->dilation, s->rank, 1)) hg_str_add(&out, ", dilation=%s", hg_tuple_text(s->dilation, s->rank, a));
    if (o->groups != 1) hg_str_add(&out, ", groups=%lld", (long long)o->groups);
    if (!hg_own_tensor(m, "bias")) hg_str_add(&out, ", bias=False");
    return hg_str_take(&out);
}

static const hg_module_class classes[] = {
    {.name = "Conv1d", .state_size = sizeof(conv_state), .forward = conv_forward, .extra_text = conv_text},
    {.name = "Conv2d", .state_size = sizeof(conv_state), .forward = conv_forward, .extra_text = conv_text},
};

static hg_status check(const char *name, const conv_state *s)
{
    const hg_conv_options *o = &s->options;
    HG_TRY(hg_check_least(name, "in_channels", s->in_channels, 0));
    HG_TRY(hg_check_least(name, "out_channels", s->out_channels, 0));
    if (o->groups <= 0)
        return hg_error(HG_E_ARG, "%s: groups must be a positive integer, got %lld", name, (long long)o->groups);
    if (s->in_channels % o->groups)
        return hg_error(HG_E_ARG, "%s: in_channels must be divisible by groups; %lld and %lld are not", name,
                        (long long)s->in_channels, (long long)o->groups);
    if (s->out_channels % o->groups)
        return hg_error(HG_E_ARG, "%s: out_channels must be divisible by groups; %lld and %lld are not", name,
                        (long long)s->out_channels, (long long)o->groups);
    for (int d = 0; d < s->rank; d++) {
        HG_TRY(hg_check_least(name, "kernel size", s->kernel[d], 1));
        HG_TRY(hg_check_least(name, "stride", s->stride[d], 1));
        HG_TRY(hg_check_least(name, "padding", s->padding[d], 0));
        HG_TRY(hg_check_least(name, "dilation", s->dilation[d], 1));
        if (o->same && s->stride[d] != 1)
            return hg_error(HG_E_ARG, "%s: padding='same' is not supported for strided convolutions", name);
    }
    return HG_OK;
}

/* A 0 in the second place stands for the first one's value. */
static void spread(const int64_t given[3], int64_t out[2])
{
    out[0] = given[0];
    out[1] = given[1] ? given[1] : given[0];
}

static hg_module *conv_module(hg_device *dev, conv_state s, const hg_conv_options *o, bool bias)
{
    const hg_module_class *cls = &classes[s.rank - 1];
    s.options = o ? *o : HG_CONV_DEFAULTS;
    spread(s.options.stride, s.stride);
    spread(s.options.padding, s.padding);
    spread(s.options.dilation, s.dilation);
    if (s.padding[1] == HG_NO_PADDING) s.padding[1] = 0;
    if (check(cls->name, &s) != HG_OK) return NULL;
    hg_module *m = hg_module_new(dev, cls);
    if (!m) return NULL;
    memcpy(m->state, &s, sizeof s);
    hg_shape weight = {s.rank + 2, {s.out_channels, s.in_channels / s.options.groups, s.kernel[0], s.kernel[1]}};
    return hg_module_built(m, hg_add_weight_and_bias(m, weight, bias));
}

hg_module *hg_conv1d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel,
                            const hg_conv_options *o, bool bias)
{
    conv_state s = {.rank = 1, .in_channels = in_channels, .out_channels = out_channels, .kernel = {kernel, 1}};
    return conv_module(dev, s, o, bias);
}

hg_module *hg_conv2d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel_h,
                            int64_t kernel_w, const hg_conv_options *o, bool bias)
{
    conv_state s = {
        .rank = 2, .in_channels = in_channels, .out_channels = out_channels, .kernel = {kernel_h, kernel_w}};
    return conv_module(dev, s, o, bias);
}
