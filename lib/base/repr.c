#include "base/repr.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hg_format_real(double v, int decimals, char conversion, char *out, int size)
{
    int length = conversion == 'f' ? snprintf(out, (size_t)size, "%.*f", decimals, v)
                                   : snprintf(out, (size_t)size, "%.*e", decimals, v);
    if (length >= size) length = size - 1;
    int kept = 0;
    for (int i = 0; i < length; i++) {
        bool plain = isalnum((unsigned char)out[i]) || out[i] == '-' || out[i] == '+';
        if (plain) out[kept++] = out[i];
        else if (kept && out[kept - 1] != '.') out[kept++] = '.';   /* the locale's point may be several bytes */
    }
    out[kept] = 0;
    return kept;
}

static bool equals(const char *text, double v, bool single)
{
    return single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/* Writes v with so many digits; whether that reads back as v. Below a power of two numbers lie twice as close as above
 * it, so that there the nearest decimal may miss while the next one above still hits. */
static bool reads_back(double v, bool single, int digits, char *text, int size)
{
    snprintf(text, (size_t)size, "%.*e", digits - 1, v);
    if (equals(text, v, single)) return true;
    char *last = strchr(text, 'e') - 1;
    while (last > text && *last == '9') *last-- = '0';
    if (!isdigit((unsigned char)*last) || *last == '9') return false;
    ++*last;
    return equals(text, v, single);
}

int hg_shortest_digits(double v, bool single, char digits[HG_REPR_SIZE], int *exponent)
{
    char text[64];
    v = fabs(v);
    /* A decimal of DIG digits survives the way to a normal number and back, so no shorter one needs a try. */
    bool normal = v >= (single ? (double)FLT_MIN : DBL_MIN);
    int n = normal ? (single ? FLT_DIG : DBL_DIG) : 1, most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    while (!reads_back(v, single, n, text, sizeof text) && n < most) n++;
    const char *p = text;
    int count = 0;
    for (; *p != 'e'; p++)
        if (isdigit((unsigned char)*p)) digits[count++] = *p;
    while (count > 1 && digits[count - 1] == '0') count--;
    digits[count] = 0;
    *exponent = atoi(p + 1);
    return count;
}

static int repr(double v, bool single, char out[HG_REPR_SIZE])
{
    if (isnan(v)) return strcpy(out, "nan"), 3;
    if (isinf(v)) return strcpy(out, v < 0 ? "-inf" : "inf"), v < 0 ? 4 : 3;
    char digits[HG_REPR_SIZE];
    int exponent, n = hg_shortest_digits(v, single, digits, &exponent), at = 0;
    if (signbit(v)) out[at++] = '-';
    if (v != 0 && (fabs(v) < 1e-4 || fabs(v) >= 1e16)) {    /* NumPy too goes by the value: 1e-4f is below 1e-4 */
        out[at++] = digits[0];
        if (n > 1) out[at++] = '.';
        memcpy(out + at, digits + 1, (size_t)(n - 1));
        at += n - 1;
        return at + snprintf(out + at, (size_t)(HG_REPR_SIZE - at), "e%+03d", exponent);
    }
    if (exponent < 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = -1; i > exponent; i--) out[at++] = '0';
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        out[at++] = i < n ? digits[i] : '0';
        if (i == exponent) out[at++] = '.';
    }
    if (out[at - 1] == '.') out[at++] = '0';
    out[at] = 0;
    return at;
}

int hg_repr_double(double v, char out[HG_REPR_SIZE])
{
    return repr(v, false, out);
}

int hg_repr_float(float v, char out[HG_REPR_SIZE])
{
    return repr((double)v, true, out);
}
