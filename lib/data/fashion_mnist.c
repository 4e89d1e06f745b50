#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "data/dataset.h"
#include "data/fashion_mnist.h"
#include "data/idx.h"

#define CLASSES 10
#define SYSTEM_FOLDER "/usr/share/datasets/fashion-mnist"

static const char *const classes[CLASSES] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                             "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

const char *hg_fashion_mnist_class(int64_t label)
{
    return label >= 0 && label < CLASSES ? classes[label] : NULL;
}

typedef struct fashion_mnist {
    hg_idx images, labels;
} fashion_mnist;

static hg_status get(void *self, int64_t index, hg_sample *sample)
{
    const fashion_mnist *f = self;
    size_t bytes = (size_t)(f->images.size[1] * f->images.size[2]);
    memcpy(sample->data, f->images.data + (size_t)index * bytes, bytes);
    sample->label = f->labels.data[index];
    return HG_OK;
}

static int64_t label(void *self, int64_t index)
{
    return ((const fashion_mnist *)self)->labels.data[index];
}

static void destroy(void *self)
{
    fashion_mnist *f = self;
    free(f->images.data);
    free(f->labels.data);
    free(f);
}

/* ---- Finding the files ---------------------------------------------------------------------------------------- */

/* folder/name or folder/name.gz, whichever there is; "" if neither, false if memory ran out. */
static bool find_file(const char *folder, const char *name, char **path)
{
    for (int gz = 0; gz < 2; gz++) {
        hg_str text = {0};
        hg_str_add(&text, "%s/%s%s", folder, name, gz ? ".gz" : "");
        *path = hg_str_take(&text);
        if (!*path || access(*path, F_OK) == 0) return *path != NULL;
        free(*path);
    }
    *path = calloc(1, 1);
    return *path != NULL;
}

typedef struct files {
    char *images, *labels;
} files;

static void files_free(files *f)
{
    free(f->images);
    free(f->labels);
    *f = (files){0};
}

/* HG_END: not in this folder. */
static hg_status look_into(const char *folder, bool train, files *f)
{
    const char *part = train ? "train" : "t10k";
    char images[40], labels[40];
    snprintf(images, sizeof images, "%s-images-idx3-ubyte", part);
    snprintf(labels, sizeof labels, "%s-labels-idx1-ubyte", part);
    if (!find_file(folder, images, &f->images) || !find_file(folder, labels, &f->labels)) {
        files_free(f);
        return hg_error(HG_E_MEMORY, "fashion_mnist: out of memory");
    }
    if (*f->images && *f->labels) return HG_OK;
    files_free(f);
    return HG_END;
}

static hg_status find_files(const char *const *folders, int count, bool train, files *f)
{
    for (int i = 0; i < count; i++) {
        if (!folders[i] || !*folders[i]) continue;
        hg_status status = look_into(folders[i], train, f);
        if (status != HG_END) return status;
    }
    hg_str searched = {0};
    for (int i = 0; i < count; i++)
        if (folders[i] && *folders[i]) hg_str_add(&searched, "%s%s", searched.length ? ", " : "", folders[i]);
    hg_status status;
    if (searched.failed)
        status = hg_error(HG_E_MEMORY, "fashion_mnist: out of memory");
    else
        status = hg_error(HG_E_IO, "fashion_mnist: no files found; install the Debian package dataset-fashion-mnist, "
                          "or put train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                          "t10k-labels-idx1-ubyte (or each with .gz) into one of the folders searched: %s",
                          searched.text ? searched.text : "");
    hg_str_free(&searched);
    return status;
}

/* ---- Reading them --------------------------------------------------------------------------------------------- */

static hg_status check(const fashion_mnist *f, const files *paths)
{
    int64_t n = f->images.size[0], height = f->images.size[1], width = f->images.size[2];
    if (n && (!height || !width || height * width > HG_ITEM_MAX))
        return hg_error(HG_E_FORMAT, "fashion_mnist: %s holds images of %lld x %lld pixels", paths->images,
                        (long long)height, (long long)width);
    if (f->labels.size[0] != n)
        return hg_error(HG_E_FORMAT, "fashion_mnist: %s holds %lld images, but %s holds %lld labels", paths->images,
                        (long long)n, paths->labels, (long long)f->labels.size[0]);
    for (int64_t i = 0; i < n; i++) {
        if (f->labels.data[i] >= CLASSES)
            return hg_error(HG_E_FORMAT, "fashion_mnist: %s: label %d of item %lld; there are only %d classes",
                            paths->labels, f->labels.data[i], (long long)i, CLASSES);
    }
    return HG_OK;
}

static const hg_dataset_type type = {"fashion_mnist", get, destroy, NULL, label};

static hg_dataset *load(const files *paths, const hg_transform *transform)
{
    fashion_mnist *f = calloc(1, sizeof *f);
    if (!f) {
        hg_error(HG_E_MEMORY, "fashion_mnist: out of memory");
        return NULL;
    }
    if (hg_idx_read(paths->images, 3, &f->images) != HG_OK || hg_idx_read(paths->labels, 1, &f->labels) != HG_OK ||
        check(f, paths) != HG_OK) {
        destroy(f);
        return NULL;
    }
    hg_shape shape = HG_SHAPE(f->images.size[1], f->images.size[2]);
    if (!f->images.size[0]) shape = HG_SHAPE(28, 28);   /* an empty file need not say how large its images are */
    hg_dataset *d = hg_dataset_new(&type, f, f->images.size[0], HG_U8, shape, transform);
    if (d) {
        d->class_names = classes;
        d->class_count = CLASSES;
    }
    return d;
}

hg_dataset *hg_fashion_mnist_in(const char *const *folders, int count, bool train, const hg_transform *transform)
{
    files paths = {0};
    if (find_files(folders, count, train, &paths) != HG_OK) return NULL;
    hg_dataset *d = load(&paths, transform);
    files_free(&paths);
    return d;
}

hg_dataset *hg_fashion_mnist(const char *root, bool train, const hg_transform *transform)
{
    hg_str raw = {0};
    if (root) hg_str_add(&raw, "%s/FashionMNIST/raw", root);
    if (raw.failed) {
        hg_error(HG_E_MEMORY, "fashion_mnist: out of memory");
        return NULL;
    }
    const char *folders[] = {raw.text, root, getenv("FASHION_MNIST_DIR"), SYSTEM_FOLDER};
    hg_dataset *d = hg_fashion_mnist_in(folders, 4, train, transform);
    hg_str_free(&raw);
    return d;
}
