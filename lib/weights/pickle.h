/* A restricted reader of Python pickles: what torch.save makes of dicts, lists, numbers and tensors, and nothing else.
 * It never calls anything: the few names that PyTorch needs are known here, any other is an error that says it. */
#ifndef HG_WEIGHTS_PICKLE_H
#define HG_WEIGHTS_PICKLE_H

#include "weights/value.h"

/* A block of elements outside the pickle that tensors are views of. */
typedef struct hg_pickle_storage {
    const char *key;            /* its name, in the pickle's bytes, `key_length` of them */
    size_t key_length;
    hg_array_dtype dtype;
    int64_t count;              /* elements */
} hg_pickle_storage;

/* A tensor of the tree whose `data` is still NULL: whoever has the storages fills it. All its elements are inside. */
typedef struct hg_pickle_view {
    hg_array *array;            /* in the tree */
    size_t storage;             /* index */
    int64_t offset, stride[HG_MAX_DIMS];    /* elements */
} hg_pickle_view;

typedef struct hg_pickle {
    hg_value *root;
    hg_pickle_storage *storages;
    hg_pickle_view *views;
    size_t storage_count, view_count;
} hg_pickle;

/* Reads one pickle (protocols 0x80 2 to 5, as far as torch.save uses them), whose bytes must outlive `out`. It must
 * end where the bytes end, or, if `used` is not NULL, may end before; *used is its length then. `name` begins the
 * messages. hg_pickle_free(out); the root may be taken out before, by setting NULL.
 * Errors: HG_E_FORMAT, HG_E_MEMORY; `out` is empty then. */
hg_status hg_pickle_parse(const char *name, const void *bytes, size_t size, size_t *used, hg_pickle *out);
void hg_pickle_free(hg_pickle *p);

/* Tensors may share and repeat storage (expand), but not turn a small file into very much more than it holds: HG_E_FORMAT
 * then. */
hg_status hg_pickle_expansion(const char *name, const hg_pickle *p, size_t file_size);

/* PyTorch's class of a storage: "FloatStorage". */
const char *hg_pickle_storage_name(hg_array_dtype dtype);

#endif
