#include "nn/layer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

hg_status hg_check_least(const char *layer, const char *what, int64_t value, int64_t least)
{
    if (value >= least) return HG_OK;
    return hg_error(HG_E_ARG, "%s: %s must be at least %lld, got %lld", layer, what, (long long)least,
                    (long long)value);
}

char *hg_extra_text(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *copy = strdup(text);
    if (!copy) hg_error(HG_E_MEMORY, "module_to_text: out of host memory");
    return copy;
}

char *hg_tuple_text(const int64_t *v, int n, char out[HG_TUPLE_SIZE])
{
    int used = snprintf(out, HG_TUPLE_SIZE, "(");
    for (int i = 0; i < n; i++)
        used += snprintf(out + used, (size_t)(HG_TUPLE_SIZE - used), "%s%lld", i ? ", " : "", (long long)v[i]);
    snprintf(out + used, (size_t)(HG_TUPLE_SIZE - used), n == 1 ? ",)" : ")");
    return out;
}

char *hg_sizes_text(const int64_t *v, int n, char out[HG_TUPLE_SIZE])
{
    for (int i = 1; i < n; i++)
        if (v[i] != v[0]) return hg_tuple_text(v, n, out);
    snprintf(out, HG_TUPLE_SIZE, "%lld", (long long)v[0]);
    return out;
}
