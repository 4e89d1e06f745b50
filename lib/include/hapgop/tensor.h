/* Tensors: n-dimensional views on device memory; making, reading, viewing, printing them; random numbers. */
#ifndef HAPGOP_TENSOR_H
#define HAPGOP_TENSOR_H

#include <stdio.h>

#include "hapgop/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HG_MAX_DIMS 8

typedef struct hg_tensor hg_tensor;
typedef struct hg_scope hg_scope;

typedef enum hg_dtype {
    HG_F32,
    HG_F64,     /* needs a device with fp64: the reference type */
    HG_I32,
    HG_I64,
    HG_U8,
    HG_BOOL     /* one byte, 0 or 1 */
} hg_dtype;

HG_API const char *hg_dtype_name(hg_dtype dtype);   /* "float32" ... as PyTorch names them */
HG_API size_t hg_dtype_size(hg_dtype dtype);

/* The sizes of a tensor: HG_SHAPE(8, 3, 32, 32); HG_SCALAR has no dimensions and one element. */
typedef struct hg_shape {
    int ndim;
    int64_t size[HG_MAX_DIMS];
} hg_shape;
#define HG_SHAPE(...) ((hg_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define HG_SCALAR ((hg_shape){0, {0}})

/* A set of dimensions for reductions, negative ones counting from the end: HG_DIMS(2, 3); HG_ALL is all of them. */
typedef struct hg_dims {
    int count;
    int dim[HG_MAX_DIMS];
} hg_dims;
#define HG_DIMS(...) ((hg_dims){(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), {__VA_ARGS__}})
#define HG_ALL ((hg_dims){0, {0}})

/* ---- Lifetimes and errors -------------------------------------------------------------------------------------
 * Operations always return a tensor. A failed one returns the error tensor, which every operation accepts and
 * passes on: a chain needs one hg_ok() at its end. NULL means only "absent" (no bias).
 *
 * A result carries one reference. With a scope open (of this thread) the scope holds it and drops it at its end;
 * with none the caller holds it and gives it back with hg_release(). */
HG_API bool hg_ok(const hg_tensor *t);              /* false for the error tensor and for NULL */
HG_API hg_tensor *hg_error_tensor(void);            /* for operations of one's own that fail */
HG_API hg_scope *hg_scope_begin(hg_device *dev);    /* never NULL; `dev` is only a hint and may be NULL */
HG_API void hg_scope_end(hg_scope *s);              /* also ends scopes left open inside it */
/* Ends the scope, but moves `t` out to the enclosing scope, or to the caller if there is none. Returns `t`. */
HG_API hg_tensor *hg_scope_return(hg_scope *s, hg_tensor *t);
HG_API hg_tensor *hg_retain(hg_tensor *t);          /* one more reference for the caller, in no scope; returns t */
HG_API void hg_release(hg_tensor *t);               /* NULL and the error tensor are allowed */

/* ---- What a tensor is ------------------------------------------------------------------------------------------ */
HG_API hg_device *hg_tensor_device(const hg_tensor *t);
HG_API hg_dtype hg_tensor_dtype(const hg_tensor *t);
HG_API hg_shape hg_tensor_shape(const hg_tensor *t);
HG_API int hg_ndim(const hg_tensor *t);
HG_API int64_t hg_size(const hg_tensor *t, int dim);    /* negative dims count from the end; 0 if out of range */
HG_API int64_t hg_stride(const hg_tensor *t, int dim);  /* in elements */
HG_API int64_t hg_numel(const hg_tensor *t);
HG_API bool hg_is_contiguous(const hg_tensor *t);

/* ---- Making tensors ----------------------------------------------------------------------------------------------
 * Errors: HG_E_SHAPE (negative size, too many dims, overflow), HG_E_MEMORY, HG_E_UNSUPPORTED (f64 without fp64). */
HG_API hg_tensor *hg_empty(hg_device *dev, hg_dtype dtype, hg_shape shape);
HG_API hg_tensor *hg_zeros(hg_device *dev, hg_dtype dtype, hg_shape shape);
HG_API hg_tensor *hg_full(hg_device *dev, hg_dtype dtype, hg_shape shape, double value);
HG_API hg_tensor *hg_empty_like(hg_tensor *t);          /* same device, dtype and shape; contiguous */
HG_API hg_tensor *hg_zeros_like(hg_tensor *t);
/* start, start + step, ... before end; as numpy.arange */
HG_API hg_tensor *hg_arange(hg_device *dev, hg_dtype dtype, double start, double end, double step);
/* Copies hg_numel(shape) elements of `dtype` from host memory, row-major; `data` may be freed at once. */
HG_API hg_tensor *hg_from_data(hg_device *dev, hg_dtype dtype, hg_shape shape, const void *data);
/* A tensor on the caller's cl_mem, which is retained. `offset` in bytes, a multiple of the element size. */
HG_API hg_tensor *hg_tensor_wrap(hg_device *dev, struct _cl_mem *mem, size_t offset, hg_dtype dtype, hg_shape shape);
/* The cl_mem under a tensor and the byte offset of its first element; strides are hg_stride's. */
HG_API struct _cl_mem *hg_tensor_mem(hg_tensor *t, size_t *offset);

/* ---- Reading and writing --------------------------------------------------------------------------------------- */
/* Waits, then copies all elements, row-major whatever the strides, to `out` (hg_numel * hg_dtype_size bytes). */
HG_API hg_status hg_read(hg_tensor *t, void *out);
/* Overwrites the elements from host memory (row-major, the tensor's dtype; a contiguous tensor). */
HG_API hg_status hg_write(hg_tensor *t, const void *data);
/* The one element of a tensor of one element; NaN / 0 with the error set otherwise. */
HG_API double hg_item(hg_tensor *t);
HG_API int64_t hg_item_i64(hg_tensor *t);

/* ---- Views: share memory, have gradients ----------------------------------------------------------------------- */
/* One size may be -1: it is inferred. Error as PyTorch's if the strides do not allow it. */
HG_API hg_tensor *hg_view(hg_tensor *t, hg_shape shape);
HG_API hg_tensor *hg_reshape(hg_tensor *t, hg_shape shape);             /* a view if possible, else a copy */
HG_API hg_tensor *hg_flatten(hg_tensor *t, int start_dim, int end_dim); /* inclusive; a view if possible */
HG_API hg_tensor *hg_transpose(hg_tensor *t, int dim0, int dim1);
HG_API hg_tensor *hg_permute(hg_tensor *t, hg_dims order);
HG_API hg_tensor *hg_select(hg_tensor *t, int dim, int64_t index);      /* drops the dim; negative index from the end */
/* t[start:end:step] along dim; start and end as in Python (negative from the end, clamped); step > 0 */
HG_API hg_tensor *hg_slice(hg_tensor *t, int dim, int64_t start, int64_t end, int64_t step);
HG_API hg_tensor *hg_expand(hg_tensor *t, hg_shape shape);              /* -1 keeps a size; new dims in front */
HG_API hg_tensor *hg_squeeze(hg_tensor *t, int dim);                    /* unchanged if the size is not 1 */
HG_API hg_tensor *hg_unsqueeze(hg_tensor *t, int dim);
HG_API hg_tensor *hg_detach(hg_tensor *t);                              /* same memory, no gradient */

/* ---- Copies ------------------------------------------------------------------------------------------------------ */
HG_API hg_tensor *hg_contiguous(hg_tensor *t);              /* itself if it already is; has a gradient */
HG_API hg_tensor *hg_clone(hg_tensor *t);                   /* contiguous copy; has a gradient */
HG_API hg_tensor *hg_cast(hg_tensor *t, hg_dtype dtype);    /* itself if it already is; gradient between float types */
HG_API hg_status hg_copy_(hg_tensor *dst, hg_tensor *src);  /* casts, broadcasts src; no gradient recorded */
HG_API hg_status hg_fill_(hg_tensor *t, double value);
HG_API hg_status hg_zero_(hg_tensor *t);
/* numpy's ndarray.resize: a contiguous copy of `shape`, row-major elements truncated or followed by zeros. */
HG_API hg_tensor *hg_resized(hg_tensor *t, hg_shape shape);

/* ---- Random numbers ---------------------------------------------------------------------------------------------
 * Two sources a device: Philox4x32-10 computed on the device (the default), and the exact stream of PyTorch's CPU
 * generator (Mersenne Twister), so that seed 0 there is seed 0 here. A fresh device has Philox with seed 0. */
typedef enum hg_rng_kind { HG_RNG_PHILOX, HG_RNG_TORCH } hg_rng_kind;
HG_API hg_status hg_manual_seed(hg_device *dev, uint64_t seed, hg_rng_kind kind);
HG_API hg_tensor *hg_rand(hg_device *dev, hg_shape shape);      /* f32, uniform in [0, 1) */
HG_API hg_tensor *hg_randn(hg_device *dev, hg_shape shape);     /* f32, normal(0, 1) */
HG_API hg_tensor *hg_randint(hg_device *dev, int64_t low, int64_t high, hg_shape shape);  /* i64 in [low, high) */
HG_API hg_status hg_uniform_(hg_tensor *t, double low, double high);    /* contiguous f32 */
HG_API hg_status hg_normal_(hg_tensor *t, double mean, double std);     /* contiguous f32 */
HG_API hg_status hg_randperm(hg_device *dev, int64_t n, int64_t *out);  /* to host memory: a permutation of 0..n-1 */
/* The generator's state as bytes, for checkpoints: returns its size; writes it if `out` is not NULL. */
HG_API size_t hg_rng_get_state(hg_device *dev, void *out);
HG_API hg_status hg_rng_set_state(hg_device *dev, const void *state, size_t size);

/* ---- Kernels of one's own ----------------------------------------------------------------------------------------
 * Builds `source` (OpenCL C; once for each device, text and options) and queues its kernel. For an operation with a
 * gradient see hg_record_custom() in autograd.h. A tensor argument is two arguments of the kernel: __global TYPE *x,
 * long x_offset (in elements; strides are hg_stride's). `local` may be NULL: the driver chooses.
 * Errors: HG_E_DRIVER with the compiler's words, or naming the argument that does not fit. */
typedef struct hg_kernel_arg {
    enum { HG_KERNEL_TENSOR, HG_KERNEL_INT, HG_KERNEL_LONG, HG_KERNEL_FLOAT, HG_KERNEL_DOUBLE, HG_KERNEL_LOCAL } kind;
    union {
        hg_tensor *tensor;
        int32_t i;
        int64_t l;
        float f;
        double d;
        size_t bytes;           /* of local memory */
    } value;
} hg_kernel_arg;
#define HG_TENSOR_ARG(t) ((hg_kernel_arg){HG_KERNEL_TENSOR, {.tensor = (t)}})
#define HG_INT_ARG(v) ((hg_kernel_arg){HG_KERNEL_INT, {.i = (v)}})
#define HG_LONG_ARG(v) ((hg_kernel_arg){HG_KERNEL_LONG, {.l = (v)}})
#define HG_FLOAT_ARG(v) ((hg_kernel_arg){HG_KERNEL_FLOAT, {.f = (v)}})
#define HG_DOUBLE_ARG(v) ((hg_kernel_arg){HG_KERNEL_DOUBLE, {.d = (v)}})
#define HG_LOCAL_ARG(n) ((hg_kernel_arg){HG_KERNEL_LOCAL, {.bytes = (n)}})
HG_API hg_status hg_run_kernel(hg_device *dev, const char *source, const char *options, const char *kernel, int dims,
                               const size_t *global, const size_t *local, const hg_kernel_arg *args, int nargs);

/* ---- Printing ----------------------------------------------------------------------------------------------------
 * The text that torch's print() and NumPy's print() give for the same values. free() it; NULL on failure. */
HG_API char *hg_to_text(hg_tensor *t);          /* tensor([[ 0.4534, -0.7466], ... */
HG_API char *hg_to_numpy_text(hg_tensor *t);    /* [[[  0   3   6 ... */
/* print() of what torch.max(t, dim) returns: torch.return_types.max(\nvalues=...,\nindices=...). */
HG_API char *hg_max_to_text(hg_tensor *values, hg_tensor *indices);

#ifdef __cplusplus
}
#endif
#endif
