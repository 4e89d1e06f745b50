#include "data/feed.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "data/dataset.h"

typedef struct slot {
    char *inputs;
    int64_t *targets;
    int64_t size;           /* items that were not left out */
    int64_t *part_sizes;    /* the same of each part */
    int parts_left;         /* not yet filled */
    bool ready;
    hg_status status;
    int failed_part;        /* the first one that failed, where status is an error, */
    char error[1024];       /* and why it did */
} slot;

struct hg_feed {
    const hg_dataset *dataset;
    const hg_transform *transform;      /* NULL: the dataset's */
    int64_t batch_size, batches;
    size_t item_bytes;
    int workers, started, slot_count;
    int parts;              /* of a batch: one for each worker */
    slot *slots;
    pthread_t *threads;
    double waited;          /* seconds in hg_feed_next, so far */
    pid_t pid;              /* of the process that has the threads */

    /* Fixed during an epoch. */
    const int64_t *order;
    uint64_t seed;
    hg_mt19937 *stream;

    /* Under the lock where there are workers. */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int64_t next;           /* batch that the consumer gets next */
    int64_t held;           /* first batch whose slot is not free: next, or next - 1 while the consumer looks at it */
    int64_t taken;          /* batches below were taken by workers, and of this one */
    int taken_parts;        /* as many parts */
    int busy;               /* workers that fill a part */
    bool running, stop;
};

static int64_t batch_items(const hg_feed *f, int64_t batch)
{
    return hg_min_i64(f->batch_size, f->dataset->length - batch * f->batch_size);
}

/* SplitMix64 (Steele, Lea, Flood 2014): far-apart numbers from neighbouring ones. */
static uint64_t sample_seed(uint64_t seed, int64_t position)
{
    uint64_t z = seed + ((uint64_t)position + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Where a part of `n` items begins. */
static int64_t part_begin(const hg_feed *f, int64_t n, int part)
{
    return n / f->parts * part + hg_min_i64(part, n % f->parts);
}

static hg_status fill_part(const hg_feed *f, slot *s, int64_t batch, int part)
{
    int64_t n = batch_items(f, batch), begin = part_begin(f, n, part), end = part_begin(f, n, part + 1);
    int64_t *size = &s->part_sizes[part];
    *size = 0;
    for (int64_t i = begin; i < end; i++) {
        int64_t position = batch * f->batch_size + i, row = begin + *size;
        hg_sample sample = {.data = s->inputs + (size_t)row * f->item_bytes, .seed = sample_seed(f->seed, position)};
        hg_status status = hg_dataset_fetch(f->dataset, f->order ? f->order[position] : position, &sample,
                                            f->transform, f->stream);
        HG_TRY(status);
        if (status != HG_OK) continue;
        s->targets[row] = sample.label;
        ++*size;
    }
    return HG_OK;
}

/* Moves the parts together. */
static void join_parts(const hg_feed *f, slot *s, int64_t batch)
{
    int64_t n = batch_items(f, batch);
    s->size = 0;
    for (int part = 0; part < f->parts; part++) {
        int64_t from = part_begin(f, n, part), size = s->part_sizes[part];
        if (from != s->size && size) {
            memmove(s->inputs + (size_t)s->size * f->item_bytes, s->inputs + (size_t)from * f->item_bytes,
                    (size_t)size * f->item_bytes);
            memmove(s->targets + s->size, s->targets + from, (size_t)size * sizeof *s->targets);
        }
        s->size += size;
    }
}

/* ---- Workers -------------------------------------------------------------------------------------------------- */

static bool work_waits(const hg_feed *f)
{
    return f->running && f->taken < f->batches && f->taken < f->held + f->slot_count;
}

/* Fills the next part. The lock is held at the call and at the return, not between. */
static void take_part(hg_feed *f)
{
    int64_t batch = f->taken;
    int part = f->taken_parts++;
    slot *s = &f->slots[batch % f->slot_count];
    if (part == 0) {
        s->status = HG_OK;
        s->parts_left = f->parts;
    }
    if (f->taken_parts == f->parts) {
        f->taken++;
        f->taken_parts = 0;
    }
    f->busy++;
    pthread_mutex_unlock(&f->lock);
    hg_clear_error();
    hg_status status = fill_part(f, s, batch, part);
    pthread_mutex_lock(&f->lock);
    if (status != HG_OK && (s->status == HG_OK || part < s->failed_part)) {
        s->status = status;
        s->failed_part = part;
        snprintf(s->error, sizeof s->error, "%s", hg_last_error());
    }
    if (--s->parts_left == 0) {
        pthread_mutex_unlock(&f->lock);
        if (s->status == HG_OK) join_parts(f, s, batch);
        pthread_mutex_lock(&f->lock);
        s->ready = true;
    }
    f->busy--;
    pthread_cond_broadcast(&f->done);
}

static void *worker(void *argument)
{
    hg_feed *f = argument;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (!f->stop && !work_waits(f)) pthread_cond_wait(&f->work, &f->lock);
        if (f->stop) break;
        take_part(f);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* Workers leave the program's signals to the program's threads. */
static hg_status start_workers(hg_feed *f)
{
    if (f->started == f->workers) return HG_OK;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    while (!failed && f->started < f->workers) {
        failed = pthread_create(&f->threads[f->started], NULL, worker, f);
        if (!failed) f->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) return HG_OK;
    return hg_error(HG_E_MEMORY, "loader: cannot start worker %d of %d: %s; use fewer workers", f->started + 1,
                    f->workers, strerror(failed));
}

/* ---- The consumer --------------------------------------------------------------------------------------------- */

hg_status hg_feed_begin(hg_feed *f, const int64_t *order, uint64_t seed, int64_t first, hg_mt19937 *stream)
{
    if (f->pid != getpid())
        return hg_error(HG_E_STATE, "loader: its threads stayed in the process before the fork; make a new loader");
    hg_feed_stop(f);
    HG_TRY(start_workers(f));
    pthread_mutex_lock(&f->lock);
    f->order = order;
    f->seed = seed;
    f->stream = stream;
    f->next = f->held = f->taken = first;
    f->taken_parts = 0;
    for (int i = 0; i < f->slot_count; i++) f->slots[i].ready = false;
    f->running = true;
    pthread_cond_broadcast(&f->work);
    pthread_mutex_unlock(&f->lock);
    return HG_OK;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Frees the slot that the consumer held and waits for the next one. */
static slot *wait_for_slot(hg_feed *f)
{
    slot *s = &f->slots[f->next % f->slot_count];
    pthread_mutex_lock(&f->lock);
    if (f->held < f->next) {
        f->slots[f->held % f->slot_count].ready = false;
        f->held = f->next;
        pthread_cond_broadcast(&f->work);
    }
    while (!s->ready) pthread_cond_wait(&f->done, &f->lock);
    f->next++;
    pthread_mutex_unlock(&f->lock);
    return s;
}

hg_status hg_feed_next(hg_feed *f, hg_host_batch *batch)
{
    *batch = (hg_host_batch){0};
    if (f->pid != getpid())
        return hg_error(HG_E_STATE, "loader: its threads stayed in the process before the fork; make a new loader");
    if (!f->running || f->next >= f->batches) {
        hg_feed_stop(f);
        return HG_END;
    }
    slot *s;
    double began = now();
    if (f->workers) {
        s = wait_for_slot(f);
        if (s->status != HG_OK) hg_error(s->status, "%s", s->error);
    } else {
        s = &f->slots[0];
        s->status = fill_part(f, s, f->next++, 0);
        s->size = s->part_sizes[0];
    }
    f->waited += now() - began;
    if (s->status != HG_OK) {
        hg_status status = s->status;
        hg_feed_stop(f);
        return status;
    }
    *batch = (hg_host_batch){s->inputs, s->targets, s->size};
    return HG_OK;
}

void hg_feed_stop(hg_feed *f)
{
    if (f->pid != getpid()) return;
    pthread_mutex_lock(&f->lock);
    f->running = false;
    while (f->busy) pthread_cond_wait(&f->done, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

double hg_feed_waited(const hg_feed *f)
{
    return f->waited;
}

int64_t hg_feed_batches(const hg_feed *f)
{
    return f->batches;
}

/* ---- Making and freeing --------------------------------------------------------------------------------------- */

static hg_status make_slots(hg_feed *f, int64_t rows, int prefetch)
{
    int64_t slots = f->workers ? (int64_t)f->workers * prefetch + 1 : 1, bytes;
    if (slots > hg_max_i64(f->batches, 1)) slots = hg_max_i64(f->batches, 1);
    if (!hg_mul_i64(rows, (int64_t)f->item_bytes, &bytes) || bytes > (int64_t)(SIZE_MAX / 2))
        return hg_error(HG_E_MEMORY, "loader: a batch of %lld items of %lld bytes is too large; use a smaller "
                        "batch_size", (long long)rows, (long long)f->item_bytes);
    f->slots = calloc((size_t)slots, sizeof *f->slots);
    f->threads = calloc((size_t)f->workers + 1, sizeof *f->threads);
    if (!f->slots || !f->threads) return hg_error(HG_E_MEMORY, "loader: out of memory");
    f->slot_count = (int)slots;
    for (int i = 0; i < f->slot_count; i++) {
        f->slots[i].inputs = malloc((size_t)bytes + 1);
        f->slots[i].targets = malloc((size_t)rows * sizeof(int64_t) + 1);
        f->slots[i].part_sizes = calloc((size_t)f->parts, sizeof(int64_t));
        if (!f->slots[i].inputs || !f->slots[i].targets || !f->slots[i].part_sizes)
            return hg_error(HG_E_MEMORY, "loader: out of memory for %lld batches of %lld bytes; use a smaller "
                            "batch_size, fewer workers or a smaller prefetch_factor", (long long)slots,
                            (long long)bytes);
    }
    return HG_OK;
}

hg_feed *hg_feed_new(const hg_dataset *dataset, const hg_feed_options *o)
{
    hg_feed *f = calloc(1, sizeof *f);
    if (!f) {
        hg_error(HG_E_MEMORY, "loader: out of memory");
        return NULL;
    }
    f->dataset = dataset;
    f->transform = o->transform;
    f->batch_size = o->batch_size;
    f->batches = dataset->length / o->batch_size + (!o->drop_last && dataset->length % o->batch_size);
    f->item_bytes = o->item_bytes ? o->item_bytes : hg_item_bytes(&dataset->item);
    f->workers = o->workers;
    f->parts = o->workers ? o->workers : 1;
    f->pid = getpid();
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->work, NULL);
    pthread_cond_init(&f->done, NULL);
    if (make_slots(f, hg_min_i64(o->batch_size, dataset->length), o->prefetch) == HG_OK) return f;
    hg_feed_free(f);
    return NULL;
}

void hg_feed_free(hg_feed *f)
{
    if (!f) return;
    if (f->pid == getpid()) {   /* in a forked child there are no threads, and the lock may be held for ever */
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_cond_broadcast(&f->work);
        pthread_mutex_unlock(&f->lock);
        for (int i = 0; i < f->started; i++) pthread_join(f->threads[i], NULL);
        pthread_mutex_destroy(&f->lock);
        pthread_cond_destroy(&f->work);
        pthread_cond_destroy(&f->done);
    }
    for (int i = 0; i < f->slot_count; i++) {
        free(f->slots[i].inputs);
        free(f->slots[i].targets);
        free(f->slots[i].part_sizes);
    }
    free(f->slots);
    free(f->threads);
    free(f);
}
