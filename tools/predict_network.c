#define _GNU_SOURCE
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "predict.h"
#include "run.h"

#define MOST_CLASSES 1000000

/* ---- names ---- */

static void free_names(predict_network *n)
{
    for (int64_t i = 0; n->names && i < n->outputs; i++) free(n->names[i]);
    free(n->names);
    n->names = NULL;
}

static bool make_names(predict_network *n)
{
    n->names = calloc((size_t)n->outputs + 1, sizeof *n->names);
    return n->names || output_error("out of memory");
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);
    json_decref(string);
    return string;
}

/* A line of the file for each output; what is beyond is counted, not kept. */
static bool read_lines(FILE *file, const char *path, predict_network *n)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int64_t count = 0;
    bool good = true;
    while (good && (length = getline(&line, &room, file)) >= 0) {
        while (length && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
        if (!is_utf8(line)) good = output_error("%s: line %lld is not UTF-8", path, (long long)count + 1);
        else if (count < n->outputs) good = (n->names[count] = strdup(line)) || output_error("out of memory");
        count++;
    }
    free(line);
    if (good && ferror(file)) return output_error("cannot read %s: %s", path, strerror(errno));
    if (good && count != n->outputs)
        return output_error("%s has %lld names, the network has %lld classes; a line for each is needed", path,
                            (long long)count, (long long)n->outputs);
    return good;
}

static bool names_from_file(const char *path, predict_network *n)
{
    FILE *file = fopen(path, "r");
    if (!file) return output_error("cannot read %s: %s", path, strerror(errno));
    bool good = make_names(n) && read_lines(file, path, n);
    fclose(file);
    return good;
}

/* ---- weights ---- */

/* A file of weights, and what it may say beside them. */
typedef struct source {
    hg_checkpoint *about;       /* NULL: nothing, it is no dict of torch.save */
    hg_weights *weights;
} source;

static bool open_source(const char *path, source *s)
{
    s->about = hg_checkpoint_read(path);        /* if it cannot be read, hg_weights_open says why */
    hg_clear_error();
    hg_weights_options o = {.strip = "module."};
    if (s->about && hg_checkpoint_has(s->about, "model_state_dict")) o.key = "model_state_dict";
    s->weights = hg_weights_open(path, &o);
    return s->weights || run_failed();
}

static void close_source(source *s)
{
    hg_weights_close(s->weights);
    hg_checkpoint_free(s->about);
}

static bool says(const source *s, const char *key)
{
    return s->about && hg_checkpoint_has(s->about, key);
}

static bool keep_last(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)t, (void)is_buffer;
    snprintf(user, 256, "%s", name);
    return true;
}

/* As many outputs as the last parameter, the bias of the classifier, has in the file. */
static bool make_network(const hg_model_info *info, const predict_options *o, const source *s, predict_network *n)
{
    char last[256] = "";
    hg_model_options m = HG_MODEL_DEFAULTS;
    m.aux_logits = run_weights_shape(s->weights, "aux1.fc1.weight").ndim > 0;
    m.transform_input = o->transform_input;
    n->outputs = info->classes;
    n->net = hg_model(n->dev, info->name, &m);
    if (!n->net) return run_failed();
    hg_each_parameter(n->net, keep_last, last);
    hg_shape shape = run_weights_shape(s->weights, last);
    if (!info->any_classes || shape.ndim != 1 || shape.size[0] < 1 || shape.size[0] > MOST_CLASSES) return true;
    n->outputs = m.classes = shape.size[0];
    if (n->outputs == info->classes) return true;
    hg_module_free(n->net);
    n->net = hg_model(n->dev, info->name, &m);
    return n->net || run_failed();
}

static bool load_weights(const source *s, predict_network *n)
{
    if (hg_weights_load(s->weights, n->net, true) != HG_OK) return run_failed();
    hg_eval(n->net);
    n->compiled = hg_compile(n->net, NULL);
    return n->compiled || run_failed();
}

static bool names_from_checkpoint(const source *s, predict_network *n)
{
    if (!says(s, "classes")) return true;
    if (!make_names(n)) return false;
    for (int64_t i = 0; i < n->outputs; i++) {
        char key[40];
        const char *text;
        snprintf(key, sizeof key, "classes/%lld", (long long)i);
        if (hg_checkpoint_get_text(s->about, key, &text) != HG_OK) return run_failed();
        if (!(n->names[i] = strdup(text))) return output_error("out of memory");
    }
    return true;
}

/* ---- images ---- */

/* What the options say, else the checkpoint, else `value` as it is. */
static bool integer(const source *s, const char *key, int64_t given, int64_t *value)
{
    if (given) *value = given;
    else if (says(s, key) && hg_checkpoint_get_int(s->about, key, value) != HG_OK) return run_failed();
    return true;
}

/* torchvision's preset for networks of 224 x 224: Resize(256), CenterCrop(224), ToTensor, ImageNet's Normalize. Others
 * get images of their size, not normalised. */
static bool make_transform(const hg_model_info *info, const predict_options *o, const source *s, predict_network *n)
{
    static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    bool preset = info->height == 224, norm = preset && info->channels == 3;
    int64_t size = info->height, resize;
    if (!integer(s, "preprocess/size", o->size, &size)) return false;
    resize = preset ? (size * 256 + 112) / 224 : size;
    if (!integer(s, "preprocess/resize", o->resize, &resize)) return false;
    if (size < 1 || size > HG_IMAGE_MAX_SIDE || resize < 1 || resize > HG_IMAGE_MAX_SIDE)
        return output_error("images of %lld, resized to %lld: 1 to %d is possible", (long long)size, (long long)resize,
                            HG_IMAGE_MAX_SIDE);
    if (o->norm != PREDICT_NORM_AUTO) norm = o->norm == PREDICT_NORM_IMAGENET;
    else if (says(s, "preprocess/imagenet_norm") &&
             hg_checkpoint_get_bool(s->about, "preprocess/imagenet_norm", &norm) != HG_OK)
        return run_failed();
    if (norm && info->channels != 3)
        return output_error("--norm imagenet is for three channels; %s has %lld", info->name,
                            (long long)info->channels);
    n->transform = hg_compose((hg_transform *[]){
        info->channels == 1 ? hg_grayscale(1) : hg_compose(NULL, 0), hg_resize((int)resize),
        hg_center_crop((int)size, (int)size), hg_to_tensor(),
        norm ? hg_normalize(mean, std, 3) : hg_compose(NULL, 0)}, 5);
    return n->transform || run_failed();
}

/* ---- all of it ---- */

/* The network that the options or the file name. */
static const hg_model_info *find_network(const predict_options *o, const source *s)
{
    const char *arch = o->arch, *inside = NULL;
    if (says(s, "arch") && hg_checkpoint_get_text(s->about, "arch", &inside) != HG_OK) {
        run_failed();
        return NULL;
    }
    if (!arch && !inside) {
        output_error("%s does not say which network it is for; --arch NAME does", o->weights);
        return NULL;
    }
    if (arch && inside && strcmp(arch, inside)) {
        output_error("%s is for %s, not for %s; leave --arch out", o->weights, inside, arch);
        return NULL;
    }
    const hg_model_info *info = hg_model_find(arch ? arch : inside);
    if (!info) run_failed();
    return info;
}

bool predict_open(const predict_options *o, predict_network *n)
{
    *n = (predict_network){0};
    source s = {0};
    const hg_model_info *info = open_source(o->weights, &s) ? find_network(o, &s) : NULL;
    if (info) n->dev = hg_device_open(o->device);
    bool good = info && (n->dev || run_failed()) && make_network(info, o, &s, n) && load_weights(&s, n) &&
                make_transform(info, o, &s, n) &&
                (o->classes ? names_from_file(o->classes, n) : names_from_checkpoint(&s, n));
    close_source(&s);
    return good;
}

void predict_free(predict_network *n)
{
    free_names(n);
    hg_transform_free(n->transform);
    hg_module_free(n->compiled);
    hg_module_free(n->net);
    hg_device_close(n->dev);
}
