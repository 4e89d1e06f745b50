#ifndef HG_DATA_DATASET_H
#define HG_DATA_DATASET_H

#include "data/transform.h"

struct hg_dataset {
    const hg_dataset_type *type;
    void *self;
    int64_t length;
    hg_item_spec raw, item;     /* what get gives, and what comes out of the transform */
    hg_transform *transform;    /* NULL: none */
    const char *const *class_names;     /* NULL: not known; they live as long as `self` or the dataset does */
    int class_count;

    /* A selection has these instead of `self`; `type` is that of `of`. */
    const hg_dataset *of;
    int64_t *indices;           /* of each item in `of` */
    int64_t *labels;            /* of each item */
    const char **own_names;
};

/* hg_dataset_get; `transform` is applied (NULL: the dataset's own). With `stream` random ones draw from it, else from a
 * generator begun with sample->seed. */
hg_status hg_dataset_fetch(const hg_dataset *d, int64_t index, hg_sample *sample, const hg_transform *transform,
                           hg_mt19937 *stream);
/* What it is, or what it is a selection of, and the transform of that. */
const hg_dataset *hg_dataset_root(const hg_dataset *d);
/* The label of an item, without the item where that is possible. */
hg_status hg_dataset_label(const hg_dataset *d, int64_t index, int64_t *label);

#endif
