/* Fetches the items of an epoch into host batches, in the caller's thread or ahead of it in worker threads. Knows no
 * device. One thread uses a feed.
 *
 * The batches lie in a ring of slots: batch b in slot b % slots. Each batch is the work of all workers, in as many
 * parts: so the first one of an epoch, for which the consumer waits, is there as soon as it can be. A worker takes the
 * lowest part that nobody has taken and whose slot is free, and fills it without the lock; who comes to the end of a
 * batch last closes the gaps of items left out and marks it ready. The consumer waits for the batch that is next. So
 * the order and the contents do not depend on the number of workers, nor does which error is told of several. */
#ifndef HG_DATA_FEED_H
#define HG_DATA_FEED_H

#include "hapgop/data.h"
#include "tensor/mt19937.h"

typedef struct hg_feed hg_feed;

typedef struct hg_host_batch {
    const void *inputs;         /* size x item, f32 or u8 */
    const int64_t *targets;     /* size */
    int64_t size;               /* without the items that the dataset left out: perhaps 0 */
} hg_host_batch;

typedef struct hg_feed_options {
    int64_t batch_size;         /* >= 1 */
    bool drop_last;
    int workers, prefetch;      /* >= 0, >= 1 */
    const hg_transform *transform;  /* in place of the dataset's; NULL: the dataset's own */
    size_t item_bytes;          /* of an item after that transform; 0: of the dataset's items */
} hg_feed_options;

/* The transform must outlive the feed. NULL with an error. */
hg_feed *hg_feed_new(const hg_dataset *dataset, const hg_feed_options *options);
void hg_feed_free(hg_feed *feed);
int64_t hg_feed_batches(const hg_feed *feed);

/* Begins an epoch at batch `first`. `order` gives the index of each item, NULL: 0, 1, 2, ...; it is read until the
 * epoch is over. `seed` makes the samples' seeds. Random transforms draw from `stream`, one item after the other,
 * which only a feed without workers can do; NULL: each item has a generator of its own, begun with its seed. Threads
 * are started here when first needed. */
hg_status hg_feed_begin(hg_feed *feed, const int64_t *order, uint64_t seed, int64_t first, hg_mt19937 *stream);

/* The next batch, good until the next call; HG_END behind the last one. An item's error, with its text, whichever
 * thread it came from. */
hg_status hg_feed_next(hg_feed *feed, hg_host_batch *batch);

/* Seconds that hg_feed_next took so far: waiting for workers, or fetching where there are none. */
double hg_feed_waited(const hg_feed *feed);

/* Leaves the epoch: when it returns nobody reads `order`. */
void hg_feed_stop(hg_feed *feed);

#endif
