/* Children one after the other. Each result is dropped as soon as the next one is there, so that without gradients two
 * are alive at a time, whatever the depth. */
#include <stdio.h>

#include "nn/module.h"

static hg_tensor *sequential_forward(hg_module *m, hg_tensor *x)
{
    hg_tensor *now = hg_retain(x);
    for (int i = 0; i < m->child_count; i++) {
        hg_scope *s = hg_scope_inner();
        hg_tensor *next = hg_retain(hg_forward(m->children[i], now));
        hg_scope_end(s);
        hg_release(now);
        now = next;
    }
    return hg_to_scope(now);
}

static const hg_module_class sequential_class = {.name = "Sequential", .forward = sequential_forward};

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
