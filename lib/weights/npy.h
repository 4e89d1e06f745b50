/* NumPy's .npy files, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef HG_WEIGHTS_NPY_H
#define HG_WEIGHTS_NPY_H

#include "base/str.h"
#include "weights/source.h"

/* The array in a .npy file of version 1, 2 or 3, whose bytes `b` has and keeps; `name` begins the messages.
 * Types f4 f8 f2 i8 i4 i2 i1 u1 b1, little or big endian; Fortran's order too; up to HG_MAX_DIMS.
 * Errors: HG_E_FORMAT for another type, a damaged header, or too few or too many bytes; those of hg_extent_open(). */
hg_status hg_npy_view(const char *name, hg_extent *b, hg_array *out);
bool hg_is_npy(const unsigned char *start, size_t size);

/* Reads a .npy file into memory (hg_array_free it). Also HG_E_IO, HG_E_MEMORY. */
hg_status hg_npy_read(const char *path, hg_array *out);

/* Appends what stands before the elements: version 1.0, C order, a multiple of 64 bytes. `path` is for messages.
 * HG_E_DTYPE for bfloat16, which NumPy lacks; HG_E_MEMORY. */
hg_status hg_npy_header(const char *path, const hg_array *a, hg_str *out);

/* Writes such a file, replacing it whole or not at all. Also HG_E_IO, HG_E_MEMORY. */
hg_status hg_npy_write(const char *path, const hg_array *a);

#endif
