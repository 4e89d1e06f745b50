/* Descriptions of smaller devices, for tests. */
#ifndef HG_CL_LIMITS_H
#define HG_CL_LIMITS_H

#include "hapgop/device.h"

/* HAPGOP_DEVICE_LIMITS="local_mem=16384,max_wg=256,units=1,fp64=0,max_alloc=64M" makes the device's description
 * smaller, never larger: bytes of local memory, work-items of a group, compute units, double precision, bytes of the
 * largest allocation. *limited is whether there is any limit. What asks for more is refused by whoever asks, and by
 * hg_launch.
 * Errors: HG_E_ARG for text that says nothing, naming what there is to say. */
hg_status hg_limits_apply(hg_device_info *info, bool *limited);

#endif
