#define _GNU_SOURCE
#include "cl/limits.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"

static hg_status wrong(const char *pair, const char *what)
{
    return hg_error(HG_E_ARG,
                    "HAPGOP_DEVICE_LIMITS: \"%s\" %s; write NAME=VALUE, ... of local_mem and max_alloc (bytes, or with K, "
                    "M, G), max_wg (work-items), units (compute units), fp64 (0 or 1)",
                    pair, what);
}

static hg_status apply(hg_device_info *info, char *pair)
{
    char *sign = strchr(pair, '='), name[16] = "";
    uint64_t value;
    if (!sign) return wrong(pair, "has no value");
    if (sign - pair < (ptrdiff_t)sizeof name) snprintf(name, sizeof name, "%.*s", (int)(sign - pair), pair);
    if (!strcmp(name, "fp64")) {
        if (strcmp(sign + 1, "0") && strcmp(sign + 1, "1")) return wrong(pair, "is neither 0 nor 1");
        info->fp64 = info->fp64 && sign[1] == '1';
        return HG_OK;
    }
    bool local = !strcmp(name, "local_mem"), group = !strcmp(name, "max_wg"), block = !strcmp(name, "max_alloc");
    bool units = !strcmp(name, "units");
    if (!local && !group && !block && !units) return wrong(pair, "is no limit");
    if (!hg_parse_size(sign + 1, &value) || !value) return wrong(pair, "has a value that is no size");
    if (local && value < info->local_memory) info->local_memory = value;
    if (group && value < info->max_work_group) info->max_work_group = (size_t)value;
    if (block && value < info->max_allocation) info->max_allocation = value;
    if (units && value < info->units) info->units = (unsigned)value;
    return HG_OK;
}

hg_status hg_limits_apply(hg_device_info *info, bool *limited)
{
    const char *text = getenv("HAPGOP_DEVICE_LIMITS");
    char copy[256];
    *limited = text && *text;
    if (!*limited) return HG_OK;
    if (strlen(text) >= sizeof copy) return wrong("...", "is too long");
    snprintf(copy, sizeof copy, "%s", text);
    for (char *rest = copy, *pair; (pair = strsep(&rest, ","));) HG_TRY(apply(info, pair));
    return HG_OK;
}
