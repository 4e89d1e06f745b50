/* What the networks share. */
#ifndef HG_NN_ZOO_H
#define HG_NN_ZOO_H

#include "nn/flow.h"

/* The constructors behind hg_model(): `classes` is at least 1. */
hg_module *hg_zoo_resnet(hg_device *dev, int depth, int64_t classes);         /* 18, 34, 50 */
hg_module *hg_zoo_vgg(hg_device *dev, int depth, bool norm, int64_t classes); /* 11, 16 */
hg_module *hg_zoo_googlenet(hg_device *dev, const hg_model_options *o, int64_t classes);
hg_module *hg_zoo_lenet5(hg_device *dev, int64_t classes);
hg_module *hg_zoo_xai(hg_device *dev, int64_t classes);

/* Conv2d, square kernel, one stride and padding. */
hg_module *hg_zoo_conv(hg_device *dev, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding,
                       bool bias);
/* MaxPool2d of that kernel, stride and padding. */
hg_module *hg_zoo_max_pool(hg_device *dev, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode);

/* Draws again every Conv2d of the tree as kaiming_normal_(mode="fan_out", nonlinearity="relu"), its bias 0, and, if
 * `linear`, every Linear as normal_(0, 0.01), its bias 0: in the order in which PyTorch's modules() has them. */
hg_status hg_zoo_draw(hg_module *m, bool linear);

#endif
