/* Networks by name. */
#include <stdio.h>
#include <string.h>

#include "nn/zoo/zoo.h"

typedef hg_module *(*make_fn)(hg_device *dev, const hg_model_options *o, int64_t classes);

#define MAKER(name, call)                                                                                              \
    static hg_module *name(hg_device *dev, const hg_model_options *o, int64_t classes)                                 \
    {                                                                                                                  \
        (void)o;                                                                                                       \
        (void)classes;                                                                                                 \
        return call;                                                                                                   \
    }
MAKER(make_fashion_dnn, hg_fashion_dnn(dev))
MAKER(make_fashion_cnn, hg_fashion_cnn(dev, NULL))
MAKER(make_lenet5, hg_zoo_lenet5(dev, classes))
MAKER(make_vgg11, hg_zoo_vgg(dev, 11, false, classes))
MAKER(make_vgg11_bn, hg_zoo_vgg(dev, 11, true, classes))
MAKER(make_vgg16, hg_zoo_vgg(dev, 16, false, classes))
MAKER(make_vgg16_bn, hg_zoo_vgg(dev, 16, true, classes))
MAKER(make_resnet18, hg_zoo_resnet(dev, 18, classes))
MAKER(make_resnet34, hg_zoo_resnet(dev, 34, classes))
MAKER(make_resnet50, hg_zoo_resnet(dev, 50, classes))
MAKER(make_xai, hg_zoo_xai(dev, classes))

/* In the order of `infos`. */
static const make_fn makers[] = {make_fashion_dnn, make_fashion_cnn, make_lenet5,   make_xai,
                                 make_resnet18,    make_resnet34,    make_resnet50, make_vgg11,
                                 make_vgg11_bn,    make_vgg16,       make_vgg16_bn, hg_zoo_googlenet};
static const hg_model_info infos[] = {
    {"fashion-dnn", 1, 28, 28, 10, "the chapter's fully connected network", false},
    {"fashion-cnn", 1, 28, 28, 10, "the chapter's convolutional network", false},
    {"lenet5", 1, 32, 32, 10, "LeNet-5 with ReLU and max pooling", true},
    {"xai", 3, 34, 34, 2, "the chapter's network for feature maps; log probabilities", true},
    {"resnet18", 3, 224, 224, 1000, "ResNet-18", true},
    {"resnet34", 3, 224, 224, 1000, "ResNet-34", true},
    {"resnet50", 3, 224, 224, 1000, "ResNet-50, stride on the 3 x 3 convolutions", true},
    {"vgg11", 3, 224, 224, 1000, "VGG-11", true},
    {"vgg11_bn", 3, 224, 224, 1000, "VGG-11 with batch normalisation", true},
    {"vgg16", 3, 224, 224, 1000, "VGG-16", true},
    {"vgg16_bn", 3, 224, 224, 1000, "VGG-16 with batch normalisation", true},
    {"googlenet", 3, 224, 224, 1000, "GoogLeNet with batch normalisation", true},
};
enum { MODELS = sizeof infos / sizeof *infos };
_Static_assert(sizeof makers / sizeof *makers == MODELS, "a maker for each network");

const hg_model_info *hg_models(int *count)
{
    if (count) *count = MODELS;
    return infos;
}

const hg_model_info *hg_model_find(const char *name)
{
    for (int i = 0; name && i < MODELS; i++)
        if (!strcmp(infos[i].name, name)) return &infos[i];
    char list[256] = "";
    for (int i = 0; i < MODELS; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", infos[i].name);
    hg_error(HG_E_ARG, "model: no network is called \"%s\"; there are %s", name ? name : "", list);
    return NULL;
}

hg_module *hg_model(hg_device *dev, const char *name, const hg_model_options *given)
{
    hg_model_options o = given ? *given : HG_MODEL_DEFAULTS;
    const hg_model_info *info = hg_model_find(name);
    if (!info) return NULL;
    bool googlenet = makers[info - infos] == hg_zoo_googlenet;
    if (o.classes < 0 || (o.classes && o.classes != info->classes && !info->any_classes))
        hg_error(HG_E_ARG, "model: %s has %lld classes, %lld cannot be had", name, (long long)info->classes,
                 (long long)o.classes);
    else if ((o.aux_logits || o.transform_input) && !googlenet)
        hg_error(HG_E_ARG, "model: aux_logits and transform_input are for googlenet, not for %s", name);
    else
        return makers[info - infos](dev, &o, o.classes ? o.classes : info->classes);
    return NULL;
}
