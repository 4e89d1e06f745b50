#define _GNU_SOURCE
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool output_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("hapgop: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

bool output_open(output_file *f, const char *path)
{
    *f = (output_file){0};
    if (strlen(path) >= sizeof f->path) return output_error("cannot write %.60s...: the path is too long", path);
    strcpy(f->path, path);
    snprintf(f->temporary, sizeof f->temporary, "%s.XXXXXX", path);
    int fd = mkstemp(f->temporary);
    if (fd < 0) return output_error("cannot write %s: %s", path, strerror(errno));
    mode_t mask = umask(0);
    umask(mask);
    if (!fchmod(fd, 0666 & ~mask)) f->stream = fdopen(fd, "w");
    if (f->stream) return true;
    output_error("cannot write %s: %s", path, strerror(errno));
    close(fd);
    unlink(f->temporary);
    return false;
}

bool output_commit(output_file *f)
{
    errno = 0;
    bool good = !ferror(f->stream) && !fflush(f->stream) && !fsync(fileno(f->stream));
    int reason = errno;
    if (fclose(f->stream) && good) {
        good = false;
        reason = errno;
    }
    f->stream = NULL;
    if (good && rename(f->temporary, f->path)) {
        good = false;
        reason = errno;
    }
    if (good) return true;
    unlink(f->temporary);
    return output_error("cannot write %s: %s", f->path, reason ? strerror(reason) : "writing failed");
}

void output_abandon(output_file *f)
{
    if (!f->stream) return;
    fclose(f->stream);
    f->stream = NULL;
    unlink(f->temporary);
}

bool output_possible(const char *path)
{
    output_file f;
    struct stat info;
    if (!stat(path, &info) && S_ISDIR(info.st_mode)) return output_error("cannot write %s: it is a folder", path);
    if (!output_open(&f, path)) return false;
    output_abandon(&f);
    return true;
}

bool output_folder(const char *path)
{
    char part[4096];
    if (strlen(path) + 32 > sizeof part) return output_error("cannot create %.60s...: the path is too long", path);
    strcpy(part, path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p) continue;
        char keep = *p;
        *p = 0;
        if (mkdir(part, 0777) && errno != EEXIST)
            return output_error("cannot create the folder %s: %s; choose another with --out", part, strerror(errno));
        *p = keep;
        if (!keep) break;
    }
    strcat(part, "/.writable.XXXXXX");
    int fd = mkstemp(part);
    if (fd < 0)
        return output_error("cannot write in the folder %s: %s; choose another with --out", path, strerror(errno));
    close(fd);
    unlink(part);
    return true;
}
