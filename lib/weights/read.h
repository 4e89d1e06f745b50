/* Files of weights in any format, which their content tells. */
#ifndef HG_WEIGHTS_READ_H
#define HG_WEIGHTS_READ_H

#include "weights/value.h"

/* Reads a .pth, safetensors, .npz or .npy file, whatever it is called; *format is its name, which lasts. The elements
 * stay in the file until they are asked for (array.h). hg_value_free(*out).
 * Errors: HG_E_IO; HG_E_FORMAT for a damaged file, or one of another kind; HG_E_MEMORY. *out is NULL then. */
hg_status hg_weights_parse(const char *path, const char **format, hg_value **out);

#endif
