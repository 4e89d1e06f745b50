#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(hg_str *s, size_t extra)
{
    if (s->failed) return false;
    size_t need = s->length + extra + 1;
    if (need <= s->capacity) return true;
    size_t capacity = s->capacity ? s->capacity : 64;
    while (capacity < need) capacity *= 2;
    char *text = realloc(s->text, capacity);
    if (!text) {
        s->failed = true;
        return false;
    }
    s->text = text;
    s->capacity = capacity;
    return true;
}

void hg_str_add(hg_str *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(s, (size_t)n)) {
        vsnprintf(s->text + s->length, (size_t)n + 1, format, again);
        s->length += (size_t)n;
    }
    va_end(again);
}

void hg_str_add_bytes(hg_str *s, const void *bytes, size_t n)
{
    if (!reserve(s, n)) return;
    if (n) memcpy(s->text + s->length, bytes, n);
    s->length += n;
    s->text[s->length] = 0;
}

void hg_str_free(hg_str *s)
{
    free(s->text);
    *s = (hg_str){0};
}

char *hg_str_take(hg_str *s)
{
    hg_str_add_bytes(s, "", 0);
    char *text = s->failed ? NULL : s->text;
    if (s->failed) free(s->text);
    *s = (hg_str){0};
    return text;
}
