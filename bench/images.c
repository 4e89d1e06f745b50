/* hapgop-bench images: how fast a folder of images is read and transformed, and whether a training waits for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/args.h"
#include "base/error.h"
#include "bench.h"
#include "hapgop/data.h"
#include "hapgop/optim.h"
#include "measure.h"

static const char about[] =
    "Reads a folder of images (a folder in it for each class) as a training does: Resize to 8/7 of the size,\n"
    "RandomResizedCrop, RandomHorizontalFlip, ToTensor, Normalize. First as fast as the workers can, nothing else\n"
    "being done; with --train a network is then trained on them, and the share of the time that it waited for images\n"
    "is told.";

typedef struct settings {
    const char *folder, *device, *json;
    const hg_model_info *network;       /* NULL: none is trained */
    int64_t batch, size, workers;
    bool on_device;
    double seconds;
} settings;

typedef struct job {
    const settings *s;
    hg_device *dev;
    hg_dataset *images;
    hg_loader *loader;
    hg_module *net;
    hg_optimizer *opt;
} job;

typedef struct figures {
    int64_t images;
    double seconds, waited;
} figures;

static hg_transform *make_transform(int size)
{
    static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    int larger = (size * 8 + 6) / 7;
    return hg_compose((hg_transform *[]){hg_resize_to(larger, larger), hg_random_resized_crop(size, size, NULL),
                                         hg_random_horizontal_flip(0.5), hg_to_tensor(),
                                         hg_normalize(mean, std, 3)}, 5);
}

static hg_status make_loader(job *j)
{
    const settings *s = j->s;
    hg_transform *t = make_transform((int)s->size);
    j->images = t ? hg_image_folder(s->folder, t, NULL) : NULL;
    hg_transform_free(t);
    if (!j->images) return hg_last_status();
    hg_loader_options o = HG_LOADER_DEFAULTS;
    o.batch_size = s->batch;
    o.shuffle = true;
    o.workers = (int)s->workers;
    o.seed = 0;
    o.on_device = s->on_device;
    j->loader = hg_loader_new(j->dev, j->images, &o);
    return j->loader ? HG_OK : hg_last_status();
}

static hg_status make_network(job *j)
{
    hg_model_options o = HG_MODEL_DEFAULTS;
    if (j->s->network->any_classes) o.classes = hg_dataset_class_count(j->images);
    j->net = hg_model(j->dev, j->s->network->name, &o);
    j->opt = j->net ? hg_adam(j->net, NULL) : NULL;
    return j->opt ? HG_OK : hg_last_status();
}

static void free_job(job *j)
{
    hg_optimizer_free(j->opt);
    hg_module_free(j->net);
    hg_loader_free(j->loader);
    hg_dataset_free(j->images);
    hg_device_close(j->dev);
}

static hg_status step(job *j, const hg_batch *b)
{
    hg_scope *scope = hg_scope_begin(j->dev);
    hg_tensor *loss = hg_cross_entropy(hg_forward(j->net, b->inputs), b->targets, NULL);
    hg_zero_grad(j->opt);
    hg_status status = hg_backward(loss);
    if (status == HG_OK) status = hg_step(j->opt);
    hg_scope_end(scope);
    return status;
}

/* The next batch, of the next epoch if one is over, and what is done with it, until the device has done it. */
static hg_status one(job *j, int64_t *images)
{
    hg_batch b;
    hg_status status = hg_loader_next(j->loader, &b);
    if (status == HG_END) status = hg_loader_next(j->loader, &b);
    if (status == HG_OK && j->opt) status = step(j, &b);
    if (status == HG_OK) status = hg_sync(j->dev);
    if (status == HG_OK) *images = b.size;
    return status;
}

/* As many batches as lie ready go first: those were made before the clock ran. */
static hg_status measure(job *j, figures *f)
{
    int64_t images, ready = 2 * j->s->workers + 2;
    for (int64_t i = 0; i < ready && !bench_stopped(); i++) HG_TRY(one(j, &images));
    double begin = bench_now_ms(), waited = hg_loader_waited(j->loader);
    while (!bench_stopped() && f->seconds < j->s->seconds) {
        HG_TRY(one(j, &images));
        f->images += images;
        f->seconds = 1e-3 * (bench_now_ms() - begin);
    }
    f->waited = hg_loader_waited(j->loader) - waited;
    return HG_OK;
}

static void print_figures(const char *what, const figures *f)
{
    printf("%-12s %8.1f images a second, %4.1f %% of the time waiting for them\n", what, (double)f->images / f->seconds,
           100 * f->waited / f->seconds);
}

static json_t *figures_json(const figures *f)
{
    return json_pack("{s:I,s:f,s:f,s:f}", "images", (json_int_t)f->images, "seconds", f->seconds, "images_per_second",
                     (double)f->images / f->seconds, "wait_share", f->waited / f->seconds);
}

static bool write_json(job *j, const figures *loading, const figures *training)
{
    const settings *s = j->s;
    if (!s->json) return true;
    json_t *root = json_pack("{s:o,s:s,s:I,s:I,s:I,s:b,s:o}", "device", bench_device_json(j->dev, NULL), "folder",
                             s->folder, "batch", (json_int_t)s->batch, "size", (json_int_t)s->size, "workers",
                             (json_int_t)s->workers, "on_device", s->on_device, "loading", figures_json(loading));
    if (training->images)
        json_object_set_new(root, "training", json_pack("{s:s,s:o}", "network", s->network->name, "figures",
                                                        figures_json(training)));
    return bench_write_json(root, s->json);
}

static int run(const settings *s)
{
    job j = {.s = s};
    figures loading = {0}, training = {0};
    if (!bench_can_write(s->json)) return 1;
    bench_catch_stop();
    j.dev = hg_device_open(s->device);
    hg_status status = j.dev ? make_loader(&j) : hg_last_status();
    if (status == HG_OK) status = measure(&j, &loading);
    if (loading.images) print_figures("loading", &loading);
    if (status == HG_OK && s->network && !bench_stopped()) {
        status = make_network(&j);
        if (status == HG_OK) status = measure(&j, &training);
        if (training.images) print_figures(s->network->name, &training);
    }
    if (status != HG_OK) bench_complain("images");
    bool written = status == HG_OK && loading.images && write_json(&j, &loading, &training);
    free_job(&j);
    return status != HG_OK || (loading.images && !written) ? 1 : bench_stopped() ? 130 : 0;
}

int images_main(int argc, char **argv)
{
    settings s = {.batch = 32, .size = 224, .workers = 2, .seconds = 5};
    const char *network = NULL;
    arg_option options[] = {
        {"batch", ARG_INT, &s.batch, "N", "images at a time; default 32", 1, 65536},
        {"size", ARG_INT, &s.size, "N", "sides of the images that the network sees; default 224", 1, 8192},
        {"workers", ARG_INT, &s.workers, "N", "threads that read and transform; 0: the one that trains; default 2", 0,
         1024},
        {"on-device", ARG_FLAG, &s.on_device, .help = "flipping, ToTensor and Normalize are the device's work"},
        {"train", ARG_TEXT, &network, "NETWORK", "train this one too; hapgop-bench help model lists them"},
        {"seconds", ARG_REAL, &s.seconds, "S", "of measuring each; default 5", 0, 3600},
        {"device", ARG_TEXT, &s.device, "SPEC", "as hapgop devices names them"},
        {"json", ARG_TEXT, &s.json, "FILE", "write the results as JSON"},
    };
    arg_command command = {"images", "FOLDER [OPTIONS]", about, options, sizeof options / sizeof *options,
                           BENCH_PROGRAM};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed != ARGS_OK) return parsed == ARGS_HELP ? 0 : 2;
    if (count != 1) {
        args_complain(&command, count ? "unknown argument %s" : "a folder is missing%s", count ? rest[1] : "");
        return 2;
    }
    s.folder = rest[0];
    s.network = network ? hg_model_find(network) : NULL;
    if (network && !s.network) args_complain(&command, "%s", hg_last_error());
    return network && !s.network ? 2 : run(&s);
}
