/* A growing string. After a failed allocation it stays as it is and `failed` is set, so that a chain of appends
 * needs one check. */
#ifndef HG_BASE_STR_H
#define HG_BASE_STR_H

#include "base/error.h"

typedef struct hg_str {
    char *text;             /* NUL-terminated once anything was appended; NULL before */
    size_t length, capacity;
    bool failed;
} hg_str;

void hg_str_add(hg_str *s, const char *format, ...) HG_PRINTF(2, 3);
void hg_str_add_bytes(hg_str *s, const void *bytes, size_t n);
void hg_str_free(hg_str *s);

/* Hands over the text (free() it), "" if nothing was appended; NULL if memory ran out. The string is empty after. */
char *hg_str_take(hg_str *s);

#endif
