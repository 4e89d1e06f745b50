/* The end of a dataset's transform that the loader's device can do: RandomHorizontalFlip (if it is there), ToTensor,
 * Normalize (if it is there). What is left for the host makes packed images: u8, H x W x C in a row and behind them one
 * byte that says whether to flip. */
#ifndef HG_DATA_FINISH_H
#define HG_DATA_FINISH_H

#include "data/transform.h"
#include "tensor/tensor.h"

typedef struct hg_finish {
    hg_transform *head;         /* from the dataset's items to packed images */
    hg_item_spec packed;
    int64_t height, width, channels;
    float *table;               /* channels x 256: what the device makes of each byte */
    hg_tensor *on_device;       /* the table; made by the first hg_finish_run */
} hg_finish;

/* `raw` are the dataset's items before `transform`. HG_E_ARG for a transform that does not end like that;
 * HG_E_MEMORY. */
hg_status hg_finish_new(const hg_transform *transform, const hg_item_spec *raw, hg_finish **finish);
void hg_finish_free(hg_finish *f);      /* NULL is allowed */

/* f32 (N, C, H, W) of a batch of packed images, u8 (N, H W C + 1): bit for bit what the transform makes on the host. */
hg_tensor *hg_finish_run(hg_finish *f, hg_tensor *packed);

#endif
