#include <stdlib.h>

#include "tensor/tensor.h"

/* A thread's scopes form a stack; each holds one reference to every tensor made inside it. */
struct hg_scope {
    hg_scope *outer;
    hg_tensor **tensors;
    int count, capacity;
};

static _Thread_local hg_scope *innermost;
static hg_scope exhausted;  /* stands in when memory for a scope ran out: its tensors go to the scope around it */

hg_scope *hg_scope_begin(hg_device *dev)
{
    (void)dev;
    if (!innermost) hg_clear_error();
    return hg_scope_inner();
}

hg_scope *hg_scope_inner(void)
{
    hg_scope *s = calloc(1, sizeof *s);
    if (!s) {
        hg_error(HG_E_MEMORY, "scope: out of host memory");
        return &exhausted;
    }
    s->outer = innermost;
    return innermost = s;
}

static void end_innermost(void)
{
    hg_scope *s = innermost;
    innermost = s->outer;
    for (int i = s->count - 1; i >= 0; i--) hg_release(s->tensors[i]);
    free(s->tensors);
    free(s);
}

static bool is_open(const hg_scope *s)
{
    for (const hg_scope *o = innermost; o; o = o->outer)
        if (o == s) return true;
    return false;
}

void hg_scope_end(hg_scope *s)
{
    if (!is_open(s)) return;
    while (innermost != s) end_innermost();
    end_innermost();
}

hg_tensor *hg_scope_return(hg_scope *s, hg_tensor *t)
{
    if (!is_open(s)) return t;
    hg_retain(t);
    hg_scope_end(s);
    return hg_to_scope(t);
}

bool hg_in_scope(const hg_tensor *t)
{
    for (const hg_scope *s = innermost; s; s = s->outer)
        for (int i = s->count - 1; i >= 0; i--)
            if (s->tensors[i] == t) return true;
    return false;
}

hg_tensor *hg_to_scope(hg_tensor *t)
{
    hg_scope *s = innermost;
    if (!s || !hg_ok(t)) return t;
    if (s->count == s->capacity) {
        int capacity = s->capacity ? s->capacity * 2 : 16;
        hg_tensor **more = realloc(s->tensors, sizeof *more * (size_t)capacity);
        if (!more) {
            hg_release(t);
            return hg_fail(HG_E_MEMORY, "scope: out of host memory");
        }
        s->tensors = more;
        s->capacity = capacity;
    }
    return s->tensors[s->count++] = t;
}
