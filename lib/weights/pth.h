/* PyTorch's .pth files: a zip with a pickle and the tensors' bytes, as torch.save writes them since 1.6, or pickles
 * with the tensors' bytes behind them, as before. */
#ifndef HG_WEIGHTS_PTH_H
#define HG_WEIGHTS_PTH_H

#include "weights/value.h"
#include "weights/zip_read.h"

/* Reads what torch.save wrote of numbers, strings, lists, tuples, dicts and dense tensors (f32 f64 f16 bf16 i64 i32 i16
 * i8 u8 bool, up to HG_MAX_DIMS, strided views of shared storages too). The elements stay in the file until they are
 * asked for (array.h). Parameters become plain tensors. Nothing in the file is ever executed. hg_value_free(*out).
 * Errors: HG_E_IO; HG_E_FORMAT for a damaged file or a Python object that is not of those kinds, which is named;
 * HG_E_MEMORY. *out is NULL then. */
hg_status hg_pth_read(const char *path, hg_value **out);

/* The same from the parts that read.c tells apart: a zip, and a file from before 1.6. */
hg_status hg_pth_zip(const hg_zip_reader *z, hg_value **out);
hg_status hg_pth_legacy(hg_map *map, hg_value **out);
bool hg_is_pth_zip(const hg_zip_reader *z);
bool hg_is_pth_legacy(const unsigned char *start, size_t size);

/* Writes a file that torch.load reads, with weights_only=True too, in PyTorch 1.6 and later. Each tensor gets a storage
 * of its own. The file is replaced whole or not at all; equal values make equal bytes.
 * Errors: HG_E_IO (a full disk); HG_E_FORMAT if a string is not UTF-8; HG_E_ARG if nested deeper than HG_VALUE_DEPTH;
 * HG_E_MEMORY. */
hg_status hg_pth_write(const char *path, const hg_value *v);

#endif
