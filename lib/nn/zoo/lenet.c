/* LeNet-5 (LeCun et al., 1998) as it is mostly built today: each map of the second convolution sees all of the first,
 * ReLU, maxima. N x 1 x 32 x 32; N x classes logits. */
#include "nn/zoo/zoo.h"

static hg_value lenet_flow(hg_module *m, hg_flow *f, hg_value x)
{
    x = hg_flow_rows(f, hg_flow_child(f, m, "features", x), 16 * 5 * 5);
    return hg_flow_child(f, m, "classifier", x);
}

static const hg_flow_class lenet_class = {{.name = "LeNet5", .forward = hg_flow_forward}, lenet_flow};

static hg_status build(hg_module *m, int64_t classes)
{
    hg_device *d = m->dev;
    HG_TRY(hg_add_child(m, "features", hg_sequential(d)));
    HG_TRY(hg_add_child(m, "classifier", hg_sequential(d)));
    hg_module *features = hg_child(m, "features"), *classifier = hg_child(m, "classifier");
    for (int i = 0; i < 2; i++) {
        HG_TRY(hg_append(features, hg_zoo_conv(d, i ? 6 : 1, i ? 16 : 6, 5, 1, 0, true)));
        HG_TRY(hg_append(features, hg_relu_module(d, false)));
        HG_TRY(hg_append(features, hg_zoo_max_pool(d, 2, 2, 0, false)));
    }
    HG_TRY(hg_append(classifier, hg_linear_module(d, 16 * 5 * 5, 120, true)));
    HG_TRY(hg_append(classifier, hg_relu_module(d, false)));
    HG_TRY(hg_append(classifier, hg_linear_module(d, 120, 84, true)));
    HG_TRY(hg_append(classifier, hg_relu_module(d, false)));
    return hg_append(classifier, hg_linear_module(d, 84, classes, true));
}

hg_module *hg_zoo_lenet5(hg_device *dev, int64_t classes)
{
    hg_module *m = hg_module_new(dev, &lenet_class.cls);
    return m ? hg_module_built(m, build(m, classes)) : NULL;
}
