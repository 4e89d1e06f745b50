/* What a kernel finds wrong. The device has four ints, zero while all is well; a kernel that meets bad data writes
 * {kind, value, limit, position} and goes on without touching memory out of range. The finding is looked for at the
 * next wait, becomes the thread's error, and is then cleared. Optimizer kernels read the first int and do nothing
 * while it is set. */
#ifndef HG_CL_FAULT_H
#define HG_CL_FAULT_H

#include "cl/device.h"

enum {
    HG_FAULT_TARGET = 1,    /* class index `value` out of `limit` classes: HG_E_ARG "Target 3 is out of bounds." */
    HG_FAULT_INDEX = 2      /* index `value` out of a dimension of size `limit` */
};

/* The buffer to hand to a kernel that may write a fault; `watch` it from now on. */
cl_mem hg_fault_watch(hg_device *dev);
/* The buffer for kernels that only look. */
cl_mem hg_fault_buffer(hg_device *dev);
/* After a wait: turns a finding into an error. Called by hg_sync and by every read to the host. */
hg_status hg_fault_check(hg_device *dev);

#endif
