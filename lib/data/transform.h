/* What a transform is made of. A new one is a file with a type and a maker. */
#ifndef HG_DATA_TRANSFORM_H
#define HG_DATA_TRANSFORM_H

#include <stdatomic.h>

#include "base/str.h"
#include "hapgop/data.h"
#include "tensor/mt19937.h"

/* What an item looks like between two transforms. A size of -1 differs from item to item: descriptions of a dataset
 * have that, those of an item do not. */
typedef struct hg_item_spec {
    hg_dtype dtype;     /* HG_U8 or HG_F32 */
    hg_shape shape;
} hg_item_spec;

/* Elements of an item; items are checked to have at most HG_ITEM_MAX of them. */
#define HG_ITEM_MAX (INT64_C(1) << 28)
int64_t hg_item_elements(const hg_item_spec *item);
size_t hg_item_bytes(const hg_item_spec *item);

/* Steps that the loader can leave to the device (data/finish.h); HG_STEP_LIST are several, hg_compose_steps(). */
typedef enum hg_step { HG_STEP_OTHER = 0, HG_STEP_LIST, HG_STEP_FLIP, HG_STEP_TO_TENSOR, HG_STEP_NORMALIZE } hg_step;

typedef struct hg_transform_type {
    /* Turns the description of an input into that of the output, or says why it cannot. */
    hg_status (*shape)(const hg_transform *t, hg_item_spec *item);
    /* `in` is what `shape` accepted, with all sizes known. `out` is other memory. Called from several threads at once.
     * `random` is what a random transform draws from; others get NULL. */
    hg_status (*apply)(const hg_transform *t, const hg_item_spec *item, const void *in, void *out, hg_mt19937 *random);
    void (*print)(const hg_transform *t, hg_str *text);
    void (*destroy)(hg_transform *t);
    hg_step step;
} hg_transform_type;

/* First member of every transform. */
struct hg_transform {
    const hg_transform_type *type;
    atomic_int refs;
    bool random;        /* it draws */
};

/* A zeroed transform of `size` bytes with one reference; NULL and HG_E_MEMORY. */
void *hg_transform_alloc(const hg_transform_type *type, size_t size);
/* One more reference; NULL is passed on. */
hg_transform *hg_transform_retain(const hg_transform *t);
/* Whether it is a composed one, and then its steps. */
bool hg_compose_steps(const hg_transform *t, hg_transform *const **list, int *count);

#endif
