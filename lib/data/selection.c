/* Classes of a dataset, and datasets of some of another one's classes. */
#include <stdlib.h>

#include "base/checked.h"
#include "data/dataset.h"

int hg_dataset_class_count(const hg_dataset *d)
{
    return d->class_count;
}

const char *hg_dataset_class(const hg_dataset *d, int64_t label)
{
    return label >= 0 && label < d->class_count ? d->class_names[label] : NULL;
}

hg_status hg_dataset_label(const hg_dataset *d, int64_t index, int64_t *label)
{
    if (d->of) {
        *label = d->labels[index];
        return HG_OK;
    }
    if (d->type->label) {
        *label = d->type->label(d->self, index);
        return HG_OK;
    }
    return hg_error(HG_E_UNSUPPORTED, "dataset %s: its labels are not known without its items; give its type a `label`",
                    d->type->name);
}

int64_t hg_dataset_class_size(const hg_dataset *d, int64_t label)
{
    int64_t n = 0, have;
    for (int64_t i = 0; i < d->length; i++) {
        if (hg_dataset_label(d, i, &have) != HG_OK) return -1;
        n += have == label;
    }
    return n;
}

/* Where `label` stands among the classes, -1 if it does not. */
static int place_of(int64_t label, const int64_t *classes, int count)
{
    for (int i = 0; i < count; i++)
        if (classes[i] == label) return i;
    return -1;
}

/* Fills indices and labels; `taken` has a zero for each class. */
static hg_status select_items(hg_dataset *s, const int64_t *classes, int count, int64_t per_class, int64_t *taken)
{
    for (int64_t i = 0; i < s->of->length; i++) {
        int64_t label;
        HG_TRY(hg_dataset_label(s->of, i, &label));
        int place = place_of(label, classes, count);
        if (place < 0 || (per_class && taken[place] == per_class)) continue;
        taken[place]++;
        s->indices[s->length] = i;
        s->labels[s->length++] = place;
    }
    return HG_OK;
}

static hg_status check_classes(const hg_dataset *d, const int64_t *classes, int count, int64_t per_class)
{
    if (count < 1 || per_class < 0)
        return hg_error(HG_E_ARG, "select_classes: %d classes with %lld items each; at least one class is needed, and "
                        "0 or more items", count, (long long)per_class);
    for (int i = 0; i < count; i++) {
        if (d->class_count && !hg_dataset_class(d, classes[i]))
            return hg_error(HG_E_ARG, "select_classes: class %lld; dataset %s has classes 0 to %d",
                            (long long)classes[i], d->type->name, d->class_count - 1);
        if (place_of(classes[i], classes, i) >= 0)
            return hg_error(HG_E_ARG, "select_classes: class %lld comes twice", (long long)classes[i]);
    }
    return HG_OK;
}

hg_dataset *hg_select_classes(const hg_dataset *d, const int64_t *classes, int count, int64_t per_class)
{
    if (check_classes(d, classes, count, per_class) != HG_OK) return NULL;
    hg_dataset *s = calloc(1, sizeof *s);
    int64_t *taken = calloc((size_t)count, sizeof *taken);
    if (s) {
        *s = (hg_dataset){.type = d->type, .raw = d->raw, .item = d->item, .of = d};
        s->indices = malloc((size_t)d->length * sizeof *s->indices + 1);
        s->labels = malloc((size_t)d->length * sizeof *s->labels + 1);
        s->own_names = malloc((size_t)count * sizeof *s->own_names);
    }
    hg_status status = HG_OK;
    if (!s || !taken || !s->indices || !s->labels || !s->own_names)
        status = hg_error(HG_E_MEMORY, "select_classes: out of memory");
    if (status == HG_OK) status = select_items(s, classes, count, per_class, taken);
    free(taken);
    if (status != HG_OK) {
        hg_dataset_free(s);
        return NULL;
    }
    for (int i = 0; i < count && d->class_count; i++) s->own_names[i] = hg_dataset_class(d, classes[i]);
    s->class_names = s->own_names;
    s->class_count = d->class_count ? count : 0;
    return s;
}
