/* The pickle reader by itself, without a file around it. */
#include "fuzz.h"
#include "weights/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hg_pickle p;
    if (hg_pickle_parse("input", data, size, NULL, &p) == HG_OK) hg_pickle_free(&p);
    hg_clear_error();
    return 0;
}
