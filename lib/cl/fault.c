#include "cl/fault.h"

#include <string.h>

cl_mem hg_fault_watch(hg_device *dev)
{
    dev->fault_watched = true;
    return dev->fault;
}

cl_mem hg_fault_buffer(hg_device *dev)
{
    return dev->fault;
}

hg_status hg_fault_check(hg_device *dev)
{
    cl_int found[4];
    if (!dev->fault_watched) return HG_OK;
    dev->fault_watched = false;
    HG_TRY(hg_cl_error(clEnqueueReadBuffer(dev->queue, dev->fault, CL_TRUE, 0, sizeof found, found, 0, NULL, NULL),
                       "reading what kernels found wrong"));
    if (!found[0]) return HG_OK;
    dev->faults++;
    const cl_int zero[4] = {0};
    HG_TRY(hg_cl_error(clEnqueueWriteBuffer(dev->queue, dev->fault, CL_TRUE, 0, sizeof zero, zero, 0, NULL, NULL),
                       "clearing what kernels found wrong"));
    if (found[0] == HG_FAULT_TARGET)
        return hg_error(HG_E_ARG, "cross_entropy: Target %d is out of bounds. (element %d; there are %d classes)", found[1],
                        found[3], found[2]);
    return hg_error(HG_E_ARG, "index %d is out of bounds for dimension with size %d (element %d)", found[1], found[2],
                    found[3]);
}
