/* IDX files, plain and gzip. */
#include <stdlib.h>

#include "data/idx.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *path = fuzz_file(data, size);
    for (int ndim = 1; ndim <= 3; ndim += 2) {
        hg_idx idx;
        if (hg_idx_read(path, ndim, &idx) == HG_OK) free(idx.data);
    }
    hg_clear_error();
    return 0;
}
