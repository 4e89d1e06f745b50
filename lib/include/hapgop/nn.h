/* Modules: parameters, buffers and children under PyTorch's names; forward; state; printing. */
#ifndef HAPGOP_NN_H
#define HAPGOP_NN_H

#include "hapgop/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hg_module hg_module;

/* What a kind of module does. A module of one's own:
 *
 *   static hg_tensor *forward(hg_module *m, hg_tensor *x) {
 *       return hg_relu(hg_forward(hg_child(m, "fc"), hg_flatten(x, 1, -1)));
 *   }
 *   static const hg_module_class net_class = {.name = "Net", .forward = forward};
 *   hg_module *net = hg_module_new(dev, &net_class);
 *   hg_add_child(net, "fc", hg_linear_module(dev, 784, 10, true));     // order = printing = state dict = random draws
 */
typedef struct hg_module_class {
    const char *name;                                               /* as printed: "Conv2d" */
    size_t state_size;                                              /* of hg_module_state(), zeroed */
    hg_tensor *(*forward)(hg_module *m, hg_tensor *x);
    char *(*extra_text)(const hg_module *m);                        /* inside the brackets, freed by the caller; may be NULL */
    void (*destroy)(hg_module *m);                                  /* what state holds beyond its bytes; may be NULL */
} hg_module_class;

/* A module without children. NULL with an error if memory ran out. The class must outlive it. */
HG_API hg_module *hg_module_new(hg_device *dev, const hg_module_class *cls);
/* Frees it with its children; a child that was added belongs to its parent and is taken out of it. NULL is allowed. */
HG_API void hg_module_free(hg_module *m);
HG_API void *hg_module_state(const hg_module *m);
HG_API const hg_module_class *hg_module_get_class(const hg_module *m);
HG_API hg_device *hg_module_device(const hg_module *m);

/* Registration, in order. The module takes over the caller's reference of a tensor and the child itself, also on
 * failure; NULL or the error tensor gives HG_E_ARG (so constructors can be passed in directly). */
HG_API hg_status hg_add_parameter(hg_module *m, const char *name, hg_tensor *t);    /* sets requires_grad */
HG_API hg_status hg_add_buffer(hg_module *m, const char *name, hg_tensor *t);
HG_API hg_status hg_add_child(hg_module *m, const char *name, hg_module *child);
/* Puts `child` in the place of the one of that name (dots go deeper), which is freed. */
HG_API hg_status hg_replace_child(hg_module *m, const char *name, hg_module *child);
/* The child or tensor of that name, dots go deeper ("layer1.0.weight"); NULL with HG_E_ARG naming what there is. */
HG_API hg_module *hg_child(hg_module *m, const char *name);
HG_API hg_tensor *hg_parameter(hg_module *m, const char *name);
HG_API hg_tensor *hg_buffer(hg_module *m, const char *name);

/* Runs the module and its hooks. Intermediate tensors are dropped: the result alone comes back. */
HG_API hg_tensor *hg_forward(hg_module *m, hg_tensor *x);

/* Less memory for one more forward pass: the modules that the patterns name (hg_module_requires_grad's, on names of
 * modules: "layer1,layer2") keep their input alone, and run again in backward. Results are the same bits: the second run
 * draws the same random numbers and leaves running statistics as they are. Its hooks are called again. Until the backward
 * pass modules and parameters must stay, and stay as they are (HG_E_STATE if a parameter changed). A module within another
 * one of them runs a third time. Returns how many matched. */
HG_API int hg_recompute(hg_module *m, const char *pattern, bool recompute);
/* The same for `count` children of a Sequential as one, from `first` on (negative from the end); 0 takes it back. The range
 * must not begin with ReLU(inplace=True). HG_E_ARG for a range that is not there. */
HG_API hg_status hg_recompute_range(hg_module *sequential, int first, int count);

HG_API void hg_train(hg_module *m, bool training);      /* recursive; hg_eval(m) is hg_train(m, false) */
HG_API void hg_eval(hg_module *m);
HG_API bool hg_is_training(const hg_module *m);

/* Visits parameters, then buffers of each module, depth first in registration order, names as in a state dict.
 * Shared tensors come once. Return false to stop. */
typedef bool (*hg_tensor_visitor)(const char *name, hg_tensor *t, bool is_buffer, void *user);
HG_API void hg_each_parameter(hg_module *m, hg_tensor_visitor visit, void *user);
HG_API void hg_each_state(hg_module *m, hg_tensor_visitor visit, void *user);   /* parameters and buffers: state dict order */
typedef bool (*hg_module_visitor)(const char *name, hg_module *child, void *user);
HG_API void hg_each_module(hg_module *m, hg_module_visitor visit, void *user);  /* itself (name "") first */
HG_API int64_t hg_count_parameters(hg_module *m, bool only_trainable);
/* By shell patterns on names, which commas separate ("layer1.*", "conv1.*,bn1.*"; NULL for all); the number of parameters
 * that matched. What comes before the first parameter that requires a gradient records nothing: no activations are
 * kept, and no gradient kernels run. A module alone: hg_module_requires_grad(hg_child(m, "layer1"), NULL, false). Freeze
 * first and replace the classifier then, or the new one is frozen too. */
HG_API int hg_module_requires_grad(hg_module *m, const char *pattern, bool requires_grad);

/* print(model) of PyTorch. free() it. */
HG_API char *hg_module_to_text(const hg_module *m);

/* Hooks: pre-forward and forward may return a tensor in place of the input or output (NULL: leave it); backward sees
 * the gradient of the output. Handles remove them; they go with the module. */
typedef struct hg_module_hook hg_module_hook;
typedef hg_tensor *(*hg_module_hook_fn)(hg_module *m, hg_tensor *input, hg_tensor *output, void *user);
HG_API hg_module_hook *hg_add_pre_forward_hook(hg_module *m, hg_module_hook_fn fn, void *user);  /* output is NULL */
HG_API hg_module_hook *hg_add_forward_hook(hg_module *m, hg_module_hook_fn fn, void *user);
HG_API hg_module_hook *hg_add_backward_hook(hg_module *m, hg_grad_hook_fn fn, void *user);
HG_API void hg_module_hook_remove(hg_module_hook *hook);

/* ---- Layers; parameters drawn as PyTorch draws them, in its order ------------------------------------------------ */
HG_API hg_module *hg_linear_module(hg_device *dev, int64_t in_features, int64_t out_features, bool bias);
HG_API hg_module *hg_conv1d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel,
                                   const hg_conv_options *o, bool bias);
HG_API hg_module *hg_conv2d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel_h,
                                   int64_t kernel_w, const hg_conv_options *o, bool bias);
HG_API hg_module *hg_conv3d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel_d,
                                   int64_t kernel_h, int64_t kernel_w, const hg_conv_options *o, bool bias);
HG_API hg_module *hg_conv_transpose1d_module(hg_device *dev, int64_t in_channels, int64_t out_channels, int64_t kernel,
                                             const hg_conv_transpose_options *o, bool bias);
HG_API hg_module *hg_conv_transpose2d_module(hg_device *dev, int64_t in_channels, int64_t out_channels,
                                             int64_t kernel_h, int64_t kernel_w, const hg_conv_transpose_options *o,
                                             bool bias);
HG_API hg_module *hg_conv_transpose3d_module(hg_device *dev, int64_t in_channels, int64_t out_channels,
                                             int64_t kernel_d, int64_t kernel_h, int64_t kernel_w,
                                             const hg_conv_transpose_options *o, bool bias);
typedef struct hg_batch_norm_options {
    double eps, momentum;       /* momentum < 0: None, a cumulative average */
    bool affine, track_running_stats;
} hg_batch_norm_options;
#define HG_BATCH_NORM_DEFAULTS ((hg_batch_norm_options){1e-5, 0.1, true, true})
HG_API hg_module *hg_batch_norm1d_module(hg_device *dev, int64_t features, const hg_batch_norm_options *o);
HG_API hg_module *hg_batch_norm2d_module(hg_device *dev, int64_t features, const hg_batch_norm_options *o);
/* Trailing dims of this shape; weight 1 and bias 0 if affine. PyTorch's eps is 1e-5. */
HG_API hg_module *hg_layer_norm_module(hg_device *dev, hg_shape shape, double eps, bool affine);
HG_API hg_module *hg_group_norm_module(hg_device *dev, int64_t groups, int64_t channels, double eps, bool affine);
HG_API hg_module *hg_relu_module(hg_device *dev, bool inplace);
HG_API hg_module *hg_leaky_relu_module(hg_device *dev, double negative_slope);      /* PyTorch's default is 0.01 */
HG_API hg_module *hg_gelu_module(hg_device *dev, bool tanh_form);
HG_API hg_module *hg_silu_module(hg_device *dev);
HG_API hg_module *hg_softplus_module(hg_device *dev, double beta, double threshold);    /* PyTorch's are 1 and 20 */
HG_API hg_module *hg_hardsigmoid_module(hg_device *dev);
HG_API hg_module *hg_hardswish_module(hg_device *dev);
HG_API hg_module *hg_max_pool2d_module(hg_device *dev, const hg_pool_options *o);
HG_API hg_module *hg_avg_pool2d_module(hg_device *dev, const hg_pool_options *o);
HG_API hg_module *hg_adaptive_avg_pool2d_module(hg_device *dev, int64_t height, int64_t width);
HG_API hg_module *hg_dropout_module(hg_device *dev, double p);
HG_API hg_module *hg_dropout2d_module(hg_device *dev, double p);
HG_API hg_module *hg_flatten_module(hg_device *dev, int start_dim, int end_dim);
/* Children "0", "1", ... run one after the other; append takes the child over. A BatchNorm2d, the ReLU after it and, if
 * one follows, a MaxPool2d run as one operation, hg_batch_norm_relu(), under BatchNorm2d's name in profiles: the same
 * values with less memory. A hook on one of them is called with what it would see without this, for then that module
 * runs alone. */
HG_API hg_module *hg_sequential(hg_device *dev);
HG_API hg_status hg_append(hg_module *sequential, hg_module *child);
HG_API hg_module *hg_at(hg_module *sequential, int index);      /* negative from the end */

/* ---- Transfer learning -------------------------------------------------------------------------------------------
 *
 *   hg_module *net = hg_model(dev, "resnet18", NULL);
 *   hg_load_state(net, "resnet18.pth", true);
 *   hg_replace_classifier(net, 2);                                              // a new Linear(512, 2), with gradients
 *   hg_finetune_policy(net, HG_DATA_SMALL, HG_SIMILARITY_HIGH, NULL);           // trains it alone
 *   hg_optimizer *opt = hg_adam(net, NULL);
 */

/* A new Linear for `classes` in the place of the last one, with as many inputs, drawn on the device's generator. Make the
 * optimizer after it. HG_E_ARG for a module without one. */
HG_API hg_status hg_replace_classifier(hg_module *m, int64_t classes);
/* The name of that layer, "fc" or "classifier.6", written to `name`; NULL with HG_E_ARG. */
HG_API const char *hg_classifier_name(hg_module *m, char name[256]);

/* How much data there is to train with, and how similar it is to what the network was trained with before. */
typedef enum hg_data_size { HG_DATA_SMALL, HG_DATA_LARGE } hg_data_size;
typedef enum hg_similarity { HG_SIMILARITY_LOW, HG_SIMILARITY_HIGH } hg_similarity;

typedef struct hg_finetune_options {
    int later_blocks, some_blocks;      /* how many of the last blocks of convolutions those two cases train */
    bool freeze_batch_norm;             /* hg_freeze_batch_norm() on what is not trained */
} hg_finetune_options;
#define HG_FINETUNE_DEFAULTS ((hg_finetune_options){2, 1, false})

/* Which parameters are trained, in the four usual cases:
 *
 *                  low similarity                            high similarity
 *   large data     all                                       later_blocks blocks and the classifier
 *   small data     some_blocks blocks and the classifier     the classifier
 *
 * A block is all convolutions up to a pooling layer, or a Sequential of them; the classifier is what comes with a Linear.
 * ResNet's blocks are conv1 with bn1, and layer1 to layer4: the defaults train layer3, layer4 and fc, or layer4 and fc.
 * Returns the number of parameter tensors that are trained now, -1 with HG_E_ARG for a module without a Linear. */
HG_API int hg_finetune_policy(hg_module *m, hg_data_size size, hg_similarity similarity, const hg_finetune_options *o);
/* The block of a parameter or module, counted from the end: 0 the classifier, 1 the last block of convolutions. -1 with
 * HG_E_ARG if there is none of that name. */
HG_API int hg_finetune_block(hg_module *m, const char *name);

/* Batch normalisations by patterns on the names of modules, as hg_module_requires_grad's. A parameter without a gradient
 * does not stop the running statistics: in training mode a frozen trunk still normalises by each batch and drifts with
 * it, in PyTorch as here, so that its checkpoints and its evaluation differ from the pretrained network's. With `frozen`
 * they use their running statistics in training too and leave them alone, until it is taken back; hg_train() does not
 * change that. Returns how many matched. */
HG_API int hg_freeze_batch_norm(hg_module *m, const char *pattern, bool frozen);

/* ---- The chapter's networks -------------------------------------------------------------------------------------- */
HG_API hg_module *hg_fashion_dnn(hg_device *dev);
/* fc_relu: the ReLU between the fully connected layers that the chapter's program leaves out (a trap: without it they
 * are one affine map). */
typedef struct hg_fashion_cnn_options {
    bool fc_relu;
} hg_fashion_cnn_options;
HG_API hg_module *hg_fashion_cnn(hg_device *dev, const hg_fashion_cnn_options *o);  /* NULL: as the chapter has it */

/* ---- Networks by name --------------------------------------------------------------------------------------------
 * ResNets, VGGs and GoogLeNet are torchvision's: names of parameters, shapes, printing and, from the same seed of
 * HG_RNG_TORCH, first values (normal ones to rounding; GoogLeNet's as with init_weights=False). */
typedef struct hg_model_options {
    int64_t classes;        /* 0: the network's own number */
    /* GoogLeNet only. aux_logits: two more classifiers, "aux1" and "aux2", which run in training; the result is still the
     * logits alone, theirs are seen by forward hooks. transform_input: for weights that expect torchvision's input. */
    bool aux_logits, transform_input;
} hg_model_options;
#define HG_MODEL_DEFAULTS ((hg_model_options){0, false, false})

typedef struct hg_model_info {
    const char *name;                   /* "resnet18" */
    int64_t channels, height, width;    /* of the images it was made for */
    int64_t classes;                    /* its own number */
    const char *about;
    bool any_classes;                   /* whether hg_model_options.classes may be another */
} hg_model_info;
/* All there are, in the order in which they are listed. */
HG_API const hg_model_info *hg_models(int *count);
HG_API const hg_model_info *hg_model_find(const char *name);    /* NULL with HG_E_ARG, listing what there is */
/* "fashion-dnn", "fashion-cnn", "lenet5", "xai", "resnet18", "resnet34", "resnet50", "vgg11", "vgg11_bn", "vgg16",
 * "vgg16_bn", "googlenet"; NULL with an error. */
HG_API hg_module *hg_model(hg_device *dev, const char *name, const hg_model_options *o);

/* ---- Inference ---------------------------------------------------------------------------------------------------- */
/* A module for hg_forward() that gives what `net`, in evaluation mode, gives, to rounding (RMS 2e-6 of the largest
 * logit), with less work and memory: no gradient, BatchNorm2d folded into the convolution before it, ReLU and a block's
 * sum done by the convolution, weights packed once, memory handed on from step to step. It borrows `net`, which must
 * outlive it, and follows it: changed weights, hooks, replaced children, other batches and sizes are seen at the next
 * run. A module with a hook runs as it is; so do modules of one's own, with all that is in them. `example` (NULL: none)
 * is run once, so that kernels are built and weights packed.
 * Errors: HG_E_STATE while a module of it is in training mode; those of the run. NULL then. */
HG_API hg_module *hg_compile(hg_module *net, hg_tensor *example);

#ifdef __cplusplus
}
#endif
#endif
