/* safetensors files: https://huggingface.co/docs/safetensors/index#format */
#ifndef HG_WEIGHTS_SAFETENSORS_H
#define HG_WEIGHTS_SAFETENSORS_H

#include "weights/value.h"

/* Reads a safetensors file into an ordered dict of arrays, in the order of its header. Texts of "__metadata__" are left
 * out. As in the reference implementation, the tensors have to cover the data without gaps or overlaps.
 * hg_value_free(*out). Errors: HG_E_IO; HG_E_FORMAT for a damaged file or an element type that hg_array lacks;
 * HG_E_MEMORY. *out is NULL then. */
hg_status hg_safetensors_read(const char *path, hg_value **out);

/* Whether these first bytes of a file are those of safetensors: an int64 and a JSON object. */
bool hg_is_safetensors(const unsigned char *start, size_t size);

#endif
