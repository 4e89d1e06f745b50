/* The command line of `hapgop transfer`. */
#include <string.h>

#include "transfer.h"

const char *const transfer_modes[] = {
    [TRANSFER_FEATURE_EXTRACT] = "feature-extract", [TRANSFER_FINE_TUNE] = "fine-tune", NULL};
const char *const transfer_regimes[] = {[TRANSFER_SMALL_LOW] = "small-low",
                                        [TRANSFER_SMALL_HIGH] = "small-high",
                                        [TRANSFER_LARGE_LOW] = "large-low",
                                        [TRANSFER_LARGE_HIGH] = "large-high",
                                        NULL};
static const char *const schedules[] = {
    [TRANSFER_CONSTANT] = "constant",   [TRANSFER_STEP] = "step",       [TRANSFER_COSINE] = "cosine",
    [TRANSFER_ONE_CYCLE] = "one-cycle", [TRANSFER_PLATEAU] = "plateau", NULL};
static const char *const rng_names[] = {[HG_RNG_PHILOX] = "philox", [HG_RNG_TORCH] = "torch", NULL};
static const char *const bad_images[] = {[HG_BAD_IMAGE_STOP] = "stop", [HG_BAD_IMAGE_SKIP] = "skip", NULL};

static const char about[] =
    "Trains a network on the images of DIR/train, a folder for each class, from weights that were trained on others,\n"
    "and tests each of its checkpoints on those of DIR/test.\n"
    "\n"
    "feature-extract trains a new last layer alone. fine-tune also trains a part of the convolutions, by the size of\n"
    "the data and its similarity to what the weights come from (--regime): small-high the classifier, small-low the\n"
    "last block of convolutions too, large-high the last two, large-low all. Without --weights the network begins\n"
    "untrained, to compare with.\n"
    "\n"
    "Images are resized to a square and a random part is cut out and perhaps mirrored to train; to test, the shorter\n"
    "side is resized and the middle cut out. As in the usual program there is no normalisation, which weights from\n"
    "ImageNet expect (--imagenet-norm), and frozen batch normalisations drift with the batches (--freeze-bn).\n"
    "\n"
    "Files in --out: 00.pth, 01.pth, ... after each epoch, state dicts that load_state_dict() takes; best.pth, the one\n"
    "with most right answers in the test, with the names of the classes, for hapgop predict; history.csv, curves.png,\n"
    "confusion.csv and .png, classes.csv; resume.pth, with which --resume goes on after the last whole epoch, bit for\n"
    "bit as if there had been no stop. The best of many tests on the same images is an optimistic figure: the last one\n"
    "and the mean are told too.";

void transfer_options_default(transfer_options *o)
{
    *o = (transfer_options){.epochs = 13,
                            .batch = 32,
                            .workers = 2,
                            .lr = 0.001,
                            .trunk_lr = -1,
                            .out = "out/transfer",
                            .regime = TRANSFER_SMALL_LOW};
}

static void describe(transfer_options *o)
{
    const arg_option list[] = {
        {"arch", ARG_TEXT, &o->arch, "NAME", "the network: resnet18 (see hapgop model --list)"},
        {"weights", ARG_TEXT, &o->weights, "FILE", "pretrained weights: .pth, safetensors, or a best.pth"},
        {"data", ARG_TEXT, &o->data, "DIR", "folder with train and test, a folder for each class in both"},
        {"out", ARG_TEXT, &o->out, "DIR", "folder to write to (out/transfer)"},
        {"mode", ARG_CHOICE, &o->mode, .choices = transfer_modes, .help = "what is trained (feature-extract)", .group = RESUME_FIXED},
        {"regime", ARG_CHOICE, &o->regime, .choices = transfer_regimes,
         .help = "how much fine-tune trains, by data and similarity (small-low)", .group = RESUME_FIXED},
        {"epochs", ARG_INT, &o->epochs, "N", "passes over the training images (13)", 1, 10000, .group = RESUME_SAVED},
        {"batch", ARG_INT, &o->batch, "N", "images a step (32)", 1, 1e6, .group = RESUME_FIXED},
        {"workers", ARG_INT, &o->workers, "N", "threads that read images ahead (2)", 0, 1024},
        {"size", ARG_INT, &o->size, "N", "side of the images that the network gets (its own, 224 for most)", 1, 8192, .group = RESUME_FIXED},
        {"lr", ARG_REAL, &o->lr, "X", "learning rate of Adam (0.001)", 0, 1e6, .group = RESUME_FIXED},
        {"trunk-lr", ARG_REAL, &o->trunk_lr, "X", "that of the convolutions, if it is another", 0, 1e6, .group = RESUME_FIXED},
        {"weight-decay", ARG_REAL, &o->weight_decay, "X", "of Adam (0)", 0, 1e6, .group = RESUME_FIXED},
        {"schedule", ARG_CHOICE, &o->schedule, .choices = schedules,
         .help =
             "of the learning rate: a tenth in the last third, to 0 along a cosine, one cycle, a tenth where the loss "
             "stands (constant)", .group = RESUME_FIXED},
        {"imagenet-norm", ARG_FLAG, &o->imagenet_norm, .help = "normalise as weights from ImageNet expect", .group = RESUME_FIXED},
        {"freeze-bn", ARG_FLAG, &o->freeze_batch_norm, .help = "frozen batch normalisations keep their statistics", .group = RESUME_FIXED},
        {"seed", ARG_INT, &o->seed, "N", "of the random numbers (0)", 0, 9007199254740992.0, .group = RESUME_FIXED},
        {"rng", ARG_CHOICE, &o->rng, .choices = rng_names, .help = "the device's own generator, or PyTorch's stream", .group = RESUME_FIXED},
        {"on-bad-image", ARG_CHOICE, &o->on_bad_image, .choices = bad_images,
         .help = "an image that cannot be read ends the training, or is left out (stop)", .group = RESUME_SAVED},
        {"device", ARG_TEXT, &o->device, "DEVICE",
         "gpu, cpu, nvidia, amd, intel, pocl or part of a name, :N for the N-th "
         "(see hapgop devices)"},
        {"resume", ARG_FLAG, &o->resume, .help = "go on with what was interrupted in --out, with its options"},
        {"json", ARG_TEXT, &o->json, "FILE", "write history and results as JSON"},
    };
    _Static_assert(sizeof list == sizeof o->list, "as many as there is room for");
    memcpy(o->list, list, sizeof list);
}

static bool check(transfer_options *o, const arg_command *c, int rest_count, const char *const *rest)
{
    if (rest_count) {
        args_complain(c, "unknown argument %s", rest[0]);
        return false;
    }
    for (int i = 0; i < c->count; i++) {
        const arg_option *option = &c->options[i];
        if (!strcmp(option->name, "regime") && option->given && o->mode != TRANSFER_FINE_TUNE) {
            args_complain(c, "--regime is for --mode fine-tune");
            return false;
        }
    }
    if (!o->arch || !o->data) {
        args_complain(c, "--%s is missing", o->arch ? "data" : "arch");
        return false;
    }
    o->model = hg_model_find(o->arch);
    if (!o->model || !o->model->any_classes) {
        args_complain(c, o->model ? "%s has a fixed number of classes" : "%s", o->model ? o->arch : hg_last_error());
        return false;
    }
    if (o->imagenet_norm && o->model->channels != 3) {
        args_complain(c, "--imagenet-norm is for three channels; %s has %d", o->arch, (int)o->model->channels);
        return false;
    }
    return true;
}

arg_result transfer_options_read(transfer_options *o, arg_command *c, int argc, char **argv)
{
    transfer_options_default(o);
    describe(o);
    *c = (arg_command){"transfer", "--arch NAME --data DIR [OPTIONS]", about, o->list, TRANSFER_OPTIONS};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(c, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed;
    return check(o, c, count, rest) ? ARGS_OK : ARGS_BAD;
}
