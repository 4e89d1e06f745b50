/* The training of `hapgop transfer`: epochs as the usual program has them, a checkpoint after each. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "output.h"
#include "run.h"
#include "transfer.h"

bool transfer_path(const transfer_run *run, const char *name, char path[4200])
{
    if (snprintf(path, 4200, "%s/%s", run->o->out, name) < 4200) return true;
    return output_error("cannot save in %.60s...: the path is too long", run->o->out);
}

bool transfer_checkpoint(const transfer_run *run, int64_t epoch, char path[4200])
{
    char name[32];
    snprintf(name, sizeof name, "%02" PRId64 ".pth", epoch);
    return transfer_path(run, name, path);
}

/* ---- one epoch ---- */

enum { PENDING = 64 }; /* losses that may stay on the device */

typedef struct sums {
    hg_tensor *pending[PENDING], *correct;
    int64_t size[PENDING], images, right;
    int count;
    double loss; /* times images */
} sums;

static hg_status flush(sums *s)
{
    hg_status status = HG_OK;
    for (int i = 0; i < s->count; i++) {
        if (status == HG_OK) s->loss += hg_item(s->pending[i]) * (double)s->size[i];
        if (status == HG_OK) status = hg_last_status();
        hg_release(s->pending[i]);
    }
    s->count = 0;
    return status;
}

static hg_status step(transfer_run *run, const hg_batch *batch, sums *s)
{
    hg_scope *scope = hg_scope_begin(run->dev);
    hg_zero_grad(run->optimizer);
    hg_tensor *outputs = hg_forward(run->model, batch->inputs);
    hg_tensor *loss = hg_cross_entropy(outputs, batch->targets, NULL);
    hg_status status = hg_backward(loss);
    if (status == HG_OK) status = hg_step(run->optimizer);
    if (status == HG_OK && run->o->schedule == TRANSFER_ONE_CYCLE && run->schedule)
        status = hg_scheduler_step(run->schedule);
    hg_no_grad_begin();
    hg_tensor *right = hg_sum(hg_eq(hg_argmax(hg_detach(outputs), 1, false), batch->targets), HG_ALL, false);
    hg_tensor *sum = hg_retain(hg_add(s->correct, right)), *kept = hg_retain(hg_detach(loss));
    hg_no_grad_end();
    hg_release(s->correct);
    s->correct = sum;
    s->images += batch->size;
    s->size[s->count] = batch->size;
    s->pending[s->count++] = kept;
    if (status == HG_OK && (!hg_ok(sum) || !hg_ok(kept))) status = hg_last_status();
    hg_scope_end(scope);
    return status == HG_OK && s->count == PENDING ? flush(s) : status;
}

static hg_status run_epoch(transfer_run *run, sums *s)
{
    hg_batch batch;
    hg_status status = HG_OK;
    s->correct = hg_zeros(run->dev, HG_I64, HG_SCALAR);
    if (!hg_ok(s->correct)) return hg_last_status();
    while (status == HG_OK && !run_signal) {
        status = hg_loader_next(run->train_loader, &batch);
        if (status == HG_OK && batch.size) status = step(run, &batch, s);
    }
    hg_status flushed = flush(s);
    if (status == HG_END || status == HG_OK) status = flushed;
    if (status == HG_OK) status = hg_read(s->correct, &s->right);
    hg_release(s->correct);
    return status;
}

static hg_status advance(transfer_run *run, double loss)
{
    if (!run->schedule || run->o->schedule == TRANSFER_ONE_CYCLE) return HG_OK;
    return hg_scheduler_step_metric(run->schedule, loss);
}

static bool train_epoch(transfer_run *run, int64_t epoch)
{
    transfer_epoch *e = &run->epochs[epoch];
    sums s = {.count = 0};
    char path[4200];
    double start = run_now();
    e->rate = hg_group_learning_rate(run->optimizer, hg_group_count(run->optimizer) - 1);
    if (run_epoch(run, &s) != HG_OK) return run_failed();
    if (run_signal) return true;
    if (!s.images) return output_error("no image of %s/train can be read", run->o->data);
    run->train_images = s.images;
    e->loss = s.loss / (double)s.images;
    e->accuracy = (double)s.right / (double)s.images;
    e->test_accuracy = NAN;
    if (advance(run, e->loss) != HG_OK) return run_failed();
    if (!transfer_checkpoint(run, epoch, path)) return false;
    if (hg_save_state(run->model, path) != HG_OK) return run_failed();
    e->seconds = run_now() - start;
    run->done++;
    return !run->command || transfer_save_place(run);
}

/* ---- all of them ---- */

/* The usual program's "{:.0f}m {:.0f}s" of the quotient and the rest: 119.9 s are 1m 60s there and here. */
static void print_end(const char *what, double seconds, double best)
{
    double minutes = floor(seconds / 60);
    printf("%s complete in %.0fm %.0fs\nBest Acc: %4f\n", what, minutes, seconds - 60 * minutes, best);
}

bool transfer_train(transfer_run *run)
{
    transfer_options *o = run->o;
    double start = run_now(), best = 0;
    for (int64_t epoch = 0; epoch < run->done; epoch++) { /* by runs before this one */
        start -= run->epochs[epoch].seconds;
        best = fmax(best, run->epochs[epoch].accuracy);
    }
    hg_train(run->model, true);
    for (int64_t epoch = run->done; epoch < o->epochs && !run_signal; epoch++) {
        if (!o->quiet) printf("Epoch %" PRId64 "/%" PRId64 "\n----------\n", epoch, o->epochs - 1);
        if (!train_epoch(run, epoch)) return false;
        if (run_signal) break;
        const transfer_epoch *e = &run->epochs[epoch];
        if (e->accuracy > best) best = e->accuracy;
        if (!o->quiet) printf("Loss: %.4f Acc: %.4f\n\n", e->loss, e->accuracy);
    }
    run->training_seconds = run_now() - start;
    run->waited = hg_loader_waited(run->train_loader);
    if (!o->quiet && !run_signal) print_end("Training", run->training_seconds, best);
    return true;
}
