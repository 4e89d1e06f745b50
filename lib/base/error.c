#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local hg_error_aside last;

hg_status (hg_error)(hg_status code, const char *format, ...)
{
    if (last.code == HG_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(last.text, sizeof last.text, format, args);
        va_end(args);
        last.code = code;
    }
    return code;
}

hg_status hg_last_status(void)
{
    return last.code;
}

const char *hg_last_error(void)
{
    return last.text;
}

void hg_clear_error(void)
{
    last.code = HG_OK;
    last.text[0] = 0;
}

void hg_error_aside_begin(hg_error_aside *aside)
{
    *aside = last;
    hg_clear_error();
}

void hg_error_aside_end(const hg_error_aside *aside)
{
    last = *aside;
}

const char *hg_status_name(hg_status status)
{
    switch (status) {
    case HG_OK: return "HG_OK";
    case HG_END: return "HG_END";
    case HG_E_ARG: return "HG_E_ARG";
    case HG_E_SHAPE: return "HG_E_SHAPE";
    case HG_E_DTYPE: return "HG_E_DTYPE";
    case HG_E_DEVICE: return "HG_E_DEVICE";
    case HG_E_MEMORY: return "HG_E_MEMORY";
    case HG_E_UNSUPPORTED: return "HG_E_UNSUPPORTED";
    case HG_E_IO: return "HG_E_IO";
    case HG_E_FORMAT: return "HG_E_FORMAT";
    case HG_E_DRIVER: return "HG_E_DRIVER";
    case HG_E_STATE: return "HG_E_STATE";
    }
    return "HG_?";
}

const char *hg_version(void)
{
    return HG_VERSION;
}
