#include "fuzz.h"
#include "weights/value.h"

enum { MOST = 256 };

static void read_some(const hg_array *a)
{
    double room[MOST];
    int64_t count = hg_array_count(a), n = count < MOST ? count : MOST;
    if (hg_array_convert(a, 0, n, HG_F64, room) == HG_OK) hg_array_convert(a, count - n, n, HG_F64, room);
}

void fuzz_elements(const hg_value *v)
{
    if (v->kind == HG_VALUE_ARRAY) read_some(&v->array);
    if (v->kind == HG_VALUE_LIST || v->kind == HG_VALUE_TUPLE)
        for (size_t i = 0; i < v->list.count; i++) fuzz_elements(v->list.items[i]);
    if (v->kind == HG_VALUE_DICT)
        for (size_t i = 0; i < v->dict.count; i++) fuzz_elements(v->dict.entries[i].item);
}
