/* Building, caching, launching, faults, profiling. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cl/device.h"
#include "cl/fault.h"
#include "cl/launch.h"
#include "cl/transfer.h"
#include "suites.h"

static const hg_source adder = {
    "adder", "__kernel void add(int by, __global int *x) { x[get_global_id(0)] += by * FACTOR; }", false};
static const hg_source broken = {"broken", "__kernel void nothing(void) { this is no C; }", false};

static hg_status run_adder(hg_device *dev, cl_mem mem, int by, const char *options)
{
    return hg_launch(dev, &adder, options, "add", (hg_range){1, {4}, {1}}, HG_ARGS(HG_ARG_I32(by), HG_ARG_MEM(mem)));
}

START_TEST(variants_are_built_once_and_launched)
{
    hg_device *dev = test_device();
    int x[4] = {1, 2, 3, 4};
    hg_block *block = hg_pool_take(dev, sizeof x);
    ck_assert_hg(hg_upload(dev, block->mem, 0, x, sizeof x));
    ck_assert_hg(run_adder(dev, block->mem, 1, "-DFACTOR=10"));
    ck_assert_hg(run_adder(dev, block->mem, 1, "-DFACTOR=100"));
    ck_assert_ptr_eq(hg_kernel_get(dev, &adder, "-DFACTOR=10", "add"), hg_kernel_get(dev, &adder, "-DFACTOR=10", "add"));
    ck_assert_ptr_ne(hg_kernel_get(dev, &adder, "-DFACTOR=10", "add"), hg_kernel_get(dev, &adder, "-DFACTOR=100", "add"));
    ck_assert_hg(hg_download(dev, block->mem, 0, x, sizeof x));
    for (int i = 0; i < 4; i++) ck_assert_int_eq(x[i], i + 1 + 110);
    hg_pool_give(dev, block);
}
END_TEST

START_TEST(a_transient_source_is_known_by_its_text)
{
    char text[80] = "__kernel void f(__global int *x) { x[0] = 1; }";
    hg_source source = {"mine", text, true};
    hg_block *block = hg_pool_take(test_device(), 4);
    for (int i = 1; i <= 2; i++) {
        int x = 0;
        strchr(text, '=')[2] = (char)('0' + i);
        ck_assert_hg(hg_launch(test_device(), &source, NULL, "f", (hg_range){1, {1}, {1}}, HG_ARGS(HG_ARG_MEM(block->mem))));
        ck_assert_hg(hg_download(test_device(), block->mem, 0, &x, sizeof x));
        ck_assert_int_eq(x, i);
    }
    hg_pool_give(test_device(), block);
}
END_TEST

START_TEST(the_bundle_serves_variants_without_options)
{
    hg_device *dev = test_device();
    cl_kernel whole = hg_kernel_get(dev, &hg_source_bundle, NULL, "add");
    ck_assert_msg(whole != NULL, "%s", hg_last_error());
    ck_assert_ptr_eq(hg_kernel_get(dev, &hg_source_add, " ", "add"), whole);
    ck_assert_ptr_ne(hg_kernel_get(dev, &hg_source_add, "-DHG_WIDE=1", "add"), whole);
    hg_source fallen_back = adder;
    const hg_source also_broken = {"also broken", "not C either", true, NULL};
    fallen_back.bundle = &also_broken;
    ck_assert_ptr_null(hg_kernel_get(dev, &fallen_back, "", "add"));    /* FACTOR is missing: its own text was tried */
    test_error(HG_E_DRIVER, "kernel file adder does not build");
}
END_TEST

static int build_logs;

static void count_build_logs(const char *topic, const char *message, void *user)
{
    (void)user;
    build_logs += !strcmp(topic, "build") && strstr(message, "error");
}

START_TEST(a_kernel_that_does_not_build_is_logged_once_and_named)
{
    hg_set_log(count_build_logs, NULL);
    ck_assert_ptr_null(hg_kernel_get(test_device(), &broken, NULL, "nothing"));
    ck_assert_uint_lt(strlen(hg_last_error()), 1000);
    test_error(HG_E_DRIVER, "kernel file broken does not build");
    ck_assert_ptr_null(hg_kernel_get(test_device(), &broken, NULL, "nothing"));
    test_error(HG_E_DRIVER, "broken did not build");
    ck_assert_int_eq(build_logs, 1);
    hg_set_log(NULL, NULL);
    ck_assert_ptr_null(hg_kernel_get(test_device(), &adder, "-DFACTOR=1", "subtract"));
    test_error(HG_E_DRIVER, "CL_INVALID_KERNEL_NAME");
    hg_tensor *still_usable = hg_zeros(test_device(), HG_F32, HG_SHAPE(3));
    ck_assert_hg_ok(still_usable);
    hg_release(still_usable);
}
END_TEST

START_TEST(wrong_arguments_are_found)
{
    hg_status status = hg_launch(test_device(), &adder, "-DFACTOR=1", "add", (hg_range){1, {4}, {1}},
                                 HG_ARGS(HG_ARG_I64(1), HG_ARG_MEM(hg_fault_buffer(test_device()))));
    ck_assert_int_eq(status, HG_E_DRIVER);
    test_error(HG_E_DRIVER, "kernel add, argument 0 of 8 bytes: CL_INVALID_ARG_SIZE");
}
END_TEST

START_TEST(what_a_kernel_finds_wrong_comes_at_the_next_wait)
{
    static const hg_source finder = {"finder", "__kernel void find(__global int *fault) { fault[0] = 1; fault[1] = 12; fault[2] = 10; fault[3] = 3; }", false};
    hg_device *dev = test_device();
    ck_assert_hg(hg_launch(dev, &finder, NULL, "find", (hg_range){1, {1}, {1}}, HG_ARGS(HG_ARG_MEM(hg_fault_watch(dev)))));
    ck_assert_int_eq(hg_sync(dev), HG_E_ARG);
    test_error(HG_E_ARG, "Target 12 is out of bounds.");
    ck_assert_hg(hg_sync(dev));     /* told once */
}
END_TEST

START_TEST(the_profile_counts_kernels_and_layers)
{
    hg_device *dev = hg_device_open(NULL);
    char *text = NULL;
    size_t size = 0;
    ck_assert_int_eq(hg_profile_write(dev, stderr), HG_E_STATE);
    test_error(HG_E_STATE, "not begun");
    ck_assert_hg(hg_profile_begin(dev));
    hg_scope *s = hg_scope_begin(dev);
    const char *before = hg_layer_enter(dev, "layer1.0");
    hg_zeros(dev, HG_F32, HG_SHAPE(1000));
    hg_zeros(dev, HG_F32, HG_SHAPE(2000));
    hg_layer_enter(dev, before);
    hg_scope_end(s);
    FILE *stream = open_memstream(&text, &size);
    ck_assert_hg(hg_profile_write(dev, stream));
    fclose(stream);
    ck_assert_msg(strstr(text, "fill ") && strstr(text, " 2 ") && strstr(text, "layer1.0"), "%s", text);
    free(text);
    ck_assert_hg(hg_profile_end(dev));
    hg_device_close(dev);
}
END_TEST

/* Counts the entries of $XDG_CACHE_HOME/hapgop/programs, and cuts each one short if asked. */
static int cache_entries(const char *root, bool damage)
{
    char folder[128];
    snprintf(folder, sizeof folder, "%s/hapgop/programs", root);
    DIR *dir = opendir(folder);
    int n = 0;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (d->d_name[0] == '.') continue;
        n++;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
        if (damage) ck_assert_int_eq(truncate(path, 100), 0);
    }
    if (dir) closedir(dir);
    return n;
}

START_TEST(binaries_are_kept_on_disk_and_damage_is_a_miss)
{
    char root[] = "/tmp/hapgop-cache-XXXXXX", command[64];
    ck_assert_ptr_nonnull(mkdtemp(root));
    const char *before = getenv("XDG_CACHE_HOME");
    char keep[512] = "";
    if (before) snprintf(keep, sizeof keep, "%s", before);
    for (int round = 0; round < 3; round++) {
        setenv("XDG_CACHE_HOME", root, 1);
        setenv("HAPGOP_CACHE", "1", 1);
        hg_device *dev = hg_device_open(NULL);
        int x[4] = {0};
        hg_block *block = hg_pool_take(dev, sizeof x);
        ck_assert_hg(hg_upload(dev, block->mem, 0, x, sizeof x));
        ck_assert_hg(run_adder(dev, block->mem, 3, "-DFACTOR=5"));
        ck_assert_hg(hg_download(dev, block->mem, 0, x, sizeof x));
        ck_assert_int_eq(x[3], 15);
        ck_assert_int_eq(cache_entries(root, round == 1), 1);
        hg_pool_give(dev, block);
        hg_device_close(dev);
        unsetenv("HAPGOP_CACHE");
        if (before)
            setenv("XDG_CACHE_HOME", keep, 1);
        else
            unsetenv("XDG_CACHE_HOME");
    }
    snprintf(command, sizeof command, "rm -r %s", root);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

Suite *program_suite(void)
{
    return TEST_SUITE("program", variants_are_built_once_and_launched, a_transient_source_is_known_by_its_text,
                      the_bundle_serves_variants_without_options,
                      a_kernel_that_does_not_build_is_logged_once_and_named, wrong_arguments_are_found,
                      what_a_kernel_finds_wrong_comes_at_the_next_wait, the_profile_counts_kernels_and_layers,
                      binaries_are_kept_on_disk_and_damage_is_a_miss);
}
