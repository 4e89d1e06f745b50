/* Without any OpenCL platform the error says what to install. A process of its own: the loader looks once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hapgop/device.h"

int main(void)
{
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    hg_device *dev = hg_device_open(NULL);
    printf("%s\n", hg_last_error());
    return dev || hg_last_status() != HG_E_DEVICE || !strstr(hg_last_error(), "pocl-opencl-icd");
}
