/* .pth files: the zip and the pickle in it, and the format from before PyTorch 1.6. */
#include "fuzz.h"
#include "weights/pth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hg_value *v;
    if (hg_pth_read(fuzz_file(data, size), &v) == HG_OK) {
        fuzz_elements(v);
        hg_value_free(v);
    }
    hg_clear_error();
    return 0;
}
