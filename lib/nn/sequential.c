/* Children one after the other. Each result is dropped as soon as the next one is there, so that without gradients two
 * are alive at a time, whatever the depth. */
#include <stdio.h>

#include "nn/layer.h"

/* Runs the first of `left` children, or as many as go at once: BatchNorm2d and ReLU, and MaxPool2d after them, as one
 * operation if no hook would notice and none is to be run again. Returns how many. */
static int run_some(hg_module **child, int left, hg_tensor *x, hg_tensor **y)
{
    bool fused = left > 1 && hg_is_batch_norm2d(child[0]) && hg_is_relu(child[1]) && !hg_has_hook(child[0]) &&
                 !hg_has_hook(child[1]) && !child[1]->recompute;
    bool more = fused && left > 2 && !hg_has_hook(child[2]) && !child[2]->recompute;
    const hg_pool_options *pool = more ? hg_max_pool2d_options(child[2]) : NULL;
    *y = fused ? hg_forward_batch_norm_relu(child[0], x, pool) : hg_forward_once(child[0], x);
    return fused ? pool ? 3 : 2 : 1;
}

/* The same, with those that run again in backward. */
static int run_next(hg_module **child, int left, hg_tensor *x, hg_tensor **y)
{
    int range = child[0]->recompute;
    if (!range || !hg_grad_enabled()) return run_some(child, left, x, y);
    if (range > left) range = left;
    *y = hg_forward_recomputed(child[0], range, x);
    return range;
}

static hg_tensor *run_children(hg_module **child, int count, bool pass_over, hg_tensor *x)
{
    hg_tensor *now = hg_retain(x), *y;
    for (int i = 0; i < count;) {
        hg_scope *s = hg_scope_inner();
        i += (pass_over && !i ? run_some : run_next)(child + i, count - i, now, &y);
        hg_retain(y);
        hg_scope_end(s);
        hg_release(now);
        now = y;
    }
    return hg_to_scope(now);
}

static hg_tensor *sequential_forward(hg_module *m, hg_tensor *x)
{
    return run_children(m->children, m->child_count, false, x);
}

hg_tensor *hg_forward_children(hg_module *first, int count, hg_tensor *x)
{
    hg_module **child = first->parent->children;
    while (*child != first) child++;
    return run_children(child, count, true, x);
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
