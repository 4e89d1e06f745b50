/* IDX files good and bad, the search for Fashion-MNIST, and the facts of the real one. */
#include "test_data.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include "data/fashion_mnist.h"
#include "data/idx.h"

#define SYSTEM_FOLDER "/usr/share/datasets/fashion-mnist"

static char folder[64], images_path[128], labels_path[128];

static void make_folder(void)
{
    strcpy(folder, "/tmp/hapgop-data-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(images_path, sizeof images_path, "%s/t10k-images-idx3-ubyte", folder);
    snprintf(labels_path, sizeof labels_path, "%s/t10k-labels-idx1-ubyte", folder);
    unsetenv("FASHION_MNIST_DIR");
    hg_clear_error();
}

static void remove_folder(void)
{
    unlink(images_path);
    unlink(labels_path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void write_gzip(const char *path, const void *bytes, unsigned n)
{
    gzFile f = gzopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(gzwrite(f, bytes, n), (int)n);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

/* Two images of 2 x 3: pixels 0, 1, ... 11. */
static const uint8_t images[16 + 12] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3,
                                        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const uint8_t labels[8 + 2] = {0, 0, 8, 1, 0, 0, 0, 2, 9, 3};

static void check_small(hg_dataset *d)
{
    ck_assert_msg(d != NULL, "%s", hg_last_error());
    ck_assert_int_eq(hg_dataset_length(d), 2);
    ck_assert_int_eq(hg_dataset_dtype(d), HG_U8);
    ck_assert_int_eq(hg_dataset_shape(d).ndim, 2);
    uint8_t item[6];
    hg_sample sample = {.data = item};
    ck_assert_int_eq(hg_dataset_get(d, 1, &sample), HG_OK);
    ck_assert_int_eq(sample.label, 3);
    ck_assert_mem_eq(item, images + 16 + 6, 6);
    hg_dataset_free(d);
}

START_TEST(plain_and_gzip_files_are_read)
{
    write_bytes(images_path, images, sizeof images);
    write_bytes(labels_path, labels, sizeof labels);
    check_small(hg_fashion_mnist(folder, false, NULL));
    unlink(images_path);
    strcat(images_path, ".gz");
    write_gzip(images_path, images, sizeof images);
    check_small(hg_fashion_mnist(folder, false, NULL));
    setenv("FASHION_MNIST_DIR", folder, 1);
    check_small(hg_fashion_mnist(NULL, false, NULL));
    check_small(hg_fashion_mnist("/nonexistent", false, NULL));
    unsetenv("FASHION_MNIST_DIR");
    hg_clear_error();
}
END_TEST

START_TEST(torchvisions_folders_come_first)
{
    char raw[128], image[256], label[256];
    snprintf(raw, sizeof raw, "%s/FashionMNIST", folder);
    ck_assert_int_eq(mkdir(raw, 0777), 0);
    strcat(raw, "/raw");
    ck_assert_int_eq(mkdir(raw, 0777), 0);
    snprintf(image, sizeof image, "%s/t10k-images-idx3-ubyte", raw);
    snprintf(label, sizeof label, "%s/t10k-labels-idx1-ubyte", raw);
    write_bytes(image, images, sizeof images);
    write_bytes(label, labels, sizeof labels);
    write_bytes(images_path, "no", 2);      /* not looked at */
    write_bytes(labels_path, "no", 2);
    check_small(hg_fashion_mnist(folder, false, NULL));
    unlink(image);
    unlink(label);
    rmdir(raw);
    *strrchr(raw, '/') = 0;
    rmdir(raw);
}
END_TEST

START_TEST(missing_files_name_package_files_and_folders)
{
    const char *folders[] = {folder, NULL, "", "/nonexistent/a", "/nonexistent/b"};
    write_bytes(images_path, images, sizeof images);    /* images alone do not count */
    for (int train = 0; train < 2; train++) {
        ck_assert_ptr_null(hg_fashion_mnist_in(folders, 5, train, NULL));
        ck_assert_error(HG_E_IO, "package dataset-fashion-mnist", "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", folder, ", /nonexistent/a, /nonexistent/b");
    }
}
END_TEST

/* Both files in `folder`, and what becomes of them. */
static void refuse(const void *image, size_t image_bytes, const void *label, size_t label_bytes, const char *path,
                   const char *words)
{
    write_bytes(images_path, image, image_bytes);
    write_bytes(labels_path, label, label_bytes);
    ck_assert_ptr_null(hg_fashion_mnist(folder, false, NULL));
    ck_assert_error(HG_E_FORMAT, path, words);
}

/* `bytes` with one of them changed. */
static uint8_t *changed(const uint8_t *bytes, size_t n, int at, uint8_t value)
{
    static uint8_t copy[64];
    memcpy(copy, bytes, n);
    copy[at] = value;
    return copy;
}

START_TEST(damaged_files_are_refused_by_name)
{
    refuse(changed(images, sizeof images, 2, 9), sizeof images, labels, sizeof labels, images_path,
           "0x00000903, not with 0x00000803");
    refuse(labels, sizeof labels, labels, sizeof labels, images_path, "0x00000801, not with 0x00000803");
    refuse(changed(images, sizeof images, 0, 0x50), sizeof images, labels, sizeof labels, images_path, "0x50000803");
    refuse(images, sizeof images, changed(labels, sizeof labels, 3, 3), sizeof labels, labels_path, "0x00000803");
    for (size_t n = 0; n < sizeof images; n++)
        refuse(images, n, labels, sizeof labels, images_path, "truncated");
    for (size_t n = 0; n < sizeof labels; n++)
        refuse(images, sizeof images, labels, n, labels_path, "truncated");
    refuse(images, sizeof images, changed(labels, sizeof labels, 7, 1), sizeof labels, labels_path,
           "has bytes behind the 1");
    refuse(images, sizeof images, changed(labels, sizeof labels, 7, 1), sizeof labels - 1, labels_path,
           "holds 2 images");
    refuse(images, sizeof images, changed(labels, sizeof labels, 9, 10), sizeof labels, labels_path,
           "label 10 of item 1");
    refuse(changed(images, sizeof images, 11, 0), 16, labels, sizeof labels, images_path, "0 x 3 pixels");
}
END_TEST

START_TEST(huge_claims_take_no_memory)
{
    uint8_t big[28];
    memcpy(big, images, sizeof big);
    memset(big + 4, 0xff, 4);
    refuse(big, sizeof big, labels, sizeof labels, images_path, "4294967295 x 2 x 3");
    memset(big + 4, 0xff, 12);
    refuse(big, sizeof big, labels, sizeof labels, images_path, "4294967295 x 4294967295 x 4294967295");
    memcpy(big + 4, "\x05\x55\x55\x55\0\0\0\2\0\0\0\3", 12);     /* nearly 512 MiB: possible, but not there */
    refuse(big, sizeof big, labels, sizeof labels, images_path, "truncated: 12 bytes of 536870910");
    uint8_t claim[8] = {0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff};
    refuse(images, sizeof images, claim, sizeof claim, labels_path, "4294967295");
}
END_TEST

START_TEST(damaged_gzip_is_refused)
{
    enum { N = 50000 };
    static uint8_t plain[8 + N];
    memcpy(plain, (uint8_t[]){0, 0, 8, 1, 0, 0, N >> 8, N & 255}, 8);
    uint32_t noise = 7;
    for (int i = 0; i < N; i++) plain[8 + i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);
    write_gzip(labels_path, plain, sizeof plain);
    hg_idx idx;
    ck_assert_int_eq(hg_idx_read(labels_path, 1, &idx), HG_OK);
    ck_assert_int_eq(idx.size[0], N);
    ck_assert_mem_eq(idx.data, plain + 8, N);
    free(idx.data);

    struct stat info;
    stat(labels_path, &info);
    static const int cuts[] = {1, 4, 8, 9, 1000, 40000};
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(truncate(labels_path, info.st_size - cuts[i]), 0);
        ck_assert_int_eq(hg_idx_read(labels_path, 1, &idx), HG_E_FORMAT);
        ck_assert_error(HG_E_FORMAT, labels_path, "truncated");
        ck_assert_ptr_null(idx.data);
        write_gzip(labels_path, plain, sizeof plain);
    }
    int fd = open(labels_path, O_RDWR);     /* the checksum at the end */
    ck_assert_int_eq(pwrite(fd, "\xde\xad", 2, info.st_size - 8), 2);
    close(fd);
    ck_assert_int_eq(hg_idx_read(labels_path, 1, &idx), HG_E_FORMAT);
    ck_assert_error(HG_E_FORMAT, labels_path);
    ck_assert_ptr_null(idx.data);
}
END_TEST

START_TEST(unreadable_files_are_io_errors)
{
    hg_idx idx;
    ck_assert_int_eq(hg_idx_read("/nonexistent/a", 1, &idx), HG_E_IO);
    ck_assert_error(HG_E_IO, "/nonexistent/a", "No such file or directory");
    ck_assert_int_eq(hg_idx_read(folder, 1, &idx), HG_E_IO);
    ck_assert_error(HG_E_IO, folder, "directory");
}
END_TEST

START_TEST(empty_collections_are_possible)
{
    static const uint8_t no_images[16] = {0, 0, 8, 3}, no_labels[8] = {0, 0, 8, 1};
    write_bytes(images_path, no_images, 16);
    write_bytes(labels_path, no_labels, 8);
    hg_dataset *d = hg_fashion_mnist(folder, false, NULL);
    ck_assert_ptr_nonnull(d);
    ck_assert_int_eq(hg_dataset_length(d), 0);
    hg_dataset_free(d);
}
END_TEST

START_TEST(classes_have_names)
{
    ck_assert_str_eq(hg_fashion_mnist_class(0), "T-shirt/top");
    ck_assert_str_eq(hg_fashion_mnist_class(5), "Sandal");
    ck_assert_str_eq(hg_fashion_mnist_class(9), "Ankle boot");
    ck_assert_ptr_null(hg_fashion_mnist_class(10));
    ck_assert_ptr_null(hg_fashion_mnist_class(-1));
}
END_TEST

static void check_real(bool train, int64_t n, const char *first_labels, int64_t first_sum)
{
    hg_dataset *d = hg_fashion_mnist(NULL, train, NULL);
    ck_assert_msg(d != NULL, "%s", hg_last_error());
    ck_assert_int_eq(hg_dataset_length(d), n);
    ck_assert_int_eq(hg_dataset_shape(d).size[0], 28);
    ck_assert_int_eq(hg_dataset_shape(d).size[1], 28);
    int64_t sum = 0, counts[10] = {0};
    double total = 0, squares = 0;
    uint8_t item[784];
    for (int64_t i = 0; i < n; i++) {
        hg_sample sample = {.data = item};
        ck_assert_int_eq(hg_dataset_get(d, i, &sample), HG_OK);
        counts[sample.label]++;
        if (i < 10) ck_assert_int_eq(sample.label, first_labels[i] - '0');
        for (int k = 0; k < 784; k++) {
            if (i == 0) sum += item[k];
            double x = item[k] / 255.0;
            total += x;
            squares += x * x;
        }
    }
    for (int c = 0; c < 10; c++) ck_assert_int_eq(counts[c], n / 10);
    ck_assert_int_eq(sum, first_sum);
    if (train) {
        double mean = total / (784.0 * (double)n);
        ck_assert_double_eq_tol(mean, 0.2860406, 5e-8);
        ck_assert_double_eq_tol(squares / (784.0 * (double)n) - mean * mean, 0.35302 * 0.35302, 1e-5);
    }
    hg_dataset_free(d);
}

START_TEST(the_real_collection_has_its_known_facts)
{
    if (access(SYSTEM_FOLDER, F_OK) != 0) {
        printf("SKIP the_real_collection_has_its_known_facts: the package dataset-fashion-mnist is not installed\n");
        return;
    }
    check_real(true, 60000, "9003027255", 76247);
    check_real(false, 10000, "9211614657", 33456);
}
END_TEST

Suite *idx_suite(void)
{
    Suite *suite = suite_create("idx");
    TCase *tests = tcase_create("idx");
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, plain_and_gzip_files_are_read);
    tcase_add_test(tests, torchvisions_folders_come_first);
    tcase_add_test(tests, missing_files_name_package_files_and_folders);
    tcase_add_test(tests, damaged_files_are_refused_by_name);
    tcase_add_test(tests, huge_claims_take_no_memory);
    tcase_add_test(tests, damaged_gzip_is_refused);
    tcase_add_test(tests, unreadable_files_are_io_errors);
    tcase_add_test(tests, empty_collections_are_possible);
    tcase_add_test(tests, classes_have_names);
    tcase_add_test(tests, the_real_collection_has_its_known_facts);
    suite_add_tcase(suite, tests);
    return suite;
}
