/* `hapgop train`: from the command line to the files. */
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "run.h"

/* ---- The run ---------------------------------------------------------------------------------------------------- */

static int train(train_run *run)
{
    if (!train_prepare(run)) return 1;
    train_print_model(run);
    run_catch_signals();
    if (!train_loop(run)) return 1;
    bool interrupted = !strcmp(run->end, "interrupted");
    if (!train_count_batches(run) || (!interrupted && !train_final_accuracy(run))) return 1;
    if (!train_write_json(run)) return 1;
    train_print_end(run);
    return run_signal ? 130 : 0;
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
    if (!options.quiet) run_show_warnings();
    int code = train(&run);
    clean_up(&run);
    return code;
}
