/* Weights in the form that a solver reads them, kept with their storage while they stand. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "conv/solver.h"

/* One weight in one form. A storage has a list of them. */
struct hg_derived {
    struct hg_derived *next;
    const hg_conv_solver *solver;
    hg_conv_problem shape; /* shape_of() */
    int32_t layout;
    int64_t offset;   /* of the weight in the storage */
    unsigned version; /* of the storage when it was made */
    hg_block *block;
};

/* What a packed weight depends on; the rest is 0. */
static hg_conv_problem shape_of(const hg_conv_problem *p)
{
    hg_conv_problem s = {.outputs = p->outputs, .channels = p->channels, .groups = p->groups};
    s.direction = p->direction;
    s.rank = p->rank;
    s.dtype = p->dtype;
    for (int d = 0; d < p->rank; d++) s.kernel[d] = p->kernel[d];
    return s;
}

static void drop(hg_device *dev, struct hg_derived *d)
{
    hg_pool_give(dev, d->block);
    free(d);
}

static void drop_all(hg_storage *storage)
{
    while (storage->derived) {
        struct hg_derived *d = storage->derived;
        storage->derived = d->next;
        drop(storage->dev, d);
    }
}

static void drop_old(hg_storage *storage)
{
    for (struct hg_derived **at = &storage->derived, *d; (d = *at);) {
        if (d->version == storage->version) {
            at = &d->next;
            continue;
        }
        *at = d->next;
        drop(storage->dev, d);
    }
}

static struct hg_derived *find(const hg_storage *storage, const hg_conv_plan *plan, const hg_conv_problem *shape,
                               int64_t offset)
{
    struct hg_derived *d = storage->derived;
    while (d && (d->solver != plan->solver || d->layout != plan->config.layout || d->offset != offset ||
                 memcmp(&d->shape, shape, sizeof *shape)))
        d = d->next;
    return d;
}

static hg_status keep(hg_device *dev, const hg_conv_plan *plan, hg_conv_buffers *b, const hg_conv_problem *shape)
{
    hg_storage *storage = b->weight->storage;
    struct hg_derived *d = malloc(sizeof *d);
    if (!d) return hg_error(HG_E_MEMORY, "conv: out of host memory");
    *d = (struct hg_derived){storage->derived,
                             plan->solver,
                             *shape,
                             plan->config.layout,
                             b->weight->offset,
                             storage->version,
                             hg_pool_take(dev, plan->packed)};
    hg_status status = d->block ? HG_OK : hg_last_status();
    if (status == HG_OK) {
        b->packed = d->block->mem;
        status = plan->solver->prepare(dev, plan, b);
    }
    if (status != HG_OK) {
        drop(dev, d);
        return status;
    }
    storage->derived = d;
    storage->derived_free = drop_all;
    return HG_OK;
}

hg_status hg_conv_pack(hg_device *dev, const hg_conv_plan *plan, hg_conv_buffers *b, hg_block **own)
{
    hg_storage *storage = b->weight->storage;
    *own = NULL;
    drop_old(storage);
    if (b->weight_stands && storage->block) { /* who else writes to memory that is not ours is not known */
        hg_conv_problem shape = shape_of(&plan->problem);
        struct hg_derived *d = find(storage, plan, &shape, b->weight->offset);
        if (!d) return keep(dev, plan, b, &shape);
        b->packed = d->block->mem;
        return HG_OK;
    }
    b->packed = NULL;
    if (plan->solver->in_flight && plan->solver->in_flight(plan)) return HG_OK;
    *own = hg_pool_take(dev, plan->packed);
    if (!*own) return hg_last_status();
    b->packed = (*own)->mem;
    return plan->solver->prepare(dev, plan, b);
}
