/* The graph itself, for the files of this room. */
#ifndef HG_AUTOGRAD_GRAPH_H
#define HG_AUTOGRAD_GRAPH_H

#include "autograd/autograd.h"

typedef struct hg_saved {
    hg_storage *storage;
    unsigned version;
    hg_dtype dtype;
    int ndim;
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS], offset;
} hg_saved;

/* Where an input's gradient goes: to the node that made it, to a leaf, or nowhere. */
typedef struct hg_edge {
    hg_node *node;
    hg_tensor *leaf;
    hg_dtype dtype;
    int ndim;
    int64_t size[HG_MAX_DIMS];
} hg_edge;

struct hg_hook {
    hg_hook *next, **list;
    hg_grad_hook_fn fn;
    void *user;
    void (*destroy)(void *user);    /* NULL: the data is the caller's */
};

struct hg_node {
    atomic_int refs;
    hg_op op;
    char *own_name;             /* of a custom operation */
    uint64_t sequence;          /* of creation: inputs come before outputs */
    const char *layer;          /* at work when it was recorded */
    int ninputs, nsaved;
    hg_edge *inputs;
    hg_saved *saved;
    void *context;
    bool used_up;               /* walked without retain_graph */
    hg_hook *hooks;             /* on the gradient of the output */
    hg_tensor *retained;        /* the output, while it lives and hg_retain_grad was called; not counted */
    hg_tensor *grad;            /* engine: the sum so far */
    bool reached;               /* engine: in the list of this walk */
    hg_node *next_free;
};

/* The gradient state of a tensor. */
typedef struct hg_meta {
    bool requires_grad;         /* of a leaf */
    hg_node *node;              /* what made it; NULL for a leaf */
    hg_tensor *grad;
    hg_hook *hooks;             /* of a leaf */
    bool recorded_view;         /* counted in storage->recorded_views */
    hg_tensor *incoming;        /* engine: the sum of this walk for a leaf */
} hg_meta;

hg_meta *hg_meta_of(hg_tensor *t);      /* made on first use; NULL with an error */
hg_node *hg_node_retain(hg_node *node);
void hg_node_release(hg_node *node);    /* iterative: a long chain does not use up the stack */
void hg_node_drop_saved(hg_node *node);
/* Runs hooks in order; the result is in the open scope, or the gradient itself. */
hg_tensor *hg_run_hooks(hg_hook *hooks, hg_tensor *grad);

#endif
