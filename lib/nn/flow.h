/* What a module computes from its children, written once: run at once on tensors, or recorded as a plan by
 * hg_compile().
 *
 *   static hg_value block_flow(hg_module *m, hg_flow *f, hg_value x)
 *   {
 *       return hg_flow_relu(f, hg_flow_add(f, hg_flow_child(f, m, "conv", x), x));
 *   }
 *   static const hg_flow_class block_class = {{.name = "Block", .forward = hg_flow_forward}, block_flow};
 *   hg_module *m = hg_module_new(dev, &block_class.cls);
 */
#ifndef HG_NN_FLOW_H
#define HG_NN_FLOW_H

#include "nn/module.h"

/* A tensor, or the node of a plan that will give it. */
typedef struct hg_value {
    hg_tensor *tensor;
    int node;
} hg_value;

typedef hg_tensor *(*hg_apply_fn)(hg_tensor *x);

typedef enum hg_flow_op {
    HG_FLOW_RELU,
    HG_FLOW_ADD,
    HG_FLOW_CAT,  /* along dim 1 */
    HG_FLOW_ROWS, /* N x ... as rows of `columns` elements; -1: one row an image */
    HG_FLOW_APPLY /* any function of one tensor */
} hg_flow_op;

enum { HG_FLOW_INPUTS = 8 };

/* What an operation has beside its inputs. */
typedef struct hg_flow_argument {
    int64_t columns;
    hg_apply_fn apply;
} hg_flow_argument;

typedef struct hg_flow {
    hg_value (*module)(struct hg_flow *f, hg_module *m, hg_value x);
    hg_value (*op)(struct hg_flow *f, hg_flow_op op, const hg_value *in, int n, hg_flow_argument argument);
} hg_flow;

typedef struct hg_flow_class {
    hg_module_class cls; /* its forward is hg_flow_forward */
    hg_value (*flow)(hg_module *m, hg_flow *f, hg_value x);
} hg_flow_class;

hg_tensor *hg_flow_forward(hg_module *m, hg_tensor *x);
/* The class of a module that has a flow, else NULL. */
const hg_flow_class *hg_flow_class_of(const hg_module *m);

/* An operation on tensors. */
hg_tensor *hg_flow_compute(hg_flow_op op, hg_tensor **in, int n, hg_flow_argument argument);

/* The child of that name, NULL without an error if there is none. */
hg_module *hg_own_child(const hg_module *m, const char *name);

hg_value hg_flow_child(hg_flow *f, hg_module *m, const char *name, hg_value x);
/* The BatchNorm2d `norm`, then the ReLU `relu` (NULL: without a module) or what equals them. */
hg_value hg_flow_norm_relu(hg_flow *f, hg_module *m, const char *norm, const char *relu, hg_value x);
hg_value hg_flow_relu(hg_flow *f, hg_value x);
hg_value hg_flow_add(hg_flow *f, hg_value a, hg_value b);
hg_value hg_flow_cat(hg_flow *f, const hg_value *in, int n);
hg_value hg_flow_rows(hg_flow *f, hg_value x, int64_t columns);
hg_value hg_flow_apply(hg_flow *f, hg_apply_fn fn, hg_value x);

#endif
