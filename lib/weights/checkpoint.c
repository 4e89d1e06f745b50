/* Checkpoints: a tree of values under a path, with modules and optimizers as state.c makes them. */
#include <stdlib.h>
#include <string.h>

#include "hapgop/weights.h"
#include "weights/pth.h"
#include "weights/state.h"
#include "weights/value.h"

struct hg_checkpoint {
    hg_value *root;         /* a dict */
    char *where;            /* begins messages: "checkpoint" or the file's path */
    hg_status failed;       /* of the first put that failed */
};

static hg_checkpoint *make(hg_value *root, const char *where)
{
    hg_checkpoint *c = calloc(1, sizeof *c);
    char *copy = strdup(where);
    if (c && copy && root) {
        *c = (hg_checkpoint){.root = root, .where = copy};
        return c;
    }
    free(c);
    free(copy);
    hg_value_free(root);
    hg_error(HG_E_MEMORY, "checkpoint: out of memory");
    return NULL;
}

hg_checkpoint *hg_checkpoint_new(void)
{
    return make(hg_value_dict(), "checkpoint");
}

void hg_checkpoint_free(hg_checkpoint *c)
{
    if (!c) return;
    hg_value_free(c->root);
    free(c->where);
    free(c);
}

/* ---- Paths ------------------------------------------------------------------------------------------------------ */

/* The dict that holds the last part of the path, and that part. With `build` dicts on the way are made. */
static hg_status walk(const hg_checkpoint *c, const char *path, bool build, hg_value **dict, const char **last)
{
    *dict = c->root;
    for (const char *slash; (slash = strchr(path, '/')); path = slash + 1) {
        char *part = strndup(path, (size_t)(slash - path));
        if (!part) return hg_error(HG_E_MEMORY, "%s: out of memory", c->where);
        hg_value *next = hg_value_find(*dict, part);
        hg_status status = HG_OK;
        if (!next && build) {
            status = hg_value_set(*dict, part, hg_value_dict());
            next = status == HG_OK ? hg_value_find(*dict, part) : NULL;
        } else if (!next) {
            status = hg_error(HG_E_FORMAT, "%s: key '%s' is missing", c->where, part);
        }
        if (next && next->kind != HG_VALUE_DICT)
            status = hg_error(build ? HG_E_ARG : HG_E_FORMAT, "%s: key '%s' is %s, not a dict", c->where, part,
                              hg_value_kind_name(next->kind));
        free(part);
        HG_TRY(status);
        *dict = next;
    }
    *last = path;
    return *path ? HG_OK : hg_error(HG_E_ARG, "%s: a name is empty", c->where);
}

/* ---- Putting ---------------------------------------------------------------------------------------------------- */

/* Owns the item, also if this fails; NULL is a maker that failed. */
static hg_status put(hg_checkpoint *c, const char *name, hg_value *item)
{
    if (!c) {
        hg_value_free(item);
        return hg_error(HG_E_ARG, "checkpoint: put of '%s' into NULL", name);
    }
    hg_value *dict;
    const char *last;
    hg_status status = walk(c, name, true, &dict, &last);
    if (status == HG_OK) status = hg_value_set(dict, last, item);
    else hg_value_free(item);
    if (status != HG_OK && c->failed == HG_OK) c->failed = status;
    return status;
}

static hg_status put_or_fail(hg_checkpoint *c, const char *name, hg_value *item, hg_status status)
{
    if (status == HG_OK) return put(c, name, item);
    if (c && c->failed == HG_OK) c->failed = status;
    return status;
}

hg_status hg_checkpoint_put_module(hg_checkpoint *c, const char *name, hg_module *m)
{
    hg_value *state = NULL;
    hg_status status = hg_module_to_value(m, &state);
    return put_or_fail(c, name, state, status);
}

hg_status hg_checkpoint_put_optimizer(hg_checkpoint *c, const char *name, hg_optimizer *opt)
{
    hg_value *state = NULL;
    hg_status status = hg_optimizer_to_value(opt, &state);
    return put_or_fail(c, name, state, status);
}

hg_status hg_checkpoint_put_scheduler(hg_checkpoint *c, const char *name, hg_scheduler *s)
{
    hg_value *state = NULL;
    hg_status status = hg_scheduler_to_value(s, &state);
    return put_or_fail(c, name, state, status);
}

hg_status hg_checkpoint_put_bool(hg_checkpoint *c, const char *name, bool x)
{
    return put(c, name, hg_value_bool(x));
}

hg_status hg_checkpoint_put_int(hg_checkpoint *c, const char *name, int64_t x)
{
    return put(c, name, hg_value_int(x));
}

hg_status hg_checkpoint_put_double(hg_checkpoint *c, const char *name, double x)
{
    return put(c, name, hg_value_double(x));
}

hg_status hg_checkpoint_put_text(hg_checkpoint *c, const char *name, const char *text)
{
    return put(c, name, hg_value_string(text));
}

hg_status hg_checkpoint_put_array(hg_checkpoint *c, const char *name, hg_dtype dtype, hg_shape shape, const void *data)
{
    hg_array a;
    hg_status status = hg_array_alloc(&a, (hg_array_dtype)dtype, shape);
    if (status != HG_OK) return put_or_fail(c, name, NULL, status);
    size_t bytes = hg_array_bytes(&a);
    if (bytes) memcpy(a.data, data, bytes);
    return put(c, name, hg_value_array(&a));
}

hg_status hg_checkpoint_write(const hg_checkpoint *c, const char *path)
{
    if (!c) return hg_error(HG_E_ARG, "checkpoint: nothing to write to %s: the checkpoint is NULL", path);
    if (c->failed != HG_OK) return hg_error(c->failed, "checkpoint: %s is not written: a value is missing", path);
    return hg_pth_write(path, c->root);
}

/* ---- Getting ---------------------------------------------------------------------------------------------------- */

hg_checkpoint *hg_checkpoint_read(const char *path)
{
    hg_value *root = NULL;
    if (hg_pth_read(path, &root) != HG_OK) return NULL;
    hg_status status = root->kind == HG_VALUE_DICT ? hg_value_check(root)
                       : hg_error(HG_E_FORMAT, "%s: holds %s, not a dict", path, hg_value_kind_name(root->kind));
    if (status == HG_OK) return make(root, path);
    hg_value_free(root);
    return NULL;
}

bool hg_checkpoint_has(const hg_checkpoint *c, const char *name)
{
    const hg_value *v = c ? c->root : NULL;
    if (!v) return false;
    for (const char *slash; (slash = strchr(name, '/')); name = slash + 1) {
        char *part = strndup(name, (size_t)(slash - name));
        v = part ? hg_value_find(v, part) : NULL;
        free(part);
        if (!v) return false;
    }
    return hg_value_find(v, name) != NULL;
}

static hg_status find(const hg_checkpoint *c, const char *name, hg_value_kind kind, hg_value **item)
{
    hg_value *dict;
    const char *last;
    HG_TRY(walk(c, name, false, &dict, &last));
    return hg_value_get(c->where, dict, last, kind, item);
}

hg_status hg_checkpoint_get_module(const hg_checkpoint *c, const char *name, hg_module *m)
{
    hg_value *state;
    HG_TRY(find(c, name, HG_VALUE_DICT, &state));
    return hg_module_from_value(m, state, c->where);
}

hg_status hg_checkpoint_get_optimizer(const hg_checkpoint *c, const char *name, hg_optimizer *opt)
{
    hg_value *state;
    HG_TRY(find(c, name, HG_VALUE_DICT, &state));
    return hg_optimizer_from_value(opt, state, c->where);
}

hg_status hg_checkpoint_get_scheduler(const hg_checkpoint *c, const char *name, hg_scheduler *s)
{
    hg_value *state;
    HG_TRY(find(c, name, HG_VALUE_DICT, &state));
    return hg_scheduler_from_value(s, state, c->where);
}

hg_status hg_checkpoint_get_bool(const hg_checkpoint *c, const char *name, bool *x)
{
    hg_value *dict;
    const char *last;
    HG_TRY(walk(c, name, false, &dict, &last));
    return hg_value_get_bool(c->where, dict, last, x);
}

hg_status hg_checkpoint_get_int(const hg_checkpoint *c, const char *name, int64_t *x)
{
    hg_value *dict;
    const char *last;
    HG_TRY(walk(c, name, false, &dict, &last));
    return hg_value_get_int(c->where, dict, last, x);
}

hg_status hg_checkpoint_get_double(const hg_checkpoint *c, const char *name, double *x)
{
    hg_value *dict;
    const char *last;
    HG_TRY(walk(c, name, false, &dict, &last));
    return hg_value_get_double(c->where, dict, last, x);
}

hg_status hg_checkpoint_get_text(const hg_checkpoint *c, const char *name, const char **text)
{
    hg_value *dict;
    const char *last;
    HG_TRY(walk(c, name, false, &dict, &last));
    return hg_value_get_string(c->where, dict, last, text);
}

hg_status hg_checkpoint_get_array(const hg_checkpoint *c, const char *name, hg_dtype dtype, hg_shape *shape,
                                  const void **data)
{
    hg_value *item;
    HG_TRY(find(c, name, HG_VALUE_ARRAY, &item));
    hg_array *a = &item->array;
    if (a->dtype != (hg_array_dtype)dtype)
        return hg_error(HG_E_FORMAT, "%s: '%s' is an array of %s, not of %s", c->where, name,
                        hg_array_dtype_name(a->dtype), hg_dtype_name(dtype));
    HG_TRY(hg_array_load(a));
    *shape = a->shape;
    *data = a->data;
    return HG_OK;
}
