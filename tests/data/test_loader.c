/* The loader on a device: PyTorch's order, lifetimes of batches, state, errors. */
#include "test_data.h"

#include <sys/wait.h>


static hg_loader *make(const hg_dataset *d, hg_loader_options o)
{
    hg_clear_error();
    hg_loader *l = hg_loader_new(test_device(), d, &o);
    ck_assert_msg(l != NULL, "%s", hg_last_error());
    return l;
}

/* The device's generator gives this permutation of 10 next. */
static void expect_randperm(const int64_t *expected)
{
    int64_t order[10];
    ck_assert_hg(hg_randperm(test_device(), 10, order));
    ck_assert_mem_eq(order, expected, sizeof order);
}

/* The labels of a batch, which are 7 times the index, as indices; inputs must fit. */
static int64_t read_batch(const hg_batch *b, int64_t *indices)
{
    float x[3 * 64];
    ck_assert_int_le(b->size, 64);
    ck_assert_int_eq(hg_tensor_dtype(b->inputs), HG_F32);
    ck_assert_int_eq(hg_tensor_dtype(b->targets), HG_I64);
    ck_assert_int_eq(hg_ndim(b->inputs), 2);
    ck_assert_int_eq(hg_size(b->inputs, 0), b->size);
    ck_assert_int_eq(hg_size(b->inputs, 1), 3);
    ck_assert_int_eq(hg_ndim(b->targets), 1);
    ck_assert_int_eq(hg_size(b->targets, 0), b->size);
    ck_assert_hg(hg_read(b->inputs, x));
    ck_assert_hg(hg_read(b->targets, indices));
    for (int64_t i = 0; i < b->size; i++) {
        indices[i] /= 7;
        ck_assert(x[3 * i] == (float)indices[i] && x[3 * i + 1] == (float)(10 * indices[i]));
    }
    return b->size;
}

/* The rest of an epoch: all indices in order, -1 between batches. */
static void read_epoch(hg_loader *l, char *text)
{
    hg_batch b;
    hg_status status;
    *text = 0;
    while ((status = hg_loader_next(l, &b)) == HG_OK) {
        int64_t indices[64], n = read_batch(&b, indices);
        for (int64_t i = 0; i < n; i++) sprintf(text + strlen(text), "%d ", (int)indices[i]);
        strcat(text, "| ");
    }
    ck_assert_msg(status == HG_END, "%s", hg_last_error());
    ck_assert(!b.inputs && !b.targets && !b.size);
}

/* What torch 1.13 gives for DataLoader(range(10), batch_size=4, shuffle=True) after manual_seed(0). */
static const char *const torch_epochs[] = {"6 7 1 4 | 2 0 9 8 | 3 5 | ", "2 4 7 0 | 8 9 5 3 | 6 1 | ",
                                           "7 4 5 1 | 9 3 8 2 | 0 6 | "};

START_TEST(shuffled_order_is_pytorchs)
{
    static const int workers[] = {0, 1, 8};
    hg_dataset *d = numbers(10, -1);
    char text[400];
    for (int w = 0; w < 3; w++) {
        ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_TORCH));
        hg_loader *l = make(d, (hg_loader_options){.batch_size = 4, .shuffle = true, .workers = workers[w],
                                                   .prefetch_factor = 2, .seed = -1});
        ck_assert_int_eq(hg_loader_length(l), 3);
        for (int epoch = 0; epoch < 3; epoch++) {
            read_epoch(l, text);
            ck_assert_str_eq(text, torch_epochs[epoch]);
        }
        hg_loader_free(l);
        /* and the generator stands where PyTorch's does */
        expect_randperm((int64_t[]){6, 4, 8, 7, 1, 2, 5, 3, 0, 9});
    }
    hg_dataset_free(d);
}
END_TEST

START_TEST(unshuffled_epochs_draw_one_number)
{
    hg_dataset *d = numbers(10, -1);
    char text[400];
    ck_assert_hg(hg_manual_seed(test_device(), 7, HG_RNG_TORCH));
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 4, .prefetch_factor = 2, .seed = -1});
    for (int epoch = 0; epoch < 2; epoch++) {
        read_epoch(l, text);
        ck_assert_str_eq(text, "0 1 2 3 | 4 5 6 7 | 8 9 | ");
    }
    expect_randperm((int64_t[]){3, 7, 9, 4, 8, 6, 0, 5, 1, 2});
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

START_TEST(a_seed_of_its_own_leaves_the_devices_generator_alone)
{
    hg_dataset *d = numbers(10, -1);
    char text[400];
    int64_t first[10];
    ck_assert_hg(hg_manual_seed(test_device(), 5, HG_RNG_TORCH));
    ck_assert_hg(hg_randperm(test_device(), 10, first));
    ck_assert_hg(hg_manual_seed(test_device(), 5, HG_RNG_TORCH));
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 4, .shuffle = true, .prefetch_factor = 2, .seed = 0});
    for (int epoch = 0; epoch < 3; epoch++) {
        read_epoch(l, text);
        ck_assert_str_eq(text, torch_epochs[epoch]);
    }
    expect_randperm(first);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

START_TEST(every_epoch_has_each_item_once)
{
    enum { N = 1000 };
    hg_dataset *d = numbers(N, -1);
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 64, .shuffle = true, .workers = 2, .prefetch_factor = 2,
                                               .seed = 3});
    int64_t orders[2][N];
    for (int epoch = 0; epoch < 2; epoch++) {
        bool seen[N] = {false};
        int64_t count = 0, indices[64];
        hg_batch b;
        while (hg_loader_next(l, &b) == HG_OK) {
            int64_t n = read_batch(&b, indices);
            for (int64_t i = 0; i < n; i++) {
                ck_assert(!seen[indices[i]]);
                seen[indices[i]] = true;
                orders[epoch][count++] = indices[i];
            }
        }
        ck_assert_int_eq(count, N);
    }
    ck_assert(memcmp(orders[0], orders[1], sizeof orders[0]) != 0);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

START_TEST(batches_are_in_no_scope_and_leak_nothing)
{
    hg_dataset *d = numbers(20, -1);
    hg_memory_info before, after;
    ck_assert_hg(hg_sync(test_device()));
    ck_assert_hg(hg_memory_get_info(test_device(), &before));
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 4, .workers = 2, .prefetch_factor = 2, .seed = 0});
    hg_batch b;
    int64_t indices[64];
    hg_tensor *kept = NULL;
    for (int i = 0; i < 5; i++) {
        hg_scope *s = i % 2 ? hg_scope_begin(test_device()) : NULL;
        ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
        if (s) hg_scope_end(s);
        ck_assert_int_eq(read_batch(&b, indices), 4);       /* still there */
        if (i == 1) kept = hg_retain(b.targets);
    }
    ck_assert_hg(hg_read(kept, indices));
    ck_assert(indices[0] == 28 && indices[3] == 49);
    hg_release(kept);
    ck_assert_int_eq(hg_loader_next(l, &b), HG_END);
    ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
    hg_loader_free(l);                                      /* in the middle of an epoch, with a batch out */
    ck_assert_hg(hg_sync(test_device()));
    ck_assert_hg(hg_memory_get_info(test_device(), &after));
    ck_assert_uint_eq(after.in_use, before.in_use);
    hg_dataset_free(d);
}
END_TEST

START_TEST(a_restored_state_goes_on_bit_for_bit)
{
    hg_dataset *d = numbers(50, -1);
    char rest[1000], next[1000], again[1000];
    for (int64_t seed = -1; seed <= 0; seed++) {
        for (int stop = 0; stop <= 8; stop++) {     /* 7: behind the last batch; 8: between epochs */
            hg_loader_options o = {.batch_size = 8, .shuffle = true, .workers = stop % 3, .prefetch_factor = 2,
                                   .seed = seed};
            ck_assert_hg(hg_manual_seed(test_device(), 11, HG_RNG_TORCH));
            hg_loader *a = make(d, o), *c;
            hg_batch b;
            hg_loader_state state;
            read_epoch(a, rest);
            if (stop == 0) ck_assert_int_eq(hg_loader_next(a, &b), HG_OK);
            for (int i = 0; i < stop; i++) ck_assert_int_eq(hg_loader_next(a, &b), i < 7 ? HG_OK : HG_END);
            hg_loader_get_state(a, &state);
            size_t size = hg_rng_get_state(test_device(), NULL);
            void *generator = malloc(size);
            ck_assert_ptr_nonnull(generator);
            hg_rng_get_state(test_device(), generator);
            ck_assert_int_eq(state.next_batch, stop == 8 ? -1 : stop ? stop : 1);
            ck_assert_int_eq(state.epoch, 2);
            if (stop < 8) read_epoch(a, rest);
            read_epoch(a, next);
            hg_loader_free(a);

            o.workers = 2 - stop % 3;
            ck_assert_hg(hg_rng_set_state(test_device(), generator, size));
            free(generator);
            c = make(d, o);
            ck_assert_hg(hg_loader_set_state(c, &state));
            if (stop < 8) {
                read_epoch(c, again);
                ck_assert_str_eq(again, rest);
            }
            read_epoch(c, again);
            ck_assert_str_eq(again, next);
            hg_loader_free(c);
        }
    }
    hg_dataset_free(d);
}
END_TEST

START_TEST(impossible_states_are_refused)
{
    hg_dataset *d = numbers(50, -1);
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 8, .prefetch_factor = 2, .seed = -1});
    hg_batch b;
    hg_loader_state good, bad;
    ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
    hg_loader_get_state(l, &good);
    static const int64_t positions[] = {-2, 8, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        bad = good;
        bad.next_batch = positions[i];
        ck_assert_int_eq(hg_loader_set_state(l, &bad), HG_E_ARG);
        ck_assert_error(HG_E_ARG, "of epoch 1, but there are 7 batches");
    }
    bad = good;
    static const int64_t epochs[] = {-1, 0, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        bad.epoch = epochs[i];
        ck_assert_int_eq(hg_loader_set_state(l, &bad), HG_E_ARG);
        ck_assert_error(HG_E_ARG, "batch 1 of epoch");
    }
    bad = good;
    bad.length = 49;
    ck_assert_int_eq(hg_loader_set_state(l, &bad), HG_E_ARG);
    ck_assert_error(HG_E_ARG, "dataset of 49 items, this one has 50");
    int64_t indices[64];
    ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);     /* undisturbed */
    read_batch(&b, indices);
    ck_assert_int_eq(indices[0], 8);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

START_TEST(errors_end_the_epoch_and_keep_their_text)
{
    static const int workers[] = {0, 1, 8};
    hg_dataset *d = numbers(20, 9);
    for (int w = 0; w < 3; w++) {
        hg_loader *l = make(d, (hg_loader_options){.batch_size = 4, .workers = workers[w], .prefetch_factor = 2,
                                                   .seed = -1});
        hg_batch b;
        for (int epoch = 0; epoch < 2; epoch++) {
            int64_t indices[64];
            for (int i = 0; i < 2; i++) ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
            read_batch(&b, indices);
            ck_assert_int_eq(indices[0], 4);
            ck_assert_int_eq(hg_loader_next(l, &b), HG_E_FORMAT);
            ck_assert_error(HG_E_FORMAT, "item 9: picture-9.png is damaged");
            ck_assert_ptr_null(b.inputs);
        }
        hg_loader_free(l);
    }
    hg_dataset_free(d);
}
END_TEST

START_TEST(reset_begins_a_new_epoch)
{
    hg_dataset *d = numbers(10, -1);
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 4, .shuffle = true, .workers = 1, .prefetch_factor = 2,
                                               .seed = 0});
    hg_batch b;
    char text[400];
    hg_loader_reset(l);     /* before the first: nothing happens */
    ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
    hg_loader_reset(l);
    read_epoch(l, text);
    ck_assert_str_eq(text, torch_epochs[1]);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

static void refuse(const hg_dataset *d, hg_loader_options o, hg_status code, const char *words)
{
    hg_clear_error();
    ck_assert_ptr_null(hg_loader_new(test_device(), d, &o));
    ck_assert_error(code, words);
}

START_TEST(bad_options_get_pytorchs_words)
{
    hg_dataset *d = numbers(10, -1);
    hg_loader_options good = HG_LOADER_DEFAULTS, o;
    o = good;
    o.batch_size = 0;
    refuse(d, o, HG_E_ARG, "batch_size should be a positive integer value, but got batch_size=0");
    o = good;
    o.batch_size = -3;
    refuse(d, o, HG_E_ARG, "but got batch_size=-3");
    o = good;
    o.workers = -1;
    refuse(d, o, HG_E_ARG,
           "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.");
    o = good;
    o.workers = 1025;
    refuse(d, o, HG_E_ARG, "at most 1024");
    o = good;
    o.prefetch_factor = 0;
    refuse(d, o, HG_E_ARG, "prefetch_factor should be 1 to 65536, got 0");
    ck_assert_ptr_null(hg_loader_new(NULL, d, NULL));
    ck_assert_error(HG_E_ARG, "the device is NULL");
    ck_assert_ptr_null(hg_loader_new(test_device(), NULL, NULL));
    ck_assert_error(HG_E_ARG, "the dataset is NULL");
    hg_loader *l = hg_loader_new(test_device(), d, NULL);
    ck_assert_int_eq(hg_loader_length(l), 10);
    hg_loader_free(l);
    hg_loader_free(NULL);
    hg_dataset_free(d);
}
END_TEST

static hg_status no_item(void *self, int64_t index, hg_sample *sample)
{
    (void)self, (void)index, (void)sample;
    return HG_E_STATE;
}

START_TEST(images_without_a_transform_are_refused)
{
    static const hg_dataset_type type = {"pictures", no_item, NULL};
    hg_dataset *d = hg_dataset_new(&type, NULL, 4, HG_U8, HG_SHAPE(28, 28), NULL);
    refuse(d, HG_LOADER_DEFAULTS, HG_E_DTYPE, "dataset pictures gives uint8 images");
    hg_dataset_free(d);
}
END_TEST

static char warned[600];

static void keep_warning(const char *topic, const char *message, void *user)
{
    (void)user;
    if (!strcmp(topic, "warn")) snprintf(warned, sizeof warned, "%s", message);
}

START_TEST(too_many_workers_warn_once)
{
    hg_dataset *d = numbers(10, -1);
    hg_set_log(keep_warning, NULL);
    hg_loader_options o = HG_LOADER_DEFAULTS;
    o.workers = 1024;       /* no test before this one asked for more than there are processors and kept the log */
    hg_loader_free(make(d, o));
    ck_assert_ptr_nonnull(strstr(warned, "will create 1024 worker threads in total. Our suggested max number of"));
    warned[0] = 0;
    hg_loader_free(make(d, o));
    ck_assert_str_eq(warned, "");
    hg_set_log(NULL, NULL);
    hg_dataset_free(d);
}
END_TEST

START_TEST(a_forked_child_gets_an_error)
{
    hg_dataset *d = numbers(20, -1);
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 4, .workers = 2, .prefetch_factor = 2, .seed = 1});
    hg_batch b;
    ck_assert_int_eq(hg_loader_next(l, &b), HG_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(hg_loader_next(l, &b) == HG_E_STATE && strstr(hg_last_error(), "fork") ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

START_TEST(fashion_mnist_batches)
{
    hg_transform *t = hg_to_tensor();
    hg_dataset *d = hg_fashion_mnist(NULL, false, t);
    hg_transform_free(t);
    if (!d) {
        ck_assert_error(HG_E_IO, "dataset-fashion-mnist");
        printf("SKIP fashion_mnist_batches: the package dataset-fashion-mnist is not installed\n");
        return;
    }
    hg_loader *l = make(d, (hg_loader_options){.batch_size = 100, .workers = 2, .prefetch_factor = 2, .seed = 0});
    ck_assert_int_eq(hg_loader_length(l), 100);
    hg_batch b;
    int64_t batches = 0, counts[10] = {0}, labels[100];
    static float x[78400];
    while (hg_loader_next(l, &b) == HG_OK) {
        ck_assert_int_eq(hg_ndim(b.inputs), 4);
        ck_assert_int_eq(hg_size(b.inputs, 1), 1);
        ck_assert_hg(hg_read(b.targets, labels));
        for (int i = 0; i < 100; i++) counts[labels[i]]++;
        if (batches++ == 0) {
            float sum = 0;
            ck_assert_hg(hg_read(b.inputs, x));
            for (int i = 0; i < 784; i++) sum += x[i] * 255.0f;
            ck_assert_float_eq_tol(sum, 33456.0f, 0.05f);
        }
    }
    ck_assert_int_eq(batches, 100);
    for (int c = 0; c < 10; c++) ck_assert_int_eq(counts[c], 1000);
    hg_loader_free(l);
    hg_dataset_free(d);
}
END_TEST

Suite *loader_suite(void)
{
    return TEST_SUITE("loader", too_many_workers_warn_once, shuffled_order_is_pytorchs,
                      unshuffled_epochs_draw_one_number,
                      a_seed_of_its_own_leaves_the_devices_generator_alone, every_epoch_has_each_item_once,
                      batches_are_in_no_scope_and_leak_nothing, a_restored_state_goes_on_bit_for_bit,
                      impossible_states_are_refused, errors_end_the_epoch_and_keep_their_text,
                      reset_begins_a_new_epoch, bad_options_get_pytorchs_words,
                      images_without_a_transform_are_refused, a_forked_child_gets_an_error, fashion_mnist_batches);
}
