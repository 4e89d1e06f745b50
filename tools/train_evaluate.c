/* How much of the test set a model gets right. */
#include <math.h>
#include <stdlib.h>

#include "output.h"
#include "run.h"
#include "train.h"

/* Adds the batch's count of right answers to `correct`, which it takes over; all of it stays on the device. */
static hg_tensor *count_correct(train_run *run, const hg_batch *batch, hg_tensor *correct)
{
    hg_scope *s = hg_scope_begin(run->dev);
    hg_tensor *predictions = hg_argmax(hg_forward(run->model, batch->inputs), 1, false);
    hg_tensor *right = hg_sum(hg_eq(predictions, batch->targets), HG_ALL, false);
    hg_tensor *sum = hg_scope_return(s, hg_add(correct, right));
    hg_release(correct);
    return sum;
}

static bool run_batches(train_run *run, bool may_stop, train_evaluation *result, bool *done)
{
    hg_tensor *correct = hg_zeros(run->dev, HG_I64, HG_SCALAR);
    hg_status status = hg_ok(correct) ? HG_OK : hg_last_status();
    hg_batch batch;
    while (status == HG_OK && !(may_stop && run_signal)) {
        status = hg_loader_next(run->test_loader, &batch);
        if (status != HG_OK) break;
        correct = count_correct(run, &batch, correct);
        result->total += batch.size;
        if (!hg_ok(correct)) status = hg_last_status();
    }
    *done = status == HG_END;
    if (status == HG_OK) hg_loader_reset(run->test_loader);
    if (*done && hg_read(correct, &result->correct) != HG_OK) status = hg_last_status();
    hg_release(correct);
    return status >= 0 || run_failed();
}

static bool note_time(train_times *t, double seconds)
{
    if (t->evaluation_count == t->evaluation_capacity) {
        int64_t capacity = t->evaluation_capacity ? 2 * t->evaluation_capacity : 64;
        double *more = realloc(t->evaluations, sizeof *more * (size_t)capacity);
        if (!more) return output_error("out of memory");
        t->evaluations = more;
        t->evaluation_capacity = capacity;
    }
    t->evaluations[t->evaluation_count++] = seconds;
    return true;
}

bool train_evaluate(train_run *run, int mode, bool may_stop, train_evaluation *result, bool *done)
{
    *result = (train_evaluation){.iteration = run->iteration};
    if (run->times.wanted && hg_sync(run->dev) != HG_OK) return run_failed();
    double start = run_now();
    if (mode == EVAL_MODE) hg_eval(run->model);
    hg_no_grad_begin();
    bool good = run_batches(run, may_stop, result, done);
    hg_no_grad_end();
    hg_train(run->model, true);
    double seconds = run_now() - start;
    run->evaluating += seconds;
    return good && (!run->times.wanted || !*done || note_time(&run->times, seconds));
}

bool train_final_accuracy(train_run *run)
{
    run->train_accuracy = run->eval_accuracy = NAN;
    const train_evaluation *last = train_evaluation_at(&run->history, run->iteration);
    double *known = run->o->eval_mode == TRAIN_MODE ? &run->train_accuracy : &run->eval_accuracy;
    if (last) *known = train_accuracy(last);
    /* Eval mode first: testing in train mode changes the running statistics that eval mode uses. */
    for (int mode = EVAL_MODE; mode >= TRAIN_MODE; mode--) {
        double *accuracy = mode == TRAIN_MODE ? &run->train_accuracy : &run->eval_accuracy;
        if (!isnan(*accuracy)) continue;
        train_evaluation e;
        bool done;
        if (!train_evaluate(run, mode, true, &e, &done)) return false;
        if (!done) return true;
        *accuracy = train_accuracy(&e);
    }
    return true;
}
