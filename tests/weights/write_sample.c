/* Writes a checkpoint with every kind of value and type to the path given: load_sample.py has torch.load read it. */
#include <stdio.h>

#include "weights/pth.h"

static hg_status put_types(hg_value *list)
{
    static uint16_t half[] = {0xbc00, 0, 0x3c00, 0x4000}, brain[] = {0xbf80, 0, 0x3f80, 0x4000};
    for (int t = 0; t < HG_ARRAY_DTYPES; t++) {
        hg_array a;
        HG_TRY(hg_array_alloc(&a, t, HG_SHAPE(2, 1, 2)));
        for (int i = 0; i < 4; i++) {
            int x = i - 1;
            switch (a.dtype) {
            case HG_ARRAY_F32: ((float *)a.data)[i] = (float)x; break;
            case HG_ARRAY_F64: ((double *)a.data)[i] = x; break;
            case HG_ARRAY_I32: ((int32_t *)a.data)[i] = x; break;
            case HG_ARRAY_I64: ((int64_t *)a.data)[i] = x; break;
            case HG_ARRAY_U8: ((uint8_t *)a.data)[i] = (uint8_t)i; break;
            case HG_ARRAY_BOOL: ((uint8_t *)a.data)[i] = i % 2; break;
            case HG_ARRAY_I8: ((int8_t *)a.data)[i] = (int8_t)x; break;
            case HG_ARRAY_I16: ((int16_t *)a.data)[i] = (int16_t)x; break;
            case HG_ARRAY_F16: ((uint16_t *)a.data)[i] = half[i]; break;
            case HG_ARRAY_BF16: ((uint16_t *)a.data)[i] = brain[i]; break;
            }
        }
        HG_TRY(hg_value_append(list, hg_value_array(&a)));
    }
    return HG_OK;
}

static hg_status put_state(hg_value *state)
{
    static float weight[6] = {0, 1, 2, 3, 4, 5}, bias[2] = {0.5f, -0.5f};
    hg_array w = {HG_ARRAY_F32, HG_SHAPE(2, 3), weight, true}, b = {HG_ARRAY_F32, HG_SHAPE(2), bias, true};
    HG_TRY(hg_value_set(state, "fc.weight", hg_value_array(&w)));
    HG_TRY(hg_value_set(state, "fc.bias", hg_value_array(&b)));
    hg_value *metadata = hg_value_ordered_dict(), *module = hg_value_dict();
    HG_TRY(hg_value_set(module, "version", hg_value_int(1)));
    HG_TRY(hg_value_set(metadata, "fc", module));
    return hg_value_set_metadata(state, metadata);
}

static hg_status put_all(hg_value *root)
{
    hg_value *types = hg_value_list(), *state = hg_value_ordered_dict(), *pair = hg_value_tuple();
    HG_TRY(hg_value_set(root, "types", types));
    HG_TRY(hg_value_set(root, "state", state));
    HG_TRY(hg_value_set(root, "pair", pair));
    HG_TRY(put_types(types));
    HG_TRY(put_state(state));
    HG_TRY(hg_value_append(pair, hg_value_int(INT64_MIN)));
    HG_TRY(hg_value_append(pair, hg_value_string("Gr\xc3\xbc\xc3\x9f" "e")));
    static float seven = 7;
    hg_array scalar = {HG_ARRAY_F32, {0}, &seven, true}, empty = {HG_ARRAY_F32, HG_SHAPE(0, 3), &seven, true};
    HG_TRY(hg_value_set(root, "scalar", hg_value_array(&scalar)));
    HG_TRY(hg_value_set(root, "empty", hg_value_array(&empty)));
    HG_TRY(hg_value_set(root, "none", hg_value_none()));
    HG_TRY(hg_value_set(root, "yes", hg_value_bool(true)));
    return hg_value_set_at(root, 5, hg_value_int(-300));
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    hg_value *root = hg_value_dict();
    hg_status status = put_all(root);
    if (status == HG_OK) status = hg_pth_write(argv[1], root);      /* no float: weights_only of 1.13 knows none */
    if (status == HG_OK) status = hg_value_set(root, "half", hg_value_double(0.5));
    if (status == HG_OK) status = hg_pth_write(argv[2], root);
    hg_value_free(root);
    if (status != HG_OK) fprintf(stderr, "%s\n", hg_last_error());
    return status != HG_OK;
}
