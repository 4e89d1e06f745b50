/* The opcodes (https://github.com/python/cpython/blob/main/Lib/pickletools.py): one small function each. */
#include <string.h>

#include "base/grow.h"
#include "weights/pickle_nodes.h"

#define LARGEST_PICKLE (256u << 20)     /* bytes: the tensors are not in it. Every opcode makes at most one node. */
#define SHARED_VALUES (1u << 20)        /* the tree may have so many values more than the pickle has */

/* ---- The stack ------------------------------------------------------------------------------------------------ */

hg_status pickle_push_again(pickle_reader *r, uint32_t node)
{
    uint32_t *stack = hg_grow(r->stack, r->stack_count, 1, &r->stack_capacity, sizeof *stack);
    if (!stack) return pickle_no_memory(r);
    r->stack = stack;
    stack[r->stack_count++] = node;
    return HG_OK;
}

hg_status pickle_push(pickle_reader *r, pickle_kind kind, pickle_node **out)
{
    pickle_node *nodes = hg_grow(r->nodes, r->node_count, 1, &r->node_capacity, sizeof *nodes);
    if (!nodes) return pickle_no_memory(r);
    r->nodes = nodes;
    memset(&nodes[r->node_count], 0, sizeof *nodes);    /* all of the union */
    nodes[r->node_count].kind = (uint8_t)kind;
    nodes[r->node_count].metadata = PICKLE_NO_NODE;
    if (out) *out = &nodes[r->node_count];
    return pickle_push_again(r, (uint32_t)r->node_count++);
}

static size_t floor_of(const pickle_reader *r)
{
    return r->mark_count ? r->marks[r->mark_count - 1] : 0;
}

hg_status pickle_pop(pickle_reader *r, uint32_t *out)
{
    if (r->stack_count <= floor_of(r)) return pickle_damaged(r, "the stack is empty");
    *out = r->stack[--r->stack_count];
    return HG_OK;
}

static hg_status pop_mark(pickle_reader *r, size_t *first)
{
    if (!r->mark_count) return pickle_damaged(r, "a mark is missing");
    *first = r->marks[--r->mark_count];
    return HG_OK;
}

/* Moves the stack from `first` on to the end of the node's items. */
static hg_status take_items(pickle_reader *r, pickle_node *node, size_t first)
{
    size_t count = r->stack_count - first;
    if (!count) return HG_OK;
    uint32_t *items = hg_grow(node->items, node->count, count, &node->capacity, sizeof *items);
    if (!items) return pickle_no_memory(r);
    node->items = items;
    memcpy(items + node->count, r->stack + first, count * sizeof *items);
    node->count += count;
    r->stack_count = first;
    return HG_OK;
}

/* Appends the stack from `first` on to the container below it. */
static hg_status add_items(pickle_reader *r, pickle_kind kind, size_t first)
{
    if (first <= floor_of(r)) return pickle_damaged(r, "the stack is empty");
    pickle_node *node = &r->nodes[r->stack[first - 1]];
    if (node->kind != kind) return pickle_damaged(r, "items for something that is no list or dict");
    if (kind == PICKLE_DICT && (r->stack_count - first) % 2) return pickle_damaged(r, "a key without a value");
    return take_items(r, node, first);
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------ */

static hg_status take(pickle_reader *r, uint64_t count, const unsigned char **out)
{
    if ((uint64_t)(r->end - r->at) < count) return pickle_damaged(r, "it is cut off");
    *out = r->at;
    r->at += count;
    return HG_OK;
}

static hg_status take_uint(pickle_reader *r, int bytes, uint64_t *out)
{
    const unsigned char *b;
    HG_TRY(take(r, (uint64_t)bytes, &b));
    *out = 0;
    for (int i = 0; i < bytes; i++) *out |= (uint64_t)b[i] << 8 * i;
    return HG_OK;
}

static hg_status take_line(pickle_reader *r, const char **line, size_t *length)
{
    const unsigned char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
    if (!newline) return pickle_damaged(r, "a name has no end");
    *line = (const char *)r->at;
    *length = (size_t)(newline - r->at);
    r->at = newline + 1;
    return HG_OK;
}

/* ---- Constants -------------------------------------------------------------------------------------------------- */

static hg_status push_int(pickle_reader *r, int64_t x)
{
    pickle_node *node;
    HG_TRY(pickle_push(r, PICKLE_INT, &node));
    node->integer = x;
    return HG_OK;
}

static hg_status push_bool(pickle_reader *r, bool x)
{
    pickle_node *node;
    HG_TRY(pickle_push(r, PICKLE_BOOL, &node));
    node->integer = x;
    return HG_OK;
}

static hg_status push_string(pickle_reader *r, int length_bytes)
{
    uint64_t length;
    const unsigned char *text;
    HG_TRY(take_uint(r, length_bytes, &length));
    HG_TRY(take(r, length, &text));
    if (!hg_is_utf8((const char *)text, (size_t)length))
        return pickle_damaged(r, "a string is not UTF-8, or has a NUL");
    pickle_node *node;
    HG_TRY(pickle_push(r, PICKLE_STRING, &node));
    node->text = (const char *)text;
    node->count = (size_t)length;
    return HG_OK;
}

static hg_status op_none(pickle_reader *r)
{
    return pickle_push(r, PICKLE_NONE, NULL);
}

static hg_status op_true(pickle_reader *r)
{
    return push_bool(r, true);
}

static hg_status op_false(pickle_reader *r)
{
    return push_bool(r, false);
}

static hg_status op_int1(pickle_reader *r)
{
    uint64_t x;
    HG_TRY(take_uint(r, 1, &x));
    return push_int(r, (int64_t)x);
}

static hg_status op_int2(pickle_reader *r)
{
    uint64_t x;
    HG_TRY(take_uint(r, 2, &x));
    return push_int(r, (int64_t)x);
}

static hg_status op_int4(pickle_reader *r)
{
    uint64_t x;
    HG_TRY(take_uint(r, 4, &x));
    return push_int(r, (int32_t)(uint32_t)x);
}

static hg_status op_long1(pickle_reader *r)
{
    uint64_t bytes, x = 0;
    HG_TRY(take_uint(r, 1, &bytes));
    if (bytes > 8) return pickle_damaged(r, "an integer of more than 64 bits");
    HG_TRY(take_uint(r, (int)bytes, &x));
    if (bytes && bytes < 8 && x >> (8 * bytes - 1)) x |= UINT64_MAX << 8 * bytes;   /* its sign */
    return push_int(r, (int64_t)x);
}

static hg_status op_double(pickle_reader *r)
{
    uint64_t bits;
    HG_TRY(take_uint(r, 8, &bits));
    bits = __builtin_bswap64(bits);
    pickle_node *node;
    HG_TRY(pickle_push(r, PICKLE_DOUBLE, &node));
    memcpy(&node->real, &bits, sizeof bits);
    return HG_OK;
}

static hg_status op_string1(pickle_reader *r)
{
    return push_string(r, 1);
}

static hg_status op_string4(pickle_reader *r)
{
    return push_string(r, 4);
}

static hg_status op_string8(pickle_reader *r)
{
    return push_string(r, 8);
}

/* ---- Containers ------------------------------------------------------------------------------------------------- */

static hg_status op_mark(pickle_reader *r)
{
    size_t *marks = hg_grow(r->marks, r->mark_count, 1, &r->mark_capacity, sizeof *marks);
    if (!marks) return pickle_no_memory(r);
    r->marks = marks;
    marks[r->mark_count++] = r->stack_count;
    return HG_OK;
}

static hg_status op_list(pickle_reader *r)
{
    return pickle_push(r, PICKLE_LIST, NULL);
}

static hg_status op_dict(pickle_reader *r)
{
    return pickle_push(r, PICKLE_DICT, NULL);
}

static hg_status op_empty_tuple(pickle_reader *r)
{
    return pickle_push(r, PICKLE_TUPLE, NULL);
}

static hg_status push_tuple(pickle_reader *r, size_t first)
{
    pickle_node tuple;
    memset(&tuple, 0, sizeof tuple);
    hg_status status = take_items(r, &tuple, first);
    pickle_node *node;
    if (status == HG_OK) status = pickle_push(r, PICKLE_TUPLE, &node);
    if (status != HG_OK) {
        free(tuple.items);
        return status;
    }
    node->items = tuple.items;
    node->capacity = tuple.capacity;
    node->count = tuple.count;
    return HG_OK;
}

static hg_status op_tuple(pickle_reader *r)
{
    size_t first;
    HG_TRY(pop_mark(r, &first));
    return push_tuple(r, first);
}

static hg_status small_tuple(pickle_reader *r, size_t count)
{
    if (r->stack_count - floor_of(r) < count) return pickle_damaged(r, "the stack is empty");
    return push_tuple(r, r->stack_count - count);
}

static hg_status op_tuple1(pickle_reader *r)
{
    return small_tuple(r, 1);
}

static hg_status op_tuple2(pickle_reader *r)
{
    return small_tuple(r, 2);
}

static hg_status op_tuple3(pickle_reader *r)
{
    return small_tuple(r, 3);
}

static hg_status op_append(pickle_reader *r)
{
    if (r->stack_count - floor_of(r) < 2) return pickle_damaged(r, "the stack is empty");
    return add_items(r, PICKLE_LIST, r->stack_count - 1);
}

static hg_status op_appends(pickle_reader *r)
{
    size_t first;
    HG_TRY(pop_mark(r, &first));
    return add_items(r, PICKLE_LIST, first);
}

static hg_status op_set_item(pickle_reader *r)
{
    if (r->stack_count - floor_of(r) < 3) return pickle_damaged(r, "the stack is empty");
    return add_items(r, PICKLE_DICT, r->stack_count - 2);
}

static hg_status op_set_items(pickle_reader *r)
{
    size_t first;
    HG_TRY(pop_mark(r, &first));
    return add_items(r, PICKLE_DICT, first);
}

/* ---- The memo --------------------------------------------------------------------------------------------------- */

static hg_status memo_put(pickle_reader *r, uint64_t index)
{
    if (r->stack_count <= floor_of(r)) return pickle_damaged(r, "the stack is empty");
    /* picklers number on from 0, one opcode each */
    if (index >= (uint64_t)(r->end - r->start)) return pickle_damaged(r, "a memo index is too large");
    if (index >= r->memo_count) {
        uint32_t *memo = hg_grow(r->memo, r->memo_count, (size_t)index + 1 - r->memo_count, &r->memo_capacity,
                                 sizeof *memo);
        if (!memo) return pickle_no_memory(r);
        r->memo = memo;
        while (r->memo_count <= index) memo[r->memo_count++] = PICKLE_NO_NODE;
    }
    r->memo[index] = r->stack[r->stack_count - 1];
    return HG_OK;
}

static hg_status memo_get(pickle_reader *r, uint64_t index)
{
    if (index >= r->memo_count || r->memo[index] == PICKLE_NO_NODE)
        return pickle_damaged(r, "it uses an object that it never made");
    return pickle_push_again(r, r->memo[index]);
}

static hg_status op_put1(pickle_reader *r)
{
    uint64_t index;
    HG_TRY(take_uint(r, 1, &index));
    return memo_put(r, index);
}

static hg_status op_put4(pickle_reader *r)
{
    uint64_t index;
    HG_TRY(take_uint(r, 4, &index));
    return memo_put(r, index);
}

static hg_status op_memoize(pickle_reader *r)
{
    return memo_put(r, r->memo_count);
}

static hg_status op_get1(pickle_reader *r)
{
    uint64_t index;
    HG_TRY(take_uint(r, 1, &index));
    return memo_get(r, index);
}

static hg_status op_get4(pickle_reader *r)
{
    uint64_t index;
    HG_TRY(take_uint(r, 4, &index));
    return memo_get(r, index);
}

/* ---- Names and the rest ----------------------------------------------------------------------------------------- */

static hg_status op_global(pickle_reader *r)
{
    const char *module, *what;
    size_t module_length, what_length;
    HG_TRY(take_line(r, &module, &module_length));
    HG_TRY(take_line(r, &what, &what_length));
    return pickle_global(r, module, module_length, what, what_length);
}

static hg_status op_stack_global(pickle_reader *r)
{
    uint32_t what, module;
    HG_TRY(pickle_pop(r, &what));
    HG_TRY(pickle_pop(r, &module));
    const pickle_node *w = &r->nodes[what], *m = &r->nodes[module];
    if (w->kind != PICKLE_STRING || m->kind != PICKLE_STRING) return pickle_damaged(r, "a name is no string");
    return pickle_global(r, m->text, m->count, w->text, w->count);
}

static hg_status op_protocol(pickle_reader *r)
{
    uint64_t protocol;
    HG_TRY(take_uint(r, 1, &protocol));
    return protocol >= 2 && protocol <= 5 ? HG_OK : pickle_damaged(r, "its protocol is not 2 to 5");
}

static hg_status op_frame(pickle_reader *r)
{
    uint64_t length;
    return take_uint(r, 8, &length);    /* a hint for buffering */
}

static hg_status op_stop(pickle_reader *r)
{
    r->stopped = true;
    return HG_OK;
}

static hg_status (*const opcodes[256])(pickle_reader *) = {
    ['N'] = op_none, [0x88] = op_true, [0x89] = op_false, ['K'] = op_int1, ['M'] = op_int2, ['J'] = op_int4,
    [0x8a] = op_long1, ['G'] = op_double, [0x8c] = op_string1, ['X'] = op_string4, [0x8d] = op_string8,
    ['U'] = op_string1, ['T'] = op_string4, ['('] = op_mark, [']'] = op_list, ['}'] = op_dict,
    [')'] = op_empty_tuple, ['t'] = op_tuple, [0x85] = op_tuple1, [0x86] = op_tuple2, [0x87] = op_tuple3,
    ['a'] = op_append, ['e'] = op_appends, ['s'] = op_set_item, ['u'] = op_set_items, ['q'] = op_put1,
    ['r'] = op_put4, [0x94] = op_memoize, ['h'] = op_get1, ['j'] = op_get4, ['c'] = op_global,
    [0x93] = op_stack_global, [0x80] = op_protocol, [0x95] = op_frame, ['R'] = pickle_reduce, ['b'] = pickle_build,
    ['Q'] = pickle_persistent, ['.'] = op_stop,
};

static hg_status run(pickle_reader *r, bool whole, hg_value **root)
{
    if (whole && (size_t)(r->end - r->start) > LARGEST_PICKLE)
        return hg_error(HG_E_FORMAT, "%s: a pickle of %zu bytes; the largest is %u", r->name,
                        (size_t)(r->end - r->start), LARGEST_PICKLE);
    while (!r->stopped) {
        const unsigned char *opcode;
        HG_TRY(take(r, 1, &opcode));
        if (!opcodes[*opcode])
            return hg_error(HG_E_FORMAT, "%s: pickle opcode 0x%02x at byte %zu: an object that is no number, string, "
                            "list, dict or tensor, or a damaged file; save model.state_dict()", r->name, *opcode,
                            (size_t)(opcode - r->start));
        HG_TRY(opcodes[*opcode](r));
    }
    if (whole && r->at != r->end) return pickle_damaged(r, "bytes follow its end");
    if (r->stack_count != 1 || r->mark_count) return pickle_damaged(r, "it ends with more or less than one object");
    r->budget = r->node_count + SHARED_VALUES;
    return pickle_tree(r, r->stack[0], root);
}

hg_status hg_pickle_parse(const char *name, const void *bytes, size_t size, size_t *used, hg_pickle *out)
{
    *out = (hg_pickle){0};
    if (used && size > LARGEST_PICKLE) size = LARGEST_PICKLE;
    pickle_reader r = {.name = name, .start = bytes, .at = bytes, .end = (const unsigned char *)bytes + size};
    hg_status status = run(&r, !used, &out->root);
    if (used) *used = (size_t)(r.at - r.start);
    out->storages = r.storages;
    out->storage_count = r.storage_count;
    out->views = r.out_views;
    out->view_count = r.out_view_count;
    if (status != HG_OK) hg_pickle_free(out);
    for (size_t i = 0; i < r.node_count; i++)
        if (r.nodes[i].kind == PICKLE_LIST || r.nodes[i].kind == PICKLE_TUPLE || r.nodes[i].kind == PICKLE_DICT)
            free(r.nodes[i].items);
    free(r.nodes);
    free(r.stack);
    free(r.marks);
    free(r.memo);
    free(r.views);
    return status;
}

void hg_pickle_free(hg_pickle *p)
{
    hg_value_free(p->root);
    free(p->storages);
    free(p->views);
    *p = (hg_pickle){0};
}

hg_status hg_pickle_expansion(const char *name, const hg_pickle *p, size_t file_size)
{
    size_t left = file_size * 16 + (256u << 20);
    for (size_t i = 0; i < p->view_count; i++) {
        size_t bytes = hg_array_bytes(p->views[i].array);
        if (bytes > left)
            return hg_error(HG_E_FORMAT, "%s: its tensors would need many times the file's size; the file is damaged",
                            name);
        left -= bytes;
    }
    return HG_OK;
}
