/* `hapgop transfer`: from the command line to the files. */
#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "run.h"

int transfer_execute(transfer_run *run)
{
    if (!transfer_prepare(run)) return 1;
    run_catch_signals();
    if (!transfer_train(run)) return 1;
    if (run->done && (!transfer_evaluate(run) || (run->best >= 0 && !transfer_write(run)))) return 1;
    if (run_signal) {
        printf("Interrupted after %lld of %lld epochs%s\n", (long long)run->done, (long long)run->o->epochs,
               run->done && run->command ? "; the same command with --resume goes on" : "");
        return 130;
    }
    if (!run->o->quiet) transfer_print_classes(run);
    return 0;
}

void transfer_free(transfer_run *run)
{
    hg_loader_free(run->train_loader);
    hg_loader_free(run->test_loader);
    hg_scheduler_free(run->schedule);
    hg_optimizer_free(run->optimizer);
    hg_module_free(run->model);
    hg_dataset_free(run->train_set);
    hg_dataset_free(run->test_set);
    hg_transform_free(run->train_transform);
    hg_transform_free(run->test_transform);
    hg_device_close(run->dev);
    free(run->epochs);
    free(run->confusion);
}

int transfer_command(int argc, char **argv)
{
    transfer_options options;
    arg_command command;
    arg_result parsed = transfer_options_read(&options, &command, argc, argv);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    transfer_run run = {.o = &options, .command = &command};
    run_show_warnings();
    int code = transfer_execute(&run);
    transfer_free(&run);
    return code;
}
