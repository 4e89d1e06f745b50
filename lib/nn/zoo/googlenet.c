/* GoogLeNet as torchvision has it (Szegedy et al., Going deeper with convolutions, 2014; with batch normalisation, and
 * 3 x 3 kernels where the paper has 5 x 5: https://github.com/pytorch/vision/issues/906). N x 3 x H x W, made for
 * 224 x 224; N x classes logits. First values are those of the layers: torchvision's init_weights=False. */
#include <stdio.h>

#include "nn/zoo/zoo.h"

/* ---- BasicConv2d: convolution, batch normalisation, ReLU ---- */

static hg_value basic_flow(hg_module *m, hg_flow *f, hg_value x)
{
    return hg_flow_norm_relu(f, m, "bn", NULL, hg_flow_child(f, m, "conv", x));
}

static const hg_flow_class basic_class = {{.name = "BasicConv2d", .forward = hg_flow_forward}, basic_flow};

static hg_status add_basic(hg_module *m, int64_t in, int64_t out, int64_t kernel, int64_t stride)
{
    hg_batch_norm_options norm = HG_BATCH_NORM_DEFAULTS;
    norm.eps = 0.001;
    HG_TRY(hg_add_child(m, "conv", hg_zoo_conv(m->dev, in, out, kernel, stride, kernel / 2, false)));
    return hg_add_child(m, "bn", hg_batch_norm2d_module(m->dev, out, &norm));
}

static hg_module *basic(hg_device *dev, int64_t in, int64_t out, int64_t kernel, int64_t stride)
{
    hg_module *m = hg_module_new(dev, &basic_class.cls);
    return m ? hg_module_built(m, add_basic(m, in, out, kernel, stride)) : NULL;
}

/* ---- Inception: four branches side by side ---- */

static hg_value inception_flow(hg_module *m, hg_flow *f, hg_value x)
{
    hg_value branch[4];
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "branch%d", i + 1);
        branch[i] = hg_flow_child(f, m, name, x);
    }
    return hg_flow_cat(f, branch, 4);
}

static const hg_flow_class inception_class = {{.name = "Inception", .forward = hg_flow_forward}, inception_flow};

/* Channels: of the first branch, of the second's and third's 1 x 1 and 3 x 3 convolutions, of the fourth. */
typedef struct widths {
    int in, one, three_in, three, five_in, five, pool;
} widths;

static hg_status add_branch(hg_module *m, const char *name, hg_module *first, hg_module *second)
{
    hg_status status = hg_add_child(m, name, hg_sequential(m->dev));
    if (status == HG_OK)
        status = hg_append(hg_child(m, name), first);
    else
        hg_module_free(first);
    if (status == HG_OK) return hg_append(hg_child(m, name), second);
    hg_module_free(second);
    return status;
}

static hg_status add_branches(hg_module *m, const widths *w)
{
    hg_device *d = m->dev;
    HG_TRY(hg_add_child(m, "branch1", basic(d, w->in, w->one, 1, 1)));
    hg_module *first = basic(d, w->in, w->three_in, 1, 1); /* in the order in which weights are drawn */
    HG_TRY(add_branch(m, "branch2", first, basic(d, w->three_in, w->three, 3, 1)));
    first = basic(d, w->in, w->five_in, 1, 1);
    HG_TRY(add_branch(m, "branch3", first, basic(d, w->five_in, w->five, 3, 1)));
    return add_branch(m, "branch4", hg_zoo_max_pool(d, 3, 1, 1, true), basic(d, w->in, w->pool, 1, 1));
}

static hg_module *inception(hg_device *dev, const widths *w)
{
    hg_module *m = hg_module_new(dev, &inception_class.cls);
    return m ? hg_module_built(m, add_branches(m, w)) : NULL;
}

/* ---- InceptionAux: a classifier on what a block in the middle gives ---- */

static hg_tensor *pool_to_4(hg_tensor *x)
{
    return hg_adaptive_avg_pool2d(x, 4, 4);
}

static hg_value aux_flow(hg_module *m, hg_flow *f, hg_value x)
{
    x = hg_flow_child(f, m, "conv", hg_flow_apply(f, pool_to_4, x));
    x = hg_flow_relu(f, hg_flow_child(f, m, "fc1", hg_flow_rows(f, x, -1)));
    return hg_flow_child(f, m, "fc2", hg_flow_child(f, m, "dropout", x));
}

static const hg_flow_class aux_class = {{.name = "InceptionAux", .forward = hg_flow_forward}, aux_flow};

static hg_status add_aux(hg_module *m, int64_t in, int64_t classes)
{
    HG_TRY(hg_add_child(m, "conv", basic(m->dev, in, 128, 1, 1)));
    HG_TRY(hg_add_child(m, "fc1", hg_linear_module(m->dev, 2048, 1024, true)));
    HG_TRY(hg_add_child(m, "fc2", hg_linear_module(m->dev, 1024, classes, true)));
    return hg_add_child(m, "dropout", hg_dropout_module(m->dev, 0.7));
}

static hg_module *aux(hg_device *dev, int64_t in, int64_t classes)
{
    hg_module *m = hg_module_new(dev, &aux_class.cls);
    return m ? hg_module_built(m, add_aux(m, in, classes)) : NULL;
}

/* ---- the network ---- */

typedef struct googlenet_state {
    bool transform_input;
} googlenet_state;

/* From ImageNet's mean and deviation, which torchvision's other networks take, to 0.5 and 0.5. */
static hg_tensor *transform(hg_tensor *x)
{
    static const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
    hg_tensor *channel[3];
    for (int c = 0; c < 3; c++)
        channel[c] =
            hg_add_scalar(hg_mul_scalar(hg_slice(x, 1, c, c + 1, 1), deviation[c] / 0.5), (mean[c] - 0.5) / 0.5);
    return hg_cat(channel, 3, 1);
}

/* In training the heads, where there are any, run for their hooks: the result is the network's logits alone. */
static void run_aux(hg_module *m, hg_flow *f, const char *name, hg_value x)
{
    if (m->training && hg_own_child(m, name)) hg_flow_child(f, m, name, x);
}

static hg_value googlenet_flow(hg_module *m, hg_flow *f, hg_value x)
{
    static const char *const first[] = {"conv1",       "maxpool1",    "conv2",    "conv3",       "maxpool2",
                                        "inception3a", "inception3b", "maxpool3", "inception4a", NULL},
                             *const second[] = {"inception4b", "inception4c", "inception4d", NULL},
                             *const third[] = {"inception4e", "maxpool4", "inception5a",
                                               "inception5b", "avgpool",  NULL};
    const googlenet_state *s = m->state;
    if (s->transform_input) x = hg_flow_apply(f, transform, x);
    for (int i = 0; first[i]; i++) x = hg_flow_child(f, m, first[i], x);
    run_aux(m, f, "aux1", x);
    for (int i = 0; second[i]; i++) x = hg_flow_child(f, m, second[i], x);
    run_aux(m, f, "aux2", x);
    for (int i = 0; third[i]; i++) x = hg_flow_child(f, m, third[i], x);
    return hg_flow_child(f, m, "fc", hg_flow_child(f, m, "dropout", hg_flow_rows(f, x, -1)));
}

static const hg_flow_class googlenet_class = {
    {.name = "GoogLeNet", .state_size = sizeof(googlenet_state), .forward = hg_flow_forward}, googlenet_flow};

static hg_status add_blocks(hg_module *m)
{
    static const struct {
        const char *name;
        widths w;
        int pool; /* of the pooling layer after it; 0: none */
    } blocks[] = {
        {"inception3a", {192, 64, 96, 128, 16, 32, 32}, 0},     {"inception3b", {256, 128, 128, 192, 32, 96, 64}, 3},
        {"inception4a", {480, 192, 96, 208, 16, 48, 64}, 0},    {"inception4b", {512, 160, 112, 224, 24, 64, 64}, 0},
        {"inception4c", {512, 128, 128, 256, 24, 64, 64}, 0},   {"inception4d", {512, 112, 144, 288, 32, 64, 64}, 0},
        {"inception4e", {528, 256, 160, 320, 32, 128, 128}, 2}, {"inception5a", {832, 256, 160, 320, 32, 128, 128}, 0},
        {"inception5b", {832, 384, 192, 384, 48, 128, 128}, 0}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        HG_TRY(hg_add_child(m, blocks[i].name, inception(m->dev, &blocks[i].w)));
        if (!blocks[i].pool) continue;
        char name[16];
        snprintf(name, sizeof name, "maxpool%c", blocks[i].name[9]);
        HG_TRY(hg_add_child(m, name, hg_zoo_max_pool(m->dev, blocks[i].pool, 2, 0, true)));
    }
    return HG_OK;
}

static hg_status build(hg_module *m, bool heads, int64_t classes)
{
    hg_device *d = m->dev;
    HG_TRY(hg_add_child(m, "conv1", basic(d, 3, 64, 7, 2)));
    HG_TRY(hg_add_child(m, "maxpool1", hg_zoo_max_pool(d, 3, 2, 0, true)));
    HG_TRY(hg_add_child(m, "conv2", basic(d, 64, 64, 1, 1)));
    HG_TRY(hg_add_child(m, "conv3", basic(d, 64, 192, 3, 1)));
    HG_TRY(hg_add_child(m, "maxpool2", hg_zoo_max_pool(d, 3, 2, 0, true)));
    HG_TRY(add_blocks(m));
    if (heads) HG_TRY(hg_add_child(m, "aux1", aux(d, 512, classes)));
    if (heads) HG_TRY(hg_add_child(m, "aux2", aux(d, 528, classes)));
    HG_TRY(hg_add_child(m, "avgpool", hg_adaptive_avg_pool2d_module(d, 1, 1)));
    HG_TRY(hg_add_child(m, "dropout", hg_dropout_module(d, 0.2)));
    return hg_add_child(m, "fc", hg_linear_module(d, 1024, classes, true));
}

hg_module *hg_zoo_googlenet(hg_device *dev, const hg_model_options *o, int64_t classes)
{
    hg_module *m = hg_module_new(dev, &googlenet_class.cls);
    if (!m) return NULL;
    *(googlenet_state *)m->state = (googlenet_state){o->transform_input};
    return hg_module_built(m, build(m, o->aux_logits, classes));
}
