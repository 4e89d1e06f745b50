#define _GNU_SOURCE
#include "cl/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

enum { FORMAT = 1, LIMIT = 256 << 20 };

/* Before the binary in its file: drivers crash on a damaged one, so it is checked before they see it. */
struct header {
    char magic[8];
    uint64_t size, sum;
};
static const char magic[8] = "hapgop1";

static bool wanted(const hg_device *dev)
{
    const char *forced = getenv("HAPGOP_CACHE");
    if (forced && *forced) return *forced != '0';
    return !(dev->quirks & HG_QUIRK_NO_BINARY_CACHE);
}

static uint64_t hash(uint64_t h, const char *text)
{
    for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (h ^ 0xff) * UINT64_C(0x100000001b3);    /* so that "ab","c" and "a","bc" differ */
}

static uint64_t sum_of(const unsigned char *bytes, size_t size)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Everything that the binary depends on, in 128 bits of name; and the folder. False if there is no place for it. */
static bool entry_path(const hg_device *dev, const hg_source *source, const char *options, char *path, size_t size)
{
    char folder[3000];
    if (!hg_cache_folder(folder, sizeof folder)) return false;
    uint64_t h[2];
    for (int i = 0; i < 2; i++) {
        char format[32];
        snprintf(format, sizeof format, "hapgop %d %d", FORMAT, i);
        h[i] = hash(UINT64_C(0xcbf29ce484222325) + (uint64_t)i, format);
        const char *parts[] = {dev->info.platform, dev->info.name,      dev->info.version, dev->info.driver,
                               source->name,       source->text, options};
        for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) h[i] = hash(h[i], parts[p]);
    }
    return snprintf(path, size, "%s/programs/%016" PRIx64 "%016" PRIx64, folder, h[0], h[1]) < (int)size;
}

/* The steps below run without touching the thread's error: a cache that fails is a miss. */
cl_program hg_cache_load(hg_device *dev, const hg_source *source, const char *options)
{
    char path[3100];
    if (!wanted(dev) || !entry_path(dev, source, options, path, sizeof path) || access(path, R_OK)) return NULL;
    void *bytes;
    size_t size;
    if (hg_read_file(path, &bytes, &size) != HG_OK) {
        hg_clear_error();
        return NULL;
    }
    cl_program program = NULL;
    struct header header = {0};
    if (size > sizeof header) memcpy(&header, bytes, sizeof header);
    const unsigned char *binary = (unsigned char *)bytes + sizeof header;
    size -= sizeof header;
    if (!memcmp(header.magic, magic, sizeof magic) && header.size == size && header.sum == sum_of(binary, size)) {
        cl_int state, code;
        program = clCreateProgramWithBinary(dev->context, 1, &dev->id, &size, &binary, &state, &code);
        if (code != CL_SUCCESS || state != CL_SUCCESS) {
            if (program) clReleaseProgram(program);
            program = NULL;
        }
    }
    free(bytes);
    if (program)
        utimensat(AT_FDCWD, path, NULL, 0);     /* now: least recently used goes first */
    else
        unlink(path);
    return program;
}

struct entry {
    char name[64];
    time_t used;
    off_t size;
};

static int oldest_first(const void *a, const void *b)
{
    time_t x = ((const struct entry *)a)->used, y = ((const struct entry *)b)->used;
    return (x > y) - (x < y);
}

static void shrink(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir) return;
    struct entry *entries = NULL;
    size_t count = 0;
    off_t total = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        struct stat info;
        if (d->d_name[0] == '.' || strlen(d->d_name) >= sizeof entries->name ||
            fstatat(dirfd(dir), d->d_name, &info, 0) || !S_ISREG(info.st_mode))
            continue;
        struct entry *more = realloc(entries, sizeof *entries * (count + 1));
        if (!more) break;
        entries = more;
        strcpy(entries[count].name, d->d_name);
        entries[count].used = info.st_mtime;
        entries[count++].size = info.st_size;
        total += info.st_size;
    }
    if (total > LIMIT) {
        qsort(entries, count, sizeof *entries, oldest_first);
        for (size_t i = 0; i < count && total > LIMIT; i++) {
            unlinkat(dirfd(dir), entries[i].name, 0);
            total -= entries[i].size;
        }
    }
    free(entries);
    closedir(dir);
}

static void write_entry(const char *path, const unsigned char *bytes, size_t size)
{
    struct header header = {.size = size, .sum = sum_of(bytes, size)};
    memcpy(header.magic, magic, sizeof magic);
    char folder[3100];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    hg_new_file f;
    if (hg_make_folders(folder) != HG_OK || hg_new_file_open(&f, path) != HG_OK) return;
    fwrite(&header, sizeof header, 1, f.stream);
    fwrite(bytes, 1, size, f.stream);
    if (hg_new_file_commit(&f) == HG_OK) shrink(folder);
}

void hg_cache_store(hg_device *dev, const hg_source *source, const char *options, cl_program program)
{
    char path[3100];
    size_t size = 0;
    if (!wanted(dev) || !entry_path(dev, source, options, path, sizeof path)) return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS || !size) return;
    unsigned char *bytes = malloc(size);
    if (bytes && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, NULL) == CL_SUCCESS) {
        bool clean = hg_last_status() == HG_OK;
        write_entry(path, bytes, size);
        if (clean) hg_clear_error();
        hg_log_message("build", "kept %s in %s", source->name, path);
    }
    free(bytes);
}
