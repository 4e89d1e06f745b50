/* The rules are those of numpy/core/arrayprint.py. Every float is written with the fewest digits that tell it from its
 * neighbours, at most 8 behind the point; columns are padded to the widest. */
#include "tensor/print_numpy.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/repr.h"
#include "tensor/host_array.h"

#define LINE_WIDTH 75
#define PRECISION 8

enum { WORD = 64 };

typedef struct format {
    bool scientific;
    int before, after;      /* columns: up to the point, behind it */
    int exponent_digits;
    double smallest, largest;   /* absolute, of finite numbers other than 0 */
    bool some_nan, some_inf, some_minus_inf;
} format;

/* A finite number in parts: before the point with its sign, behind it, exponent. */
typedef struct parts {
    char text[WORD];
    int before, after, exponent;
} parts;

/* Writes digits with the point behind the first `whole` of them (0 or less: 0.000ddd). */
static parts place_point(bool negative, const char *digits, int n, int whole)
{
    parts p = {0};
    int at = 0;
    if (negative) p.text[at++] = '-';
    if (whole <= 0) p.text[at++] = '0';
    for (int i = 0; i < whole; i++) p.text[at++] = i < n ? digits[i] : '0';
    p.before = at;
    p.text[at++] = '.';
    for (int i = whole; i < n; i++) {
        p.text[at++] = i < 0 ? '0' : digits[i];
        p.after++;
    }
    return p;
}

/* What printf rounded to PRECISION, without its zeros at the end. */
static parts trim_zeros(const char *text)
{
    parts p = {0};
    p.before = (int)strcspn(text, ".");
    const char *e = strchr(text, 'e');
    p.after = e ? (int)(e - text) - p.before - 1 : (int)strlen(text) - p.before - 1;
    while (p.after > 0 && text[p.before + p.after] == '0') p.after--;
    memcpy(p.text, text, (size_t)(p.before + 1 + p.after));
    if (e) p.exponent = atoi(e + 1);
    return p;
}

static parts split(const hg_host_array *a, double v, bool scientific)
{
    char digits[HG_REPR_SIZE], text[WORD];
    int exponent, n = hg_shortest_digits(v, a->dtype == HG_F32, digits, &exponent);
    int whole = scientific ? 1 : exponent + 1;
    if (n - whole > PRECISION) {
        hg_format_real(v, PRECISION, scientific ? 'e' : 'f', text, WORD);
        return trim_zeros(text);
    }
    if (n < whole) {    /* a whole number: NumPy goes on to the units, past the digits that single precision needs */
        n = hg_format_real(fabs(v), 0, 'f', digits, HG_REPR_SIZE);
        whole = n;
    }
    parts p = place_point(signbit(v), digits, n, whole);
    p.exponent = exponent;
    return p;
}

static void see_range(const hg_host_array *a, int64_t index, void *user)
{
    format *f = user;
    double v = hg_host_f64(a, index), size = fabs(v);
    if (isnan(v)) {
        f->some_nan = true;
    } else if (isinf(v)) {
        f->some_inf = true;
        f->some_minus_inf = f->some_minus_inf || v < 0;
    } else if (v != 0) {
        f->smallest = fmin(f->smallest, size);
        f->largest = fmax(f->largest, size);
    }
}

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static void see_width(const hg_host_array *a, int64_t index, void *user)
{
    format *f = user;
    if (!hg_host_is_float(a)) {
        f->before = max_int(f->before, snprintf(NULL, 0, "%" PRId64, hg_host_i64(a, index)));
        return;
    }
    double v = hg_host_f64(a, index);
    if (!isfinite(v)) return;
    parts p = split(a, v, f->scientific);
    f->before = max_int(f->before, p.before);
    f->after = max_int(f->after, p.after);
    if (f->scientific) f->exponent_digits = max_int(f->exponent_digits, abs(p.exponent) > 99 ? 3 : 2);
}

/* Columns behind the point, the exponent's included. */
static int right_of_point(const format *f)
{
    return f->after + (f->scientific ? f->exponent_digits + 2 : 0);
}

static format choose_format(const hg_host_array *a)
{
    format f = {.smallest = INFINITY};
    if (hg_host_is_float(a)) hg_host_visit(a, see_range, &f);
    if (f.largest > 0) {    /* NumPy divides in the array's own type */
        double ratio = f.largest / f.smallest;
        if (a->dtype == HG_F32) ratio = (float)f.largest / (float)f.smallest;
        f.scientific = f.largest >= 1e8 || f.smallest < 1e-4 || ratio > 1000;
    }
    hg_host_visit(a, see_width, &f);
    int rest = right_of_point(&f) + 1;
    if (f.some_nan || f.some_inf) f.before = max_int(f.before, 3 - rest);
    if (f.some_minus_inf) f.before = max_int(f.before, 4 - rest);
    return f;
}

static void finite_word(hg_str *out, const hg_host_array *a, double v, const format *f)
{
    parts p = split(a, v, f->scientific);
    if (f->scientific && p.after < f->after) {  /* not zeros: NumPy goes on with the digits of the exact value */
        char text[WORD];
        hg_format_real(v, f->after, 'e', text, WORD);
        p.after = f->after;
        p.exponent = atoi(strchr(text, 'e') + 1);
        *strchr(text, 'e') = 0;
        strcpy(p.text, text);
    }
    hg_str_add(out, "%*s%s%*s", f->before - p.before, "", p.text, f->after - p.after, "");
    if (f->scientific)
        hg_str_add(out, "e%c%0*d", p.exponent < 0 ? '-' : '+', f->exponent_digits, abs(p.exponent));
}

/* The element in its column. */
static void word(hg_str *out, const hg_host_array *a, int64_t index, const format *f)
{
    if (a->dtype == HG_BOOL) {
        hg_str_add(out, "%5s", hg_host_i64(a, index) ? "True" : "False");
    } else if (!hg_host_is_float(a)) {
        hg_str_add(out, "%*" PRId64, f->before, hg_host_i64(a, index));
    } else {
        double v = hg_host_f64(a, index);
        int width = f->before + 1 + right_of_point(f);
        if (isnan(v)) hg_str_add(out, "%*s", width, "nan");
        else if (isinf(v)) hg_str_add(out, "%*s", width, v < 0 ? "-inf" : "inf");
        else finite_word(out, a, v, f);
    }
}

/* Appends a word of a row, on a new line if it would pass the end of this one. `column`: the length of this line. */
static void add_word(hg_str *out, const char *text, size_t n, int indent, size_t *column)
{
    if (*column + n > (size_t)(LINE_WIDTH - indent) && *column > (size_t)indent) {
        while (out->length && out->text[out->length - 1] == ' ') out->length--;
        hg_str_add(out, "\n%*s", indent, "");
        *column = (size_t)indent;
    }
    hg_str_add_bytes(out, text, n);
    *column += n;
}

static void print_row(hg_str *out, const hg_host_array *a, int64_t index, int indent, const format *f)
{
    int dim = a->shape.ndim - 1;
    int64_t size = a->shape.size[dim];
    size_t column = (size_t)indent;
    hg_str text = {0};
    for (int64_t i = 0; i < size && !out->failed; i++) {
        if (i) {
            hg_str_add(out, " ");
            column++;
        }
        text.length = 0;
        if (hg_host_cut(a, dim) && i == HG_EDGE_ITEMS) {
            hg_str_add(&text, "...");
            i = size - HG_EDGE_ITEMS - 1;
        } else {
            word(&text, a, index + i, f);
        }
        out->failed = out->failed || text.failed;
        if (!out->failed) add_word(out, text.text, text.length, indent, &column);
    }
    hg_str_free(&text);
}

static void print_dim(hg_str *out, const hg_host_array *a, int dim, int64_t index, const format *f)
{
    int left = a->shape.ndim - dim;
    hg_str_add(out, "[");
    if (left == 1) print_row(out, a, index, dim + 1, f);
    for (int64_t i = 0; left > 1 && i < a->shape.size[dim]; i++) {
        for (int k = 1; i && k < left; k++) hg_str_add(out, "\n");
        if (i) hg_str_add(out, "%*s", dim + 1, "");
        if (hg_host_cut(a, dim) && i == HG_EDGE_ITEMS) {
            hg_str_add(out, "...");
            i = a->shape.size[dim] - HG_EDGE_ITEMS - 1;
            continue;
        }
        print_dim(out, a, dim + 1, index + i * a->stride[dim], f);
    }
    hg_str_add(out, "]");
}

/* An array without dimensions prints as its element does: Python's rules, not the ones for columns. */
static void print_scalar(hg_str *out, const hg_host_array *a)
{
    char text[HG_REPR_SIZE];
    if (a->dtype == HG_F32) hg_repr_float((float)hg_host_f64(a, 0), text);
    else if (a->dtype == HG_F64) hg_repr_double(hg_host_f64(a, 0), text);
    else if (a->dtype == HG_BOOL) strcpy(text, hg_host_i64(a, 0) ? "True" : "False");
    else snprintf(text, sizeof text, "%" PRId64, hg_host_i64(a, 0));
    hg_str_add(out, "%s", text);
}

void hg_print_numpy(hg_str *out, hg_dtype dtype, hg_shape shape, const void *data)
{
    hg_host_array a = hg_host_array_of(dtype, shape, data);
    if (a.numel == 0) {
        hg_str_add(out, "[]");
    } else if (shape.ndim == 0) {
        print_scalar(out, &a);
    } else {
        format f = choose_format(&a);
        print_dim(out, &a, 0, 0, &f);
    }
}
