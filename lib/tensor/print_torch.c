/* The rules are those of torch/_tensor_str.py, class _Formatter and the functions below it. */
#include "tensor/print_torch.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/repr.h"
#include "tensor/host_array.h"

#define LINE_WIDTH 80
#define PRECISION 4
#define PREFIX "tensor("

enum { WORD = 64 };     /* "%.4e" and "%.4f" of at most 1e8, 20 digits of an integer, and some */

typedef struct format {
    bool integral;      /* all finite numbers are whole: "1." */
    bool scientific;
    int width;
    double smallest, largest;   /* absolute, of finite numbers other than 0 */
} format;

static int word(const hg_host_array *a, int64_t index, const format *f, char out[WORD])
{
    if (a->dtype == HG_BOOL) return snprintf(out, WORD, "%s", hg_host_i64(a, index) ? "True" : "False");
    if (!hg_host_is_float(a)) return snprintf(out, WORD, "%" PRId64, hg_host_i64(a, index));
    double v = hg_host_f64(a, index);
    if (isnan(v)) return snprintf(out, WORD, "nan");
    if (f->scientific) return hg_format_real(v, PRECISION, 'e', out, WORD);
    if (!f->integral) return hg_format_real(v, PRECISION, 'f', out, WORD);
    int n = hg_format_real(v, 0, 'f', out, WORD - 1);
    if (isfinite(v)) memcpy(out + n++, ".", 2);
    return n;
}

static void see_range(const hg_host_array *a, int64_t index, void *user)
{
    format *f = user;
    double v = hg_host_f64(a, index), size = fabs(v);
    if (!isfinite(v) || v == 0) return;
    if (v != ceil(v)) f->integral = false;
    f->smallest = fmin(f->smallest, size);
    f->largest = fmax(f->largest, size);
}

/* Zeros, infinities and NaN do not count: they may be wider than the column. */
static void see_width(const hg_host_array *a, int64_t index, void *user)
{
    format *f = user;
    if (hg_host_is_float(a)) {
        double v = hg_host_f64(a, index);
        if (!isfinite(v) || v == 0) return;
    }
    char text[WORD];
    int n = word(a, index, f, text);
    if (n > f->width) f->width = n;
}

static format choose_format(const hg_host_array *a)
{
    format f = {.integral = true, .width = 1, .smallest = INFINITY};
    if (hg_host_is_float(a)) hg_host_visit(a, see_range, &f);
    if (f.largest > 0)
        f.scientific = f.largest / f.smallest > 1000 || f.largest > 1e8 || (!f.integral && f.smallest < 1e-4);
    hg_host_visit(a, see_width, &f);
    return f;
}

static void spaces(hg_str *out, int64_t n)
{
    for (; n > 0; n--) hg_str_add_bytes(out, " ", 1);
}

static void print_row(hg_str *out, const hg_host_array *a, int64_t index, int indent, const format *f)
{
    int dim = a->shape.ndim - 1;
    int64_t size = a->shape.size[dim], per_line = hg_max_i64(1, (LINE_WIDTH - indent) / (f->width + 2));
    bool cut = hg_host_cut(a, dim);
    hg_str_add(out, "[");
    for (int64_t i = 0, shown = 0; i < size; i++, shown++) {
        char text[WORD];
        if (shown && shown % per_line) hg_str_add(out, ", ");
        else if (shown) hg_str_add(out, ",\n%*s", indent + 1, "");
        if (cut && i == HG_EDGE_ITEMS) {
            hg_str_add(out, " ...");
            i = size - HG_EDGE_ITEMS - 1;
            continue;
        }
        int n = word(a, index + i, f, text);
        spaces(out, f->width - n);
        hg_str_add_bytes(out, text, (size_t)n);
    }
    hg_str_add(out, "]");
}

static void print_dim(hg_str *out, const hg_host_array *a, int dim, int64_t index, int indent, const format *f)
{
    int left = a->shape.ndim - dim;
    if (left == 1) {
        print_row(out, a, index, indent, f);
        return;
    }
    int64_t size = a->shape.size[dim];
    hg_str_add(out, "[");
    for (int64_t i = 0; i < size; i++) {
        if (i) {
            hg_str_add(out, ",");
            for (int k = 1; k < left; k++) hg_str_add(out, "\n");
            spaces(out, indent + 1);
        }
        if (hg_host_cut(a, dim) && i == HG_EDGE_ITEMS) {
            hg_str_add(out, "...");
            i = size - HG_EDGE_ITEMS - 1;
            continue;
        }
        print_dim(out, a, dim + 1, index + i * a->stride[dim], indent + 1, f);
    }
    hg_str_add(out, "]");
}

/* A suffix that would pass the end of the line goes to the next. `line` is the length as PyTorch reckons it. */
static void add_suffix(hg_str *out, const char *suffix, size_t *line)
{
    size_t n = strlen(suffix), indent = strlen(PREFIX);
    if (*line + n + 2 > LINE_WIDTH) {
        hg_str_add(out, ",\n%*s%s", (int)indent, "", suffix);
        *line = indent + n;
    } else {
        hg_str_add(out, ", %s", suffix);
        *line += n + 2;
    }
}

static void add_size(hg_str *out, hg_shape shape, size_t *line)
{
    hg_str size = {0};
    hg_str_add(&size, "size=(");
    for (int d = 0; d < shape.ndim; d++) hg_str_add(&size, "%s%" PRId64, d ? ", " : "", shape.size[d]);
    hg_str_add(&size, ")");
    out->failed = out->failed || size.failed;
    if (!size.failed) add_suffix(out, size.text, line);
    hg_str_free(&size);
}

static void add_suffixes(hg_str *out, const hg_host_array *a, const hg_print_options *o, size_t line)
{
    static const char *const dtypes[] = {
        [HG_F32] = "dtype=torch.float32", [HG_F64] = "dtype=torch.float64", [HG_I32] = "dtype=torch.int32",
        [HG_I64] = "dtype=torch.int64", [HG_U8] = "dtype=torch.uint8", [HG_BOOL] = "dtype=torch.bool"};
    bool empty = a->numel == 0;     /* then the elements do not show an integer's or a boolean's type */
    if (empty && a->shape.ndim != 1) add_size(out, a->shape, &line);
    if (a->dtype != HG_F32 && (empty || (a->dtype != HG_I64 && a->dtype != HG_BOOL)))
        add_suffix(out, dtypes[a->dtype], &line);
    if (o && o->grad_fn) {
        hg_str text = {0};
        hg_str_add(&text, "grad_fn=<%s>", o->grad_fn);
        out->failed = out->failed || text.failed;
        if (!text.failed) add_suffix(out, text.text, &line);
        hg_str_free(&text);
    } else if (o && o->requires_grad) {
        add_suffix(out, "requires_grad=True", &line);
    }
}

void hg_print_torch(hg_str *out, hg_dtype dtype, hg_shape shape, const void *data, const hg_print_options *options)
{
    hg_host_array a = hg_host_array_of(dtype, shape, data);
    size_t start = out->length;
    hg_str_add(out, PREFIX);
    if (a.numel == 0) {
        hg_str_add(out, "[]");
    } else {
        format f = choose_format(&a);
        if (shape.ndim == 0) {
            char text[WORD];
            int n = word(&a, 0, &f, text);
            spaces(out, f.width - n);
            hg_str_add_bytes(out, text, (size_t)n);
        } else {
            print_dim(out, &a, 0, 0, (int)strlen(PREFIX), &f);
        }
    }
    if (out->failed) return;
    size_t line = 2;
    for (size_t i = out->length; i > start && out->text[i - 1] != '\n'; i--) line++;
    add_suffixes(out, &a, options, line);
    hg_str_add(out, ")");
}
