/* The tests of `hapgop transfer`: every checkpoint of this run, in the order of its epochs. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "run.h"
#include "transfer.h"

/* Counts the answers to a batch by true class and answer. */
static hg_status count_batch(const transfer_run *run, const hg_batch *batch, int64_t *confusion)
{
    size_t bytes = sizeof(int64_t) * (size_t)batch->size;
    int64_t *answers = malloc(2 * bytes + 1), *truth = answers ? answers + batch->size : NULL;
    if (!answers) {
        output_error("out of memory");
        return HG_E_MEMORY;
    }
    hg_scope *s = hg_scope_begin(run->dev);
    hg_status status = hg_read(hg_argmax(hg_forward(run->model, batch->inputs), 1, false), answers);
    if (status == HG_OK) status = hg_read(batch->targets, truth);
    for (int64_t i = 0; i < batch->size && status == HG_OK; i++) confusion[truth[i] * run->classes + answers[i]]++;
    hg_scope_end(s);
    free(answers);
    return status;
}

static bool test(transfer_run *run, int64_t *confusion)
{
    hg_batch batch;
    hg_status status = HG_OK;
    memset(confusion, 0, sizeof *confusion * (size_t)(run->classes * run->classes));
    hg_eval(run->model);
    hg_no_grad_begin();
    while (status == HG_OK && !run_signal) {
        status = hg_loader_next(run->test_loader, &batch);
        if (status == HG_OK && batch.size) status = count_batch(run, &batch, confusion);
    }
    hg_no_grad_end();
    hg_loader_reset(run->test_loader);
    return status == HG_END || status == HG_OK || run_failed();
}

static double accuracy_of(const int64_t *confusion, int64_t classes)
{
    int64_t right = 0, all = 0;
    for (int64_t i = 0; i < classes; i++) {
        right += confusion[i * classes + i];
        for (int64_t k = 0; k < classes; k++) all += confusion[i * classes + k];
    }
    return all ? (double)right / (double)all : NAN;
}

/* ['out/00.pth', 'out/01.pth'], as Python prints a list of strings. */
static bool print_list(const transfer_run *run)
{
    char path[4200];
    printf("saved_model [");
    for (int64_t i = 0; i < run->done; i++) {
        if (!transfer_checkpoint(run, i, path)) return false;
        char quote = strchr(path, '\'') && !strchr(path, '"') ? '"' : '\'';
        printf("%s%c", i ? ", " : "", quote);
        for (const char *p = path; *p; p++) printf("%s%c", *p == '\\' || *p == quote ? "\\" : "", *p);
        putchar(quote);
    }
    printf("]\n");
    return true;
}

/* What hapgop predict reads: the network's name, its weights, its classes and their images. */
static bool save_best(const transfer_run *run)
{
    char path[4200];
    const transfer_options *o = run->o;
    if (!transfer_path(run, "best.pth", path)) return false;
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_text(c, "arch", o->model->name);
    hg_checkpoint_put_module(c, "model_state_dict", run->model);
    for (int64_t i = 0; i < run->classes; i++) {
        char name[32];
        snprintf(name, sizeof name, "classes/%" PRId64, i);
        hg_checkpoint_put_text(c, name, hg_dataset_class(run->train_set, i));
    }
    hg_checkpoint_put_int(c, "preprocess/resize", o->size);
    hg_checkpoint_put_int(c, "preprocess/size", o->size);
    hg_checkpoint_put_bool(c, "preprocess/imagenet_norm", o->imagenet_norm);
    hg_checkpoint_put_int(c, "epoch", run->best);
    hg_checkpoint_put_double(c, "test_accuracy", run->epochs[run->best].test_accuracy);
    hg_status status = c ? hg_checkpoint_write(c, path) : HG_E_MEMORY;
    hg_checkpoint_free(c);
    return status == HG_OK || run_failed();
}

static bool evaluate_one(transfer_run *run, int64_t epoch, int64_t *confusion)
{
    char path[4200];
    if (!transfer_checkpoint(run, epoch, path)) return false;
    if (!run->o->quiet) printf("Loading model %s\n", path);
    if (hg_load_state(run->model, path, true) != HG_OK) return run_failed();
    if (!test(run, confusion)) return false;
    if (run_signal) return true;
    double accuracy = accuracy_of(confusion, run->classes);
    run->epochs[epoch].test_accuracy = accuracy;
    if (!run->o->quiet) printf("Acc: %.4f\n\n", accuracy);
    if (isnan(accuracy)) return output_error("no image of %s/test can be read", run->o->data);
    if (run->best >= 0 && !(accuracy > run->epochs[run->best].test_accuracy)) return true;
    run->best = epoch;
    memcpy(run->confusion, confusion, sizeof *confusion * (size_t)(run->classes * run->classes));
    return save_best(run);
}

static void print_end(const transfer_run *run)
{
    double minutes = floor(run->testing_seconds / 60), sum = 0;
    for (int64_t i = 0; i < run->done; i++) sum += run->epochs[i].test_accuracy;
    printf("Validation complete in %.0fm %.0fs\n", minutes, run->testing_seconds - 60 * minutes);
    printf("Best Acc: %4f\n", run->epochs[run->best].test_accuracy);
    printf("Of %" PRId64
           " tests on the same images the best is an optimistic figure: the last is %.4f, their mean %.4f.\n",
           run->done, run->epochs[run->done - 1].test_accuracy, sum / (double)run->done);
}

bool transfer_evaluate(transfer_run *run)
{
    double start = run_now();
    int64_t *confusion = calloc((size_t)(run->classes * run->classes), sizeof *confusion);
    bool good = confusion || output_error("out of memory");
    if (good && !run->o->quiet) {
        printf("%" PRId64 "\n", hg_dataset_length(run->test_set));
        good = print_list(run);
    }
    for (int64_t i = 0; i < run->done && good && !run_signal; i++) good = evaluate_one(run, i, confusion);
    free(confusion);
    run->testing_seconds = run_now() - start;
    if (good && !run->o->quiet && !run_signal) print_end(run);
    return good;
}
