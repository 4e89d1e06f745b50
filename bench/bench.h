/* What the parts of hapgop-bench share. Each part gets its own name as argv[0] and returns the exit code: 0; 1 if
 * something failed; 2 if the command line is wrong; 130 after Ctrl-C, with what was measured until then written. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <jansson.h>

#include "hapgop/device.h"

int compare_main(int argc, char **argv);
int conv_main(int argc, char **argv);
int device_main(int argc, char **argv);
int gemm_main(int argc, char **argv);
int images_main(int argc, char **argv);
int model_main(int argc, char **argv);

#define BENCH_PROGRAM "hapgop-bench"

/* Text files that are part of the program (bench/embed); the name of the last is NULL. */
typedef struct bench_text {
    const char *name, *text;
} bench_text;
extern const bench_text bench_texts[];
const char *bench_text_named(const char *name);     /* NULL if there is none */

/* ---- stopping ------------------------------------------------------------------------------------------------------ */
/* From now on the first SIGINT or SIGTERM only makes bench_stopped() true; the second ends the program. */
void bench_catch_stop(void);
bool bench_stopped(void);

/* ---- devices ------------------------------------------------------------------------------------------------------- */
enum { BENCH_DEVICES = 32 };

typedef struct bench_devices {
    hg_device *dev[BENCH_DEVICES];
    int count;
} bench_devices;

/* Opens what --device asks for: NULL the default one, "all" every usable one, else names separated by commas. */
hg_status bench_open_devices(const char *spec, bench_devices *devices);
void bench_close_devices(bench_devices *devices);

/* What the device can do, measured: the best of the shapes of kernels and of several runs. */
typedef struct bench_peak {
    double gflops;                          /* f32, fma counted as two: the greater of the next two */
    double gflops_vectors, gflops_lanes;    /* one work-item a group on wide vectors; work-groups of many lanes */
    double gbps;                            /* 1e9 bytes read or written a second: the greater of the next two */
    double gbps_copy, gbps_triad;           /* a = b; a = b + s c */
} bench_peak;
hg_status bench_measure_peak(hg_device *dev, bench_peak *peak);

/* ---- output -------------------------------------------------------------------------------------------------------- */
/* The device as JSON, with its peak if that is not NULL. */
json_t *bench_device_json(hg_device *dev, const bench_peak *peak);

/* Whether the file could be written: says on stderr if not. `path` may be NULL. */
bool bench_can_write(const char *path);
/* Writes the text, or the JSON (taken over), to the file, whole or not at all; says on stderr what is wrong. */
bool bench_write_text(const char *text, const char *path);
bool bench_write_json(json_t *root, const char *path);

/* A bar on stderr if that is a terminal; hide it before writing lines. */
void bench_progress(int done, int total, const char *text);
void bench_progress_hide(void);

/* "hapgop-bench PART: the library's last error" on stderr, which is then cleared. */
void bench_complain(const char *part);

#endif
