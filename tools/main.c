/* The program hapgop: finds the command and hands over to it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <hapgop/hapgop.h>

#include "commands.h"

const char *program_name = "hapgop";

static const struct command {
    const char *name, *about;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"devices", "list the OpenCL devices and what they can do", devices_command},
    {"model", "print a network and what its layers cost", model_command},
    {"predict", "tell which classes a network sees in images", predict_command},
    {"standin", "transfer learning on data made from Fashion-MNIST, the regimes in a table", standin_command},
    {"train", "train a network on Fashion-MNIST", train_command},
    {"transfer", "train a pretrained network on a folder of images, and test it", transfer_command},
    {"tune", "measure which convolution solvers are fastest on a device", tune_command},
    {"weights", "list, check, convert and compare files of weights", weights_command},
};
#define COMMANDS ((int)(sizeof commands / sizeof *commands))

static void print_help(void)
{
    printf("usage: hapgop COMMAND [ARGUMENTS]\n\nTrains convolutional networks on any OpenCL device.\n\ncommands:\n");
    for (int i = 0; i < COMMANDS; i++) printf("  %-10s %s\n", commands[i].name, commands[i].about);
    printf("  %-10s %s\n", "help", "what a command does, and its options: hapgop help train");
    printf("\n  --version  print the version\n  --help     print this\n");
}

static int unknown(const char *what, const char *name)
{
    fprintf(stderr, "hapgop: unknown %s %s; the commands are ", what, name);
    for (int i = 0; i < COMMANDS; i++) fprintf(stderr, "%s, ", commands[i].name);
    fprintf(stderr, "help\n");
    return 2;
}

static int run(int argc, char **argv)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (!strcmp(argv[0], commands[i].name)) return commands[i].run(argc, argv);
    }
    return unknown(argv[0][0] == '-' ? "option" : "command", argv[0]);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "hapgop: a command is missing; see hapgop help\n");
        return 2;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("hapgop %s\n", hg_version());
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
    if (argc > 0) program_name = argv[0];
    signal(SIGXFSZ, SIG_IGN);           /* a file that may not grow further is an error of write(), not an end */
    setvbuf(stdout, NULL, _IOLBF, 0);   /* a line appears when it is written, in a pipe too */
    int code = dispatch(argc, argv);
    if ((fflush(stdout) || ferror(stdout)) && code == 0) {
        fprintf(stderr, "hapgop: standard output: %s\n", strerror(errno));
        return 1;
    }
    return code;
}
