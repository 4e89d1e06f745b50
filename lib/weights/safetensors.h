/* safetensors files: https://huggingface.co/docs/safetensors/index#format */
#ifndef HG_WEIGHTS_SAFETENSORS_H
#define HG_WEIGHTS_SAFETENSORS_H

#include "weights/source.h"
#include "weights/value.h"

/* Reads a safetensors file into an ordered dict of arrays, in the order of its header; the elements stay in the file.
 * Texts of "__metadata__" are left out. As in the reference implementation, the tensors have to cover the data without
 * gaps or overlaps. hg_value_free(*out). Errors: HG_E_FORMAT for a damaged file or an element type that hg_array lacks;
 * HG_E_MEMORY. *out is NULL then. */
hg_status hg_safetensors_parse(hg_map *map, hg_value **out);

/* Whether these first bytes of a file are those of safetensors: an int64 and a JSON object. */
bool hg_is_safetensors(const unsigned char *start, size_t size);

/* Writes a dict of arrays, its order kept in the header; the data lies by element size, largest first, so that all is
 * aligned. "__metadata__" says {"format": "pt"}, as PyTorch's does. The file is replaced whole or not at all.
 * Errors: HG_E_ARG for anything but string keys and arrays; HG_E_FORMAT for a name that is not UTF-8; HG_E_IO;
 * HG_E_MEMORY; those of reading the arrays. */
hg_status hg_safetensors_write(const char *path, const hg_value *dict);

#endif
