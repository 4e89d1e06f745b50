/* Finding and opening devices, and who may use one. */
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cl/device.h"
#include "cl/quirks.h"
#include "cl/scan.h"
#include "suites.h"

START_TEST(the_list_names_every_device)
{
    hg_device_info *list;
    int count, usable = 0;
    ck_assert_hg(hg_device_list(&list, &count));
    for (int i = 0; i < count; i++) {
        ck_assert_str_ne(list[i].platform, "");
        ck_assert(list[i].name[0] || list[i].skipped[0]);
        if (list[i].skipped[0]) continue;
        usable++;
        ck_assert_uint_gt(list[i].units, 0);
        ck_assert_uint_gt(list[i].memory, 0);
        ck_assert_uint_gt(list[i].local_memory, 0);
        ck_assert_msg(!strncmp(list[i].c_version, "OpenCL C ", 9), "%s", list[i].c_version);
    }
    ck_assert_int_gt(usable, 0);
    free(list);
}
END_TEST

START_TEST(a_part_of_the_name_opens_a_device)
{
    hg_device_info info, other;
    char part[160];
    ck_assert_hg(hg_device_get_info(test_device(), &info));
    snprintf(part, sizeof part, "%.10s", info.name + strlen(info.name) / 2);
    for (char *p = part; *p; p++) *p = (char)toupper((unsigned char)*p);
    hg_device *dev = hg_device_open(part);
    ck_assert_msg(dev != NULL, "%s", hg_last_error());
    ck_assert_hg(hg_device_get_info(dev, &other));
    ck_assert_str_eq(other.name, info.name);
    hg_device_close(dev);
}
END_TEST

START_TEST(an_unknown_device_is_answered_with_what_there_is)
{
    hg_device_info info;
    ck_assert_hg(hg_device_get_info(test_device(), &info));
    ck_assert_ptr_null(hg_device_open("quantum"));
    ck_assert_ptr_nonnull(strstr(hg_last_error(), info.name));
    test_error(HG_E_DEVICE, "nothing matches \"quantum\"; use gpu, cpu, nvidia, amd, intel, pocl");
    ck_assert_ptr_null(hg_device_open("cpu:99"));
    test_error(HG_E_DEVICE, "\"cpu:99\"");
}
END_TEST

START_TEST(quirks_follow_names)
{
    hg_device_info pocl = {.platform = "Portable Computing Language", .name = "pthread-skylake"};
    ck_assert_uint_eq(hg_quirks_of(&pocl), HG_QUIRK_NO_BINARY_CACHE);
    ck_assert_str_eq(pocl.quirks, "no-binary-cache");
    hg_device_info intel = {.platform = "Intel(R) OpenCL HD Graphics", .name = "Intel(R) UHD Graphics 770"};
    ck_assert_uint_eq(hg_quirks_of(&intel), HG_QUIRK_CLBLAST_INTEL_GEMMK1);
    hg_device_info clover = {.platform = "Clover", .name = "AMD"};
    ck_assert(hg_quirks_of(&clover) & HG_QUIRK_SKIP);
    hg_device_info llvmpipe = {.platform = "rusticl", .name = "llvmpipe (LLVM 15.0.6, 256 bits)"};
    ck_assert_uint_eq(hg_quirks_of(&llvmpipe), HG_QUIRK_SLOW_LONG_KERNELS);
    ck_assert_str_ne(clover.skipped, "");
    hg_device_info plain = {.platform = "AMD Accelerated Parallel Processing", .name = "gfx1030"};
    ck_assert_uint_eq(hg_quirks_of(&plain), 0);
}
END_TEST

static void *sync_from_thread(void *dev)
{
    static hg_status status;
    status = hg_sync(dev);
    ck_assert_ptr_nonnull(strstr(status == HG_OK ? "two threads" : hg_last_error(), "two threads"));
    return &status;
}

START_TEST(a_second_thread_is_refused_while_the_first_is_inside)
{
    hg_device *dev = test_device();
    bool outermost;
    pthread_t thread;
    void *result;
    ck_assert_hg(hg_device_enter(dev, &outermost));
    ck_assert(outermost);
    ck_assert_int_eq(pthread_create(&thread, NULL, sync_from_thread, dev), 0);
    pthread_join(thread, &result);
    ck_assert_int_eq(*(hg_status *)result, HG_E_STATE);
    hg_device_leave(dev, outermost);
    ck_assert_int_eq(pthread_create(&thread, NULL, sync_from_thread, dev), 0);
    pthread_join(thread, &result);
    ck_assert_int_eq(*(hg_status *)result, HG_OK);
}
END_TEST

static void *work_alone(void *seed)
{
    hg_device *dev = hg_device_open(NULL);
    hg_scope *s = hg_scope_begin(dev);
    double sum = 0;
    for (int i = 0; i < 20; i++) sum += hg_item(hg_full(dev, HG_F32, HG_SCALAR, *(int *)seed + i));
    hg_scope_end(s);
    hg_device_close(dev);
    *(int *)seed = (int)sum;
    return NULL;
}

START_TEST(devices_of_their_own_run_in_threads)
{
    pthread_t threads[2];
    int seeds[2] = {100, 200};
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, work_alone, &seeds[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(seeds[0], 20 * 100 + 190);
    ck_assert_int_eq(seeds[1], 20 * 200 + 190);
}
END_TEST

START_TEST(a_forked_child_gets_an_error_not_a_hang)
{
    hg_device *dev = test_device();
    ck_assert_hg(hg_sync(dev));
    pid_t child = fork();
    if (!child) {
        alarm(10);
        bool refused = hg_sync(dev) == HG_E_STATE && strstr(hg_last_error(), "fork") &&
                       !hg_ok(hg_zeros(dev, HG_F32, HG_SHAPE(4)));
        _exit(refused ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_hg(hg_sync(dev));
}
END_TEST

START_TEST(the_class_can_be_forced)
{
    hg_device_info info;
    const char *before = getenv("HAPGOP_DEVICE_CLASS");
    char keep[16] = "";
    if (before) snprintf(keep, sizeof keep, "%s", before);
    for (int gpu = 0; gpu < 2; gpu++) {
        setenv("HAPGOP_DEVICE_CLASS", gpu ? "gpu" : "cpu", 1);
        hg_device *dev = hg_device_open(NULL);
        ck_assert_hg(hg_device_get_info(dev, &info));
        ck_assert_int_eq(info.device_class, gpu ? HG_CLASS_GPU : HG_CLASS_CPU);
        hg_scope *s = hg_scope_begin(dev);
        hg_tensor *t = hg_transpose(hg_reshape(hg_arange(dev, HG_I32, 0, 1000, 1), HG_SHAPE(10, 100)), 0, 1);
        ck_assert_double_eq(hg_item(hg_select(hg_select(hg_cast(t, HG_F32), 0, 42), 0, 7)), 742);
        hg_scope_end(s);
        hg_device_close(dev);
    }
    if (before)
        setenv("HAPGOP_DEVICE_CLASS", keep, 1);
    else
        unsetenv("HAPGOP_DEVICE_CLASS");
}
END_TEST

Suite *device_suite(void)
{
    return TEST_SUITE("device", the_list_names_every_device, a_part_of_the_name_opens_a_device,
                      an_unknown_device_is_answered_with_what_there_is, quirks_follow_names,
                      a_second_thread_is_refused_while_the_first_is_inside, devices_of_their_own_run_in_threads,
                      a_forked_child_gets_an_error_not_a_hang, the_class_can_be_forced);
}
