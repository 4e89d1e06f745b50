/* Children one after the other. Each result is dropped as soon as the next one is there, so that without gradients two
 * are alive at a time, whatever the depth. */
#include <stdio.h>

#include "nn/layer.h"

/* Runs children from `i` on, as many as go at once: usually one; BatchNorm2d and ReLU, and MaxPool2d after them, as one
 * operation if no hook would notice. Moves `i` past them. */
static hg_tensor *run_next(const hg_module *m, int *i, hg_tensor *x)
{
    hg_module **child = m->children + *i;
    int left = m->child_count - *i;
    bool fused = left > 1 && hg_is_batch_norm2d(child[0]) && hg_is_relu(child[1]) && !hg_has_hook(child[0]) &&
                 !hg_has_hook(child[1]);
    const hg_pool_options *pool = fused && left > 2 && !hg_has_hook(child[2]) ? hg_max_pool2d_options(child[2]) : NULL;
    *i += fused ? pool ? 3 : 2 : 1;
    return fused ? hg_forward_batch_norm_relu(child[0], x, pool) : hg_forward(child[0], x);
}

static hg_tensor *sequential_forward(hg_module *m, hg_tensor *x)
{
    hg_tensor *now = hg_retain(x);
    for (int i = 0; i < m->child_count;) {
        hg_scope *s = hg_scope_inner();
        hg_tensor *next = hg_retain(run_next(m, &i, now));
        hg_scope_end(s);
        hg_release(now);
        now = next;
    }
    return hg_to_scope(now);
}

static const hg_module_class sequential_class = {.name = "Sequential", .forward = sequential_forward};

bool hg_is_sequential(const hg_module *m)
{
    return m->cls == &sequential_class;
}

static bool is_sequential(const char *op, const hg_module *m)
{
    if (m && m->cls == &sequential_class) return true;
    hg_error(HG_E_ARG, "%s: the module is %s, not a Sequential", op, m ? m->cls->name : "NULL");
    return false;
}

hg_module *hg_sequential(hg_device *dev)
{
    return hg_module_new(dev, &sequential_class);
}

hg_status hg_append(hg_module *sequential, hg_module *child)
{
    char name[16];
    if (!is_sequential("append", sequential)) {
        if (child && !child->parent) hg_module_free(child);
        return HG_E_ARG;
    }
    snprintf(name, sizeof name, "%d", sequential->child_count);
    return hg_add_child(sequential, name, child);
}

hg_module *hg_at(hg_module *sequential, int index)
{
    if (!is_sequential("at", sequential)) return NULL;
    int n = sequential->child_count;
    if (index < -n || index >= n) {
        hg_error(HG_E_ARG, "at: index %d is out of range; the Sequential has %d children", index, n);
        return NULL;
    }
    return sequential->children[index < 0 ? index + n : index];
}
