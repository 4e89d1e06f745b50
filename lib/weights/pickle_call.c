/* The names that a pickle of PyTorch may use, and what calling them makes. */
#include <string.h>

#include "base/checked.h"
#include "base/grow.h"
#include "weights/pickle_nodes.h"

enum {
    ORDERED_DICT = HG_ARRAY_DTYPES,     /* below are the storages, by dtype */
    REBUILD_TENSOR,
    REBUILD_TENSOR_V2,
    REBUILD_PARAMETER,
    SIZE,
    NAMES
};

static const char *const names[NAMES] = {
    [HG_ARRAY_F32] = "torch.FloatStorage",
    [HG_ARRAY_F64] = "torch.DoubleStorage",
    [HG_ARRAY_I32] = "torch.IntStorage",
    [HG_ARRAY_I64] = "torch.LongStorage",
    [HG_ARRAY_U8] = "torch.ByteStorage",
    [HG_ARRAY_BOOL] = "torch.BoolStorage",
    [HG_ARRAY_I8] = "torch.CharStorage",
    [HG_ARRAY_I16] = "torch.ShortStorage",
    [HG_ARRAY_F16] = "torch.HalfStorage",
    [HG_ARRAY_BF16] = "torch.BFloat16Storage",
    [ORDERED_DICT] = "collections.OrderedDict",
    [REBUILD_TENSOR] = "torch._utils._rebuild_tensor",
    [REBUILD_TENSOR_V2] = "torch._utils._rebuild_tensor_v2",
    [REBUILD_PARAMETER] = "torch._utils._rebuild_parameter",
    [SIZE] = "torch.Size",
};

const char *hg_pickle_storage_name(hg_array_dtype dtype)
{
    return names[dtype] + strlen("torch.");
}

hg_status pickle_global(pickle_reader *r, const char *module, size_t module_length, const char *what,
                        size_t what_length)
{
    char name[200];
    size_t n = 0;
    for (size_t i = 0; i < module_length && n < sizeof name - 2; i++) name[n++] = module[i];
    name[n++] = '.';
    for (size_t i = 0; i < what_length && n < sizeof name - 1; i++) name[n++] = what[i];
    name[n] = 0;
    bool whole = module_length + 1 + what_length == n;
    for (int i = 0; whole && i < NAMES; i++) {
        if (strlen(names[i]) != n || memcmp(names[i], name, n)) continue;
        pickle_node *node;
        HG_TRY(pickle_push(r, PICKLE_GLOBAL, &node));
        node->integer = i;
        return HG_OK;
    }
    for (size_t i = 0; i < n; i++)
        if (name[i] < ' ' || name[i] > '~') name[i] = '?';
    return hg_error(HG_E_FORMAT, "%s: holds the Python object %s, which only Python can make; if this is a whole "
                    "model, save model.state_dict() instead, else leave the object out", r->name, name);
}

/* The nodes of a tuple's items, if it is a tuple with at least `least` and at most `most`. */
static const uint32_t *arguments(const pickle_reader *r, uint32_t tuple, size_t least, size_t most)
{
    const pickle_node *node = &r->nodes[tuple];
    if (node->kind != PICKLE_TUPLE || node->count < least || node->count > most) return NULL;
    return node->items;
}

static bool is_int(const pickle_reader *r, uint32_t node)
{
    return r->nodes[node].kind == PICKLE_INT;
}

static hg_status take_ints(const pickle_reader *r, uint32_t tuple, int64_t out[HG_MAX_DIMS], int *count)
{
    const pickle_node *node = &r->nodes[tuple];
    if (node->kind != PICKLE_TUPLE) return pickle_damaged(r, "a tensor's size is no tuple");
    if (node->count > HG_MAX_DIMS)
        return hg_error(HG_E_FORMAT, "%s: a tensor of %zu dimensions; the most is %d", r->name, node->count,
                        HG_MAX_DIMS);
    for (size_t i = 0; i < node->count; i++) {
        if (!is_int(r, node->items[i]) || r->nodes[node->items[i]].integer < 0)
            return pickle_damaged(r, "a tensor's size is negative or no integer");
        out[i] = r->nodes[node->items[i]].integer;
    }
    *count = (int)node->count;
    return HG_OK;
}

/* Whether every element lies in the storage. */
static bool inside(const struct pickle_view *v, int64_t count)
{
    int64_t last = v->offset, reach;
    for (int d = 0; d < v->shape.ndim; d++)
        if (!v->shape.size[d]) return v->offset <= count;
    for (int d = 0; d < v->shape.ndim; d++)
        if (!hg_mul_i64(v->shape.size[d] - 1, v->stride[d], &reach) || !hg_add_i64(last, reach, &last)) return false;
    return last < count;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]); without v2 the first four */
static hg_status rebuild_tensor(pickle_reader *r, const uint32_t *args)
{
    struct pickle_view v = {0};
    if (!args || r->nodes[args[0]].kind != PICKLE_STORAGE || !is_int(r, args[1]) || r->nodes[args[1]].integer < 0)
        return pickle_damaged(r, "a tensor has wrong arguments");
    v.storage = (size_t)r->nodes[args[0]].integer;
    v.offset = r->nodes[args[1]].integer;
    int strides;
    HG_TRY(take_ints(r, args[2], v.shape.size, &v.shape.ndim));
    HG_TRY(take_ints(r, args[3], v.stride, &strides));
    const hg_pickle_storage *storage = &r->storages[v.storage];
    int64_t count;
    size_t bytes;
    if (strides != v.shape.ndim || !hg_array_measure(storage->dtype, &v.shape, &count, &bytes) ||
        !inside(&v, storage->count))
        return pickle_damaged(r, "a tensor reaches beyond its storage");

    struct pickle_view *views = hg_grow(r->views, r->view_count, 1, &r->view_capacity, sizeof *views);
    if (!views) return pickle_no_memory(r);
    r->views = views;
    views[r->view_count] = v;
    pickle_node *node;
    HG_TRY(pickle_push(r, PICKLE_TENSOR, &node));
    node->integer = (int64_t)r->view_count++;
    return HG_OK;
}

hg_status pickle_reduce(pickle_reader *r)
{
    uint32_t tuple, callable;
    HG_TRY(pickle_pop(r, &tuple));
    HG_TRY(pickle_pop(r, &callable));
    if (r->nodes[callable].kind != PICKLE_GLOBAL) return pickle_damaged(r, "it calls what cannot be called");
    const uint32_t *args;
    pickle_node *node;
    switch (r->nodes[callable].integer) {
    case ORDERED_DICT:
        if (r->nodes[tuple].kind != PICKLE_TUPLE || r->nodes[tuple].count)
            return pickle_damaged(r, "an OrderedDict has arguments");
        HG_TRY(pickle_push(r, PICKLE_DICT, &node));
        node->ordered = true;
        return HG_OK;
    case REBUILD_TENSOR: return rebuild_tensor(r, arguments(r, tuple, 4, 4));
    case REBUILD_TENSOR_V2: return rebuild_tensor(r, arguments(r, tuple, 6, 7));
    case REBUILD_PARAMETER:
        args = arguments(r, tuple, 3, 3);
        if (!args || r->nodes[args[0]].kind != PICKLE_TENSOR) return pickle_damaged(r, "a parameter is no tensor");
        return pickle_push_again(r, args[0]);
    case SIZE:
        args = arguments(r, tuple, 1, 1);
        if (!args || r->nodes[args[0]].kind != PICKLE_TUPLE) return pickle_damaged(r, "a torch.Size is no tuple");
        return pickle_push_again(r, args[0]);
    }
    return pickle_damaged(r, "it calls a storage");
}

static bool is_string(const pickle_reader *r, uint32_t node, const char *text)
{
    const pickle_node *s = &r->nodes[node];
    return s->kind == PICKLE_STRING && s->count == strlen(text) && !memcmp(s->text, text, s->count);
}

hg_status pickle_build(pickle_reader *r)
{
    uint32_t state, object;
    HG_TRY(pickle_pop(r, &state));
    HG_TRY(pickle_pop(r, &object));
    const pickle_node *attributes = &r->nodes[state];
    pickle_node *node = &r->nodes[object];
    if (node->kind != PICKLE_DICT || !node->ordered || attributes->kind != PICKLE_DICT)
        return pickle_damaged(r, "attributes of something that is no OrderedDict");
    for (size_t i = 0; i < attributes->count; i += 2) {
        if (!is_string(r, attributes->items[i], "_metadata")) continue;
        if (r->nodes[attributes->items[i + 1]].kind != PICKLE_DICT) return pickle_damaged(r, "_metadata is no dict");
        node->metadata = attributes->items[i + 1];
    }
    return pickle_push_again(r, object);
}

hg_status pickle_persistent(pickle_reader *r)
{
    uint32_t tuple;
    HG_TRY(pickle_pop(r, &tuple));
    const uint32_t *args = arguments(r, tuple, 5, 6);
    if (!args || !is_string(r, args[0], "storage") || r->nodes[args[1]].kind != PICKLE_GLOBAL ||
        r->nodes[args[1]].integer >= HG_ARRAY_DTYPES || r->nodes[args[2]].kind != PICKLE_STRING ||
        !is_int(r, args[4]) || r->nodes[args[4]].integer < 0)
        return pickle_damaged(r, "a storage has wrong arguments");
    if (r->nodes[tuple].count == 6 && r->nodes[args[5]].kind != PICKLE_NONE)
        return hg_error(HG_E_FORMAT, "%s: storages that are parts of others, as before PyTorch 0.4; torch.load it and "
                        "torch.save it again", r->name);
    hg_pickle_storage *storages = hg_grow(r->storages, r->storage_count, 1, &r->storage_capacity, sizeof *storages);
    if (!storages) return pickle_no_memory(r);
    r->storages = storages;
    storages[r->storage_count] = (hg_pickle_storage){
        .key = r->nodes[args[2]].text,
        .key_length = r->nodes[args[2]].count,
        .dtype = (hg_array_dtype)r->nodes[args[1]].integer,
        .count = r->nodes[args[4]].integer,
    };
    pickle_node *node;
    HG_TRY(pickle_push(r, PICKLE_STORAGE, &node));
    node->integer = (int64_t)r->storage_count++;
    return HG_OK;
}
