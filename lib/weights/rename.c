#include "weights/rename.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { MOST_STARS = 8 };

typedef struct capture {
    const char *text;
    size_t length;
} capture;

static int stars(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '*';
    return n;
}

static hg_status check_rule(const hg_rename *rule)
{
    if (!rule->from || !*rule->from || !rule->to)
        return hg_error(HG_E_ARG, "rename: a rule needs the name that is replaced, and the new one");
    if (stars(rule->from) > MOST_STARS)
        return hg_error(HG_E_ARG, "rename: '%.100s' has more than %d '*'", rule->from, MOST_STARS);
    if (stars(rule->to) > stars(rule->from))
        return hg_error(HG_E_ARG, "rename: '%.100s' has more '*' than '%.100s'", rule->to, rule->from);
    return HG_OK;
}

/* The whole name against the pattern; each '*' takes as little as it can. */
static bool match_pattern(const char *pattern, const char *name, capture *found)
{
    for (; *pattern && *pattern != '*'; pattern++, name++)
        if (*pattern != *name) return false;
    if (!*pattern) return !*name;
    for (size_t length = 0;; length++) {
        if (match_pattern(pattern + 1, name + length, found + 1)) {
            *found = (capture){name, length};
            return true;
        }
        if (!name[length]) return false;
    }
}

/* Where the name goes on behind the prefix, which ends with the name or at a dot; NULL if it begins otherwise. */
static const char *match_prefix(const char *prefix, const char *name)
{
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length)) return NULL;
    const char *rest = name + length;
    return !*rest || *rest == '.' || rest[-1] == '.' ? rest : NULL;
}

/* Appends the new name; false, and nothing, if the rule does not match. */
static bool apply_rule(const hg_rename *rule, const char *name, hg_str *out)
{
    capture found[MOST_STARS + 1];
    if (!strchr(rule->from, '*')) {
        const char *rest = match_prefix(rule->from, name);
        if (!rest) return false;
        if (!*rule->to && *rest == '.') rest++;
        hg_str_add(out, "%s%s", rule->to, rest);
        return true;
    }
    if (!match_pattern(rule->from, name, found)) return false;
    const capture *next = found;
    for (const char *p = rule->to; *p; p++) {
        if (*p != '*') hg_str_add_bytes(out, p, 1);
        else hg_str_add_bytes(out, next->text, next->length);
        next += *p == '*';
    }
    return true;
}

/* The name by all rules, in a new string; NULL if memory ran out. */
static char *rename_one(const char *name, const hg_weights_options *o)
{
    size_t strip = o->strip ? strlen(o->strip) : 0;
    char *now = strdup(strip && !strncmp(name, o->strip, strip) ? name + strip : name);
    for (int i = 0; now && i < o->rename_count; i++) {
        hg_str next = {0};
        if (!apply_rule(&o->renames[i], now, &next)) continue;
        free(now);
        now = hg_str_take(&next);
    }
    return now;
}

static hg_status no_memory(const char *where)
{
    return hg_error(HG_E_MEMORY, "%s: out of memory", where);
}

/* A module is named as its tensors' names begin: "layer1" as "layer1.". */
static hg_status rename_module(hg_value *key, const hg_weights_options *o, const char *where)
{
    if (key->kind != HG_VALUE_STRING || !*key->string) return HG_OK;
    hg_str s = {0};
    hg_str_add(&s, "%s.", key->string);
    char *before = hg_str_take(&s), *after = before ? rename_one(before, o) : NULL;
    free(before);
    if (!after) return no_memory(where);
    size_t length = strlen(after);
    if (length && after[length - 1] == '.') after[length - 1] = 0;
    free(key->string);
    key->string = after;
    return HG_OK;
}

/* By key, and equal ones as they come in the dict. */
static int compare(const void *a, const void *b)
{
    const hg_value_entry *x = *(hg_value_entry *const *)a, *y = *(hg_value_entry *const *)b;
    int order = strcmp(x->key->string, y->key->string);
    return order ? order : x < y ? -1 : x > y;
}

/* Of entries with one name the last stays: PyTorch's nn.DataParallel is module "" and "module". Without `merge` that is
 * an error. */
static hg_status no_name_twice(hg_value *dict, bool merge, const char *where)
{
    size_t count = 0, kept = 0;
    hg_value_entry *entries = dict->dict.entries, **sorted = calloc(dict->dict.count + 1, sizeof *sorted);
    if (!sorted) return no_memory(where);
    for (size_t i = 0; i < dict->dict.count; i++)
        if (entries[i].key->kind == HG_VALUE_STRING) sorted[count++] = &entries[i];
    qsort(sorted, count, sizeof *sorted, compare);
    hg_status status = HG_OK;
    for (size_t i = 1; i < count && status == HG_OK; i++) {
        hg_value_entry *e = sorted[i - 1];
        if (strcmp(e->key->string, sorted[i]->key->string)) continue;
        if (!merge)
            status = hg_error(HG_E_FORMAT, "%s: two names become '%.100s' by renaming; narrow the rules", where,
                              e->key->string);
        hg_value_free(merge ? e->item : NULL);
        if (merge) e->item = NULL;
    }
    free(sorted);
    for (size_t i = 0; merge && i < dict->dict.count; i++) {
        if (entries[i].item) entries[kept++] = entries[i];
        else hg_value_free(entries[i].key);
    }
    if (merge) dict->dict.count = kept;
    return status;
}

hg_status hg_rename_keys(hg_value *dict, const hg_weights_options *o, const char *where)
{
    for (int i = 0; i < o->rename_count; i++) HG_TRY(check_rule(&o->renames[i]));
    if ((!o->strip || !*o->strip) && !o->rename_count) return HG_OK;
    for (size_t i = 0; i < dict->dict.count; i++) {
        hg_value *key = dict->dict.entries[i].key;
        if (key->kind != HG_VALUE_STRING) continue;
        char *name = rename_one(key->string, o);
        if (!name) return no_memory(where);
        free(key->string);
        key->string = name;
    }
    HG_TRY(no_name_twice(dict, false, where));
    hg_value *metadata = dict->dict.metadata;
    if (!metadata) return HG_OK;
    for (size_t i = 0; i < metadata->dict.count; i++)
        HG_TRY(rename_module(metadata->dict.entries[i].key, o, where));
    return no_name_twice(metadata, true, where);
}
