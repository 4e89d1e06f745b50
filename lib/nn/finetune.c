/* Which part of a pretrained network is trained. A network is seen as blocks: convolutions up to a pooling layer, or a
 * Sequential of convolutions (ResNet's layer1 to layer4), and behind them the classifier, all that comes with a Linear.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "nn/layer.h"

/* ---- blocks ---- */

/* A module all of which belongs to one block. */
typedef struct unit {
    hg_module *module;
    int block; /* from the front, 1 on; 0: the classifier */
} unit;

typedef struct division {
    unit *units;
    size_t count, capacity;
    int blocks;      /* begun so far */
    bool open;       /* whether the last one may get more */
    bool classifier; /* whether that has begun */
    hg_status status;
} division;

static bool is_pool(const hg_module *m)
{
    return strstr(m->cls->name, "Pool") != NULL;
}

/* Which kinds of layers a module and its children have. */
typedef struct kinds {
    bool conv, linear, tensors, pool;
} kinds;

static void look(const hg_module *m, kinds *k)
{
    k->conv = k->conv || !strncmp(m->cls->name, "Conv", 4);
    k->linear = k->linear || hg_is_linear(m);
    k->tensors = k->tensors || m->tensor_count;
    k->pool = k->pool || is_pool(m);
    for (int i = 0; i < m->child_count; i++) look(m->children[i], k);
}

static void add(division *d, hg_module *m, int block)
{
    unit *grown = hg_grow(d->units, d->count, 1, &d->capacity, sizeof *grown);
    if (!grown) {
        d->status = hg_error(HG_E_MEMORY, "finetune: out of host memory");
        return;
    }
    d->units = grown;
    grown[d->count++] = (unit){m, block};
}

static void add_to_block(division *d, hg_module *m)
{
    if (!d->open) d->blocks++;
    d->open = true;
    add(d, m, d->blocks);
}

static void divide(division *d, hg_module *m);

static void divide_child(division *d, hg_module *m)
{
    kinds k = {0};
    look(m, &k);
    bool descends = hg_is_sequential(m) && k.conv && (k.linear || k.pool);
    if (descends) {
        d->open = false;
        divide(d, m);
        d->open = false;
    } else if (k.linear || (d->classifier && !k.conv && k.tensors)) {
        d->classifier = true;
        add(d, m, 0);
    } else if (k.conv && hg_is_sequential(m)) {
        d->open = false;
        add_to_block(d, m);
        d->open = false;
    } else if (k.conv || k.tensors) {
        add_to_block(d, m);
    } else if (is_pool(m)) {
        d->open = false;
    }
}

static void divide(division *d, hg_module *m)
{
    for (int i = 0; i < m->child_count && d->status == HG_OK; i++) divide_child(d, m->children[i]);
}

/* free(d->units) in any case. */
static hg_status divide_network(division *d, hg_module *m, const char *op)
{
    *d = (division){.status = HG_OK};
    if (!m) return hg_error(HG_E_ARG, "%s: the module is NULL", op);
    divide(d, m);
    HG_TRY(d->status);
    if (!d->classifier)
        return hg_error(HG_E_ARG, "%s: the %s has no Linear layer, so no classifier; use hg_module_requires_grad()", op,
                        m->cls->name);
    return HG_OK;
}

/* 0: the classifier; 1: the last block of convolutions; ... */
static int from_the_end(const division *d, const unit *u)
{
    return u->block ? d->blocks - u->block + 1 : 0;
}

/* ---- the policy ---- */

static int count_trainable(hg_module *m)
{
    int count = 0;
    for (int i = 0; i < m->tensor_count; i++)
        count += !m->tensors[i].is_buffer && hg_requires_grad(m->tensors[i].tensor);
    for (int i = 0; i < m->child_count; i++) count += count_trainable(m->children[i]);
    return count;
}

int hg_finetune_policy(hg_module *m, hg_data_size size, hg_similarity similarity, const hg_finetune_options *given)
{
    hg_finetune_options o = given ? *given : HG_FINETUNE_DEFAULTS;
    division d;
    if (o.later_blocks < 0 || o.some_blocks < 0) {
        hg_error(HG_E_ARG, "finetune_policy: numbers of blocks must not be negative, they are %d and %d",
                 o.later_blocks, o.some_blocks);
        return -1;
    }
    hg_status status = divide_network(&d, m, "finetune_policy");
    bool large = size == HG_DATA_LARGE, similar = similarity == HG_SIMILARITY_HIGH;
    int trained = large ? similar ? o.later_blocks : d.blocks : similar ? 0 : o.some_blocks;
    for (size_t i = 0; i < d.count && status == HG_OK; i++) {
        bool frozen = from_the_end(&d, &d.units[i]) > trained;
        hg_module_requires_grad(d.units[i].module, NULL, !frozen);
        hg_freeze_batch_norm(d.units[i].module, NULL, frozen && o.freeze_batch_norm);
    }
    free(d.units);
    return status == HG_OK ? count_trainable(m) : -1;
}

/* Whether `name` is `whole`, or a module that it is in. */
static bool leads_to(const char *name, const char *whole)
{
    size_t length = strlen(name);
    return !strncmp(name, whole, length) && (!whole[length] || whole[length] == '.');
}

typedef struct search {
    const char *name;
    hg_tensor *found;
} search;

static bool find(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    search *s = user;
    if (leads_to(s->name, name)) s->found = t;
    return !s->found;
}

static bool is_it(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    search *s = user;
    if (t == s->found) s->name = NULL;
    return s->name != NULL;
}

int hg_finetune_block(hg_module *m, const char *name)
{
    division d;
    int block = -1;
    search s = {.name = name ? name : ""};
    if (divide_network(&d, m, "finetune_block") == HG_OK) {
        if (*s.name) hg_each_state(m, find, &s);
        for (size_t i = 0; i < d.count && s.found && block < 0; i++) {
            search own = s;
            hg_each_state(d.units[i].module, is_it, &own);
            if (!own.name) block = from_the_end(&d, &d.units[i]);
        }
        if (block < 0)
            hg_error(HG_E_ARG, "finetune_block: the %s has no parameter and no module with parameters '%s'",
                     m->cls->name, s.name);
    }
    free(d.units);
    return block;
}

/* ---- a new classifier ---- */

typedef struct last_linear {
    char name[256];
    hg_module *module;
} last_linear;

static bool note_linear(const char *name, hg_module *m, void *user)
{
    last_linear *last = user;
    if (!hg_is_linear(m)) return true;
    last->module = m;
    snprintf(last->name, sizeof last->name, "%s", name);
    return true;
}

const char *hg_classifier_name(hg_module *m, char name[256])
{
    last_linear last = {.module = NULL};
    *name = 0;
    if (m) hg_each_module(m, note_linear, &last);
    if (last.module) memcpy(name, last.name, sizeof last.name);
    if (last.module && *name) return name;
    hg_error(HG_E_ARG, "classifier: the %s has no Linear layer below it", m ? m->cls->name : "module is NULL; it");
    return NULL;
}

hg_status hg_replace_classifier(hg_module *m, int64_t classes)
{
    char name[256];
    if (!hg_classifier_name(m, name)) return HG_E_ARG;
    hg_module *old = hg_child(m, name);
    if (classes < 1)
        return hg_error(HG_E_ARG, "replace_classifier: there must be at least one class, got %lld", (long long)classes);
    hg_tensor *weight = hg_own_tensor(old, "weight");
    hg_module *new = hg_linear_module(m->dev, weight->size[1], classes, hg_own_tensor(old, "bias") != NULL);
    return new ? hg_replace_child(m, name, new) : hg_last_status();
}
