/* The backward walk: nodes from the newest to the oldest, which is a reverse topological order because an operation's
 * inputs are always made before its output. Sums are in that fixed order. Leaves get their gradients at the end, so
 * that a walk that fails leaves them as they were. */
#include <stdlib.h>
#include <string.h>

#include "autograd/graph.h"
#include "base/log.h"

typedef struct walk {
    hg_node **nodes;            /* each retained */
    int count, capacity;
    hg_tensor **leaves;         /* each retained */
    int nleaves, leaf_capacity;
    hg_tensor **wanted, **sums; /* of hg_gradients_of: these leaves alone, and what they get; NULL for an ordinary walk */
    int nwanted;
} walk;

static bool grow(void *list, int count, int *capacity, size_t element)
{
    if (count < *capacity) return true;
    int more = *capacity ? *capacity * 2 : 64;
    void **p = list, *grown = realloc(*p, element * (size_t)more);
    if (!grown) {
        hg_error(HG_E_MEMORY, "backward: out of host memory");
        return false;
    }
    *p = grown;
    *capacity = more;
    return true;
}

static hg_status reach(walk *w, hg_node *node)
{
    if (!node || node->reached) return HG_OK;
    if (node->used_up)
        return hg_error(HG_E_STATE,
                        "backward: Trying to backward through the graph a second time (or directly access saved tensors "
                        "after they have already been freed). Saved intermediate values of the graph are freed when you "
                        "call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward through "
                        "the graph a second time or if you need to access saved tensors after calling backward.");
    if (!grow(&w->nodes, w->count, &w->capacity, sizeof *w->nodes)) return HG_E_MEMORY;
    node->reached = true;
    w->nodes[w->count++] = hg_node_retain(node);
    return HG_OK;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = (*(hg_node *const *)a)->sequence, y = (*(hg_node *const *)b)->sequence;
    return (x < y) - (x > y);
}

/* Every node that the root's gradient flows to; the list is also the stack of the search. */
static hg_status collect(walk *w, hg_node *root)
{
    HG_TRY(reach(w, root));
    for (int i = 0; i < w->count; i++)
        for (int e = 0; e < w->nodes[i]->ninputs; e++) HG_TRY(reach(w, w->nodes[i]->inputs[e].node));
    qsort(w->nodes, (size_t)w->count, sizeof *w->nodes, newest_first);
    return HG_OK;
}

static bool owned_alone(const hg_tensor *t)
{
    return t->refs == 1 && t->storage->refs == 1 && hg_is_contiguous(t);
}

/* *sum += g, where *sum holds one reference or is NULL. */
static hg_status accumulate(hg_tensor **sum, hg_tensor *g)
{
    if (!*sum) {
        *sum = hg_retain(g);
        return HG_OK;
    }
    hg_scope *s = hg_scope_inner();
    hg_tensor *a = hg_raw_contiguous(*sum), *b = hg_raw_contiguous(g);
    hg_tensor *total = owned_alone(*sum) ? *sum : hg_new_tensor(g->dev, g->dtype, g->ndim, g->size);
    hg_status status = hg_ok(a) && hg_ok(b) && hg_ok(total) ? hg_raw_add(total, a, b) : hg_last_status();
    if (status == HG_OK && total != *sum) {
        hg_retain(total);
        hg_release(*sum);
        *sum = total;
    }
    hg_scope_end(s);
    return status;
}

static hg_status to_wanted(walk *w, const hg_tensor *leaf, hg_tensor *g)
{
    for (int i = 0; i < w->nwanted; i++)
        if (w->wanted[i] == leaf) return accumulate(&w->sums[i], g);
    return hg_error(HG_E_STATE, "backward: a tensor of shape %s that requires a gradient is used in a module that runs again "
                                "in backward, but is no parameter of it; hg_add_parameter() it", HG_SHAPE_TEXT(leaf));
}

static hg_status to_leaf(walk *w, hg_tensor *leaf, hg_tensor *g)
{
    if (w->wanted) return to_wanted(w, leaf, g);
    if (!leaf->meta->incoming) {
        if (!grow(&w->leaves, w->nleaves, &w->leaf_capacity, sizeof *w->leaves)) return HG_E_MEMORY;
        w->leaves[w->nleaves++] = hg_retain(leaf);
    }
    return accumulate(&leaf->meta->incoming, g);
}

static hg_status deliver(walk *w, hg_node *node, hg_tensor **dx)
{
    for (int i = 0; i < node->ninputs; i++) {
        hg_edge *edge = &node->inputs[i];
        hg_tensor *g = dx[i];
        if (!g || !hg_node_wants(node, i)) continue;
        if (!hg_ok(g)) return hg_last_status();
        if (g->ndim != edge->ndim || memcmp(g->size, edge->size, sizeof *g->size * (size_t)g->ndim))
            return hg_error(HG_E_SHAPE, "backward: %s returned a gradient of shape %s at index %d, expected %s", node->op.name,
                            HG_SHAPE_TEXT(g), i, hg_shape_text(edge->ndim, edge->size, (char[160]){0}, 160));
        if (g->dtype != edge->dtype)
            return hg_error(HG_E_DTYPE, "backward: %s returned a gradient of %s at index %d, expected %s", node->op.name,
                            hg_dtype_name(g->dtype), i, hg_dtype_name(edge->dtype));
        HG_TRY(edge->node ? accumulate(&edge->node->grad, g) : to_leaf(w, edge->leaf, g));
    }
    return HG_OK;
}

static hg_status set_retained(hg_node *node, hg_tensor *g)
{
    hg_meta *meta = node->retained ? node->retained->meta : NULL;
    if (!meta) return HG_OK;
    return accumulate(&meta->grad, g);
}

static hg_status visit(walk *w, hg_node *node, bool retain_graph)
{
    hg_tensor *g = node->grad, **dx = NULL;
    node->grad = NULL;
    hg_status status = HG_OK;
    hg_scope *s = hg_scope_inner();
    if (g) {    /* none: nothing that reached it had a gradient */
        hg_device *dev = g->dev;
        const char *layer = hg_layer_enter(dev, node->layer);
        hg_tensor *hooked = hg_run_hooks(node->hooks, g);
        dx = calloc((size_t)node->ninputs + 1, sizeof *dx);
        if (!dx) status = hg_error(HG_E_MEMORY, "backward: out of host memory");
        if (!hg_ok(hooked)) status = hg_last_status();
        if (status == HG_OK) status = set_retained(node, hooked);
        if (status == HG_OK) status = node->op.backward(node, hooked, dx);
        if (status == HG_OK) status = deliver(w, node, dx);
        hg_layer_enter(dev, layer);
    }
    free(dx);
    hg_scope_end(s);
    hg_release(g);
    if (!retain_graph) {
        node->used_up = true;
        hg_node_drop_saved(node);
    }
    return status;
}

/* The walk's sum becomes, or is added to, the leaf's gradient. */
static hg_status settle(hg_tensor *leaf)
{
    hg_meta *meta = leaf->meta;
    hg_tensor *g = meta->incoming;
    meta->incoming = NULL;
    hg_scope *s = hg_scope_inner();
    hg_tensor *hooked = hg_run_hooks(meta->hooks, g);
    hg_status status = hg_ok(hooked) ? HG_OK : hg_last_status();
    if (status == HG_OK && meta->grad) {
        meta->grad->storage->version++;
        hg_tensor *c = hg_raw_contiguous(hooked);
        if (hg_is_contiguous(meta->grad))
            status = hg_ok(c) ? hg_raw_add(meta->grad, meta->grad, c) : hg_last_status();
        else
            status = accumulate(&meta->grad, c);
    } else if (status == HG_OK) {
        hg_tensor *own = owned_alone(hooked) ? hooked : hg_raw_clone(hooked);
        status = hg_ok(own) ? HG_OK : hg_last_status();
        if (status == HG_OK) meta->grad = hg_retain(own);
    }
    hg_scope_end(s);
    hg_release(g);
    return status;
}

static void finish(walk *w)
{
    for (int i = 0; i < w->count; i++) {
        w->nodes[i]->reached = false;
        hg_release(w->nodes[i]->grad);
        w->nodes[i]->grad = NULL;
    }
    for (int i = 0; i < w->count; i++) hg_node_release(w->nodes[i]);
    for (int i = 0; i < w->nleaves; i++) {
        hg_release(w->leaves[i]->meta->incoming);
        w->leaves[i]->meta->incoming = NULL;
        hg_release(w->leaves[i]);
    }
    free(w->nodes);
    free(w->leaves);
}

static hg_status run(walk *w, hg_tensor *t, hg_tensor *grad, bool retain_graph)
{
    hg_status status = HG_OK;
    if (!t->meta->node) {
        status = to_leaf(w, t, grad);
    } else {
        status = collect(w, t->meta->node);
        if (status == HG_OK) status = accumulate(&t->meta->node->grad, grad);
    }
    for (int i = 0; status == HG_OK && i < w->count; i++) status = visit(w, w->nodes[i], retain_graph);
    for (int i = 0; status == HG_OK && i < w->nleaves; i++) status = settle(w->leaves[i]);
    finish(w);
    return status;
}

hg_status hg_gradients_of(hg_tensor *y, hg_tensor *dy, hg_tensor **leaves, int n, hg_tensor **grads)
{
    walk w = {.wanted = leaves, .nwanted = n, .sums = calloc((size_t)n + 1, sizeof *w.sums)};
    if (!w.sums) return hg_error(HG_E_MEMORY, "backward: out of host memory");
    hg_status status = HG_OK;
    hg_no_grad_begin();
    if (hg_requires_grad(y)) status = run(&w, y, dy, false);
    hg_no_grad_end();
    for (int i = 0; i < n; i++) {
        if (w.sums[i] && status == HG_OK)
            grads[i] = hg_to_scope(w.sums[i]);
        else
            hg_release(w.sums[i]);
    }
    free(w.sums);
    return status;
}

hg_status hg_backward_with(hg_tensor *t, hg_tensor *grad, bool retain_graph)
{
    if (!HG_CHECK_OPERANDS("backward", t)) return hg_last_status();
    if (!hg_requires_grad(t))
        return hg_error(HG_E_STATE, "backward: element 0 of tensors does not require grad and does not have a grad_fn");
    if (grad && !HG_CHECK_OPERANDS("backward", t, grad)) return hg_last_status();
    if (grad && (!hg_same_shape(grad, t) || grad->dtype != t->dtype))
        return hg_error(HG_E_SHAPE, "backward: Mismatch in shape: grad_output has a shape of %s and output has a shape of %s.",
                        HG_SHAPE_TEXT(grad), HG_SHAPE_TEXT(t));
    if (!grad && t->numel != 1)
        return hg_error(HG_E_SHAPE, "backward: grad can be implicitly created only for scalar outputs; shape is %s",
                        HG_SHAPE_TEXT(t));
    hg_scope *s = hg_scope_inner();
    hg_no_grad_begin();
    hg_status status = HG_OK;
    if (!grad) {
        grad = hg_new_tensor(t->dev, t->dtype, t->ndim, t->size);
        status = hg_ok(grad) ? hg_raw_fill(grad, 1) : hg_last_status();
    }
    if (status == HG_OK) status = run(&(walk){0}, t, grad, retain_graph);
    hg_no_grad_end();
    hg_scope_end(s);
    return status;
}

hg_status hg_backward(hg_tensor *loss)
{
    return hg_backward_with(loss, NULL, false);
}
