/* Finding and visiting what a module tree holds, under dotted names. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/str.h"
#include "nn/module.h"

/* ---- lookup ---- */

hg_tensor *hg_own_tensor(const hg_module *m, const char *name)
{
    for (int i = 0; i < m->tensor_count; i++)
        if (!strcmp(m->tensors[i].name, name)) return m->tensors[i].tensor;
    return NULL;
}

/* The child whose name is the first `length` bytes. */
static hg_module *own_child(const hg_module *m, const char *name, size_t length)
{
    for (int i = 0; i < m->child_count; i++)
        if (!strncmp(m->children[i]->name, name, length) && !m->children[i]->name[length]) return m->children[i];
    return NULL;
}

typedef enum kind { CHILD, PARAMETER, BUFFER } kind;
static const char *const kind_names[] = {"child", "parameter", "buffer"};

/* "child: FashionDNN has no child 'fc9'; it has fc1, drop, fc2, fc3" */
static void not_found(const hg_module *m, kind k, const char *name, size_t length)
{
    hg_str have = {0};
    if (k == CHILD)
        for (int i = 0; i < m->child_count; i++)
            hg_str_add(&have, "%s%s", have.length ? ", " : "", m->children[i]->name);
    else
        for (int i = 0; i < m->tensor_count; i++)
            if (m->tensors[i].is_buffer == (k == BUFFER))
                hg_str_add(&have, "%s%s", have.length ? ", " : "", m->tensors[i].name);
    hg_error(HG_E_ARG, "%s: %s has no %s '%.*s'; it has %s", kind_names[k], m->cls->name, kind_names[k], (int)length,
             name, have.length ? have.text : "none");
    hg_str_free(&have);
}

/* Goes down along the dots; *last is what follows the last one taken. */
static hg_module *descend(hg_module *m, const char *name, bool whole, const char **last)
{
    if (!m || !name || !*name) {
        hg_error(HG_E_ARG, "child: the %s", m ? "name is empty" : "module is NULL");
        return NULL;
    }
    while (name) {
        const char *dot = strchr(name, '.');
        if (!dot && !whole) break;
        size_t length = dot ? (size_t)(dot - name) : strlen(name);
        hg_module *child = own_child(m, name, length);
        if (!child) {
            not_found(m, CHILD, name, length);
            return NULL;
        }
        m = child;
        name = dot ? dot + 1 : NULL;
    }
    *last = name;
    return m;
}

hg_module *hg_child(hg_module *m, const char *name)
{
    const char *last;
    return descend(m, name, true, &last);
}

static hg_tensor *find_tensor(hg_module *m, const char *name, kind k)
{
    const char *last;
    m = descend(m, name, false, &last);
    if (!m) return NULL;
    for (int i = 0; i < m->tensor_count; i++)
        if (m->tensors[i].is_buffer == (k == BUFFER) && !strcmp(m->tensors[i].name, last)) return m->tensors[i].tensor;
    not_found(m, k, last, strlen(last));
    return NULL;
}

hg_tensor *hg_parameter(hg_module *m, const char *name)
{
    return find_tensor(m, name, PARAMETER);
}

hg_tensor *hg_buffer(hg_module *m, const char *name)
{
    return find_tensor(m, name, BUFFER);
}

/* ---- walking ---- */

typedef struct walk {
    hg_tensor_visitor tensor;
    hg_module_visitor module;
    void *user;
    bool buffers, repeat;       /* whether to show buffers; shared tensors again */
    hg_str path;
    hg_tensor **seen;
    size_t seen_count, seen_capacity;
    bool stopped;
} walk;

static hg_status no_memory(void)
{
    return hg_error(HG_E_MEMORY, "module: out of host memory");
}

static hg_status see(walk *w, hg_tensor *t, bool *new)
{
    *new = true;
    if (w->repeat) return HG_OK;
    for (size_t i = 0; i < w->seen_count; i++)
        if (w->seen[i] == t) *new = false;
    if (!*new) return HG_OK;
    hg_tensor **grown = hg_grow(w->seen, w->seen_count, 1, &w->seen_capacity, sizeof *grown);
    if (!grown) return no_memory();
    w->seen = grown;
    grown[w->seen_count++] = t;
    return HG_OK;
}

/* Appends ".name"; the caller cuts the path back to the length it had. */
static hg_status push(walk *w, const char *name)
{
    hg_str_add(&w->path, "%s%s", w->path.length ? "." : "", name);
    return w->path.failed ? no_memory() : HG_OK;
}

static void cut(walk *w, size_t length)
{
    w->path.length = length;
    if (w->path.text) w->path.text[length] = 0;
}

static hg_status walk_tensors(walk *w, hg_module *m)
{
    size_t length = w->path.length;
    for (int i = 0; i < m->tensor_count && !w->stopped; i++) {
        hg_named_tensor *n = &m->tensors[i];
        bool new;
        if (n->is_buffer && !w->buffers) continue;
        HG_TRY(see(w, n->tensor, &new));
        if (!new) continue;
        HG_TRY(push(w, n->name));
        w->stopped = !w->tensor(w->path.text, n->tensor, n->is_buffer, w->user);
        cut(w, length);
    }
    return HG_OK;
}

static hg_status walk_module(walk *w, hg_module *m)
{
    size_t length = w->path.length;
    if (w->module) w->stopped = !w->module(length ? w->path.text : "", m, w->user);
    if (w->tensor) HG_TRY(walk_tensors(w, m));
    for (int i = 0; i < m->child_count && !w->stopped; i++) {
        HG_TRY(push(w, m->children[i]->name));
        HG_TRY(walk_module(w, m->children[i]));
        cut(w, length);
    }
    return HG_OK;
}

static hg_status run(walk *w, hg_module *m)
{
    if (!m) return hg_error(HG_E_ARG, "module: it is NULL");
    hg_status status = walk_module(w, m);
    hg_str_free(&w->path);
    free(w->seen);
    return status;
}

void hg_each_parameter(hg_module *m, hg_tensor_visitor visit, void *user)
{
    run(&(walk){.tensor = visit, .user = user}, m);
}

void hg_each_state(hg_module *m, hg_tensor_visitor visit, void *user)
{
    run(&(walk){.tensor = visit, .user = user, .buffers = true}, m);
}

hg_status hg_each_entry(hg_module *m, hg_tensor_visitor visit, void *user)
{
    return run(&(walk){.tensor = visit, .user = user, .buffers = true, .repeat = true}, m);
}

void hg_each_module(hg_module *m, hg_module_visitor visit, void *user)
{
    run(&(walk){.module = visit, .user = user}, m);
}

/* ---- what is made of it ---- */

typedef struct tally {
    const char *pattern;
    bool only_trainable, requires_grad;
    int64_t count;
} tally;

static bool count_one(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    tally *c = user;
    if (!c->only_trainable || hg_requires_grad(t)) c->count += t->numel;
    return true;
}

int64_t hg_count_parameters(hg_module *m, bool only_trainable)
{
    tally c = {.only_trainable = only_trainable};
    hg_each_parameter(m, count_one, &c);
    return c.count;
}

bool hg_name_matches(const char *patterns, const char *name)
{
    if (!patterns) return true;
    for (const char *p = patterns, *end; p; p = end ? end + 1 : NULL) {
        char one[512];
        end = strchr(p, ',');
        int length = end ? (int)(end - p) : (int)strlen(p);
        if (snprintf(one, sizeof one, "%.*s", length, p) < (int)sizeof one && !fnmatch(one, name, 0)) return true;
    }
    return false;
}

static bool set_one(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    tally *c = user;
    if (!hg_name_matches(c->pattern, name)) return true;
    c->count += hg_set_requires_grad(t, c->requires_grad) == HG_OK;
    return true;
}

int hg_module_requires_grad(hg_module *m, const char *pattern, bool requires_grad)
{
    tally c = {.pattern = pattern, .requires_grad = requires_grad};
    hg_each_parameter(m, set_one, &c);
    return (int)c.count;
}
