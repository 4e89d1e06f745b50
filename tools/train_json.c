/* What programs read of a run: --json. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "train.h"

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. NaN if there are none. */
static double median(double *values, int64_t n)
{
    if (!n) return NAN;
    qsort(values, (size_t)n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

static json_t *history(const train_run *run)
{
    const train_history *h = &run->history;
    json_t *list = json_array();
    int failed = !list;
    for (int64_t i = run->o->report_every; i && i <= h->count; i += run->o->report_every) {
        const train_evaluation *e = train_evaluation_at(h, i);
        failed |= json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "iteration", (json_int_t)i, "loss",
                                                        run_json_number(h->loss[i - 1]), "accuracy",
                                                        e ? run_json_number(train_accuracy(e)) : json_null()));
    }
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

bool train_count_batches(train_run *run)
{
    run->batches_tracked = -1;
    if (!run->o->model->batch_norm) return true;
    hg_tensor *count = hg_buffer(run->model, "layer1.1.num_batches_tracked");
    return (count && hg_read(count, &run->batches_tracked) == HG_OK) || run_failed();
}

static int set_run(json_t *root, const train_run *run)
{
    return json_object_set_new(root, "device", run_json_device(run->dev)) |
           json_object_set_new(root, "version", json_string(hg_version())) |
           json_object_set_new(root, "model", json_string(run->o->model->name)) |
           json_object_set_new(root, "end", json_string(run->end)) |
           json_object_set_new(root, "iteration", json_integer(run->iteration)) |
           json_object_set_new(root, "epoch", json_integer(run->epoch)) |
           json_object_set_new(root, "batch", json_integer(run->o->batch)) |
           json_object_set_new(root, "history", history(run)) |
           json_object_set_new(root, "num_batches_tracked",
                               run->batches_tracked < 0 ? json_null() : json_integer(run->batches_tracked)) |
           json_object_set_new(root, "train_mode_accuracy", run_json_number(run->train_accuracy)) |
           json_object_set_new(root, "eval_mode_accuracy", run_json_number(run->eval_accuracy));
}

static int set_measured(json_t *root, const train_run *run, uint64_t peak)
{
    train_times t = run->times;
    double middle = median(t.steps, t.step_count);      /* sorts: the least is the first */
    return json_object_set_new(root, "first_step_ms", run_json_number(1e3 * t.first_step)) |
           json_object_set_new(root, "step_ms_median", run_json_number(1e3 * middle)) |
           json_object_set_new(root, "step_ms_min", run_json_number(t.step_count ? 1e3 * t.steps[0] : NAN)) |
           json_object_set_new(root, "eval_ms", run_json_number(1e3 * median(t.evaluations, t.evaluation_count))) |
           json_object_set_new(root, "peak_device_bytes", json_integer((json_int_t)peak)) |
           json_object_set_new(root, "memory_bytes_step10", json_integer((json_int_t)t.memory_step10)) |
           json_object_set_new(root, "memory_bytes_end", json_integer((json_int_t)t.memory_end));
}

bool train_write_json(const train_run *run)
{
    if (!run->o->json) return true;
    hg_clear_error();
    hg_memory_info memory;
    if (hg_memory_get_info(run->dev, &memory) != HG_OK) return run_failed();
    json_t *root = json_object();
    if (root && (set_run(root, run) || set_measured(root, run, memory.peak))) {
        json_decref(root);
        root = NULL;
    }
    return run_write_json(run->o->json, root);
}
