/* The text of a module tree, byte for byte as PyTorch's Module.__repr__ has it. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "nn/module.h"

static void new_line(hg_str *out, int level)
{
    hg_str_add(out, "\n%*s", 2 * level, "");
}

/* A text of several lines, each at `level`. */
static void add_lines(hg_str *out, const char *text, int level)
{
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        hg_str_add_bytes(out, text, (size_t)(end - text));
        new_line(out, level);
    }
    hg_str_add(out, "%s", text);
}

static bool add_module(const hg_module *m, hg_str *out, int level)
{
    char *extra = m->cls->extra_text ? m->cls->extra_text(m) : NULL;
    if (m->cls->extra_text && !extra) return false;
    bool has_extra = extra && *extra;
    hg_str_add(out, "%s(", m->cls->name);
    if (has_extra && !m->child_count && !strchr(extra, '\n')) {
        hg_str_add(out, "%s", extra);
    } else if (has_extra || m->child_count) {
        if (has_extra) {
            new_line(out, level + 1);
            add_lines(out, extra, level + 1);
        }
        for (int i = 0; i < m->child_count; i++) {
            new_line(out, level + 1);
            hg_str_add(out, "(%s): ", m->children[i]->name);
            if (!add_module(m->children[i], out, level + 1)) {
                free(extra);
                return false;
            }
        }
        new_line(out, level);
    }
    hg_str_add(out, ")");
    free(extra);
    return true;
}

char *hg_module_to_text(const hg_module *m)
{
    hg_str out = {0};
    if (!m) {
        hg_error(HG_E_ARG, "module_to_text: the module is NULL");
        return NULL;
    }
    char *text = add_module(m, &out, 0) ? hg_str_take(&out) : NULL;
    if (!text) {
        hg_str_free(&out);
        hg_error(HG_E_MEMORY, "module_to_text: out of host memory");
    }
    return text;
}
