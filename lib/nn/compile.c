/* Networks compiled for inference: a module that runs another one's plan. Before each run the network is looked over:
 * other modules, hooks or modes than recorded make a new plan, changed weights or statistics are folded again. Values
 * live from their step to the last one that takes them; then their memory goes to the next. */
#include <stdlib.h>

#include "base/error.h"
#include "nn/layer.h"
#include "nn/plan.h"
#include "ops/conv.h"

typedef struct compiled_state {
    hg_module *net; /* the caller's */
    hg_plan plan;
    uint64_t structure; /* what the plan was recorded from */
    bool recorded;
} compiled_state;

/* ---- the network as it is now ---- */

static uint64_t mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

static uint64_t structure_of(const hg_module *m, uint64_t h)
{
    h = mix(mix(h, m->id), (uint64_t)hg_has_hook(m));
    for (int i = 0; i < m->child_count; i++) h = structure_of(m->children[i], h);
    return h;
}

/* Layers that do the same in training: a new child is in training mode, and need not be put in the other. */
static bool ignores_mode(const hg_module *m)
{
    return hg_conv2d_options(m) || hg_is_linear(m) || hg_is_relu(m) || hg_max_pool2d_options(m);
}

/* A module in training mode, NULL if there is none. */
static const hg_module *find_training(const hg_module *m)
{
    if (m->training && !ignores_mode(m)) return m;
    const hg_module *found = NULL;
    for (int i = 0; i < m->child_count && !found; i++) found = find_training(m->children[i]);
    return found;
}

static hg_status check_mode(const hg_module *net)
{
    const hg_module *m = find_training(net);
    if (!m) return HG_OK;
    return hg_error(HG_E_STATE, "compile: the %s%s%s%s is in training mode; hg_eval() the network, or run it as it is",
                    m->cls->name, m->name ? " '" : "", m->name ? m->name : "", m->name ? "'" : "");
}

static hg_status follow(compiled_state *s)
{
    uint64_t structure = structure_of(s->net, 0);
    if (s->recorded && s->structure == structure) return HG_OK;
    hg_plan_free(&s->plan);
    hg_status status = hg_plan_record(&s->plan, s->net);
    s->recorded = status == HG_OK;
    s->structure = structure;
    return status;
}

/* ---- steps ---- */

static hg_conv_fold_operands operands_of(const hg_step *s)
{
    return (hg_conv_fold_operands){.weight = hg_own_tensor(s->module, "weight"),
                                   .bias = hg_own_tensor(s->module, "bias"),
                                   .gamma = hg_own_tensor(s->norm, "weight"),
                                   .beta = hg_own_tensor(s->norm, "bias"),
                                   .mean = hg_own_tensor(s->norm, "running_mean"),
                                   .var = hg_own_tensor(s->norm, "running_var"),
                                   .eps = hg_batch_norm_eps(s->norm)};
}

static uint64_t stamp_of(const hg_conv_fold_operands *f)
{
    const hg_tensor *all[] = {f->weight, f->bias, f->gamma, f->beta, f->mean, f->var};
    uint64_t h = 1;
    for (int i = 0; i < 6; i++)
        if (all[i]) h = mix(mix(h, (uint64_t)(uintptr_t)all[i]->storage), all[i]->storage->version);
    return h;
}

/* Kept with the step, in no scope. */
static hg_status make_folded(hg_step *s, const hg_tensor *weight)
{
    hg_scope *scope = hg_scope_inner();
    hg_tensor *w = hg_new_tensor(weight->dev, weight->dtype, weight->ndim, weight->size);
    hg_tensor *b = hg_new_tensor(weight->dev, weight->dtype, 1, weight->size);
    hg_status status = hg_ok(w) && hg_ok(b) ? HG_OK : hg_last_status();
    if (status == HG_OK) {
        s->weight = hg_retain(w);
        s->bias = hg_retain(b);
    }
    hg_scope_end(scope);
    return status;
}

static hg_status fold(hg_step *s)
{
    hg_conv_fold_operands f = operands_of(s);
    uint64_t stamp = stamp_of(&f);
    if (s->weight && s->stamp == stamp) return HG_OK;
    if (!s->weight) HG_TRY(make_folded(s, f.weight));
    HG_TRY(hg_conv_fold(&f, s->weight, s->bias));
    s->stamp = stamp;
    return HG_OK;
}

typedef struct conv_call {
    hg_step *step;
    hg_tensor *residual;
} conv_call;

static hg_tensor *run_conv(hg_module *m, hg_tensor *x, const void *user)
{
    const conv_call *c = user;
    hg_step *s = c->step;
    hg_tensor *weight = hg_own_tensor(m, "weight"), *bias = hg_own_tensor(m, "bias");
    if (s->norm) {
        if (fold(s) != HG_OK) return hg_failed();
        weight = s->weight;
        bias = s->bias;
    }
    if (weight) weight = hg_detach(weight); /* expected to stay: what is packed of it is kept */
    return hg_conv2d_fused(x, weight, bias, c->residual, s->relu, hg_conv2d_options(m));
}

static hg_tensor *run_step(hg_step *s, hg_tensor **values)
{
    hg_tensor *in[HG_FLOW_INPUTS];
    for (int k = 0; k < s->inputs; k++) in[k] = values[s->in[k]];
    if (s->kind == HG_STEP_MODULE) return hg_forward(s->module, in[0]);
    if (s->kind == HG_STEP_CONV)
        return hg_forward_by(s->module, in[0], run_conv, &(conv_call){s, s->add ? in[1] : NULL});
    return s->in_place ? hg_relu_(in[0]) : hg_flow_compute(s->op, in, s->inputs, s->argument);
}

/* ---- the run ---- */

/* Takes over what step i gave, and drops what it was the last to take. */
static void pass_on(const hg_plan *p, int i, hg_tensor **values, hg_tensor *result)
{
    const hg_step *s = &p->steps[i];
    values[i] = result;
    for (int k = 0; k < s->inputs; k++) {
        int v = s->in[k];
        if (p->steps[v].last != i || !values[v]) continue;
        hg_release(values[v]);
        values[v] = NULL;
    }
}

static hg_tensor *run_plan(hg_plan *p, hg_tensor *x)
{
    hg_tensor **values = calloc((size_t)p->count, sizeof *values), *y = NULL;
    if (!values) return hg_fail(HG_E_MEMORY, "compile: out of host memory");
    values[0] = hg_retain(x);
    bool ok = true;
    for (int i = 1; i < p->count && ok; i++) {
        if (p->steps[i].gone) continue;
        hg_scope *scope = hg_scope_inner();
        hg_tensor *result = hg_retain(run_step(&p->steps[i], values));
        hg_scope_end(scope);
        ok = hg_ok(result);
        pass_on(p, i, values, result);
    }
    if (ok) y = hg_retain(values[p->output]);
    for (int i = 0; i < p->count; i++) hg_release(values[i]);
    free(values);
    return ok ? hg_to_scope(y) : hg_failed();
}

static hg_tensor *compiled_forward(hg_module *m, hg_tensor *x)
{
    compiled_state *s = m->state;
    if (check_mode(m) != HG_OK || check_mode(s->net) != HG_OK || follow(s) != HG_OK) return hg_failed();
    hg_no_grad_begin();
    hg_tensor *y = run_plan(&s->plan, x);
    hg_no_grad_end();
    return y;
}

static char *compiled_text(const hg_module *m)
{
    const compiled_state *s = m->state;
    int steps = 0;
    for (int i = 1; i < s->plan.count; i++) steps += !s->plan.steps[i].gone;
    return hg_extra_text("%s, %d steps, fused into convolutions: %d BatchNorm2d, %d ReLU, %d sums", s->net->cls->name,
                         steps, s->plan.norms, s->plan.relus, s->plan.sums);
}

static void compiled_destroy(hg_module *m)
{
    hg_plan_free(&((compiled_state *)m->state)->plan);
}

static const hg_module_class compiled_class = {.name = "Compiled",
                                               .state_size = sizeof(compiled_state),
                                               .forward = compiled_forward,
                                               .extra_text = compiled_text,
                                               .destroy = compiled_destroy};

static hg_status prepare(hg_module *m, hg_tensor *example)
{
    HG_TRY(check_mode(((compiled_state *)m->state)->net));
    HG_TRY(follow(m->state));
    if (!example) return HG_OK;
    hg_scope *s = hg_scope_inner();
    hg_tensor *y = hg_forward(m, example);
    hg_status status = hg_ok(y) ? hg_sync(m->dev) : hg_last_status();
    hg_scope_end(s);
    return status;
}

hg_module *hg_compile(hg_module *net, hg_tensor *example)
{
    if (!net) {
        hg_error(HG_E_ARG, "compile: the network is NULL");
        return NULL;
    }
    hg_module *m = hg_module_new(net->dev, &compiled_class);
    if (!m) return NULL;
    m->training = false;
    ((compiled_state *)m->state)->net = net;
    return hg_module_built(m, prepare(m, example));
}
