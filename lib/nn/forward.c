/* Running a module: its hooks, its name for profiles, and a scope so that only the result comes back. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "nn/module.h"

/* ---- hooks ---- */

static void drop(void *user)
{
    hg_module_hook *hook = user;
    if (!--hook->refs) free(hook);
}

static hg_module_hook *add_hook(hg_module *m, hg_module_hook **list, hg_module_hook_fn fn, hg_grad_hook_fn grad_fn,
                                void *user)
{
    if (!m || !(fn || grad_fn)) {
        hg_error(HG_E_ARG, "module hook: the %s is NULL", m ? "function" : "module");
        return NULL;
    }
    hg_module_hook *hook = malloc(sizeof *hook), **end = list;
    if (!hook) {
        hg_error(HG_E_MEMORY, "module hook: out of host memory");
        return NULL;
    }
    *hook = (hg_module_hook){.refs = 1, .list = list, .fn = fn, .grad_fn = grad_fn, .user = user};
    while (*end) end = &(*end)->next;
    return *end = hook;
}

hg_module_hook *hg_add_pre_forward_hook(hg_module *m, hg_module_hook_fn fn, void *user)
{
    return add_hook(m, m ? &m->pre_forward : NULL, fn, NULL, user);
}

hg_module_hook *hg_add_forward_hook(hg_module *m, hg_module_hook_fn fn, void *user)
{
    return add_hook(m, m ? &m->forward : NULL, fn, NULL, user);
}

hg_module_hook *hg_add_backward_hook(hg_module *m, hg_grad_hook_fn fn, void *user)
{
    return add_hook(m, m ? &m->backward : NULL, NULL, fn, user);
}

/* Graphs recorded before may still hold it: they find it removed. */
void hg_module_hook_remove(hg_module_hook *hook)
{
    if (!hook) return;
    hg_module_hook **p = hook->list;
    while (*p && *p != hook) p = &(*p)->next;
    if (*p) *p = hook->next;
    hook->removed = true;
    drop(hook);
}

/* Calls the hooks in order; each may put another tensor in its place. */
static hg_status run_hooks(hg_module *m, hg_module_hook *hooks, hg_tensor **x, hg_tensor **y)
{
    for (hg_module_hook *hook = hooks, *next; hook; hook = next) {
        hook->refs++;           /* it may remove itself */
        hg_tensor *other = hook->fn(m, *x, y ? *y : NULL, hook->user);
        next = hook->next;
        drop(hook);
        if (!other) continue;
        if (!hg_ok(other)) return hg_last_status();
        *(y ? y : x) = other;
    }
    return HG_OK;
}

static hg_tensor *call_backward(hg_tensor *grad, void *user)
{
    hg_module_hook *hook = user;
    return hook->removed ? NULL : hook->grad_fn(grad, hook->user);
}

/* A leaf, or an input that comes back as it is, gets a node of its own, which sees this module's share alone. */
static hg_tensor *attach_backward(hg_module *m, hg_tensor *x, hg_tensor *y)
{
    if (!m->backward || !hg_grad_enabled() || !hg_requires_grad(y)) return y;
    if (y == x || hg_is_leaf(y)) y = hg_view(y, hg_tensor_shape(y));
    for (hg_module_hook *hook = m->backward; hook && hg_ok(y); hook = hook->next) {
        hook->refs++;
        if (!hg_add_owning_grad_hook(y, call_backward, hook, drop)) return hg_failed();
    }
    return y;
}

/* ---- the name in profiles ---- */

static void add_path(const hg_module *m, hg_str *path)
{
    if (m->parent) add_path(m->parent, path);
    if (m->name) hg_str_add(path, "%s%s", path->length ? "." : "", m->name);
}

/* "layer1.0"; a root goes by its class. */
static const char *layer_of(hg_module *m)
{
    if (m->layer) return m->layer;
    hg_str path = {0};
    add_path(m, &path);
    m->layer = path.failed ? NULL : hg_layer_name(m->dev, path.length ? path.text : m->cls->name);
    hg_str_free(&path);
    return m->layer;
}

/* ---- forward ---- */

static hg_tensor *run(hg_module *m, hg_tensor *x, const void *user)
{
    (void)user;
    if (run_hooks(m, m->pre_forward, &x, NULL) != HG_OK) return hg_failed();
    hg_tensor *y = m->cls->forward(m, x);
    if (!y) return hg_fail(HG_E_ARG, "forward: %s returned NULL; return a tensor", m->cls->name);
    if (!hg_ok(y) || run_hooks(m, m->forward, &x, &y) != HG_OK) return hg_failed();
    return attach_backward(m, x, y);
}

hg_tensor *hg_forward_once(hg_module *m, hg_tensor *x)
{
    return hg_forward_by(m, x, run, NULL);
}

hg_tensor *hg_forward(hg_module *m, hg_tensor *x)
{
    return m && m->recompute == 1 && hg_grad_enabled() ? hg_forward_recomputed(m, 1, x) : hg_forward_once(m, x);
}

hg_tensor *hg_forward_by(hg_module *m, hg_tensor *x, hg_forward_by_fn fn, const void *user)
{
    if (!m) return hg_fail(HG_E_ARG, "forward: the module is NULL");
    if (!HG_CHECK_OPERANDS("forward", x)) return hg_failed();
    if (x->dev != m->dev)
        return hg_fail(HG_E_DEVICE,
                       "%s: Expected all tensors to be on the same device, but found at least two devices, %s and %s! "
                       "(the module's and the input's)",
                       m->cls->name, m->dev->info.name, x->dev->info.name);
    hg_scope *s = hg_scope_inner();
    const char *outer = hg_layer_enter(m->dev, layer_of(m));
    hg_tensor *y = fn(m, x, user);
    hg_layer_enter(m->dev, outer);
    return hg_scope_return(s, y);
}
