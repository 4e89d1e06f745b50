/* Where `hapgop transfer` is, saved after each epoch as OUT/resume.pth. The network is in that epoch's own file.
 *
 *   arch, done                            what, and how many epochs of it
 *   optimizer_state_dict
 *   scheduler_state_dict                  unless the rate is constant
 *   options/..., rng_state, loader/..., device, driver, plans   see resume.h
 *   train_images                          read in the last epoch
 *   history                               float64, a row an epoch: loss, accuracy, learning rate, seconds */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "run.h"
#include "transfer.h"

enum { COLUMNS = 4 };

static bool place(const transfer_run *run, char path[4200])
{
    return transfer_path(run, "resume.pth", path);
}

/* ---- Saving ---- */

static void put_history(hg_checkpoint *c, const transfer_run *run)
{
    double(*rows)[COLUMNS] = calloc((size_t)run->done, sizeof *rows);
    if (!rows) return; /* it is missed below */
    for (int64_t i = 0; i < run->done; i++) {
        const transfer_epoch *e = &run->epochs[i];
        memcpy(rows[i], (double[COLUMNS]){e->loss, e->accuracy, e->rate, e->seconds}, sizeof rows[i]);
    }
    hg_checkpoint_put_array(c, "history", HG_F64, HG_SHAPE(run->done, COLUMNS), rows);
    free(rows);
}

bool transfer_save_place(transfer_run *run)
{
    char path[4200];
    resume_plans plans;
    if (!place(run, path)) return false;
    resume_plans_now(run->dev, plans);
    resume_compare_plans(run->plans, plans);
    *run->plans = '\0';
    hg_clear_error();
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_text(c, "arch", run->o->model->name);
    hg_checkpoint_put_int(c, "done", run->done);
    hg_checkpoint_put_int(c, "train_images", run->train_images);
    hg_checkpoint_put_optimizer(c, "optimizer_state_dict", run->optimizer);
    if (run->schedule) hg_checkpoint_put_scheduler(c, "scheduler_state_dict", run->schedule);
    resume_put_options(c, run->command);
    put_history(c, run);
    bool good = resume_put_run(c, run->dev, run->train_loader, plans) && hg_checkpoint_has(c, "history") &&
                hg_checkpoint_write(c, path) == HG_OK;
    hg_checkpoint_free(c);
    return good || output_error("cannot save where the training is: %s", hg_last_error());
}

bool transfer_forget_place(const transfer_run *run)
{
    char path[4200];
    if (!place(run, path)) return false;
    return !unlink(path) || errno == ENOENT || output_error("cannot remove %s: %s", path, strerror(errno));
}

/* ---- Going on ---- */

hg_checkpoint *transfer_open_place(transfer_run *run)
{
    char path[4200];
    const char *arch;
    if (!place(run, path)) return NULL;
    hg_checkpoint *c = hg_checkpoint_read(path);
    if (!c) {
        output_error("there is nothing to go on with: %s", hg_last_error());
        return NULL;
    }
    bool good = false;
    if (hg_checkpoint_get_text(c, "arch", &arch) != HG_OK)
        output_error("%s; it was not saved by hapgop transfer", hg_last_error());
    else if (strcmp(arch, run->o->model->name))
        output_error("%s is of %s, not of %s", path, arch, run->o->model->name);
    else
        good = resume_take_options(c, run->command);
    if (good) return c;
    hg_checkpoint_free(c);
    return NULL;
}

static bool get_history(const hg_checkpoint *c, transfer_run *run)
{
    hg_shape shape;
    const void *data;
    if (hg_checkpoint_get_array(c, "history", HG_F64, &shape, &data) != HG_OK) return run_failed();
    if (run->done < 1 || shape.ndim != 2 || shape.size[0] != run->done || shape.size[1] != COLUMNS)
        return output_error("resume.pth: the history does not fit %" PRId64 " epochs", run->done);
    if (run->done > run->o->epochs)
        return output_error("%" PRId64 " epochs are done; --epochs cannot be less", run->done);
    for (int64_t i = 0; i < run->done; i++) {
        const double *row = (const double *)data + i * COLUMNS;
        run->epochs[i] = (transfer_epoch){.loss = row[0], .accuracy = row[1], .rate = row[2], .seconds = row[3]};
    }
    return true;
}

bool transfer_load_place(transfer_run *run, const hg_checkpoint *c)
{
    char path[4200];
    hg_status status = hg_checkpoint_get_int(c, "done", &run->done);
    if (status == HG_OK) status = hg_checkpoint_get_int(c, "train_images", &run->train_images);
    if (status != HG_OK) return run_failed();
    if (!get_history(c, run) || !transfer_checkpoint(run, run->done - 1, path)) return false;
    status = hg_load_state(run->model, path, true);
    if (status == HG_OK) status = hg_checkpoint_get_optimizer(c, "optimizer_state_dict", run->optimizer);
    if (status == HG_OK && run->schedule)
        status = hg_checkpoint_get_scheduler(c, "scheduler_state_dict", run->schedule);
    if (status == HG_OK) status = resume_get_run(c, run->dev, run->train_loader);
    if (status != HG_OK) return output_error("cannot go on with what is in %s: %s", run->o->out, hg_last_error());
    if (resume_compare_device(c, run->dev)) resume_saved_plans(c, run->plans);
    return true;
}
