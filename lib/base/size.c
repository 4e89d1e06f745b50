#include "base/size.h"

#include <ctype.h>
#include <stdlib.h>

bool hg_parse_size(const char *text, uint64_t *bytes)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value > 0)) return false;
    switch (toupper((unsigned char)*end)) {
    case 'G': value *= 1024;    /* fall through */
    case 'M': value *= 1024;    /* fall through */
    case 'K': value *= 1024; end++;
    }
    if (*end == 'i') end++;
    if (*end == 'B') end++;
    if (*end || value >= 9e18) return false;
    *bytes = (uint64_t)value;
    return true;
}
