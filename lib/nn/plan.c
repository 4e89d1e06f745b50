/* Recording: the network's flow, down to the modules that are no container, becomes a list of steps. A module with a
 * hook is one step, as it is, and so is any whose flow is not known. Fusing: what follows a convolution alone, and is
 * seen by nobody else, goes into it. */
#include "nn/plan.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/grow.h"
#include "nn/layer.h"

/* ---- recording ---- */

typedef struct recorder {
    hg_flow flow;
    hg_plan *plan;
} recorder;

static const hg_value failed = {NULL, -1};

static hg_value add_step(hg_plan *p, hg_step step, const hg_value *in, int n)
{
    for (int i = 0; i < n; i++) {
        if (in[i].node < 0) return failed;
        step.in[i] = in[i].node;
    }
    step.inputs = n;
    hg_step *grown = hg_grow(p->steps, (size_t)p->count, 1, &p->capacity, sizeof *grown);
    if (!grown) {
        hg_error(HG_E_MEMORY, "compile: out of host memory");
        return failed;
    }
    p->steps = grown;
    grown[p->count] = step;
    return (hg_value){NULL, p->count++};
}

static hg_value record_module(hg_flow *f, hg_module *m, hg_value x)
{
    if (!m || x.node < 0) return failed;
    if (!hg_has_hook(m)) {
        const hg_flow_class *flow = hg_flow_class_of(m);
        if (flow) return flow->flow(m, f, x);
        if (hg_is_dropout(m)) return x;
        if (hg_is_sequential(m)) {
            for (int i = 0; i < m->child_count; i++) x = record_module(f, m->children[i], x);
            return x;
        }
    }
    hg_step step = {.kind = HG_STEP_MODULE, .module = m};
    if (!hg_has_hook(m) && hg_conv2d_options(m)) step.kind = HG_STEP_CONV;
    return add_step(((recorder *)f)->plan, step, &x, 1);
}

static hg_value record_op(hg_flow *f, hg_flow_op op, const hg_value *in, int n, hg_flow_argument argument)
{
    return add_step(((recorder *)f)->plan, (hg_step){.kind = HG_STEP_OP, .op = op, .argument = argument}, in, n);
}

/* ---- fusing ---- */

typedef struct fusing {
    hg_plan *plan;
    int *uses, *same; /* by value: how many take it; the one that it has become */
} fusing;

static bool is_plain(const hg_step *s, bool (*is)(const hg_module *m))
{
    return s->kind == HG_STEP_MODULE && !hg_has_hook(s->module) && is(s->module);
}

static bool is_relu(const hg_step *s)
{
    return s->kind == HG_STEP_OP ? s->op == HG_FLOW_RELU : is_plain(s, hg_is_relu);
}

/* The convolution that gives value `v`, if that goes nowhere but into one step, and no ReLU ends it. */
static hg_step *open_conv(const fusing *f, int v)
{
    hg_step *s = &f->plan->steps[v];
    return s->kind == HG_STEP_CONV && f->uses[v] == 1 && !s->relu ? s : NULL;
}

/* Step i is done by the step of value v from now on. */
static void merge(fusing *f, int i, int v)
{
    f->plan->steps[i].gone = true;
    f->same[i] = v;
    f->uses[v] = f->uses[i];
}

static bool fold_norm(fusing *f, int i)
{
    hg_step *s = &f->plan->steps[i];
    if (!is_plain(s, hg_is_batch_norm2d) || !hg_own_tensor(s->module, "running_mean")) return false;
    hg_step *conv = open_conv(f, s->in[0]);
    if (!conv || conv->norm || conv->add) return false;
    conv->norm = s->module;
    merge(f, i, s->in[0]);
    f->plan->norms++;
    return true;
}

static void fuse_relu(fusing *f, int i)
{
    hg_step *s = &f->plan->steps[i];
    const hg_step *before = &f->plan->steps[s->in[0]];
    hg_step *conv = open_conv(f, s->in[0]);
    if (conv) {
        conv->relu = true;
        merge(f, i, s->in[0]);
        f->plan->relus++;
    } else if (is_plain(before, hg_is_linear) && f->uses[s->in[0]] == 1) {
        *s = (hg_step){.kind = HG_STEP_OP, .op = HG_FLOW_RELU, .in = {s->in[0]}, .inputs = 1, .in_place = true};
    }
}

/* Whether none of the steps between changes a value in place or has a hook that could look: a convolution may then run
 * at `to` instead of at `from`. */
static bool may_move(const hg_plan *p, int from, int to)
{
    for (int i = from + 1; i < to; i++) {
        const hg_step *s = &p->steps[i];
        bool pure = s->gone || s->kind == HG_STEP_CONV || (s->kind == HG_STEP_OP && !s->in_place) ||
                    is_plain(s, hg_is_batch_norm2d);
        if (!pure) return false;
    }
    return true;
}

/* A sum of a convolution and something else: the convolution is done in the sum's place, where both are known. */
static void fuse_sum(fusing *f, int i)
{
    hg_step *s = &f->plan->steps[i];
    for (int k = 0; k < 2; k++) {
        int v = s->in[k], other = s->in[1 - k];
        hg_step *conv = open_conv(f, v);
        if (!conv || conv->add || v == other || !may_move(f->plan, v, i)) continue;
        *s = *conv;
        s->add = true;
        s->in[1] = other;
        s->inputs = 2;
        conv->gone = true;
        f->plan->sums++;
        return;
    }
}

static void fuse(fusing *f)
{
    hg_plan *p = f->plan;
    for (int i = 0; i < p->count; i++) {
        f->same[i] = i;
        for (int k = 0; k < p->steps[i].inputs; k++) f->uses[p->steps[i].in[k]]++;
    }
    f->uses[p->output]++;
    for (int i = 1; i < p->count; i++) {
        hg_step *s = &p->steps[i];
        for (int k = 0; k < s->inputs; k++) s->in[k] = f->same[s->in[k]];
        if (fold_norm(f, i)) continue;
        if (is_relu(s))
            fuse_relu(f, i);
        else if (s->kind == HG_STEP_OP && s->op == HG_FLOW_ADD)
            fuse_sum(f, i);
    }
    p->output = f->same[p->output];
    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->steps[i].inputs && !p->steps[i].gone; k++) p->steps[p->steps[i].in[k]].last = i;
    p->steps[p->output].last = -1;
}

hg_status hg_plan_record(hg_plan *p, hg_module *m)
{
    recorder r = {{record_module, record_op}, p};
    hg_value x = add_step(p, (hg_step){.kind = HG_STEP_INPUT}, NULL, 0);
    hg_value y = record_module(&r.flow, m, x);
    if (y.node < 0) return hg_last_status();
    p->output = y.node;
    fusing f = {p, calloc((size_t)p->count, sizeof *f.uses), calloc((size_t)p->count, sizeof *f.same)};
    bool ok = f.uses && f.same;
    if (ok) fuse(&f);
    free(f.uses);
    free(f.same);
    return ok ? HG_OK : hg_error(HG_E_MEMORY, "compile: out of host memory");
}

void hg_plan_free(hg_plan *p)
{
    for (int i = 0; i < p->count; i++) {
        hg_release(p->steps[i].weight);
        hg_release(p->steps[i].bias);
    }
    free(p->steps);
    *p = (hg_plan){0};
}
