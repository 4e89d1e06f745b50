#include "autograd/graph.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local int no_grad_depth;

void hg_no_grad_begin(void)
{
    no_grad_depth++;
}

void hg_no_grad_end(void)
{
    if (no_grad_depth > 0) no_grad_depth--;
}

int hg_swap_no_grad(int depth)
{
    int before = no_grad_depth;
    no_grad_depth = depth;
    return before;
}

bool hg_grad_enabled(void)
{
    return no_grad_depth == 0;
}

/* ---- hooks ---- */

static void free_hook(hg_hook *hook)
{
    if (hook->destroy) hook->destroy(hook->user);
    free(hook);
}

static void free_hooks(hg_hook *hook)
{
    while (hook) {
        hg_hook *next = hook->next;
        free_hook(hook);
        hook = next;
    }
}

static hg_hook *add_hook(hg_tensor *t, hg_grad_hook_fn fn, void *user)
{
    if (!HG_CHECK_OPERANDS("add_grad_hook", t)) return NULL;
    if (!fn) {
        hg_error(HG_E_ARG, "add_grad_hook: the function is NULL");
        return NULL;
    }
    if (!hg_requires_grad(t)) {
        hg_error(HG_E_STATE, "add_grad_hook: cannot register a hook on a tensor that doesn't require gradient");
        return NULL;
    }
    hg_hook **list = t->meta->node ? &t->meta->node->hooks : &t->meta->hooks, **end = list;
    hg_hook *hook = malloc(sizeof *hook);
    if (!hook) {
        hg_error(HG_E_MEMORY, "add_grad_hook: out of host memory");
        return NULL;
    }
    *hook = (hg_hook){.list = list, .fn = fn, .user = user};
    while (*end) end = &(*end)->next;
    return *end = hook;
}

hg_hook *hg_add_grad_hook(hg_tensor *t, hg_grad_hook_fn fn, void *user)
{
    return add_hook(t, fn, user);
}

hg_hook *hg_add_owning_grad_hook(hg_tensor *t, hg_grad_hook_fn fn, void *user, void (*destroy)(void *user))
{
    hg_hook *hook = add_hook(t, fn, user);
    if (hook)
        hook->destroy = destroy;
    else
        destroy(user);
    return hook;
}

void hg_hook_remove(hg_hook *hook)
{
    if (!hook) return;
    hg_hook **p = hook->list;
    while (*p && *p != hook) p = &(*p)->next;
    if (*p) *p = hook->next;
    free_hook(hook);
}

hg_tensor *hg_run_hooks(hg_hook *hooks, hg_tensor *grad)
{
    for (hg_hook *hook = hooks, *next; hook && hg_ok(grad); hook = next) {
        next = hook->next;      /* a hook may remove itself */
        hg_tensor *other = hook->fn(grad, hook->user);
        if (!other) continue;
        if (hg_ok(other) && !hg_same_shape(other, grad))
            return hg_fail(HG_E_SHAPE, "hook: returned shape %s for a gradient of shape %s", HG_SHAPE_TEXT(other),
                           HG_SHAPE_TEXT(grad));
        if (hg_ok(other) && other->dtype != grad->dtype)
            return hg_fail(HG_E_DTYPE, "hook: returned %s for a gradient of %s", hg_dtype_name(other->dtype),
                           hg_dtype_name(grad->dtype));
        grad = other;
    }
    return grad;
}

/* ---- nodes ---- */

hg_node *hg_node_retain(hg_node *node)
{
    if (node) atomic_fetch_add(&node->refs, 1);
    return node;
}

void hg_node_drop_saved(hg_node *node)
{
    for (int i = 0; i < node->nsaved; i++) hg_storage_release(node->saved[i].storage);
    node->nsaved = 0;
}

static void free_node(hg_node *node)
{
    hg_node_drop_saved(node);
    free_hooks(node->hooks);
    hg_release(node->grad);
    free(node->own_name);
    free(node->saved);
    free(node->inputs);
    free(node->context);
    free(node);
}

void hg_node_release(hg_node *node)
{
    if (!node || atomic_fetch_sub(&node->refs, 1) != 1) return;
    node->next_free = NULL;
    while (node) {
        hg_node *rest = node->next_free;
        for (int i = 0; i < node->ninputs; i++) {
            hg_node *input = node->inputs[i].node;
            hg_release(node->inputs[i].leaf);
            if (!input || atomic_fetch_sub(&input->refs, 1) != 1) continue;
            input->next_free = rest;
            rest = input;
        }
        free_node(node);
        node = rest;
    }
}

/* ---- the gradient state of tensors ---- */

static void free_meta(hg_tensor *t)
{
    hg_meta *m = t->meta;
    if (m->recorded_view) t->storage->recorded_views--;
    if (m->node && m->node->retained == t) m->node->retained = NULL;
    hg_node_release(m->node);
    hg_release(m->grad);
    hg_release(m->incoming);
    free_hooks(m->hooks);
    free(m);
}

hg_meta *hg_meta_of(hg_tensor *t)
{
    if (t->meta) return t->meta;
    t->meta = calloc(1, sizeof *t->meta);
    if (!t->meta) {
        hg_error(HG_E_MEMORY, "autograd: out of host memory");
        return NULL;
    }
    t->meta_free = free_meta;
    return t->meta;
}

bool hg_requires_grad(const hg_tensor *t)
{
    return hg_ok(t) && t->meta && (t->meta->requires_grad || t->meta->node);
}

bool hg_is_leaf(const hg_tensor *t)
{
    return hg_ok(t) && !(t->meta && t->meta->node);
}

const char *hg_grad_fn_name(const hg_tensor *t)
{
    return hg_ok(t) && t->meta && t->meta->node ? t->meta->node->op.name : NULL;
}

hg_status hg_set_requires_grad(hg_tensor *t, bool requires_grad)
{
    if (!HG_CHECK_OPERANDS("set_requires_grad", t)) return hg_last_status();
    if (!hg_is_leaf(t))
        return hg_error(HG_E_ARG, "set_requires_grad: you can only change requires_grad flags of leaf variables.%s",
                        requires_grad ? "" : " If you want to use a computed variable in a subgraph that doesn't require "
                                             "differentiation use var_no_grad = hg_detach(var).");
    if (requires_grad && !hg_is_float(t->dtype))
        return hg_error(HG_E_DTYPE, "set_requires_grad: only Tensors of floating point dtype can require gradients, not %s",
                        hg_dtype_name(t->dtype));
    if (!requires_grad && !t->meta) return HG_OK;
    hg_meta *m = hg_meta_of(t);
    if (!m) return HG_E_MEMORY;
    m->requires_grad = requires_grad;
    return HG_OK;
}

hg_tensor *hg_grad(const hg_tensor *t)
{
    return hg_ok(t) && t->meta ? t->meta->grad : NULL;
}

hg_status hg_set_grad(hg_tensor *t, hg_tensor *grad)
{
    if (!HG_CHECK_OPERANDS("set_grad", t)) return hg_last_status();
    if (grad && !HG_CHECK_OPERANDS("set_grad", t, grad)) return hg_last_status();
    if (grad && (!hg_same_shape(t, grad) || t->dtype != grad->dtype))
        return hg_error(HG_E_SHAPE, "set_grad: gradient is %s %s, the tensor %s %s", hg_dtype_name(grad->dtype),
                        HG_SHAPE_TEXT(grad), hg_dtype_name(t->dtype), HG_SHAPE_TEXT(t));
    if (!grad && !t->meta) return HG_OK;
    hg_meta *m = hg_meta_of(t);
    if (!m) return HG_E_MEMORY;
    hg_retain(grad);
    hg_release(m->grad);
    m->grad = grad;
    return HG_OK;
}

hg_status hg_retain_grad(hg_tensor *t)
{
    if (!HG_CHECK_OPERANDS("retain_grad", t)) return hg_last_status();
    if (!hg_requires_grad(t)) return hg_error(HG_E_STATE, "retain_grad: can't retain_grad on Tensor that has requires_grad=False");
    if (t->meta->node) t->meta->node->retained = t;
    return HG_OK;
}
