/* OpenCL 1.2, and its error codes by name. */
#ifndef HG_CL_OPENCL_H
#define HG_CL_OPENCL_H

#include <CL/cl.h>

#include "base/error.h"

/* "CL_OUT_OF_RESOURCES (-5)"; a static text of this thread. */
const char *hg_cl_name(cl_int code);

/* Keeps the error "operation: what failed with CODE" and returns HG_E_DRIVER, or HG_E_MEMORY for the codes that mean
 * memory; HG_OK for CL_SUCCESS. */
hg_status hg_cl_error(cl_int code, const char *what);

#endif
