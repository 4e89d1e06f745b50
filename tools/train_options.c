/* The command line of `hapgop train`. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "run.h"
#include "train.h"

static hg_module *make_dnn(hg_device *dev, bool fc_relu)
{
    (void)fc_relu;
    return hg_fashion_dnn(dev);
}

static hg_module *make_cnn(hg_device *dev, bool fc_relu)
{
    return hg_fashion_cnn(dev, &(hg_fashion_cnn_options){.fc_relu = fc_relu});
}

static const train_model models[] = {
    {"fashion-dnn", false, make_dnn},
    {"fashion-cnn", true, make_cnn},
};
#define MODELS ((int)(sizeof models / sizeof *models))

static const char *const rng_names[] = {[HG_RNG_PHILOX] = "philox", [HG_RNG_TORCH] = "torch", NULL};
static const char *const mode_names[] = {[TRAIN_MODE] = "train", [EVAL_MODE] = "eval", NULL};

#define BIG 1e9     /* more iterations or epochs than anyone waits for */

static const char about[] =
    "Trains MODEL, fashion-dnn or fashion-cnn, on Fashion-MNIST and tests it on the way.\n"
    "\n"
    "Without options this is the usual textbook program to the letter: Adam, batches of 100 in the order of the\n"
    "file, a test every 50 iterations with the model still in train mode (dropout active, batch normalisation on\n"
    "the statistics of the test batch, which its running statistics absorb). --eval-mode eval and --shuffle do\n"
    "better. At the end the accuracy is told in both modes. With --rng torch --seed N the initial weights, the\n"
    "order and dropout's choices are those of PyTorch after torch.manual_seed(N).\n"
    "\n"
    "Files in DIR (--out): history.csv, curves.png, and checkpoints that torch.load() reads: NN.pth after epoch\n"
    "NN, stopped.pth after --iterations within an epoch, interrupted.pth after Ctrl-C. --resume goes on from any\n"
    "of them, bit for bit as if there had been no stop.\n"
    "\n"
    "--json also waits for the device after each of the first 110 steps of a run: the first 10 warm up, the rest\n"
    "are timed. Nothing else waits within a step; losses are read at tests and reports, or after 100 steps.";

static void describe(train_options *o)
{
    const arg_option list[TRAIN_OPTIONS] = {
        {"device", ARG_TEXT, &o->device, "DEVICE", "gpu, cpu, nvidia, amd, intel, pocl or part of a name, :N for the "
         "N-th (see hapgop devices)"},
        {"data", ARG_TEXT, &o->data, "DIR", "folder of the four Fashion-MNIST files"},
        {"out", ARG_TEXT, &o->out, "DIR", "folder to write to (out/MODEL)"},
        {"epochs", ARG_INT, &o->epochs, "N", "passes over the training set (5)", 1, BIG, .group = RESUME_SAVED},
        {"iterations", ARG_INT, &o->iterations, "N", "stop after iteration N", 1, BIG},
        {"batch", ARG_INT, &o->batch, "N", "images a step (100)", 1, 1e6, .group = RESUME_FIXED},
        {"lr", ARG_REAL, &o->lr, "X", "learning rate of Adam (0.001)", 0, 1e6, .group = RESUME_FIXED},
        {"seed", ARG_INT, &o->seed, "N", "of the random numbers (0)", 0, 9007199254740992.0, .group = RESUME_FIXED},
        {"rng", ARG_CHOICE, &o->rng, .choices = rng_names, .group = RESUME_FIXED,
         .help = "the device's own generator (philox), or PyTorch's stream"},
        {"shuffle", ARG_FLAG, &o->shuffle, .help = "another order in each epoch", .group = RESUME_FIXED},
        {"fc-relu", ARG_FLAG, &o->fc_relu, .help = "fashion-cnn: ReLU between the fully connected layers",
         .group = RESUME_FIXED},
        {"eval-mode", ARG_CHOICE, &o->eval_mode, .choices = mode_names, .help = "mode of the model in tests (train)",
         .group = RESUME_FIXED},
        {"eval-every", ARG_INT, &o->eval_every, "N", "iterations from test to test (50); 0: at the end alone", 0, BIG,
         .group = RESUME_FIXED},
        {"report-every", ARG_INT, &o->report_every, "N", "iterations from line to line (500); 0: none", 0, BIG,
         .group = RESUME_SAVED},
        {"workers", ARG_INT, &o->workers, "N", "threads that fetch batches ahead (0)", 0, 1024},
        {"resume", ARG_TEXT, &o->resume, "FILE", "go on from a checkpoint, with its options"},
        {"json", ARG_TEXT, &o->json, "FILE", "write history, times and memory as JSON"},
        {"quiet", ARG_FLAG, &o->quiet, .help = "print report lines and errors alone"},
    };
    memcpy(o->list, list, sizeof list);
}

static const train_model *find_model(const arg_command *c, const char *const *rest, int count)
{
    if (count == 0) {
        args_complain(c, "a model is missing: fashion-dnn or fashion-cnn");
        return NULL;
    }
    if (count > 1) {
        args_complain(c, "unknown argument %s", rest[1]);
        return NULL;
    }
    for (int i = 0; i < MODELS; i++) {
        if (!strcmp(models[i].name, rest[0])) return &models[i];
    }
    args_complain(c, "unknown model %s; the models are fashion-dnn, fashion-cnn", rest[0]);
    return NULL;
}

arg_result train_options_read(train_options *o, arg_command *c, int argc, char **argv)
{
    *o = (train_options){.epochs = 5, .batch = 100, .eval_every = 50, .report_every = 500, .lr = 0.001};
    describe(o);
    *c = (arg_command){"train", "MODEL [OPTIONS]", about, o->list, TRAIN_OPTIONS};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(c, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed;
    o->model = find_model(c, rest, count);
    if (!o->model) return ARGS_BAD;
    if (o->fc_relu && o->model->make != make_cnn) {
        args_complain(c, "--fc-relu is for fashion-cnn; %s has its ReLUs", o->model->name);
        return ARGS_BAD;
    }
    snprintf(o->out_default, sizeof o->out_default, "out/%s", o->model->name);
    if (!o->out) o->out = o->out_default;
    return ARGS_OK;
}

/* As one word for a POSIX shell. */
static void print_word(const char *text)
{
    const char *p = text;
    while (isalnum((unsigned char)*p) || (*p && strchr("_-./:=+,@%", *p))) p++;
    if (*text && !*p) {
        fputs(text, stdout);
        return;
    }
    putchar('\'');
    for (p = text; *p; p++) *p == '\'' ? (void)fputs("'\\''", stdout) : (void)putchar(*p);
    putchar('\'');
}

void train_options_print_resume(const train_run *run, const char *checkpoint)
{
    print_word(program_name);
    printf(" train %s --resume ", run->o->model->name);
    print_word(checkpoint);
    for (int i = 0; i < run->command->count; i++) {
        const arg_option *o = &run->command->options[i];
        if (!o->given || o->group == RESUME_FIXED || o->value == &run->o->resume) continue;
        printf(" --%s", o->name);
        if (o->kind == ARG_FLAG) continue;
        putchar(' ');
        char text[64];
        resume_option_text(o, text);
        print_word(o->kind == ARG_TEXT ? *(const char **)o->value : text);
    }
}
