/* The training loop. Per iteration: forward, loss, zero_grad, backward, step; nothing waits for the device, losses
 * stay there until somebody wants to see them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "run.h"
#include "train.h"

double train_process_start(void)
{
    double now = run_now();
    FILE *f = fopen("/proc/self/stat", "r");
    if (!f) return now;
    char text[2048];
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    unsigned long long ticks = 0;
    const char *name_end = strrchr(text, ')');      /* the 22nd field of proc(5)'s stat; the name may hold blanks */
    int found = name_end ? sscanf(name_end + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                                  "%*s %*s %llu", &ticks) : 0;
    double start = (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return found == 1 && start <= now && now - start < 60 ? start : now;
}

/* ---- History ---------------------------------------------------------------------------------------------------- */

static bool add_loss(train_history *h, float loss)
{
    if (h->count == h->capacity) {
        int64_t capacity = h->capacity ? 2 * h->capacity : 1024;
        float *more = realloc(h->loss, sizeof *more * (size_t)capacity);
        if (!more) return output_error("out of memory");
        h->loss = more;
        h->capacity = capacity;
    }
    h->loss[h->count++] = loss;
    return true;
}

static bool add_evaluation(train_history *h, train_evaluation e)
{
    if (h->evaluation_count == h->evaluation_capacity) {
        int64_t capacity = h->evaluation_capacity ? 2 * h->evaluation_capacity : 64;
        train_evaluation *more = realloc(h->evaluations, sizeof *more * (size_t)capacity);
        if (!more) return output_error("out of memory");
        h->evaluations = more;
        h->evaluation_capacity = capacity;
    }
    h->evaluations[h->evaluation_count++] = e;
    return true;
}

bool train_flush(train_run *run)
{
    bool good = true;
    for (int i = 0; i < run->pending_count; i++) {
        float loss = 0;
        if (good && hg_read(run->pending[i], &loss) != HG_OK) good = run_failed();
        good = good && add_loss(&run->history, loss);
        hg_release(run->pending[i]);
    }
    run->pending_count = 0;
    return good;
}

/* ---- One iteration ---------------------------------------------------------------------------------------------- */

static hg_status step(train_run *run, const hg_batch *batch)
{
    hg_scope *s = hg_scope_begin(run->dev);
    hg_tensor *loss = hg_cross_entropy(hg_forward(run->model, batch->inputs), batch->targets, NULL);
    hg_zero_grad(run->optimizer);
    hg_status status = hg_backward(loss);
    if (status == HG_OK) status = hg_step(run->optimizer);
    if (status == HG_OK) {
        hg_tensor *kept = hg_detach(loss);
        if (hg_ok(kept)) run->pending[run->pending_count++] = hg_retain(kept);
        else status = hg_last_status();
    }
    hg_scope_end(s);
    return status;
}

/* Waits and takes the time, in the first steps of a run that wants times. */
static bool measure(train_run *run)
{
    train_times *t = &run->times;
    if (!t->wanted || t->count >= TRAIN_WARM_UP + TRAIN_TIMED) return true;
    if (hg_sync(run->dev) != HG_OK) return run_failed();
    double now = run_now();
    t->count++;
    if (t->count == 1) t->first_step = now - t->process_start;
    else if (t->count > TRAIN_WARM_UP) t->steps[t->step_count++] = now - t->last;
    if (!train_flush(run)) return false;
    if (t->count <= TRAIN_WARM_UP) {
        hg_memory_info memory;
        if (hg_memory_get_info(run->dev, &memory) != HG_OK) return run_failed();
        t->memory_step10 = memory.in_use;
    }
    return true;
}

static bool divides(int64_t every, int64_t iteration)
{
    return every > 0 && iteration % every == 0;
}

static bool evaluate_and_report(train_run *run)
{
    train_options *o = run->o;
    if (divides(o->eval_every, run->iteration)) {
        train_evaluation e;
        bool done;
        if (!train_evaluate(run, o->eval_mode, false, &e, &done) || !train_flush(run)) return false;
        if (!add_evaluation(&run->history, e)) return false;
    }
    if (divides(o->report_every, run->iteration)) {
        if (!train_flush(run)) return false;
        train_progress_clear(run);
        train_print_report(run);
    }
    return run->pending_count < TRAIN_PENDING || train_flush(run);
}

/* After the last batch of an epoch: the loader is between epochs, as the checkpoint has to say. */
static bool end_epoch(train_run *run)
{
    hg_loader_state state;
    hg_loader_get_state(run->train_loader, &state);
    if (state.next_batch < hg_loader_length(run->train_loader)) return true;
    hg_loader_reset(run->train_loader);
    run->epoch++;
    char name[32];
    snprintf(name, sizeof name, "%02" PRId64 ".pth", run->epoch);
    train_progress_clear(run);
    return train_save(run, name) && train_write_history(run);
}

static bool iterate(train_run *run)
{
    hg_batch batch;
    if (hg_loader_next(run->train_loader, &batch) != HG_OK) return run_failed();
    if (step(run, &batch) != HG_OK) return run_failed();
    run->iteration++;
    return measure(run) && evaluate_and_report(run) && end_epoch(run);
}

/* Why the loop is over; NULL if it is not. */
static const char *reason_to_end(const train_run *run)
{
    if (run->epoch >= run->o->epochs) return "finished";
    if (run_signal) return "interrupted";
    if (run->o->iterations && run->iteration >= run->o->iterations) return "stopped";
    return NULL;
}

bool train_loop(train_run *run)
{
    while (!(run->end = reason_to_end(run))) {
        run->times.last = run_now();
        if (!iterate(run)) {
            train_progress_clear(run);
            return false;
        }
        if (run->iteration == run->start + 1) {     /* the first step builds kernels: it says nothing of the rate */
            run->began = run_now();
            run->evaluating = 0;
        } else {
            train_progress(run);
        }
    }
    train_progress_clear(run);
    if (!train_flush(run)) return false;
    hg_memory_info memory;
    if (hg_memory_get_info(run->dev, &memory) != HG_OK) return run_failed();
    run->times.memory_end = memory.in_use;
    hg_loader_state state;
    hg_loader_get_state(run->train_loader, &state);
    if (!strcmp(run->end, "stopped") && state.next_batch < 0) return true;      /* NN.pth is the same */
    if (!strcmp(run->end, "finished")) return true;
    const char *name = !strcmp(run->end, "stopped") ? "stopped.pth" : "interrupted.pth";
    return train_save(run, name) && train_write_history(run);
}
