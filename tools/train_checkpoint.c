/* Checkpoints of `hapgop train`: all that the next iteration depends on, and the history so far.
 *
 *   model, iteration, epoch (done)              what
 *   model_state_dict, optimizer_state_dict      as PyTorch's programs save them
 *   options/..., rng_state, loader/..., device, driver, plans   see resume.h
 *   history/loss                                float32, of iterations 1, 2, ...
 *   history/evaluations                         int64, rows of iteration, right answers, test images */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "run.h"
#include "train.h"

/* ---- Saving ----------------------------------------------------------------------------------------------------- */

static void put_history(hg_checkpoint *c, const train_history *h)
{
    _Static_assert(sizeof(train_evaluation) == 3 * sizeof(int64_t), "written as rows of three");
    hg_checkpoint_put_array(c, "history/loss", HG_F32, HG_SHAPE(h->count), h->loss);
    hg_checkpoint_put_array(c, "history/evaluations", HG_I64, HG_SHAPE(h->evaluation_count, 3), h->evaluations);
}

bool train_save(train_run *run, const char *name)
{
    if (!train_flush(run)) return false;
    hg_clear_error();
    char path[sizeof run->last_checkpoint];
    if (snprintf(path, sizeof path, "%s/%s", run->o->out, name) >= (int)sizeof path)
        return output_error("cannot save in %s: the path is too long", run->o->out);
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_text(c, "model", run->o->model->name);
    hg_checkpoint_put_module(c, "model_state_dict", run->model);
    hg_checkpoint_put_optimizer(c, "optimizer_state_dict", run->optimizer);
    hg_checkpoint_put_int(c, "epoch", run->epoch);
    hg_checkpoint_put_int(c, "iteration", run->iteration);
    resume_put_options(c, run->command);
    put_history(c, &run->history);
    bool good = resume_put_run(c, run->dev, run->train_loader, run->plans) && hg_checkpoint_write(c, path) == HG_OK;
    hg_checkpoint_free(c);
    if (good) {
        memcpy(run->last_checkpoint, path, sizeof path);
        return true;
    }
    const char *last = run->last_checkpoint[0] ? run->last_checkpoint : run->o->resume;
    return output_error("training stops at iteration %" PRId64 ": %s; %s%s", run->iteration, hg_last_error(),
                        last ? "the last whole checkpoint is " : "there is no checkpoint yet", last ? last : "");
}

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

hg_checkpoint *train_open_checkpoint(train_run *run)
{
    const char *path = run->o->resume, *model;
    hg_checkpoint *c = hg_checkpoint_read(path);
    if (!c) {
        run_failed();
        return NULL;
    }
    bool good = false;
    if (hg_checkpoint_get_text(c, "model", &model) != HG_OK)
        output_error("%s; it was not saved by hapgop train", hg_last_error());
    else if (strcmp(model, run->o->model->name))
        output_error("%s is a checkpoint of %s, not of %s; run hapgop train %s --resume %s", path, model,
                     run->o->model->name, model, path);
    else
        good = resume_take_options(c, run->command);
    if (good) return c;
    hg_checkpoint_free(c);
    return NULL;
}

static bool copy_history(train_history *h, hg_shape losses, const void *loss, hg_shape rows, const void *evaluations)
{
    h->count = h->capacity = losses.size[0];
    h->evaluation_count = h->evaluation_capacity = rows.size[0];
    h->loss = malloc((size_t)h->count * sizeof *h->loss + 1);
    h->evaluations = malloc((size_t)h->evaluation_count * sizeof *h->evaluations + 1);
    if (!h->loss || !h->evaluations) {
        h->count = h->evaluation_count = 0;
        return output_error("out of memory");
    }
    memcpy(h->loss, loss, (size_t)h->count * sizeof *h->loss);
    memcpy(h->evaluations, evaluations, (size_t)h->evaluation_count * sizeof *h->evaluations);
    return true;
}

static bool get_history(const hg_checkpoint *c, train_run *run)
{
    hg_shape losses, rows;
    const void *loss, *evaluations;
    if (hg_checkpoint_get_array(c, "history/loss", HG_F32, &losses, &loss) != HG_OK) return run_failed();
    if (hg_checkpoint_get_array(c, "history/evaluations", HG_I64, &rows, &evaluations) != HG_OK) return run_failed();
    if (losses.ndim != 1 || losses.size[0] != run->iteration || rows.ndim != 2 || rows.size[1] != 3)
        return output_error("%s: the history does not fit %" PRId64 " iterations", run->o->resume, run->iteration);
    return copy_history(&run->history, losses, loss, rows, evaluations);
}

/* Whether the counts fit each other, so that the loop ends at the right place. */
static bool check_position(const train_run *run)
{
    hg_loader_state s;
    hg_loader_get_state(run->train_loader, &s);
    int64_t batches = hg_loader_length(run->train_loader), done = s.next_batch < 0 ? 0 : s.next_batch;
    bool good = run->epoch >= 0 && run->epoch <= s.epoch && done < batches &&
                run->iteration / batches == run->epoch && run->iteration % batches == done;
    return good || output_error("%s: iteration %" PRId64 ", epoch %" PRId64 " and the loader's place do not fit %"
                                PRId64 " batches an epoch; was it trained on other data?", run->o->resume,
                                run->iteration, run->epoch, batches);
}

bool train_load(train_run *run, const hg_checkpoint *c)
{
    hg_status status = hg_checkpoint_get_int(c, "iteration", &run->iteration);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "epoch", &run->epoch);
    if (status == HG_OK) status = hg_checkpoint_get_module(c, "model_state_dict", run->model);
    if (status == HG_OK) status = hg_checkpoint_get_optimizer(c, "optimizer_state_dict", run->optimizer);
    if (status == HG_OK) status = resume_get_run(c, run->dev, run->train_loader);
    if (status != HG_OK) return output_error("cannot go on from %s: %s", run->o->resume, hg_last_error());
    if (!check_position(run) || !get_history(c, run)) return false;
    resume_plans then;
    resume_saved_plans(c, then);
    if (!run->o->quiet && resume_compare_device(c, run->dev)) resume_compare_plans(then, run->plans);
    run->start = run->iteration;
    if (run->epoch >= run->o->epochs)
        return output_error("%s has %" PRId64 " of %" PRId64 " epochs done; give --epochs a larger number to go on",
                            run->o->resume, run->epoch, run->o->epochs);
    if (run->o->iterations && run->iteration >= run->o->iterations)
        return output_error("%s has %" PRId64 " iterations done; give --iterations a larger number, or leave it out",
                            run->o->resume, run->iteration);
    return true;
}
