/* A module's state dict against a document's: what fits and what does not, in the words of PyTorch's
 * Module.load_state_dict(). */
#ifndef HG_WEIGHTS_MATCH_H
#define HG_WEIGHTS_MATCH_H

#include "base/str.h"
#include "hapgop/nn.h"
#include "weights/value.h"

typedef struct hg_names {
    char **items;
    int64_t count;
    size_t capacity;
} hg_names;

typedef struct hg_match_item {
    hg_tensor *tensor;          /* the module's */
    const hg_array *array;      /* the document's; NULL: zero */
} hg_match_item;

typedef struct hg_match {
    hg_match_item *items;
    size_t count, capacity;
    hg_names missing, unexpected, mismatched;   /* names; of those that mismatch PyTorch's whole line in `lines` */
    hg_names lines;
} hg_match;

/* hg_match_free() also after an error. `where`, usually a file's name, begins the messages.
 * Errors: HG_E_FORMAT if it is no dict, or a checkpoint whose state dict is a part of it; HG_E_MEMORY. */
hg_status hg_match_state(hg_module *m, const hg_value *state, const char *where, hg_match *out);
void hg_match_free(hg_match *match);

/* "\n\tMissing key(s) in state_dict: ..." and so on; with `keys` false only mismatches; of each kind the first `most`. */
void hg_match_describe(const hg_match *match, bool keys, int64_t most, hg_str *out);

#endif
