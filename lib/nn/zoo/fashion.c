/* The chapter's two networks for Fashion-MNIST (28 x 28 images, 10 classes). Both return logits: softmax is in the
 * loss. */
#include "nn/zoo/zoo.h"

/* ---- FashionDNN: 784 - 256 - 128 - 10 ---- */

static hg_value dnn_flow(hg_module *m, hg_flow *f, hg_value x)
{
    x = hg_flow_relu(f, hg_flow_child(f, m, "fc1", hg_flow_rows(f, x, 784)));
    x = hg_flow_relu(f, hg_flow_child(f, m, "fc2", hg_flow_child(f, m, "drop", x)));
    return hg_flow_child(f, m, "fc3", x);
}

static const hg_flow_class dnn_class = {{.name = "FashionDNN", .forward = hg_flow_forward}, dnn_flow};

static hg_status add_dnn(hg_module *m, hg_device *dev)
{
    HG_TRY(hg_add_child(m, "fc1", hg_linear_module(dev, 784, 256, true)));
    HG_TRY(hg_add_child(m, "drop", hg_dropout2d_module(dev, 0.25)));
    HG_TRY(hg_add_child(m, "fc2", hg_linear_module(dev, 256, 128, true)));
    return hg_add_child(m, "fc3", hg_linear_module(dev, 128, 10, true));
}

hg_module *hg_fashion_dnn(hg_device *dev)
{
    hg_module *m = hg_module_new(dev, &dnn_class.cls);
    return m ? hg_module_built(m, add_dnn(m, dev)) : NULL;
}

/* ---- FashionCNN: two blocks of convolution, then 2304 - 600 - 120 - 10 ---- */

typedef struct cnn_state {
    bool fc_relu;
} cnn_state;

static hg_value between(const hg_module *m, hg_flow *f, hg_value x)
{
    const cnn_state *s = m->state;
    return s->fc_relu ? hg_flow_relu(f, x) : x;
}

static hg_value cnn_flow(hg_module *m, hg_flow *f, hg_value x)
{
    x = hg_flow_child(f, m, "layer2", hg_flow_child(f, m, "layer1", x));
    x = hg_flow_child(f, m, "fc1", hg_flow_rows(f, x, -1));
    x = hg_flow_child(f, m, "drop", between(m, f, x));
    x = between(m, f, hg_flow_child(f, m, "fc2", x));
    return hg_flow_child(f, m, "fc3", x);
}

static const hg_flow_class cnn_class = {
    {.name = "FashionCNN", .state_size = sizeof(cnn_state), .forward = hg_flow_forward}, cnn_flow};

/* conv 3 x 3, batch norm, ReLU, max pool 2 x 2 */
static hg_status add_block(hg_module *m, hg_device *dev, const char *name, int64_t in, int64_t out, int64_t padding)
{
    hg_conv_options conv = HG_CONV_DEFAULTS;
    conv.padding[0] = conv.padding[1] = padding;
    HG_TRY(hg_add_child(m, name, hg_sequential(dev)));
    hg_module *block = hg_child(m, name);
    HG_TRY(hg_append(block, hg_conv2d_module(dev, in, out, 3, 3, &conv, true)));
    HG_TRY(hg_append(block, hg_batch_norm2d_module(dev, out, NULL)));
    HG_TRY(hg_append(block, hg_relu_module(dev, false)));
    return hg_append(block, hg_max_pool2d_module(dev, NULL));
}

static hg_status add_cnn(hg_module *m, hg_device *dev)
{
    HG_TRY(add_block(m, dev, "layer1", 1, 32, 1));
    HG_TRY(add_block(m, dev, "layer2", 32, 64, 0));
    HG_TRY(hg_add_child(m, "fc1", hg_linear_module(dev, 64 * 6 * 6, 600, true)));
    HG_TRY(hg_add_child(m, "drop", hg_dropout2d_module(dev, 0.25)));
    HG_TRY(hg_add_child(m, "fc2", hg_linear_module(dev, 600, 120, true)));
    return hg_add_child(m, "fc3", hg_linear_module(dev, 120, 10, true));
}

hg_module *hg_fashion_cnn(hg_device *dev, const hg_fashion_cnn_options *o)
{
    hg_module *m = hg_module_new(dev, &cnn_class.cls);
    if (!m) return NULL;
    *(cnn_state *)m->state = (cnn_state){o && o->fc_relu};
    return hg_module_built(m, add_cnn(m, dev));
}
