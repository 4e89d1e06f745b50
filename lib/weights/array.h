/* Arrays in host memory as files hold them: what the readers fill and the writers take. */
#ifndef HG_WEIGHTS_ARRAY_H
#define HG_WEIGHTS_ARRAY_H

#include "base/error.h"
#include "hapgop/tensor.h"

/* The element types of files: those of tensors, with the same values, and a few that only files have. */
typedef enum hg_array_dtype {
    HG_ARRAY_F32 = HG_F32,
    HG_ARRAY_F64 = HG_F64,
    HG_ARRAY_I32 = HG_I32,
    HG_ARRAY_I64 = HG_I64,
    HG_ARRAY_U8 = HG_U8,
    HG_ARRAY_BOOL = HG_BOOL,    /* one byte, 0 or 1 */
    HG_ARRAY_I8,
    HG_ARRAY_I16,
    HG_ARRAY_F16,
    HG_ARRAY_BF16
} hg_array_dtype;
#define HG_ARRAY_DTYPES (HG_ARRAY_BF16 + 1)

typedef struct hg_array {
    hg_array_dtype dtype;
    hg_shape shape;
    void *data;         /* row-major, little endian, never NULL, not even when empty */
    bool borrowed;      /* the data is someone else's and outlives the array */
} hg_array;

const char *hg_array_dtype_name(hg_array_dtype dtype);  /* "float32" ... as PyTorch names them */
size_t hg_array_dtype_size(hg_array_dtype dtype);

/* The number of elements and of bytes; false if a size is negative, there are too many, or the product overflows. */
bool hg_array_measure(hg_array_dtype dtype, const hg_shape *shape, int64_t *count, size_t *bytes);
int64_t hg_array_count(const hg_array *a);
size_t hg_array_bytes(const hg_array *a);

/* Memory that is not yet filled. Errors: HG_E_SHAPE, HG_E_MEMORY; the array is empty then, and may be freed. */
hg_status hg_array_alloc(hg_array *a, hg_array_dtype dtype, hg_shape shape);
void hg_array_free(hg_array *a);

/* Gathers a strided view (offset and strides in elements, all inside `from`, checked by the caller) row-major into
 * a->data, whose shape is the view's. */
void hg_array_gather(hg_array *a, const void *from, int64_t offset, const int64_t stride[HG_MAX_DIMS]);

/* Makes every byte of a bool array 0 or 1: files may hold others. Does nothing to other types. */
void hg_array_tidy(hg_array *a);

#endif
