/* VGG-11 and 16, with and without batch normalisation, as torchvision has them (Simonyan, Zisserman, 2014).
 * N x 3 x H x W of at least 32 x 32, made for 224 x 224; N x classes logits. */
#include "nn/zoo/zoo.h"

static hg_value vgg_flow(hg_module *m, hg_flow *f, hg_value x)
{
    x = hg_flow_child(f, m, "avgpool", hg_flow_child(f, m, "features", x));
    return hg_flow_child(f, m, "classifier", hg_flow_rows(f, x, -1));
}

static const hg_flow_class vgg_class = {{.name = "VGG", .forward = hg_flow_forward}, vgg_flow};

/* Output channels of the convolutions; 0 is a pooling layer, -1 the end. */
static const int vgg11[] = {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0, -1};
static const int vgg16[] = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0, -1};

static hg_status add_features(hg_module *features, const int *channels, bool norm)
{
    hg_device *dev = features->dev;
    int64_t in = 3;
    for (; *channels >= 0; channels++) {
        if (!*channels) {
            HG_TRY(hg_append(features, hg_zoo_max_pool(dev, 2, 2, 0, false)));
            continue;
        }
        HG_TRY(hg_append(features, hg_zoo_conv(dev, in, *channels, 3, 1, 1, true)));
        if (norm) HG_TRY(hg_append(features, hg_batch_norm2d_module(dev, *channels, NULL)));
        HG_TRY(hg_append(features, hg_relu_module(dev, true)));
        in = *channels;
    }
    return HG_OK;
}

static hg_status add_classifier(hg_module *classifier, int64_t classes)
{
    hg_device *dev = classifier->dev;
    for (int i = 0; i < 2; i++) {
        HG_TRY(hg_append(classifier, hg_linear_module(dev, i ? 4096 : 512 * 7 * 7, 4096, true)));
        HG_TRY(hg_append(classifier, hg_relu_module(dev, true)));
        HG_TRY(hg_append(classifier, hg_dropout_module(dev, 0.5)));
    }
    return hg_append(classifier, hg_linear_module(dev, 4096, classes, true));
}

static hg_status build(hg_module *m, const int *channels, bool norm, int64_t classes)
{
    HG_TRY(hg_add_child(m, "features", hg_sequential(m->dev)));
    HG_TRY(add_features(hg_child(m, "features"), channels, norm));
    HG_TRY(hg_add_child(m, "avgpool", hg_adaptive_avg_pool2d_module(m->dev, 7, 7)));
    HG_TRY(hg_add_child(m, "classifier", hg_sequential(m->dev)));
    HG_TRY(add_classifier(hg_child(m, "classifier"), classes));
    return hg_zoo_draw(m, true);
}

hg_module *hg_zoo_vgg(hg_device *dev, int depth, bool norm, int64_t classes)
{
    hg_module *m = hg_module_new(dev, &vgg_class.cls);
    return m ? hg_module_built(m, build(m, depth == 11 ? vgg11 : vgg16, norm, classes)) : NULL;
}
