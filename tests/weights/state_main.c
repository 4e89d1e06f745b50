/* State dicts of modules and optimizers. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_state.h"

static char folder[] = "/tmp/hapgop-state-XXXXXX";

const char *scratch(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static hg_tensor *pair_forward(hg_module *m, hg_tensor *x)
{
    (void)m;
    return x;
}

hg_module *make_pair(int first)
{
    static const hg_module_class pair_class = {.name = "Pair", .forward = pair_forward};
    hg_device *dev = test_device();
    hg_module *m = hg_module_new(dev, &pair_class);
    double values[8];
    for (int i = 0; i < 8; i++) values[i] = first + i;
    ck_assert_hg(hg_add_parameter(m, "weight", test_tensor(HG_F32, HG_SHAPE(2, 3), values)));
    ck_assert_hg(hg_add_parameter(m, "bias", test_tensor(HG_F32, HG_SHAPE(2), values + 6)));
    return m;
}

bool same_state(hg_module *a, hg_module *b)
{
    hg_value *x, *y;
    ck_assert_hg(hg_module_to_value(a, &x));
    ck_assert_hg(hg_module_to_value(b, &y));
    bool same = x->dict.count == y->dict.count;
    for (size_t i = 0; same && i < x->dict.count; i++) {
        const hg_value_entry *p = &x->dict.entries[i], *q = &y->dict.entries[i];
        same = !strcmp(p->key->string, q->key->string) && p->item->array.dtype == q->item->array.dtype &&
               hg_array_bytes(&p->item->array) == hg_array_bytes(&q->item->array) &&
               !memcmp(p->item->array.data, q->item->array.data, hg_array_bytes(&p->item->array));
    }
    hg_value_free(x);
    hg_value_free(y);
    return same;
}

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.') unlink(scratch(entry->d_name));
    if (dir) closedir(dir);
    rmdir(folder);
}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    Suite *suites[] = {
        open_suite(),
        optimizer_state_suite(),
        state_suite(),
    };
    int failed = test_main("weights-state", suites, (int)(sizeof suites / sizeof *suites));
    remove_folder();
    return failed;
}
