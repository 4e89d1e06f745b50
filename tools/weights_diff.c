/* `hapgop weights diff`: what two files have, and whether it is the same. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "weights.h"

enum { CHUNK = 65536 };

/* The tensors of a file by name, to find them in those of the other. */
typedef struct side {
    hg_weights *w;
    int64_t count, *sorted;
} side;

typedef struct comparison {
    side a, b;
    json_t *list;               /* of differences; NULL: they are printed */
    long long differences;
    bool failed;                /* memory for the list ran out */
    /* two chunks of each tensor */
    unsigned char *bits[2];
    double *values[2];
} comparison;

static int compare_names(const void *x, const void *y, void *w)
{
    return strcmp(hg_weights_at(w, *(const int64_t *)x).name, hg_weights_at(w, *(const int64_t *)y).name);
}

static bool open_side(side *s, const char *file, const hg_weights_options *o)
{
    s->w = hg_weights_open(file, o);
    if (!s->w) return output_error("%s", hg_last_error());
    s->count = hg_weights_count(s->w);
    s->sorted = calloc((size_t)s->count + 1, sizeof *s->sorted);
    if (!s->sorted) return output_error("out of memory");
    for (int64_t i = 0; i < s->count; i++) s->sorted[i] = i;
    qsort_r(s->sorted, (size_t)s->count, sizeof *s->sorted, compare_names, s->w);
    return true;
}

static int64_t find(const side *s, const char *name)
{
    int64_t low = 0, high = s->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(hg_weights_at(s->w, s->sorted[middle]).name, name);
        if (!order) return s->sorted[middle];
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return -1;
}

/* ---- what is told ---- */

static void tell(comparison *c, const char *name, const char *kind, const char *text, json_t *more)
{
    char printable[160];
    c->differences++;
    if (!c->list) {
        printf("%s%s%s\n", weights_printable(name, printable), *name ? " " : "", text);
        return;
    }
    json_t *entry = json_pack("{s:s, s:s, s:s}", "name", name, "kind", kind, "text", text);
    if (more) json_object_update(entry, more);
    json_decref(more);
    c->failed |= json_array_append_new(c->list, entry) != 0;
}

static void tell_alone(comparison *c, const hg_weights_tensor *t, bool first)
{
    char shape[160], text[256];
    weights_shape_text(t->shape, shape);
    snprintf(text, sizeof text, "is only in %s: %s %s", first ? "A" : "B", t->dtype, shape);
    tell(c, t->name, first ? "only_a" : "only_b", text, NULL);
}

/* ---- two tensors ---- */

static bool read_bits(comparison *c, int64_t i, int64_t k, int64_t first, int64_t n)
{
    return (hg_weights_read(c->a.w, i, first, n, c->bits[0]) == HG_OK &&
            hg_weights_read(c->b.w, k, first, n, c->bits[1]) == HG_OK) || output_error("%s", hg_last_error());
}

static bool read_values(comparison *c, int64_t i, int64_t k, int64_t first, int64_t n)
{
    return (hg_weights_read_as(c->a.w, i, first, n, HG_F64, c->values[0]) == HG_OK &&
            hg_weights_read_as(c->b.w, k, first, n, HG_F64, c->values[1]) == HG_OK) ||
           output_error("%s", hg_last_error());
}

/* Counts the elements whose bits differ, and the largest difference of their values. */
static bool compare_values(comparison *c, int64_t i, int64_t k, long long *differ, double *largest)
{
    hg_weights_tensor t = hg_weights_at(c->a.w, i);
    *differ = 0;
    *largest = 0;
    for (int64_t first = 0; first < t.count; first += CHUNK) {
        int64_t n = t.count - first < CHUNK ? t.count - first : CHUNK;
        if (!read_bits(c, i, k, first, n)) return false;
        if (!memcmp(c->bits[0], c->bits[1], (size_t)n * t.element_size)) continue;
        if (!read_values(c, i, k, first, n)) return false;
        for (int64_t e = 0; e < n; e++) {
            size_t at = (size_t)e * t.element_size;
            if (!memcmp(c->bits[0] + at, c->bits[1] + at, t.element_size)) continue;
            double d = fabs(c->values[0][e] - c->values[1][e]);
            ++*differ;
            if (!(d <= *largest)) *largest = d;     /* NaN stays */
        }
    }
    return true;
}

static bool same_shape(const hg_shape *a, const hg_shape *b)
{
    return a->ndim == b->ndim && !memcmp(a->size, b->size, sizeof *a->size * (size_t)a->ndim);
}

static bool compare_tensors(comparison *c, int64_t i, int64_t k)
{
    hg_weights_tensor a = hg_weights_at(c->a.w, i), b = hg_weights_at(c->b.w, k);
    char text[512], shapes[2][160];
    if (strcmp(a.dtype, b.dtype) || !same_shape(&a.shape, &b.shape)) {
        weights_shape_text(a.shape, shapes[0]);
        weights_shape_text(b.shape, shapes[1]);
        snprintf(text, sizeof text, "is %s %s in A, %s %s in B", a.dtype, shapes[0], b.dtype, shapes[1]);
        tell(c, a.name, strcmp(a.dtype, b.dtype) ? "dtype" : "shape", text, NULL);
        return true;
    }
    long long differ;
    double largest;
    if (!compare_values(c, i, k, &differ, &largest)) return false;
    if (!differ) return true;
    snprintf(text, sizeof text, "differs in %lld of %lld values, at most by %g", differ, (long long)a.count, largest);
    json_t *more = json_pack("{s:I, s:I, s:o}", "differ", (json_int_t)differ, "elements", (json_int_t)a.count, "largest",
                             isfinite(largest) ? json_real(largest) : json_null());
    tell(c, a.name, "values", text, more);
    return true;
}

/* ---- two files ---- */

static bool compare_files(comparison *c)
{
    int64_t last = -1;
    bool in_order = true;
    for (int64_t i = 0; i < c->a.count; i++) {
        hg_weights_tensor t = hg_weights_at(c->a.w, i);
        int64_t k = find(&c->b, t.name);
        if (k < 0) tell_alone(c, &t, true);
        else if (!compare_tensors(c, i, k)) return false;
        if (k >= 0) {
            in_order &= k > last;
            last = k;
        }
    }
    for (int64_t k = 0; k < c->b.count; k++) {
        hg_weights_tensor t = hg_weights_at(c->b.w, k);
        if (find(&c->a, t.name) < 0) tell_alone(c, &t, false);
    }
    if (!in_order) tell(c, "", "order", "the names that are in both have another order in B", NULL);
    return !c->failed || output_error("out of memory");
}

static bool make_room(comparison *c, bool json)
{
    bool good = true;
    for (int i = 0; i < 2; i++) {
        c->bits[i] = malloc(CHUNK * sizeof(double));
        c->values[i] = malloc(CHUNK * sizeof(double));
        good = good && c->bits[i] && c->values[i];
    }
    if (json) c->list = json_array();
    return (good && (!json || c->list)) || output_error("out of memory");
}

static bool print_end(comparison *c, const weights_options *o)
{
    if (o->json) {
        json_t *root = json_pack("{s:s, s:s, s:b, s:O}", "a", o->files[0], "b", o->files[1], "equal",
                                 c->differences == 0, "differences", c->list);
        return weights_print_json(root);
    }
    if (c->differences) printf("%lld differences\n", c->differences);
    else printf("equal: %lld tensors\n", (long long)c->a.count);
    return true;
}

int weights_diff(const weights_options *o)
{
    comparison c = {0};
    hg_weights_options second = {.key = o->open.key};
    bool good = open_side(&c.a, o->files[0], &o->open) && open_side(&c.b, o->files[1], &second) &&
                make_room(&c, o->json) && compare_files(&c) && print_end(&c, o);
    for (int i = 0; i < 2; i++) {
        free(c.bits[i]);
        free(c.values[i]);
    }
    json_decref(c.list);
    free(c.a.sorted);
    free(c.b.sorted);
    hg_weights_close(c.a.w);
    hg_weights_close(c.b.w);
    return good ? c.differences > 0 : 2;
}
