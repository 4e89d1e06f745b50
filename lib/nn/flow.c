#include "nn/flow.h"

#include <string.h>

#include "nn/layer.h"

/* ---- at once ---- */

hg_tensor *hg_flow_compute(hg_flow_op op, hg_tensor **in, int n, hg_flow_argument argument)
{
    if (op == HG_FLOW_RELU) return hg_relu(in[0]);
    if (op == HG_FLOW_ADD) return hg_add(in[0], in[1]);
    if (op == HG_FLOW_CAT) return hg_cat(in, n, 1);
    if (op == HG_FLOW_APPLY) return argument.apply(in[0]);
    return argument.columns < 0 ? hg_flatten(in[0], 1, -1) : hg_reshape(in[0], HG_SHAPE(-1, argument.columns));
}

static hg_value run_module(hg_flow *f, hg_module *m, hg_value x)
{
    (void)f;
    return (hg_value){hg_forward(m, x.tensor), 0};
}

static hg_value run_op(hg_flow *f, hg_flow_op op, const hg_value *in, int n, hg_flow_argument argument)
{
    hg_tensor *t[HG_FLOW_INPUTS];
    (void)f;
    for (int i = 0; i < n; i++) t[i] = in[i].tensor;
    return (hg_value){hg_flow_compute(op, t, n, argument), 0};
}

const hg_flow_class *hg_flow_class_of(const hg_module *m)
{
    return m->cls->forward == hg_flow_forward ? (const hg_flow_class *)m->cls : NULL;
}

hg_tensor *hg_flow_forward(hg_module *m, hg_tensor *x)
{
    hg_flow f = {run_module, run_op};
    return hg_flow_class_of(m)->flow(m, &f, (hg_value){x, 0}).tensor;
}

/* ---- either way ---- */

hg_module *hg_own_child(const hg_module *m, const char *name)
{
    for (int i = 0; i < m->child_count; i++)
        if (!strcmp(m->children[i]->name, name)) return m->children[i];
    return NULL;
}

hg_value hg_flow_child(hg_flow *f, hg_module *m, const char *name, hg_value x)
{
    return f->module(f, hg_child(m, name), x);
}

hg_value hg_flow_norm_relu(hg_flow *f, hg_module *m, const char *norm, const char *relu, hg_value x)
{
    hg_module *n = hg_child(m, norm), *r = relu ? hg_child(m, relu) : NULL;
    bool plain = f->module == run_module && n && hg_is_batch_norm2d(n) && !hg_has_hook(n) &&
                 (!relu || (r && hg_is_relu(r) && !hg_has_hook(r)));
    if (plain) return (hg_value){hg_forward_batch_norm_relu(n, x.tensor, NULL), 0};
    x = f->module(f, n, x);
    return relu ? f->module(f, r, x) : hg_flow_relu(f, x);
}

hg_value hg_flow_relu(hg_flow *f, hg_value x)
{
    return f->op(f, HG_FLOW_RELU, &x, 1, (hg_flow_argument){0, NULL});
}

hg_value hg_flow_add(hg_flow *f, hg_value a, hg_value b)
{
    return f->op(f, HG_FLOW_ADD, (hg_value[]){a, b}, 2, (hg_flow_argument){0, NULL});
}

hg_value hg_flow_cat(hg_flow *f, const hg_value *in, int n)
{
    return f->op(f, HG_FLOW_CAT, in, n, (hg_flow_argument){0, NULL});
}

hg_value hg_flow_rows(hg_flow *f, hg_value x, int64_t columns)
{
    return f->op(f, HG_FLOW_ROWS, &x, 1, (hg_flow_argument){columns, NULL});
}

hg_value hg_flow_apply(hg_flow *f, hg_apply_fn fn, hg_value x)
{
    return f->op(f, HG_FLOW_APPLY, &x, 1, (hg_flow_argument){0, fn});
}
