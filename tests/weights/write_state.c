/* Writes a FashionCNN with its logits, and optimizers before and after a step, to the path given: load_state.py has
 * PyTorch load them and take the same step. */
#include <stdio.h>
#include <stdlib.h>

#include "weights/pth.h"
#include "weights/state.h"

static hg_tensor *box_forward(hg_module *m, hg_tensor *x)
{
    (void)m;
    return x;
}
static const hg_module_class box_class = {.name = "Box", .forward = box_forward};

/* f32 numbers in [-2, 2]: ((i * 7919 + salt * 104729) % 2001 - 1000) / 500 */
static hg_tensor *numbers(hg_device *dev, hg_shape shape, int64_t salt)
{
    int64_t n = 1;
    for (int d = 0; d < shape.ndim; d++) n *= shape.size[d];
    float *v = malloc(sizeof *v * (size_t)n);
    for (int64_t i = 0; v && i < n; i++) v[i] = (float)((double)((i * 7919 + salt * 104729) % 2001 - 1000) / 500.0);
    hg_tensor *t = hg_from_data(dev, HG_F32, shape, v);
    free(v);
    return t;
}

static hg_status add_weights(hg_value *dict, const char *key, hg_module *m)
{
    hg_value *v;
    HG_TRY(hg_module_to_value(m, &v));
    return hg_value_set(dict, key, v);
}

static hg_status add_network(hg_device *dev, hg_value *root)
{
    hg_value *logits;
    hg_module *net = hg_fashion_cnn(dev, NULL);
    if (!net) return hg_last_status();
    hg_scope *s = hg_scope_begin(dev);
    hg_tensor *x = numbers(dev, HG_SHAPE(2, 1, 28, 28), 1);
    hg_status status = hg_ok(hg_forward(net, x)) ? HG_OK : hg_last_status();     /* moves the running statistics */
    hg_eval(net);
    if (status == HG_OK) status = add_weights(root, "network", net);
    if (status == HG_OK) status = hg_tensor_to_value(hg_forward(net, x), &logits);
    if (status == HG_OK) status = hg_value_set(root, "logits", logits);
    hg_scope_end(s);
    hg_module_free(net);
    return status;
}

static hg_optimizer *make(hg_module *m, int kind)
{
    hg_adam_options amsgrad = {0.01, 0.8, 0.99, 1e-6, 0.1, true};
    hg_sgd_options momentum = {0.1, 0.9, 0, 0.01, true};
    switch (kind) {
    case 0: return hg_adam(m, NULL);
    case 1: return hg_adamw(m, &amsgrad);
    case 2: return hg_sgd(m, NULL);
    default: return hg_sgd(m, &momentum);
    }
}

static hg_status step(hg_device *dev, hg_module *m, hg_optimizer *opt, int64_t salt)
{
    hg_scope *s = hg_scope_begin(dev);
    hg_status status = hg_set_grad(hg_parameter(m, "p"), numbers(dev, HG_SHAPE(7, 5), salt));
    if (status == HG_OK && salt == 2) status = hg_set_grad(hg_parameter(m, "q"), numbers(dev, HG_SHAPE(3), salt));
    if (status == HG_OK) status = hg_step(opt);
    hg_scope_end(s);
    return status;
}

static hg_status add_optimizer(hg_value *dict, const hg_optimizer *opt)
{
    hg_value *v;
    HG_TRY(hg_optimizer_to_value(opt, &v));
    return hg_value_set(dict, "optimizer", v);
}

/* {'before', 'optimizer', 'after'}: weights and optimizer after a step for p alone; weights after one more for both. */
static hg_status add_training(hg_device *dev, hg_value *list, int kind)
{
    HG_TRY(hg_value_append(list, hg_value_dict()));
    hg_value *out = list->list.items[list->list.count - 1];
    hg_module *m = hg_module_new(dev, &box_class);
    if (!m) return hg_last_status();
    hg_status status = hg_add_parameter(m, "p", numbers(dev, HG_SHAPE(7, 5), 10));
    if (status == HG_OK) status = hg_add_parameter(m, "q", numbers(dev, HG_SHAPE(3), 11));
    hg_optimizer *opt = status == HG_OK ? make(m, kind) : NULL;
    if (!opt) status = hg_last_status();
    if (status == HG_OK) status = step(dev, m, opt, 1);
    if (status == HG_OK) status = add_weights(out, "before", m);
    if (status == HG_OK) status = add_optimizer(out, opt);
    if (status == HG_OK) status = step(dev, m, opt, 2);
    if (status == HG_OK) status = add_weights(out, "after", m);
    hg_optimizer_free(opt);
    hg_module_free(m);
    return status;
}

static hg_status write(hg_device *dev, const char *path)
{
    hg_value *root = hg_value_dict();
    hg_status status = hg_value_set(root, "trainings", hg_value_list());
    for (int kind = 0; kind < 4 && status == HG_OK; kind++)
        status = add_training(dev, hg_value_find(root, "trainings"), kind);
    if (status == HG_OK) status = add_network(dev, root);
    if (status == HG_OK) status = hg_pth_write(path, root);
    hg_value_free(root);
    return status;
}

int main(int argc, char **argv)
{
    hg_device *dev = argc == 2 ? hg_device_open(NULL) : NULL;
    hg_status status = dev ? write(dev, argv[1]) : HG_E_DEVICE;
    if (status != HG_OK) fprintf(stderr, "%s\n", hg_last_error());
    hg_device_close(dev);
    return status != HG_OK;
}
