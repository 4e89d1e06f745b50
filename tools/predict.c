/* `hapgop predict`: which classes a network sees in images. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "output.h"
#include "predict.h"
#include "run.h"

typedef struct guess {
    int64_t index;
    double probability;
} guess;

/* ---- one image ---- */

/* softmax, in double; false if an output is not finite. */
static bool make_guesses(const float *logits, int64_t n, guess *guesses)
{
    double sum = 0, largest = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(logits[i])) return output_error("the network's answer is not finite; are the weights damaged?");
        largest = fmax(largest, logits[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        guesses[i] = (guess){i, exp(logits[i] - largest)};
        sum += guesses[i].probability;
    }
    for (int64_t i = 0; i < n; i++) guesses[i].probability /= sum;
    return true;
}

/* The likeliest first; of equals the one that comes first. */
static int by_probability(const void *a, const void *b)
{
    const guess *x = a, *y = b;
    if (x->probability != y->probability) return x->probability < y->probability ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool look(const predict_network *n, const hg_image *image, float *logits, guess *guesses)
{
    hg_scope *s = hg_scope_begin(n->dev);
    hg_no_grad_begin();
    hg_tensor *y = hg_forward(n->compiled, hg_image_tensor(n->dev, image, n->transform));
    hg_no_grad_end();
    bool good = hg_ok(y) && hg_numel(y) == n->outputs && hg_read(y, logits) == HG_OK;
    if (!good) output_error("%s", hg_ok(y) ? "the network's answer is not one number a class" : hg_last_error());
    hg_scope_end(s);
    if (!good || !make_guesses(logits, n->outputs, guesses)) return false;
    qsort(guesses, (size_t)n->outputs, sizeof *guesses, by_probability);
    return true;
}

/* ---- what is told ---- */

static const char *class_of(const predict_network *n, int64_t index, char room[24])
{
    if (n->names) return n->names[index];
    snprintf(room, 24, "%lld", (long long)index);
    return room;
}

static void print_guesses(const predict_network *n, const char *file, const guess *guesses, int64_t top)
{
    printf("%s\n", file);
    for (int64_t i = 0; i < top; i++) {
        char room[24];
        printf("%10.4f  %s", guesses[i].probability, class_of(n, guesses[i].index, room));
        if (n->names) printf(" (%lld)", (long long)guesses[i].index);
        putchar('\n');
    }
}

static bool add_json(json_t *images, const predict_network *n, const char *file, const guess *guesses, int64_t top)
{
    json_t *name = json_string(file), *list = json_array();
    if (!name) {
        json_decref(list);
        return output_error("%s cannot be written as JSON: its name is not UTF-8", file);
    }
    bool good = true;
    for (int64_t i = 0; i < top && good; i++) {
        char room[24];
        good = !json_array_append_new(list, json_pack("{s:I,s:s,s:f}", "index", (json_int_t)guesses[i].index, "class",
                                                      class_of(n, guesses[i].index, room), "probability",
                                                      guesses[i].probability));
    }
    if (!json_array_append_new(images, json_pack("{s:o,s:o}", "file", name, "top", list)) && good) return true;
    return output_error("out of memory");
}

/* ---- the command ---- */

static bool look_at_all(const predict_options *o, const predict_network *n, const char **files, int count,
                        json_t *images)
{
    float *logits = malloc((size_t)n->outputs * sizeof *logits);
    guess *guesses = malloc((size_t)n->outputs * sizeof *guesses);
    int64_t top = o->top < n->outputs ? o->top : n->outputs;
    int seen = 0;
    bool good = (logits && guesses) || output_error("out of memory");
    for (int i = 0; good && i < count; i++) {
        hg_image image;
        hg_status status = hg_image_read(files[i], NULL, &image);
        if (status != HG_OK) {
            bool skip = o->on_bad_image == HG_BAD_IMAGE_SKIP && status != HG_E_MEMORY;
            output_error("%s%s", skip ? "left out: " : "", hg_last_error());
            hg_clear_error();
            good = skip;
            continue;
        }
        good = look(n, &image, logits, guesses);
        hg_image_free(&image);
        if (good) print_guesses(n, files[i], guesses, top);
        if (good && images) good = add_json(images, n, files[i], guesses, top);
        seen++;
    }
    free(logits);
    free(guesses);
    return good && (seen || output_error("no image could be read"));
}

static int run(const predict_options *o, const char **files, int count)
{
    predict_network n;
    json_t *images = o->json ? json_array() : NULL;
    if (o->json && !output_possible(o->json)) {
        json_decref(images);
        return 1;
    }
    bool good = predict_open(o, &n) && look_at_all(o, &n, files, count, images);
    if (good && o->json) good = run_write_json(o->json, json_pack("{s:O}", "images", images));
    json_decref(images);
    predict_free(&n);
    return good ? 0 : 1;
}

static const char about[] =
    "Tells which classes a network sees in PNG, JPEG, PPM and PGM images, the likeliest first.\n"
    "\n"
    "The weights are a state dict, or a checkpoint of hapgop. The images are prepared as torchvision's ImageNet preset\n"
    "does: the shorter side becomes 256, the middle of 224 x 224 is taken, ImageNet's means are subtracted and its\n"
    "deviations divided by; with --size N, 256/224 N and N. Networks made for other sizes get images of these, not\n"
    "normalised. A checkpoint of hapgop transfer tells itself how, which network it is for, and the classes' names.";

int predict_command(int argc, char **argv)
{
    static const char *const norms[] = {"auto", "imagenet", "none", NULL}, *const policies[] = {"stop", "skip", NULL};
    predict_options o = {.top = 5};
    arg_option options[] = {
        {"arch", ARG_TEXT, &o.arch, "NAME", "the network; hapgop model --list names them"},
        {"weights", ARG_TEXT, &o.weights, "FILE", "its weights: .pth, .safetensors or .npz"},
        {"classes", ARG_TEXT, &o.classes, "FILE", "names of the classes, one a line"},
        {"size", ARG_INT, &o.size, "N", "sides of the images that the network sees (224)", 1, HG_IMAGE_MAX_SIDE},
        {"resize", ARG_INT, &o.resize, "N", "what the shorter side becomes before (256/224 of the size)", 1,
         HG_IMAGE_MAX_SIDE},
        {"norm", ARG_CHOICE, &o.norm, .choices = norms, .help = "by ImageNet's means and deviations or not at all"},
        {"transform-input", ARG_FLAG, &o.transform_input, .help = "googlenet with torchvision's own weights"},
        {"top", ARG_INT, &o.top, "K", "classes to tell for each image (5)", 1, 1e6},
        {"on-bad-image", ARG_CHOICE, &o.on_bad_image, .choices = policies,
         .help = "what an image that cannot be read does (stop)"},
        {"json", ARG_TEXT, &o.json, "FILE", "write the answers for other programs"},
        {"device", ARG_TEXT, &o.device, "DEVICE",
         "gpu, cpu, nvidia, amd, intel, pocl or part of a name, :N for the N-th"},
    };
    arg_command command = {"predict", "--weights FILE [OPTIONS] IMAGE...", about, options,
                           sizeof options / sizeof *options};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    if (!o.weights || !count) {
        args_complain(&command, o.weights ? "an image is missing" : "--weights FILE is missing");
        return 2;
    }
    if (o.arch && !hg_model_find(o.arch)) {
        args_complain(&command, "%s", hg_last_error());
        return 2;
    }
    return run(&o, rest, count);
}
