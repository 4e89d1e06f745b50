#include <stdlib.h>
#include <string.h>

#include "autograd/graph.h"

static atomic_ulong next_sequence;

bool hg_will_record(hg_tensor **inputs, int n)
{
    if (!hg_grad_enabled()) return false;
    for (int i = 0; i < n; i++)
        if (hg_requires_grad(inputs[i])) return true;
    return false;
}

static void connect(hg_edge *edge, hg_tensor *input)
{
    if (!hg_ok(input)) return;
    edge->dtype = input->dtype;
    edge->ndim = input->ndim;
    memcpy(edge->size, input->size, sizeof edge->size);
    if (!hg_requires_grad(input)) return;
    edge->node = hg_node_retain(input->meta->node);
    if (!edge->node) edge->leaf = hg_retain(input);
}

static void save(hg_saved *s, const hg_tensor *t)
{
    *s = (hg_saved){.storage = hg_storage_retain(t->storage), .version = t->storage->version, .dtype = t->dtype,
                    .ndim = t->ndim, .offset = t->offset};
    memcpy(s->size, t->size, sizeof s->size);
    memcpy(s->stride, t->stride, sizeof s->stride);
}

static hg_node *new_node(const hg_op *op, hg_device *dev, hg_tensor **inputs, int n, hg_tensor **saved, int nsaved,
                         const void *context, size_t size)
{
    hg_node *node = calloc(1, sizeof *node);
    if (!node) return NULL;
    node->refs = 1;
    node->op = *op;
    node->sequence = atomic_fetch_add(&next_sequence, 1);
    node->layer = dev->profile.layer;
    node->inputs = calloc((size_t)n + 1, sizeof *node->inputs);
    node->saved = calloc((size_t)nsaved + 1, sizeof *node->saved);
    node->context = size ? malloc(size) : NULL;
    if (!node->inputs || !node->saved || (size && !node->context)) {
        hg_node_release(node);
        return NULL;
    }
    if (size) memcpy(node->context, context, size);
    for (int i = 0; i < n; i++) connect(&node->inputs[node->ninputs++], inputs[i]);
    for (int i = 0; i < nsaved; i++)    /* an absent one keeps its place, with no storage */
        if (hg_ok(saved[i]))
            save(&node->saved[node->nsaved++], saved[i]);
        else
            node->nsaved++;
    return node;
}

hg_tensor *hg_record(hg_tensor *y, const hg_op *op, hg_tensor **inputs, int n, hg_tensor **saved, int nsaved,
                     const void *context, size_t size)
{
    if (!hg_ok(y) || !hg_will_record(inputs, n)) return y;
    hg_meta *meta = hg_meta_of(y);
    hg_node *node = meta ? new_node(op, y->dev, inputs, n, saved, nsaved, context, size) : NULL;
    if (!node) return hg_fail(HG_E_MEMORY, "autograd: out of host memory");
    meta->node = node;
    for (int i = 0; i < n && !meta->recorded_view; i++) {
        if (!hg_ok(inputs[i]) || inputs[i]->storage != y->storage) continue;
        meta->recorded_view = true;
        y->storage->recorded_views++;
    }
    return y;
}

hg_status hg_begin_inplace(const char *op, hg_tensor *x)
{
    if (!HG_CHECK_OPERANDS(op, x)) return hg_last_status();
    if (hg_grad_enabled() && hg_requires_grad(x)) {
        if (hg_is_leaf(x))
            return hg_error(HG_E_STATE, "%s: a leaf Variable that requires grad is being used in an in-place operation.", op);
        if (x->storage->recorded_views)
            return hg_error(HG_E_STATE,
                            "%s: in-place operation on a tensor that is, or has, a view with a gradient; clone it first", op);
    }
    x->storage->version++;
    return HG_OK;
}

hg_tensor *hg_record_inplace(hg_tensor *x, const hg_op *op, hg_tensor **inputs, int n, hg_tensor **saved, int nsaved,
                             const void *context, size_t size)
{
    if (!hg_ok(x) || !hg_will_record(inputs, n)) return x;
    hg_meta *meta = hg_meta_of(x);
    hg_node *node = meta ? new_node(op, x->dev, inputs, n, saved, nsaved, context, size) : NULL;
    if (!node) return hg_fail(HG_E_MEMORY, "autograd: out of host memory");
    if (meta->node && meta->node->retained == x) {
        meta->node->retained = NULL;
        node->retained = x;
    }
    hg_node_release(meta->node);
    meta->node = node;
    meta->requires_grad = false;
    return x;
}

hg_tensor *hg_record_custom(hg_tensor *output, const char *name, hg_backward_fn backward, hg_tensor **inputs, int ninputs,
                            hg_tensor **saved, int nsaved, const void *context, size_t size)
{
    if (!name || !backward || ninputs < 0 || nsaved < 0 || (ninputs && !inputs) || (nsaved && !saved) || (size && !context))
        return hg_fail(HG_E_ARG, "record_custom: name, backward, and what the counts promise must be given");
    if (hg_requires_grad(output))
        return hg_fail(HG_E_STATE, "record_custom: the output has a history already; compute it under hg_no_grad_begin()");
    hg_tensor *y = hg_record(output, &(hg_op){"", backward}, inputs, ninputs, saved, nsaved, context, size);
    if (!hg_ok(y) || y->meta == NULL || !y->meta->node || y->meta->node->op.backward != backward) return y;
    hg_node *node = y->meta->node;
    node->own_name = strdup(name);
    node->op.name = node->own_name ? node->own_name : "custom";
    return y;
}

bool hg_node_wants(const hg_node *node, int input)
{
    return input >= 0 && input < node->ninputs && (node->inputs[input].node || node->inputs[input].leaf);
}

hg_tensor *hg_node_saved(hg_node *node, int index)
{
    if (index < 0 || index >= node->nsaved)
        return hg_fail(HG_E_ARG, "%s: saved tensor %d of %d", node->op.name, index, node->nsaved);
    const hg_saved *s = &node->saved[index];
    if (!s->storage) return NULL;
    if (s->storage->version != s->version)
        return hg_fail(HG_E_STATE,
                       "%s: one of the variables needed for gradient computation has been modified by an inplace "
                       "operation: [%s %s] is at version %u; expected version %u instead.",
                       node->op.name, hg_dtype_name(s->dtype), hg_shape_text(s->ndim, s->size, (char[160]){0}, 160),
                       s->storage->version, s->version);
    return hg_new_view_on(s->storage, s->dtype, s->ndim, s->size, s->stride, s->offset);
}

const void *hg_node_context(const hg_node *node)
{
    return node->context;
}

int hg_node_input_ndim(const hg_node *node, int input)
{
    return node->inputs[input].ndim;
}

const int64_t *hg_node_input_size(const hg_node *node, int input)
{
    return node->inputs[input].size;
}
