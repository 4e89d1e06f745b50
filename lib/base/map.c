#include "base/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static hg_status cannot_read(const char *path, const char *why)
{
    return hg_error(HG_E_IO, "cannot read %s: %s", path, why);
}

/* What cannot be told from a regular file's size, or mapped. */
static const char *wrong_kind(const struct stat *info)
{
    if (S_ISDIR(info->st_mode)) return "it is a folder";
    if (!S_ISREG(info->st_mode)) return "it is no regular file; copy it into one";
    return (uint64_t)info->st_size > SIZE_MAX / 2 ? "it is too large" : NULL;
}

hg_status hg_map_file(int file, const char *path, hg_map **out)
{
    *out = NULL;
    struct stat info;
    const char *wrong = fstat(file, &info) ? strerror(errno) : wrong_kind(&info);
    if (wrong) {
        close(file);
        return cannot_read(path, wrong);
    }
    hg_map *m = calloc(1, sizeof *m);
    char *name = strdup(path);
    if (!m || !name) {
        free(m);
        free(name);
        close(file);
        return hg_error(HG_E_MEMORY, "cannot read %s: out of memory", path);
    }
    *m = (hg_map){(const unsigned char *)"", (size_t)info.st_size, name, file, 1};
    void *bytes = m->size ? mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, file, 0) : NULL;
    if (bytes == MAP_FAILED) {
        hg_status status = cannot_read(path, strerror(errno));
        m->size = 0;
        hg_map_release(m);
        return status;
    }
    if (bytes) m->bytes = bytes;
    *out = m;
    return HG_OK;
}

hg_status hg_map_open(const char *path, hg_map **out)
{
    *out = NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);     /* a pipe without a writer does not block */
    if (file < 0) return cannot_read(path, strerror(errno));
    return hg_map_file(file, path, out);
}

hg_status hg_map_private(int file, const char *path, hg_map **out)
{
    HG_TRY(hg_map_file(file, path, out));
    close((*out)->file);
    (*out)->file = -1;
    return HG_OK;
}

hg_map *hg_map_retain(hg_map *m)
{
    m->references++;
    return m;
}

void hg_map_release(hg_map *m)
{
    if (!m || --m->references) return;
    if (m->size) munmap((void *)m->bytes, m->size);
    if (m->file >= 0) close(m->file);
    free(m->path);
    free(m);
}

hg_status hg_map_whole(const hg_map *m)
{
    struct stat info;
    if (m->file < 0) return HG_OK;
    if (fstat(m->file, &info)) return cannot_read(m->path, strerror(errno));
    if ((size_t)info.st_size < m->size) return cannot_read(m->path, "it was cut off while it was being read");
    return HG_OK;
}
