/* Datasets, transforms, and the loader that makes batches of them.
 *
 *   hg_transform *t = hg_compose((hg_transform *[]){hg_to_tensor()}, 1);
 *   hg_dataset *train = hg_fashion_mnist(NULL, true, t);
 *   hg_loader_options o = HG_LOADER_DEFAULTS;
 *   o.batch_size = 100;
 *   hg_loader *loader = hg_loader_new(dev, train, &o);
 *   hg_batch b;
 *   hg_status st;
 *   while ((st = hg_loader_next(loader, &b)) == HG_OK)      // one epoch; the next call begins another
 *       use(b.inputs, b.targets);                           // f32 (N, C, H, W) and i64 (N)
 *   if (st != HG_END) fprintf(stderr, "%s\n", hg_last_error());
 *   hg_loader_free(loader);
 *   hg_dataset_free(train);
 *   hg_transform_free(t);
 */
#ifndef HAPGOP_DATA_H
#define HAPGOP_DATA_H

#include "hapgop/image.h"
#include "hapgop/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Transforms ----------------------------------------------------------------------------------------------------
 * What is done to each item of a dataset. An image is u8, H x W x C (or H x W); a tensor is f32, C x H x W.
 * Makers return NULL on failure. Transforms are immutable and counted: hg_transform_free() gives back the caller's
 * reference; NULL is allowed everywhere and passed on, so that one check at the end will do. */
typedef struct hg_transform hg_transform;

/* torchvision.transforms.ToTensor: u8 H x W x C (or H x W, one channel) to f32 C x H x W, each value divided by 255;
 * f32 items are only rearranged. */
HG_API hg_transform *hg_to_tensor(void);

/* torchvision.transforms.Normalize: (x - mean[c]) / std[c] for each channel c of f32 C x H x W. With `channels` 1 the
 * one pair serves all. HG_E_ARG for no channels or a std that is 0 or not finite. */
HG_API hg_transform *hg_normalize(const double *mean, const double *std, int channels);

/* The following take and give u8 images, H x W or H x W x C with 1 to 4 channels, so they come before hg_to_tensor().
 * Bit for bit torchvision 0.14's on PIL images. HG_E_ARG for sizes that no image has (hg_image_new); HG_E_SHAPE, when
 * a dataset is made or an item fetched, for an image that does not fit. */

/* Resize([height, width]), and Resize(size): the shorter side becomes `size`, the other keeps the ratio. Bilinear and
 * antialiased: HG_RESIZE_PIL. */
HG_API hg_transform *hg_resize_to(int height, int width);
HG_API hg_transform *hg_resize(int size);
/* CenterCrop((height, width)): the middle; black borders around images that are smaller. */
HG_API hg_transform *hg_center_crop(int height, int width);
/* Grayscale(channels), 1 or 3: weighted by 0.299, 0.587, 0.114; H x W images become H x W x channels. */
HG_API hg_transform *hg_grayscale(int channels);
/* OpenCV's: cv2.resize(image, (width, height)), HG_RESIZE_CV; and the order blue, green, red of cv2.imread. */
HG_API hg_transform *hg_cv_resize(int height, int width);
HG_API hg_transform *hg_bgr(void);

/* Random ones. What they draw belongs to the item (hg_sample's seed), so that batches are the same for any number of
 * workers: transform(image) after torch.manual_seed(seed) gives the same bytes. With the loader's torch_stream it comes
 * from the one stream instead, as in PyTorch without workers. */

/* RandomCrop((height, width), padding): of the image with `padding` black pixels on every side. */
HG_API hg_transform *hg_random_crop(int height, int width, int padding);

typedef struct hg_crop_options {
    double scale[2];        /* of the image's area, smallest and largest */
    double ratio[2];        /* width to height */
} hg_crop_options;
#define HG_CROP_DEFAULTS ((hg_crop_options){{0.08, 1}, {3. / 4, 4. / 3}})

/* RandomResizedCrop((height, width), scale, ratio): a random part, resized; after ten tries that do not fit, the
 * middle. */
HG_API hg_transform *hg_random_resized_crop(int height, int width, const hg_crop_options *options);
/* RandomHorizontalFlip(p): left and right change places with probability p, 0 to 1. */
HG_API hg_transform *hg_random_horizontal_flip(double p);

/* torchvision.transforms.Compose: one after the other. The list's references go over to the result, so that makers may
 * be nested; if one is NULL or memory runs out the others are freed and the result is NULL. `count` 0 changes
 * nothing. */
HG_API hg_transform *hg_compose(hg_transform **list, int count);

HG_API void hg_transform_free(hg_transform *t);

/* transform(image).unsqueeze(0): one image as a batch of its own, f32 (1, C, H, W) behind hg_to_tensor(), for a network
 * to look at. Random transforms start from a number drawn from the device's generator. The error tensor for HG_E_ARG (an
 * image without pixels, no transform), HG_E_SHAPE and HG_E_DTYPE of the transform, HG_E_MEMORY. */
HG_API hg_tensor *hg_image_tensor(hg_device *dev, const hg_image *image, const hg_transform *t);

/* The text that Python's print() gives, "Compose(\n    ToTensor()\n)". free() it; NULL on failure. */
HG_API char *hg_transform_to_text(const hg_transform *t);

/* ---- Datasets ------------------------------------------------------------------------------------------------------
 * A numbered collection of items, each with a label. To make one's own of items of one shape:
 *
 *   static hg_status get(void *self, int64_t index, hg_sample *sample)
 *   {
 *       float *x = sample->data;                            // room for one item
 *       if (!decode(self, index, x)) {
 *           snprintf(sample->error, sizeof sample->error, "picture %s is damaged", name(self, index));
 *           return HG_E_FORMAT;
 *       }
 *       sample->label = class_of(self, index);
 *       return HG_OK;
 *   }
 *   static const hg_dataset_type pictures = {"pictures", get, free};
 *   hg_dataset *d = hg_dataset_new(&pictures, self, count, HG_F32, HG_SHAPE(3, 224, 224), NULL);
 */
typedef struct hg_dataset hg_dataset;

typedef struct hg_sample {
    void *data;         /* set by the caller: room for one item, row-major */
    int64_t label;      /* set by get */
    uint64_t seed;      /* set by the caller: another number for each item and epoch, whatever the number of workers;
                           start a generator with it for random augmentation */
    char error[256];    /* "" at the call; if get fails: why */
} hg_sample;

/* `get` fills the item of `index` (0 <= index < length), or returns an error code, or HG_END: the item is to be left
 * out. It is called from several threads at once and must not use a device. `destroy` frees `self` and may be NULL. The
 * name is for error messages.
 * Images of different sizes: the type has `get_image` instead of `get`. It makes a new image, which the dataset frees;
 * the transform makes one size of them.
 * `label` may be NULL: the label of an item without the item, for hg_select_classes and hg_dataset_class_size. */
typedef struct hg_dataset_type {
    const char *name;
    hg_status (*get)(void *self, int64_t index, hg_sample *sample);
    void (*destroy)(void *self);
    hg_status (*get_image)(void *self, int64_t index, hg_sample *sample, hg_image *image);
    int64_t (*label)(void *self, int64_t index);
} hg_dataset_type;

/* `self` is handed over: it is destroyed with the dataset, and at once if this fails. `dtype` and `shape` are those of
 * the items that get gives, HG_U8 or HG_F32 with 1 to 7 dimensions of at least 1, or HG_U8 and
 * HG_SHAPE(-1, -1, channels) with get_image; `transform` (NULL: none) is applied to them. `type` must outlive the
 * dataset. NULL on failure: HG_E_ARG, HG_E_DTYPE, HG_E_SHAPE (also of the transform), HG_E_MEMORY. */
HG_API hg_dataset *hg_dataset_new(const hg_dataset_type *type, void *self, int64_t length, hg_dtype dtype,
                                  hg_shape shape, const hg_transform *transform);
HG_API void hg_dataset_free(hg_dataset *d);     /* NULL is allowed */
HG_API int64_t hg_dataset_length(const hg_dataset *d);
HG_API hg_dtype hg_dataset_dtype(const hg_dataset *d);      /* of the items after the transform */
HG_API hg_shape hg_dataset_shape(const hg_dataset *d);

/* One item after the transform, into sample->data; sample->seed is the caller's. HG_E_ARG for an index out of range;
 * else what get returned, the error naming dataset, item and reason; HG_END if the item is left out. */
HG_API hg_status hg_dataset_get(const hg_dataset *d, int64_t index, hg_sample *sample);

/* The names of the labels 0, 1, ...; 0 and NULL where they are not known. The number of items with a label, -1 with
 * HG_E_UNSUPPORTED if the type has no `label`. */
HG_API int hg_dataset_class_count(const hg_dataset *d);
HG_API const char *hg_dataset_class(const hg_dataset *d, int64_t label);
HG_API int64_t hg_dataset_class_size(const hg_dataset *d, int64_t label);

/* The items of `count` classes of `d`, in its order, at most the first `per_class` of each (0: all), with the labels
 * 0 to count - 1 in the order of `classes`. `d` must outlive it. NULL on failure: HG_E_ARG for no class, one that is
 * not there or comes twice; HG_E_UNSUPPORTED if the type of `d` has no `label`; HG_E_MEMORY. */
HG_API hg_dataset *hg_select_classes(const hg_dataset *d, const int64_t *classes, int count, int64_t per_class);

typedef enum hg_bad_image {
    HG_BAD_IMAGE_STOP = 0,      /* an image that cannot be read is an error */
    HG_BAD_IMAGE_SKIP = 1       /* it is left out of its batch, and named in the log (topic warn) */
} hg_bad_image;

typedef struct hg_image_folder_options {
    hg_bad_image on_bad_image;
    bool orient;                /* turn JPEG files as EXIF says; torchvision does not */
} hg_image_folder_options;
#define HG_IMAGE_FOLDER_DEFAULTS ((hg_image_folder_options){HG_BAD_IMAGE_STOP, false})

/* torchvision.datasets.ImageFolder: u8 RGB images (PNG, JPEG, PPM and PGM files, as hg_image_read reads them) of any
 * size, labelled by the folder in `root` that they are in, at any depth. Classes are these folders sorted by code
 * point, hidden ones too; items are sorted by class, folder and name. Files count by their ending: .jpg .jpeg .png .ppm
 * .bmp .pgm .tif .tiff .webp in any case; of these BMP, TIFF and WebP cannot be read. Links are followed.
 * The transform must make one size of them and, for the loader, f32:
 *
 *   hg_transform *t = hg_compose((hg_transform *[]){hg_resize_to(256, 256), hg_random_resized_crop(224, 224, NULL),
 *                                                   hg_random_horizontal_flip(0.5), hg_to_tensor()}, 4);
 *   hg_dataset *train = hg_image_folder("catanddog/train", t, NULL);
 *
 * NULL on failure: HG_E_IO for a folder that cannot be read, no class, a class without images (PyTorch's words);
 * HG_E_SHAPE for a transform that leaves sizes open; HG_E_ARG, HG_E_MEMORY. */
HG_API hg_dataset *hg_image_folder(const char *root, const hg_transform *transform,
                                   const hg_image_folder_options *options);
/* The file of an item, also of a selection's; NULL for an index out of range or another dataset. */
HG_API const char *hg_image_folder_path(const hg_dataset *d, int64_t index);
/* How often an image was left out so far. */
HG_API int64_t hg_image_folder_skipped(const hg_dataset *d);

/* Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): u8 28 x 28 items, labels 0..9, 60000 to train and 10000 to test. The IDX
 * files, plain or .gz, are looked for in root/FashionMNIST/raw, root (both unless `root` is NULL),
 * $FASHION_MNIST_DIR and /usr/share/datasets/fashion-mnist, where Debian's package dataset-fashion-mnist puts them.
 * Other collections of that form (MNIST, KMNIST) can be read too. NULL on failure: HG_E_IO with the folders that were
 * searched; HG_E_FORMAT, naming the file, if one is damaged or the two do not fit each other. */
HG_API hg_dataset *hg_fashion_mnist(const char *root, bool train, const hg_transform *transform);
/* "T-shirt/top", "Trouser", ...; NULL if the label is not in 0..9. */
HG_API const char *hg_fashion_mnist_class(int64_t label);

/* ---- The loader ----------------------------------------------------------------------------------------------------
 * Batches in order, the same whatever the number of workers. As PyTorch's DataLoader, an epoch begins with one draw of
 * 64 bits from the device's generator and, if it shuffles, with a second one: the seed of a Mersenne Twister that gives
 * the permutation. With hg_manual_seed(dev, s, HG_RNG_TORCH) the order is therefore PyTorch's. */
typedef struct hg_loader hg_loader;

typedef struct hg_loader_options {
    int64_t batch_size;
    bool shuffle;               /* a new permutation for every epoch */
    bool drop_last;             /* leave out the last batch if it is smaller */
    int workers;                /* threads that fetch items; 0: the caller fetches */
    int prefetch_factor;        /* batches that each worker may be ahead */
    int64_t seed;               /* negative: draw from the device's generator; else from one of the loader's own,
                                   started with torch.manual_seed(seed)'s state and used for nothing else */
    bool torch_stream;          /* random transforms draw from the device's generator, item after item: PyTorch's own
                                   augmentation for num_workers=0. Needs hg_manual_seed(dev, s, HG_RNG_TORCH), workers 0
                                   and a negative seed */
    bool on_device;             /* images go to the device as bytes, which does the end of the dataset's transform:
                                   hg_random_horizontal_flip() (if it comes last before the next), hg_to_tensor(),
                                   hg_normalize() (if it is there). The same values; HG_E_ARG for another end */
} hg_loader_options;
#define HG_LOADER_DEFAULTS                                                                                            \
    (hg_loader_options){.batch_size = 1, .shuffle = false, .drop_last = false, .workers = 0, .prefetch_factor = 2,    \
                        .seed = -1, .torch_stream = false, .on_device = false}

/* `inputs` f32 (size, item's shape...), `targets` i64 (size); items that the dataset left out are not among them. The
 * loader owns both tensors, they are in no scope; they go at the next hg_loader_next, _reset or _free. hg_retain() what
 * is to stay longer. */
typedef struct hg_batch {
    hg_tensor *inputs, *targets;
    int64_t size;
} hg_batch;

/* The dataset must outlive the loader; the device is retained. NULL options are the defaults. NULL on failure:
 * HG_E_ARG for a batch size or prefetch factor below 1 and negative workers (PyTorch's words), HG_E_DTYPE if the items
 * are u8 (a transform is missing), HG_E_MEMORY. More workers than processors give a warning. */
HG_API hg_loader *hg_loader_new(hg_device *dev, const hg_dataset *dataset, const hg_loader_options *options);
HG_API void hg_loader_free(hg_loader *loader);      /* at any time; NULL is allowed */
HG_API int64_t hg_loader_length(const hg_loader *loader);   /* batches an epoch */

/* The next batch. HG_END after the last one; the call after that begins a new epoch. An error (of an item, or of the
 * device) ends the epoch too. *batch is empty unless HG_OK. HG_E_STATE in a forked child. */
HG_API hg_status hg_loader_next(hg_loader *loader, hg_batch *batch);
/* Leaves the epoch: the next call begins a new one. */
HG_API void hg_loader_reset(hg_loader *loader);

/* Seconds that hg_loader_next spent so far waiting for workers, or fetching items where there are none. What the
 * program did meanwhile, and the copy to the device, are not in it. */
HG_API double hg_loader_waited(const hg_loader *loader);

/* Where a loader is, as plain data for a checkpoint. A loader on an equal dataset with the same options that is given
 * this state goes on with the same batches. The device's generator is not in it: save that too (hg_rng_get_state). */
typedef struct hg_loader_state {
    int64_t length;             /* of the dataset */
    int64_t epoch;              /* epochs begun, counting this one */
    int64_t next_batch;         /* of this epoch; -1: between epochs */
    uint64_t base_seed, shuffle_seed;   /* what was drawn for this epoch */
} hg_loader_state;
HG_API void hg_loader_get_state(const hg_loader *loader, hg_loader_state *state);
/* HG_E_ARG, and the loader as it was, for another length or a position that cannot be. */
HG_API hg_status hg_loader_set_state(hg_loader *loader, const hg_loader_state *state);

#ifdef __cplusplus
}
#endif
#endif
