#include "weights/read.h"

#include <stdio.h>

#include "weights/pth.h"
#include "weights/safetensors.h"

hg_status hg_weights_read(const char *path, hg_value **out)
{
    unsigned char start[9];
    FILE *stream = fopen(path, "rb");
    size_t got = stream ? fread(start, 1, sizeof start, stream) : 0;
    if (stream) fclose(stream);
    return hg_is_safetensors(start, got) ? hg_safetensors_read(path, out) : hg_pth_read(path, out);
}
