/* `hapgop standin`: transfer learning where no pretrained weights and no photographs can be had. Two classes of
 * Fashion-MNIST that are hard to tell apart stand for the cats and dogs, the other eight for ImageNet. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "output.h"
#include "run.h"
#include "transfer.h"

enum { HELD_OUT = 2, KEPT = 8, TRAIN_IMAGES = 385, TEST_IMAGES = 98, OPTIONS = 11 };
static const int64_t held_out[HELD_OUT] = {6, 0}, kept[KEPT] = {1, 2, 3, 4, 5, 7, 8, 9};
static const char *const folder_names[HELD_OUT] = {"Shirt", "T-shirt"};

static const char about[] =
    "Shows transfer learning on data that every machine can have: an experiment in place of ImageNet's weights and\n"
    "photographs of cats and dogs.\n"
    "\n"
    "From Fashion-MNIST it writes a folder of 385 and 98 PNG files of two classes that are hard to tell apart, shirts\n"
    "and T-shirts (DIR/data/train, DIR/data/test), trains a network on images of the other eight classes\n"
    "(DIR/pretrained), and then, as hapgop transfer does, on the two: its last layer alone, after random weights and\n"
    "after the pretrained ones, and with more and more of its convolutions. A table sets them side by side\n"
    "(DIR/table.md).";

typedef struct standin {
    const char *arch, *data, *out, *json, *device;
    int64_t pretrain_images, pretrain_epochs, epochs, size, workers, seed;
} standin;

typedef struct row {
    const char *name, *what;
    int mode, regime;
    bool pretrained;
    int64_t trained, tensors;
    double training, best, last, mean, seconds;
} row;

/* ---- the folder of two classes ---- */

static bool make_folder(const char *path)
{
    struct stat info;
    return (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) || output_folder(path);
}

static bool write_image(const hg_dataset *d, int64_t index, const char *folder, int64_t counts[HELD_OUT])
{
    uint8_t pixels[28 * 28];
    char path[4200];
    hg_sample sample = {.data = pixels};
    if (hg_dataset_get(d, index, &sample) != HG_OK) return run_failed();
    snprintf(path, sizeof path, "%s/%s/%05lld.png", folder, folder_names[sample.label],
             (long long)counts[sample.label]++);
    hg_image image = {.width = 28, .height = 28, .channels = 1, .pixels = pixels};
    return hg_image_write_png(path, &image) == HG_OK || run_failed();
}

/* `images` of the two classes, as many of each, or one more of the first. */
static bool write_part(const standin *s, bool train, int images)
{
    char folder[4100], path[4200];
    snprintf(folder, sizeof folder, "%.4000s/data/%s", s->out, train ? "train" : "test");
    for (int i = 0; i < HELD_OUT; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folder_names[i]);
        if (!make_folder(path)) return false;
    }
    hg_dataset *all = hg_fashion_mnist(s->data, train, NULL);
    hg_shape shape = all ? hg_dataset_shape(all) : HG_SCALAR;
    hg_dataset *two = all ? hg_select_classes(all, held_out, HELD_OUT, (images + 1) / 2) : NULL;
    int64_t counts[HELD_OUT] = {0}, left = images, n = two ? hg_dataset_length(two) : 0;
    bool good = two || run_failed();
    if (good && (shape.ndim != 2 || shape.size[0] != 28 || shape.size[1] != 28 || n < images))
        good = output_error("the data are no Fashion-MNIST: %d images of 28 x 28 of two classes are needed", images);
    for (int64_t i = 0; i < n && left && good; i++, left--) good = write_image(two, i, folder, counts);
    hg_dataset_free(two);
    hg_dataset_free(all);
    return good;
}

/* ---- the eight classes, from the files of the data set ---- */

typedef struct eight {
    const standin *s;
    hg_dataset *all[2]; /* to test, to train */
} eight;

static hg_dataset *open_eight(const transfer_options *o, bool train, const hg_transform *transform, void *user)
{
    (void)o;
    eight *e = user;
    e->all[train] = hg_fashion_mnist(e->s->data, train, transform);
    if (!e->all[train]) return NULL;
    return hg_select_classes(e->all[train], kept, KEPT, train ? (e->s->pretrain_images + KEPT - 1) / KEPT : 100);
}

/* ---- runs ---- */

static void fill_row(row *r, const transfer_run *run)
{
    double sum = 0;
    for (int64_t i = 0; i < run->done; i++) sum += run->epochs[i].test_accuracy;
    r->trained = run->trained_parameters;
    r->tensors = run->trained_tensors;
    r->training = run->epochs[run->done - 1].accuracy;
    r->best = run->epochs[run->best].test_accuracy;
    r->last = run->epochs[run->done - 1].test_accuracy;
    r->mean = sum / (double)run->done;
    r->seconds = run->training_seconds;
}

static void options_of(const standin *s, transfer_options *o, const char *out)
{
    transfer_options_default(o);
    o->model = hg_model_find(s->arch);
    o->device = s->device;
    o->out = out;
    o->size = s->size;
    o->workers = s->workers;
    o->seed = s->seed;
    o->quiet = true;
}

/* Exit code. */
static int execute(transfer_run *run, row *r)
{
    int code = transfer_execute(run);
    if (!code) fill_row(r, run);
    transfer_free(run);
    return code;
}

static int pretrain(const standin *s, row *r, const char *out)
{
    transfer_options o;
    eight e = {.s = s};
    options_of(s, &o, out);
    o.grey = true;
    o.mode = TRANSFER_FINE_TUNE;
    o.regime = TRANSFER_LARGE_LOW;
    o.epochs = s->pretrain_epochs;
    o.schedule = TRANSFER_ONE_CYCLE;
    o.lr = 0.002;
    int code = execute(&(transfer_run){.o = &o, .open = open_eight, .user = &e}, r);
    for (int i = 0; i < 2; i++) hg_dataset_free(e.all[i]);
    return code;
}

static int transfer_to_two(const standin *s, row *r, const char *weights)
{
    transfer_options o;
    char out[4200], data[4200];
    snprintf(out, sizeof out, "%.4000s/%s", s->out, r->name);
    snprintf(data, sizeof data, "%.4000s/data", s->out);
    options_of(s, &o, out);
    o.data = data;
    o.mode = r->mode;
    o.regime = r->regime;
    o.epochs = s->epochs;
    o.trunk_lr = 0.0002;
    if (r->pretrained) o.weights = weights;
    return execute(&(transfer_run){.o = &o}, r);
}

/* ---- the table ---- */

static void print_head(FILE *f)
{
    fprintf(f, "| run | trained | parameters trained | training accuracy | test: best | last | mean | seconds |\n"
               "|---|---|---:|---:|---:|---:|---:|---:|\n");
}

static void print_row(FILE *f, const row *r)
{
    fprintf(f, "| %s | %s | %lld | %.3f | %.3f | %.3f | %.3f | %.0f |\n", r->name, r->what, (long long)r->trained,
            r->training, r->best, r->last, r->mean, r->seconds);
}

static bool write_table(const standin *s, const row *rows, int count)
{
    char path[4200];
    output_file f;
    snprintf(path, sizeof path, "%.4000s/table.md", s->out);
    if (!output_open(&f, path)) return false;
    print_head(f.stream);
    for (int i = 0; i < count; i++) print_row(f.stream, &rows[i]);
    return output_commit(&f);
}

static bool write_json(const standin *s, const row *rows, int count, double seconds)
{
    if (!s->json) return true;
    json_t *list = json_array(), *root;
    for (int i = 0; list && i < count; i++) {
        const row *r = &rows[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "run", r->name,
                                              "trained_parameters", (json_int_t)r->trained, "trained_tensors",
                                              (json_int_t)r->tensors, "training_accuracy", r->training,
                                              "best_test_accuracy", r->best, "last_test_accuracy", r->last,
                                              "mean_test_accuracy", r->mean, "seconds", r->seconds));
    }
    root = json_pack("{s:s, s:I, s:f, s:o}", "arch", s->arch, "size", (json_int_t)s->size, "seconds", seconds, "runs",
                     list);
    return run_write_json(s->json, root);
}

static int experiment(const standin *s)
{
    row rows[] = {
        {"pretrained", "all, on eight other classes", .mode = TRANSFER_FINE_TUNE, .regime = TRANSFER_LARGE_LOW},
        {"frozen-random", "the last layer, after random weights", .mode = TRANSFER_FEATURE_EXTRACT},
        {"frozen-pretrained", "the last layer (small data, similar)", .mode = TRANSFER_FEATURE_EXTRACT,
         .pretrained = true},
        {"small-low", "one block more (small data, not similar)", TRANSFER_FINE_TUNE, TRANSFER_SMALL_LOW, true},
        {"large-high", "two blocks more (large data, similar)", TRANSFER_FINE_TUNE, TRANSFER_LARGE_HIGH, true},
        {"large-low", "all (large data, not similar)", TRANSFER_FINE_TUNE, TRANSFER_LARGE_LOW, true}};
    const int count = sizeof rows / sizeof *rows;
    char pretrained[4100], weights[4200];
    double start = run_now();
    snprintf(pretrained, sizeof pretrained, "%.4000s/pretrained", s->out);
    snprintf(weights, sizeof weights, "%s/best.pth", pretrained);
    if (!make_folder(s->out) || (s->json && !output_possible(s->json))) return 1;
    if (!write_part(s, true, TRAIN_IMAGES) || !write_part(s, false, TEST_IMAGES)) return 1;
    print_head(stdout);
    for (int i = 0; i < count; i++) {
        int code = i ? transfer_to_two(s, &rows[i], weights) : pretrain(s, &rows[0], pretrained);
        if (code) return code;
        print_row(stdout, &rows[i]);
    }
    double seconds = run_now() - start;
    printf("\n%.0f seconds for all of it. Written: %s/table.md%s%s\n", seconds, s->out, s->json ? ", " : "",
           s->json ? s->json : "");
    return write_table(s, rows, count) && write_json(s, rows, count, seconds) ? 0 : 1;
}

int standin_command(int argc, char **argv)
{
    standin s = {.arch = "resnet18",
                 .out = "out/standin",
                 .pretrain_images = 12000,
                 .pretrain_epochs = 2,
                 .epochs = 13,
                 .size = 64,
                 .workers = 2};
    arg_option options[OPTIONS] = {
        {"arch", ARG_TEXT, &s.arch, "NAME", "the network (resnet18)"},
        {"data", ARG_TEXT, &s.data, "DIR", "folder of the four Fashion-MNIST files"},
        {"out", ARG_TEXT, &s.out, "DIR", "folder to write to (out/standin)"},
        {"size", ARG_INT, &s.size, "N", "side of the images (64)", 1, 8192},
        {"pretrain-images", ARG_INT, &s.pretrain_images, "N", "of the eight classes (12000)", 8, 48000},
        {"pretrain-epochs", ARG_INT, &s.pretrain_epochs, "N", "passes over them (2)", 1, 1000},
        {"epochs", ARG_INT, &s.epochs, "N", "passes over the two classes (13)", 1, 1000},
        {"workers", ARG_INT, &s.workers, "N", "threads that read images ahead (2)", 0, 1024},
        {"seed", ARG_INT, &s.seed, "N", "of the random numbers (0)", 0, 9007199254740992.0},
        {"device", ARG_TEXT, &s.device, "DEVICE",
         "gpu, cpu, nvidia, amd, intel, pocl or part of a name, :N for the N-th"},
        {"json", ARG_TEXT, &s.json, "FILE", "write the table as JSON"}};
    arg_command command = {"standin", "[OPTIONS]", about, options, OPTIONS};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed == ARGS_OK && count) {
        args_complain(&command, "unknown argument %s", rest[0]);
        parsed = ARGS_BAD;
    }
    const hg_model_info *info = parsed == ARGS_OK ? hg_model_find(s.arch) : NULL;
    if (parsed == ARGS_OK && (!info || !info->any_classes)) {
        args_complain(&command, info ? "%s has a fixed number of classes" : "%s", info ? s.arch : hg_last_error());
        parsed = ARGS_BAD;
    }
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    run_show_warnings();
    return experiment(&s);
}
