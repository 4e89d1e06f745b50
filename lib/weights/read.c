#include "weights/read.h"

#include <stdlib.h>
#include <string.h>

#include "weights/npz.h"
#include "weights/pth.h"
#include "weights/safetensors.h"

static hg_status no_weights(const hg_map *map, const char *what)
{
    return hg_error(HG_E_FORMAT, "%s: %s: neither .pth, .safetensors, .npz nor .npy; was the download complete?",
                    map->path, what);
}

static hg_status read_zip(hg_map *map, const char **format, hg_value **out)
{
    hg_zip_reader z;
    hg_status status = hg_zip_open(map, &z);
    if (status == HG_OK) {
        bool pth = hg_is_pth_zip(&z);
        *format = pth ? "pth" : "npz";
        status = pth                 ? hg_pth_zip(&z, out)
                 : hg_is_npz_zip(&z) ? hg_npz_zip(&z, out)
                                     : no_weights(map, "a zip without data.pkl or .npy files");
    }
    hg_zip_close(&z);
    return status;
}

/* One array, by the file's name without folder and extension. */
static hg_status read_npy(hg_map *map, hg_value **out)
{
    const char *slash = strrchr(map->path, '/'), *name = slash ? slash + 1 : map->path, *dot = strrchr(name, '.');
    char *key = strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
    hg_value *dict = hg_value_ordered_dict();
    hg_array a = {0};
    hg_extent *b = hg_extent_new(map, map->bytes, map->size, NULL, 0);
    hg_status status = key && dict && b ? hg_npy_view(map->path, b, &a)
                                        : hg_error(HG_E_MEMORY, "%s: out of memory", map->path);
    if (status == HG_OK) status = hg_value_add_entry(dict, hg_value_string(key), hg_value_array(&a));
    hg_extent_release(b);
    free(key);
    if (status == HG_OK) *out = dict;
    else hg_value_free(dict);
    return status;
}

hg_status hg_weights_parse(const char *path, const char **format, hg_value **out)
{
    hg_map *map;
    *out = NULL;
    HG_TRY(hg_map_open(path, &map));
    hg_status status;
    if (hg_is_zip(map->bytes, map->size)) {
        status = read_zip(map, format, out);
    } else if (hg_is_pth_legacy(map->bytes, map->size)) {
        *format = "pth from before PyTorch 1.6";
        status = hg_pth_legacy(map, out);
    } else if (hg_is_npy(map->bytes, map->size)) {
        *format = "npy";
        status = read_npy(map, out);
    } else if (hg_is_safetensors(map->bytes, map->size)) {
        *format = "safetensors";
        status = hg_safetensors_parse(map, out);
    } else {
        status = no_weights(map, "no file of weights");
    }
    hg_map_release(map);
    return status;
}
