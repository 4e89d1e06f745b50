/* A safetensors file: the header's length (8 bytes, little endian), the header (JSON), the elements (little endian).
 * {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}, offsets counted from the header's end. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "weights/safetensors.h"

#define LARGEST_HEADER 100000000    /* the reference implementation's */
#define LENGTH_SIZE 8

typedef struct reader {
    const char *path;
    hg_map *map;
    const unsigned char *data;      /* behind the header */
    size_t size;
    hg_value *dict;
    struct range {
        size_t begin, end;
    } *ranges;                      /* of the tensors */
    size_t count;
} reader;

static const struct {
    const char *name;
    hg_array_dtype dtype;
} types[] = {
    {"F32", HG_ARRAY_F32},   {"F64", HG_ARRAY_F64}, {"F16", HG_ARRAY_F16}, {"BF16", HG_ARRAY_BF16},
    {"I64", HG_ARRAY_I64},   {"I32", HG_ARRAY_I32}, {"I16", HG_ARRAY_I16}, {"I8", HG_ARRAY_I8},
    {"U8", HG_ARRAY_U8},     {"BOOL", HG_ARRAY_BOOL},
};
#define TYPES (sizeof types / sizeof types[0])

static hg_status damaged(const reader *r, const char *name, const char *what)
{
    return hg_error(HG_E_FORMAT, "%s: the tensor '%.100s' is damaged (%s); was the download complete?", r->path, name,
                    what);
}

static hg_status no_memory(const reader *r)
{
    return hg_error(HG_E_MEMORY, "%s: out of memory", r->path);
}

bool hg_is_safetensors(const unsigned char *start, size_t size)
{
    return size > LENGTH_SIZE && start[LENGTH_SIZE] == '{';
}

static hg_status read_dtype(const reader *r, const char *name, const json_t *entry, hg_array_dtype *out)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    if (!text) return damaged(r, name, "it has no dtype");
    for (size_t i = 0; i < TYPES; i++) {
        if (strcmp(types[i].name, text)) continue;
        *out = types[i].dtype;
        return HG_OK;
    }
    return hg_error(HG_E_FORMAT, "%s: the tensor '%.100s' has type %.20s; convert it to F32, F16 or BF16", r->path,
                    name, text);
}

static hg_status read_shape(const reader *r, const char *name, const json_t *entry, hg_shape *out)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) return damaged(r, name, "it has no shape");
    if (json_array_size(shape) > HG_MAX_DIMS)
        return hg_error(HG_E_FORMAT, "%s: the tensor '%.100s' has %zu dimensions; the most is %d", r->path, name,
                        json_array_size(shape), HG_MAX_DIMS);
    *out = (hg_shape){.ndim = (int)json_array_size(shape)};
    for (int d = 0; d < out->ndim; d++) {
        const json_t *size = json_array_get(shape, (size_t)d);
        if (!json_is_integer(size) || json_integer_value(size) < 0) return damaged(r, name, "a size is no count");
        out->size[d] = json_integer_value(size);
    }
    return HG_OK;
}

static hg_status read_range(const reader *r, const char *name, const json_t *entry, struct range *out)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return damaged(r, name, "data_offsets is no pair");
    json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (from < 0 || from > to || (uint64_t)to > r->size) return damaged(r, name, "it lies outside the file");
    *out = (struct range){(size_t)from, (size_t)to};
    return HG_OK;
}

static hg_status add_tensor(reader *r, const char *name, hg_array *a, struct range range)
{
    int64_t stride[HG_MAX_DIMS];
    hg_extent *b = hg_extent_new(r->map, r->data + range.begin, range.end - range.begin, NULL, 0);
    if (!b) return HG_E_MEMORY;
    hg_dense_strides(&a->shape, false, stride);
    hg_status status = hg_array_set_source(a, b, 0, stride);
    hg_extent_release(b);
    if (status != HG_OK) return status;
    hg_value *item = hg_value_array(a);
    return hg_value_add_entry(r->dict, hg_value_string(name), item);
}

static hg_status read_tensor(reader *r, const char *name, const json_t *entry)
{
    hg_array a = {0};
    struct range range;
    int64_t count;
    size_t bytes;
    HG_TRY(read_dtype(r, name, entry, &a.dtype));
    HG_TRY(read_shape(r, name, entry, &a.shape));
    HG_TRY(read_range(r, name, entry, &range));
    if (!hg_array_measure(a.dtype, &a.shape, &count, &bytes) || bytes != range.end - range.begin)
        return damaged(r, name, "its size is not what its shape says");
    if (bytes) r->ranges[r->count++] = range;
    return add_tensor(r, name, &a, range);
}

static int compare_ranges(const void *a, const void *b)
{
    size_t x = ((const struct range *)a)->begin, y = ((const struct range *)b)->begin;
    return x < y ? -1 : x > y;
}

static hg_status check_cover(const reader *r)
{
    qsort(r->ranges, r->count, sizeof *r->ranges, compare_ranges);
    size_t at = 0;
    for (size_t i = 0; i < r->count; at = r->ranges[i++].end) {
        if (r->ranges[i].begin == at) continue;
        return hg_error(HG_E_FORMAT, "%s: its tensors %s; it is damaged, write it again", r->path,
                        r->ranges[i].begin < at ? "overlap" : "leave a gap");
    }
    if (at != r->size)
        return hg_error(HG_E_FORMAT, "%s: %zu bytes follow the last tensor; it is damaged, write it again", r->path,
                        r->size - at);
    return HG_OK;
}

static hg_status read_tensors(reader *r, json_t *header)
{
    const char *name;
    json_t *entry;
    r->dict = hg_value_ordered_dict();
    r->ranges = calloc(json_object_size(header) + 1, sizeof *r->ranges);
    if (!r->dict || !r->ranges) return no_memory(r);
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__")) HG_TRY(read_tensor(r, name, entry));
    }
    return check_cover(r);
}

static hg_status read_document(reader *r)
{
    const unsigned char *bytes = r->map->bytes;
    size_t size = r->map->size;
    uint64_t length = 0;
    if (!hg_is_safetensors(bytes, size))
        return hg_error(HG_E_FORMAT, "%s: not a safetensors file; was the download complete?", r->path);
    for (int i = 0; i < LENGTH_SIZE; i++) length |= (uint64_t)bytes[i] << 8 * i;
    if (length > size - LENGTH_SIZE)
        return hg_error(HG_E_FORMAT,
                        "%s: the header should have %llu bytes, the file has %zu; was the download complete?", r->path,
                        (unsigned long long)length, size);
    if (length > LARGEST_HEADER)
        return hg_error(HG_E_FORMAT, "%s: a header of %llu bytes; the most is %d", r->path, (unsigned long long)length,
                        LARGEST_HEADER);
    r->data = bytes + LENGTH_SIZE + length;
    r->size = size - LENGTH_SIZE - (size_t)length;
    json_error_t error;
    json_t *header = json_loadb((const char *)bytes + LENGTH_SIZE, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!header && json_error_code(&error) == json_error_out_of_memory) return no_memory(r);
    if (!header)
        return hg_error(HG_E_FORMAT, "%s: the header is damaged at byte %d (%s); was the download complete?", r->path,
                        error.position + LENGTH_SIZE, error.text);
    hg_status status = read_tensors(r, header);
    json_decref(header);
    return status;
}

hg_status hg_safetensors_parse(hg_map *map, hg_value **out)
{
    *out = NULL;
    reader r = {.path = map->path, .map = map};
    hg_status status = read_document(&r);
    if (status == HG_OK) *out = r.dict;
    else hg_value_free(r.dict);
    free(r.ranges);
    return status;
}
