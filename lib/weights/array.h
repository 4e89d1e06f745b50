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

struct hg_array_source;

typedef struct hg_array {
    hg_array_dtype dtype;
    hg_shape shape;
    void *data;         /* row-major, little endian; never NULL, not even when empty, but for an array in a file */
    bool borrowed;      /* the data is someone else's and outlives the array */
    struct hg_array_source *source;   /* the file that has the elements, source.h; NULL: they are in `data` */
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

/* ---- Elements, wherever they are: bools are 0 or 1 whatever the file has. Errors are those of hg_extent_open(). ---- */

/* Copies `count` elements from the row-major index `first` on. */
hg_status hg_array_read(const hg_array *a, int64_t first, int64_t count, void *out);
/* The same as another type: floats are rounded to the nearest, or cut to integers, 0 for what does not fit. */
hg_status hg_array_convert(const hg_array *a, int64_t first, int64_t count, hg_dtype to, void *out);
/* Whether they can be read: an entry of a zip is compared with its checksum, once. */
hg_status hg_array_check(const hg_array *a);
/* Brings all elements to `data`, if they are not there; the array owns them. Also HG_E_MEMORY. */
hg_status hg_array_load(hg_array *a);

/* What is read at a time, so that large arrays need no memory of their size: 128 KiB to 1 MiB. */
#define HG_ARRAY_CHUNK INT64_C(131072)      /* elements */

#endif
