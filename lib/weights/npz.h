/* NumPy's .npz files: a zip of .npy files, https://numpy.org/doc/stable/reference/generated/numpy.savez.html */
#ifndef HG_WEIGHTS_NPZ_H
#define HG_WEIGHTS_NPZ_H

#include "weights/npy.h"
#include "weights/value.h"
#include "weights/zip_read.h"

/* Reads what numpy.savez or savez_compressed wrote into an ordered dict of arrays, by the names without ".npy". What was
 * not compressed stays in the file; the rest is unpacked into temporary files. hg_value_free(*out).
 * Errors: HG_E_FORMAT for a damaged file, an entry that is no .npy, a type that hg_array lacks; HG_E_IO; HG_E_MEMORY. */
hg_status hg_npz_zip(const hg_zip_reader *z, hg_value **out);
bool hg_is_npz_zip(const hg_zip_reader *z);

/* Writes a dict of arrays for numpy.load(), uncompressed, replacing the file whole or not at all.
 * Errors: HG_E_ARG for anything but string keys and arrays; HG_E_DTYPE for bfloat16, which NumPy lacks; HG_E_FORMAT for
 * a name that is not UTF-8; HG_E_IO; HG_E_MEMORY. */
hg_status hg_npz_write(const char *path, const hg_value *dict);

#endif
