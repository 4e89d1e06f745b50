/* The tensor as the library's own rooms see it: plain views on storages, without gradients. */
#ifndef HG_TENSOR_TENSOR_H
#define HG_TENSOR_TENSOR_H

#include <stdatomic.h>

#include "base/checked.h"
#include "cl/device.h"
#include "cl/launch.h"
#include "hapgop/tensor.h"

typedef struct hg_storage {
    atomic_int refs;
    hg_device *dev;         /* retained */
    hg_block *block;        /* NULL if the memory is the caller's */
    cl_mem mem;
    size_t bytes;
    unsigned version;       /* counts changes in place */
    int recorded_views;     /* live views of it that have a gradient history of their own */
    struct hg_derived *derived;     /* what another room keeps that it computed from it; NULL if nothing */
    void (*derived_free)(struct hg_storage *storage);
} hg_storage;

struct hg_tensor {
    atomic_int refs;
    hg_device *dev;         /* the storage's */
    hg_storage *storage;    /* NULL: the error tensor */
    hg_dtype dtype;
    int ndim;
    int64_t size[HG_MAX_DIMS], stride[HG_MAX_DIMS];     /* in elements */
    int64_t offset, numel;
    struct hg_meta *meta;   /* gradient state; NULL while there is none */
    void (*meta_free)(hg_tensor *t);
};

/* Keeps the error "operation: what is wrong; the remedy" and returns the error tensor. */
hg_tensor *hg_fail(hg_status code, const char *format, ...) HG_PRINTF(2, 3);
/* The error tensor, for an error that is already kept. */
static inline hg_tensor *hg_failed(void)
{
    return hg_error_tensor();
}

/* A contiguous, uninitialised tensor; a view on `base`'s storage. Both go to the open scope, or to the caller. */
hg_tensor *hg_new_tensor(hg_device *dev, hg_dtype dtype, int ndim, const int64_t *size);
hg_tensor *hg_new_view(const hg_tensor *base, int ndim, const int64_t *size, const int64_t *stride, int64_t offset);
/* The same from parts: what a graph node saved. */
hg_tensor *hg_new_view_on(hg_storage *storage, hg_dtype dtype, int ndim, const int64_t *size, const int64_t *stride,
                          int64_t offset);
hg_storage *hg_storage_retain(hg_storage *storage);
void hg_storage_release(hg_storage *storage);

/* Hands a new tensor to the scope that is open, if one is; returns it. */
hg_tensor *hg_to_scope(hg_tensor *t);

/* Whether an open scope of this thread holds a reference to it: if not, the caller does. */
bool hg_in_scope(const hg_tensor *t);

/* A scope of the library's own: as hg_scope_begin, but never clears the thread's error. An operation that makes more
 * than its result works inside one and ends with hg_scope_return. */
hg_scope *hg_scope_inner(void);

/* ---- Checks that operations share; each keeps an error that begins with `op` --------------------------------- */
/* True if all are tensors, none is the error tensor, and all live on one device. NULL operands are skipped only if
 * `optional`. */
bool hg_check_operands(const char *op, hg_tensor **operands, int n, bool optional);
#define HG_CHECK_OPERANDS(op, ...)                                                                                     \
    hg_check_operands(op, (hg_tensor *[]){__VA_ARGS__}, (int)(sizeof((hg_tensor *[]){__VA_ARGS__}) / sizeof(hg_tensor *)), \
                      false)
static inline bool hg_is_float(hg_dtype dtype)
{
    return dtype == HG_F32 || dtype == HG_F64;
}
/* `dim` made non-negative, or -1 with PyTorch's words: "Dimension out of range (expected to be in range of [-2, 1],
 * but got 2)". */
int hg_check_dim(const char *op, const hg_tensor *t, int dim);
bool hg_same_shape(const hg_tensor *a, const hg_tensor *b);
/* The product of the sizes, or -1 with an error for a negative size or one beyond 2^62 bytes. */
int64_t hg_checked_numel(const char *op, int ndim, const int64_t *size);
void hg_contiguous_strides(int ndim, const int64_t *size, int64_t *stride);
/* "[2, 3]", cut to fit; returns out. */
char *hg_shape_text(int ndim, const int64_t *size, char *out, size_t out_size);
#define HG_SHAPE_TEXT(t) hg_shape_text((t)->ndim, (t)->size, (char[160]){0}, 160)

/* ---- Kernel arguments ------------------------------------------------------------------------------------------
 * A tensor goes to a kernel as two arguments: its memory and its element offset. */
#define HG_ARG_TENSOR(t) HG_ARG_MEM((t)->storage->mem), HG_ARG_I64((t)->offset)

/* "-DHG_F64=1" for f64, "" otherwise: the variant for a floating type. */
const char *hg_real_options(hg_dtype dtype);
/* The OpenCL C type of elements: "float" "double" "int" "long" "uchar" "uchar". */
const char *hg_dtype_cl(hg_dtype dtype);

/* ---- Without gradients ----------------------------------------------------------------------------------------- */
hg_tensor *hg_raw_contiguous(hg_tensor *t);                         /* itself if it already is */
hg_tensor *hg_raw_clone(hg_tensor *t);
hg_status hg_raw_copy(hg_tensor *dst, const hg_tensor *src);        /* casts, broadcasts; any strides; no version change */
hg_status hg_raw_fill(hg_tensor *t, double value);                  /* any strides */
hg_status hg_raw_add(hg_tensor *dst, const hg_tensor *a, const hg_tensor *b);   /* contiguous, one floating type */

#endif
