#define _GNU_SOURCE
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("input", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    return path;
}

/* ---- Instead of the library's calls: -Wl,--wrap ------------------------------------------------------------------- */

enum { PAGE = 4096 };

static size_t behind(size_t size)
{
    return (PAGE - size % PAGE) % PAGE;
}

void *__real_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    void *map = __real_mmap(at, size, protection, flags, file, offset);
    if (map != MAP_FAILED) __asan_poison_memory_region((char *)map + size, behind(size));
    return map;
}

int __wrap_munmap(void *at, size_t size)
{
    __asan_unpoison_memory_region((char *)at + size, behind(size));
    return __real_munmap(at, size);
}
