#include "data/dataset.h"

#include <stdlib.h>

#include "base/checked.h"

static hg_status check_item(const char *name, const hg_item_spec *item)
{
    if (item->dtype != HG_U8 && item->dtype != HG_F32)
        return hg_error(HG_E_DTYPE, "dataset %s: items must be uint8 or float32", name);
    if (item->shape.ndim < 1 || item->shape.ndim >= HG_MAX_DIMS)
        return hg_error(HG_E_SHAPE, "dataset %s: items of %d dimensions; 1 to %d are possible", name, item->shape.ndim,
                        HG_MAX_DIMS - 1);
    int64_t n = 1;
    for (int i = 0; i < item->shape.ndim; i++) {
        int64_t size = item->shape.size[i];
        if (size < 1 || !hg_mul_i64(n, size, &n) || n > HG_ITEM_MAX)
            return hg_error(HG_E_SHAPE, "dataset %s: size %lld in dimension %d; an item has 1 to %lld elements", name,
                            (long long)size, i, (long long)HG_ITEM_MAX);
    }
    return HG_OK;
}

static hg_status fill_in(hg_dataset *d, const hg_transform *transform)
{
    if (d->length < 0)
        return hg_error(HG_E_ARG, "dataset %s: length is %lld", d->type->name, (long long)d->length);
    HG_TRY(check_item(d->type->name, &d->raw));
    d->item = d->raw;
    if (transform) HG_TRY(transform->type->shape(transform, &d->item));
    HG_TRY(check_item(d->type->name, &d->item));
    d->transform = hg_transform_retain(transform);
    return HG_OK;
}

hg_dataset *hg_dataset_new(const hg_dataset_type *type, void *self, int64_t length, hg_dtype dtype, hg_shape shape,
                           const hg_transform *transform)
{
    hg_dataset *d = malloc(sizeof *d);
    if (!d) {
        hg_error(HG_E_MEMORY, "dataset %s: out of memory", type->name);
        if (type->destroy) type->destroy(self);
        return NULL;
    }
    *d = (hg_dataset){type, self, length, .raw = {dtype, shape}};
    if (fill_in(d, transform) == HG_OK) return d;
    hg_dataset_free(d);
    return NULL;
}

void hg_dataset_free(hg_dataset *d)
{
    if (!d) return;
    if (d->type->destroy) d->type->destroy(d->self);
    hg_transform_free(d->transform);
    free(d);
}

int64_t hg_dataset_length(const hg_dataset *d)
{
    return d->length;
}

hg_dtype hg_dataset_dtype(const hg_dataset *d)
{
    return d->item.dtype;
}

hg_shape hg_dataset_shape(const hg_dataset *d)
{
    return d->item.shape;
}

static hg_status get_raw(const hg_dataset *d, int64_t index, hg_sample *sample)
{
    sample->error[0] = 0;
    hg_status status = d->type->get(d->self, index, sample);
    if (status == HG_OK) return HG_OK;
    sample->error[sizeof sample->error - 1] = 0;
    return hg_error(status < 0 ? status : HG_E_STATE, "dataset %s: item %lld: %s", d->type->name, (long long)index,
                    sample->error[0] ? sample->error : hg_status_name(status));
}

hg_status hg_dataset_get(const hg_dataset *d, int64_t index, hg_sample *sample)
{
    if (index < 0 || index >= d->length)
        return hg_error(HG_E_ARG, "dataset %s: index %lld is out of range for %lld items", d->type->name,
                        (long long)index, (long long)d->length);
    if (!d->transform) return get_raw(d, index, sample);
    void *out = sample->data, *raw = malloc(hg_item_bytes(&d->raw));
    if (!raw) return hg_error(HG_E_MEMORY, "dataset %s: out of memory", d->type->name);
    sample->data = raw;
    hg_status status = get_raw(d, index, sample);
    sample->data = out;
    if (status == HG_OK) status = d->transform->type->apply(d->transform, &d->raw, raw, out);
    free(raw);
    return status;
}
