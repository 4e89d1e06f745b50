/* .npz and .npy files, or whatever else the bytes look like. */
#include "fuzz.h"
#include "weights/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hg_value *v;
    const char *format;
    if (hg_weights_parse(fuzz_file(data, size), &format, &v) == HG_OK) {
        fuzz_elements(v);
        hg_value_free(v);
    }
    hg_clear_error();
    return 0;
}
