/* Checkpoints of `hapgop train`: all that the next iteration depends on, and the history so far.
 *
 *   model, iteration, epoch (done)              what
 *   device, driver, plans                       on what, with which convolution plans (their hash): results are the same
 *                                               bit for bit where these three are
 *   model_state_dict, optimizer_state_dict      as PyTorch's programs save them
 *   rng_state                                   uint8, of the device's generator
 *   loader/...                                  hg_loader_state
 *   options/...                                 of the command line, see OPTION_SAVED and OPTION_FIXED
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

static void device_name(const train_run *run, char name[300], char driver[128])
{
    hg_device_info info = {0};
    hg_device_get_info(run->dev, &info);
    snprintf(name, 300, "%s / %s", info.platform, info.name);
    snprintf(driver, 128, "%s", info.driver);
}

static void put_rng(hg_checkpoint *c, hg_device *dev)
{
    size_t size = hg_rng_get_state(dev, NULL);
    void *state = malloc(size ? size : 1);
    if (state) {
        hg_rng_get_state(dev, state);
        hg_checkpoint_put_array(c, "rng_state", HG_U8, HG_SHAPE((int64_t)size), state);
    }
    free(state);
}

static void put_loader(hg_checkpoint *c, const hg_loader *loader)
{
    hg_loader_state s;
    hg_loader_get_state(loader, &s);
    hg_checkpoint_put_int(c, "loader/length", s.length);
    hg_checkpoint_put_int(c, "loader/epoch", s.epoch);
    hg_checkpoint_put_int(c, "loader/next_batch", s.next_batch);
    hg_checkpoint_put_int(c, "loader/base_seed", (int64_t)s.base_seed);
    hg_checkpoint_put_int(c, "loader/shuffle_seed", (int64_t)s.shuffle_seed);
}

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
    char device[300], driver[128], path[sizeof run->last_checkpoint];
    device_name(run, device, driver);
    if (snprintf(path, sizeof path, "%s/%s", run->o->out, name) >= (int)sizeof path)
        return output_error("cannot save in %s: the path is too long", run->o->out);
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_text(c, "model", run->o->model->name);
    hg_checkpoint_put_module(c, "model_state_dict", run->model);
    hg_checkpoint_put_optimizer(c, "optimizer_state_dict", run->optimizer);
    hg_checkpoint_put_int(c, "epoch", run->epoch);
    hg_checkpoint_put_int(c, "iteration", run->iteration);
    hg_checkpoint_put_text(c, "device", device);
    hg_checkpoint_put_text(c, "driver", driver);
    hg_checkpoint_put_text(c, "plans", run->plans);
    put_rng(c, run->dev);
    put_loader(c, run->train_loader);
    put_history(c, &run->history);
    bool good = c && train_options_save(run->command, c) && hg_checkpoint_has(c, "rng_state");
    good = good && hg_checkpoint_write(c, path) == HG_OK;
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
        good = train_options_load(run->command, c);
    if (good) return c;
    hg_checkpoint_free(c);
    return NULL;
}

static hg_status get_rng(const hg_checkpoint *c, hg_device *dev)
{
    hg_shape shape;
    const void *state;
    hg_status status = hg_checkpoint_get_array(c, "rng_state", HG_U8, &shape, &state);
    if (status != HG_OK) return status;
    return hg_rng_set_state(dev, state, shape.ndim == 1 ? (size_t)shape.size[0] : 0);
}

static hg_status get_loader(const hg_checkpoint *c, hg_loader *loader)
{
    hg_loader_state s = {0};
    int64_t base_seed = 0, shuffle_seed = 0;
    hg_status status = hg_checkpoint_get_int(c, "loader/length", &s.length);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/epoch", &s.epoch);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/next_batch", &s.next_batch);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/base_seed", &base_seed);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "loader/shuffle_seed", &shuffle_seed);
    s.base_seed = (uint64_t)base_seed;
    s.shuffle_seed = (uint64_t)shuffle_seed;
    if (status == HG_OK) status = hg_loader_set_state(loader, &s);
    return status;
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

/* The text, "" if the checkpoint has none. */
static const char *text_of(const hg_checkpoint *c, const char *path)
{
    const char *text;
    if (hg_checkpoint_get_text(c, path, &text) == HG_OK) return text;
    hg_clear_error();
    return "";
}

/* Tells of the first thing that makes the results other than they would have been: device, driver, plans. */
static void compare_device(const train_run *run, const hg_checkpoint *c)
{
    char device[300], driver[128];
    const char *then[] = {text_of(c, "device"), text_of(c, "driver"), text_of(c, "plans")};
    device_name(run, device, driver);
    if (run->o->quiet) return;
    if (*then[0] && strcmp(then[0], device))
        fprintf(stderr, "hapgop: the checkpoint was made on %s, this is %s: results differ by rounding\n", then[0],
                device);
    else if (*then[1] && strcmp(then[1], driver))
        fprintf(stderr, "hapgop: the checkpoint was made with driver %s of this device, this is %s: results differ by "
                        "rounding\n", then[1], driver);
    else if (*then[2] && strcmp(then[2], run->plans))
        fprintf(stderr, "hapgop: the checkpoint was made with other convolution plans (%s, now %s), as after hapgop tune "
                        "or with HAPGOP_CONV: results differ by rounding\n", then[2], run->plans);
}

bool train_load(train_run *run, const hg_checkpoint *c)
{
    hg_status status = hg_checkpoint_get_int(c, "iteration", &run->iteration);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "epoch", &run->epoch);
    if (status == HG_OK) status = hg_checkpoint_get_module(c, "model_state_dict", run->model);
    if (status == HG_OK) status = hg_checkpoint_get_optimizer(c, "optimizer_state_dict", run->optimizer);
    if (status == HG_OK) status = get_loader(c, run->train_loader);
    if (status == HG_OK) status = get_rng(c, run->dev);
    if (status != HG_OK) return output_error("cannot go on from %s: %s", run->o->resume, hg_last_error());
    if (!check_position(run) || !get_history(c, run)) return false;
    compare_device(run, c);
    run->start = run->iteration;
    if (run->epoch >= run->o->epochs)
        return output_error("%s has %" PRId64 " of %" PRId64 " epochs done; give --epochs a larger number to go on",
                            run->o->resume, run->epoch, run->o->epochs);
    if (run->o->iterations && run->iteration >= run->o->iterations)
        return output_error("%s has %" PRId64 " iterations done; give --iterations a larger number, or leave it out",
                            run->o->resume, run->iteration);
    return true;
}
