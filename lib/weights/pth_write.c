/* A pickle of protocol 2 with the opcodes and globals that torch.load(weights_only=True) knows, and the zip around it.
 * Values are written in place, without a memo. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "weights/pickle.h"
#include "weights/pth.h"
#include "weights/write.h"
#include "weights/zip_write.h"

typedef struct writer {
    const char *path;
    hg_str pickle;
    const hg_array **arrays;    /* array K becomes the entry data/K */
    size_t count, capacity;
} writer;

static void put(writer *w, const char *opcodes)
{
    hg_str_add_bytes(&w->pickle, opcodes, strlen(opcodes));
}

static void put_bytes(writer *w, uint64_t x, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++) b[i] = x >> 8 * i & 255;
    hg_str_add_bytes(&w->pickle, b, (size_t)bytes);
}

static void put_int(writer *w, int64_t x)
{
    if (x >= 0 && x < 256) {
        put(w, "K");            /* BININT1 */
        put_bytes(w, (uint64_t)x, 1);
    } else if (x >= INT32_MIN && x <= INT32_MAX) {
        put(w, "J");            /* BININT */
        put_bytes(w, (uint64_t)x, 4);
    } else {
        put(w, "\x8a\x08");     /* LONG1 of 8 bytes */
        put_bytes(w, (uint64_t)x, 8);
    }
}

static void put_double(writer *w, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put(w, "G");                /* BINFLOAT, big endian */
    put_bytes(w, __builtin_bswap64(bits), 8);
}

static hg_status put_string(writer *w, const char *text)
{
    size_t length = strlen(text);
    if (!hg_is_utf8(text, length))
        return hg_error(HG_E_FORMAT, "cannot write %s: the string '%s' is not UTF-8; convert it", w->path, text);
    if (length > INT32_MAX) return hg_error(HG_E_ARG, "cannot write %s: a string of 2 GiB or more", w->path);
    put(w, "X");                /* BINUNICODE */
    put_bytes(w, length, 4);
    hg_str_add_bytes(&w->pickle, text, length);
    return HG_OK;
}

static void put_ints(writer *w, const int64_t *x, int count)
{
    put(w, "(");
    for (int i = 0; i < count; i++) put_int(w, x[i]);
    put(w, "t");
}

#define ORDERED_DICT "ccollections\nOrderedDict\n)R"

/* torch._utils._rebuild_tensor_v2(('storage', torch.FloatStorage, '0', 'cpu', numel), 0, size, stride, False, {}) */
static hg_status put_array(writer *w, const hg_array *a)
{
    const hg_array **arrays = hg_grow(w->arrays, w->count, 1, &w->capacity, sizeof *arrays);
    if (!arrays) return hg_error(HG_E_MEMORY, "cannot write %s: out of memory", w->path);
    w->arrays = arrays;
    char key[24];
    snprintf(key, sizeof key, "%zu", w->count);
    arrays[w->count++] = a;

    put(w, "ctorch._utils\n_rebuild_tensor_v2\n((");
    HG_TRY(put_string(w, "storage"));
    hg_str_add(&w->pickle, "ctorch\n%s\n", hg_pickle_storage_name(a->dtype));
    HG_TRY(put_string(w, key));
    HG_TRY(put_string(w, "cpu"));
    put_int(w, hg_array_count(a));
    put(w, "tQ");               /* TUPLE BINPERSID */
    put_int(w, 0);
    int64_t stride[HG_MAX_DIMS], step = 1;
    for (int d = a->shape.ndim - 1; d >= 0; d--) {
        stride[d] = step;
        step *= a->shape.size[d] > 1 ? a->shape.size[d] : 1;
    }
    put_ints(w, a->shape.size, a->shape.ndim);
    put_ints(w, stride, a->shape.ndim);
    put(w, "\x89" ORDERED_DICT "tR");
    return HG_OK;
}

static hg_status put_value(writer *w, const hg_value *v, int depth);

static hg_status put_dict(writer *w, const hg_value *v, int depth)
{
    put(w, v->dict.ordered ? ORDERED_DICT "(" : "}(");
    for (size_t i = 0; i < v->dict.count; i++) {
        HG_TRY(put_value(w, v->dict.entries[i].key, depth + 1));
        HG_TRY(put_value(w, v->dict.entries[i].item, depth + 1));
    }
    put(w, "u");                /* SETITEMS */
    if (!v->dict.metadata) return HG_OK;
    put(w, "}");                /* EMPTY_DICT, SETITEM, BUILD: the attributes of the OrderedDict */
    HG_TRY(put_string(w, "_metadata"));
    HG_TRY(put_value(w, v->dict.metadata, depth + 1));
    put(w, "sb");
    return HG_OK;
}

static hg_status put_value(writer *w, const hg_value *v, int depth)
{
    if (depth > HG_VALUE_DEPTH)
        return hg_error(HG_E_ARG, "cannot write %s: nested deeper than %d", w->path, HG_VALUE_DEPTH);
    switch (v->kind) {
    case HG_VALUE_NONE: put(w, "N"); break;
    case HG_VALUE_BOOL: put(w, v->boolean ? "\x88" : "\x89"); break;
    case HG_VALUE_INT: put_int(w, v->integer); break;
    case HG_VALUE_DOUBLE: put_double(w, v->real); break;
    case HG_VALUE_STRING: return put_string(w, v->string);
    case HG_VALUE_LIST:
    case HG_VALUE_TUPLE:
        put(w, v->kind == HG_VALUE_LIST ? "](" : "(");
        for (size_t i = 0; i < v->list.count; i++) HG_TRY(put_value(w, v->list.items[i], depth + 1));
        put(w, v->kind == HG_VALUE_LIST ? "e" : "t");
        break;
    case HG_VALUE_DICT: return put_dict(w, v, depth);
    case HG_VALUE_ARRAY: return put_array(w, &v->array);
    }
    return HG_OK;
}

static hg_status put_entry(void *user, const void *bytes, size_t size)
{
    return hg_zip_put(user, bytes, size);
}

static hg_status write_zip(const writer *w)
{
    hg_zip_writer z;
    HG_TRY(hg_zip_begin(&z, w->path));
    HG_TRY(hg_zip_add(&z, "archive/data.pkl", w->pickle.text, w->pickle.length));
    HG_TRY(hg_zip_add(&z, "archive/byteorder", "little", 6));
    for (size_t i = 0; i < w->count; i++) {
        char name[40];
        snprintf(name, sizeof name, "archive/data/%zu", i);
        HG_TRY(hg_zip_begin_entry(&z, name, hg_array_bytes(w->arrays[i])));
        hg_status status = hg_array_each_chunk(w->arrays[i], put_entry, &z);
        if (status == HG_OK) status = hg_zip_end_entry(&z);
        if (status == HG_OK) continue;
        hg_zip_abandon(&z);
        return status;
    }
    HG_TRY(hg_zip_add(&z, "archive/version", "3\n", 2));
    return hg_zip_finish(&z);
}

hg_status hg_pth_write(const char *path, const hg_value *v)
{
    writer w = {.path = path};
    put(&w, "\x80\x02");        /* PROTO 2 */
    hg_status status = put_value(&w, v, 1);
    put(&w, ".");
    if (status == HG_OK && w.pickle.failed)
        status = hg_error(HG_E_MEMORY, "cannot write %s: out of memory", path);
    if (status == HG_OK) status = write_zip(&w);
    hg_str_free(&w.pickle);
    free(w.arrays);
    return status;
}
