/* Gradients: define by run. Operations on tensors that require a gradient record a graph; hg_backward() walks it. */
#ifndef HAPGOP_AUTOGRAD_H
#define HAPGOP_AUTOGRAD_H

#include "hapgop/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes a leaf record what is computed from it (or not). Returns HG_E_ARG for a non-leaf, HG_E_DTYPE for
 * non-floating tensors. */
HG_API hg_status hg_set_requires_grad(hg_tensor *t, bool requires_grad);
HG_API bool hg_requires_grad(const hg_tensor *t);
HG_API bool hg_is_leaf(const hg_tensor *t);

/* The gradient of a leaf (or of a tensor after hg_retain_grad), NULL if there is none yet. Owned by the tensor. */
HG_API hg_tensor *hg_grad(const hg_tensor *t);
HG_API hg_status hg_set_grad(hg_tensor *t, hg_tensor *grad);    /* NULL clears it */
HG_API hg_status hg_retain_grad(hg_tensor *t);

/* d(loss)/d(leaf) is added to the gradient of every leaf that `loss`, a tensor of one element, was computed from.
 * The graph is freed on the way; a second walk fails with PyTorch's words.
 * Because gradients add up, a large batch can be done in parts that need less memory: zero the gradients, then for each of
 * its `n` equal parts hg_backward(hg_mul_scalar(mean loss of the part, 1.0 / n)), then one optimizer step. Gradients are
 * the large batch's, to rounding (batch normalisation sees the parts, as in PyTorch). */
HG_API hg_status hg_backward(hg_tensor *loss);
/* The same with a gradient for a tensor of any shape (NULL: one, for one element), and keeping the graph. */
HG_API hg_status hg_backward_with(hg_tensor *t, hg_tensor *grad, bool retain_graph);

/* Nothing is recorded by this thread between the two; they nest. */
HG_API void hg_no_grad_begin(void);
HG_API void hg_no_grad_end(void);
HG_API bool hg_grad_enabled(void);

/* Calls `fn` with the tensor's gradient during backward; it may return another tensor in its place, or NULL to
 * leave it. The handle removes the hook; it goes with the tensor. */
typedef hg_tensor *(*hg_grad_hook_fn)(hg_tensor *grad, void *user);
typedef struct hg_hook hg_hook;
HG_API hg_hook *hg_add_grad_hook(hg_tensor *t, hg_grad_hook_fn fn, void *user);
HG_API void hg_hook_remove(hg_hook *hook);      /* NULL is allowed */

/* Compares the recorded gradients of `fn` with central differences in f64. `fn` maps `n` inputs to a tensor; inputs
 * are f64 leaves, those that require a gradient are perturbed one element at a time. HG_OK if every element agrees
 * within `atol + rtol * |numeric|`; else HG_E_STATE with the first element that does not. */
typedef hg_tensor *(*hg_gradcheck_fn)(hg_tensor **inputs, int n, void *user);
HG_API hg_status hg_gradcheck(hg_gradcheck_fn fn, hg_tensor **inputs, int n, void *user, double eps, double atol,
                              double rtol);

/* ---- An operation of one's own ---------------------------------------------------------------------------------
 * Compute the result with any OpenCL (hg_tensor_mem, hg_device_queue) or with other operations under no-grad, then
 * record how gradients go back. `backward` fills grad_inputs[i] for those inputs that hg_node_wants(); it runs under
 * no-grad inside a scope, so that what it makes needs no release. */
typedef struct hg_node hg_node;
typedef hg_status (*hg_backward_fn)(hg_node *node, hg_tensor *grad_output, hg_tensor **grad_inputs);
HG_API hg_tensor *hg_record_custom(hg_tensor *output, const char *name, hg_backward_fn backward, hg_tensor **inputs,
                                   int ninputs, hg_tensor **saved, int nsaved, const void *context, size_t size);
HG_API bool hg_node_wants(const hg_node *node, int input);
HG_API hg_tensor *hg_node_saved(hg_node *node, int index);      /* error tensor if it was changed in place since */
HG_API const void *hg_node_context(const hg_node *node);        /* the copy of `context` */

#ifdef __cplusplus
}
#endif
#endif
