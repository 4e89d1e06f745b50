/* The layout is at the top of safetensors_read.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "weights/safetensors.h"
#include "weights/write.h"

#define LARGEST_ELEMENT 8

static const char *const type_names[HG_ARRAY_DTYPES] = {
    [HG_ARRAY_F32] = "F32", [HG_ARRAY_F64] = "F64",   [HG_ARRAY_I32] = "I32", [HG_ARRAY_I64] = "I64",
    [HG_ARRAY_U8] = "U8",   [HG_ARRAY_BOOL] = "BOOL", [HG_ARRAY_I8] = "I8",   [HG_ARRAY_I16] = "I16",
    [HG_ARRAY_F16] = "F16", [HG_ARRAY_BF16] = "BF16",
};

static void add_string(hg_str *s, const char *text)
{
    hg_str_add(s, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') hg_str_add(s, "\\%c", *text);
        else if ((unsigned char)*text < ' ') hg_str_add(s, "\\u%04x", *text);
        else hg_str_add_bytes(s, text, 1);
    }
    hg_str_add(s, "\"");
}

/* Where each array's data begins; arrays of one element size lie in the order of the dict. */
static void place(const hg_value *dict, uint64_t *begin)
{
    uint64_t at = 0;
    for (size_t size = LARGEST_ELEMENT; size; size /= 2) {
        for (size_t i = 0; i < dict->dict.count; i++) {
            const hg_array *a = &dict->dict.entries[i].item->array;
            if (hg_array_dtype_size(a->dtype) != size) continue;
            begin[i] = at;
            at += hg_array_bytes(a);
        }
    }
}

/* Padded with spaces, so that the data begins at a multiple of 8. */
static void add_header(hg_str *s, const hg_value *dict, const uint64_t *begin)
{
    hg_str_add(s, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < dict->dict.count; i++) {
        const hg_value_entry *e = &dict->dict.entries[i];
        const hg_array *a = &e->item->array;
        hg_str_add(s, ",");
        add_string(s, e->key->string);
        hg_str_add(s, ":{\"dtype\":\"%s\",\"shape\":[", type_names[a->dtype]);
        for (int d = 0; d < a->shape.ndim; d++) hg_str_add(s, "%s%" PRId64, d ? "," : "", a->shape.size[d]);
        hg_str_add(s, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin[i], begin[i] + hg_array_bytes(a));
    }
    hg_str_add(s, "}");
    while (!s->failed && s->length % LARGEST_ELEMENT) hg_str_add(s, " ");
}

static hg_status write_file(hg_new_file *file, const hg_value *dict, const hg_str *header)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = header->length >> 8 * i & 255;
    HG_TRY(hg_new_file_put(file, length, sizeof length));
    HG_TRY(hg_new_file_put(file, header->text, header->length));
    for (size_t size = LARGEST_ELEMENT; size; size /= 2) {
        for (size_t i = 0; i < dict->dict.count; i++) {
            const hg_array *a = &dict->dict.entries[i].item->array;
            if (hg_array_dtype_size(a->dtype) == size) HG_TRY(hg_array_each_chunk(a, hg_put_chunk, file));
        }
    }
    return HG_OK;
}

hg_status hg_safetensors_write(const char *path, const hg_value *dict)
{
    HG_TRY(hg_check_flat(path, dict));
    uint64_t *begin = calloc(dict->dict.count + 1, sizeof *begin);
    if (!begin) return hg_error(HG_E_MEMORY, "cannot write %s: out of memory", path);
    hg_str header = {0};
    place(dict, begin);
    add_header(&header, dict, begin);
    free(begin);
    hg_new_file file;
    hg_status status = header.failed ? hg_error(HG_E_MEMORY, "cannot write %s: out of memory", path)
                                     : hg_new_file_open(&file, path);
    if (status == HG_OK) {
        status = write_file(&file, dict, &header);
        if (status == HG_OK) status = hg_new_file_commit(&file);
        else hg_new_file_abandon(&file);
    }
    hg_str_free(&header);
    return status;
}
