/* The program hapgop-bench: times parts of the library. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

static const struct part {
    const char *name, *about;
    int (*run)(int argc, char **argv);
} parts[] = {
    {"gemm", "matrix products", gemm_main},
};
enum { PARTS = sizeof parts / sizeof *parts };

static void print_help(FILE *stream)
{
    fprintf(stream, "usage: hapgop-bench PART [OPTIONS]\n\nTimes the library on an OpenCL device.\n\nparts:\n");
    for (int i = 0; i < PARTS; i++) fprintf(stream, "  %-10s %s\n", parts[i].name, parts[i].about);
    fprintf(stream, "\nhapgop-bench PART --help tells its options.\n");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))) {
        print_help(stdout);
        return 0;
    }
    for (int i = 0; i < PARTS && argc > 1; i++)
        if (!strcmp(argv[1], parts[i].name)) return parts[i].run(argc - 1, argv + 1);
    if (argc > 1) fprintf(stderr, "hapgop-bench: unknown part %s\n\n", argv[1]);
    print_help(stderr);
    return 2;
}
