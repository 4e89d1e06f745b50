/* The program hapgop-bench: finds the part and hands over to it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

static const struct part {
    const char *name, *about;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"compare", "two files of results side by side", compare_main},
    {"conv", "convolutions by every algorithm, in every direction", conv_main},
    {"device", "what the devices can do at most", device_main},
    {"gemm", "matrix products", gemm_main},
    {"images", "reading folders of images, alone and in a training", images_main},
    {"model", "whole networks: answers and training steps", model_main},
};
enum { PARTS = sizeof parts / sizeof *parts };

static void print_help(void)
{
    printf("usage: " BENCH_PROGRAM " PART [OPTIONS]\n\nMeasures the library on OpenCL devices.\n\nparts:\n");
    for (int i = 0; i < PARTS; i++) printf("  %-10s %s\n", parts[i].name, parts[i].about);
    printf("  %-10s %s\n", "help", "what a part does, and its options: " BENCH_PROGRAM " help conv");
    printf("\n  --version  print the version\n  --help     print this\n");
}

static int run(int argc, char **argv)
{
    for (int i = 0; i < PARTS; i++)
        if (!strcmp(argv[0], parts[i].name)) return parts[i].run(argc, argv);
    fprintf(stderr, BENCH_PROGRAM ": unknown %s %s; the parts are ", argv[0][0] == '-' ? "option" : "part", argv[0]);
    for (int i = 0; i < PARTS; i++) fprintf(stderr, "%s, ", parts[i].name);
    fprintf(stderr, "help\n");
    return 2;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, BENCH_PROGRAM ": a part is missing; see " BENCH_PROGRAM " help\n");
        return 2;
    }
    if (!strcmp(argv[1], "--version")) {
        printf(BENCH_PROGRAM " %s\n", hg_version());
        return 0;
    }
    bool help = !strcmp(argv[1], "help");
    if (help && argc > 2) return run(2, (char *[]){argv[2], (char *)"--help", NULL});
    if (help || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_help();
        return 0;
    }
    return run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);   /* a line appears when it is written, in a pipe too */
    int code = dispatch(argc, argv);
    if ((fflush(stdout) || ferror(stdout)) && code == 0) {
        fprintf(stderr, BENCH_PROGRAM ": standard output: %s\n", strerror(errno));
        return 1;
    }
    return code;
}
