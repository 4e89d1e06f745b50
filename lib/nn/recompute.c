/* Modules that keep nothing for the backward pass but their input (Chen et al. 2016, Training deep nets with sublinear
 * memory cost): they run without a record, and once more, with one, when their gradients are asked for. The second run
 * draws the same random numbers and leaves running statistics alone, so that results are the same bits. */
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "nn/layer.h"

static _Thread_local bool second_run;

bool hg_is_recomputing(void)
{
    return second_run;
}

/* ---- what runs: one module, or children of a Sequential ---- */

typedef struct segment {
    hg_module *first;
    int count;
} segment;

static hg_tensor *run(segment s, hg_tensor *x)
{
    return s.count == 1 ? hg_forward_once(s.first, x) : hg_forward_children(s.first, s.count, x);
}

/* ---- the parameters ---- */

typedef struct tensors {
    hg_tensor **list; /* the input, then parameters that require a gradient */
    size_t count, capacity;
    hg_status status;
} tensors;

static void add(tensors *t, hg_tensor *x)
{
    for (size_t i = 1; i < t->count; i++)
        if (t->list[i] == x) return;
    hg_tensor **grown = hg_grow(t->list, t->count, 1, &t->capacity, sizeof *grown);
    if (!grown) {
        t->status = hg_error(HG_E_MEMORY, "recompute: out of host memory");
        return;
    }
    t->list = grown;
    grown[t->count++] = x;
}

static bool add_trained(const char *name, hg_tensor *x, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    tensors *t = user;
    if (hg_requires_grad(x)) add(t, x);
    return t->status == HG_OK;
}

static hg_status collect(segment s, hg_tensor *x, tensors *t)
{
    *t = (tensors){.status = HG_OK};
    add(t, x);
    hg_module **m = &s.first;
    if (s.count > 1)
        for (m = s.first->parent->children; *m != s.first;) m++;
    for (int i = 0; i < s.count && t->status == HG_OK; i++) hg_each_parameter(m[i], add_trained, t);
    return t->status;
}

/* ---- the node's context: the segment, the tensors that are its inputs, the generator's state ---- */

typedef struct context {
    segment segment;
    size_t count, rng_size;
    hg_tensor *inputs[]; /* those from 1 on are leaves, which the node's edges hold; then the state's bytes */
} context;

static void *rng_of(const context *c)
{
    return (void *)&c->inputs[c->count];
}

static context *make_context(segment s, const tensors *t, size_t *size)
{
    hg_device *dev = s.first->dev;
    size_t rng = hg_rng_get_state(dev, NULL);
    *size = sizeof(context) + t->count * sizeof(hg_tensor *) + rng;
    context *c = rng ? malloc(*size) : NULL;
    if (!c) {
        hg_error(HG_E_MEMORY, "recompute: out of host memory");
        return NULL;
    }
    *c = (context){.segment = s, .count = t->count, .rng_size = rng};
    memcpy(c->inputs, t->list, t->count * sizeof *t->list);
    hg_rng_get_state(dev, rng_of(c));
    return c;
}

/* ---- backward ---- */

/* The second run, with the generator as it was before the first one; it is put back after. */
static hg_status run_again(const context *c, hg_tensor *x, hg_tensor **y)
{
    hg_device *dev = c->segment.first->dev;
    size_t size = hg_rng_get_state(dev, NULL);
    void *now = malloc(size + 1);
    if (!now || !size) {
        free(now);
        return hg_error(HG_E_MEMORY, "recompute: out of host memory");
    }
    hg_rng_get_state(dev, now);
    hg_status status = hg_rng_set_state(dev, rng_of(c), c->rng_size);
    int depth = hg_swap_no_grad(0);
    bool outer = second_run;
    second_run = true;
    if (status == HG_OK) {
        *y = run(c->segment, x);
        status = hg_ok(*y) ? HG_OK : hg_last_status();
    }
    second_run = outer;
    hg_swap_no_grad(depth);
    hg_status back = hg_rng_set_state(dev, now, size);
    free(now);
    return status == HG_OK ? back : status;
}

static hg_status recompute_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    const context *c = hg_node_context(n);
    for (size_t i = 0; i < c->count; i++) /* none of them may have changed since */
        if (!hg_ok(hg_node_saved(n, (int)i))) return hg_last_status();
    hg_tensor *x = hg_node_saved(n, 0), *y = NULL;
    if (hg_node_wants(n, 0)) HG_TRY(hg_set_requires_grad(x, true));
    HG_TRY(run_again(c, x, &y));
    hg_tensor **leaves = malloc(c->count * sizeof *leaves);
    if (!leaves) return hg_error(HG_E_MEMORY, "recompute: out of host memory");
    memcpy(leaves, c->inputs, c->count * sizeof *leaves);
    leaves[0] = x;
    hg_status status = hg_gradients_of(y, dy, leaves, (int)c->count, dx);
    free(leaves);
    return status;
}
static const hg_op recompute_op = {"CheckpointFunctionBackward", recompute_backward};

/* ---- forward ---- */

static hg_tensor *record(segment s, hg_tensor *x, const tensors *t)
{
    size_t size;
    unsigned version = x->storage->version;
    context *c = make_context(s, t, &size);
    if (!c) return hg_failed();
    hg_no_grad_begin();
    hg_tensor *y = run(s, x);
    hg_no_grad_end();
    if (hg_ok(y) && x->storage->version != version)
        y = hg_fail(HG_E_STATE,
                    "recompute: %s changes its input in place, so that it cannot run again; a range must not begin "
                    "with ReLU(inplace=True)",
                    s.first->cls->name);
    if (hg_ok(y)) /* detached: it may be the input itself */
        y = hg_record(hg_detach(y), &recompute_op, t->list, (int)t->count, t->list, (int)t->count, c, size);
    free(c);
    return y;
}

hg_tensor *hg_forward_recomputed(hg_module *first, int count, hg_tensor *x)
{
    segment s = {first, count};
    tensors t;
    if (!HG_CHECK_OPERANDS("recompute", x)) return hg_failed();
    hg_scope *scope = hg_scope_inner();
    hg_tensor *y = collect(s, x, &t) != HG_OK             ? hg_failed()
                   : hg_will_record(t.list, (int)t.count) ? record(s, x, &t)
                                                          : run(s, x);
    free(t.list);
    return hg_scope_return(scope, y);
}

/* ---- which modules ---- */

typedef struct choice {
    const char *pattern;
    bool recompute;
    int count;
} choice;

static bool choose(const char *name, hg_module *m, void *user)
{
    choice *c = user;
    if (!hg_name_matches(c->pattern, name)) return true;
    m->recompute = c->recompute;
    c->count++;
    return true;
}

int hg_recompute(hg_module *m, const char *pattern, bool recompute)
{
    choice c = {pattern, recompute, 0};
    hg_each_module(m, choose, &c);
    return c.count;
}

hg_status hg_recompute_range(hg_module *sequential, int first, int count)
{
    hg_module *m = hg_at(sequential, first);
    if (!m) return HG_E_ARG;
    if (first < 0) first += sequential->child_count;
    if (count < 0 || count > sequential->child_count - first)
        return hg_error(HG_E_ARG, "recompute_range: %d children from %d on; the Sequential has %d", count, first,
                        sequential->child_count);
    m->recompute = count;
    return HG_OK;
}
