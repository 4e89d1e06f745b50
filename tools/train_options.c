/* The command line of `hapgop train`, and which of its options a checkpoint keeps. */
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
        {"epochs", ARG_INT, &o->epochs, "N", "passes over the training set (5)", 1, BIG, .group = OPTION_SAVED},
        {"iterations", ARG_INT, &o->iterations, "N", "stop after iteration N", 1, BIG},
        {"batch", ARG_INT, &o->batch, "N", "images a step (100)", 1, 1e6, .group = OPTION_FIXED},
        {"lr", ARG_REAL, &o->lr, "X", "learning rate of Adam (0.001)", 0, 1e6, .group = OPTION_FIXED},
        {"seed", ARG_INT, &o->seed, "N", "of the random numbers (0)", 0, 9007199254740992.0, .group = OPTION_FIXED},
        {"rng", ARG_CHOICE, &o->rng, .choices = rng_names, .group = OPTION_FIXED,
         .help = "the device's own generator (philox), or PyTorch's stream"},
        {"shuffle", ARG_FLAG, &o->shuffle, .help = "another order in each epoch", .group = OPTION_FIXED},
        {"fc-relu", ARG_FLAG, &o->fc_relu, .help = "fashion-cnn: ReLU between the fully connected layers",
         .group = OPTION_FIXED},
        {"eval-mode", ARG_CHOICE, &o->eval_mode, .choices = mode_names, .help = "mode of the model in tests (train)",
         .group = OPTION_FIXED},
        {"eval-every", ARG_INT, &o->eval_every, "N", "iterations from test to test (50); 0: at the end alone", 0, BIG,
         .group = OPTION_FIXED},
        {"report-every", ARG_INT, &o->report_every, "N", "iterations from line to line (500); 0: none", 0, BIG,
         .group = OPTION_SAVED},
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

/* ---- In a checkpoint -------------------------------------------------------------------------------------------- */

static void path_of(const arg_option *option, char path[64])
{
    snprintf(path, 64, "options/%s", option->name);
}

bool train_options_save(const arg_command *c, hg_checkpoint *checkpoint)
{
    hg_status status = HG_OK;
    for (int i = 0; i < c->count && status == HG_OK; i++) {
        const arg_option *o = &c->options[i];
        char path[64];
        path_of(o, path);
        if (o->group == OPTION_LOCAL) continue;
        if (o->kind == ARG_FLAG) status = hg_checkpoint_put_bool(checkpoint, path, *(bool *)o->value);
        if (o->kind == ARG_INT) status = hg_checkpoint_put_int(checkpoint, path, *(int64_t *)o->value);
        if (o->kind == ARG_REAL) status = hg_checkpoint_put_double(checkpoint, path, *(double *)o->value);
        if (o->kind == ARG_CHOICE) status = hg_checkpoint_put_text(checkpoint, path, o->choices[*(int *)o->value]);
    }
    return status == HG_OK || run_failed();
}

/* The option's value as text, as the command line has it; "yes" or "no" for a flag. */
static void text_of(const arg_option *o, char text[64])
{
    if (o->kind == ARG_FLAG) snprintf(text, 64, "%s", *(bool *)o->value ? "yes" : "no");
    if (o->kind == ARG_INT) snprintf(text, 64, "%lld", (long long)*(int64_t *)o->value);
    if (o->kind == ARG_REAL) snprintf(text, 64, "%.17g", *(double *)o->value);
    if (o->kind == ARG_CHOICE) snprintf(text, 64, "%s", o->choices[*(int *)o->value]);
}

static hg_status saved_text(const arg_option *o, const hg_checkpoint *checkpoint, char text[64])
{
    char path[64];
    path_of(o, path);
    bool flag = false;
    int64_t integer = 0;
    double real = 0;
    const char *choice = "";
    hg_status status = o->kind == ARG_FLAG ? hg_checkpoint_get_bool(checkpoint, path, &flag)
                       : o->kind == ARG_INT ? hg_checkpoint_get_int(checkpoint, path, &integer)
                       : o->kind == ARG_REAL ? hg_checkpoint_get_double(checkpoint, path, &real)
                                             : hg_checkpoint_get_text(checkpoint, path, &choice);
    if (o->kind == ARG_FLAG) snprintf(text, 64, "%s", flag ? "yes" : "no");
    if (o->kind == ARG_INT) snprintf(text, 64, "%lld", (long long)integer);
    if (o->kind == ARG_REAL) snprintf(text, 64, "%.17g", real);
    if (o->kind == ARG_CHOICE) snprintf(text, 64, "%s", choice);
    return status;
}

static bool take_saved(const arg_command *c, arg_option *o, const char *saved)
{
    char now[64];
    text_of(o, now);
    if (o->given && o->group == OPTION_FIXED && strcmp(now, saved)) {
        args_complain(c, "--%s %s contradicts the checkpoint, whose training has %s %s; leave --%s out to go on with "
                      "that", o->name, now, o->name, saved, o->name);
        return false;
    }
    if (o->given) return true;
    if (o->kind == ARG_FLAG) {
        *(bool *)o->value = !strcmp(saved, "yes");
        return true;
    }
    return args_set(c, o, saved);
}

bool train_options_load(arg_command *c, const hg_checkpoint *checkpoint)
{
    for (int i = 0; i < c->count; i++) {
        arg_option *o = &c->options[i];
        char saved[64];
        if (o->group == OPTION_LOCAL) continue;
        if (saved_text(o, checkpoint, saved) != HG_OK) return run_failed();
        if (!take_saved(c, o, saved)) return false;
    }
    return true;
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
        if (!o->given || o->group == OPTION_FIXED || o->value == &run->o->resume) continue;
        printf(" --%s", o->name);
        if (o->kind == ARG_FLAG) continue;
        putchar(' ');
        char text[64];
        text_of(o, text);
        print_word(o->kind == ARG_TEXT ? *(const char **)o->value : text);
    }
}
