/* Folders of images as torchvision's ImageFolder and DataLoader read them (tests/data/image/folder.txt, by
 * tests/oracle/image.py), with good and bad files; classes and selections. */
#define _GNU_SOURCE
#include "test_data.h"

#include <ftw.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/file.h"

static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/hapgop-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

static void remove_root(void)
{
    ck_assert_int_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void put(const char *name, const void *bytes, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    ck_assert_hg(hg_make_folders(path));
    *slash = '/';
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

/* The first `keep` bytes (0: all) of a file in tests/data/image. */
static void put_image(const char *name, const char *source, size_t keep)
{
    char path[1024];
    void *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s/image/%s", TEST_DATA, source);
    ck_assert_hg(hg_read_file(path, &bytes, &size));
    put(name, bytes, keep ? keep : size);
    free(bytes);
}

static hg_transform *augment(void)
{
    return hg_compose((hg_transform *[]){hg_resize_to(32, 32), hg_random_resized_crop(24, 24, NULL),
                                         hg_random_horizontal_flip(0.5), hg_to_tensor()}, 4);
}

static hg_dataset *open_root(hg_transform *t, const hg_image_folder_options *o)
{
    hg_clear_error();
    hg_dataset *d = hg_image_folder(root, t, o);
    hg_transform_free(t);
    return d;
}

/* Reads the folder's description: makes its files, then checks classes and items and leaves `f` at the batches. */
static hg_dataset *read_description(FILE *f)
{
    char word[16], a[128], b[256], path[512];
    hg_dataset *d = NULL;
    int classes = 0, items = 0;
    long at = ftell(f);
    while (fscanf(f, "%15s", word) == 1 && strcmp(word, "batch")) {
        if (!strcmp(word, "file")) {
            ck_assert_int_eq(fscanf(f, "%127s %255[^\n]", a, b), 2);
            put_image(b, a, 0);
            continue;
        }
        if (!d) d = open_root(augment(), NULL);
        ck_assert_msg(d != NULL, "%s", hg_last_error());
        if (!strcmp(word, "class")) {
            ck_assert_int_eq(fscanf(f, " %127[^\n]", a), 1);
            ck_assert_str_eq(hg_dataset_class(d, classes++), a);
        } else {
            long label = -1;
            ck_assert_int_eq(fscanf(f, "%ld %255[^\n]", &label, b), 2);
            snprintf(path, sizeof path, "%s/%s", root, b);
            ck_assert_str_eq(hg_image_folder_path(d, items), path);
            float item[3 * 24 * 24];
            hg_sample sample = {.data = item, .seed = 3};
            ck_assert_hg(hg_dataset_get(d, items++, &sample));
            ck_assert_int_eq(sample.label, label);
        }
        at = ftell(f);
    }
    ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
    ck_assert_int_eq(hg_dataset_class_count(d), classes);
    ck_assert_int_eq(hg_dataset_length(d), items);
    ck_assert_ptr_null(hg_dataset_class(d, classes));
    ck_assert_ptr_null(hg_image_folder_path(d, items));
    return d;
}

static unsigned crc_of(hg_tensor *t)
{
    size_t n = (size_t)hg_numel(t) * sizeof(float);
    float *values = malloc(n);
    ck_assert_ptr_nonnull(values);
    ck_assert_hg(hg_read(t, values));
    unsigned crc = (unsigned)crc32(0, (const void *)values, (unsigned)n);
    free(values);
    return crc;
}

static void check_batches(FILE *f, const hg_dataset *d, bool on_device)
{
    ck_assert_hg(hg_manual_seed(test_device(), 5, HG_RNG_TORCH));
    hg_loader *l = hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 4, .shuffle = true,
                                 .prefetch_factor = 2, .seed = -1, .torch_stream = true, .on_device = on_device});
    ck_assert_msg(l != NULL, "%s", hg_last_error());
    int batches = 0;
    unsigned expected;
    for (int epoch = 0; epoch < 2; epoch++) {
        hg_batch b;
        while (hg_loader_next(l, &b) == HG_OK) {
            int64_t labels[4];
            ck_assert_int_eq(fscanf(f, " batch %x", &expected), 1);
            ck_assert_hg(hg_read(b.targets, labels));
            for (int64_t i = 0; i < b.size; i++) {
                long label = -1;
                ck_assert_int_eq(fscanf(f, "%ld", &label), 1);
                ck_assert_int_eq(labels[i], label);
            }
            ck_assert_msg(crc_of(b.inputs) == expected, "batch %d", batches);
            hg_scope *s = hg_scope_begin(test_device());
            hg_dropout(hg_full(test_device(), HG_F32, HG_SHAPE(6), 1), 0.5, true);
            hg_scope_end(s);
            batches++;
        }
    }
    ck_assert_int_eq(batches, 6);
    ck_assert_int_eq(fscanf(f, "%u", &expected), EOF);
    ck_assert(hg_loader_waited(l) > 0 && hg_loader_waited(l) < 60);
    hg_loader_free(l);
}

START_TEST(batches_are_torchvisions_in_torch_stream)
{
    FILE *f = fopen(TEST_DATA "/image/folder.txt", "r");
    ck_assert_ptr_nonnull(f);
    hg_dataset *d = read_description(f);
    long batches = ftell(f);
    check_batches(f, d, false);
    ck_assert_int_eq(fseek(f, batches, SEEK_SET), 0);
    check_batches(f, d, true);
    fclose(f);
    hg_dataset_free(d);
}
END_TEST

static void some_images(void)
{
    static const char *const sources[] = {"jpeg_420.jpg", "png_RGB.png", "jpeg_444.jpg", "turned_6.jpg", "png_L.png"};
    for (int i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "%c/%02d.png", 'a' + i % 2, i);
        put_image(name, sources[i % 5], 0);
    }
}

/* CRCs of the batches of two epochs; returns how many. */
static int epochs(const hg_dataset *d, int workers, bool on_device, unsigned *crcs)
{
    hg_clear_error();
    hg_loader *l = hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 3, .shuffle = true,
                                 .workers = workers, .prefetch_factor = 2, .seed = 4, .on_device = on_device});
    ck_assert_msg(l != NULL, "%s", hg_last_error());
    int n = 0;
    for (int epoch = 0; epoch < 2; epoch++) {
        hg_batch b;
        hg_status status;
        while ((status = hg_loader_next(l, &b)) == HG_OK) crcs[n++] = crc_of(b.inputs) + (unsigned)b.size;
        ck_assert_int_eq(status, HG_END);
    }
    hg_loader_free(l);
    return n;
}

START_TEST(augmented_batches_are_the_same_for_any_workers)
{
    some_images();
    put_image("b/broken.jpg", "jpeg_420.jpg", 500);
    hg_dataset *d = open_root(augment(), &(hg_image_folder_options){.on_bad_image = HG_BAD_IMAGE_SKIP});
    unsigned first[20], again[20];
    int n = epochs(d, 0, false, first);
    ck_assert_int_eq(n, 14);
    for (int workers = 1; workers <= 8; workers += 7) {
        ck_assert_int_eq(epochs(d, workers, workers == 8, again), n);
        ck_assert_mem_eq(first, again, sizeof *first * (size_t)n);
    }
    for (int i = 0; i < 7; i++)     /* another epoch, another part of each image */
        for (int k = 7; k < 14; k++) ck_assert_uint_ne(first[i], first[k]);
    ck_assert_int_eq(hg_image_folder_skipped(d), 6);
    hg_dataset_free(d);
}
END_TEST

/* On the device and here, from the loader: the same bits. Frees the transform. */
static void same_on_device(hg_transform *t)
{
    unsigned here[20], there[20];
    hg_dataset *d = open_root(t, NULL);
    ck_assert_msg(d != NULL, "%s", hg_last_error());
    int n = epochs(d, 0, false, here);
    for (int workers = 0; workers < 3; workers += 2) {
        ck_assert_int_eq(epochs(d, workers, true, there), n);
        ck_assert_mem_eq(here, there, sizeof *here * (size_t)n);
    }
    hg_dataset_free(d);
}

START_TEST(a_device_can_do_the_end_of_the_transform)
{
    static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225}, half[] = {0.5};
    some_images();
    same_on_device(hg_compose((hg_transform *[]){hg_resize_to(9, 7), hg_to_tensor()}, 2));
    hg_transform *drawn[] = {hg_random_crop(11, 5, 3), hg_random_horizontal_flip(0.5)};
    same_on_device(hg_compose((hg_transform *[]){hg_compose(drawn, 2), hg_compose(NULL, 0), hg_to_tensor(),
                   hg_normalize(mean, std, 3)}, 4));
    same_on_device(hg_compose((hg_transform *[]){hg_resize_to(8, 6), hg_random_horizontal_flip(0.7), hg_grayscale(1),
                   hg_to_tensor(), hg_normalize(half, half, 1), hg_normalize(half, half, 1)}, 6));
}
END_TEST

static void no_end(hg_transform *t, const char *words)
{
    hg_dataset *d = open_root(t, NULL);
    ck_assert_ptr_nonnull(d);
    ck_assert_ptr_null(hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 1, .prefetch_factor = 2,
                                     .on_device = true}));
    ck_assert_error(HG_E_ARG, words);
    hg_dataset_free(d);
}

/* The same bits as the data set gives; a random transform draws anew each time, the same after the same seed. */
START_TEST(one_image_is_a_batch_of_its_own)
{
    hg_image image;
    float item[3 * 24 * 24];
    put_image("a/1.png", "png_RGB.png", 0);
    hg_transform *t = hg_compose((hg_transform *[]){hg_resize(30), hg_center_crop(24, 24), hg_to_tensor()}, 3);
    hg_dataset *d = hg_image_folder(root, t, NULL);
    ck_assert_hg(hg_dataset_get(d, 0, &(hg_sample){.data = item}));
    ck_assert_hg(hg_image_read(hg_image_folder_path(d, 0), NULL, &image));
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = hg_image_tensor(test_device(), &image, t);
    ck_assert(hg_ndim(x) == 4 && hg_size(x, 0) == 1 && hg_size(x, 1) == 3 && hg_size(x, 3) == 24);
    ck_assert_uint_eq(crc_of(x), (unsigned)crc32(0, (void *)item, sizeof item));
    hg_transform *drawn = augment();
    unsigned crcs[4];
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0) ck_assert_hg(hg_manual_seed(test_device(), 6, HG_RNG_PHILOX));
        crcs[i] = crc_of(hg_image_tensor(test_device(), &image, drawn));
    }
    ck_assert(crcs[0] == crcs[2] && crcs[1] == crcs[3] && crcs[0] != crcs[1]);
    ck_assert(!hg_ok(hg_image_tensor(test_device(), &image, NULL)));
    ck_assert_error(HG_E_ARG, "the transform is NULL");
    ck_assert(!hg_ok(hg_image_tensor(test_device(), &(hg_image){.width = 2, .height = 2, .channels = 3}, t)));
    ck_assert_error(HG_E_ARG, "no pixels");
    ck_assert(!hg_ok(hg_image_tensor(test_device(), &(hg_image){0}, t)));
    ck_assert_error(HG_E_ARG, "less than 1");
    hg_scope_end(s);
    hg_transform_free(drawn);
    hg_transform_free(t);
    hg_dataset_free(d);
    hg_image_free(&image);
}
END_TEST

START_TEST(other_ends_are_refused)
{
    put_image("a/1.png", "png_RGB.png", 0);
    no_end(hg_center_crop(5, 5), "on_device needs a transform that ends with hg_to_tensor()");
    no_end(hg_compose((hg_transform *[]){hg_center_crop(5, 5), hg_to_tensor(), hg_to_tensor()}, 3),
           "needs images of uint8");
    hg_dataset *d = numbers(5, -1);
    ck_assert_ptr_null(hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 1, .prefetch_factor = 2,
                                     .on_device = true}));
    ck_assert_error(HG_E_ARG, "on_device needs a transform");
    hg_dataset_free(d);
}
END_TEST

static char said[1024];

static void listen(const char *topic, const char *message, void *user)
{
    (void)user;
    if (!strcmp(topic, "warn")) snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", message);
}

START_TEST(bad_images_stop_or_are_left_out_and_named)
{
    put_image("a/1.png", "png_RGB.png", 0);
    put("a/2.jpg", "", 0);
    put_image("a/3.png", "png_RGB.png", 200);
    put("b/4.bmp", "BM...", 5);
    put_image("b/5.jpg", "jpeg_420.jpg", 0);
    hg_dataset *d = open_root(augment(), NULL);
    for (int workers = 0; workers < 2; workers++) {
        hg_loader *l = hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 1, .workers = workers,
                                     .prefetch_factor = 2, .seed = 0});
        hg_batch b;
        ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
        ck_assert_int_eq(hg_loader_next(l, &b), HG_E_FORMAT);
        ck_assert_error(HG_E_FORMAT, "dataset image_folder: item 1", "/a/2.jpg is empty");
        hg_loader_free(l);
    }
    hg_dataset_free(d);

    d = open_root(augment(), &(hg_image_folder_options){.on_bad_image = HG_BAD_IMAGE_SKIP});
    hg_loader *l = hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 2, .prefetch_factor = 2,
                                 .seed = 0});
    hg_batch b;
    int64_t label;
    said[0] = 0;
    hg_set_log(listen, NULL);
    ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);         /* 1 without 2; then 3 and 4 make no batch */
    ck_assert_int_eq(b.size, 1);
    ck_assert_int_eq(hg_size(b.inputs, 0), 1);
    ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
    ck_assert_int_eq(b.size, 1);
    ck_assert_hg(hg_read(b.targets, &label));
    ck_assert_int_eq(label, 1);
    ck_assert_int_eq(hg_loader_next(l, &b), HG_END);
    hg_set_log(NULL, NULL);
    ck_assert_ptr_nonnull(strstr(said, "left out: image: "));
    ck_assert_ptr_nonnull(strstr(said, "/a/2.jpg is empty"));
    ck_assert_ptr_nonnull(strstr(said, "/a/3.png: the file is truncated"));
    ck_assert_ptr_nonnull(strstr(said, "/b/4.bmp is a file of format BMP"));
    ck_assert_int_eq(hg_image_folder_skipped(d), 3);
    ck_assert_int_eq(hg_last_status(), HG_OK);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

/* A PNG file of a header alone, which claims 100,000 x 100,000. */
static void put_huge(const char *name)
{
    uint8_t file[45] = "\211PNG\r\n\032\n\0\0\0\015IHDR\0\1\206\240\0\1\206\240\10\2";
    uint32_t crc = (uint32_t)crc32(0, file + 12, 17);
    for (int i = 0; i < 4; i++) file[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    memcpy(file + 33, "\0\0\0\0IDAT\065\257\006\036", 12);
    put(name, file, sizeof file);
}

static void put_locked(const char *name)
{
    char path[128];
    put_image(name, "png_RGB.png", 0);
    snprintf(path, sizeof path, "%s/%s", root, name);
    ck_assert_int_eq(chmod(path, 0), 0);
}

/* Puts one bad image between two good ones; returns its name. */
static const char *put_bad(int kind)
{
    put_image("a/1.png", "png_RGB.png", 0);
    put_image("a/3.jpg", "jpeg_cmyk.jpg", 0);
    switch (kind) {
    case 0: put("a/2.jpg", "", 0); return "a/2.jpg is empty";
    case 1: put_image("a/2.jpg", "jpeg_420.jpg", 300); return "a/2.jpg: the file is truncated";
    case 2: put_huge("a/2.png"); return "a/2.png: the image is 100000 x 100000: a side is more than 65535";
    case 3: put("a/2.png", "hello", 5); return "a/2.png is no image";
    case 4: put("a/2.webp", "RIFF....WEBP", 12); return "a/2.webp is a file of format RIFF";
    case 5: put_locked("a/2.png"); return "a/2.png: Permission denied";
    default: return NULL;
    }
}

/* The superuser may read everything; so that it need not, the rest is done as another. */
static bool become_nobody(void)
{
    if (geteuid()) return false;
    ck_assert_int_eq(chmod(root, 0755) | seteuid(65534), 0);
    return true;
}

START_TEST(each_kind_of_bad_image_stops_or_is_left_out)
{
    const char *words;
    for (int kind = 0; (words = put_bad(kind)); kind++) {
        bool super = become_nobody();
        for (int run = 0; run < 4; run++) {
            bool skip = run % 2;
            hg_dataset *d = open_root(augment(), &(hg_image_folder_options){.on_bad_image = (hg_bad_image)skip});
            hg_loader *l = hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 3, .workers = run / 2,
                                         .prefetch_factor = 2, .seed = 0});
            hg_batch b;
            hg_status status = hg_loader_next(l, &b);
            if (skip) ck_assert(status == HG_OK && b.size == 2 && hg_image_folder_skipped(d) == 1);
            else ck_assert_error(kind == 5 ? HG_E_IO : HG_E_FORMAT, "item 1: ", words);
            hg_loader_free(l);
            hg_dataset_free(d);
        }
        if (super) ck_assert_int_eq(seteuid(0), 0);
        remove_root();
        make_root();
    }
}
END_TEST

START_TEST(a_folder_of_bad_images_alone_makes_no_batch)
{
    put("a/1.jpg", "", 0);
    put("a/2.jpg", "", 0);
    hg_dataset *d = open_root(augment(), &(hg_image_folder_options){.on_bad_image = HG_BAD_IMAGE_SKIP});
    hg_loader *l = hg_loader_new(test_device(), d, &(hg_loader_options){.batch_size = 1, .prefetch_factor = 2});
    hg_batch b;
    ck_assert_int_eq(hg_loader_next(l, &b), HG_END);
    ck_assert_int_eq(hg_image_folder_skipped(d), 2);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

static void refuse(hg_transform *t, hg_status code, const char *words)
{
    ck_assert_ptr_null(open_root(t, NULL));
    ck_assert_error(code, words);
}

START_TEST(folders_that_are_no_data_set)
{
    char words[200];
    snprintf(words, sizeof words, "Couldn't find any class folder in %s.", root);
    refuse(augment(), HG_E_IO, words);
    put_image("full/1.png", "png_RGB.png", 0);
    put("empty/readme.txt", "x", 1);
    put("bare/.keep", "", 0);
    refuse(augment(), HG_E_IO, "Found no valid file for the classes bare, empty. Supported extensions are: .jpg, "
           ".jpeg, .png, .ppm, .bmp, .pgm, .tif, .tiff, .webp");
    ck_assert_ptr_null(hg_image_folder("/nonexistent", NULL, NULL));
    ck_assert_error(HG_E_IO, "cannot read folder /nonexistent: No such file");
    ck_assert_ptr_null(hg_image_folder(NULL, NULL, NULL));
    ck_assert_error(HG_E_ARG, "root is NULL");
    ck_assert_ptr_null(hg_image_folder(root, NULL, &(hg_image_folder_options){.on_bad_image = (hg_bad_image)2}));
    ck_assert_error(HG_E_ARG, "on_bad_image");
}
END_TEST

START_TEST(an_unreadable_folder_is_named)
{
    char path[100];
    put_image("a/1.png", "png_RGB.png", 0);
    put_image("a/locked/2.png", "png_RGB.png", 0);
    snprintf(path, sizeof path, "%s/a/locked", root);
    ck_assert_int_eq(chmod(path, 0), 0);
    bool super = become_nobody();
    hg_dataset *d = open_root(augment(), NULL);
    if (super) ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(path, 0700), 0);
    ck_assert_ptr_null(d);
    ck_assert_error(HG_E_IO, path, "Permission denied");
}
END_TEST

START_TEST(a_transform_must_make_one_size)
{
    put_image("a/1.png", "png_RGB.png", 0);
    put_image("a/2.jpg", "turned_1.jpg", 0);
    refuse(NULL, HG_E_SHAPE, "images may differ in size");
    refuse(hg_compose((hg_transform *[]){hg_resize(20), hg_to_tensor()}, 2), HG_E_SHAPE, "hg_center_crop(224, 224)");
    hg_dataset *d = open_root(hg_compose((hg_transform *[]){hg_resize(20), hg_center_crop(22, 22), hg_to_tensor()}, 3),
                              NULL);
    ck_assert_ptr_nonnull(d);
    ck_assert(hg_dataset_shape(d).ndim == 3 && hg_dataset_shape(d).size[1] == 22);
    hg_dataset_free(d);
    /* 53 x 37 is large enough, 20 x 13 is not */
    d = open_root(hg_random_crop(30, 30, 0), NULL);
    uint8_t item[30 * 30 * 3];
    hg_sample sample = {.data = item, .seed = 1};
    ck_assert_hg(hg_dataset_get(d, 0, &sample));
    ck_assert_int_eq(hg_dataset_get(d, 1, &sample), HG_E_SHAPE);
    ck_assert_error(HG_E_SHAPE, "dataset image_folder: item 1: random_crop: Required crop size (30, 30)");
    hg_dataset_free(d);
}
END_TEST

START_TEST(classes_can_be_selected)
{
    some_images();
    put_image("c/1.png", "png_RGB.png", 0);
    hg_dataset *d = open_root(augment(), NULL);
    ck_assert_int_eq(hg_dataset_class_size(d, 0), 10);
    ck_assert_int_eq(hg_dataset_class_size(d, 2), 1);
    ck_assert_int_eq(hg_dataset_class_size(d, 3), 0);
    hg_dataset *s = hg_select_classes(d, (int64_t[]){2, 0}, 2, 4);
    ck_assert_int_eq(hg_dataset_length(s), 5);
    ck_assert_str_eq(hg_dataset_class(s, 0), "c");
    ck_assert_str_eq(hg_dataset_class(s, 1), "a");
    ck_assert_int_eq(hg_dataset_class_size(s, 1), 4);
    float a[3 * 24 * 24], b[3 * 24 * 24];
    hg_sample of = {.data = a, .seed = 9}, sample = {.data = b, .seed = 9};
    ck_assert_hg(hg_dataset_get(d, 20, &of));
    ck_assert_hg(hg_dataset_get(s, 4, &sample));
    ck_assert_int_eq(sample.label, 0);
    ck_assert_mem_eq(a, b, sizeof a);
    ck_assert_str_eq(hg_image_folder_path(s, 4), hg_image_folder_path(d, 20));
    hg_dataset *one = hg_select_classes(s, (int64_t[]){1}, 1, 0);       /* a selection of a selection */
    ck_assert_int_eq(hg_dataset_length(one), 4);
    ck_assert_str_eq(hg_dataset_class(one, 0), "a");
    ck_assert_hg(hg_dataset_get(one, 3, &sample));
    ck_assert_int_eq(sample.label, 0);
    ck_assert_str_eq(hg_image_folder_path(one, 3), hg_image_folder_path(d, 3));
    hg_dataset_free(one);
    hg_dataset_free(s);
    ck_assert_ptr_null(hg_select_classes(d, (int64_t[]){0, 3}, 2, 0));
    ck_assert_error(HG_E_ARG, "class 3; dataset image_folder has classes 0 to 2");
    ck_assert_ptr_null(hg_select_classes(d, (int64_t[]){1, 1}, 2, 0));
    ck_assert_error(HG_E_ARG, "class 1 comes twice");
    ck_assert_ptr_null(hg_select_classes(d, NULL, 0, 0));
    ck_assert_error(HG_E_ARG, "0 classes");
    hg_dataset_free(d);
    d = numbers(5, -1);
    ck_assert_int_eq(hg_dataset_class_count(d), 0);
    ck_assert_ptr_null(hg_select_classes(d, (int64_t[]){0}, 1, 0));
    ck_assert_error(HG_E_UNSUPPORTED, "give its type a `label`");
    hg_dataset_free(d);
}
END_TEST

START_TEST(torch_stream_needs_the_stream_and_no_workers)
{
    put_image("a/1.png", "png_RGB.png", 0);
    hg_dataset *d = open_root(augment(), NULL);
    hg_loader_options o = {.batch_size = 1, .workers = 1, .prefetch_factor = 2, .seed = -1, .torch_stream = true};
    ck_assert_ptr_null(hg_loader_new(test_device(), d, &o));
    ck_assert_error(HG_E_ARG, "workers should be 0", "got 1 and -1");
    o.workers = 0;
    o.seed = 0;
    ck_assert_ptr_null(hg_loader_new(test_device(), d, &o));
    ck_assert_error(HG_E_ARG, "got 0 and 0");
    o.seed = -1;
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_PHILOX));
    hg_loader *l = hg_loader_new(test_device(), d, &o);
    hg_batch b;
    ck_assert_int_eq(hg_loader_next(l, &b), HG_E_STATE);
    ck_assert_error(HG_E_STATE, "hg_manual_seed(dev, seed, HG_RNG_TORCH)");
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

Suite *folder_suite(void)
{
    Suite *suite = suite_create("folder");
    TCase *tests = tcase_create("folder");
    tcase_add_checked_fixture(tests, make_root, remove_root);
    tcase_add_test(tests, batches_are_torchvisions_in_torch_stream);
    tcase_add_test(tests, augmented_batches_are_the_same_for_any_workers);
    tcase_add_test(tests, a_device_can_do_the_end_of_the_transform);
    tcase_add_test(tests, one_image_is_a_batch_of_its_own);
    tcase_add_test(tests, other_ends_are_refused);
    tcase_add_test(tests, bad_images_stop_or_are_left_out_and_named);
    tcase_add_test(tests, each_kind_of_bad_image_stops_or_is_left_out);
    tcase_add_test(tests, a_folder_of_bad_images_alone_makes_no_batch);
    tcase_add_test(tests, folders_that_are_no_data_set);
    tcase_add_test(tests, an_unreadable_folder_is_named);
    tcase_add_test(tests, a_transform_must_make_one_size);
    tcase_add_test(tests, classes_can_be_selected);
    tcase_add_test(tests, torch_stream_needs_the_stream_and_no_workers);
    suite_add_tcase(suite, tests);
    return suite;
}
