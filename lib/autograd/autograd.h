/* Recording: what an operation's file needs to have a gradient.
 *
 *   static hg_status relu_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx) { ... dx[0] = ...; return HG_OK; }
 *   static const hg_op relu_op = {"ReluBackward0", relu_backward};
 *   hg_tensor *hg_relu(hg_tensor *x) { ...; return hg_record(y, &relu_op, HG_LIST(x), HG_LIST(y), NULL, 0); }
 *
 * A node saves storage, version and shape, never a tensor that points back to the node: there are no cycles. */
#ifndef HG_AUTOGRAD_AUTOGRAD_H
#define HG_AUTOGRAD_AUTOGRAD_H

#include "hapgop/autograd.h"
#include "tensor/tensor.h"

typedef struct hg_op {
    const char *name;           /* PyTorch's name of the node: "ReluBackward0" */
    /* Fills dx[i] (in the open scope) for the inputs that hg_node_wants(); the others stay NULL. Runs under no-grad.
     * Each has the shape and dtype of its input; the engine reads dx[i], never writes to it. */
    hg_backward_fn backward;
} hg_op;

#define HG_LIST(...) ((hg_tensor *[]){__VA_ARGS__}), (int)(sizeof((hg_tensor *[]){__VA_ARGS__}) / sizeof(hg_tensor *))
#define HG_NO_LIST NULL, 0

/* Whether a result of these inputs (NULL: absent) will be recorded: grad mode is on and one requires a gradient. */
bool hg_will_record(hg_tensor **inputs, int n);

/* Gives `y`, a fresh tensor, its history if hg_will_record(inputs); returns y, or the error tensor. `context`
 * (`size` bytes) is copied. Passes on an error tensor. */
hg_tensor *hg_record(hg_tensor *y, const hg_op *op, hg_tensor **inputs, int n, hg_tensor **saved, int nsaved,
                     const void *context, size_t size);

/* Before an operation changes `x` in place: refuses leaves that require a gradient and views whose history would
 * become wrong, in PyTorch's words; then counts the change. */
hg_status hg_begin_inplace(const char *op, hg_tensor *x);
/* After it: `x` gets a new history whose input `which` is x's own before. */
hg_tensor *hg_record_inplace(hg_tensor *x, const hg_op *op, hg_tensor **inputs, int n, hg_tensor **saved, int nsaved,
                             const void *context, size_t size);

/* Inside a backward function: the sizes and dtype of input i are those of what was recorded. */
int hg_node_input_ndim(const hg_node *node, int input);
const int64_t *hg_node_input_size(const hg_node *node, int input);

/* Sets how many hg_no_grad_begin() of this thread are open; returns how many were. */
int hg_swap_no_grad(int depth);

/* The gradients of `y`, given its own, for these leaves, in a walk of its own, which may be within another: into grads[i],
 * in the open scope, NULL where there is none. No leaf's gradient is touched and no leaf's hook called. HG_E_STATE if `y`
 * depends on a leaf that is not in the list. */
hg_status hg_gradients_of(hg_tensor *y, hg_tensor *dy, hg_tensor **leaves, int n, hg_tensor **grads);

/* hg_add_grad_hook for data that the hook owns: `destroy` is called with it when the hook goes, and at once if this
 * fails. */
hg_hook *hg_add_owning_grad_hook(hg_tensor *t, hg_grad_hook_fn fn, void *user, void (*destroy)(void *user));

/* The node's name, NULL for a leaf: print shows grad_fn=<NAME>. */
const char *hg_grad_fn_name(const hg_tensor *t);

#endif
