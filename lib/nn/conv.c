/* Convolution layers in 1 to 3 dimensions, and transposed ones. */
#include <string.h>

#include "base/str.h"
#include "nn/layer.h"

typedef struct conv_state {
    int rank;
    bool transposed;
    int64_t in_channels, out_channels, kernel[3];
    hg_conv_options options;                                       /* as given; of a transposed one: groups alone */
    hg_conv_transpose_options transpose;                           /* of a transposed one: as given */
    int64_t stride[3], padding[3], dilation[3], output_padding[3]; /* what they mean */
} conv_state;

static hg_tensor *conv_forward(hg_module *m, hg_tensor *x)
{
    const conv_state *s = m->state;
    hg_tensor *weight = hg_own_tensor(m, "weight"), *bias = hg_own_tensor(m, "bias");
    if (s->rank == 1) return hg_conv1d(x, weight, bias, &s->options);
    return s->rank == 2 ? hg_conv2d(x, weight, bias, &s->options) : hg_conv3d(x, weight, bias, &s->options);
}

static hg_tensor *transpose_forward(hg_module *m, hg_tensor *x)
{
    const conv_state *s = m->state;
    hg_tensor *weight = hg_own_tensor(m, "weight"), *bias = hg_own_tensor(m, "bias");
    if (s->rank == 1) return hg_conv_transpose1d(x, weight, bias, &s->transpose);
    return s->rank == 2 ? hg_conv_transpose2d(x, weight, bias, &s->transpose)
                        : hg_conv_transpose3d(x, weight, bias, &s->transpose);
}

static bool all_are(const int64_t *v, int n, int64_t value)
{
    for (int i = 0; i < n; i++)
        if (v[i] != value) return false;
    return true;
}

static const char *const modes[] = {"zeros", "reflect", "replicate", "circular"};

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
    if (!all_are(s->output_padding, s->rank, 0))
        hg_str_add(&out, ", output_padding=%s", hg_tuple_text(s->output_padding, s->rank, a));
    if (o->groups != 1) hg_str_add(&out, ", groups=%lld", (long long)o->groups);
    if (!hg_own_tensor(m, "bias")) hg_str_add(&out, ", bias=False");
    if (o->padding_mode != HG_PAD_CONSTANT) hg_str_add(&out, ", padding_mode=%s", modes[o->padding_mode]);
    return hg_str_take(&out);
}

#define CLASS(printed, function)                                                                                       \
    {                                                                                                                  \
        .name = printed, .state_size = sizeof(conv_state), .forward = function, .extra_text = conv_text                \
    }
static const hg_module_class classes[2][3] = {
    {CLASS("Conv1d", conv_forward), CLASS("Conv2d", conv_forward), CLASS("Conv3d", conv_forward)},
    {CLASS("ConvTranspose1d", transpose_forward), CLASS("ConvTranspose2d", transpose_forward),
     CLASS("ConvTranspose3d", transpose_forward)},
};

const hg_conv_options *hg_conv2d_options(const hg_module *m)
{
    return m->cls == &classes[0][1] ? &((const conv_state *)m->state)->options : NULL;
}

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
    if ((unsigned)o->padding_mode > HG_PAD_CIRCULAR)
        return hg_error(HG_E_ARG,
                        "%s: padding_mode must be one of HG_PAD_CONSTANT (zeros), HG_PAD_REFLECT, HG_PAD_REPLICATE, "
                        "HG_PAD_CIRCULAR, got %d",
                        name, (int)o->padding_mode);
    for (int d = 0; d < s->rank; d++) {
        HG_TRY(hg_check_least(name, "kernel size", s->kernel[d], 1));
        HG_TRY(hg_check_least(name, "stride", s->stride[d], 1));
        HG_TRY(hg_check_least(name, "padding", s->padding[d], 0));
        HG_TRY(hg_check_least(name, "output_padding", s->output_padding[d], 0));
        HG_TRY(hg_check_least(name, "dilation", s->dilation[d], 1));
        if (o->same && s->stride[d] != 1)
            return hg_error(HG_E_ARG, "%s: padding='same' is not supported for strided convolutions", name);
    }
    return HG_OK;
}

/* A 0 in a later place stands for the first one's value, HG_NO_PADDING for 0. */
static void spread(const int64_t given[3], int64_t out[3])
{
    out[0] = given[0];
    for (int d = 1; d < 3; d++) out[d] = given[d] == HG_NO_PADDING ? 0 : given[d] ? given[d] : given[0];
}

/* A checked module without weights. */
static hg_module *new_module(hg_device *dev, const conv_state *s)
{
    const hg_module_class *cls = &classes[s->transposed][s->rank - 1];
    if (check(cls->name, s) != HG_OK) return NULL;
    hg_module *m = hg_module_new(dev, cls);
    if (m) memcpy(m->state, s, sizeof *s);
    return m;
}

static hg_shape weight_shape(const conv_state *s)
{
    hg_shape shape = {s->rank + 2, {s->out_channels, s->in_channels / s->options.groups}};
    if (s->transposed) shape = (hg_shape){s->rank + 2, {s->in_channels, s->out_channels / s->options.groups}};
    memcpy(shape.size + 2, s->kernel, sizeof *s->kernel * (size_t)s->rank);
    return shape;
}

static hg_module *conv_module(hg_device *dev, conv_state s, const hg_conv_options *o, bool bias)
{
    s.options = o ? *o : HG_CONV_DEFAULTS;
    spread(s.options.stride, s.stride);
    spread(s.options.padding, s.padding);
    spread(s.options.dilation, s.dilation);
    hg_module *m = new_module(dev, &s);
    return m ? hg_module_built(m, hg_add_weight_and_bias(m, weight_shape(&s), s.out_channels, bias)) : NULL;
}

static hg_module *transpose_module(hg_device *dev, conv_state s, const hg_conv_transpose_options *o, bool bias)
{
    s.transposed = true;
    s.transpose = o ? *o : HG_CONV_TRANSPOSE_DEFAULTS;
    s.options = HG_CONV_DEFAULTS;
    s.options.groups = s.transpose.groups;
    spread(s.transpose.stride, s.stride);
    spread(s.transpose.padding, s.padding);
    spread(s.transpose.dilation, s.dilation);
    spread(s.transpose.output_padding, s.output_padding);
    hg_module *m = new_module(dev, &s);
    return m ? hg_module_built(m, hg_add_weight_and_bias(m, weight_shape(&s), s.out_channels, bias)) : NULL;
}

static conv_state state_of(int rank, int64_t in_channels, int64_t out_channels, int64_t k0, int64_t k1, int64_t k2)
{
    return (conv_state){.rank = rank, .in_channels = in_channels, .out_channels = out_channels, .kernel = {k0, k1, k2}};
}

hg_module *hg_conv1d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel,
                            const hg_conv_options *o, bool bias)
{
    return conv_module(dev, state_of(1, in_channels, out_channels, kernel, 1, 1), o, bias);
}

hg_module *hg_conv2d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel_h,
                            int64_t kernel_w, const hg_conv_options *o, bool bias)
{
    return conv_module(dev, state_of(2, in_channels, out_channels, kernel_h, kernel_w, 1), o, bias);
}

hg_module *hg_conv3d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel_d,
                            int64_t kernel_h, int64_t kernel_w, const hg_conv_options *o, bool bias)
{
    return conv_module(dev, state_of(3, in_channels, out_channels, kernel_d, kernel_h, kernel_w), o, bias);
}

hg_module *hg_conv_transpose1d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel,
                                      const hg_conv_transpose_options *o, bool bias)
{
    return transpose_module(dev, state_of(1, in_channels, out_channels, kernel, 1, 1), o, bias);
}

hg_module *hg_conv_transpose2d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel_h,
                                      int64_t kernel_w, const hg_conv_transpose_options *o, bool bias)
{
    return transpose_module(dev, state_of(2, in_channels, out_channels, kernel_h, kernel_w, 1), o, bias);
}

hg_module *hg_conv_transpose3d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel_d,
                                      int64_t kernel_h, int64_t kernel_w, const hg_conv_transpose_options *o, bool bias)
{
    return transpose_module(dev, state_of(3, in_channels, out_channels, kernel_d, kernel_h, kernel_w), o, bias);
}
