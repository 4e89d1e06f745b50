#include "weights/npy.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "weights/write.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6

static const struct {
    const char *descr;
    hg_array_dtype dtype;
} types[] = {
    {"<f4", HG_ARRAY_F32}, {"<f8", HG_ARRAY_F64}, {"<f2", HG_ARRAY_F16}, {"<i8", HG_ARRAY_I64}, {"<i4", HG_ARRAY_I32},
    {"<i2", HG_ARRAY_I16}, {"|i1", HG_ARRAY_I8},  {"|u1", HG_ARRAY_U8},  {"|b1", HG_ARRAY_BOOL},
};
#define TYPES (sizeof types / sizeof types[0])

/* The header is a Python dict literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * with the keys in any order. The reader walks it between `at` and `end`. */
typedef struct header {
    const char *name, *at, *end;
    hg_array_dtype dtype;
    bool fortran, big_endian, has_descr, has_order, has_shape;
    hg_shape shape;
} header;

bool hg_is_npy(const unsigned char *start, size_t size)
{
    return size >= MAGIC_SIZE && !memcmp(start, MAGIC, MAGIC_SIZE);
}

static hg_status damaged(const header *h, const char *what)
{
    return hg_error(HG_E_FORMAT, "%s: the .npy header is damaged (%s); write it again with numpy.save", h->name, what);
}

static bool accept(header *h, const char *text)
{
    while (h->at < h->end && strchr(" \t\n", *h->at) && *h->at) h->at++;
    size_t n = strlen(text);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, text, n)) return false;
    h->at += n;
    return true;
}

static hg_status read_string(header *h, char *out, size_t size)
{
    const char *quote = accept(h, "'") ? "'" : accept(h, "\"") ? "\"" : NULL;
    if (!quote) return damaged(h, "a string was expected");
    size_t n = 0;
    while (h->at < h->end && *h->at != *quote) {
        if (n + 1 >= size) return damaged(h, "a string is too long");
        out[n++] = *h->at++;
    }
    out[n] = 0;
    return accept(h, quote) ? HG_OK : damaged(h, "a string has no end");
}

static hg_status read_descr(header *h)
{
    char descr[32] = "";
    if (accept(h, "["))
        return hg_error(HG_E_FORMAT, "%s: a structured .npy array; save its fields as arrays of their own", h->name);
    HG_TRY(read_string(h, descr, sizeof descr));
    for (size_t i = 0; i < TYPES; i++) {
        if (strcmp(types[i].descr + 1, descr + 1)) continue;
        bool byte = types[i].descr[0] == '|';       /* for which the order means nothing */
        if (!byte && *descr != '<' && *descr != '>') continue;
        h->dtype = types[i].dtype;
        h->big_endian = *descr == '>' && !byte;
        h->has_descr = true;
        return HG_OK;
    }
    return hg_error(HG_E_FORMAT, "%s: .npy type %s; convert to one of <f4 <f8 <f2 <i8 <i4 <i2 |i1 |u1 |b1", h->name,
                    descr);
}

static hg_status read_shape(header *h)
{
    if (!accept(h, "(")) return damaged(h, "the shape is no tuple");
    h->shape = (hg_shape){0};
    while (!accept(h, ")")) {
        if (h->shape.ndim == HG_MAX_DIMS)
            return hg_error(HG_E_FORMAT, "%s: more than %d dimensions; reshape it first", h->name, HG_MAX_DIMS);
        accept(h, "");
        int64_t size = 0;
        const char *start = h->at;
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++)
            if (!hg_mul_i64(size, 10, &size) || !hg_add_i64(size, *h->at - '0', &size))
                return damaged(h, "a size is too large");
        if (h->at == start) return damaged(h, "a size is no number");
        accept(h, "L");     /* Python 2's long */
        h->shape.size[h->shape.ndim++] = size;
        if (!accept(h, ",") && !(h->at < h->end && *h->at == ')')) return damaged(h, "the shape is no tuple");
    }
    h->has_shape = true;
    return HG_OK;
}

static hg_status read_header(header *h)
{
    if (!accept(h, "{")) return damaged(h, "it is no dict");
    while (!accept(h, "}")) {
        char key[32];
        HG_TRY(read_string(h, key, sizeof key));
        if (!accept(h, ":")) return damaged(h, "a key has no value");
        if (!strcmp(key, "descr")) {
            HG_TRY(read_descr(h));
        } else if (!strcmp(key, "shape")) {
            HG_TRY(read_shape(h));
        } else if (!strcmp(key, "fortran_order")) {
            h->fortran = accept(h, "True");
            if (!h->fortran && !accept(h, "False")) return damaged(h, "fortran_order is neither True nor False");
            h->has_order = true;
        } else {
            return damaged(h, "an unknown key");
        }
        if (!accept(h, ",") && !(h->at < h->end && *h->at == '}')) return damaged(h, "it is no dict");
    }
    if (!h->has_descr || !h->has_shape || !h->has_order) return damaged(h, "a key is missing");
    return HG_OK;
}

/* The header, and where the elements begin. */
static hg_status parse(header *h, const unsigned char *b, size_t size, size_t *start)
{
    const char *name = h->name;
    if (size < 10 || !hg_is_npy(b, size))
        return hg_error(HG_E_FORMAT, "%s: not a .npy file; write it with numpy.save", name);
    int version = b[6];
    if (version < 1 || version > 3)
        return hg_error(HG_E_FORMAT, "%s: .npy version %d; versions 1 to 3 are known", name, version);
    *start = version == 1 ? 10 : 12;
    if (size < *start) return hg_error(HG_E_FORMAT, "%s: the file is cut off in its header", name);
    size_t length = b[8] | (size_t)b[9] << 8;
    if (version > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (size - *start < length) return hg_error(HG_E_FORMAT, "%s: the file is cut off in its header", name);
    h->at = (const char *)b + *start;
    h->end = h->at + length;
    *start += length;
    return read_header(h);
}

hg_status hg_npy_view(const char *name, hg_extent *b, hg_array *out)
{
    *out = (hg_array){0};
    header h = {.name = name};
    const unsigned char *bytes;
    size_t start, need;
    int64_t count, stride[HG_MAX_DIMS];
    HG_TRY(hg_extent_open(b, &bytes));
    HG_TRY(parse(&h, bytes, b->size, &start));
    if (!hg_array_measure(h.dtype, &h.shape, &count, &need)) return damaged(&h, "the shape is too large");
    size_t have = b->size - start;
    if (have != need)
        return hg_error(HG_E_FORMAT, "%s: the shape needs %zu bytes of data, the file has %zu; it is %s", name, need,
                        have, have < need ? "cut off" : "damaged");
    hg_dense_strides(&h.shape, h.fortran, stride);
    out->dtype = h.dtype;
    out->shape = h.shape;
    b->big_endian = h.big_endian;
    b->start = start;
    return hg_array_set_source(out, b, 0, stride);
}

hg_status hg_npy_read(const char *path, hg_array *out)
{
    *out = (hg_array){0};
    hg_map *map;
    HG_TRY(hg_map_open(path, &map));
    hg_extent *b = hg_extent_new(map, map->bytes, map->size, NULL, 0);
    hg_status status = b ? hg_npy_view(path, b, out) : HG_E_MEMORY;
    if (status == HG_OK) status = hg_array_load(out);
    if (status != HG_OK) hg_array_free(out);
    hg_extent_release(b);
    hg_map_release(map);
    return status;
}

hg_status hg_npy_header(const char *path, const hg_array *a, hg_str *out)
{
    const char *descr = NULL;
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].dtype == a->dtype) descr = types[i].descr;
    if (!descr)
        return hg_error(HG_E_DTYPE, "cannot write %s: NumPy has no type for %s; convert to float32, or write another "
                        "format", path, hg_array_dtype_name(a->dtype));
    hg_str s = {0};
    hg_str_add(&s, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int d = 0; d < a->shape.ndim; d++) hg_str_add(&s, d ? " %" PRId64 "," : "%" PRId64 ",", a->shape.size[d]);
    if (a->shape.ndim > 1 && !s.failed) s.length--;     /* (3, 4) but (3,) */
    hg_str_add(&s, "), }");
    while (!s.failed && (10 + s.length + 1) % 64) hg_str_add(&s, " ");
    hg_str_add(&s, "\n");
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, s.length & 255, s.length >> 8 & 255};
    hg_str_add_bytes(out, start, sizeof start);
    if (!s.failed) hg_str_add_bytes(out, s.text, s.length);
    bool failed = s.failed || out->failed;
    hg_str_free(&s);
    return failed ? hg_error(HG_E_MEMORY, "cannot write %s: out of memory", path) : HG_OK;
}

static hg_status write_file(hg_new_file *file, const hg_str *text, const hg_array *a)
{
    HG_TRY(hg_new_file_put(file, text->text, text->length));
    return hg_array_each_chunk(a, hg_put_chunk, file);
}

hg_status hg_npy_write(const char *path, const hg_array *a)
{
    hg_str text = {0};
    hg_new_file file;
    hg_status status = hg_npy_header(path, a, &text);
    if (status == HG_OK) status = hg_new_file_open(&file, path);
    if (status == HG_OK) {
        status = write_file(&file, &text, a);
        if (status == HG_OK) status = hg_new_file_commit(&file);
        else hg_new_file_abandon(&file);
    }
    hg_str_free(&text);
    return status;
}
