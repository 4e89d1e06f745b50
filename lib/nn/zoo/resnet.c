/* ResNet-18, 34 and 50 as torchvision has them (He et al., Deep residual learning, 2015; the stride of a bottleneck is
 * on its 3 x 3 convolution). N x 3 x H x W, made for 224 x 224; N x classes logits. */
#include <stdio.h>

#include "nn/zoo/zoo.h"

typedef struct plan {
    int blocks[4];
    bool bottleneck;
} plan;

/* ---- a block: the input, or its downsample, is added before the last ReLU ---- */

static hg_value join(hg_module *m, hg_flow *f, hg_value y, hg_value x)
{
    if (hg_own_child(m, "downsample")) x = hg_flow_child(f, m, "downsample", x);
    return hg_flow_child(f, m, "relu", hg_flow_add(f, y, x));
}

static hg_value basic_flow(hg_module *m, hg_flow *f, hg_value x)
{
    hg_value y = hg_flow_norm_relu(f, m, "bn1", "relu", hg_flow_child(f, m, "conv1", x));
    return join(m, f, hg_flow_child(f, m, "bn2", hg_flow_child(f, m, "conv2", y)), x);
}

static hg_value bottleneck_flow(hg_module *m, hg_flow *f, hg_value x)
{
    hg_value y = hg_flow_norm_relu(f, m, "bn1", "relu", hg_flow_child(f, m, "conv1", x));
    y = hg_flow_norm_relu(f, m, "bn2", "relu", hg_flow_child(f, m, "conv2", y));
    return join(m, f, hg_flow_child(f, m, "bn3", hg_flow_child(f, m, "conv3", y)), x);
}

static const hg_flow_class basic_class = {{.name = "BasicBlock", .forward = hg_flow_forward}, basic_flow};
static const hg_flow_class bottleneck_class = {{.name = "Bottleneck", .forward = hg_flow_forward}, bottleneck_flow};

/* convN and bnN. */
static hg_status add_conv(hg_module *m, int number, int64_t in, int64_t out, int64_t kernel, int64_t stride)
{
    char conv[16], norm[16];
    snprintf(conv, sizeof conv, "conv%d", number);
    snprintf(norm, sizeof norm, "bn%d", number);
    HG_TRY(hg_add_child(m, conv, hg_zoo_conv(m->dev, in, out, kernel, stride, kernel / 2, false)));
    return hg_add_child(m, norm, hg_batch_norm2d_module(m->dev, out, NULL));
}

static hg_status add_downsample(hg_module *m, int64_t in, int64_t out, int64_t stride)
{
    HG_TRY(hg_add_child(m, "downsample", hg_sequential(m->dev)));
    hg_module *down = hg_child(m, "downsample");
    HG_TRY(hg_append(down, hg_zoo_conv(m->dev, in, out, 1, stride, 0, false)));
    return hg_append(down, hg_batch_norm2d_module(m->dev, out, NULL));
}

static hg_status add_parts(hg_module *m, bool bottleneck, int64_t in, int64_t planes, int64_t stride)
{
    int64_t out = bottleneck ? 4 * planes : planes;
    HG_TRY(add_conv(m, 1, in, planes, bottleneck ? 1 : 3, bottleneck ? 1 : stride));
    if (bottleneck) {
        HG_TRY(add_conv(m, 2, planes, planes, 3, stride));
        HG_TRY(add_conv(m, 3, planes, out, 1, 1));
        HG_TRY(hg_add_child(m, "relu", hg_relu_module(m->dev, true)));
    } else {
        HG_TRY(hg_add_child(m, "relu", hg_relu_module(m->dev, true)));
        HG_TRY(add_conv(m, 2, planes, planes, 3, 1));
    }
    return stride != 1 || in != out ? add_downsample(m, in, out, stride) : HG_OK;
}

static hg_module *block(hg_device *dev, bool bottleneck, int64_t in, int64_t planes, int64_t stride)
{
    hg_module *m = hg_module_new(dev, bottleneck ? &bottleneck_class.cls : &basic_class.cls);
    return m ? hg_module_built(m, add_parts(m, bottleneck, in, planes, stride)) : NULL;
}

/* ---- the network ---- */

static hg_value resnet_flow(hg_module *m, hg_flow *f, hg_value x)
{
    x = hg_flow_norm_relu(f, m, "bn1", "relu", hg_flow_child(f, m, "conv1", x));
    x = hg_flow_child(f, m, "layer1", hg_flow_child(f, m, "maxpool", x));
    x = hg_flow_child(f, m, "layer3", hg_flow_child(f, m, "layer2", x));
    x = hg_flow_child(f, m, "avgpool", hg_flow_child(f, m, "layer4", x));
    return hg_flow_child(f, m, "fc", hg_flow_rows(f, x, -1));
}

static const hg_flow_class resnet_class = {{.name = "ResNet", .forward = hg_flow_forward}, resnet_flow};

static hg_status add_layer(hg_module *m, const plan *p, int index, int64_t *in)
{
    char name[16];
    int64_t planes = INT64_C(64) << index;
    snprintf(name, sizeof name, "layer%d", index + 1);
    HG_TRY(hg_add_child(m, name, hg_sequential(m->dev)));
    hg_module *layer = hg_child(m, name);
    for (int i = 0; i < p->blocks[index]; i++) {
        HG_TRY(hg_append(layer, block(m->dev, p->bottleneck, *in, planes, index && !i ? 2 : 1)));
        *in = p->bottleneck ? 4 * planes : planes;
    }
    return HG_OK;
}

static hg_status build(hg_module *m, const plan *p, int64_t classes)
{
    int64_t channels = 64;
    HG_TRY(hg_add_child(m, "conv1", hg_zoo_conv(m->dev, 3, channels, 7, 2, 3, false)));
    HG_TRY(hg_add_child(m, "bn1", hg_batch_norm2d_module(m->dev, channels, NULL)));
    HG_TRY(hg_add_child(m, "relu", hg_relu_module(m->dev, true)));
    HG_TRY(hg_add_child(m, "maxpool", hg_zoo_max_pool(m->dev, 3, 2, 1, false)));
    for (int i = 0; i < 4; i++) HG_TRY(add_layer(m, p, i, &channels));
    HG_TRY(hg_add_child(m, "avgpool", hg_adaptive_avg_pool2d_module(m->dev, 1, 1)));
    HG_TRY(hg_add_child(m, "fc", hg_linear_module(m->dev, channels, classes, true)));
    return hg_zoo_draw(m, false);
}

hg_module *hg_zoo_resnet(hg_device *dev, int depth, int64_t classes)
{
    static const plan small = {{2, 2, 2, 2}, false}, middle = {{3, 4, 6, 3}, false}, large = {{3, 4, 6, 3}, true};
    hg_module *m = hg_module_new(dev, &resnet_class.cls);
    return m ? hg_module_built(m, build(m, depth == 18 ? &small : depth == 34 ? &middle : &large, classes)) : NULL;
}
