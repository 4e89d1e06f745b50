/* `hapgop weights list`, `check` and `convert`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "weights.h"

/* ---- words ---- */

void weights_shape_text(hg_shape shape, char out[160])
{
    size_t used = 0;
    strcpy(out, "scalar");
    for (int d = 0; d < shape.ndim && used < 140; d++)
        used += (size_t)snprintf(out + used, 160 - used, "%s%lld", d ? "x" : "", (long long)shape.size[d]);
}

const char *weights_printable(const char *name, char out[160])
{
    size_t i = 0;
    for (; name[i] && i < 159; i++) out[i] = (unsigned char)name[i] < ' ' || name[i] == 127 ? '?' : name[i];
    out[i] = 0;
    return out;
}

json_t *weights_shape_json(hg_shape shape)
{
    json_t *list = json_array();
    for (int d = 0; d < shape.ndim; d++) json_array_append_new(list, json_integer(shape.size[d]));
    return list;
}

bool weights_print_json(json_t *root)
{
    bool good = root && !json_dumpf(root, stdout, JSON_INDENT(2)) && putchar('\n') != EOF;
    json_decref(root);
    return good || output_error("weights: cannot write JSON");
}

static int failed(void)
{
    output_error("%s", hg_last_error());
    return 1;
}

/* ---- list ---- */

typedef struct totals {
    long long tensors, elements, bytes;
} totals;

static totals add_up(const hg_weights *w)
{
    totals t = {hg_weights_count(w), 0, 0};
    for (int64_t i = 0; i < hg_weights_count(w); i++) {
        hg_weights_tensor x = hg_weights_at(w, i);
        t.elements += x.count;
        t.bytes += x.count * (long long)x.element_size;
    }
    return t;
}

static json_t *list_json(const hg_weights *w, const char *file)
{
    json_t *list = json_array();
    int bad = !list;
    for (int64_t i = 0; i < hg_weights_count(w); i++) {
        hg_weights_tensor t = hg_weights_at(w, i);
        bad |= json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:I, s:I}", "name", t.name, "dtype", t.dtype,
                                                     "shape", weights_shape_json(t.shape), "elements",
                                                     (json_int_t)t.count, "bytes",
                                                     (json_int_t)t.count * (json_int_t)t.element_size));
    }
    totals sum = add_up(w);
    json_t *root = json_pack("{s:s, s:s, s:I, s:I, s:o}", "file", file, "format", hg_weights_format(w), "elements",
                             (json_int_t)sum.elements, "bytes", (json_int_t)sum.bytes, "tensors", list);
    if (!bad) return root;
    json_decref(root);
    return NULL;
}

static void print_list(const hg_weights *w)
{
    int width = 4;
    char name[160], shape[160];
    for (int64_t i = 0; i < hg_weights_count(w); i++) {
        int length = (int)strlen(weights_printable(hg_weights_at(w, i).name, name));
        width = length > width ? length : width;
    }
    printf("%-*s  %-9s %-20s %14s\n", width, "name", "type", "shape", "bytes");
    for (int64_t i = 0; i < hg_weights_count(w); i++) {
        hg_weights_tensor t = hg_weights_at(w, i);
        weights_shape_text(t.shape, shape);
        printf("%-*s  %-9s %-20s %14lld\n", width, weights_printable(t.name, name), t.dtype, shape,
               (long long)t.count * (long long)t.element_size);
    }
    totals sum = add_up(w);
    printf("%lld tensors, %lld elements, %.1f MB, %s\n", sum.tensors, sum.elements, (double)sum.bytes / 1e6,
           hg_weights_format(w));
}

int weights_list(const weights_options *o)
{
    hg_weights *w = hg_weights_open(o->files[0], &o->open);
    if (!w) return failed();
    int code = 0;
    if (o->json) code = weights_print_json(list_json(w, o->files[0])) ? 0 : 1;
    else print_list(w);
    hg_weights_close(w);
    return code;
}

/* ---- check ---- */

/* Damage shows when an element is read: an entry is compared with its checksum then. */
static bool read_one_of_each(const hg_weights *w)
{
    for (int64_t i = 0; i < hg_weights_count(w); i++) {
        char room[16];
        hg_weights_tensor t = hg_weights_at(w, i);
        if (hg_weights_read(w, i, 0, t.count > 0, room) != HG_OK) return output_error("%s", hg_last_error());
    }
    return true;
}

static json_t *names_json(char **names, int64_t count)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, json_string(names[i]));
    return list;
}

static bool print_report(const weights_options *o, const hg_weights_report *r)
{
    bool fits = !r->missing_count && !r->unexpected_count && !r->mismatched_count;
    if (!o->json) return puts(r->text) >= 0 && fits;
    json_t *root = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:s}", "file", o->files[0], "arch", o->arch, "fits", fits,
                             "missing", names_json(r->missing, r->missing_count), "unexpected",
                             names_json(r->unexpected, r->unexpected_count), "mismatched",
                             names_json(r->mismatched, r->mismatched_count), "message", r->text);
    return weights_print_json(root) && fits;
}

int weights_check(const weights_options *o)
{
    if (!hg_model_find(o->arch)) {
        failed();
        return 2;
    }
    hg_weights *w = hg_weights_open(o->files[0], &o->open);
    hg_device *dev = w ? hg_device_open(o->device) : NULL;
    hg_module *m = dev ? hg_model(dev, o->arch, &(hg_model_options){.classes = o->classes, .aux_logits = o->aux_logits})
                       : NULL;
    hg_weights_report *r = m ? hg_weights_check(w, m) : NULL;
    int code = r ? 0 : failed();
    if (r && !print_report(o, r)) code = 1;
    if (r && !read_one_of_each(w)) code = 1;
    hg_weights_report_free(r);
    hg_module_free(m);
    hg_device_close(dev);
    hg_weights_close(w);
    return code;
}

/* ---- convert ---- */

int weights_convert(const weights_options *o)
{
    hg_weights *w = hg_weights_open(o->files[0], &o->open);
    if (!w || hg_weights_save(w, o->files[1]) != HG_OK) {
        failed();
        hg_weights_close(w);
        return 1;
    }
    totals sum = add_up(w);
    int code = 0;
    if (o->json)
        code = weights_print_json(json_pack("{s:s, s:I, s:I, s:I}", "file", o->files[1], "tensors",
                                            (json_int_t)sum.tensors, "elements", (json_int_t)sum.elements, "bytes",
                                            (json_int_t)sum.bytes)) ? 0 : 1;
    else
        printf("%s: %lld tensors, %lld elements, %.1f MB\n", o->files[1], sum.tensors, sum.elements,
               (double)sum.bytes / 1e6);
    hg_weights_close(w);
    return code;
}
