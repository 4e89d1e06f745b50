#ifndef HG_DATA_DATASET_H
#define HG_DATA_DATASET_H

#include "data/transform.h"

struct hg_dataset {
    const hg_dataset_type *type;
    void *self;
    int64_t length;
    hg_item_spec raw, item;          /* what get gives, and what comes out of the transform */
    hg_transform *transform;    /* NULL: none */
};

#endif
