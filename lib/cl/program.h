/* Programs: kernel source built for a device, once a variant, and kept. */
#ifndef HG_CL_PROGRAM_H
#define HG_CL_PROGRAM_H

#include "cl/opencl.h"
#include "hapgop/device.h"

/* A kernel file of kernels/, put into the library by tools/embed, or the text of a custom operation. */
typedef struct hg_source {
    const char *name;
    const char *text;
    bool transient;     /* the text may be freed and its address used again: compared by content */
    const struct hg_source *bundle;     /* has the same kernels, for the variant without options; NULL: none */
} hg_source;

/* The kernel `name` of the variant that `options` ("-DHG_F64=1 -DSIZE=4", NULL for none) makes of `source`, built on
 * first use. The kernel belongs to the device. On failure NULL and an error with the start of the build log; the
 * whole log goes to the log topic "build". A variant that failed is not built again. */
cl_kernel hg_kernel_get(hg_device *dev, const hg_source *source, const char *options, const char *name);

typedef struct hg_programs hg_programs;
hg_programs *hg_programs_new(void);
void hg_programs_free(hg_programs *p);

#endif
