#define _GNU_SOURCE
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

/* ---- signals and warnings ---- */

volatile sig_atomic_t run_signal;

static void stop_soon(int number)
{
    run_signal = number;
}

void run_catch_signals(void)
{
    struct sigaction action = {.sa_handler = stop_soon, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void show_warning(const char *topic, const char *message, void *user)
{
    (void)user;
    const char *asked = getenv("HAPGOP_LOG");
    if (!strcmp(topic, "warn") && !(asked && *asked)) fprintf(stderr, "hapgop: warning: %s\n", message);
}

void run_show_warnings(void)
{
    hg_set_log(show_warning, NULL);
}

double run_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool run_failed(void)
{
    return output_error("%s", hg_last_error());
}

hg_shape run_weights_shape(const hg_weights *w, const char *name)
{
    for (int64_t i = hg_weights_count(w) - 1; i >= 0; i--) {
        hg_weights_tensor t = hg_weights_at(w, i);
        if (!strcmp(t.name, name)) return t.shape;
    }
    return HG_SCALAR;
}

/* ---- JSON ---- */

json_t *run_json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *run_json_device(hg_device *dev)
{
    hg_device_info d;
    if (hg_device_get_info(dev, &d) != HG_OK) return NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "platform", d.platform, "name", d.name, "vendor",
                     d.vendor, "driver", d.driver, "version", d.version, "class",
                     d.device_class == HG_CLASS_CPU ? "CPU" : "GPU", "units", (json_int_t)d.units, "memory",
                     (json_int_t)d.memory);
}

bool run_write_json(const char *path, json_t *root)
{
    output_file f;
    bool good = root ? output_open(&f, path) : output_error("cannot write %s: out of memory", path);
    if (good && json_dumpf(root, f.stream, JSON_INDENT(2)) == 0) {
        fputc('\n', f.stream);
        good = output_commit(&f);
    } else if (good) {
        good = output_error("cannot write %s", path);
        output_abandon(&f);
    }
    json_decref(root);
    return good;
}
