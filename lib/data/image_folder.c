/* A folder of images as torchvision.datasets.ImageFolder reads it: a class is a folder in `root`, an item any image
 * below it. */
#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/grow.h"
#include "base/log.h"
#include "base/str.h"
#include "data/dataset.h"

#define EXTENSIONS ".jpg, .jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp"
/* Of folders in a class: beyond, a link leads back to where it is. */
#define MAX_DEPTH 64
#define MAX_FOLDERS 1000000

typedef struct names {
    char **at;
    size_t count, room;
} names;

typedef struct image_folder {
    names classes, paths;       /* paths of all items */
    int64_t *labels;            /* of each path */
    size_t label_room;
    hg_image_folder_options options;
    atomic_llong skipped;
} image_folder;

static hg_status out_of_memory(void)
{
    return hg_error(HG_E_MEMORY, "image_folder: out of memory");
}

static void free_names(names *n)
{
    for (size_t i = 0; i < n->count; i++) free(n->at[i]);
    free(n->at);
    *n = (names){0};
}

/* Hands over the name; NULL is memory that ran out. */
static hg_status add_name(names *n, char *name)
{
    char **more = name ? hg_grow(n->at, n->count, 1, &n->room, sizeof *n->at) : NULL;
    if (!more) {
        free(name);
        return out_of_memory();
    }
    n->at = more;
    n->at[n->count++] = name;
    return HG_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* UTF-8 sorted by bytes is sorted by code points, as Python sorts. */
static void sort_names(names *n)
{
    if (n->count) qsort(n->at, n->count, sizeof *n->at, by_bytes);
}

static char *join(const char *folder, const char *name)
{
    hg_str path = {0};
    hg_str_add(&path, "%s/%s", folder, name);
    return hg_str_take(&path);
}

/* The names in a folder: folders (through links too) into `folders`, the rest into `files`; either may be NULL. */
static hg_status list(const char *folder, names *folders, names *files)
{
    DIR *dir = opendir(folder);
    if (!dir) return hg_error(HG_E_IO, "image_folder: cannot read folder %s: %s", folder, strerror(errno));
    hg_status status = HG_OK;
    while (status == HG_OK) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno) status = hg_error(HG_E_IO, "image_folder: cannot read folder %s: %s", folder, strerror(errno));
            break;
        }
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char *path = join(folder, entry->d_name);
        if (!path) {
            status = out_of_memory();
            break;
        }
        struct stat info;
        names *to = !stat(path, &info) && S_ISDIR(info.st_mode) ? folders : files;
        free(path);
        if (to) status = add_name(to, strdup(entry->d_name));
    }
    closedir(dir);
    return status;
}

static bool is_image(const char *name)
{
    const char *end = EXTENSIONS;
    size_t length = strlen(name);
    while (end) {
        const char *comma = strchr(end, ',');
        size_t n = comma ? (size_t)(comma - end) : strlen(end);
        if (length >= n && !strncasecmp(name + length - n, end, n)) return true;
        end = comma ? comma + 2 : NULL;
    }
    return false;
}

static hg_status add_item(image_folder *f, char *path, int64_t label)
{
    int64_t *more = path ? hg_grow(f->labels, f->paths.count, 1, &f->label_room, sizeof *f->labels) : NULL;
    if (!more) {
        free(path);
        return out_of_memory();
    }
    f->labels = more;
    f->labels[f->paths.count] = label;
    return add_name(&f->paths, path);
}

/* All folders at and below `top`, as paths, sorted: the order of sorted(os.walk(top)). */
static hg_status find_folders(char *top, names *found)
{
    HG_TRY(add_name(found, top));
    size_t level_end = 1;
    for (size_t i = 0, depth = 0; i < found->count; i++) {
        if (i == level_end) {
            level_end = found->count;
            depth++;
        }
        if (depth > MAX_DEPTH || found->count > MAX_FOLDERS)
            return hg_error(HG_E_IO, "image_folder: more than %d folders, or %d of them in each other, at %s; does a "
                            "link lead back?", MAX_FOLDERS, MAX_DEPTH, found->at[i]);
        names below = {0};
        hg_status status = list(found->at[i], &below, NULL);
        for (size_t k = 0; status == HG_OK && k < below.count; k++)
            status = add_name(found, join(found->at[i], below.at[k]));
        free_names(&below);
        HG_TRY(status);
    }
    sort_names(found);
    return HG_OK;
}

static hg_status add_class(image_folder *f, const char *root, int64_t label)
{
    names folders = {0};
    hg_status status = find_folders(join(root, f->classes.at[label]), &folders);
    for (size_t i = 0; status == HG_OK && i < folders.count; i++) {
        names files = {0};
        status = list(folders.at[i], NULL, &files);
        sort_names(&files);
        for (size_t k = 0; status == HG_OK && k < files.count; k++)
            if (is_image(files.at[k])) status = add_item(f, join(folders.at[i], files.at[k]), label);
        free_names(&files);
    }
    free_names(&folders);
    return status;
}

static hg_status no_file_for(const names *classes)
{
    hg_str list = {0};
    for (size_t i = 0; i < classes->count; i++) hg_str_add(&list, "%s%s", i ? ", " : "", classes->at[i]);
    hg_status status = list.failed ? out_of_memory()
                                   : hg_error(HG_E_IO, "image_folder: Found no valid file for the classes %s. "
                                              "Supported extensions are: " EXTENSIONS, list.text);
    hg_str_free(&list);
    return status;
}

static hg_status find_items(image_folder *f, const char *root)
{
    HG_TRY(list(root, &f->classes, NULL));
    sort_names(&f->classes);
    if (!f->classes.count) return hg_error(HG_E_IO, "image_folder: Couldn't find any class folder in %s.", root);
    names empty = {0};
    hg_status status = HG_OK;
    for (size_t i = 0; status == HG_OK && i < f->classes.count; i++) {
        size_t before = f->paths.count;
        status = add_class(f, root, (int64_t)i);
        if (status == HG_OK && f->paths.count == before) status = add_name(&empty, strdup(f->classes.at[i]));
    }
    if (status == HG_OK && empty.count) status = no_file_for(&empty);
    free_names(&empty);
    return status;
}

/* ---- The dataset ------------------------------------------------------------------------------------------------ */

static hg_status get_image(void *self, int64_t index, hg_sample *sample, hg_image *image)
{
    image_folder *f = self;
    sample->label = f->labels[index];
    hg_image_read_options o = HG_IMAGE_READ_DEFAULTS;
    o.orient = f->options.orient;
    hg_error_aside before;
    hg_error_aside_begin(&before);
    hg_status status = hg_image_read(f->paths.at[index], &o, image);
    if (status != HG_OK) snprintf(sample->error, sizeof sample->error, "%s", hg_last_error());
    if ((status == HG_E_FORMAT || status == HG_E_IO) && f->options.on_bad_image == HG_BAD_IMAGE_SKIP) {
        atomic_fetch_add(&f->skipped, 1);
        hg_log_message("warn", "image_folder: left out: %s", sample->error);
        status = HG_END;
    }
    hg_error_aside_end(&before);
    return status;
}

static int64_t label(void *self, int64_t index)
{
    return ((const image_folder *)self)->labels[index];
}

static void destroy(void *self)
{
    image_folder *f = self;
    free_names(&f->classes);
    free_names(&f->paths);
    free(f->labels);
    free(f);
}

static const hg_dataset_type type = {"image_folder", NULL, destroy, get_image, label};

hg_dataset *hg_image_folder(const char *root, const hg_transform *transform, const hg_image_folder_options *options)
{
    hg_image_folder_options o = options ? *options : HG_IMAGE_FOLDER_DEFAULTS;
    if (!root || (o.on_bad_image != HG_BAD_IMAGE_STOP && o.on_bad_image != HG_BAD_IMAGE_SKIP)) {
        hg_error(HG_E_ARG, "image_folder: %s", root ? "on_bad_image should be HG_BAD_IMAGE_STOP or _SKIP"
                                                    : "the root is NULL");
        return NULL;
    }
    image_folder *f = calloc(1, sizeof *f);
    if (!f) {
        out_of_memory();
        return NULL;
    }
    f->options = o;
    if (find_items(f, root) != HG_OK) {
        destroy(f);
        return NULL;
    }
    hg_dataset *d = hg_dataset_new(&type, f, (int64_t)f->paths.count, HG_U8, HG_SHAPE(-1, -1, 3), transform);
    if (!d) return NULL;
    d->class_names = (const char *const *)f->classes.at;
    d->class_count = (int)f->classes.count;
    return d;
}

/* The image folder that a dataset is, or is a selection of; NULL if it is something else. */
static image_folder *folder_of(const hg_dataset *d)
{
    d = hg_dataset_root(d);
    return d->type == &type ? d->self : NULL;
}

const char *hg_image_folder_path(const hg_dataset *d, int64_t index)
{
    image_folder *f = folder_of(d);
    if (!f || index < 0 || index >= d->length) return NULL;
    for (; d->of; d = d->of) index = d->indices[index];
    return f->paths.at[index];
}

int64_t hg_image_folder_skipped(const hg_dataset *d)
{
    image_folder *f = folder_of(d);
    return f ? atomic_load(&f->skipped) : 0;
}
