/* Up to the first iteration: the device, the data, the model. A thread reads the data while the device builds its
 * kernels, which is what the first step would wait for. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "output.h"
#include "run.h"
#include "train.h"

static bool exists(const char *folder, const char *between, const char *name)
{
    char path[4300];
    for (int gz = 0; gz < 2; gz++) {
        snprintf(path, sizeof path, "%.4000s%s/%s%s", folder, between, name, gz ? ".gz" : "");
        if (!access(path, F_OK)) return true;
    }
    return false;
}

/* hg_fashion_mnist() would go on to the system's folder; who names a folder wants that one. */
static bool check_data(const char *folder)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                        "t10k-labels-idx1-ubyte"};
    for (int i = 0; folder && i < 4; i++) {
        if (exists(folder, "", names[i]) || exists(folder, "/FashionMNIST/raw", names[i])) continue;
        return output_error("--data %s: %s is not there; the folder needs %s, %s, %s and %s (or each with .gz), or "
                            "leave --data out and install the Debian package dataset-fashion-mnist", folder,
                            names[i], names[0], names[1], names[2], names[3]);
    }
    return true;
}

static bool open_data(train_run *run)
{
    train_options *o = run->o;
    run->transform = hg_to_tensor();
    run->train_set = run->transform ? hg_fashion_mnist(o->data, true, run->transform) : NULL;
    run->test_set = run->train_set ? hg_fashion_mnist(o->data, false, run->transform) : NULL;
    if (!run->test_set) return run_failed();
    hg_shape shape = hg_dataset_shape(run->train_set), test = hg_dataset_shape(run->test_set);
    if (!hg_dataset_length(run->train_set) || !hg_dataset_length(run->test_set))
        return output_error("the data holds no images to %s", hg_dataset_length(run->train_set) ? "test" : "train");
    if (shape.size[1] != 28 || shape.size[2] != 28 || test.size[1] != 28 || test.size[2] != 28)
        return output_error("the data holds images of %lld x %lld pixels; %s needs 28 x 28", (long long)shape.size[1],
                            (long long)shape.size[2], o->model->name);
    return true;
}

static void *data_thread(void *run)
{
    static const bool yes = true;
    return open_data(run) ? (void *)&yes : NULL;
}

/* One step of a network that is thrown away, on images that are all black: it builds the kernels. */
static hg_status rehearse(train_run *run)
{
    train_options *o = run->o;
    hg_module *model = o->model->make(run->dev, o->fc_relu);
    hg_optimizer *adam = model ? hg_adam(model, NULL) : NULL;
    hg_status status = adam ? HG_OK : hg_last_status();
    hg_scope *s = status == HG_OK ? hg_scope_begin(run->dev) : NULL;
    if (status == HG_OK) {
        hg_tensor *images = hg_zeros(run->dev, HG_F32, HG_SHAPE(o->batch, 1, 28, 28));
        hg_tensor *labels = hg_zeros(run->dev, HG_I64, HG_SHAPE(o->batch));
        status = hg_backward(hg_cross_entropy(hg_forward(model, images), labels, NULL));
    }
    if (status == HG_OK) status = hg_step(adam);
    if (status == HG_OK) status = hg_sync(run->dev);
    if (s) hg_scope_end(s);
    hg_optimizer_free(adam);
    hg_module_free(model);
    hg_memory_trim(run->dev);
    hg_memory_reset_peak(run->dev);
    return status;
}

/* In the order in which PyTorch's program draws its random numbers: seed, then the model. */
static hg_status build(train_run *run)
{
    train_options *o = run->o;
    hg_adam_options adam = HG_ADAM_DEFAULTS;
    adam.lr = o->lr;
    hg_status status = hg_manual_seed(run->dev, (uint64_t)o->seed, (hg_rng_kind)o->rng);
    if (status == HG_OK) status = rehearse(run);
    if (status == HG_OK) resume_plans_now(run->dev, run->plans);
    if (status == HG_OK) status = hg_manual_seed(run->dev, (uint64_t)o->seed, (hg_rng_kind)o->rng);
    if (status != HG_OK) return status;
    run->model = o->model->make(run->dev, o->fc_relu);
    run->optimizer = run->model ? hg_adam(run->model, &adam) : NULL;
    return run->optimizer ? HG_OK : hg_last_status();
}

static bool open_loaders(train_run *run)
{
    hg_loader_options loader = HG_LOADER_DEFAULTS;
    loader.batch_size = run->o->batch;
    loader.workers = (int)run->o->workers;
    run->test_loader = hg_loader_new(run->dev, run->test_set, &loader);
    loader.shuffle = run->o->shuffle;
    run->train_loader = run->test_loader ? hg_loader_new(run->dev, run->train_set, &loader) : NULL;
    return run->train_loader || run_failed();
}

static bool open_everything(train_run *run)
{
    pthread_t thread;
    void *data;
    if (!check_data(run->o->data)) return false;
    run->dev = hg_device_open(run->o->device);
    if (!run->dev) return run_failed();
    if (pthread_create(&thread, NULL, data_thread, run)) return output_error("cannot start a thread");
    hg_status status = build(run);
    pthread_join(thread, &data);
    if (!data) return false;    /* it has told why */
    return status == HG_OK ? open_loaders(run) : run_failed();
}

bool train_prepare(train_run *run)
{
    train_options *o = run->o;
    hg_checkpoint *c = NULL;
    if (o->resume && !(c = train_open_checkpoint(run))) return false;
    bool good = output_folder(o->out) && (!o->json || output_possible(o->json)) && open_everything(run) &&
                (!c || train_load(run, c));
    hg_checkpoint_free(c);
    return good;
}
