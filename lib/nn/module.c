/* Modules: what they own, and who belongs to whom. */
#include "nn/module.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

static atomic_ulong next_id;

hg_module *hg_module_new(hg_device *dev, const hg_module_class *cls)
{
    if (!dev || !cls || !cls->name || !cls->forward) {
        hg_error(HG_E_ARG, "module: a device and a class with name and forward are needed");
        return NULL;
    }
    hg_module *m = calloc(1, sizeof *m);
    void *state = calloc(1, cls->state_size + 1);
    if (!m || !state) {
        hg_error(HG_E_MEMORY, "%s: out of host memory", cls->name);
        free(m);
        free(state);
        return NULL;
    }
    *m = (hg_module){.cls = cls, .dev = hg_device_retain(dev), .state = state, .version = 1, .training = true};
    m->id = atomic_fetch_add(&next_id, 1);
    return m;
}

static void unlink_hooks(hg_module_hook **list)
{
    while (*list) hg_module_hook_remove(*list);
}

static void leave_parent(hg_module *m)
{
    hg_module *p = m->parent;
    int i = 0;
    if (!p) return;
    while (p->children[i] != m) i++;
    memmove(&p->children[i], &p->children[i + 1], sizeof *p->children * (size_t)(p->child_count - i - 1));
    p->child_count--;
}

void hg_module_free(hg_module *m)
{
    if (!m) return;
    leave_parent(m);
    if (m->cls->destroy) m->cls->destroy(m);
    while (m->child_count) hg_module_free(m->children[m->child_count - 1]);
    for (int i = 0; i < m->tensor_count; i++) {
        hg_release(m->tensors[i].tensor);
        free(m->tensors[i].name);
    }
    unlink_hooks(&m->pre_forward);
    unlink_hooks(&m->forward);
    unlink_hooks(&m->backward);
    hg_device_close(m->dev);
    free(m->children);
    free(m->tensors);
    free(m->name);
    free(m->state);
    free(m);
}

hg_module *hg_module_built(hg_module *m, hg_status status)
{
    if (status == HG_OK) return m;
    hg_module_free(m);
    return NULL;
}

void *hg_module_state(const hg_module *m)
{
    return m ? m->state : NULL;
}

const hg_module_class *hg_module_get_class(const hg_module *m)
{
    return m ? m->cls : NULL;
}

hg_device *hg_module_device(const hg_module *m)
{
    return m ? m->dev : NULL;
}

/* ---- registration ---- */

static bool is_taken(const hg_module *m, const char *name)
{
    if (hg_own_tensor(m, name)) return true;
    for (int i = 0; i < m->child_count; i++)
        if (!strcmp(m->children[i]->name, name)) return true;
    return false;
}

/* The rules for a name, in PyTorch's words. */
static hg_status check_name(const hg_module *m, const char *what, const char *name)
{
    if (!m) return hg_error(HG_E_ARG, "add %s: the module is NULL", what);
    if (!name || !*name) return hg_error(HG_E_ARG, "%s: %s name can't be empty string \"\"", m->cls->name, what);
    if (strchr(name, '.'))
        return hg_error(HG_E_ARG, "%s: %s name can't contain \".\", got: %s", m->cls->name, what, name);
    if (is_taken(m, name)) return hg_error(HG_E_ARG, "%s: attribute '%s' already exists", m->cls->name, name);
    return HG_OK;
}

static hg_status check_tensor(const hg_module *m, const char *what, const char *name, const hg_tensor *t)
{
    HG_TRY(check_name(m, what, name));
    if (!hg_ok(t))
        return hg_error(HG_E_ARG, "%s: the %s '%s' is %s", m->cls->name, what, name, t ? "the error tensor" : "NULL");
    if (t->dev != m->dev)
        return hg_error(HG_E_DEVICE, "%s: the %s '%s' is on %s, the module on %s", m->cls->name, what, name,
                        t->dev->info.name, m->dev->info.name);
    return HG_OK;
}

/* Parameters stand before buffers, so that the list is the order of a state dict. */
static hg_status insert_tensor(hg_module *m, const char *name, hg_tensor *t, bool is_buffer)
{
    hg_named_tensor *grown = hg_grow(m->tensors, (size_t)m->tensor_count, 1, &m->tensor_capacity, sizeof *grown);
    if (grown) m->tensors = grown;
    char *copy = strdup(name);
    if (!grown || !copy) {
        free(copy);
        return hg_error(HG_E_MEMORY, "%s: out of host memory", m->cls->name);
    }
    int at = m->tensor_count++;
    while (!is_buffer && at > 0 && grown[at - 1].is_buffer) {
        grown[at] = grown[at - 1];
        at--;
    }
    grown[at] = (hg_named_tensor){copy, hg_retain(t), is_buffer};
    return HG_OK;
}

/* The module holds a reference of its own; the one that came with `t` is dropped unless a scope holds it. */
static hg_status add_tensor(hg_module *m, const char *name, hg_tensor *t, bool is_buffer)
{
    const char *what = is_buffer ? "buffer" : "parameter";
    hg_status status = check_tensor(m, what, name, t);
    if (status == HG_OK && !is_buffer) status = hg_set_requires_grad(t, true);
    if (status == HG_OK) status = insert_tensor(m, name, t, is_buffer);
    if (!hg_in_scope(t)) hg_release(t);
    return status;
}

hg_status hg_add_parameter(hg_module *m, const char *name, hg_tensor *t)
{
    return add_tensor(m, name, t, false);
}

hg_status hg_add_buffer(hg_module *m, const char *name, hg_tensor *t)
{
    return add_tensor(m, name, t, true);
}

/* Whether the caller may give the child away to `m`; if not it stays the caller's. */
static hg_status check_ownership(const hg_module *m, const char *name, const hg_module *child)
{
    if (!child)
        return hg_error(HG_E_ARG, "%s: the child '%s' is NULL", m ? m->cls->name : "add child", name ? name : "");
    if (child->parent)
        return hg_error(HG_E_ARG, "add child: the %s already belongs to a %s; a module has one parent",
                        child->cls->name, child->parent->cls->name);
    for (const hg_module *up = m; up; up = up->parent)
        if (up == child) return hg_error(HG_E_ARG, "add child: the %s would contain itself", child->cls->name);
    return HG_OK;
}

static hg_status check_device(const hg_module *m, const char *name, const hg_module *child)
{
    if (child->dev != m->dev)
        return hg_error(HG_E_DEVICE, "%s: the child '%s' is on %s, the module on %s", m->cls->name, name,
                        child->dev->info.name, m->dev->info.name);
    return HG_OK;
}

static void forget_layers(hg_module *m)
{
    m->layer = NULL;
    for (int i = 0; i < m->child_count; i++) forget_layers(m->children[i]);
}

static hg_status insert_child(hg_module *m, const char *name, hg_module *child)
{
    hg_module **grown = hg_grow(m->children, (size_t)m->child_count, 1, &m->child_capacity, sizeof *grown);
    if (grown) m->children = grown;
    child->name = strdup(name);
    if (!grown || !child->name) return hg_error(HG_E_MEMORY, "%s: out of host memory", m->cls->name);
    child->parent = m;
    grown[m->child_count++] = child;
    forget_layers(child);
    return HG_OK;
}

hg_status hg_add_child(hg_module *m, const char *name, hg_module *child)
{
    HG_TRY(check_ownership(m, name, child));
    hg_status status = check_name(m, "module", name);
    if (status == HG_OK) status = check_device(m, name, child);
    if (status == HG_OK) status = insert_child(m, name, child);
    if (status != HG_OK) hg_module_free(child);
    return status;
}

hg_status hg_replace_child(hg_module *m, const char *name, hg_module *child)
{
    HG_TRY(check_ownership(m, name, child));
    hg_module *old = hg_child(m, name);
    hg_status status = old ? check_device(m, name, child) : HG_E_ARG;
    if (status != HG_OK) {
        hg_module_free(child);
        return status;
    }
    int i = 0;
    while (old->parent->children[i] != old) i++;
    child->name = old->name;
    child->parent = old->parent;
    child->parent->children[i] = child;
    old->name = NULL;
    old->parent = NULL;
    hg_module_free(old);
    forget_layers(child);
    return HG_OK;
}

/* ---- modes ---- */

void hg_train(hg_module *m, bool training)
{
    if (!m) return;
    m->training = training;
    for (int i = 0; i < m->child_count; i++) hg_train(m->children[i], training);
}

void hg_eval(hg_module *m)
{
    hg_train(m, false);
}

bool hg_is_training(const hg_module *m)
{
    return m && m->training;
}
