/* safetensors files. */
#include "fuzz.h"
#include "weights/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hg_value *v;
    if (hg_safetensors_read(fuzz_file(data, size), &v) == HG_OK) hg_value_free(v);
    hg_clear_error();
    return 0;
}
