/* The chapter's network whose feature maps are looked at: 13 convolutions without bias, each with batch normalisation
 * and ReLU; the first has no padding. N x 3 x H x W of at least 34 x 34; log probabilities, rows of 512 features:
 * larger images give more rows than one an image, as the chapter's view(-1, 512) does. */
#include "nn/zoo/zoo.h"

static hg_tensor *log_probabilities(hg_tensor *x)
{
    return hg_log_softmax(x, 1);
}

static hg_value xai_flow(hg_module *m, hg_flow *f, hg_value x)
{
    x = hg_flow_rows(f, hg_flow_child(f, m, "features", x), 512);
    return hg_flow_apply(f, log_probabilities, hg_flow_child(f, m, "classifier", x));
}

static const hg_flow_class xai_class = {{.name = "XAI", .forward = hg_flow_forward}, xai_flow};

static hg_status add_features(hg_module *features)
{
    static const struct {
        int channels;
        double dropout; /* after it; 0: max pooling */
    } convs[] = {{64, 0.3},  {64, 0},    {128, 0.4}, {128, 0},   {256, 0.4}, {256, 0.4}, {256, 0},
                 {512, 0.4}, {512, 0.4}, {512, 0},   {512, 0.4}, {512, 0.4}, {512, 0}};
    hg_device *dev = features->dev;
    int64_t in = 3;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        HG_TRY(hg_append(features, hg_zoo_conv(dev, in, convs[i].channels, 3, 1, i > 0, false)));
        HG_TRY(hg_append(features, hg_batch_norm2d_module(dev, convs[i].channels, NULL)));
        HG_TRY(hg_append(features, hg_relu_module(dev, true)));
        if (convs[i].dropout > 0)
            HG_TRY(hg_append(features, hg_dropout_module(dev, convs[i].dropout)));
        else
            HG_TRY(hg_append(features, hg_zoo_max_pool(dev, 2, 2, 0, false)));
        in = convs[i].channels;
    }
    return HG_OK;
}

static hg_status build(hg_module *m, int64_t classes)
{
    hg_device *dev = m->dev;
    HG_TRY(hg_add_child(m, "features", hg_sequential(dev)));
    HG_TRY(add_features(hg_child(m, "features")));
    HG_TRY(hg_add_child(m, "classifier", hg_sequential(dev)));
    hg_module *classifier = hg_child(m, "classifier");
    HG_TRY(hg_append(classifier, hg_linear_module(dev, 512, 512, false)));
    HG_TRY(hg_append(classifier, hg_dropout_module(dev, 0.5)));
    HG_TRY(hg_append(classifier, hg_batch_norm1d_module(dev, 512, NULL)));
    HG_TRY(hg_append(classifier, hg_relu_module(dev, true)));
    HG_TRY(hg_append(classifier, hg_dropout_module(dev, 0.5)));
    return hg_append(classifier, hg_linear_module(dev, 512, classes, true));
}

hg_module *hg_zoo_xai(hg_device *dev, int64_t classes)
{
    hg_module *m = hg_module_new(dev, &xai_class.cls);
    return m ? hg_module_built(m, build(m, classes)) : NULL;
}
