/* Files of weights in any format, which their first bytes tell. */
#ifndef HG_WEIGHTS_READ_H
#define HG_WEIGHTS_READ_H

#include "weights/value.h"

/* Reads a .pth or a safetensors file, whatever it is called. Errors and result: see pth.h and safetensors.h. */
hg_status hg_weights_read(const char *path, hg_value **out);

#endif
