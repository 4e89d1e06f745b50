/* safetensors files. */
#include "fuzz.h"
#include "weights/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hg_value *v;
    hg_map *map;
    if (hg_map_open(fuzz_file(data, size), &map) == HG_OK) {
        if (hg_safetensors_parse(map, &v) == HG_OK) {
            fuzz_elements(v);
            hg_value_free(v);
        }
        hg_map_release(map);
    }
    hg_clear_error();
    return 0;
}
