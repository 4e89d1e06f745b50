/* What pickle.c (the opcodes), pickle_call.c (the known names) and pickle_tree.c (the values) share.
 *
 * A pickle builds a graph: its memo lets one object be in several places. Here objects are nodes with numbers, all
 * owned by the reader; a node never dies before the reader does. The tree is made of them at the end. */
#ifndef HG_WEIGHTS_PICKLE_NODES_H
#define HG_WEIGHTS_PICKLE_NODES_H

#include "weights/pickle.h"

#define PICKLE_NO_NODE UINT32_MAX

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_DOUBLE,
    PICKLE_STRING,
    PICKLE_LIST,
    PICKLE_TUPLE,
    PICKLE_DICT,
    PICKLE_TENSOR,
    PICKLE_GLOBAL,
    PICKLE_STORAGE
} pickle_kind;

typedef struct pickle_node {
    uint8_t kind;           /* pickle_kind */
    bool ordered;           /* of a dict */
    bool open;              /* while the tree is made: an ancestor of the node being made */
    uint32_t metadata;      /* of an ordered dict: a node or PICKLE_NO_NODE */
    size_t count;           /* items; for a dict keys and items by turns; bytes of a string */
    union {
        int64_t integer;    /* also of a bool; the index of a tensor's view, of a storage, of a global */
        double real;
        const char *text;   /* in the pickle, not NUL-terminated */
        struct {
            uint32_t *items;
            size_t capacity;
        };
    };
} pickle_node;

typedef struct pickle_reader {
    const char *name;
    const unsigned char *start, *at, *end;
    bool stopped;
    pickle_node *nodes;
    uint32_t *stack, *memo;
    size_t *marks;          /* heights of the stack */
    size_t node_count, node_capacity, stack_count, stack_capacity, mark_count, mark_capacity, memo_count,
        memo_capacity;
    hg_pickle_storage *storages;
    size_t storage_count, storage_capacity;
    struct pickle_view {
        size_t storage;
        int64_t offset, stride[HG_MAX_DIMS];
        hg_shape shape;
    } *views;
    size_t view_count, view_capacity;
    hg_pickle_view *out_views;      /* pickle_tree.c's: one for each place of a tensor in the tree */
    size_t out_view_count, out_view_capacity;
    size_t budget;                  /* values that the tree may still have */
} pickle_reader;

static inline hg_status pickle_damaged(const pickle_reader *r, const char *what)
{
    return hg_error(HG_E_FORMAT, "%s: the pickle is damaged at byte %zu: %s; save the file again", r->name,
                    (size_t)(r->at - r->start), what);
}

static inline hg_status pickle_no_memory(const pickle_reader *r)
{
    return hg_error(HG_E_MEMORY, "%s: out of memory", r->name);
}

/* pickle.c: a new node on top of the stack; *out may be NULL. Pointers to nodes last until the next push. */
hg_status pickle_push(pickle_reader *r, pickle_kind kind, pickle_node **out);
hg_status pickle_pop(pickle_reader *r, uint32_t *out);
hg_status pickle_push_again(pickle_reader *r, uint32_t node);

/* pickle_call.c */
hg_status pickle_global(pickle_reader *r, const char *module, size_t module_length, const char *what,
                        size_t what_length);
hg_status pickle_reduce(pickle_reader *r);          /* callable, tuple -> its result */
hg_status pickle_build(pickle_reader *r);           /* object, dict -> object with attributes */
hg_status pickle_persistent(pickle_reader *r);      /* ('storage', class, key, device, count) -> storage */

/* pickle_tree.c */
hg_status pickle_tree(pickle_reader *r, uint32_t root, hg_value **out);

#endif
