/* A document of values, as a checkpoint holds it: numbers, strings, lists, dicts, arrays. It is a tree: a container
 * owns what is put into it, and hg_value_free() of the root frees all.
 *
 * Making one needs a check only where things are put together: a constructor that runs out of memory returns NULL,
 * and hg_value_append() and hg_value_set() take that NULL and say so. They own the item in any case, also if they
 * fail:
 *
 *     hg_value *root = hg_value_dict();
 *     if ((status = hg_value_set(root, "epoch", hg_value_int(3))) == HG_OK) ...
 */
#ifndef HG_WEIGHTS_VALUE_H
#define HG_WEIGHTS_VALUE_H

#include "weights/array.h"

typedef enum hg_value_kind {
    HG_VALUE_NONE,
    HG_VALUE_BOOL,
    HG_VALUE_INT,
    HG_VALUE_DOUBLE,
    HG_VALUE_STRING,
    HG_VALUE_LIST,
    HG_VALUE_TUPLE,
    HG_VALUE_DICT,
    HG_VALUE_ARRAY      /* a tensor */
} hg_value_kind;

typedef struct hg_value hg_value;

typedef struct hg_value_entry {
    hg_value *key;      /* a string or an int */
    hg_value *item;
} hg_value_entry;

struct hg_value {
    hg_value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        char *string;                   /* UTF-8 */
        struct {
            hg_value **items;
            size_t count, capacity;
        } list;                         /* lists and tuples */
        struct {
            hg_value_entry *entries;    /* in the order of insertion */
            size_t count, capacity;
            bool ordered;               /* Python's collections.OrderedDict, as state dicts are */
            hg_value *metadata;         /* PyTorch's state_dict()._metadata, a dict; or NULL */
        } dict;
        hg_array array;
    };
};

/* The deepest nesting that readers make and writers take. */
#define HG_VALUE_DEPTH 100

/* ---- Making values: NULL if memory ran out -------------------------------------------------------------------- */
hg_value *hg_value_none(void);
hg_value *hg_value_bool(bool x);
hg_value *hg_value_int(int64_t x);
hg_value *hg_value_double(double x);
/* A copy of the text, which the caller keeps UTF-8; writers refuse anything else. */
hg_value *hg_value_string(const char *text);
hg_value *hg_value_list(void);
hg_value *hg_value_tuple(void);
hg_value *hg_value_dict(void);
hg_value *hg_value_ordered_dict(void);
/* Takes the array over, data and all, also if NULL is returned; `a` is empty after. A borrowed one stays borrowed. */
hg_value *hg_value_array(hg_array *a);
void hg_value_free(hg_value *v);        /* NULL is allowed */

/* ---- Putting them together: errors HG_E_MEMORY, HG_E_ARG if it is no list, tuple, dict ------------------------- */
hg_status hg_value_append(hg_value *list, hg_value *item);
/* Adds the key at the end, or replaces its item in place. */
hg_status hg_value_set(hg_value *dict, const char *key, hg_value *item);
hg_status hg_value_set_at(hg_value *dict, int64_t key, hg_value *item);
/* Adds an entry at the end without looking for the key: for readers that know it is new. Owns key and item. */
hg_status hg_value_add_entry(hg_value *dict, hg_value *key, hg_value *item);
hg_status hg_value_set_metadata(hg_value *dict, hg_value *metadata);

/* ---- Taking them apart ----------------------------------------------------------------------------------------- */
const char *hg_value_kind_name(hg_value_kind kind);     /* with its article, for messages: "a string" */

/* The item, or NULL if it is absent or `dict` is no dict. */
hg_value *hg_value_find(const hg_value *dict, const char *key);
hg_value *hg_value_find_at(const hg_value *dict, int64_t key);

/* The item of a key that must be there and of a kind. `where` begins the messages:
 * "checkpoint: key 'optimizer' is missing", "checkpoint: key 'epoch' is a string, not an int".
 * Errors: HG_E_FORMAT. *out stays as it is then. */
hg_status hg_value_get(const char *where, const hg_value *dict, const char *key, hg_value_kind kind, hg_value **out);
hg_status hg_value_get_bool(const char *where, const hg_value *dict, const char *key, bool *out);
hg_status hg_value_get_int(const char *where, const hg_value *dict, const char *key, int64_t *out);
hg_status hg_value_get_double(const char *where, const hg_value *dict, const char *key, double *out);  /* ints too */
hg_status hg_value_get_string(const char *where, const hg_value *dict, const char *key, const char **out);
hg_status hg_value_get_array(const char *where, const hg_value *dict, const char *key, const hg_array **out);

/* hg_array_check() of all arrays in it. */
hg_status hg_value_check(const hg_value *v);

/* Whether the bytes are UTF-8 as RFC 3629 has it, without NUL. */
bool hg_is_utf8(const char *bytes, size_t size);

#endif
