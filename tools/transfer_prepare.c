/* Up to the first step of `hapgop transfer`: the images, the device, the network and what of it is trained. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "run.h"
#include "transfer.h"

/* ---- images ---- */

static hg_transform *when(bool wanted, hg_transform *t)
{
    if (wanted) return t;
    hg_transform_free(t);
    return hg_compose(NULL, 0);
}

static hg_transform *make_transform(const transfer_options *o, bool train)
{
    static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    int size = (int)o->size, square = (int)((o->size * 256 + 112) / 224);
    return hg_compose(
        (hg_transform *[]){when(o->grey || o->model->channels == 1, hg_grayscale((int)o->model->channels)),
                           train ? hg_resize_to(square, square) : hg_resize(size),
                           train ? hg_random_resized_crop(size, size, NULL) : hg_center_crop(size, size),
                           when(train, hg_random_horizontal_flip(0.5)), hg_to_tensor(),
                           when(o->imagenet_norm, hg_normalize(mean, std, 3))},
        6);
}

static hg_dataset *open_folder(const transfer_options *o, bool train, const hg_transform *transform, void *user)
{
    (void)user;
    char path[4200];
    hg_image_folder_options folder = HG_IMAGE_FOLDER_DEFAULTS;
    folder.on_bad_image = (hg_bad_image)o->on_bad_image;
    snprintf(path, sizeof path, "%s/%s", o->data, train ? "train" : "test");
    return hg_image_folder(path, transform, &folder);
}

/* Training and test have to mean the same by a label. */
static bool check_classes(const transfer_run *run)
{
    int train = hg_dataset_class_count(run->train_set), test = hg_dataset_class_count(run->test_set);
    if (train < 2) return output_error("there is one class, %s; two are needed", hg_dataset_class(run->train_set, 0));
    if (train != test)
        return output_error("there are %d classes to train and %d to test; they have to be the same", train, test);
    for (int i = 0; i < train; i++) {
        const char *a = hg_dataset_class(run->train_set, i), *b = hg_dataset_class(run->test_set, i);
        if (strcmp(a, b))
            return output_error("class %d is %s to train and %s to test; they have to be the same", i, a, b);
    }
    return true;
}

static bool open_data(transfer_run *run)
{
    transfer_options *o = run->o;
    transfer_open_fn open = run->open ? run->open : open_folder;
    run->train_transform = make_transform(o, true);
    run->test_transform = run->train_transform ? make_transform(o, false) : NULL;
    run->train_set = run->test_transform ? open(o, true, run->train_transform, run->user) : NULL;
    run->test_set = run->train_set ? open(o, false, run->test_transform, run->user) : NULL;
    if (!run->test_set) return run_failed();
    run->classes = hg_dataset_class_count(run->train_set);
    return check_classes(run);
}

static bool open_loaders(transfer_run *run)
{
    hg_loader_options loader = HG_LOADER_DEFAULTS;
    loader.batch_size = run->o->batch;
    loader.workers = (int)run->o->workers;
    loader.on_device = true;
    run->test_loader = hg_loader_new(run->dev, run->test_set, &loader);
    loader.shuffle = true;
    run->train_loader = run->test_loader ? hg_loader_new(run->dev, run->train_set, &loader) : NULL;
    return run->train_loader || run_failed();
}

/* ---- the network ---- */

/* A state dict, or a checkpoint that has one; NULL with the library's error. */
static hg_weights *open_weights(const char *path)
{
    hg_weights *w = hg_weights_open(path, &(hg_weights_options){.key = "model_state_dict"});
    if (w) return w;
    hg_clear_error();
    return hg_weights_open(path, NULL);
}

/* As the weights in the file have it: so many classes, and GoogLeNet's further classifiers if they are among them. */
static hg_status fit(transfer_run *run, const hg_weights *w)
{
    char layer[256], key[320];
    const hg_model_info *info = run->o->model;
    hg_model_options m = HG_MODEL_DEFAULTS;
    if (!hg_classifier_name(run->model, layer)) return hg_last_status();
    snprintf(key, sizeof key, "%s.weight", layer);
    hg_shape shape = run_weights_shape(w, key);
    if (shape.ndim == 2 && shape.size[0] >= 1 && shape.size[0] <= 1000000) m.classes = shape.size[0];
    m.aux_logits = !strcmp(info->name, "googlenet") && run_weights_shape(w, "aux1.fc1.weight").ndim > 0;
    if (!m.aux_logits && (!m.classes || m.classes == info->classes)) return HG_OK;
    hg_module_free(run->model);
    run->model = hg_model(run->dev, info->name, &m);
    return run->model ? HG_OK : hg_last_status();
}

static bool make_network(transfer_run *run)
{
    transfer_options *o = run->o;
    run->model = hg_model(run->dev, o->model->name, NULL);
    if (!run->model) return run_failed();
    if (!o->weights) return true;
    hg_weights *w = open_weights(o->weights);
    hg_status status = w ? fit(run, w) : hg_last_status();
    if (status == HG_OK) status = hg_weights_load(w, run->model, true);
    hg_weights_close(w);
    return status == HG_OK || run_failed();
}

static bool choose_what_is_trained(transfer_run *run)
{
    const transfer_options *o = run->o;
    hg_module *m = run->model;
    bool large = o->regime == TRANSFER_LARGE_LOW || o->regime == TRANSFER_LARGE_HIGH;
    bool similar = o->regime == TRANSFER_SMALL_HIGH || o->regime == TRANSFER_LARGE_HIGH;
    hg_finetune_options finetune = HG_FINETUNE_DEFAULTS;
    finetune.freeze_batch_norm = o->freeze_batch_norm;
    if (o->mode == TRANSFER_FEATURE_EXTRACT) { /* frozen first: the new layer is trained */
        hg_module_requires_grad(m, NULL, false);
        hg_freeze_batch_norm(m, NULL, o->freeze_batch_norm);
    }
    if (hg_replace_classifier(m, run->classes) != HG_OK) return run_failed();
    if (o->mode == TRANSFER_FINE_TUNE &&
        hg_finetune_policy(m, large ? HG_DATA_LARGE : HG_DATA_SMALL, similar ? HG_SIMILARITY_HIGH : HG_SIMILARITY_LOW,
                           &finetune) < 0)
        return run_failed();
    run->trained_parameters = hg_count_parameters(m, true);
    run->all_parameters = hg_count_parameters(m, false);
    return true;
}

typedef struct listing {
    transfer_run *run;
    FILE *trunk; /* names of trained parameters before the classifier, commas between */
    int trunk_count;
} listing;

static bool list_trained(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)is_buffer;
    listing *l = user;
    if (!hg_requires_grad(t)) return true;
    l->run->trained_tensors++;
    if (!l->run->o->quiet) printf("\t %s\n", name);
    if (hg_finetune_block(l->run->model, name) > 0) fprintf(l->trunk, "%s%s", l->trunk_count++ ? "," : "", name);
    return true;
}

static bool make_optimizer(transfer_run *run)
{
    const transfer_options *o = run->o;
    char *names = NULL;
    size_t size;
    listing l = {.run = run, .trunk = open_memstream(&names, &size)};
    if (!l.trunk) return output_error("out of memory");
    hg_each_parameter(run->model, list_trained, &l);
    if (fclose(l.trunk)) {
        free(names);
        return output_error("out of memory");
    }
    hg_adam_options adam = HG_ADAM_DEFAULTS;
    adam.lr = o->lr;
    adam.weight_decay = o->weight_decay;
    run->optimizer = hg_adam(run->model, &adam);
    hg_status status = run->optimizer ? HG_OK : hg_last_status();
    hg_group_options trunk = {names, o->trunk_lr, -1};
    if (status == HG_OK && o->trunk_lr >= 0 && l.trunk_count) status = hg_set_groups(run->optimizer, &trunk, 1);
    free(names);
    return status == HG_OK || run_failed();
}

static bool make_schedule(transfer_run *run)
{
    const transfer_options *o = run->o;
    hg_optimizer *opt = run->optimizer;
    double rates[2] = {hg_group_learning_rate(opt, 0), hg_group_count(opt) > 1 ? hg_group_learning_rate(opt, 1) : 0};
    hg_one_cycle_options cycle = HG_ONE_CYCLE_DEFAULTS;
    hg_plateau_options plateau = HG_PLATEAU_DEFAULTS;
    cycle.max_lrs = rates;
    cycle.total_steps = o->epochs * hg_loader_length(run->train_loader);
    plateau.patience = 2;
    switch (o->schedule) {
    case TRANSFER_CONSTANT:
        return true;
    case TRANSFER_STEP:
        run->schedule = hg_multi_step_lr(opt, (int64_t[]){(2 * o->epochs + 2) / 3}, 1, 0.1);
        break;
    case TRANSFER_COSINE:
        run->schedule = hg_cosine_lr(opt, o->epochs, 0);
        break;
    case TRANSFER_ONE_CYCLE:
        run->schedule = hg_one_cycle_lr(opt, &cycle);
        break;
    case TRANSFER_PLATEAU:
        run->schedule = hg_plateau_lr(opt, &plateau);
        break;
    }
    return run->schedule || run_failed();
}

static bool prepare(transfer_run *run)
{
    transfer_options *o = run->o;
    if (!open_data(run)) return false;
    if (!o->quiet) printf("%lld\n", (long long)hg_dataset_length(run->train_set));
    run->dev = hg_device_open(o->device);
    if (!run->dev || hg_manual_seed(run->dev, (uint64_t)o->seed, (hg_rng_kind)o->rng) != HG_OK) return run_failed();
    run->epochs = calloc((size_t)o->epochs, sizeof *run->epochs);
    run->confusion = calloc((size_t)(run->classes * run->classes), sizeof *run->confusion);
    if (!run->epochs || !run->confusion) return output_error("out of memory");
    run->best = -1;
    return make_network(run) && choose_what_is_trained(run) && make_optimizer(run) && open_loaders(run) &&
           make_schedule(run);
}

bool transfer_prepare(transfer_run *run)
{
    transfer_options *o = run->o;
    if (!output_folder(o->out) || (o->json && !output_possible(o->json))) return false;
    hg_checkpoint *c = o->resume ? transfer_open_place(run) : NULL;
    if (!c && (o->resume || !transfer_forget_place(run))) return false;
    if (!o->size) o->size = o->model->height;
    bool good = prepare(run) && (!c || transfer_load_place(run, c));
    hg_checkpoint_free(c);
    return good;
}
