/* Finding devices. */
#ifndef HG_CL_SCAN_H
#define HG_CL_SCAN_H

#include "cl/opencl.h"
#include "hapgop/device.h"

typedef struct hg_found {
    cl_platform_id platform;
    cl_device_id id;        /* NULL: a platform without devices */
    hg_device_info info;
    unsigned quirks;
} hg_found;

/* Every device of every platform; free(*found). HG_E_DEVICE, with the packages to install, without a platform. */
hg_status hg_scan(hg_found **found, int *count);

/* The one that `spec` means (see hg_device_open), in *chosen. */
hg_status hg_scan_choose(const char *spec, hg_found *chosen);

/* Capabilities and quirks of one device. */
void hg_describe(cl_platform_id platform, cl_device_id id, hg_device_info *info, unsigned *quirks);

#endif
