#include "data/finish.h"

#include <stdlib.h>
#include <string.h>

#include "data/geometry.h"

/* ---- Pack: the last step on the host ---------------------------------------------------------------------------- */

typedef struct pack {
    hg_transform base;
    hg_transform *flip;         /* NULL: none is drawn */
} pack;

static hg_status pack_shape(const hg_transform *t, hg_item_spec *item)
{
    (void)t;
    int64_t bytes = hg_item_elements(item);
    item->shape = HG_SHAPE(bytes + 1);
    return HG_OK;
}

static hg_status pack_apply(const hg_transform *t, const hg_item_spec *item, const void *in, void *out,
                            hg_mt19937 *random)
{
    const hg_transform *flip = ((const pack *)t)->flip;
    size_t bytes = hg_item_bytes(item);
    memcpy(out, in, bytes);
    ((uint8_t *)out)[bytes] = flip ? hg_flip_drawn(flip, random) : 0;
    return HG_OK;
}

static void pack_print(const hg_transform *t, hg_str *text)
{
    (void)t;
    hg_str_add(text, "Pack()");
}

static void pack_destroy(hg_transform *t)
{
    hg_transform_free(((pack *)t)->flip);
}

static hg_transform *make_pack(const hg_transform *flip)
{
    static const hg_transform_type type = {pack_shape, pack_apply, pack_print, pack_destroy};
    pack *p = hg_transform_alloc(&type, sizeof *p);
    if (!p) return NULL;
    p->flip = hg_transform_retain(flip);
    p->base.random = flip != NULL;
    return &p->base;
}

/* ---- Where the end begins --------------------------------------------------------------------------------------- */

/* The steps of a transform, those of lists in lists too, one after the other. */
typedef struct steps {
    const hg_transform **at;
    int count;
} steps;

static int count_steps(const hg_transform *t)
{
    int count, total = 0;
    hg_transform *const *list;
    if (!hg_compose_steps(t, &list, &count)) return 1;
    for (int i = 0; i < count; i++) total += count_steps(list[i]);
    return total;
}

static void add_steps(const hg_transform *t, steps *s)
{
    int count;
    hg_transform *const *list;
    if (hg_compose_steps(t, &list, &count))
        for (int i = 0; i < count; i++) add_steps(list[i], s);
    else s->at[s->count++] = t;
}

/* The step that is ToTensor with nothing but Normalize behind it, or -1. */
static int to_tensor_of(const steps *s)
{
    int i = s->count - 1;
    while (i >= 0 && s->at[i]->type->step == HG_STEP_NORMALIZE) i--;
    return i >= 0 && s->at[i]->type->step == HG_STEP_TO_TENSOR ? i : -1;
}

/* A list of the steps from `first` to before `end`, and `last` (handed over) if it is not NULL. */
static hg_transform *list_of(const steps *s, int first, int end, hg_transform *last)
{
    int count = 0;
    hg_transform **list = malloc((size_t)(end - first + 1) * sizeof *list);
    if (!list) {
        hg_error(HG_E_MEMORY, "loader: out of memory");
        hg_transform_free(last);
        return NULL;
    }
    for (int i = first; i < end; i++) list[count++] = hg_transform_retain(s->at[i]);
    if (last) list[count++] = last;
    hg_transform *made = hg_compose(list, count);
    free(list);
    return made;
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

/* What the end makes of each byte: found by giving it an image of one row that has them all. */
static hg_status fill_table(hg_finish *f, const hg_transform *end)
{
    hg_item_spec row = {HG_U8, HG_SHAPE(1, 256, f->channels)};
    uint8_t *bytes = malloc((size_t)(256 * f->channels));
    f->table = malloc((size_t)(256 * f->channels) * sizeof *f->table);
    if (!bytes || !f->table) {
        free(bytes);
        return hg_error(HG_E_MEMORY, "loader: out of memory");
    }
    for (int64_t i = 0; i < 256 * f->channels; i++) bytes[i] = (uint8_t)(i / f->channels);
    hg_status status = end->type->apply(end, &row, bytes, f->table, NULL);
    free(bytes);
    return status;
}

static hg_status fill_in(hg_finish *f, const steps *s, const hg_item_spec *raw)
{
    int to_tensor = to_tensor_of(s);
    if (to_tensor < 0)
        return hg_error(HG_E_ARG, "loader: on_device needs a transform that ends with hg_to_tensor(), or with it and "
                        "hg_normalize()");
    bool flips = to_tensor > 0 && s->at[to_tensor - 1]->type->step == HG_STEP_FLIP;
    int end = to_tensor - flips;
    hg_item_spec image = *raw;
    for (int i = 0; i < end; i++) HG_TRY(s->at[i]->type->shape(s->at[i], &image));
    if (image.dtype != HG_U8)
        return hg_error(HG_E_ARG, "loader: on_device needs images of uint8 before hg_to_tensor()");
    f->height = image.shape.size[0];
    f->width = image.shape.size[1];
    f->channels = image.shape.ndim == 3 ? image.shape.size[2] : 1;
    f->packed = image;
    hg_transform *last = make_pack(flips ? s->at[end] : NULL);
    if (last) HG_TRY(pack_shape(last, &f->packed));
    f->head = last ? list_of(s, 0, end, last) : NULL;
    hg_transform *tail = f->head ? list_of(s, to_tensor, s->count, NULL) : NULL;
    if (!tail) return hg_last_status();
    hg_status status = fill_table(f, tail);
    hg_transform_free(tail);
    return status;
}

hg_status hg_finish_new(const hg_transform *transform, const hg_item_spec *raw, hg_finish **finish)
{
    steps s = {malloc(((size_t)(transform ? count_steps(transform) : 0) + 1) * sizeof *s.at), 0};
    hg_finish *f = calloc(1, sizeof *f);
    hg_status status = s.at && f ? HG_OK : hg_error(HG_E_MEMORY, "loader: out of memory");
    if (status == HG_OK && transform) add_steps(transform, &s);
    if (status == HG_OK) status = fill_in(f, &s, raw);
    free(s.at);
    if (status == HG_OK) *finish = f;
    else hg_finish_free(f);
    return status;
}

void hg_finish_free(hg_finish *f)
{
    if (!f) return;
    hg_transform_free(f->head);
    hg_release(f->on_device);
    free(f->table);
    free(f);
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static hg_status launch(const hg_finish *f, hg_tensor *packed, hg_tensor *y)
{
    hg_device *dev = packed->dev;
    bool wide = y->numel > INT32_MAX || packed->numel > INT32_MAX;
    int64_t rows = packed->size[0] * f->channels * f->height;
    hg_range range = hg_range_elements(dev, hg_is_cpu(dev) ? rows : y->numel);
    return hg_launch(dev, &hg_source_image_batch, wide ? "-DHG_WIDE=1" : NULL, "image_batch", range,
                     HG_ARGS(HG_ARG_I64(packed->size[0]), HG_ARG_I64(f->channels), HG_ARG_I64(f->height),
                             HG_ARG_I64(f->width), HG_ARG_TENSOR(f->on_device), HG_ARG_TENSOR(packed),
                             HG_ARG_TENSOR(y)));
}

hg_tensor *hg_finish_run(hg_finish *f, hg_tensor *packed)
{
    if (!hg_ok(packed)) return packed;
    hg_scope *s = hg_scope_inner();
    if (!f->on_device) {
        hg_tensor *table = hg_from_data(packed->dev, HG_F32, HG_SHAPE(f->channels, 256), f->table);
        if (!hg_ok(table)) return hg_scope_return(s, table);
        f->on_device = hg_retain(table);
    }
    int64_t size[] = {packed->size[0], f->channels, f->height, f->width};
    hg_tensor *y = hg_new_tensor(packed->dev, HG_F32, 4, size);
    if (hg_ok(y) && launch(f, packed, y) != HG_OK) y = hg_failed();
    return hg_scope_return(s, y);
}
