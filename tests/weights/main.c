/* The formats of weights and arrays. */
#include "test_weights.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[] = "/tmp/hapgop-weights-XXXXXX";

const char *scratch(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

const char *fixture(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA, name);
    return path;
}

void write_bytes(const char *path, const void *bytes, size_t size)
{
    unlink(path);       /* to cut a file short and close it makes ext4 write to the disk */
    FILE *stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, size, stream), size);
    ck_assert_int_eq(fclose(stream), 0);
}

static struct rlimit before;

void limit_disk(size_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit now = {bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
}

void lift_disk_limit(void)
{
    setrlimit(RLIMIT_FSIZE, &before);
}

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.') unlink(scratch(entry->d_name));
    if (dir) closedir(dir);
    rmdir(folder);
}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    SRunner *runner = srunner_create(npy_suite());
    srunner_add_suite(runner, value_suite());
    srunner_add_suite(runner, pickle_suite());
    srunner_add_suite(runner, pth_suite());
    srunner_add_suite(runner, safetensors_suite());
    srunner_add_suite(runner, formats_suite());
    srunner_add_suite(runner, zip_suite());
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_folder();
    return failed != 0;
}
