#include "weights/npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/str.h"

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
    bool fortran, has_descr, has_order, has_shape;
    hg_shape shape;
} header;

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
    char descr[32];
    if (accept(h, "["))
        return hg_error(HG_E_FORMAT, "%s: a structured .npy array; save its fields as arrays of their own", h->name);
    HG_TRY(read_string(h, descr, sizeof descr));
    for (size_t i = 0; i < TYPES; i++) {
        /* byte order means nothing for single bytes */
        if (strcmp(types[i].descr, descr) && !(types[i].descr[0] == '|' && !strcmp(types[i].descr + 1, descr + 1)))
            continue;
        h->dtype = types[i].dtype;
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

hg_status hg_npy_parse(const char *name, const void *bytes, size_t size, hg_array *out)
{
    *out = (hg_array){0};
    const unsigned char *b = bytes;
    if (size < 10 || memcmp(b, MAGIC, MAGIC_SIZE))
        return hg_error(HG_E_FORMAT, "%s: not a .npy file; write it with numpy.save", name);
    int version = b[6];
    if (version < 1 || version > 3)
        return hg_error(HG_E_FORMAT, "%s: .npy version %d; versions 1 to 3 are known", name, version);
    size_t start = version == 1 ? 10 : 12;
    if (size < start) return hg_error(HG_E_FORMAT, "%s: the file is cut off in its header", name);
    size_t length = b[8] | (size_t)b[9] << 8;
    if (version > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (size - start < length) return hg_error(HG_E_FORMAT, "%s: the file is cut off in its header", name);

    header h = {.name = name, .at = (const char *)b + start, .end = (const char *)b + start + length};
    HG_TRY(read_header(&h));
    int64_t count;
    size_t need, have = size - start - length;
    if (!hg_array_measure(h.dtype, &h.shape, &count, &need)) return damaged(&h, "the shape is too large");
    if (have != need)
        return hg_error(HG_E_FORMAT, "%s: the shape needs %zu bytes of data, the file has %zu; it is %s", name, need,
                        have, have < need ? "cut off" : "damaged");
    HG_TRY(hg_array_alloc(out, h.dtype, h.shape));
    int64_t stride[HG_MAX_DIMS] = {0};
    if (count > 0) {
        int64_t step = 1;
        for (int i = 0; i < h.shape.ndim; i++) {
            int d = h.fortran ? i : h.shape.ndim - 1 - i;
            stride[d] = step;
            step *= h.shape.size[d];
        }
    }
    hg_array_gather(out, b + start + length, 0, stride);
    hg_array_tidy(out);
    return HG_OK;
}

hg_status hg_npy_read(const char *path, hg_array *out)
{
    *out = (hg_array){0};
    void *bytes;
    size_t size;
    HG_TRY(hg_read_file(path, &bytes, &size));
    hg_status status = hg_npy_parse(path, bytes, size, out);
    free(bytes);
    return status;
}

static char *header_text(const char *descr, const hg_shape *shape, size_t *length)
{
    hg_str s = {0};
    hg_str_add(&s, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int d = 0; d < shape->ndim; d++) hg_str_add(&s, d ? " %" PRId64 "," : "%" PRId64 ",", shape->size[d]);
    if (shape->ndim > 1 && !s.failed) s.length--;     /* (3, 4) but (3,) */
    hg_str_add(&s, "), }");
    while (!s.failed && (10 + s.length + 1) % 64) hg_str_add(&s, " ");
    hg_str_add(&s, "\n");
    *length = s.length;
    return hg_str_take(&s);
}

hg_status hg_npy_write(const char *path, const hg_array *a)
{
    const char *descr = NULL;
    for (size_t i = 0; i < TYPES; i++)
        if (types[i].dtype == a->dtype) descr = types[i].descr;
    if (!descr)
        return hg_error(HG_E_DTYPE, "%s: .npy has no type for %s; convert to float32", path,
                        hg_array_dtype_name(a->dtype));
    size_t length, bytes = hg_array_bytes(a);
    char *text = header_text(descr, &a->shape, &length);
    if (!text) return hg_error(HG_E_MEMORY, "cannot write %s: out of memory", path);
    hg_new_file file;
    hg_status status = hg_new_file_open(&file, path);
    if (status == HG_OK) {
        unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, length & 255, length >> 8 & 255};
        errno = 0;
        bool good = fwrite(start, 1, sizeof start, file.stream) == sizeof start &&
                    fwrite(text, 1, length, file.stream) == length && fwrite(a->data, 1, bytes, file.stream) == bytes;
        if (good) {
            status = hg_new_file_commit(&file);
        } else {
            status = hg_error(HG_E_IO, "cannot write %s: %s; what was there before is kept", path, strerror(errno));
            hg_new_file_abandon(&file);
        }
    }
    free(text);
    return status;
}
