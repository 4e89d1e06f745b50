/* State dicts of modules, as PyTorch's Module.state_dict() and load_state_dict() have them. */
#include "weights/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "hapgop/weights.h"
#include "nn/module.h"
#include "tensor/tensor.h"
#include "weights/match.h"
#include "weights/pth.h"
#include "weights/write.h"

/* ---- saving ---- */

typedef struct saving {
    hg_value *dict, *metadata;
    hg_status status;
} saving;

static bool save_tensor(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    saving *s = user;
    hg_value *array;
    s->status = hg_tensor_to_value(t, &array);
    if (s->status == HG_OK) s->status = hg_value_set(s->dict, name, array);
    return s->status == HG_OK;
}

/* _metadata: {'': {'version': 1}, 'layer1': {'version': 1}, ...} */
static bool save_version(const char *name, hg_module *m, void *user)
{
    saving *s = user;
    hg_value *entry = hg_value_dict();
    s->status = hg_value_set(entry, "version", hg_value_int(m->version));
    if (s->status == HG_OK)
        s->status = hg_value_set(s->metadata, name, entry);
    else
        hg_value_free(entry);
    return s->status == HG_OK;
}

hg_status hg_module_to_value(hg_module *m, hg_value **out)
{
    *out = NULL;
    if (!m) return hg_error(HG_E_ARG, "save_state: the module is NULL");
    saving s = {hg_value_ordered_dict(), hg_value_ordered_dict(), HG_OK};
    hg_status status = hg_each_entry(m, save_tensor, &s);
    if (status == HG_OK) status = s.status;
    if (status == HG_OK) {
        hg_each_module(m, save_version, &s);
        status = s.status;
    }
    if (status == HG_OK) {
        status = hg_value_set_metadata(s.dict, s.metadata);
        s.metadata = NULL;
    }
    if (status == HG_OK) {
        *out = s.dict;
        return HG_OK;
    }
    hg_value_free(s.dict);
    hg_value_free(s.metadata);
    return status;
}

hg_status hg_save_state(hg_module *m, const char *path)
{
    hg_value *state;
    if (!path) return hg_error(HG_E_ARG, "save_state: the path is NULL");
    HG_TRY(hg_module_to_value(m, &state));
    hg_status status = hg_weights_names_format(path) ? hg_weights_write(path, state) : hg_pth_write(path, state);
    hg_value_free(state);
    return status;
}

/* ---- loading ---- */

/* One error with all of it; a text beyond what an error holds goes to the log whole. */
static hg_status report(const hg_match *match, const char *where, const char *module, bool keys)
{
    enum { FITS = 960, SOME = 4 };
    hg_str all = {0}, some = {0};
    hg_match_describe(match, keys, INT64_MAX, &all);
    hg_match_describe(match, keys, SOME, &some);
    bool cut = all.length + strlen(where) + strlen(module) > FITS;
    if (cut) hg_log_message("warn", "%s: Error(s) in loading state_dict for %s:%s", where, module, all.text);
    hg_status status = all.failed || some.failed
                           ? hg_error(HG_E_MEMORY, "load_state: out of memory")
                           : hg_error(HG_E_FORMAT, "%s: Error(s) in loading state_dict for %s:%s", where, module,
                                      cut ? some.text : all.text);
    hg_str_free(&all);
    hg_str_free(&some);
    return status;
}

static hg_status judge(const hg_match *match, const char *where, const char *module, bool strict)
{
    bool keys = match->missing.count || match->unexpected.count;
    if (match->mismatched.count || (strict && keys)) return report(match, where, module, strict);
    if (!keys) return HG_OK;
    hg_str text = {0};
    hg_match_describe(match, true, INT64_MAX, &text);
    hg_log_message("warn", "%s: loaded into %s without:%s", where, module, text.text ? text.text : "");
    hg_str_free(&text);
    return HG_OK;
}

/* New tensors first, so that running out of memory changes nothing; `made` gets one reference to each. */
static hg_status upload(const hg_match *match, hg_tensor **made)
{
    hg_scope *s = hg_scope_inner();
    hg_status status = HG_OK;
    for (size_t i = 0; i < match->count && status == HG_OK; i++) {
        hg_tensor *t = match->items[i].tensor;
        const hg_array *a = match->items[i].array;
        hg_tensor *fresh = a ? hg_tensor_from_array(t->dev, a, t->dtype, hg_tensor_shape(t)) : hg_zeros_like(t);
        if (!hg_ok(fresh)) status = hg_last_status();
        else made[i] = hg_retain(fresh);
    }
    hg_scope_end(s);
    return status;
}

static hg_status copy_in(const hg_match *match)
{
    hg_tensor **made = calloc(match->count + 1, sizeof *made);
    if (!made) return hg_error(HG_E_MEMORY, "load_state: out of memory");
    hg_status status = upload(match, made);
    for (size_t i = 0; i < match->count && status == HG_OK; i++) status = hg_copy_(match->items[i].tensor, made[i]);
    for (size_t i = 0; i < match->count; i++) hg_release(made[i]);
    free(made);
    return status;
}

hg_status hg_module_load_value(hg_module *m, const hg_value *state, const char *where, bool strict)
{
    hg_match match;
    hg_status status = hg_match_state(m, state, where, &match);
    if (status == HG_OK) status = judge(&match, where, m->cls->name, strict);
    if (status == HG_OK) status = copy_in(&match);
    hg_match_free(&match);
    return status;
}

hg_status hg_module_from_value(hg_module *m, const hg_value *state, const char *where)
{
    return hg_module_load_value(m, state, where, true);
}

hg_status hg_load_state(hg_module *m, const char *path, bool strict)
{
    if (!path) return hg_error(HG_E_ARG, "load_state: the path is NULL");
    hg_weights *w = hg_weights_open(path, NULL);
    if (!w) return hg_last_status();
    hg_status status = hg_weights_load(w, m, strict);
    hg_weights_close(w);
    return status;
}
