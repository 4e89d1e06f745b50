#define _GNU_SOURCE
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

hg_status hg_make_folders(const char *path)
{
    char *copy = strdup(path);
    if (!copy) return hg_error(HG_E_MEMORY, "cannot create %s: out of memory", path);
    hg_status status = HG_OK;
    for (char *p = copy + 1; status == HG_OK; p++) {
        if (*p != '/' && *p) continue;
        char keep = *p;
        *p = 0;
        if (mkdir(copy, 0777) && errno != EEXIST)
            status = hg_error(HG_E_IO, "cannot create folder %s: %s", copy, strerror(errno));
        *p = keep;
        if (!keep) break;
    }
    struct stat info;
    if (status == HG_OK && (stat(copy, &info) || !S_ISDIR(info.st_mode)))
        status = hg_error(HG_E_IO, "%s exists and is not a folder", copy);
    free(copy);
    return status;
}

bool hg_cache_folder(char *out, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (cache && *cache == '/')
        n = snprintf(out, size, "%s/hapgop", cache);
    else if (home && *home == '/')
        n = snprintf(out, size, "%s/.cache/hapgop", home);
    return n > 0 && (size_t)n < size;
}

hg_status hg_new_file_open(hg_new_file *f, const char *path)
{
    *f = (hg_new_file){.path = strdup(path)};
    if (!f->path || asprintf(&f->temporary, "%s.XXXXXX", path) < 0) {
        f->temporary = NULL;
        hg_new_file_abandon(f);
        return hg_error(HG_E_MEMORY, "cannot write %s: out of memory", path);
    }
    int fd = mkstemp(f->temporary);
    if (fd >= 0) {
        mode_t mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask);
        f->stream = fdopen(fd, "wb");
    }
    if (!f->stream) {
        int reason = errno;
        if (fd >= 0) {
            close(fd);
            unlink(f->temporary);
        }
        free(f->temporary);
        f->temporary = NULL;
        hg_new_file_abandon(f);
        return hg_error(HG_E_IO, "cannot write %s: %s", path, strerror(reason));
    }
    return HG_OK;
}

static hg_status cannot_write(const hg_new_file *f, int reason)
{
    return hg_error(HG_E_IO, "cannot write %s: %s; what was there before is kept", f->path, strerror(reason));
}

hg_status hg_new_file_put(hg_new_file *f, const void *data, size_t size)
{
    errno = 0;
    return !size || fwrite(data, 1, size, f->stream) == size ? HG_OK : cannot_write(f, errno);
}

hg_status hg_new_file_patch(hg_new_file *f, uint64_t at, const void *data, size_t size)
{
    bool good = !fseeko(f->stream, (off_t)at, SEEK_SET) && fwrite(data, 1, size, f->stream) == size &&
                !fseeko(f->stream, 0, SEEK_END);
    return good ? HG_OK : cannot_write(f, errno);
}

hg_status hg_new_file_commit(hg_new_file *f)
{
    bool bad = ferror(f->stream) || fflush(f->stream) || fsync(fileno(f->stream));
    int reason = errno;
    if (fclose(f->stream) && !bad) {
        bad = true;
        reason = errno;
    }
    f->stream = NULL;
    if (!bad && rename(f->temporary, f->path)) {
        bad = true;
        reason = errno;
    }
    hg_status status = HG_OK;
    if (bad) {
        status = cannot_write(f, reason);
    } else {
        free(f->temporary);
        f->temporary = NULL;
    }
    hg_new_file_abandon(f);
    return status;
}

void hg_new_file_abandon(hg_new_file *f)
{
    if (f->stream) fclose(f->stream);
    if (f->temporary) unlink(f->temporary);
    free(f->temporary);
    free(f->path);
    *f = (hg_new_file){0};
}

hg_status hg_read_file(const char *path, void **bytes, size_t *size)
{
    *bytes = NULL;
    *size = 0;
    FILE *stream = fopen(path, "rb");
    if (!stream) return hg_error(HG_E_IO, "cannot read %s: %s", path, strerror(errno));
    hg_status status = HG_OK;
    char *data = NULL;
    size_t length = 0, capacity = 0;
    for (;;) {
        if (length == capacity) {
            capacity = capacity ? capacity * 2 : 65536;
            char *more = realloc(data, capacity + 1);
            if (!more) {
                status = hg_error(HG_E_MEMORY, "cannot read %s: out of memory", path);
                break;
            }
            data = more;
        }
        size_t got = fread(data + length, 1, capacity - length, stream);
        length += got;
        if (!got) break;
    }
    if (status == HG_OK && ferror(stream)) status = hg_error(HG_E_IO, "cannot read %s: %s", path, strerror(errno));
    fclose(stream);
    if (status != HG_OK) {
        free(data);
        return status;
    }
    data[length] = 0;
    *bytes = data;
    *size = length;
    return HG_OK;
}
