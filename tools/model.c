/* `hapgop model NAME`: a network as PyTorch prints it, and what each of its layers gives, holds and costs, from one
 * pass with forward hooks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "hapgop/hapgop.h"

typedef struct layer {
    char *name;
    struct table *table;
} layer;

typedef struct table {
    layer *layers;
    int count;
    bool failed;
    double flops, output_bytes;
} table;

/* ---- one layer ---- */

/* Multiplications and additions: of products two for each, of a normalisation two for each element, of all others one
 * for each element that they read. */
static double flops_of(hg_module *m, hg_tensor *input, hg_tensor *output)
{
    const char *class = hg_module_get_class(m)->name;
    double in = (double)hg_numel(input), out = (double)hg_numel(output);
    bool transposed = !strncmp(class, "ConvTranspose", 13);
    if (!strncmp(class, "Conv", 4) || !strcmp(class, "Linear")) {
        hg_tensor *w = hg_parameter(m, "weight");
        return 2 * (transposed ? in : out) * (double)(hg_numel(w) / hg_size(w, 0));
    }
    if (!strcmp(class, "Flatten") || !strncmp(class, "Dropout", 7)) return 0;
    return strstr(class, "Norm") ? 2 * out : in;
}

static void shape_text(hg_tensor *t, char out[96])
{
    size_t used = 0;
    out[0] = 0;
    for (int d = 0; d < hg_ndim(t) && used < 80; d++)
        used += (size_t)snprintf(out + used, 96 - used, "%s%lld", d ? "x" : "", (long long)hg_size(t, d));
}

/* A forward hook: its row. */
static hg_tensor *print_row(hg_module *m, hg_tensor *input, hg_tensor *output, void *user)
{
    layer *l = user;
    char shape[96];
    double flops = flops_of(m, input, output);
    double bytes = (double)hg_numel(output) * (double)hg_dtype_size(hg_tensor_dtype(output));
    shape_text(output, shape);
    printf("%-28s %-18s %-18s %12lld %12.3f %10.3f\n", l->name, hg_module_get_class(m)->name, shape,
           (long long)hg_count_parameters(m, false), flops / 1e6, bytes / 1e6);
    l->table->flops += flops;
    l->table->output_bytes += bytes;
    return NULL;
}

/* ---- all layers ---- */

static bool is_layer(hg_module *m)
{
    const char *class = hg_module_get_class(m)->name;
    static const char *const layers[] = {"Linear",          "Conv",    "BatchNorm", "ReLU",      "MaxPool",  "AvgPool",
                                         "AdaptiveAvgPool", "Dropout", "Flatten",   "LayerNorm", "GroupNorm"};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (!strncmp(class, layers[i], strlen(layers[i]))) return true;
    return false;
}

static bool count_layer(const char *name, hg_module *m, void *user)
{
    (void)name;
    *(int *)user += is_layer(m);
    return true;
}

static bool watch_layer(const char *name, hg_module *m, void *user)
{
    table *t = user;
    if (!is_layer(m)) return true;
    layer *l = &t->layers[t->count++];
    *l = (layer){strdup(name), t};
    t->failed = !l->name || !hg_add_forward_hook(m, print_row, l);
    return !t->failed;
}

static bool add_bytes(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    (void)is_buffer;
    *(double *)user += (double)hg_numel(t) * (double)hg_dtype_size(hg_tensor_dtype(t));
    return true;
}

static hg_status run_once(hg_module *m, hg_shape shape)
{
    hg_device *dev = hg_module_device(m);
    hg_scope *s = hg_scope_begin(dev);
    hg_no_grad_begin();
    hg_tensor *y = hg_forward(m, hg_rand(dev, shape));
    hg_no_grad_end();
    hg_status status = hg_ok(y) ? hg_sync(dev) : hg_last_status();
    hg_scope_end(s);
    return status;
}

static int print_network(hg_module *m, hg_shape shape)
{
    table t = {0};
    int count = 0;
    double state = 0;
    hg_memory_info memory;
    char *text = hg_module_to_text(m);
    hg_each_module(m, count_layer, &count);
    hg_each_state(m, add_bytes, &state);
    t.layers = calloc((size_t)count + 1, sizeof *t.layers);
    t.failed = !text || !t.layers;
    if (text) printf("%s\n\n", text);
    if (!t.failed) hg_each_module(m, watch_layer, &t);
    printf("%-28s %-18s %-18s %12s %12s %10s\n", "layer", "kind", "output", "parameters", "MFLOP", "output MB");
    hg_memory_reset_peak(hg_module_device(m));
    hg_status status = t.failed ? HG_E_MEMORY : run_once(m, shape);
    if (status == HG_OK) status = hg_memory_get_info(hg_module_device(m), &memory);
    if (status == HG_OK)
        printf(
            "\nparameters %lld, %.1f MB with buffers; %.3f GFLOP; outputs %.1f MB; most memory in the pass %.1f MB\n",
            (long long)hg_count_parameters(m, false), state / 1e6, t.flops / 1e9, t.output_bytes / 1e6,
            (double)memory.peak / 1e6);
    else
        fprintf(stderr, "hapgop model: %s\n", t.failed ? "out of memory" : hg_last_error());
    hg_module_free(m);
    for (int i = 0; i < t.count; i++) free(t.layers[i].name);
    free(t.layers);
    free(text);
    return status != HG_OK;
}

/* ---- the command ---- */

/* "1x3x224x224"; false if it is no shape. */
static bool read_shape(const char *text, hg_shape *shape)
{
    *shape = HG_SCALAR;
    for (;;) {
        char *end;
        long long v = strtoll(text, &end, 10);
        if (*text < '0' || *text > '9' || v < 1 || v > INT32_MAX || shape->ndim == HG_MAX_DIMS) return false;
        shape->size[shape->ndim++] = v;
        if (!*end) return true;
        if (*end != 'x') return false;
        text = end + 1;
    }
}

static void print_names(void)
{
    int count;
    const hg_model_info *info = hg_models(&count);
    for (int i = 0; i < count; i++)
        printf("%-12s %lldx%lldx%lld, %lld classes: %s\n", info[i].name, (long long)info[i].channels,
               (long long)info[i].height, (long long)info[i].width, (long long)info[i].classes, info[i].about);
}

static int show(const char *name, const char *device, const char *input, const hg_model_options *options)
{
    const hg_model_info *info = hg_model_find(name);
    hg_shape shape = info ? HG_SHAPE(1, info->channels, info->height, info->width) : HG_SCALAR;
    if (!info) {
        fprintf(stderr, "hapgop model: %s\n", hg_last_error());
        return 2;
    }
    if (input && !read_shape(input, &shape)) {
        fprintf(stderr, "hapgop model: --input %s is no shape; write it as 1x3x224x224\n", input);
        return 2;
    }
    hg_device *dev = hg_device_open(device);
    hg_module *m = dev ? hg_model(dev, name, options) : NULL;
    int code = 1;
    if (m) {
        hg_eval(m);
        code = print_network(m, shape);
    } else {
        fprintf(stderr, "hapgop model: %s\n", hg_last_error());
    }
    hg_device_close(dev);
    return code;
}

int model_command(int argc, char **argv)
{
    hg_model_options o = HG_MODEL_DEFAULTS;
    const char *input = NULL, *device = NULL;
    bool list = false;
    arg_option options[] = {{"input", ARG_TEXT, &input, "SHAPE",
                             "of the images, for instance 8x3x224x224; what the network was made for if not given"},
                            {"classes", ARG_INT, &o.classes, "N", "outputs, if not the network's own number", 1, 1e6},
                            {"aux-logits", ARG_FLAG, &o.aux_logits, .help = "googlenet with its two more classifiers"},
                            {"device", ARG_TEXT, &device, "DEVICE",
                             "gpu, cpu, nvidia, amd, intel, pocl or part of a name, :N for the N-th"},
                            {"list", ARG_FLAG, &list, .help = "the networks there are"}};
    arg_command command = {
        "model", "NAME [OPTIONS]",
        "Prints a network as PyTorch does, then what each layer gives in one pass: the output's shape,\n"
        "parameters, multiplications and additions, and the output's memory.",
        options, sizeof options / sizeof *options};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed == ARGS_HELP) return 0;
    if (parsed == ARGS_OK && list && !count) {
        print_names();
        return 0;
    }
    if (parsed == ARGS_OK && count != 1)
        args_complain(&command, count ? "unknown argument %s" : "the network's name is missing; --list shows them%s",
                      count ? rest[1] : "");
    return parsed == ARGS_OK && count == 1 ? show(rest[0], device, input, &o) : 2;
}
