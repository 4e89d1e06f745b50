/* The loader: epochs, their random draws, and batches on the device. Fetching is data/feed.c's. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "data/dataset.h"
#include "data/feed.h"
#include "data/finish.h"
#include "tensor/random.h"
#include "tensor/tensor.h"
#include "tensor/torch_random.h"

#define MAX_WORKERS 1024
#define MAX_PREFETCH 65536
#define MAX_EPOCH (1 << 27)     /* of a state from outside: draw_seeds walks there */

struct hg_loader {
    hg_device *dev;
    const hg_dataset *dataset;
    hg_loader_options options;
    hg_feed *feed;
    hg_finish *finish;      /* what the device does to each batch; NULL: nothing */
    int64_t *order;         /* NULL unless it shuffles */
    bool feeding;           /* the feed works on the epoch that `state` tells of */
    hg_loader_state state;
    hg_batch batch;
};

/* ---- Making and freeing --------------------------------------------------------------------------------------- */

static int processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static void warn_of_workers(int workers)
{
    static int said;
    int most = processors();
    if (workers > most)
        hg_warn_once(&said, "loader: This DataLoader will create %d worker threads in total. Our suggested max number "
                     "of worker in current system is %d, which is smaller than what this DataLoader is going to "
                     "create. Please be aware that excessive worker creation might get DataLoader running slow or even "
                     "freeze, lower the worker number to avoid potential slowness/freeze if necessary.", workers, most);
}

static hg_status check_options(const hg_loader_options *o, const hg_dataset *dataset)
{
    if (o->batch_size < 1)
        return hg_error(HG_E_ARG, "loader: batch_size should be a positive integer value, but got batch_size=%lld",
                        (long long)o->batch_size);
    if (o->workers < 0)
        return hg_error(HG_E_ARG, "loader: num_workers option should be non-negative; use num_workers=0 to disable "
                        "multiprocessing. (got workers=%d)", o->workers);
    if (o->workers > MAX_WORKERS)
        return hg_error(HG_E_ARG, "loader: %d workers; at most %d are possible", o->workers, MAX_WORKERS);
    if (o->prefetch_factor < 1 || o->prefetch_factor > MAX_PREFETCH)
        return hg_error(HG_E_ARG, "loader: prefetch_factor should be 1 to %d, got %d", MAX_PREFETCH,
                        o->prefetch_factor);
    if (o->torch_stream && (o->workers || o->seed >= 0))
        return hg_error(HG_E_ARG, "loader: torch_stream draws item after item from the device's generator: workers "
                        "should be 0 and seed negative, got %d and %lld", o->workers, (long long)o->seed);
    if (!o->on_device && hg_dataset_dtype(dataset) != HG_F32)
        return hg_error(HG_E_DTYPE, "loader: dataset %s gives uint8 images, batches are float32; give it a transform "
                        "such as hg_to_tensor()", dataset->type->name);
    return HG_OK;
}

static hg_status make_feed(hg_loader *l)
{
    const hg_loader_options *o = &l->options;
    hg_feed_options f = {o->batch_size, o->drop_last, o->workers, o->prefetch_factor};
    if (o->on_device) {
        const hg_dataset *root = hg_dataset_root(l->dataset);
        HG_TRY(hg_finish_new(root->transform, &root->raw, &l->finish));
        f.transform = l->finish->head;
        f.item_bytes = hg_item_bytes(&l->finish->packed);
    }
    l->feed = hg_feed_new(l->dataset, &f);
    return l->feed ? HG_OK : hg_last_status();
}

hg_loader *hg_loader_new(hg_device *dev, const hg_dataset *dataset, const hg_loader_options *options)
{
    hg_loader_options o = options ? *options : HG_LOADER_DEFAULTS;
    if (!dev || !dataset) {
        hg_error(HG_E_ARG, "loader: the %s is NULL", dev ? "dataset" : "device");
        return NULL;
    }
    if (check_options(&o, dataset) != HG_OK) return NULL;
    warn_of_workers(o.workers);
    hg_loader *l = calloc(1, sizeof *l);
    int64_t length = hg_dataset_length(dataset);
    if (l && o.shuffle) l->order = malloc((size_t)length * sizeof *l->order + 1);
    if (!l || (o.shuffle && !l->order)) {
        free(l);
        hg_error(HG_E_MEMORY, "loader: out of memory");
        return NULL;
    }
    l->dev = hg_device_retain(dev);
    l->dataset = dataset;
    l->options = o;
    l->state = (hg_loader_state){.length = length, .next_batch = -1};
    if (make_feed(l) == HG_OK) return l;
    hg_loader_free(l);
    return NULL;
}

static void release_batch(hg_loader *l)
{
    hg_release(l->batch.inputs);
    hg_release(l->batch.targets);
    l->batch = (hg_batch){0};
}

void hg_loader_free(hg_loader *l)
{
    if (!l) return;
    release_batch(l);
    hg_feed_free(l->feed);
    hg_finish_free(l->finish);
    free(l->order);
    hg_device_close(l->dev);
    free(l);
}

int64_t hg_loader_length(const hg_loader *l)
{
    return hg_feed_batches(l->feed);
}

/* ---- Epochs --------------------------------------------------------------------------------------------------- */

/* As DataLoader: torch.empty((), dtype=torch.int64).random_() for the base seed, and another one to shuffle by. */
static hg_status draw_seeds(hg_loader *l)
{
    hg_loader_state *s = &l->state;
    s->base_seed = s->shuffle_seed = 0;
    if (l->options.seed < 0) {
        HG_TRY(hg_rng_draw64(l->dev, &s->base_seed));
        if (l->options.shuffle) HG_TRY(hg_rng_draw64(l->dev, &s->shuffle_seed));
        s->base_seed &= INT64_MAX;
        s->shuffle_seed &= INT64_MAX;
        return HG_OK;
    }
    hg_mt19937 g;
    hg_mt19937_seed(&g, (uint64_t)l->options.seed);
    for (int64_t epoch = 0; epoch <= s->epoch; epoch++) {
        s->base_seed = (uint64_t)hg_torch_random_i64(&g);
        if (l->options.shuffle) s->shuffle_seed = (uint64_t)hg_torch_random_i64(&g);
    }
    return HG_OK;
}

/* Begins a new epoch, or goes on with the one that hg_loader_set_state told of. */
static hg_status begin(hg_loader *l)
{
    if (l->state.next_batch < 0) {
        HG_TRY(draw_seeds(l));
        l->state.epoch++;
        l->state.next_batch = 0;
    }
    if (l->options.shuffle) {
        hg_mt19937 g;
        hg_mt19937_seed(&g, l->state.shuffle_seed);
        hg_torch_randperm(&g, l->state.length, l->order);
    }
    hg_mt19937 *stream = NULL;
    if (l->options.torch_stream) HG_TRY(hg_rng_torch_stream(l->dev, &stream));
    HG_TRY(hg_feed_begin(l->feed, l->order, l->state.base_seed, l->state.next_batch, stream));
    l->feeding = true;
    return HG_OK;
}

static void end(hg_loader *l)
{
    hg_feed_stop(l->feed);
    l->feeding = false;
    l->state.next_batch = -1;
}

static hg_tensor *inputs_of(hg_loader *l, const hg_host_batch *host)
{
    hg_item_spec item = l->finish ? l->finish->packed : l->dataset->item;
    hg_shape shape = {.ndim = item.shape.ndim + 1, .size = {host->size}};
    for (int i = 0; i < item.shape.ndim; i++) shape.size[i + 1] = item.shape.size[i];
    hg_tensor *t = hg_from_data(l->dev, item.dtype, shape, host->inputs);
    return l->finish ? hg_finish_run(l->finish, t) : t;
}

/* The tensors are only the loader's, whatever scope is open. */
static hg_status to_device(hg_loader *l, const hg_host_batch *host)
{
    hg_scope *s = hg_scope_inner();
    l->batch.inputs = hg_retain(inputs_of(l, host));
    l->batch.targets = hg_retain(hg_from_data(l->dev, HG_I64, HG_SHAPE(host->size), host->targets));
    l->batch.size = host->size;
    hg_scope_end(s);
    if (hg_ok(l->batch.inputs) && hg_ok(l->batch.targets)) return HG_OK;
    release_batch(l);
    return hg_last_status();
}

/* Batches that the dataset left all items out of are passed over. */
static hg_status next_host_batch(hg_loader *l, hg_host_batch *host)
{
    hg_status status;
    do {
        status = hg_feed_next(l->feed, host);
        if (status == HG_OK) l->state.next_batch++;
    } while (status == HG_OK && !host->size);
    return status;
}

hg_status hg_loader_next(hg_loader *l, hg_batch *batch)
{
    *batch = (hg_batch){0};
    release_batch(l);
    hg_host_batch host;
    hg_status status = l->feeding ? HG_OK : begin(l);
    if (status == HG_OK) status = next_host_batch(l, &host);
    if (status == HG_OK) status = to_device(l, &host);
    if (status != HG_OK) {
        end(l);
        return status;
    }
    *batch = l->batch;
    return HG_OK;
}

double hg_loader_waited(const hg_loader *l)
{
    return hg_feed_waited(l->feed);
}

void hg_loader_reset(hg_loader *l)
{
    end(l);
    release_batch(l);
}

void hg_loader_get_state(const hg_loader *l, hg_loader_state *state)
{
    *state = l->state;
}

hg_status hg_loader_set_state(hg_loader *l, const hg_loader_state *s)
{
    if (s->length != l->state.length)
        return hg_error(HG_E_ARG, "loader: the state is of a dataset of %lld items, this one has %lld",
                        (long long)s->length, (long long)l->state.length);
    int64_t batches = hg_loader_length(l);
    bool begun = s->next_batch >= 0;
    if (s->epoch < begun || s->epoch > MAX_EPOCH || s->next_batch < -1 || s->next_batch > batches)
        return hg_error(HG_E_ARG, "loader: the state is at batch %lld of epoch %lld, but there are %lld batches",
                        (long long)s->next_batch, (long long)s->epoch, (long long)batches);
    end(l);
    l->state = *s;
    return HG_OK;
}
