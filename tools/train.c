/* `hapgop train`: from the command line to the files. */
#define _GNU_SOURCE
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "output.h"

volatile sig_atomic_t train_signal;

static void stop_soon(int number)
{
    train_signal = number;
}

/* The first signal is remembered, a second one ends the program at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = stop_soon, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void show_warning(const char *topic, const char *message, void *user)
{
    (void)user;
    const char *asked = getenv("HAPGOP_LOG");
    if (!strcmp(topic, "warn") && !(asked && *asked)) fprintf(stderr, "hapgop: warning: %s\n", message);
}

/* ---- Setting up ------------------------------------------------------------------------------------------------- */

static bool exists(const char *folder, const char *between, const char *name)
{
    char path[4300];
    for (int gz = 0; gz < 2; gz++) {
        snprintf(path, sizeof path, "%.4000s%s/%s%s", folder, between, name, gz ? ".gz" : "");
        if (!access(path, F_OK)) return true;
    }
    return false;
}

/* hg_fashion_mnist() would go on to the system's folder; who names a folder wants that one. */
static bool check_data(const char *folder)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                        "t10k-labels-idx1-ubyte"};
    for (int i = 0; folder && i < 4; i++) {
        if (exists(folder, "", names[i]) || exists(folder, "/FashionMNIST/raw", names[i])) continue;
        return output_error("--data %s: %s is not there; the folder needs %s, %s, %s and %s (or each with .gz), or "
                            "leave --data out and install the Debian package dataset-fashion-mnist", folder,
                            names[i], names[0], names[1], names[2], names[3]);
    }
    return true;
}

static bool open_data(train_run *run)
{
    train_options *o = run->o;
    if (!check_data(o->data)) return false;
    run->transform = hg_to_tensor();
    run->train_set = run->transform ? hg_fashion_mnist(o->data, true, run->transform) : NULL;
    run->test_set = run->train_set ? hg_fashion_mnist(o->data, false, run->transform) : NULL;
    if (!run->test_set) return train_failed();
    hg_shape shape = hg_dataset_shape(run->train_set), test = hg_dataset_shape(run->test_set);
    if (!hg_dataset_length(run->train_set) || !hg_dataset_length(run->test_set))
        return output_error("the data holds no images to %s", hg_dataset_length(run->train_set) ? "test" : "train");
    if (shape.size[1] != 28 || shape.size[2] != 28 || test.size[1] != 28 || test.size[2] != 28)
        return output_error("the data holds images of %lld x %lld pixels; %s needs 28 x 28", (long long)shape.size[1],
                            (long long)shape.size[2], o->model->name);
    return true;
}

/* In the order in which PyTorch's program draws its random numbers: seed, then the model. */
static bool build(train_run *run)
{
    train_options *o = run->o;
    run->dev = hg_device_open(o->device);
    if (!run->dev || hg_manual_seed(run->dev, (uint64_t)o->seed, (hg_rng_kind)o->rng) != HG_OK) return train_failed();
    run->model = o->model->make(run->dev, o->fc_relu);
    hg_adam_options adam = HG_ADAM_DEFAULTS;
    adam.lr = o->lr;
    run->optimizer = run->model ? hg_adam(run->model, &adam) : NULL;
    if (!run->optimizer) return train_failed();
    hg_loader_options loader = HG_LOADER_DEFAULTS;
    loader.batch_size = o->batch;
    loader.workers = (int)o->workers;
    run->test_loader = hg_loader_new(run->dev, run->test_set, &loader);
    loader.shuffle = o->shuffle;
    run->train_loader = run->test_loader ? hg_loader_new(run->dev, run->train_set, &loader) : NULL;
    return run->train_loader || train_failed();
}

static bool prepare(train_run *run)
{
    train_options *o = run->o;
    hg_checkpoint *c = NULL;
    if (o->resume && !(c = train_open_checkpoint(run))) return false;
    bool good = output_folder(o->out) && (!o->json || output_possible(o->json)) && open_data(run) && build(run) &&
                (!c || train_load(run, c));
    hg_checkpoint_free(c);
    return good;
}

/* ---- The run ---------------------------------------------------------------------------------------------------- */

static int train(train_run *run)
{
    if (!prepare(run)) return 1;
    train_print_model(run);
    catch_signals();
    if (!train_loop(run)) return 1;
    bool interrupted = !strcmp(run->end, "interrupted");
    if (!train_count_batches(run) || (!interrupted && !train_final_accuracy(run))) return 1;
    if (!train_write_json(run)) return 1;
    train_print_end(run);
    return train_signal ? 130 : 0;
}

static void clean_up(train_run *run)
{
    for (int i = 0; i < run->pending_count; i++) hg_release(run->pending[i]);
    hg_loader_free(run->train_loader);
    hg_loader_free(run->test_loader);
    hg_optimizer_free(run->optimizer);
    hg_module_free(run->model);
    hg_dataset_free(run->train_set);
    hg_dataset_free(run->test_set);
    hg_transform_free(run->transform);
    hg_device_close(run->dev);
    free(run->history.loss);
    free(run->history.evaluations);
    free(run->times.evaluations);
}

int train_command(int argc, char **argv)
{
    train_options options;
    arg_command command;
    arg_result parsed = train_options_read(&options, &command, argc, argv);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    train_run run = {.o = &options, .command = &command, .train_accuracy = NAN, .eval_accuracy = NAN};
    run.times = (train_times){.wanted = options.json != NULL, .first_step = NAN,
                              .process_start = train_process_start()};
    if (!options.quiet) hg_set_log(show_warning, NULL);
    int code = train(&run);
    clean_up(&run);
    return code;
}
