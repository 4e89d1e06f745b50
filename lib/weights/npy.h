/* NumPy's .npy files, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef HG_WEIGHTS_NPY_H
#define HG_WEIGHTS_NPY_H

#include "weights/array.h"

/* Reads a .npy file of version 1, 2 or 3 into a new array (hg_array_free it).
 * Types f4 f8 f2 i8 i4 i2 i1 u1 b1, little endian; Fortran order is turned into row-major; up to HG_MAX_DIMS.
 * Errors: HG_E_IO; HG_E_FORMAT for another type, a damaged header, or too few or too many bytes; HG_E_MEMORY. */
hg_status hg_npy_read(const char *path, hg_array *out);

/* The same from bytes in memory; `name` is for messages. */
hg_status hg_npy_parse(const char *name, const void *bytes, size_t size, hg_array *out);

/* Writes version 1.0 in C order, data at a multiple of 64 bytes, replacing the file whole or not at all.
 * Errors: HG_E_DTYPE for bfloat16, which NumPy lacks; HG_E_IO; HG_E_MEMORY. */
hg_status hg_npy_write(const char *path, const hg_array *a);

#endif
