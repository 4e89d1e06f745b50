/* Known bugs of drivers, one row each. Vendor and driver names choose nothing else in this library. */
#ifndef HG_CL_QUIRKS_H
#define HG_CL_QUIRKS_H

#include "hapgop/device.h"

enum {
    HG_QUIRK_NO_BINARY_CACHE = 1 << 0,      /* our program cache would slow it down or break it */
    HG_QUIRK_CLBLAST_INTEL_GEMMK1 = 1 << 1, /* CLBlast's tuned parameters for it compute wrong results */
    HG_QUIRK_SKIP = 1 << 2,                 /* not to be opened */
    HG_QUIRK_SLOW_LONG_KERNELS = 1 << 3     /* takes minutes to compile a kernel of thousands of instructions */
};

/* The quirks of a device by its platform, vendor, name and driver texts; their names, separated by ", ", go to
 * info->quirks, and a reason to info->skipped for HG_QUIRK_SKIP. */
unsigned hg_quirks_of(hg_device_info *info);

#endif
