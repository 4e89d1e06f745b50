/* The module itself, for the files of this room and the rooms below. */
#ifndef HG_NN_MODULE_H
#define HG_NN_MODULE_H

#include "autograd/autograd.h"
#include "hapgop/nn.h"

typedef struct hg_named_tensor {
    char *name;
    hg_tensor *tensor;          /* one reference */
    bool is_buffer;
} hg_named_tensor;

struct hg_module_hook {
    int refs;                   /* of the list it is in, and of graph nodes that will call it */
    bool removed;
    hg_module_hook **list, *next;
    hg_module_hook_fn fn;       /* pre-forward, forward */
    hg_grad_hook_fn grad_fn;    /* backward */
    void *user;
};

struct hg_module {
    const hg_module_class *cls;
    hg_device *dev;             /* retained */
    void *state;
    uint64_t id;                /* of this module alone, for the process's life */
    hg_module *parent;          /* NULL: the root of a tree */
    char *name;                 /* in the parent; NULL for a root */
    const char *layer;          /* dotted name for profiles, interned; NULL until it is needed */
    int version;                /* of the state dict's layout: PyTorch's _version */
    bool training;
    int recompute;              /* how many modules, this and those after it in a Sequential, run again in backward */
    hg_named_tensor *tensors;   /* parameters and buffers, each kind in its order */
    int tensor_count;
    size_t tensor_capacity;
    hg_module **children;
    int child_count;
    size_t child_capacity;
    hg_module_hook *pre_forward, *forward, *backward;
};

/* For constructors: the module if `status` is HG_OK, else NULL after freeing it. */
hg_module *hg_module_built(hg_module *m, hg_status status);

/* A new parameter or buffer: filled, or drawn from uniform(-bound, bound) on the device's generator. */
hg_status hg_add_filled(hg_module *m, const char *name, bool is_buffer, hg_dtype dtype, hg_shape shape, double value);
hg_status hg_add_uniform(hg_module *m, const char *name, hg_shape shape, double bound);
/* weight and bias (if `bias`; of `outputs` elements) as PyTorch's Linear and Conv draw them:
 * kaiming_uniform_(a=sqrt(5)), then uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in)). */
hg_status hg_add_weight_and_bias(hg_module *m, hg_shape weight, int64_t outputs, bool bias);

/* The tensor of that name in the module itself, or NULL without an error. */
hg_tensor *hg_own_tensor(const hg_module *m, const char *name);

/* Whether a hook of any kind is on the module itself. */
static inline bool hg_has_hook(const hg_module *m)
{
    return m->pre_forward || m->forward || m->backward;
}

/* hg_forward() with `fn` in place of the class's forward and of the hooks: the same checks, scope and name in profiles. */
typedef hg_tensor *(*hg_forward_by_fn)(hg_module *m, hg_tensor *x, const void *user);
hg_tensor *hg_forward_by(hg_module *m, hg_tensor *x, hg_forward_by_fn fn, const void *user);

/* hg_forward() of the module itself, whatever `recompute` says. */
hg_tensor *hg_forward_once(hg_module *m, hg_tensor *x);
/* `count` children of a Sequential from `first` on, one after the other; the first one's `recompute` is passed over. */
hg_tensor *hg_forward_children(hg_module *first, int count, hg_tensor *x);
/* The same, or hg_forward_once() for a count of 1, keeping the input alone for backward. */
hg_tensor *hg_forward_recomputed(hg_module *first, int count, hg_tensor *x);
/* Whether this thread is in the second run, in which running statistics stay as they are. */
bool hg_is_recomputing(void);

/* Whether the name matches one of the shell patterns, which commas separate ("conv1.*,bn1.*"). NULL matches all. */
bool hg_name_matches(const char *patterns, const char *name);

/* Every entry of a state dict, shared tensors under each of their names: as PyTorch's state_dict() has them.
 * HG_E_MEMORY if a name cannot be built. */
hg_status hg_each_entry(hg_module *m, hg_tensor_visitor visit, void *user);

#endif
